"""The Market Place interface is served in the Market Place's own name."""

from flexiciency.contract.catalogue import MARKET_PLACE, operations
from flexiciency.services.replies import MARKET_PLACE as TYPES
from flexiciency.wire.addressing import MARKET_PLACE_URN
from tests.gateway import market_place_of
from tests.world import World


def test_ping_is_answered_in_the_name_of_the_market_place(world: World, url: str) -> None:
    reply = market_place_of(world, url).send(TYPES.Ping())
    assert reply.addressing.from_ == MARKET_PLACE_URN
    assert reply.body.tag == "{urn:flexiciency:market-place-operations:1}PingResponse"


def test_every_operation_is_offered() -> None:
    assert all(operation.offered for operation in operations(MARKET_PLACE))

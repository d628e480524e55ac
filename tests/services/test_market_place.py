"""The Market Place interface of this release: Ping is answered, the rest says that it is not offered yet."""

import pytest

from flexiciency.contract.catalogue import MARKET_PLACE, operations
from flexiciency.services.replies import MARKET_PLACE as TYPES
from flexiciency.wire.addressing import MARKET_PLACE_URN
from tests.gateway import market_place_of
from tests.world import World

FIELDS = {
    "ReadMarketPlace": {},
    "ReadRegistration": {"RegistrationId": "urn:uuid:1"},
    "WithdrawRegistration": {"RegistrationId": "urn:uuid:1"},
    "ReadDirectoryChanges": {},
    "PeekMailbox": {},
    "ConfirmMailbox": {"MessageId": "urn:uuid:1"},
}


def test_ping_is_answered_in_the_name_of_the_market_place(world: World, url: str) -> None:
    reply = market_place_of(world, url).send(TYPES.Ping())
    assert reply.addressing.from_ == MARKET_PLACE_URN
    assert reply.body.tag == "{urn:flexiciency:market-place-operations:1}PingResponse"


@pytest.mark.parametrize("name", FIELDS)
def test_what_comes_later_is_refused_as_not_offered_yet(world: World, url: str, name: str) -> None:
    fault = market_place_of(world, url).refused(getattr(TYPES, name)(**FIELDS[name]))
    assert fault.partner_code == "NotOfferedYet"


def test_ping_alone_is_offered() -> None:
    assert [operation.name for operation in operations(MARKET_PLACE) if operation.offered] == ["Ping"]

"""A Market Player's activations and selections, asked of a real gateway."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flexiciency.client import (
    AggregatedSelection,
    Confirmation,
    Encoding,
    MarketPlayer,
    PartnerFault,
    Quantity,
    Reason,
    Selection,
    TimeStep,
    UnregulatedConfirmation,
    new_id,
    new_message_id,
)
from flexiciency.services import activation_by_hand
from flexiciency.services.selection import narrow_stored
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.gateway import channel_of, gateway
from tests.messages import consent
from tests.services.activating import add_registration, add_service, decide_by_hand
from tests.world import DSO, PLAYER, SERVICE, make_world, pod_name

NOW = datetime(2025, 6, 1, tzinfo=UTC)
START = datetime(2025, 1, 1, tzinfo=UTC)
WANTED = Selection(
    quantity=Quantity.ENERGY_CONSUMPTION, start=START, end=START + timedelta(days=1), time_step=TimeStep.PT15M,
    pods=(pod_name(0),), customers=("C-0",), encoding=Encoding.COMPACT,
)  # fmt: skip
SUMS = AggregatedSelection(
    quantity=Quantity.ENERGY_CONSUMPTION, start=START, end=START + timedelta(days=1), time_step=TimeStep.PT15M,
    level="City", method="Sum", countries=("AT",), cities=("Linz",), streets=("Landstraße",),
)  # fmt: skip


@pytest.fixture(scope="module")
def market_player(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketPlayer]:
    world = make_world(database, tmp_path_factory.mktemp("world"), pods=2)
    with (
        gateway(world, database) as url,
        MarketPlayer(world.player, PLAYER, DSO, f"{url}/v1/services/b2b", world.anchors) as client,
    ):
        channel_of(world, url).send(consent(0, new_id()))
        while item := client.peek_mailbox().item:
            client.confirm_mailbox(item.message_id)
        yield client


@pytest.fixture
def late(market_player: MarketPlayer, database: Database) -> Iterator[str]:
    """A service of an unregulated provider, decided by hand like the DSO's."""
    assert market_player.peek_mailbox().item is None
    owner = add_registration(database, "UnregulatedServiceProvider")
    service = add_service(database, owner, service_type="EnergyServiceProvision", aggregation_level=None, quantity=None,
                          time_step=None, by_hand=True)  # fmt: skip
    decide_by_hand(database)
    yield service
    decide_by_hand(database, by_hand=False)


def waiting(client: MarketPlayer) -> object:
    """The content of the oldest message, which is taken out of the mailbox."""
    item = client.peek_mailbox().item
    assert item is not None
    client.confirm_mailbox(item.message_id)
    return item.content


def test_a_selection_comes_back_as_it_is_served(market_player: MarketPlayer) -> None:
    served, reason = market_player.select(SERVICE, WANTED)
    assert served is not None
    assert served == replace(WANTED, id=served.id, service_description_id=SERVICE)
    assert reason is None
    served, reason = market_player.select(SERVICE, replace(WANTED, time_step=TimeStep.PT10M, pods=(), customers=()))
    assert served is not None
    assert (served.time_step, served.pods) == (TimeStep.PT15M, ())
    assert reason is not None
    assert reason.code == "SelectionNarrowed"


def test_aggregates_come_back_as_they_are_served_or_not_at_all(market_player: MarketPlayer, database: Database) -> None:
    service = add_service(
        database, service_type="AggregatedDataProvision", aggregation_level="City", aggregation_method="Sum"
    )
    served, reason = market_player.select(service, SUMS)
    assert served is not None
    assert served == replace(SUMS, id=served.id, service_description_id=service)
    assert reason is None
    served, reason = market_player.select(SERVICE, SUMS)
    assert served is None
    assert reason is not None
    assert reason.code == "ServiceTypeMismatch"


def test_the_selection_of_an_activation_is_confirmed(market_player: MarketPlayer) -> None:
    found = market_player.request_activation(SERVICE, [pod_name(0)], replace(WANTED, time_step=TimeStep.PT10M))
    assert found.status == "OK"
    assert found.selection is not None
    assert found.selection == replace(WANTED, id=found.selection.id, service_description_id=SERVICE)


def test_an_activation_is_stopped_with_a_reason_once(market_player: MarketPlayer) -> None:
    request_id = market_player.request_activation(SERVICE, [pod_name(0)]).request_id
    message_id = new_message_id()
    reason = Reason("NoLongerNeeded", "The contract ended.")
    receipts = [market_player.stop_activation(request_id, reason, message_id=message_id) for _ in range(2)]
    assert receipts[0] == receipts[1]
    assert receipts[0].message_id == message_id
    with pytest.raises(PartnerFault, match="It is Stopped"):
        market_player.stop_activation(request_id)


def test_a_late_confirmation_comes_by_mailbox(market_player: MarketPlayer, database: Database, late: str) -> None:  # noqa: ARG001
    found = market_player.request_activation(SERVICE, [pod_name(0)])
    assert found == Confirmation(id=None, request_id=found.request_id, status="Received")
    with transaction(database) as tx:
        activation_by_hand.confirm(tx, found.request_id, NOW)
    answer = waiting(market_player)
    assert isinstance(answer, Confirmation)
    assert (answer.request_id, answer.status, answer.confirmed) == (found.request_id, "OK", (pod_name(0),))


def test_a_late_unregulated_confirmation_comes_by_mailbox(
    market_player: MarketPlayer, database: Database, late: str
) -> None:
    found = market_player.request_unregulated_activation(late)
    assert found == UnregulatedConfirmation(id=None, request_id=found.request_id, status="Received")
    with transaction(database) as tx:
        activation_by_hand.confirm(tx, found.request_id, NOW, limits="Weekdays only.")
    answer = waiting(market_player)
    assert isinstance(answer, UnregulatedConfirmation)
    assert answer.id is not None
    assert (answer.request_id, answer.status) == (found.request_id, "Partial")
    assert answer.reason == Reason("ServiceLimited", "Weekdays only.")


def test_an_unregulated_activation_is_answered_at_once(market_player: MarketPlayer) -> None:
    found = market_player.request_unregulated_activation(SERVICE)
    assert found.status == "KO"
    assert found.reason is not None
    assert found.reason.code == "UseDsoRequest"


def test_a_narrowed_selection_comes_by_mailbox(market_player: MarketPlayer, database: Database) -> None:
    served, _ = market_player.select(SERVICE, WANTED)
    assert served is not None
    assert served.id is not None
    later = START + timedelta(hours=1)
    with transaction(database) as tx:
        narrow_stored(tx, served.id, NOW, start=later)
    assert waiting(market_player) == replace(served, start=later)

"""What waits for the operator: stored as Received, decided once and by the rules of that moment, told to the player."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.services import activation_by_hand
from flexiciency.services.replies import B2B
from flexiciency.store import activations
from flexiciency.store.database import Database
from flexiciency.store.transaction import Row, Transaction, transaction
from tests.gateway import Sender
from tests.messages import ACT, activation, agree_on, consent, new_id, proposal, revocation, selection
from tests.services.activating import (
    add_registration,
    add_service,
    codes,
    decide_by_hand,
    stop,
    told,
    unregulated,
)
from tests.services.waiting import blocked
from tests.world import pod_name

NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def by_hand(player: Sender, database: Database) -> Iterator[None]:
    """The world's service is decided by hand; nothing waits in the mailbox."""
    decide_by_hand(database)
    told(player)
    yield
    decide_by_hand(database, by_hand=False)


@pytest.fixture
def asked(player: Sender, channel: Sender, customers: Iterator[int]) -> tuple[str, dict[int, str]]:
    """A request that waits, of two PoDs, and the consents by customer."""
    given, identifier = {next(customers): new_id(), next(customers): new_id()}, new_id()
    for number, consent_id in given.items():
        channel.send(consent(number, consent_id))
    told(player)
    reply = player.send(activation(identifier, [pod_name(number) for number in given])).body
    assert list(reply) == []
    return identifier, given


@pytest.fixture(scope="module")
def energy(world: object, database: Database) -> str:  # noqa: ARG001  the parties must be there
    """A service of the DSO's unregulated registration, decided by hand."""
    owner = add_registration(database, "UnregulatedServiceProvider")
    return add_service(database, owner, service_type="EnergyServiceProvision", aggregation_level=None, quantity=None,
                       time_step=None, customer_consent_mandatory=False, by_hand=True)  # fmt: skip


def decide(database: Database, move: Callable[..., None], identifier: str, **how: Any) -> None:
    with transaction(database) as tx:
        move(tx, identifier, NOW, **how)


def confirm(database: Database, identifier: str, **how: Any) -> None:
    decide(database, activation_by_hand.confirm, identifier, **how)


def stored(database: Database, identifier: str) -> Row:
    with transaction(database) as tx:
        ((row,),) = tx.look_up(activations.stored(identifier))
    return row


def said(confirmation: etree._Element) -> tuple[str | None, list[str | None], list[str | None]]:
    """Status, confirmed PoDs and reason codes."""
    pods = [pod.text for pod in confirmation.iterfind(f"{ACT}PoD")]
    return confirmation.findtext(f"{ACT}Status"), pods, codes(confirmation)


def test_what_waits_is_received_and_its_confirmation_pushed_later(
    player: Sender, database: Database, asked: tuple[str, dict[int, str]]
) -> None:
    identifier, given = asked
    assert (stored(database, identifier).status, told(player)) == ("Received", [])
    confirm(database, identifier)
    (confirmation,) = told(player)
    assert said(confirmation) == ("OK", [pod_name(number) for number in given], [])
    assert confirmation.findtext(f"{ACT}DsoServiceActivationRequestRef") == identifier
    row = stored(database, identifier)
    assert (row.status, row.confirmation_id) == ("OK", confirmation.findtext(f"{ACT}Id"))


def test_nothing_is_agreed_on_before_the_decision(
    player: Sender, database: Database, asked: tuple[str, dict[int, str]]
) -> None:
    identifier, given = asked
    pods = [pod_name(number) for number in given]
    assert player.refused(proposal(new_id(), identifier, pods)).partner_code == "StateConflict"
    confirm(database, identifier)
    reply = player.send(proposal(new_id(), identifier, pods)).body
    assert reply.findtext(f".//{ACT}Status") == "Proposed"


def test_what_the_rules_refuse_whole_is_refused_at_once(player: Sender) -> None:
    reply = player.send(activation(new_id(), ["AT-unknown"])).body
    assert (reply.findtext(f".//{ACT}Status"), set(codes(reply))) == ("KO", {"PodUnknown"})


def test_a_consent_that_is_gone_by_then_is_not_confirmed(
    player: Sender, channel: Sender, database: Database, asked: tuple[str, dict[int, str]]
) -> None:
    identifier, given = asked
    gone, kept = given
    channel.send(revocation(gone, given[gone]))
    told(player)
    with pytest.raises(StateConflict, match=pod_name(gone)):
        confirm(database, identifier, leave_out=frozenset({pod_name(gone)}))
    confirm(database, identifier)
    (confirmation,) = told(player)
    assert said(confirmation) == ("Partial", [pod_name(kept)], ["NoConsent"])


def test_the_operator_refuses_pods_with_a_reason(
    player: Sender, database: Database, asked: tuple[str, dict[int, str]]
) -> None:
    identifier, given = asked
    first, second = given
    confirm(database, identifier, leave_out=frozenset({pod_name(first)}), text="Meter broken.")
    (confirmation,) = told(player)
    assert said(confirmation) == ("Partial", [pod_name(second)], ["RefusedByProvider"])
    assert "Meter broken." in list(confirmation.itertext())
    assert stored(database, identifier).confirmed == [pod_name(second)]


def test_a_pod_listed_twice_stays_refused(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    once, twice, identifier = next(customers), next(customers), new_id()
    for number in (once, twice):
        channel.send(consent(number, new_id()))
    told(player)
    player.send(activation(identifier, [pod_name(twice), pod_name(once), pod_name(twice)]))
    confirm(database, identifier)
    (confirmation,) = told(player)
    assert said(confirmation) == ("Partial", [pod_name(once)], ["PodRepeated"])


def test_the_operator_refuses_the_whole(player: Sender, database: Database, asked: tuple[str, dict[int, str]]) -> None:
    identifier, _ = asked
    decide(database, activation_by_hand.refuse, identifier, text="No capacity.")
    (confirmation,) = told(player)
    assert said(confirmation) == ("KO", [], ["RefusedByProvider"] * 3)
    row = stored(database, identifier)
    assert (row.status, row.reason_code, row.reason_text) == ("KO", "RefusedByProvider", "No capacity.")


def test_the_selection_is_confirmed_with_the_request(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, identifier, selected = next(customers), new_id(), new_id()
    channel.send(consent(number, new_id()))
    told(player)
    chosen = B2B.ActivationSelection(IndividualDataSelection=selection(Id=selected, TimeStep="PT10M"))
    player.send(activation(identifier, [pod_name(number)], Selection=chosen))
    confirm(database, identifier)
    (confirmation,) = told(player)
    (served,) = confirmation.iter(f"{ACT}IndividualDataSelection")
    assert (served.findtext(f"{ACT}Id"), served.findtext(f"{ACT}TimeStep")) == (selected, "PT15M")


def test_a_second_decision_is_refused(player: Sender, database: Database, asked: tuple[str, dict[int, str]]) -> None:
    identifier, _ = asked
    confirm(database, identifier)
    told(player)
    for move, how in ((activation_by_hand.confirm, {}), (activation_by_hand.refuse, {"text": "No."})):
        with pytest.raises(StateConflict, match="It is OK"):
            decide(database, move, identifier, **how)
    with pytest.raises(ReferenceUnknown):
        confirm(database, new_id())
    assert told(player) == []


def test_of_two_operators_at_once_one_decides(
    player: Sender, database: Database, asked: tuple[str, dict[int, str]]
) -> None:
    identifier, _ = asked

    def late() -> str:
        with pytest.raises(StateConflict) as caught:
            decide(database, activation_by_hand.refuse, identifier, text="No.")
        return str(caught.value)

    with ThreadPoolExecutor() as pool:
        with transaction(database) as tx:
            activation_by_hand.confirm(tx, identifier, NOW)
            (waiting,) = blocked(database, pool, late)
        assert "It is OK" in waiting.result()
    assert [said(one)[0] for one in told(player)] == ["OK"]


def test_the_player_may_stop_what_waits(player: Sender, database: Database, asked: tuple[str, dict[int, str]]) -> None:
    identifier, _ = asked
    player.send(stop(identifier))
    with pytest.raises(StateConflict, match="It is Stopped"):
        confirm(database, identifier)


def test_the_operator_stops_with_a_ko_and_ends_what_was_agreed(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, consent_id = next(customers), new_id()
    decide_by_hand(database, by_hand=False)
    channel.send(consent(number, consent_id))
    agreed = agree_on(player, {number: consent_id})
    told(player)
    decide(database, activation_by_hand.stop, agreed.activation, text="The service is closed.")
    agreement, confirmation = told(player)
    assert agreement.findtext(f"{ACT}Status") == "Ended"
    assert said(confirmation) == ("KO", [], ["StoppedByProvider"])
    assert confirmation.findtext(f"{ACT}DsoServiceActivationRequestRef") == agreed.activation
    row = stored(database, agreed.activation)
    assert (row.status, row.reason_text) == ("Stopped", "The service is closed.")
    with pytest.raises(StateConflict, match="It is Stopped"):
        decide(database, activation_by_hand.stop, agreed.activation, text="Again.")


@pytest.mark.parametrize(
    ("move", "how", "expected"),
    [
        (activation_by_hand.confirm, {}, ("OK", [], [])),
        (activation_by_hand.confirm, {"limits": "Weekdays only."}, ("Partial", [], ["ServiceLimited"])),
        (activation_by_hand.refuse, {"text": "No staff."}, ("KO", [], ["RefusedByProvider"])),
        (activation_by_hand.stop, {"text": "Closed."}, ("KO", [], ["StoppedByProvider"])),
    ],
)
def test_an_unregulated_request_is_answered_late(
    player: Sender, database: Database, energy: str, move: Callable[[Transaction], None], how: dict[str, Any],
    expected: tuple[str, list[str], list[str]],
) -> None:  # fmt: skip
    identifier = new_id()
    assert list(player.send(unregulated(identifier, energy)).body) == []
    decide(database, move, identifier, **how)
    (confirmation,) = told(player)
    assert confirmation.tag == f"{ACT}UnregulatedServiceActivationConfirmation"
    assert confirmation.findtext(f"{ACT}UnregulatedServiceActivationRequestRef") == identifier
    assert said(confirmation) == expected


def test_limits_are_of_unregulated_requests_and_pods_of_the_others(
    player: Sender, database: Database, energy: str, asked: tuple[str, dict[int, str]]
) -> None:
    identifier = new_id()
    player.send(unregulated(identifier, energy))
    with pytest.raises(StateConflict, match="no PoDs"):
        confirm(database, identifier, leave_out=frozenset({pod_name(0)}))
    with pytest.raises(StateConflict, match="limits"):
        confirm(database, asked[0], limits="Weekdays only.")

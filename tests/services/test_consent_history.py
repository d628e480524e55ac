"""The history of a consent: a sentence an event, each with the message that proves it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from flexiciency.domain.consent_history import Event, Happening, sentence
from flexiciency.services.replies import B2B
from flexiciency.store import evidence
from flexiciency.store.consent_history import history
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.gateway import Sender
from tests.messages import B2BO, END, START, agree, consent, new_id, revocation, values, values_of
from tests.services.aggregating import (
    add_pods,
    add_service,
    aggregates,
    aggregates_of,
    agree_on_pods,
    give_consent,
)
from tests.world import customer_id, move_in, pod_name

NOW = datetime.now(UTC) + timedelta(minutes=1)
WHAT = Happening


def told(database: Database, consent_id: str, now: datetime = NOW) -> list[Event]:
    with transaction(database) as tx:
        return history(tx, consent_id, now)


def proof(database: Database, event: Event) -> str:
    """The name of the first element in the Body of the message that proves an event."""
    assert event.evidence_row is not None
    with transaction(database) as tx:
        envelope = etree.fromstring(b"".join(evidence.read(tx.driver, event.evidence_row)))
    (content,) = envelope.iterfind("{http://schemas.xmlsoap.org/soap/envelope/}Body/*")
    return etree.QName(content).localname


def test_a_whole_life_is_told_and_proved(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    pod = pod_name(number)
    agreed = agree(player, channel, [number])
    values_of(player, values(agreed.id))
    channel.send(revocation(number, agreed.consents[number]))
    for _ in range(3):
        message = player.send(B2B.PeekMailbox()).body.findtext(f".//{B2BO}MessageId")
        player.send(B2B.ConfirmMailbox(MessageId=message))
    events = told(database, agreed.consents[number])
    happened = [event.what for event in events]
    assert happened == [
        WHAT.GIVEN, WHAT.ACKNOWLEDGED, WHAT.RELEASED, WHAT.REVOKED, WHAT.TOLD, WHAT.TOLD, WHAT.TOLD,
    ]  # fmt: skip
    assert [proof(database, event) for event in events] == [
        "GiveCustomerConsent", "GiveCustomerConsentResponse", "RequestIndividualDataValuesResponse",
        "RevokeCustomerConsent", *["PeekMailboxResponse"] * 3,
    ]  # fmt: skip
    given, _, released, revoked, *sent = map(sentence, events)
    assert f"Customer {customer_id(number)} consented" in given
    assert "EnergyConsumption every PT15M or coarser" in given
    assert "knew the customer by eID at 2024-12-01T00:00:00Z" in given
    assert f"2,976 values of PoD {pod}, from {START:%Y-%m-%dT%H:%M:%SZ} to {END:%Y-%m-%dT%H:%M:%SZ}, left" in released
    assert agreed.id in released
    assert f"revoked it for PoD {pod}" in revoked
    assert [one.split(" was sent")[0] for one in sent] == [
        "The consent (CUS-CON-DES)", "The acknowledgement (CUS-CON-ACK)", "The revocation (CUS-CON-REV)",
    ]  # fmt: skip


def test_a_rejection_is_told_with_its_reason(channel: Sender, database: Database, customers: Iterator[int]) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier, PoD=[pod_name(number), "AT-unknown"]))
    rejected = [event for event in told(database, identifier) if event.what is WHAT.REJECTED]
    assert [sentence(event).split(":")[0] for event in rejected] == [
        "The DSO rejected it for PoD AT-unknown (PodUnknown)"
    ]
    assert proof(database, rejected[0]) == "GiveCustomerConsentResponse"


def test_the_end_of_its_days_and_a_change_of_occupant_are_told(
    channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, other, identifier = next(customers), next(customers), new_id()
    move_in(database, other, customer_id(number), datetime(2024, 12, 1, tzinfo=UTC))
    channel.send(consent(number, identifier, PoD=[pod_name(number), pod_name(other)]))
    move_in(database, number, "C-new", datetime(2025, 1, 10, tzinfo=UTC))
    ends = [event for event in told(database, identifier) if event.what in (WHAT.EXPIRED, WHAT.OCCUPANT_CHANGED)]
    assert [(event.what, event.at, event.pods) for event in ends] == [
        (WHAT.OCCUPANT_CHANGED, datetime(2025, 1, 10, tzinfo=UTC), (pod_name(number),)),
        (WHAT.EXPIRED, END, (pod_name(other),)),
    ]


def test_what_is_not_over_yet_is_not_told(channel: Sender, database: Database, customers: Iterator[int]) -> None:
    identifier = new_id()
    channel.send(consent(next(customers), identifier))
    early = told(database, identifier, datetime(2025, 1, 5, tzinfo=UTC))
    assert WHAT.EXPIRED not in {event.what for event in early}
    assert told(database, new_id()) == []


@pytest.mark.parametrize(
    ("count", "named"), [(1, "PoD P0"), (5, "PoD P0, P1, P2, P3, P4"), (7, "PoD P0, P1, P2, P3, P4 and 2 more")]
)
def test_many_pods_are_counted(count: int, named: str) -> None:
    event = Event(NOW, WHAT.ACKNOWLEDGED, tuple(f"P{number}" for number in range(count)), {})
    assert sentence(event) == f"The DSO acknowledged it for {named}."


def test_aggregates_that_a_consent_released_are_told_and_proved(
    player: Sender, channel: Sender, database: Database
) -> None:
    pods = add_pods(database, "History", 2)
    consents = [give_consent(channel, pod) for pod in pods]
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    aggregates_of(player, aggregates(agreement))
    (event,) = [one for one in told(database, consents[0]) if one.what is WHAT.AGGREGATED]
    assert sentence(event).startswith(f"Aggregates over 96 values of PoD {pods[0]}, from ")
    assert proof(database, event) == "RequestAggregatedDataValuesResponse"

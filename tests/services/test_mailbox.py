"""The mailbox of a player without an address, acknowledgements and the status of a message, over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from lxml import etree
from sqlalchemy import select

from flexiciency.contract.codec import ValuesMessage
from flexiciency.contract.codec_read import read_values
from flexiciency.delivery.outbox import Outbox
from flexiciency.services.replies import B2B
from flexiciency.store import deliveries, tables
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import transaction
from flexiciency.wire.addressing import new_message_id
from tests.gateway import Sender, added, rows
from tests.messages import (
    B2BO,
    CON,
    Agreed,
    acknowledgement,
    activation,
    agree,
    consent,
    new_id,
    revocation,
    values,
    values_of,
)
from tests.services.waiting import blocked
from tests.world import PLAYER, pod_name

DAY = datetime(2025, 1, 9, 23, tzinfo=UTC), datetime(2025, 1, 10, 23, tzinfo=UTC)
PRV = "{urn:flexiciency:provision:1}"


@dataclass(frozen=True)
class Peeked:
    """What PeekMailbox answered."""

    waiting: int
    message_id: str | None
    action: str | None
    content: etree._Element | None

    @property
    def values(self) -> ValuesMessage:
        assert self.content is not None
        data = etree.tostring(self.content, method="c14n", exclusive=True)
        return read_values(etree.fromstring(data), data)

    @property
    def pods(self) -> list[str]:
        return [series.pod for series in self.values.series]


def peek(player: Sender) -> Peeked:
    reply = player.send(B2B.PeekMailbox()).body
    item = reply.find(f"{B2BO}MailboxItem")
    waiting = int(reply.findtext(f"{B2BO}Waiting") or "")
    if item is None:
        return Peeked(waiting, None, None, None)
    content = item.find(f"{B2BO}Content")
    assert content is not None
    return Peeked(waiting, item.findtext(f"{B2BO}MessageId"), item.findtext(f"{B2BO}Action"), content[0])


def confirm(player: Sender, message_id: str | None) -> None:
    player.send(B2B.ConfirmMailbox(MessageId=message_id))


def status(player: Sender, message_id: str | None) -> str | None:
    reply = player.send(B2B.ReadMessageStatus(MessageId=message_id)).body
    assert reply.findtext(f".//{B2BO}MessageId") == message_id
    return reply.findtext(f".//{B2BO}Status")


def queue_day(database: Database, agreed: Agreed) -> None:
    """A day of values of the agreement, as `deliver` queues them."""
    with transaction(database) as tx:
        Outbox().push_values(tx, PLAYER, Values(agreed.id, *DAY), new_id(), datetime.now(UTC))


def empty(player: Sender) -> None:
    while (item := peek(player)).message_id is not None:
        confirm(player, item.message_id)


@pytest.fixture
def two(player: Sender, channel: Sender, database: Database, customers: Iterator[int]) -> tuple[Agreed, list[int]]:
    """An agreement of two customers, of which a day of values is all that waits."""
    numbers = [next(customers), next(customers)]
    agreed = agree(player, channel, numbers)
    empty(player)
    queue_day(database, agreed)
    return agreed, numbers


def test_what_cannot_be_pushed_waits_in_its_order_until_it_is_confirmed(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    empty(player)
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    channel.send(revocation(number, identifier))
    given = peek(player)
    assert (given.waiting, given.action) == (3, "urn:flexiciency:market-player:1:ReceiveCustomerConsentDescription")
    confirm(player, given.message_id)
    first = peek(player)
    assert (first.waiting, first.action) == (2, "urn:flexiciency:market-player:1:ReceiveCustomerConsentAcknowledgement")
    assert first.content is not None
    assert first.content.findtext(f"{CON}CustomerConsentDescriptionRef") == identifier
    assert status(player, first.message_id) == "Sent"
    again = peek(player)
    assert again.message_id == first.message_id
    assert again.content is not None
    assert etree.tostring(again.content) == etree.tostring(first.content)
    confirm(player, first.message_id)
    second = peek(player)
    assert (second.waiting, second.action) == (1, "urn:flexiciency:market-player:1:ReceiveCustomerConsentRevocation")
    confirm(player, second.message_id)
    assert peek(player) == Peeked(0, None, None, None)


def test_a_mailbox_holds_nothing_of_others(player: Sender, stranger: Sender, two: tuple[Agreed, list[int]]) -> None:
    assert peek(stranger) == Peeked(0, None, None, None)
    item = peek(player)
    fault = stranger.refused(B2B.ConfirmMailbox(MessageId=item.message_id))
    assert (fault.partner_code, fault.path) == ("ReferenceUnknown", "ConfirmMailbox/MessageId")
    assert status(stranger, item.message_id) == "Unknown"
    assert peek(player).message_id == item.message_id
    assert two


def test_a_message_must_be_peeked_at_before_it_is_confirmed(player: Sender) -> None:
    fault = player.refused(B2B.ConfirmMailbox(MessageId=new_message_id()))
    assert fault.partner_code == "ReferenceUnknown"


def test_a_confirmation_can_be_repeated(player: Sender, two: tuple[Agreed, list[int]]) -> None:
    item = peek(player)
    confirm(player, item.message_id)
    confirm(player, item.message_id)
    assert peek(player).waiting == 0
    assert two


def test_what_is_confirmed_while_a_peek_waits_for_it_is_not_handed_out_again(
    player: Sender, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    item = peek(player)
    delivery = tables.delivery
    with database.begin() as connection:
        found = connection.execute(select(delivery.c.id).where(delivery.c.message_id == item.message_id))
        delivery_id = found.scalar_one()
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            tx.read(deliveries.locked(delivery_id))
            (peeking,) = blocked(database, pool, lambda: peek(player))
            deliveries.confirm(tx, PLAYER, item.message_id or "", datetime.now(UTC))
        assert peeking.result() == Peeked(0, None, None, None)
    with database.begin() as connection:
        state = connection.execute(
            select(delivery.c.attempts, delivery.c.received_at.is_not(None)).where(delivery.c.id == delivery_id)
        ).one()
    assert tuple(state) == (1, True)
    assert two


def test_values_that_wait_shrink_with_a_revocation_and_are_another_message_then(
    player: Sender, channel: Sender, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    first, again = peek(player), peek(player)
    assert first.pods == [pod_name(number) for number in numbers]
    assert again.message_id == first.message_id
    assert again.values.header == first.values.header
    channel.send(revocation(numbers[0], agreed.consents[numbers[0]]))
    second = peek(player)
    assert second.pods == [pod_name(numbers[1])]
    assert second.message_id != first.message_id
    assert second.values.header.id != first.values.header.id
    assert player.refused(B2B.ConfirmMailbox(MessageId=first.message_id)).partner_code == "ReferenceUnknown"
    assert peek(player).message_id == second.message_id
    confirm(player, second.message_id)


def test_values_of_which_none_may_leave_any_more_are_passed_over(
    player: Sender, channel: Sender, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    seen = peek(player)
    for number in numbers:
        channel.send(revocation(number, agreed.consents[number]))
    item = peek(player)
    assert item.action == "urn:flexiciency:market-player:1:ReceiveCustomerConsentRevocation"
    assert item.waiting == 3  # the second revocation suspended the agreement, which is told too
    before = rows(database)
    assert status(player, seen.message_id) == "Dead"
    assert added(before, database) == {}


def test_a_peek_is_kept_and_repeats_with_its_own_message_id(
    player: Sender, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    message = player.seal(B2B.PeekMailbox())
    before = rows(database)
    first, second = player.post(message), player.post(message)
    assert first.canonical_body == second.canonical_body
    assert added(before, database) == {"message": 4, "exchange": 1, "delivery_pod": 2}
    assert two


@pytest.mark.parametrize(
    ("statuses", "state"),
    [(("OK", "OK"), "AcknowledgedOK"), (("OK", "KO"), "AcknowledgedPartly"), (("KO", "KO"), "AcknowledgedKO")],
)
def test_an_acknowledgement_says_what_became_of_each_pod(
    player: Sender, two: tuple[Agreed, list[int]], statuses: tuple[str, str], state: str
) -> None:
    _, numbers = two
    item = peek(player)
    pods = [pod_name(number) for number in numbers]
    player.send(acknowledgement(item.values.header.id, dict(zip(pods, statuses, strict=True))))
    assert status(player, item.message_id) == state
    assert peek(player).waiting == 0


def test_pods_can_be_acknowledged_one_after_the_other(player: Sender, two: tuple[Agreed, list[int]]) -> None:
    _, numbers = two
    item = peek(player)
    for number, state in zip(numbers, ("AcknowledgedPartly", "AcknowledgedOK"), strict=True):
        player.send(acknowledgement(item.values.header.id, {pod_name(number): "OK"}))
        assert status(player, item.message_id) == state


def test_only_what_was_delivered_can_be_acknowledged(
    player: Sender, stranger: Sender, two: tuple[Agreed, list[int]]
) -> None:
    _, numbers = two
    item = peek(player)
    object_id = item.values.header.id
    of_pod = player.refused(acknowledgement(object_id, {pod_name(numbers[0]): "OK", "AT-unknown": "OK"}))
    assert of_pod.partner_code == "ReferenceUnknown"
    assert of_pod.path == "AcknowledgeIndividualData/IndividualDataAcknowledgement/PodAcknowledgement/PoD"
    for sender, named in ((player, new_id()), (stranger, object_id)):
        fault = sender.refused(acknowledgement(named, {pod_name(numbers[0]): "OK"}))
        assert fault.partner_code == "ReferenceUnknown"
        assert fault.path == "AcknowledgeIndividualData/IndividualDataAcknowledgement/IndividualDataValueRef"
    assert status(player, item.message_id) == "Sent"


def test_the_status_of_a_message_tells_its_sender_what_became_of_it(player: Sender, stranger: Sender) -> None:
    message = player.seal(activation(new_id(), []))
    assert status(player, message.addressing.message_id) == "Unknown"
    player.post(message)
    assert status(player, message.addressing.message_id) == "Answered"
    assert status(stranger, message.addressing.message_id) == "Unknown"


def test_values_that_were_asked_for_are_acknowledged_too(
    player: Sender, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    before = rows(database)
    found = values_of(player, values(agreed.id, *DAY))
    assert added(before, database) == {
        "delivery": 1, "delivery_pod": 2, "message": 2, "exchange": 1,
    }  # fmt: skip
    assert peek(player).waiting == 1
    before = rows(database)
    player.send(acknowledgement(found.header.id, {pod_name(numbers[0]): "OK", pod_name(numbers[1]): "KO"}))
    assert added(before, database) == {"message": 2, "exchange": 1, "delivery_acknowledgement": 2}
    with database.begin() as connection:
        states = connection.execute(
            select(tables.delivery.c.state, tables.delivery_pod.c.status, tables.delivery_pod.c.reason_code,
                   tables.delivery_pod.c.value_count)
            .join(tables.delivery_pod)
            .where(tables.delivery.c.object_id == found.header.id)
            .order_by(tables.delivery_pod.c.status)
        ).all()  # fmt: skip
    assert states == [("AcknowledgedPartly", "KO", "OutOfRange", 96), ("AcknowledgedPartly", "OK", None, 96)]

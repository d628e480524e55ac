"""Values that were delivered and not acknowledged: sent again as the same message, then escalated."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text, update
from structlog.testing import capture_logs

from flexiciency.delivery.outbox import Outbox, push_stranded
from flexiciency.delivery.push import Pusher, PushFailed, PushGivenUp
from flexiciency.delivery.resend import Patience, resend
from flexiciency.services.replies import B2B
from flexiciency.store import deliveries, tables
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import transaction
from tests.delivery.conftest import DAY, Program, Queue
from tests.gateway import Sender
from tests.messages import Agreed, acknowledgement, agree, new_id, revocation, values, values_of
from tests.services import aggregating
from tests.world import PLAYER, ZONE, pod_name, set_address, status_of

HOUR = timedelta(hours=1)
PATIENCE = Patience(HOUR, 3)


@pytest.fixture
def two(player: Sender, channel: Sender, customers: Iterator[int], database: Database) -> tuple[Agreed, list[int]]:
    """An agreement on two PoDs; whatever else was delivered is acknowledged."""
    numbers = [next(customers), next(customers)]
    agreed = agree(player, channel, numbers)
    with database.begin() as connection:
        now = datetime.now(UTC)
        connection.execute(update(tables.delivery).values(received_at=now, acknowledged_at=now))
        connection.execute(text("DELETE FROM procrastinate_jobs"))
    return agreed, numbers


def pushed(queue: Queue, pusher: Pusher, agreed: Agreed) -> UUID:
    """A day of values, received and not acknowledged."""
    delivery_id = queue.day(agreed)
    pusher.push(delivery_id)
    assert queue.of(delivery_id).received_at is not None
    return delivery_id


def later(hours: float) -> datetime:
    """Hours from now, and the minute that the test may take."""
    return datetime.now(UTC) + timedelta(hours=hours, minutes=1)


def jobs(database: Database, delivery_id: UUID) -> int:
    sql = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND args ->> 'delivery_id' = :id"
    with database.begin() as connection:
        return int(connection.execute(text(sql), {"id": str(delivery_id)}).scalar_one())


@pytest.mark.usefixtures("address")
def test_what_is_not_acknowledged_in_time_is_pushed_again_as_the_same_message(
    database: Database, queue: Queue, pusher: Pusher, two: tuple[Agreed, list[int]]
) -> None:
    delivery_id = pushed(queue, pusher, two[0])
    first, waiting = queue.of(delivery_id), jobs(database, delivery_id)
    assert resend(database, PATIENCE, later(0.5)) == (0, 0)
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    assert jobs(database, delivery_id) == waiting + 1
    pusher.push(delivery_id)
    again = queue.of(delivery_id)
    assert (again.message_id, again.object_id, again.body_digest) == (
        first.message_id,
        first.object_id,
        first.body_digest,
    )
    assert (again.state, again.resends, again.attempts) == ("Sent", 1, 1)
    assert again.received_at is not None
    assert [way for way, _ in queue.evidence(first.message_id)] == ["out", "in", "out", "in"]


@pytest.mark.usefixtures("address")
def test_the_pauses_grow_and_then_it_is_escalated_until_it_is_acknowledged(
    player: Sender, database: Database, queue: Queue, pusher: Pusher, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery_id = pushed(queue, pusher, agreed)
    hours = 0
    for pause in (1, 2, 4):
        assert resend(database, PATIENCE, later(hours + pause - 0.5)) == (0, 0)
        hours += pause
        assert resend(database, PATIENCE, later(hours)) == (1, 0)
        pusher.push(delivery_id)
    assert resend(database, PATIENCE, later(hours + 7.5)) == (0, 0)
    with capture_logs() as logged:
        assert resend(database, PATIENCE, later(hours + 8)) == (0, 1)
    stands = queue.of(delivery_id)
    assert [(one["event"], one["log_level"], one["message_id"], one["resends"]) for one in logged] == [
        ("values not acknowledged", "warning", stands.message_id, 3)
    ]
    assert stands.escalated_at is not None
    assert resend(database, PATIENCE, later(hours + 1000)) == (0, 0)
    player.send(acknowledgement(stands.object_id, {pod_name(numbers[0]): "OK"}))
    assert queue.of(delivery_id).escalated_at is not None
    player.send(acknowledgement(stands.object_id, {pod_name(numbers[1]): "KO"}))
    after = queue.of(delivery_id)
    assert (after.state, after.escalated_at) == ("AcknowledgedPartly", None)
    assert resend(database, PATIENCE, later(hours + 2000)) == (0, 0)


@pytest.mark.usefixtures("address")
def test_what_was_refused_is_not_sent_again(
    player: Sender, database: Database, queue: Queue, pusher: Pusher, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery_id = pushed(queue, pusher, agreed)
    object_id = queue.of(delivery_id).object_id
    player.send(acknowledgement(object_id, {pod_name(number): "KO" for number in numbers}))
    assert resend(database, PATIENCE, later(100)) == (0, 0)
    assert queue.of(delivery_id).state == "AcknowledgedKO"


@pytest.mark.usefixtures("address")
def test_what_was_acknowledged_in_part_is_sent_again_and_keeps_what_was_said(
    player: Sender, database: Database, queue: Queue, pusher: Pusher, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery_id = pushed(queue, pusher, agreed)
    object_id = queue.of(delivery_id).object_id
    player.send(acknowledgement(object_id, {pod_name(numbers[0]): "OK"}))
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    pusher.push(delivery_id)
    assert queue.of(delivery_id).state == "AcknowledgedPartly"
    player.send(acknowledgement(object_id, {pod_name(numbers[1]): "OK"}))
    assert queue.of(delivery_id).state == "AcknowledgedOK"


@pytest.mark.usefixtures("address")
def test_what_may_leave_in_part_only_is_a_new_message_and_the_old_one_is_remembered(
    player: Sender, channel: Sender, database: Database, queue: Queue, pusher: Pusher, program: Program,
    two: tuple[Agreed, list[int]],
) -> None:  # fmt: skip
    agreed, numbers = two
    delivery_id = pushed(queue, pusher, agreed)
    first = queue.of(delivery_id)
    channel.send(revocation(numbers[0], agreed.consents[numbers[0]]))
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    pusher.push(delivery_id)
    old = queue.of(delivery_id)
    assert (old.state, old.message_id, old.received_at) == ("Sent", first.message_id, old.resent_at)
    assert len(program.pods()) == 1
    pusher.push(old.replaced_by)
    new = queue.of(old.replaced_by)
    assert new.message_id != first.message_id
    assert new.object_id != first.object_id
    assert program.pods()[-1] == [pod_name(numbers[1])]
    assert _pods(database, delivery_id) == 2
    # Each is acknowledged for what it was; only the new one is waited for.
    player.send(acknowledgement(first.object_id, {pod_name(number): "OK" for number in numbers}))
    assert queue.of(delivery_id).state == "AcknowledgedOK"
    assert resend(database, PATIENCE, later(3)) == (1, 0)
    player.send(acknowledgement(new.object_id, {pod_name(numbers[1]): "OK"}))
    assert queue.of(new.id).state == "AcknowledgedOK"


def _pods(database: Database, delivery_id: UUID) -> int:
    sql = "SELECT count(*) FROM delivery_pod WHERE delivery_id = :id"
    with database.begin() as connection:
        return int(connection.execute(text(sql), {"id": delivery_id}).scalar_one())


@pytest.mark.usefixtures("address")
def test_what_may_not_leave_any_more_is_not_sent_again(
    channel: Sender, database: Database, queue: Queue, pusher: Pusher, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery_id = pushed(queue, pusher, agreed)
    for number in numbers:
        channel.send(revocation(number, agreed.consents[number]))
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    pusher.push(delivery_id)
    assert len(program.pods()) == 1
    assert queue.of(delivery_id).state == "Dead"
    assert resend(database, PATIENCE, later(1000)) == (0, 0)


@pytest.mark.usefixtures("address")
def test_a_re_send_has_all_its_attempts_whatever_the_first_one_took(
    database: Database, queue: Queue, pusher: Pusher, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    delivery_id = queue.day(two[0])
    program.failing = True
    with pytest.raises(PushFailed):
        pusher.push(delivery_id)
    program.failing = False
    pusher.push(delivery_id)
    assert queue.of(delivery_id).attempts == 2  # all there are
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    pusher.push(delivery_id)
    assert (queue.of(delivery_id).state, queue.of(delivery_id).attempts) == ("Sent", 1)


@pytest.mark.usefixtures("address")
def test_a_re_send_that_does_not_arrive_is_escalated_too(
    database: Database, queue: Queue, pusher: Pusher, two: tuple[Agreed, list[int]]
) -> None:
    delivery_id = pushed(queue, pusher, two[0])
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    assert resend(database, PATIENCE, later(2.5)) == (0, 0)
    assert resend(database, PATIENCE, later(3)) == (0, 1)
    assert queue.of(delivery_id).escalated_at is not None


@pytest.mark.usefixtures("address")
def test_several_workers_send_it_again_once(
    database: Database, queue: Queue, pusher: Pusher, two: tuple[Agreed, list[int]]
) -> None:
    delivery_id = pushed(queue, pusher, two[0])
    waiting, due = jobs(database, delivery_id), later(1)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: resend(database, PATIENCE, due), range(8)))
    assert sum(again for again, _ in done) == 1
    assert jobs(database, delivery_id) == waiting + 1
    assert push_stranded(database, later(1)) == 0  # it has a job


@pytest.mark.usefixtures("address")
def test_an_acknowledgement_that_comes_first_spares_the_re_send(
    player: Sender, database: Database, queue: Queue, pusher: Pusher, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery_id = pushed(queue, pusher, agreed)
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    object_id = queue.of(delivery_id).object_id
    player.send(acknowledgement(object_id, {pod_name(number): "OK" for number in numbers}))
    attempts = queue.of(delivery_id).attempts
    pusher.push(delivery_id)
    assert (queue.of(delivery_id).state, queue.of(delivery_id).attempts) == ("AcknowledgedOK", attempts)
    assert len(program.taken) == 1


@pytest.mark.usefixtures("address")
def test_a_suspended_player_is_waited_for(
    database: Database, queue: Queue, pusher: Pusher, two: tuple[Agreed, list[int]]
) -> None:
    pushed(queue, pusher, two[0])
    with status_of(database, PLAYER, "Suspended"):
        assert resend(database, PATIENCE, later(100)) == (0, 0)
    assert resend(database, PATIENCE, later(100)) == (1, 0)


@pytest.mark.usefixtures("address")
def test_what_is_dead_counts_as_received_once_it_is_acknowledged(
    player: Sender, database: Database, queue: Queue, pusher: Pusher, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery_id = queue.day(agreed)
    program.failing = True
    for failure in (PushFailed, PushGivenUp):
        with pytest.raises(failure):
            pusher.push(delivery_id)
    assert queue.of(delivery_id).state == "Dead"
    assert resend(database, PATIENCE, later(1000)) == (0, 0)  # it was never received
    object_id = queue.of(delivery_id).object_id
    player.send(acknowledgement(object_id, {pod_name(number): "OK" for number in numbers}))
    assert queue.of(delivery_id).state == "AcknowledgedOK"
    assert queue.of(delivery_id).received_at is not None


def test_what_was_taken_from_the_mailbox_and_not_acknowledged_is_there_again_as_the_same_message(
    player: Sender, database: Database, queue: Queue, two: tuple[Agreed, list[int]]
) -> None:
    set_address(database, None)
    agreed, numbers = two
    delivery_id = queue.day(agreed)
    first = _peeked(player)
    player.send(B2B.ConfirmMailbox(MessageId=first))
    assert _peeked(player) is None
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    assert jobs(database, delivery_id) == 0
    assert _peeked(player) == first
    player.send(B2B.ConfirmMailbox(MessageId=first))
    assert resend(database, PATIENCE, later(3)) == (1, 0)
    player.send(acknowledgement(queue.of(delivery_id).object_id, {pod_name(number): "OK" for number in numbers}))
    assert _peeked(player) is None
    assert queue.of(delivery_id).state == "AcknowledgedOK"


def test_of_what_is_in_the_mailbox_again_only_what_may_still_leave_is_handed_out(
    player: Sender, channel: Sender, database: Database, queue: Queue, two: tuple[Agreed, list[int]]
) -> None:
    set_address(database, None)
    agreed, numbers = two
    delivery_id = queue.day(agreed)
    first = _peeked(player)
    player.send(B2B.ConfirmMailbox(MessageId=first))
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    channel.send(revocation(numbers[0], agreed.consents[numbers[0]]))
    told = _peeked(player)  # of the revocation, which is older than the new message
    player.send(B2B.ConfirmMailbox(MessageId=told))
    second = _peeked(player)
    assert second not in (None, first)
    with transaction(database) as tx:
        ((new,),) = tx.read(deliveries.locked(queue.of(delivery_id).replaced_by))
    assert new.message_id == second


def _peeked(player: Sender) -> str | None:
    """MessageId of the oldest message in the mailbox."""
    found = player.send(B2B.PeekMailbox()).body.findtext(".//{urn:flexiciency:b2b-operations:1}MessageId")
    return None if found is None else str(found)


def test_values_asked_for_are_not_sent_again(player: Sender, database: Database, two: tuple[Agreed, list[int]]) -> None:
    values_of(player, values(two[0].id, *DAY))
    assert resend(database, PATIENCE, later(1000)) == (0, 0)


def test_an_object_that_was_built_anew_before_it_was_received_cannot_be_acknowledged(
    player: Sender, channel: Sender, queue: Queue, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    set_address(database, None)
    agreed, numbers = two
    delivery_id = queue.day(agreed)
    _peeked(player)
    first = queue.of(delivery_id).object_id
    channel.send(revocation(numbers[0], agreed.consents[numbers[0]]))
    _peeked(player)
    second = queue.of(delivery_id).object_id
    fault = player.refused(acknowledgement(first, {pod_name(numbers[1]): "OK"}))
    assert fault.partner_code == "ReferenceUnknown"
    assert "acknowledge the object that came last" in fault.message
    player.send(acknowledgement(second, {pod_name(numbers[1]): "OK"}))
    assert queue.of(delivery_id).state == "AcknowledgedOK"


@pytest.mark.usefixtures("address", "two")
def test_aggregates_are_sent_again_as_the_same_message_too(
    player: Sender, database: Database, queue: Queue, pusher: Pusher
) -> None:
    pods = aggregating.add_pods(database, "Resent", 5, days=[date(2025, 1, 10)])
    agreed = aggregating.agree_on_pods(player, aggregating.add_service(database), pods)
    with transaction(database) as tx:
        asked = Values(agreed, *DAY, ZONE)
        object_id = new_id()
        Outbox().push_values(tx, PLAYER, asked, object_id, datetime.now(UTC), aggregated=True)
        tx.flush()
        ((found,),) = tx.read(deliveries.by_object(object_id))
    delivery_id = found.id
    pusher.push(delivery_id)
    first = queue.of(delivery_id)
    assert resend(database, PATIENCE, later(1)) == (1, 0)
    pusher.push(delivery_id)
    again = queue.of(delivery_id)
    assert (again.message_id, again.resends, again.state) == (first.message_id, 1, "Sent")
    player.send(aggregating.acknowledged(first.object_id, {f"portfolio:{agreed}": "OK"}))
    assert queue.of(delivery_id).state == "AcknowledgedOK"
    assert resend(database, PATIENCE, later(100)) == (0, 0)

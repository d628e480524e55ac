"""Push jobs in Procrastinate: one with the business transaction, and delivered by a worker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from flexiciency import app
from flexiciency.delivery.jobs import QUEUE
from flexiciency.delivery.outbox import Outbox, push_stranded
from flexiciency.delivery.push import Pusher
from flexiciency.delivery.resend import Patience
from flexiciency.delivery.worker import RESEND, run, worker_app
from flexiciency.store.database import Database, driver
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import Transaction
from tests.delivery.conftest import DAY, Program, Queue
from tests.gateway import Sender, added, rows
from tests.messages import agree, consent, new_id, revocation
from tests.world import PLAYER, World, pod_name, set_address


def work(database: Database, pusher: Pusher) -> None:
    """Until no job is due."""
    run(database, pusher, concurrency=2, wait=False)


def jobs(database: Database) -> list[tuple[str, int]]:
    """Status and attempts of each push."""
    sql = "SELECT status::text, attempts FROM procrastinate_jobs WHERE task_name = 'flexiciency.push' ORDER BY id"
    with database.begin() as connection:
        return [tuple(row) for row in connection.execute(text(sql)).all()]


@pytest.mark.usefixtures("address")
def test_a_worker_delivers_what_is_queued(
    channel: Sender, database: Database, pusher: Pusher, program: Program, customers: Iterator[int]
) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    channel.send(revocation(number, identifier))
    assert [status for status, _ in jobs(database)] == ["todo"] * 3
    work(database, pusher)
    assert {type(received.content).__name__ for received in program.taken} == {
        "Consent",
        "ConsentAcknowledgement",
        "ConsentRevocation",
    }
    assert [status for status, _ in jobs(database)] == ["succeeded"] * 3


@pytest.mark.usefixtures("address")
def test_a_refused_consent_has_no_job(channel: Sender, database: Database, customers: Iterator[int]) -> None:
    channel.send(consent(next(customers), new_id(), CustomerId="C-nobody"))
    assert jobs(database) == []


@pytest.mark.usefixtures("address")
def test_a_transaction_that_is_rolled_back_has_neither_delivery_nor_job(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, [next(customers)])
    before = rows(database)
    with database.autocommit() as core:
        tx = Transaction(driver(core))
        Outbox().push_values(tx, PLAYER, Values(agreed.id, *DAY), new_id(), datetime.now(UTC))
        tx.flush()
        tx.driver.rollback()
    assert added(before, database) == {}


def test_for_a_player_without_an_address_there_is_no_job(
    channel: Sender, database: Database, address: str, customers: Iterator[int]
) -> None:
    assert address
    set_address(database, None)
    channel.send(consent(next(customers), new_id()))
    assert jobs(database) == []


@pytest.mark.usefixtures("address")
def test_a_push_is_tried_as_often_as_is_set_and_is_dead_then(
    player: Sender, channel: Sender, world: World, database: Database, queue: Queue, program: Program,
    customers: Iterator[int],
) -> None:  # fmt: skip
    agreed = agree(player, channel, [next(customers)])
    pusher = app.pusher(world.settings.model_copy(update={"push_attempts": 3}), database)
    work(database, pusher)
    program.failing = True
    delivery = queue.day(agreed)
    for attempt in range(1, 4):
        _make_due(database)
        work(database, pusher)
        found = queue.of(delivery)
        assert (found.attempts, found.state) == (attempt, "Dead" if attempt == 3 else "Retrying")
    assert jobs(database)[-1][0] == "failed"
    _make_due(database)
    work(database, pusher)
    assert queue.of(delivery).attempts == 3


@pytest.mark.usefixtures("address")
def test_a_retry_delivers_what_an_attempt_did_not(
    player: Sender, channel: Sender, database: Database, pusher: Pusher, queue: Queue, program: Program,
    customers: Iterator[int],
) -> None:  # fmt: skip
    number = next(customers)
    agreed = agree(player, channel, [number])
    work(database, pusher)
    program.taken.clear()
    program.failing = True
    delivery = queue.day(agreed)
    work(database, pusher)
    assert queue.of(delivery).state == "Retrying"
    program.failing = False
    _make_due(database)
    work(database, pusher)
    assert queue.of(delivery).state == "Sent"
    assert program.pods() == [[pod_name(number)]]


@pytest.mark.usefixtures("address")
def test_a_database_that_was_away_costs_no_attempt(
    channel: Sender, database: Database, pusher: Pusher, program: Program, customers: Iterator[int]
) -> None:
    channel.send(consent(next(customers), new_id()))
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    work(database, Pusher(away, pusher._sender))
    away.close()
    assert jobs(database) == [("todo", 1)] * 2
    _make_due(database)
    work(database, pusher)
    assert len(program.taken) == 2


def _make_due(database: Database) -> None:
    """What waits for its next attempt is due now."""
    with database.begin() as connection:
        connection.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'"))


def test_what_waited_for_an_address_is_pushed_once_there_is_one(
    channel: Sender, database: Database, pusher: Pusher, program: Program, customers: Iterator[int], address: str
) -> None:
    set_address(database, None)
    channel.send(consent(next(customers), new_id()))
    assert jobs(database) == []
    assert push_stranded(database, datetime.now(UTC)) == 0
    set_address(database, address)

    assert push_stranded(database, datetime.now(UTC) - timedelta(hours=1)) == 0
    assert push_stranded(database, datetime.now(UTC)) == 2
    assert push_stranded(database, datetime.now(UTC)) == 0
    work(database, pusher)

    taken = [type(received.content).__name__ for received in program.taken]
    assert sorted(taken) == ["Consent", "ConsentAcknowledgement"]
    assert push_stranded(database, datetime.now(UTC)) == 0


@pytest.mark.usefixtures("address")
def test_a_worker_sends_again_what_is_not_acknowledged(
    player: Sender, channel: Sender, database: Database, pusher: Pusher, queue: Queue, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, [next(customers)])
    delivery = queue.day(agreed)
    pusher.push(delivery)
    app_ = worker_app(database, pusher, patience=Patience(timedelta(0), 3))
    with app_.open():
        app_.tasks[RESEND].defer(timestamp=0)
        app_.run_worker(queues=[QUEUE], concurrency=1, wait=False)
    assert queue.of(delivery).resends == 1
    assert queue.of(delivery).received_at is not None  # pushed again

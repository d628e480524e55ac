"""What the schedule queues by itself: a day that is complete, or waited for long enough; what is late; corrections."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select, text

from flexiciency import app
from flexiciency.client import ValuesMessage
from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.push import Pusher
from flexiciency.delivery.schedule import DEFAULT_TERMS, Terms, queue_due
from flexiciency.delivery.worker import run
from flexiciency.domain.portions import Caps
from flexiciency.domain.values import Block, local_day
from flexiciency.services.agreement_standing import settle
from flexiciency.store import agreement_standing, agreements, tables
from flexiciency.store.database import Database
from flexiciency.store.pods import PodRecord, import_pods
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.delivery.conftest import Program
from tests.gateway import Sender
from tests.messages import activation, new_id, proposal, revocation, values, values_of
from tests.services.aggregating import add_pods, add_service, aggregates, aggregates_of, agree_on_pods, give_consent
from tests.services.waiting import blocked
from tests.world import PLAYER, ZONE, World, status_of

DAY = date(2025, 1, 5)
END = local_day(DAY, ZONE)[1]
SOON, LATE = END + timedelta(hours=1), END + timedelta(days=3)


def store(database: Database, pods: list[str], value: int = 1, day: date = DAY, missing: int = 0) -> None:
    """Blocks of one value, the first `missing` values Missing."""
    qualities = np.zeros(96, dtype=np.uint8)
    qualities[:missing] = Quality.MISSING
    filled = np.full(96, value, dtype=np.int32)
    start, _ = local_day(day, ZONE)
    with transaction(database) as tx:
        store_blocks(tx, [
            Block(pod, Quantity.ENERGY_CONSUMPTION, day, 1, start, TimeStep.PT15M, filled, qualities) for pod in pods
        ])  # fmt: skip


def consented(player: Sender, channel: Sender, pods: list[str], days: int = 1) -> tuple[dict[str, str], str]:
    """Consents, by PoD, and an agreement on the individual values of some days from DAY on."""
    covered = {"StartDate": DAY, "EndDate": DAY + timedelta(days)}
    consents = {pod: give_consent(channel, pod, **covered) for pod in pods}
    request, agreement = new_id(), new_id()
    player.send(activation(request, pods))
    player.send(proposal(agreement, request, pods, **covered))
    return consents, agreement


def agree_on_curves(player: Sender, channel: Sender, pods: list[str], days: int = 1) -> str:
    """As `consented`, the agreement alone."""
    return consented(player, channel, pods, days)[1]


def look(database: Database, now: datetime = SOON, terms: Terms = DEFAULT_TERMS) -> int:
    return queue_due(database, Outbox(), now, terms)


def queued(database: Database, agreement: str) -> list[tuple[str, list[str] | None]]:
    """Cause and PoDs of each delivery of an agreement, in order."""
    delivery = tables.delivery
    with database.begin() as connection:
        found = connection.execute(
            select(delivery.c.cause, delivery.c.pods)
            .where(delivery.c.agreement_id == agreement, delivery.c.operation.like("Receive%Value"))
            .order_by(delivery.c.number)
        )
        return [(row.cause, row.pods) for row in found]


def waiting(database: Database, agreement: str) -> list[UUID]:
    delivery = tables.delivery
    with database.begin() as connection:
        return list(connection.execute(
            select(delivery.c.id)
            .where(delivery.c.agreement_id == agreement, delivery.c.received_at.is_(None))
            .order_by(delivery.c.number)
        ).scalars())  # fmt: skip


def hold(database: Database, pod: str, customer: str) -> None:
    """Master data of a PoD, as `pods import` takes them."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    with transaction(database) as tx:
        import_pods(tx, [PodRecord(pod, "XX", "City", "Street", None, ZONE, customer, since, None)])
        (concerned,) = tx.read(agreement_standing.lock_imported())
        settle(tx, concerned, since)
        agreement_standing.note_imported(tx)


def looked(database: Database, agreement: str) -> list[tuple[int, int, bool]]:
    """How many PoDs were expected and there, and whether that was all, day by day."""
    known = tables.agreement_day
    with database.begin() as connection:
        found = connection.execute(select(known).where(known.c.agreement_id == agreement).order_by(known.c.day))
        return [(row.expected, row.there, row.complete) for row in found]


@pytest.fixture
def pods(database: Database, request: pytest.FixtureRequest) -> list[str]:
    """Three PoDs without values, of this test's own."""
    return add_pods(database, request.node.name[:40], 3, days=[])


@pytest.fixture
def agreement(player: Sender, channel: Sender, pods: list[str]) -> str:
    return agree_on_curves(player, channel, pods)


def test_a_day_waits_until_the_last_pod_is_there(database: Database, agreement: str, pods: list[str]) -> None:
    store(database, pods[:2])
    assert (look(database), queued(database, agreement)) == (0, [])
    assert looked(database, agreement) == [(3, 2, False)]
    store(database, pods[2:])
    assert look(database) == 1
    assert queued(database, agreement) == [("Scheduled", pods)]
    assert looked(database, agreement) == [(3, 3, True)]
    assert look(database, LATE) == 0


def test_a_gap_known_as_a_gap_is_waited_for_as_a_block_that_is_not_there(
    database: Database, agreement: str, pods: list[str]
) -> None:
    store(database, pods, missing=1)
    assert look(database) == 0
    assert looked(database, agreement) == [(3, 0, False)]
    store(database, pods)
    assert look(database) == 1


def test_after_the_grace_what_is_there_goes_out_and_what_comes_later_as_it_comes(
    database: Database, agreement: str, pods: list[str]
) -> None:
    store(database, pods[:1])
    store(database, pods[1:2], missing=96)
    assert look(database, LATE - timedelta(seconds=1)) == 0
    assert look(database, LATE) == 1
    assert look(database, LATE) == 0
    store(database, pods[2:])
    assert look(database, LATE) == 1
    store(database, pods[1:2], missing=3)
    assert look(database, LATE) == 1
    assert queued(database, agreement) == [("Scheduled", [pods[0]]), ("Scheduled", [pods[2]]), ("Scheduled", [pods[1]])]


@pytest.mark.usefixtures("agreement")
def test_a_day_that_is_not_over_is_not_queued(database: Database, pods: list[str]) -> None:
    store(database, pods)
    assert look(database, END - timedelta(seconds=1)) == 0
    assert look(database, END) == 1


def test_an_agreement_made_later_gets_its_past_days(
    player: Sender, channel: Sender, database: Database, pods: list[str]
) -> None:
    days = [DAY + timedelta(offset) for offset in range(-1, 4)]
    for day in days:
        store(database, pods, day=day)
    look(database, LATE)
    agreement = agree_on_curves(player, channel, pods, days=3)
    assert look(database, LATE + timedelta(days=3)) == 3
    assert queued(database, agreement) == [("Scheduled", pods)] * 3


def test_a_day_is_cut_into_messages_that_fit(database: Database, agreement: str, pods: list[str]) -> None:
    store(database, pods)
    assert look(database, terms=Terms(caps=Caps(values=2 * 96))) == 2
    assert queued(database, agreement) == [("Scheduled", pods[:2]), ("Scheduled", pods[2:])]


def test_a_day_is_cut_by_bytes_too(database: Database, agreement: str, pods: list[str]) -> None:
    store(database, pods)
    assert look(database, terms=Terms(caps=Caps(size=60_000))) == 3
    assert queued(database, agreement) == [("Scheduled", [pod]) for pod in pods]


@pytest.mark.usefixtures("address")
def test_a_correction_goes_to_whoever_got_the_old_version_once_for_all_pods_of_a_day(
    database: Database, agreement: str, pods: list[str], pusher: Pusher, program: Program
) -> None:
    store(database, pods)
    look(database)
    pusher.push(*waiting(database, agreement))
    store(database, pods[:1], value=2)
    store(database, pods[1:2], value=3)
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement)[1:] == [("Correction", pods[:2])]
    pusher.push(*waiting(database, agreement))
    assert program.pods() == [pods, pods[:2]]
    assert [series.values[0] for series in program.taken[1].content.series] == [2, 3]
    assert corrections(database) == 0


def test_a_correction_of_what_has_not_been_sent_needs_nothing(
    database: Database, agreement: str, pods: list[str]
) -> None:
    store(database, pods)
    look(database)
    store(database, pods, value=2)
    assert (look(database), corrections(database)) == (0, 0)
    assert queued(database, agreement) == [("Scheduled", pods)]


def test_a_correction_of_what_was_received_by_request_is_pushed(
    player: Sender, database: Database, agreement: str, pods: list[str]
) -> None:
    store(database, pods[:2])
    values_of(player, values(agreement, *local_day(DAY, ZONE)))
    store(database, pods, value=2)
    assert look(database) == 2
    assert sorted(queued(database, agreement)) == [("Correction", pods[:2]), ("Scheduled", pods[2:])]


@pytest.mark.usefixtures("address")
def test_a_pod_whose_consent_was_revoked_gets_no_correction_until_there_is_another_consent(
    player: Sender, channel: Sender, database: Database, pods: list[str], pusher: Pusher
) -> None:
    consents, agreement = consented(player, channel, pods)
    store(database, pods)
    look(database)
    pusher.push(*waiting(database, agreement))
    channel.send(revocation(0, consents[pods[0]], CustomerId=f"C-{pods[0]}", PoD=pods[:1]))
    store(database, pods, value=2)
    assert look(database) == 1
    assert queued(database, agreement)[1:] == [("Correction", pods[1:])]
    give_consent(channel, pods[0], StartDate=DAY, EndDate=DAY + timedelta(1))
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement)[2:] == [("Correction", pods[:1])]


def test_a_consent_that_comes_after_the_day_was_complete_adds_its_pod(
    player: Sender, channel: Sender, database: Database, pods: list[str]
) -> None:
    consents, agreement = consented(player, channel, pods)
    channel.send(revocation(0, consents[pods[2]], CustomerId=f"C-{pods[2]}", PoD=pods[2:]))
    store(database, pods)
    assert look(database) == 1
    assert looked(database, agreement) == [(2, 2, True)]
    give_consent(channel, pods[2], StartDate=DAY, EndDate=DAY + timedelta(1))
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement) == [("Scheduled", pods[:2]), ("Scheduled", pods[2:])]


def test_a_pod_whose_holder_was_imported_wrongly_is_added_when_that_is_put_right(
    database: Database, agreement: str, pods: list[str]
) -> None:
    hold(database, pods[0], "C-else")
    store(database, pods)
    assert look(database) == 1
    hold(database, pods[0], f"C-{pods[0]}")
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement) == [("Scheduled", pods[1:]), ("Scheduled", pods[:1])]


def test_a_correction_waits_for_what_is_being_sent(database: Database, agreement: str, pods: list[str]) -> None:
    store(database, pods)
    look(database)
    store(database, pods, value=2)
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            tx.read(agreements.lock(agreement))  # as a release does, which shares it
            (other,) = blocked(database, pool, lambda: look(database))
        assert other.result() == 0
    assert corrections(database) == 0


def test_an_agreement_that_fails_does_not_stop_the_others(
    player: Sender, channel: Sender, database: Database, pods: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = (agree_on_curves(player, channel, some) for some in (pods[:1], pods[1:]))
    store(database, pods)
    with database.begin() as connection:
        connection.execute(text("UPDATE pod SET time_zone = 'Nowhere/Else' WHERE pod = :pod"), {"pod": pods[0]})
    assert look(database) == 1
    assert (queued(database, bad), queued(database, good)) == ([], [("Scheduled", pods[1:])])
    assert f"nothing queued {bad}".split()[0] in capsys.readouterr().out
    with database.begin() as connection:
        connection.execute(text("UPDATE pod SET time_zone = :zone WHERE pod = :pod"), {"zone": ZONE, "pod": pods[0]})
    assert look(database) == 1


def test_the_correction_of_an_agreement_that_fails_stays(
    player: Sender, channel: Sender, database: Database, pods: list[str]
) -> None:
    agreement = agree_on_curves(player, channel, pods)
    store(database, pods)
    values_of(player, values(agreement, *local_day(DAY, ZONE)))
    look(database)
    store(database, pods[:2], value=2)
    set_zone = text("UPDATE pod SET time_zone = :zone WHERE pod = :pod")
    with database.begin() as connection:
        connection.execute(set_zone, {"zone": "Nowhere/Else", "pod": pods[0]})
    look(database)
    assert corrections(database) == 2
    with database.begin() as connection:
        connection.execute(set_zone, {"zone": ZONE, "pod": pods[0]})
    look(database)
    assert corrections(database) == 0


def test_two_that_look_at_once_queue_a_day_once(database: Database, agreement: str, pods: list[str]) -> None:
    store(database, pods)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: look(database), range(4))) == 1
    assert queued(database, agreement) == [("Scheduled", pods)]


def test_of_a_requester_that_is_not_active_nothing_is_queued_until_it_is(
    database: Database, agreement: str, pods: list[str]
) -> None:
    store(database, pods)
    with status_of(database, PLAYER, "Suspended"):
        assert look(database) == 0
    assert look(database) == 1
    assert queued(database, agreement) == [("Scheduled", pods)]


@pytest.mark.usefixtures("address")
def test_a_worker_queues_and_delivers_what_is_due_and_nothing_by_itself_where_that_is_off(
    world: World, database: Database, agreement: str, pods: list[str], pusher: Pusher, program: Program
) -> None:
    store(database, pods)
    off = app.schedule(world.settings.model_copy(update={"delivery_schedule": False}), database)
    run(database, pusher, concurrency=1, schedule=off, wait=False)
    assert queued(database, agreement) == []
    run(database, pusher, concurrency=1, schedule=app.schedule(world.settings, database), wait=False)
    run(database, pusher, concurrency=1, wait=False)
    arrived = [one.content for one in program.taken if isinstance(one.content, ValuesMessage)]
    ours = [message for message in arrived if message.header.agreement == agreement]
    assert [[series.pod for series in message.series] for message in ours] == [pods]


@pytest.fixture
def streets(database: Database, request: pytest.FixtureRequest) -> list[list[str]]:
    """The PoDs of three cities, five each, without values."""
    return [add_pods(database, f"{request.node.name[:30]}-{i}", 5, days=[], city=f"City {i}") for i in range(3)]


@pytest.mark.usefixtures("address")
def test_aggregates_are_cut_by_whole_groups_and_corrected_by_the_groups_concerned(
    player: Sender, database: Database, streets: list[list[str]], pusher: Pusher, program: Program
) -> None:
    pods = [pod for of_street in streets for pod in of_street]
    agreement = agree_on_pods(player, add_service(database, aggregation_level="City"), pods)
    terms = Terms(caps=Caps(values=2 * 96))
    store(database, pods[:-1])
    assert look(database, terms=terms) == 0
    store(database, pods[-1:])
    assert look(database, terms=terms) == 2
    assert queued(database, agreement) == [("Scheduled", sorted(pods[:10])), ("Scheduled", pods[10:])]
    for delivery in waiting(database, agreement):
        pusher.push(delivery)
    store(database, pods[:2], value=2)
    assert (look(database, terms=terms), look(database, terms=terms)) == (1, 0)
    assert queued(database, agreement)[2:] == [("Correction", streets[0])]
    pusher.push(*waiting(database, agreement))
    found = [[(one.id, one.pods, one.series.values[0]) for one in each.content.aggregates] for each in program.taken]
    assert found == [
        [("XX/City%200", 5, 5), ("XX/City%201", 5, 5)],
        [("XX/City%202", 5, 5)],
        [("XX/City%200", 5, 7)],
    ]


def test_a_correction_behind_an_aggregate_that_was_asked_for_is_pushed(
    player: Sender, database: Database, streets: list[list[str]]
) -> None:
    agreement = agree_on_pods(player, add_service(database), streets[0])
    store(database, streets[0])
    aggregates_of(player, aggregates(agreement, *local_day(DAY, ZONE)))
    store(database, streets[0][:1], value=2)
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement) == [("Correction", None)]


@pytest.mark.usefixtures("address")
def test_after_the_grace_the_groups_that_are_there_go_out_and_a_late_one_when_it_comes(
    player: Sender, database: Database, streets: list[list[str]], pusher: Pusher, program: Program
) -> None:
    pods = [pod for of_street in streets for pod in of_street]
    agreement = agree_on_pods(player, add_service(database, aggregation_level="City"), pods)
    store(database, pods[:10])
    assert look(database, LATE) == 1
    pusher.push(*waiting(database, agreement))
    store(database, pods[10:])
    assert look(database, LATE) == 1
    assert queued(database, agreement) == [("Scheduled", pods[:10]), ("Scheduled", pods[10:])]
    pusher.push(*waiting(database, agreement))
    assert [len(one.content.aggregates) for one in program.taken] == [2, 1]
    assert (15, 15, True) in looked(database, agreement)


def test_a_portfolio_is_one_message_that_names_no_pod(
    player: Sender, database: Database, streets: list[list[str]]
) -> None:
    pods = [pod for of_street in streets for pod in of_street]
    agreement = agree_on_pods(player, add_service(database), pods)
    store(database, pods)
    assert look(database, terms=Terms(caps=Caps(values=96))) == 1
    assert queued(database, agreement) == [("Scheduled", None)]


def corrections(database: Database) -> Any:
    with database.begin() as connection:
        return connection.execute(text("SELECT count(*) FROM value_correction")).scalar_one()

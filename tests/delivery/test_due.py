"""What the schedule queues by itself: a day that is complete, or waited for long enough, and what is late."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import text

from flexiciency import app
from flexiciency.client import ValuesMessage
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.delivery.push import Pusher
from flexiciency.delivery.schedule import Terms
from flexiciency.delivery.worker import run
from flexiciency.domain.portions import Caps
from flexiciency.domain.values import Block, local_day
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.delivery.conftest import Program
from tests.delivery.due import DAY, END, LATE, agree_on_curves, consented, hold, look, looked, queued, store, waiting
from tests.gateway import Sender
from tests.messages import consent, new_id, revocation
from tests.services.aggregating import give_consent
from tests.world import PLAYER, ZONE, World, status_of


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


def test_a_consent_that_comes_before_the_day_was_complete_has_it_looked_at_again(
    player: Sender, channel: Sender, database: Database, pods: list[str]
) -> None:
    consents, agreement = consented(player, channel, pods)
    for pod in pods:
        channel.send(revocation(0, consents[pod], CustomerId=f"C-{pod}", PoD=[pod]))
    with database.begin() as connection:  # as one that stands by its other days
        connection.execute(text("UPDATE agreement SET status = 'Validated' WHERE id = :id"), {"id": agreement})
    store(database, pods)
    assert (look(database), looked(database, agreement)) == (0, [(0, 0, False)])
    for pod in pods:
        give_consent(channel, pod, StartDate=DAY, EndDate=DAY + timedelta(1))
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement) == [("Scheduled", pods)]


def test_a_pod_whose_holder_was_imported_wrongly_is_added_when_that_is_put_right(
    database: Database, agreement: str, pods: list[str]
) -> None:
    hold(database, pods[0], "C-else")
    store(database, pods)
    assert look(database) == 1
    hold(database, pods[0], f"C-{pods[0]}")
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement) == [("Scheduled", pods[1:]), ("Scheduled", pods[:1])]
    hold(database, pods[0], f"C-{pods[0]}")
    with database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM agreement_more")).scalar_one() == 0


def test_an_agreement_that_fails_does_not_stop_the_others(
    player: Sender, channel: Sender, database: Database, pods: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = (agree_on_curves(player, channel, some) for some in (pods[:1], pods[1:]))
    store(database, pods)
    with database.begin() as connection:
        connection.execute(text("UPDATE pod SET time_zone = 'Nowhere/Else' WHERE pod = :pod"), {"pod": pods[0]})
    assert look(database) == 1
    assert (queued(database, bad), queued(database, good)) == ([], [("Scheduled", pods[1:])])
    logged = capsys.readouterr().out
    assert "nothing queued" in logged
    assert bad in logged
    with database.begin() as connection:
        connection.execute(text("UPDATE pod SET time_zone = :zone WHERE pod = :pod"), {"zone": ZONE, "pod": pods[0]})
    assert look(database) == 1


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


def test_a_day_that_was_corrected_to_a_step_that_cannot_leave_is_not_there(
    database: Database, agreement: str, pods: list[str]
) -> None:
    store(database, pods[:1])
    with transaction(database) as tx:
        values = np.ones(144, dtype=np.int32)
        start, _ = local_day(DAY, ZONE)
        store_blocks(tx, [Block(pods[0], Quantity.ENERGY_CONSUMPTION, DAY, 1, start, TimeStep.PT10M, values)])
    assert look(database, LATE) == 0
    assert looked(database, agreement) == [(3, 0, False)]


@pytest.mark.usefixtures("address")
def test_a_second_holder_of_a_day_whose_first_half_was_sent_adds_the_other(
    player: Sender, channel: Sender, database: Database, pods: list[str], pusher: Pusher
) -> None:
    _, agreement = consented(player, channel, pods)
    hold(database, pods[0], f"C-{pods[0]}", until=END - timedelta(hours=12), then="C-new")
    store(database, pods)
    assert look(database) == 1
    pusher.push(*waiting(database, agreement))
    channel.send(consent(0, new_id(), CustomerId="C-new", PoD=pods[:1], StartDate=DAY, EndDate=DAY + timedelta(1)))
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement)[1:] == [("Scheduled", pods[:1])]


@pytest.mark.usefixtures("address")
def test_the_other_half_is_added_to_a_day_that_is_never_complete_too(
    player: Sender, channel: Sender, database: Database, pods: list[str], pusher: Pusher
) -> None:
    _, agreement = consented(player, channel, pods)
    hold(database, pods[0], f"C-{pods[0]}", until=END - timedelta(hours=12), then="C-new")
    store(database, pods[:2])
    assert look(database, LATE) == 1
    pusher.push(*waiting(database, agreement))
    channel.send(consent(0, new_id(), CustomerId="C-new", PoD=pods[:1], StartDate=DAY, EndDate=DAY + timedelta(1)))
    assert (look(database, LATE), look(database, LATE)) == (1, 0)
    pusher.push(*waiting(database, agreement))
    store(database, pods[2:])
    assert (look(database, LATE), look(database, LATE)) == (1, 0)
    assert queued(database, agreement)[1:] == [("Scheduled", pods[:1]), ("Scheduled", pods[2:])]


@pytest.mark.usefixtures("address")
def test_the_other_half_is_added_though_the_first_is_still_to_be_confirmed(
    player: Sender, channel: Sender, database: Database, pods: list[str], pusher: Pusher
) -> None:
    _, agreement = consented(player, channel, pods)
    hold(database, pods[0], f"C-{pods[0]}", until=END - timedelta(hours=12), then="C-new")
    store(database, pods)
    look(database)
    pusher.push(*waiting(database, agreement))
    with database.begin() as connection:  # as what was taken from a mailbox
        unconfirmed = text("UPDATE delivery SET received_at = NULL WHERE agreement_id = :id")
        connection.execute(unconfirmed, {"id": agreement})
    channel.send(consent(0, new_id(), CustomerId="C-new", PoD=pods[:1], StartDate=DAY, EndDate=DAY + timedelta(1)))
    assert (look(database), look(database)) == (1, 0)
    assert queued(database, agreement)[1:] == [("Scheduled", pods[:1])]

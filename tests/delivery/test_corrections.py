"""Corrections go to whoever got the old version, once, and to nobody else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from flexiciency.delivery.push import Pusher
from flexiciency.domain.values import local_day
from flexiciency.store import agreements, schedule
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.delivery.conftest import Program
from tests.delivery.due import DAY, agree_on_curves, consented, corrections, look, queued, store, waiting
from tests.gateway import Sender
from tests.messages import revocation, values, values_of
from tests.services.aggregating import give_consent
from tests.services.waiting import blocked
from tests.world import ZONE


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


def test_who_waits_too_long_for_a_release_leaves_the_correction_for_the_next_time(
    database: Database, agreement: str, pods: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "PATIENCE", "100ms")
    store(database, pods)
    look(database)
    store(database, pods, value=2)
    with transaction(database) as tx:
        tx.read(agreements.lock(agreement))
        assert look(database) == 0
        assert corrections(database) == 3
    assert (look(database), corrections(database)) == (0, 0)


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

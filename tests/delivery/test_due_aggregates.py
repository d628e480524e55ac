"""Days of aggregates queued by the schedule: by whole groups, late ones and corrections too."""

import pytest

from flexiciency.delivery.push import Pusher
from flexiciency.delivery.schedule import Terms
from flexiciency.domain.portions import Caps
from flexiciency.domain.values import local_day
from flexiciency.store.database import Database
from tests.delivery.conftest import Program
from tests.delivery.due import DAY, LATE, look, looked, queued, store, waiting
from tests.gateway import Sender
from tests.services.aggregating import add_service, aggregates, aggregates_of, agree_on_pods
from tests.world import ZONE


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

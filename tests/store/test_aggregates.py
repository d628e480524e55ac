"""What a requester was served (contract, decision 10): one row a group, its time added up."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from flexiciency.store import aggregates, tables
from flexiciency.store.aggregates import Group
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.world import PLAYER, STRANGER, make_world

NOON = datetime(2025, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module", autouse=True)
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    make_world(database, folder, pods=0)
    return folder


def group(pods: str, first: int, last: int, requester: str = PLAYER) -> Group:
    """PoDs of a letter each, for these hours after noon."""
    return Group(requester, frozenset(pods), ((NOON + first * HOUR, NOON + last * HOUR),))


def serve(database: Database, *groups: Group) -> None:
    with transaction(database) as tx:
        for one in groups:
            one.serve(tx)


def others(database: Database, one: Group) -> list[str]:
    with transaction(database) as tx:
        (found,) = aggregates.others_served(tx, [one])
    return sorted("".join(sorted(pods)) for pods in found)


def test_a_group_is_one_row_whose_time_is_added_up(database: Database) -> None:
    serve(database, group("abc", 0, 1), group("cba", 1, 2), group("abc", 5, 6))
    served = tables.aggregate_served
    with database.begin() as connection:
        (row,) = connection.execute(select(served).where(served.c.requester_id == PLAYER))
    assert row.pods == ["a", "b", "c"]
    assert [(part.lower, part.upper) for part in row.served] == [
        (NOON, NOON + 2 * HOUR), (NOON + 5 * HOUR, NOON + 6 * HOUR),
    ]  # fmt: skip


def test_other_groups_are_those_of_the_requester_that_share_pods_and_time(database: Database) -> None:
    serve(database, group("klm", 0, 2), group("xyz", 0, 2), group("klmn", 0, 2, STRANGER))
    assert others(database, group("klmo", 1, 3)) == ["klm"]
    assert others(database, group("klm", 1, 3)) == []
    assert others(database, group("klmo", 2, 3)) == []
    assert others(database, group("mx", 0, 1)) == ["klm", "xyz"]
    assert others(database, group("klm", 0, 1, STRANGER)) == ["klmn"]


def test_each_of_many_groups_is_told_of_those_it_shares_pods_and_time_with(database: Database) -> None:
    serve(database, group("pq", 0, 2), group("rs", 4, 6), group("tu", 0, 9))
    asked = [group("pqr", 0, 5), group("s", 0, 3), group("tu", 0, 1), group("vw", 0, 9)]
    with transaction(database) as tx:
        found = aggregates.others_served(tx, asked)
        assert aggregates.others_served(tx, []) == []
    assert [sorted("".join(sorted(pods)) for pods in others) for others in found] == [["pq", "rs"], [], [], []]

"""What is kept of a day of aggregates is what would be read anew, whatever was corrected, and little of it is read."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text, update

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.delivery import day_totals
from flexiciency.delivery.day_totals import of_day, read_anew
from flexiciency.domain.aggregation import Totals, edges
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.store import aggregates, tables
from flexiciency.store.aggregate_totals import Day
from flexiciency.store.database import Database, driver
from flexiciency.store.release import Asked, Released
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.gateway import Sender
from tests.messages import revocation
from tests.services.aggregating import DAY, add_pods, add_service, agree_on_pods, give_consent
from tests.world import ZONE

START, END = local_day(DAY, ZONE)
UNREADABLE = "UPDATE meter_value_block SET values = '\\x00' WHERE pod_id = (SELECT id FROM pod WHERE pod = %s)"
Plain = dict[str, tuple[set[str], list[int], list[list[int]]]]


def block(
    pod: str, value: int, *, step: TimeStep = TimeStep.PT15M, missing: tuple[int, ...] = (), zone: str = ZONE,
    offset: int = 0,
) -> Block:  # fmt: skip
    """A day of one value, but for what is missing."""
    day = DAY + timedelta(days=offset)
    count = steps_in_day(day, zone, step)
    qualities = np.zeros(count, dtype=np.uint8)
    qualities[[place for place in missing if place < count]] = Quality.MISSING
    values = np.where(qualities == Quality.MISSING, 0, value).astype(np.int32)
    return Block(pod, Quantity.ENERGY_CONSUMPTION, day, 1, local_day(day, zone)[0], step, values, qualities)


def store(database: Database, *blocks: Block) -> None:
    with transaction(database) as tx:
        store_blocks(tx, blocks)


def plain(groups: dict[str, Totals]) -> Plain:
    return {name: (one.pods, one.sums.tolist(), one.counts.tolist()) for name, one in groups.items() if one.pods}


def added_up(database: Database, agreement: str, step: TimeStep = TimeStep.PT1H, *, anew: bool) -> tuple[Plain, int]:
    """Totals by city of a day, kept or read anew, and the latest version in them."""
    with transaction(database) as tx:
        (members,) = tx.look_up(aggregates.members(agreement, START, END, time_zone=ZONE))
        group_of = {row.pod: row.city for row in members}
        asked = Asked(agreement, Quantity.ENERGY_CONSUMPTION, step, START, END, tuple(group_of), ZONE, DAY)
        grid, found = edges(START, END, ZONE, step)[:-1], Released()
        if anew:
            groups = read_anew(tx, asked, group_of, grid, found)
        else:
            groups = of_day(tx, Day(agreement, ZONE, step, DAY), asked, group_of, grid, found)
        pods = {pod for one in groups.values() for pod in one.pods}
        return plain(groups), max((found.versions[pod] for pod in pods), default=1)


def kept(database: Database, agreement: str) -> dict[str, tuple[int, int]]:
    """The latest and the seen version of what is kept, by city."""
    table = tables.aggregate_total
    with database.begin() as connection:
        rows = connection.execute(select(table).where(table.c.agreement_id == agreement)).all()
    return {row.aggregation_id: (row.latest, row.seen) for row in rows}


def town(player: Sender, database: Database, name: str) -> tuple[str, list[str]]:
    """An agreement on five PoDs each in two cities."""
    pods = add_pods(database, f"{name}-a", 5, city="Linz") + add_pods(database, f"{name}-b", 5, city="Wels")
    return agree_on_pods(player, add_service(database, aggregation_level="City"), pods), pods


def test_after_a_correction_only_the_pod_that_was_corrected_is_read(player: Sender, database: Database) -> None:
    agreement, pods = town(player, database, "Only")
    before, _ = added_up(database, agreement, anew=False)
    store(database, block(pods[0], 700))
    expected, version = added_up(database, agreement, anew=True)
    assert expected != before
    with database.begin() as connection:
        for pod in pods[1:]:
            driver(connection).execute(UNREADABLE, (pod,))
    assert added_up(database, agreement, anew=False) == (expected, version)
    assert version > 1
    assert kept(database, agreement) == {"Linz": (version, version), "Wels": (1, version)}
    assert added_up(database, agreement, anew=False) == (expected, version)


def test_the_version_is_that_of_the_members_and_not_of_other_pods(player: Sender, database: Database) -> None:
    agreement, _ = town(player, database, "Members")
    (other,) = add_pods(database, "Elsewhere", 1)
    first = added_up(database, agreement, anew=False)
    store(database, block(other, 3))
    assert added_up(database, agreement, anew=False) == first == added_up(database, agreement, anew=True)
    assert first[1] == 1


@pytest.mark.parametrize("what", ["agreement", "place", "step"])
def test_at_a_doubt_all_is_read_anew(player: Sender, database: Database, what: str) -> None:
    agreement, pods = town(player, database, f"Doubt-{what}")
    added_up(database, agreement, anew=False)
    step = TimeStep.PT1H
    with database.begin() as connection:
        # What is kept is spoilt, so that its use would show.
        connection.execute(update(tables.aggregate_total).values(sums=b"spoilt"))
        if what == "agreement":
            of_pod = select(tables.pod.c.id).where(tables.pod.c.pod == pods[0]).scalar_subquery()
            connection.execute(
                delete(tables.agreement_pod).where(
                    tables.agreement_pod.c.agreement_id == agreement, tables.agreement_pod.c.pod_id == of_pod
                )
            )
        if what == "place":
            connection.execute(update(tables.pod).where(tables.pod.c.pod == pods[0]).values(city="Wels"))
    if what == "step":
        step = TimeStep.P1D
    found = added_up(database, agreement, step, anew=False)
    assert found == added_up(database, agreement, step, anew=True)
    assert found[0]


def test_when_most_pods_were_corrected_all_is_read_anew(player: Sender, database: Database) -> None:
    agreement, pods = town(player, database, "Most")
    added_up(database, agreement, anew=False)
    with database.begin() as connection:
        connection.execute(update(tables.aggregate_total).values(sums=tables.aggregate_total.c.sums, latest=99_999))
    store(database, *(block(pod, 8) for pod in pods[:6]))
    found = added_up(database, agreement, anew=False)
    assert found == added_up(database, agreement, anew=True)
    assert found[1] < 99_999


def test_totals_that_lack_too_many_pods_are_not_kept(
    player: Sender, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement, _ = town(player, database, "Lacking")
    pods = add_pods(database, "Lacking-c", 2, days=[])
    both = agree_on_pods(player, add_service(database), pods + add_pods(database, "Lacking-d", 5))
    monkeypatch.setattr(day_totals, "MOST_ABSENT", 1)
    for one, kept_of_it in ((agreement, 2), (both, 0)):
        assert added_up(database, one, anew=False) == added_up(database, one, anew=True)
        assert len(kept(database, one)) == kept_of_it


def test_a_revocation_takes_the_pod_out_and_a_new_consent_puts_it_back(
    player: Sender, channel: Sender, database: Database
) -> None:
    pods = add_pods(database, "Consents", 6)
    consents = {pod: give_consent(channel, pod) for pod in pods}
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    all_of_them, _ = added_up(database, agreement, anew=False)
    channel.send(revocation(0, consents[pods[0]], CustomerId=f"C-{pods[0]}", PoD=[pods[0]]))
    fewer = added_up(database, agreement, anew=False)
    assert fewer == added_up(database, agreement, anew=True)
    assert [len(one[0]) for one in fewer[0].values()] == [5]
    store(database, block(pods[0], 12))
    assert added_up(database, agreement, anew=False) == fewer
    give_consent(channel, pods[0])
    again = added_up(database, agreement, anew=False)
    assert again == added_up(database, agreement, anew=True)
    assert again[0] != all_of_them


OPERATIONS = st.lists(
    st.one_of(
        st.builds(
            lambda n, value, step, missing, offset: lambda pods: block(
                pods[n], value, step=step, missing=tuple(missing), offset=offset
            ),
            st.integers(0, 9), st.integers(-5, 900), st.sampled_from(TimeStep),
            st.lists(st.integers(0, 95), max_size=3) | st.just(range(96)), st.sampled_from([-1, 0, 0, 0, 1]),
        ),
        # Days of Helsinki begin an hour earlier: the next one reaches into this one.
        st.builds(
            lambda n, value, offset: lambda pods: block(pods[n], value, zone="Europe/Helsinki", offset=offset),
            st.integers(0, 3), st.integers(0, 9), st.sampled_from([0, 1]),
        ),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def crowd(player: Sender, database: Database) -> tuple[str, list[str]]:
    """Ten PoDs, two of which have no values yet."""
    agreement, pods = town(player, database, "Crowd")
    with database.begin() as connection:
        for pod in pods[4:6]:
            connection.execute(
                text("DELETE FROM meter_value_block WHERE pod_id = (SELECT id FROM pod WHERE pod = :pod)"), {"pod": pod}
            )
    return agreement, pods


@given(operations=OPERATIONS, step=st.sampled_from([TimeStep.PT30M, TimeStep.PT1H, TimeStep.P1D]))
@settings(
    deadline=None, max_examples=80, database=None, phases=[Phase.generate], derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_what_is_kept_is_what_would_be_read_anew(
    crowd: tuple[str, list[str]], database: Database, operations: list[Callable[[list[str]], Block]], step: TimeStep
) -> None:
    agreement, pods = crowd
    for operation in operations:
        store(database, operation(pods))
        found, version = added_up(database, agreement, step, anew=False)
        expected, latest = added_up(database, agreement, step, anew=True)
        assert found == expected
        # A correction that took a PoD's values away counts too.
        assert version >= latest

"""Local days in every zone: one definition of midnight, and blocks that end where they were stored to end."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select, text, update

from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, local_days_period, steps_in_day
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.release import Asked, release
from flexiciency.store.transaction import transaction
from tests.blocks import write_blocks
from tests.gateway import Sender
from tests.messages import values, values_of
from tests.services.aggregating import add_pods, add_service, aggregates, aggregates_of, agree_on_pods
from tests.services.zones import add_pod, agree_on_pod

QUARTER = timedelta(minutes=15)
YEAR = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


def move(database: Database, pod: str, zone: str) -> None:
    with database.begin() as connection:
        connection.execute(update(tables.pod).where(tables.pod.c.pod == pod).values(time_zone=zone))


def test_an_agreement_ends_at_the_local_midnight_at_which_its_days_end_where_the_clock_changes_at_midnight(
    player: Sender, channel: Sender, database: Database
) -> None:
    """The Azores' 26 October 2025 begins twice; PostgreSQL and Python take another one of the two."""
    zone, first, end = "Atlantic/Azores", date(2025, 10, 24), date(2025, 10, 26)
    add_pod(database, "PT-AZ", zone, [first + timedelta(days=i) for i in range(-1, 4)], "C-azores")
    agreement = agree_on_pod(player, channel, "PT-AZ", "C-azores", first, end)
    covered = select(tables.agreement_pod.c.covered).where(tables.agreement_pod.c.agreement_id == agreement)
    with database.begin() as connection:
        stored = connection.execute(covered).scalar_one()
    assert (stored.lower, stored.upper) == local_days_period(first, end, zone)
    (series,) = values_of(player, values(agreement, *YEAR)).series
    assert len(series.values) == 2 * 96


def test_a_pod_that_changes_its_zone_releases_nothing_beyond_the_period_that_is_asked_for(
    player: Sender, channel: Sender, database: Database
) -> None:
    first, end = date(2025, 3, 1), date(2025, 3, 3)
    add_pod(database, "XX-1", "Europe/Lisbon", [first, date(2025, 3, 2)], "C-zone")
    agreement = agree_on_pod(player, channel, "XX-1", "C-zone", first, end)
    move(database, "XX-1", "Europe/Helsinki")
    until = datetime(2025, 3, 1, 22, tzinfo=UTC)
    (series,) = values_of(player, values(agreement, datetime(2025, 3, 1, tzinfo=UTC), until)).series
    assert datetime.fromtimestamp(series.instants()[-1], UTC) + QUARTER == until


def test_the_value_of_a_whole_day_leaves_for_all_of_its_day_only_and_not_for_another_zones(
    player: Sender, channel: Sender, database: Database
) -> None:
    zone, day = "Europe/Lisbon", date(2025, 3, 2)
    add_pod(database, "XX-2", zone, [day], "C-whole", TimeStep.P1D)
    agreement = agree_on_pod(player, channel, "XX-2", "C-whole", day - timedelta(days=2), day + timedelta(days=3))
    with database.begin() as connection:
        connection.execute(text("UPDATE agreement SET time_step = 86400 WHERE id = :id"), {"id": agreement})
        connection.execute(text("UPDATE consent_scope SET finest_step = 900"))
    start, end = local_day(day, zone)

    def leaves(first: datetime, last: datetime) -> bool:
        with transaction(database) as tx:
            asked = Asked(agreement, Quantity.ENERGY_CONSUMPTION, TimeStep.P1D, first, last)
            return [len(series.values) for series in release(tx, asked)] == [1]

    second = timedelta(seconds=1)
    assert leaves(start, end)
    assert not leaves(start + second, end)
    assert not leaves(start, end - second)
    move(database, "XX-2", "Europe/Helsinki")
    assert not leaves(start, end - timedelta(hours=2))
    assert not leaves(*local_day(day, "Europe/Helsinki"))
    assert leaves(start, end + timedelta(hours=1))


@pytest.mark.parametrize("encoding", Encoding)
def test_days_that_overlap_since_the_zone_changed_give_each_interval_once(
    player: Sender, channel: Sender, database: Database, encoding: Encoding
) -> None:
    pod, first, end = f"XX-3-{encoding}", date(2025, 3, 1), date(2025, 3, 4)
    add_pod(database, pod, "Europe/Lisbon", [first], f"C-{pod}")
    agreement = agree_on_pod(player, channel, pod, f"C-{pod}", first, end)
    move(database, pod, "Europe/Helsinki")
    for day in (date(2025, 3, 2), date(2025, 3, 3)):
        block = Block(
            pod, Quantity.ENERGY_CONSUMPTION, day, 1, local_day(day, "Europe/Helsinki")[0], TimeStep.PT15M,
            np.full(96, 500, dtype=np.int32),
        )  # fmt: skip
        with database.begin() as connection:
            write_blocks(connection, [block])
    for step, lisbon, helsinki in (("PT15M", 96, 184), ("PT1H", 24, 46)):
        (series,) = values_of(player, values(agreement, *YEAR, TimeStep=step, Encoding=encoding)).series
        assert len(series.values) == lisbon + helsinki
        assert set(series.values[lisbon:].tolist()) == {500 if step == "PT15M" else 2000}
    # The days stored in the zone that the PoD is in, and no other.
    found = values_of(player, values(agreement, *YEAR, TimeStep="P1D", Encoding=encoding)).series
    assert [(one.start, one.values.tolist()) for one in found] == [
        (local_day(date(2025, 3, 2), "Europe/Helsinki")[0], [96 * 500] * 2)
    ]


@pytest.mark.parametrize("step", [TimeStep.PT15M, TimeStep.P1D])
def test_of_an_aggregate_the_days_of_another_zone_are_gaps(player: Sender, database: Database, step: TimeStep) -> None:
    first, second = date(2025, 1, 5), date(2025, 1, 7)
    pods = add_pods(database, f"Moved-{step.value}", 6, zone="Europe/Lisbon", days=[first], step=step)
    with database.begin() as connection:
        connection.execute(update(tables.pod).where(tables.pod.c.pod.in_(pods)).values(time_zone="Europe/Helsinki"))
        for pod in pods:
            values_of_day = np.full(steps_in_day(second, "Europe/Helsinki", step), 7, dtype=np.int32)
            start, _ = local_day(second, "Europe/Helsinki")
            write_blocks(connection, [Block(pod, Quantity.ENERGY_CONSUMPTION, second, 1, start, step, values_of_day)])
    agreement = agree_on_pods(player, add_service(database, time_step=step.value), pods)
    found = aggregates_of(player, aggregates(agreement, TimeStep=step.value)).aggregates
    assert {one.pods for one in found} == {6}
    midnights = [local_day(first, "Europe/Lisbon")[0], local_day(second, "Europe/Helsinki")[0]]
    assert [one.series.start for one in found] == (midnights[1:] if step is TimeStep.P1D else midnights)
    assert set(found[-1].series.values.tolist()) == {42}

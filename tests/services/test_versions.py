"""The Version of a message is the latest among its own blocks (contract, decision 11), of aggregates too."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice

import numpy as np
import pytest
from sqlalchemy import func, select, text

from flexiciency.contract.codec import AggregatesMessage
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, local_days_period, steps_in_day
from flexiciency.store import tables
from flexiciency.store.database import Database, driver
from flexiciency.store.release import ROLE, Asked, Released, release
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.gateway import Sender
from tests.messages import agree, revocation, values, values_of
from tests.services.aggregating import (
    DAY,
    add_pods,
    add_service,
    aggregates,
    aggregates_of,
    agree_on_pods,
    give_consent,
)
from tests.world import ZONE, block, pod_name

NEXT = DAY + timedelta(days=1)


def correct(database: Database, pod: str, day: date, value: int = 5) -> int:
    """A new version of a day of quarter hours; its number."""
    count = steps_in_day(day, ZONE, TimeStep.PT15M)
    start, _ = local_day(day, ZONE)
    corrected = Block(
        pod, Quantity.ENERGY_CONSUMPTION, day, 1, start, TimeStep.PT15M, np.full(count, value, dtype=np.int32)
    )
    with transaction(database) as tx:
        assert store_blocks(tx, [corrected]).corrected == 1
    table = tables.meter_value_block
    with database.begin() as connection:
        return int(connection.execute(select(func.max(table.c.version))).scalar_one())


def version(player: Sender, agreement: str, start: date, end: date, **changes: object) -> int:
    return values_of(player, values(agreement, *local_days_period(start, end, ZONE), **changes)).header.version


def test_a_message_has_the_latest_version_of_its_blocks_and_of_no_others(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    first, second, other = islice(customers, 3)
    agreed = agree(player, channel, [first, second])
    assert version(player, agreed.id, DAY, NEXT) == 1
    early = correct(database, pod_name(first), DAY)
    late = correct(database, pod_name(second), NEXT)
    correct(database, pod_name(other), DAY)
    assert early < late
    assert version(player, agreed.id, DAY, NEXT) == early
    assert version(player, agreed.id, NEXT, NEXT + timedelta(days=1)) == late
    assert version(player, agreed.id, DAY, NEXT + timedelta(days=1)) == late
    assert version(player, agreed.id, DAY - timedelta(days=1), DAY) == 1
    assert version(player, agreed.id, DAY, NEXT, TimeStep="P1D") == early


def test_a_version_tells_nothing_of_what_may_not_leave(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    first, second = islice(customers, 2)
    agreed = agree(player, channel, [first, second])
    number = correct(database, pod_name(second), DAY)
    assert version(player, agreed.id, DAY, NEXT) == number
    channel.send(revocation(second, agreed.consents[second]))
    assert version(player, agreed.id, DAY, NEXT) == 1


def test_version_and_values_of_a_message_are_of_one_moment(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    numbers = list(islice(customers, 2))
    agreed = agree(player, channel, numbers)
    asked = Asked(agreed.id, Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M, *local_day(DAY, ZONE))
    with transaction(database) as tx:
        found = Released()
        leaving = release(tx, asked, found)
        first = next(leaving)
        correct(database, pod_name(numbers[1]), DAY)
        (second,) = leaving
    assert (found.latest, found.versions) == (1, dict.fromkeys((first.pod, second.pod), 1))
    assert second.values.tolist() == block(numbers[1], DAY).values.tolist()
    assert version(player, agreed.id, DAY, NEXT) > 1


def versions_told(database: Database, agreement: str) -> list[tuple[date, int, bool]]:
    """Day and version of what the role of the release rule finds, and whether the values come with it."""
    with database.begin() as connection:
        driver(connection).execute(f"SET LOCAL ROLE {ROLE}")
        found = driver(connection).execute(
            "SELECT day, version, values IS NOT NULL FROM released_value_version "
            "WHERE agreement_id = %s AND day BETWEEN %s AND %s ORDER BY day, version",
            (agreement, DAY, NEXT),
        )
        return [(row[0], row[1], row[2]) for row in found]


def test_earlier_versions_pass_the_release_rule_as_the_latest_does(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number], DAY, NEXT)
    early, late = correct(database, pod_name(number), DAY), correct(database, pod_name(number), NEXT)
    assert versions_told(database, agreed.id) == [
        (DAY, 1, True), (DAY, early, True), (NEXT, 1, False), (NEXT, late, False),
    ]  # fmt: skip
    with database.begin() as connection:
        connection.execute(
            text("UPDATE agreement SET time_step = 600 WHERE id = :id"), {"id": agreed.id}
        )  # quarter hours are no part of ten minutes
        connection.execute(text("UPDATE consent_scope SET finest_step = 600"))
    assert versions_told(database, agreed.id)[:2] == [(DAY, 1, False), (DAY, early, False)]
    with database.begin() as connection:
        connection.execute(text("UPDATE agreement SET time_step = 900 WHERE id = :id"), {"id": agreed.id})
    channel.send(revocation(number, agreed.consents[number]))
    assert versions_told(database, agreed.id) == []


def of_day(player: Sender, agreement: str, day: date = DAY) -> AggregatesMessage:
    return aggregates_of(player, aggregates(agreement, *local_day(day, ZONE)))


def test_a_correction_makes_an_aggregate_new_with_a_higher_version(player: Sender, database: Database) -> None:
    pods = add_pods(database, "Corrected", 6, days=[DAY, NEXT])
    agreement = agree_on_pods(player, add_service(database), pods)
    first, again = of_day(player, agreement), of_day(player, agreement)
    assert first.header.version == again.header.version == 1
    assert first.aggregates[0].series.values.tolist() == (6 * np.arange(96)).tolist()
    number = correct(database, pods[2], DAY, value=1000)
    new, whole = of_day(player, agreement), aggregates_of(player, aggregates(agreement))
    for found in (new, whole):
        assert found.header.version == number
        assert found.aggregates[0].pods == 6
        assert found.aggregates[0].series.values[:96].tolist() == (5 * np.arange(96) + 1000).tolist()
    assert of_day(player, agreement, NEXT).header.version == 1
    # Whatever of it is asked for, and whether or not what was added up is kept.
    part = aggregates_of(player, aggregates(agreement, *local_day(DAY, ZONE), PoD=pods))
    assert part.aggregates[0].series.values.tolist() == new.aggregates[0].series.values.tolist()
    assert part.header.version == number


@pytest.mark.parametrize("corrected", [0, 1], ids=["of the PoD revoked", "of another"])
def test_a_correction_after_a_revocation_changes_only_intervals_not_yet_delivered(
    player: Sender, channel: Sender, database: Database, corrected: int
) -> None:
    pods = add_pods(database, f"Late-{corrected}", 7, days=[DAY, NEXT])
    consents = {pod: give_consent(channel, pod) for pod in pods}
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    assert of_day(player, agreement).aggregates[0].pods == 7
    channel.send(revocation(0, consents[pods[0]], CustomerId=f"C-{pods[0]}", PoD=[pods[0]]))
    for day in (DAY, NEXT):
        number = correct(database, pods[corrected], day, value=1000)
    # The group of seven may leave no more, and that of six would tell of the seventh: what was delivered stands.
    fault = player.refused(aggregates(agreement, *local_day(DAY, ZONE)))
    assert fault.message.startswith("GroupOverlaps")
    later = of_day(player, agreement, NEXT)
    assert later.aggregates[0].pods == 6
    expected = 6 * np.arange(96) if corrected == 0 else 5 * np.arange(96) + 1000
    assert later.aggregates[0].series.values.tolist() == expected.tolist()
    assert later.header.version == (1 if corrected == 0 else number)


def test_a_consent_given_again_lets_the_old_group_out_again_corrected(
    player: Sender, channel: Sender, database: Database
) -> None:
    pods = add_pods(database, "Back", 6)
    consents = {pod: give_consent(channel, pod) for pod in pods}
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    of_day(player, agreement)
    channel.send(revocation(0, consents[pods[0]], CustomerId=f"C-{pods[0]}", PoD=[pods[0]]))
    number = correct(database, pods[0], DAY, value=1000)
    assert player.refused(aggregates(agreement, *local_day(DAY, ZONE))).message.startswith("GroupOverlaps")
    give_consent(channel, pods[0])
    found = of_day(player, agreement)
    assert (found.header.version, found.aggregates[0].pods) == (number, 6)
    assert found.aggregates[0].series.values.tolist() == (5 * np.arange(96) + 1000).tolist()

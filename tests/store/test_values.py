"""Meter values come back as they went in; a correction stands beside what it corrects."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import psycopg
import pytest
from sqlalchemy import Connection, insert, select, text

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.errors import ReferenceUnknown
from flexiciency.store import tables
from flexiciency.store.database import Database, driver
from flexiciency.store.transaction import transaction
from flexiciency.store.values import (
    QUANTITY_CODES,
    STEPS,
    Stored,
    add_partitions,
    arrays_of,
    corrected_since,
    store_blocks,
)
from tests.blocks import write_blocks

ZONE = "Europe/Rome"
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
ENERGY = Quantity.ENERGY_CONSUMPTION

_LATEST = """
SELECT DISTINCT ON (p.pod, b.day) p.pod, b.day, b.version, b.start, b.step, b.values, b.qualities
FROM pod p JOIN meter_value_block b ON b.pod_id = p.id
WHERE p.pod = ANY(%(pods)s) AND b.quantity = %(quantity)s AND b.day >= %(start_date)s AND b.day < %(end_date)s
ORDER BY p.pod, b.day, b.version DESC
"""


@pytest.fixture(scope="module")
def pods(database: Database) -> list[str]:
    names = [f"IT001E{number:04d}" for number in range(30)]
    place = {"country": "IT", "city": "Milano", "street": "Via Dante", "time_zone": ZONE}
    with database.begin() as connection:
        connection.execute(insert(tables.pod), [{"pod": name, **place} for name in names])
    return names


def _block(pod: str, day: date, version: int = 1, step: TimeStep = TimeStep.PT15M, **options: object) -> Block:
    count = steps_in_day(day, ZONE, step)
    values = np.random.default_rng(day.toordinal() + version).integers(-(2**31), 2**31, count, dtype=np.int32)
    made = {"values": values, "qualities": None, "quantity": ENERGY, **options}
    return Block(pod=pod, day=day, version=version, start=local_day(day, ZONE)[0], step=step, **made)  # type: ignore[arg-type]


def _read(database: Database, pods: list[str], start: date, end: date, quantity: Quantity = ENERGY) -> list[Block]:
    with database.begin() as connection:
        return list(read_blocks(connection, pods, quantity, start, end))


def read_blocks(connection: Connection, pods: list[str], quantity: Quantity, start: date, end: date) -> Iterator[Block]:
    """Latest blocks of local days [start, end), by PoD and day."""
    asked = {"pods": pods, "quantity": QUANTITY_CODES[quantity], "start_date": start, "end_date": end}
    for pod, day, version, first, step, values, qualities in driver(connection).execute(_LATEST, asked, binary=True):
        yield Block(pod, quantity, day, version, first, STEPS[step], *arrays_of(values, qualities))


def _same(one: Block, other: Block) -> bool:
    def plain(block: Block) -> tuple[object, ...]:
        qualities = None if block.qualities is None else block.qualities.tolist()
        return (block.pod, block.quantity, block.day, block.version, block.start, block.step, qualities)

    return plain(one) == plain(other) and np.array_equal(one.values, other.values)


@pytest.mark.parametrize(("day", "count"), [(SPRING, 92), (date(2026, 3, 30), 96), (AUTUMN, 100)])
@pytest.mark.parametrize("step", list(TimeStep))
def test_a_day_comes_back_with_all_its_values(
    database: Database, pods: list[str], day: date, count: int, step: TimeStep
) -> None:
    block = _block(pods[list(TimeStep).index(step)], day, step=step)
    with database.begin() as connection:
        write_blocks(connection, [block])
    (found,) = _read(database, [block.pod], day, day + timedelta(days=1))
    assert _same(found, block)
    assert found.values.dtype == np.int32
    assert step is not TimeStep.PT15M or len(found.values) == count


def test_qualities_come_back_and_take_no_room_when_all_is_measured(database: Database, pods: list[str]) -> None:
    day = date(2026, 5, 1)
    mixed = np.array([Quality.MEASURED, Quality.MISSING] * 48, dtype=np.uint8)
    measured = np.zeros(96, dtype=np.uint8)
    with database.begin() as connection:
        blocks = [_block(pods[0], day, qualities=mixed), _block(pods[1], day, qualities=measured)]
        write_blocks(connection, blocks)
    first, second = _read(database, pods[:2], day, day + timedelta(days=1))
    assert first.qualities is not None
    assert first.qualities.tolist() == mixed.tolist()
    assert second.qualities is None


def test_the_latest_version_is_read_and_the_earlier_ones_stay(database: Database, pods: list[str]) -> None:
    day = date(2026, 6, 1)
    with database.begin() as connection:
        write_blocks(connection, [_block(pods[0], day, version) for version in (2, 3, 1)])
    (found,) = _read(database, [pods[0]], day, day + timedelta(days=1))
    assert _same(found, _block(pods[0], day, 3))
    block = tables.meter_value_block
    with database.begin() as connection:
        assert len(connection.execute(select(block.c.version).where(block.c.day == day)).all()) == 3


def test_a_version_is_never_overwritten(database: Database, pods: list[str]) -> None:
    day = date(2026, 6, 2)
    with database.begin() as connection:
        write_blocks(connection, [_block(pods[0], day)])
    with pytest.raises(psycopg.errors.UniqueViolation), database.begin() as connection:
        write_blocks(connection, [_block(pods[0], day)])


def test_what_is_read_is_what_was_asked(database: Database, pods: list[str]) -> None:
    first = date(2026, 12, 30)
    days = [first + timedelta(days=number) for number in range(4)]
    blocks = [_block(pod, day) for pod in pods[:3] for day in days]
    other = [_block(pods[0], first, quantity=Quantity.POWER)]
    with database.begin() as connection:
        write_blocks(connection, blocks + other)
    found = _read(database, pods[:2], days[1], days[3])
    assert [(block.pod, block.day) for block in found] == [(pod, day) for pod in pods[:2] for day in days[1:3]]
    assert [block.quantity for block in _read(database, pods, first, days[1], Quantity.POWER)] == [Quantity.POWER]
    assert _read(database, [], first, days[3]) == []


def test_an_unknown_pod_is_refused_and_nothing_is_written(database: Database, pods: list[str]) -> None:
    day = date(2026, 7, 1)
    with pytest.raises(ReferenceUnknown, match="XX"):
        _store(database, _block(pods[0], day), _block("XX", day))
    assert _read(database, pods, day, day + timedelta(days=1)) == []


def test_values_beyond_int32_are_refused_not_wrapped(database: Database, pods: list[str]) -> None:
    wide = np.full(96, 2**40, dtype=np.int64)
    with pytest.raises(TypeError):
        _store(database, _block(pods[0], date(2026, 8, 1), values=wide))


def _add_partition_and_fail(database: Database) -> None:
    with database.begin() as connection:
        add_partitions(driver(connection), [date(2031, 1, 5)])
        raise ZeroDivisionError


def test_each_month_has_a_partition_and_a_rolled_back_import_leaves_none(database: Database) -> None:
    def partitions() -> set[str]:
        with database.begin() as connection:
            found = connection.scalars(text("SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class p "
                                            "ON p.oid = inhparent WHERE p.relname = 'meter_value_block'"))  # fmt: skip
            return set(found)

    before = partitions()
    with pytest.raises(ZeroDivisionError):
        _add_partition_and_fail(database)
    assert partitions() == before
    with database.begin() as connection:
        add_partitions(driver(connection), [date(2031, 12, 31), date(2032, 1, 1), date(2031, 12, 1)])
        add_partitions(driver(connection), [date(2032, 1, 31)])
    assert partitions() - before == {"meter_value_block_2031_12", "meter_value_block_2032_01"}


def test_readers_go_on_while_an_import_adds_a_partition(database: Database, pods: list[str]) -> None:
    day = date(2026, 5, 4)
    with database.begin() as connection:
        write_blocks(connection, [_block(pods[0], day)])
    with database.begin() as importing:
        add_partitions(driver(importing), [date(2040, 1, 1)])
        with database.begin() as reading:
            reading.execute(text("SET LOCAL lock_timeout = '2s'"))
            assert list(read_blocks(reading, pods, ENERGY, day, day + timedelta(days=1)))


def _store(database: Database, *blocks: Block) -> Stored:
    with transaction(database) as tx:
        return store_blocks(tx, blocks)


def _changes(database: Database, day: date) -> int | None:
    with database.begin() as connection:
        return connection.execute(
            select(tables.value_day.c.changes).where(
                tables.value_day.c.day == day, tables.value_day.c.quantity == QUANTITY_CODES[ENERGY]
            )
        ).scalar_one_or_none()


def test_what_is_stored_twice_is_stored_once(database: Database, pods: list[str]) -> None:
    day = date(2027, 1, 5)
    blocks = [_block(pod, day) for pod in pods[:3]]
    assert _store(database, *blocks) == Stored(new=3, corrected=0, known=0)
    assert _store(database, *blocks) == Stored(new=0, corrected=0, known=3)
    assert [block.version for block in _read(database, pods[:3], day, day + timedelta(days=1))] == [1, 1, 1]
    assert _changes(database, day) == 1


def test_corrections_of_one_transaction_share_a_version_higher_than_any_before(
    database: Database, pods: list[str]
) -> None:
    day, other = date(2027, 2, 5), date(2027, 2, 6)
    _store(database, *(_block(pod, day) for pod in pods[:3]))
    corrected = [_block(pod, day, version=2) for pod in pods[:2]]
    assert _store(database, *corrected, _block(pods[0], other)) == Stored(new=1, corrected=2, known=0)
    first, second, third = (one.version for one in _read(database, pods[:3], day, other))
    assert first == second > third == 1
    assert _store(database, _block(pods[2], day, version=3)) == Stored(new=0, corrected=1, known=0)
    assert _read(database, pods[2:3], day, other)[0].version > first
    assert _changes(database, day) == 3
    with database.begin() as connection:
        noted = connection.execute(
            select(tables.pod.c.pod, tables.value_correction.c.version)
            .join(tables.value_correction, tables.value_correction.c.pod_id == tables.pod.c.id)
            .where(tables.value_correction.c.day == day)
            .order_by(tables.value_correction.c.number)
        ).all()
    assert [row.pod for row in noted] == pods[:3]
    assert noted[0].version == noted[1].version == first


@pytest.mark.parametrize("what", ["value", "quality", "step"])
def test_another_value_quality_or_step_is_a_correction(database: Database, pods: list[str], what: str) -> None:
    day = date(2027, 3, 5)
    pod = pods[["value", "quality", "step"].index(what)]
    block = _block(pod, day)
    _store(database, block)
    values = block.values.copy()
    values[5] = 7
    qualities = np.zeros(len(values), dtype=np.uint8)
    qualities[5] = Quality.ESTIMATED
    changed = {
        "value": _block(pod, day, values=values),
        "quality": _block(pod, day, values=block.values, qualities=qualities),
        "step": _block(pod, day, step=TimeStep.PT1H),
    }[what]
    assert _store(database, changed) == Stored(new=0, corrected=1, known=0)


def test_each_month_has_the_index_of_corrections(database: Database, pods: list[str]) -> None:
    day = date(2028, 2, 5)
    _store(database, _block(pods[0], day))
    _store(database, _block(pods[0], day, version=2))
    with database.begin() as connection:
        indexes = connection.execute(
            text("SELECT indexdef FROM pg_indexes WHERE tablename = 'meter_value_block_2028_02'")
        ).scalars()
        assert any("(quantity, day, version) WHERE (version > 1)" in index for index in indexes)
    with transaction(database) as tx:
        version = _read(database, pods[:1], day, day + timedelta(days=1))[0].version
        for since, found in ((0, [pods[0]]), (version - 1, [pods[0]]), (version, [])):
            (rows,) = tx.look_up(corrected_since(ENERGY, day, since))
            assert [(row.pod, row.version) for row in rows] == [(pod, version) for pod in found]


def test_a_day_of_another_length_replaces_the_stored_one_whole(database: Database, pods: list[str]) -> None:
    """As after the PoD's time zone was corrected."""
    _store(database, _block(pods[0], SPRING + timedelta(days=365), step=TimeStep.PT1H))
    block = _block(pods[0], SPRING + timedelta(days=365), version=2, step=TimeStep.PT1H)
    shorter = replace(block, values=block.values[:-1], qualities=None)
    assert _store(database, shorter) == Stored(new=0, corrected=1, known=0)
    lacking = np.full(len(block.values), Quality.MISSING, dtype=np.uint8)
    lacking[0] = Quality.MEASURED
    with transaction(database) as tx:
        assert store_blocks(tx, [replace(block, qualities=lacking)]).refused[0].places.tolist() == [0]


def test_two_blocks_of_one_day_are_refused(database: Database, pods: list[str]) -> None:
    day = date(2027, 4, 5)
    with pytest.raises(ValueError, match="two blocks"):
        _store(database, _block(pods[0], day), _block(pods[0], day, version=2))
    assert _changes(database, day) is None


def _half(pod: str, day: date, *, first: bool) -> Block:
    """A day of which only the first or second half is known."""
    block = _block(pod, day)
    qualities = np.zeros(len(block.values), dtype=np.uint8)
    qualities[48:] = Quality.MISSING
    if not first:
        qualities = qualities[::-1].copy()
    return _block(pod, day, values=np.where(qualities, 0, block.values).astype(np.int32), qualities=qualities)


def test_the_other_half_of_a_day_completes_it_and_no_missing_value_replaces_one(
    database: Database, pods: list[str]
) -> None:
    day, after = date(2027, 5, 5), date(2027, 5, 6)
    assert _store(database, _half(pods[0], day, first=True)) == Stored(new=1, corrected=0, known=0)
    assert _store(database, _half(pods[0], day, first=False)) == Stored(new=0, corrected=1, known=0)
    (found,) = _read(database, pods[:1], day, after)
    assert np.array_equal(found.values, _block(pods[0], day).values)
    assert found.qualities is None
    assert _store(database, _half(pods[0], day, first=True)) == Stored(new=0, corrected=0, known=1)
    assert _changes(database, day) == 2


def test_what_contradicts_its_own_source_is_refused_and_the_rest_stored(database: Database, pods: list[str]) -> None:
    day, after = date(2027, 6, 5), date(2027, 6, 6)
    before = datetime.now(UTC) - timedelta(minutes=1)
    _store(database, _half(pods[0], day, first=True))
    second = _half(pods[0], day, first=False)
    assert second.qualities is not None
    second.values[3], second.qualities[3] = 7, Quality.MEASURED
    with transaction(database) as tx:
        stored = store_blocks(tx, [second], since=before)
    assert (stored.new, stored.corrected, stored.known) == (0, 1, 0)
    assert {number: one.places.tolist() for number, one in stored.refused.items()} == {0: [3]}
    (found,) = _read(database, pods[:1], day, after)
    assert np.array_equal(found.values, _block(pods[0], day).values)
    with transaction(database) as tx:
        assert store_blocks(tx, [second], since=datetime.now(UTC) + timedelta(minutes=1)).corrected == 1
    assert _read(database, pods[:1], day, after)[0].values[3] == 7


def test_a_block_of_another_step_that_lacks_values_replaces_none(database: Database, pods: list[str]) -> None:
    day, after = date(2027, 7, 5), date(2027, 7, 6)
    _store(database, _block(pods[0], day))
    hours = _block(pods[0], day, step=TimeStep.PT1H)
    lacking = np.zeros(24, dtype=np.uint8)
    lacking[20:] = Quality.MISSING
    with transaction(database) as tx:
        stored = store_blocks(tx, [replace(hours, qualities=lacking)])
    assert (stored.new, stored.corrected, stored.known) == (0, 0, 1)
    assert stored.refused[0].places.tolist() == list(range(20))
    assert stored.refused[0].step is TimeStep.PT15M
    assert _same(_read(database, pods[:1], day, after)[0], _block(pods[0], day))
    assert _store(database, hours) == Stored(new=0, corrected=1, known=0)

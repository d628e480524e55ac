"""Load curves become blocks: each value in its place of its local day, once; what contradicts that is rejected."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.intake.collect import Collected, Collector
from flexiciency.intake.rejected import Code
from flexiciency.intake.source import LoadCurve

ZONE = "Europe/Vienna"
DAY, SPRING, AUTUMN = date(2025, 1, 15), date(2025, 3, 30), date(2025, 10, 26)
ENERGY, POWER = Quantity.ENERGY_CONSUMPTION, Quantity.POWER
QUARTER = TimeStep.PT15M


def curve(
    values: list[int], start: datetime | date = DAY, line: int = 2, *, step: TimeStep = QUARTER,
    quantity: Quantity = ENERGY, qualities: list[int] | None = None, column: int | None = 3,
) -> LoadCurve:  # fmt: skip
    """A curve from one line, if `start` is a day, else of one line a value."""
    by_line = isinstance(start, datetime)
    return LoadCurve(
        line, "AT1", quantity, step, start, np.array(values, np.int64),
        None if qualities is None else np.array(qualities, np.uint8),
        lines=np.arange(line, line + len(values)) if by_line else None, column=None if by_line else column,
    )  # fmt: skip


def blocks(collector: Collector) -> list[Block]:
    return [taken.block for taken in collector.take(everything=True)]


def collected(*curves: LoadCurve, zone: str = ZONE) -> tuple[list[Block], list[tuple[int, int | None, Code]]]:
    collector = Collector()
    for one in curves:
        collector.add(one, zone)
    return blocks(collector), [(one.line, one.column, one.code) for one in collector.rejected]


@pytest.mark.parametrize(("day", "count"), [(DAY, 96), (SPRING, 92), (AUTUMN, 100)])
def test_a_row_of_a_local_day_is_its_block(day: date, count: int) -> None:
    ((block,), rejected) = collected(curve(list(range(count)), day))
    assert rejected == []
    assert block.start == local_day(day, ZONE)[0]
    assert block.values.tolist() == list(range(count))
    assert block.qualities is not None
    assert not block.qualities.any()


@pytest.mark.parametrize(
    ("day", "count"), [(DAY, 97), (DAY, 92), (SPRING, 96), (SPRING, 93), (AUTUMN, 96), (AUTUMN, 92), (AUTUMN, 101)]
)
def test_a_row_with_the_values_of_another_day_is_rejected(day: date, count: int) -> None:
    assert collected(curve([1] * count, day)) == ([], [(2, None, Code.DAY_LENGTH)])


def test_a_row_may_lack_its_last_values() -> None:
    ((block,), rejected) = collected(curve([5] * 40))
    assert rejected == []
    assert block.values.tolist() == [5] * 40 + [0] * 56
    assert block.qualities is not None
    assert block.qualities.tolist() == [Quality.MEASURED] * 40 + [Quality.MISSING] * 56


@given(
    zone=st.sampled_from(["Europe/Vienna", "Europe/Lisbon", "Africa/Cairo", "Pacific/Auckland", "Asia/Kolkata"]),
    day=st.dates(date(2024, 1, 1), date(2026, 12, 31)) | st.sampled_from([SPRING, AUTUMN]),
    days=st.integers(1, 4),
    step=st.sampled_from(list(TimeStep)),
    cut=st.integers(0, 300),
)
def test_a_curve_over_days_and_clock_changes_is_the_same_whole_or_in_two(
    zone: str, day: date, days: int, step: TimeStep, cut: int
) -> None:
    lengths = [steps_in_day(day + timedelta(days=number), zone, step) for number in range(days)]
    values = list(range(1, sum(lengths) + 1))
    start, _ = local_day(day, zone)
    cut = min(cut, len(values) - 1) if step is not TimeStep.P1D else 0
    later = start + timedelta(seconds=cut * step.seconds)
    parts = [curve(values[cut:], later, cut + 1, step=step)]
    if cut:
        parts.append(curve(values[:cut], start, 1, step=step))
    found, rejected = collected(*parts, zone=zone)
    assert rejected == []
    found.sort(key=lambda block: block.day)
    assert [len(block.values) for block in found] == lengths
    assert [block.day for block in found] == [day + timedelta(days=number) for number in range(days)]
    assert np.concatenate([block.values for block in found]).tolist() == values
    assert not any(block.qualities is None or block.qualities.any() for block in found)


def test_what_is_not_there_is_missing() -> None:
    noon = datetime(2025, 1, 15, 12, tzinfo=ZoneInfo(ZONE))
    ((block,), rejected) = collected(curve([7, 8], noon))
    assert rejected == []
    assert block.qualities is not None
    assert np.flatnonzero(block.qualities != Quality.MISSING).tolist() == [48, 49]
    assert block.values[48:50].tolist() == [7, 8]


@pytest.mark.parametrize("seconds", [60, 899, 1])
def test_a_timestamp_off_the_grid_is_rejected(seconds: int) -> None:
    late = datetime(2025, 1, 15, 12, tzinfo=UTC) + timedelta(seconds=seconds)
    assert collected(curve([7, 8], late)) == ([], [(2, None, Code.OFF_GRID), (3, None, Code.OFF_GRID)])


def test_a_part_of_a_second_is_off_the_grid() -> None:
    late = datetime(2025, 1, 15, 12, 0, 0, 5, tzinfo=UTC)
    assert collected(curve([7], late)) == ([], [(2, None, Code.OFF_GRID)])


def test_a_day_of_days_begins_at_local_midnight() -> None:
    utc = datetime(2025, 1, 15, tzinfo=UTC)
    assert collected(curve([7], utc, step=TimeStep.P1D)) == ([], [(2, None, Code.OFF_GRID)])
    ((block,), rejected) = collected(curve([7], utc - timedelta(hours=1), step=TimeStep.P1D))
    assert (block.day, rejected) == (DAY, [])


@pytest.mark.parametrize("day", [date(205, 1, 15), date(2205, 1, 15)])
def test_a_day_of_another_century_is_rejected(day: date) -> None:
    assert collected(curve([1] * 96, day)) == ([], [(2, None, Code.DAY_INVALID)])
    instant = datetime(day.year, 1, 15, tzinfo=UTC)
    assert collected(curve([1], instant)) == ([], [(2, None, Code.DAY_INVALID)])


def test_negative_energy_is_rejected_and_negative_power_is_not() -> None:
    ((block,), rejected) = collected(curve([1, -2, 3]))
    assert rejected == [(2, 4, Code.NEGATIVE_ENERGY)]
    assert block.values[:3].tolist() == [1, 0, 3]
    assert block.qualities is not None
    assert block.qualities[:3].tolist() == [Quality.MEASURED, Quality.MISSING, Quality.MEASURED]
    ((block,), rejected) = collected(curve([1, -2, 3], quantity=POWER))
    assert (block.values[:3].tolist(), rejected) == ([1, -2, 3], [])


def test_a_value_beyond_int32_is_rejected_never_wrapped() -> None:
    ((block,), rejected) = collected(curve([10**15, 2**31 - 1, 2**31]))
    assert rejected == [(2, 3, Code.VALUE_TOO_LARGE), (2, 5, Code.VALUE_TOO_LARGE)]
    assert block.values[:3].tolist() == [0, 2**31 - 1, 0]
    ((block,), rejected) = collected(curve([-(2**31), -(2**31) - 1], quantity=POWER))
    assert (block.values[:2].tolist(), rejected) == ([-(2**31), 0], [(2, 4, Code.VALUE_TOO_LARGE)])


def test_a_curve_of_which_nothing_is_usable_makes_no_block() -> None:
    assert collected(curve([-1])) == ([], [(2, 3, Code.NEGATIVE_ENERGY)])


def test_equal_duplicates_count_once() -> None:
    whole = [*range(96)]
    ((block,), rejected) = collected(curve(whole), curve(whole, line=3))
    assert (block.values.tolist(), rejected) == (whole, [])


def test_of_two_values_that_contradict_each_other_neither_is_taken_and_both_are_named() -> None:
    noon = datetime(2025, 1, 15, 11, tzinfo=UTC)
    collector = Collector()
    for one in (curve([1, 2, 3], noon, line=10), curve([9, 3], noon + timedelta(minutes=15), line=20)):
        collector.add(one, ZONE)
    collector.add(curve([2], noon + timedelta(minutes=15), line=30), ZONE)
    (block,) = blocks(collector)
    assert [(one.line, one.code) for one in collector.rejected] == [
        (line, Code.DUPLICATE_CONTRADICTS) for line in (11, 20, 30)
    ]
    assert "0.002 kWh Measured, but 0.009 kWh Measured in line 20" in collector.rejected[0].reason
    assert "PoD AT1 at 2025-01-15T11:15:00Z" in collector.rejected[0].reason
    assert "in line 11" in collector.rejected[1].reason
    assert block.values[48:51].tolist() == [1, 0, 3]
    assert block.qualities is not None
    assert block.qualities[49] == Quality.MISSING


def test_another_quality_contradicts_too() -> None:
    rejected = collected(curve([5]), curve([5], line=3, qualities=[Quality.ESTIMATED]))[1]
    assert rejected == [(2, 3, Code.DUPLICATE_CONTRADICTS), (3, 3, Code.DUPLICATE_CONTRADICTS)]


def test_a_value_fills_what_was_said_to_be_missing_and_the_other_way_round_changes_nothing() -> None:
    missing = curve([0, 0], qualities=[Quality.MISSING] * 2)
    for order in ((missing, curve([5], line=3)), (curve([5], line=3), missing)):
        ((block,), rejected) = collected(*order)
        assert rejected == []
        assert block.values[0] == 5
        assert block.qualities is not None
        assert block.qualities[:2].tolist() == [Quality.MEASURED, Quality.MISSING]


def test_what_stands_where_a_value_is_missing_does_not_matter() -> None:
    ((block,), rejected) = collected(curve([-9999, 10**15, 5], qualities=[Quality.MISSING, Quality.MISSING, 0]))
    assert (block.values[:3].tolist(), rejected) == ([0, 0, 5], [])


def test_a_quality_that_there_is_not_is_rejected() -> None:
    assert collected(curve([1, 2], qualities=[0, 9])) == ([], [(2, None, Code.QUALITY_UNKNOWN)])


@pytest.mark.parametrize(
    ("start", "values", "qualities"),
    [(datetime(2025, 1, 1), [1], None), (DAY, [], None), (DAY, [1, 2], [0])],  # noqa: DTZ001
)
def test_what_no_source_may_give_is_an_error(start: date, values: list[int], qualities: list[int] | None) -> None:
    with pytest.raises(ValueError, match="line 2"):
        curve(values, start, qualities=qualities)


def test_two_time_steps_of_one_day_overlap() -> None:
    hours = curve([1] * 24, line=7, step=TimeStep.PT1H)
    ((block,), rejected) = collected(curve([1] * 96), hours)
    assert block.step is QUARTER
    assert rejected == [(7, None, Code.STEPS_OVERLAP)]


def test_only_what_is_complete_is_taken_until_all_is() -> None:
    collector = Collector()
    collector.add(curve([1] * 96), ZONE)
    half = datetime(2025, 1, 15, 23, tzinfo=UTC)
    collector.add(curve([1] * 48, half, line=3), ZONE)
    assert (collector.complete, collector.open, collector.first_open_line) == (1, 1, 3)
    assert [taken.block.day for taken in collector.take(everything=False)] == [DAY]
    collector.add(curve([2] * 48, half + timedelta(hours=12), line=60), ZONE)
    assert (collector.complete, collector.open, collector.first_open_line) == (1, 0, None)
    (taken,) = collector.take(everything=False)
    assert isinstance(taken, Collected)
    assert taken.block.values.tolist() == [1] * 48 + [2] * 48
    assert taken.rejected(50, Code.OFF_GRID, "").line == 62
    assert blocks(collector) == []

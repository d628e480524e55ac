from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.contract.series import Quality, Quantity, Series, TimeStep, kilo_text
from flexiciency.domain.values import Block, day_starts, joined, local_day, local_days_period, steps_in_day

VIENNA = "Europe/Vienna"
SPRING, AUTUMN = date(2025, 3, 30), date(2025, 10, 26)


def block(day: date, *, pod: str = "AT1", step: TimeStep = TimeStep.PT15M, value: int = 7) -> Block:
    count = steps_in_day(day, VIENNA, step)
    start, _ = local_day(day, VIENNA)
    return Block(pod, Quantity.ENERGY_CONSUMPTION, day, 1, start, step, np.full(count, value, dtype=np.int32))


@pytest.mark.parametrize(
    ("day", "quarters"), [(date(2025, 1, 15), 96), (SPRING, 92), (AUTUMN, 100), (date(2024, 2, 29), 96)]
)
def test_a_local_day_has_92_96_or_100_quarter_hours(day: date, quarters: int) -> None:
    start, end = local_day(day, VIENNA)
    assert steps_in_day(day, VIENNA, TimeStep.PT15M) == quarters
    assert end - start == timedelta(minutes=15 * quarters)


def test_a_local_day_starts_at_local_midnight_in_utc() -> None:
    assert local_day(date(2025, 1, 1), VIENNA)[0] == datetime(2024, 12, 31, 23, tzinfo=UTC)
    assert local_day(date(2025, 7, 1), VIENNA)[0] == datetime(2025, 6, 30, 22, tzinfo=UTC)


def test_where_a_clock_change_skips_midnight_the_day_starts_at_the_change() -> None:
    assert local_day(date(2025, 3, 30), "Asia/Beirut")[0] == datetime(2025, 3, 29, 22, tzinfo=UTC)


@pytest.mark.parametrize(("step", "count"), [("PT10M", 138), ("PT15M", 92), ("PT30M", 46), ("PT1H", 23), ("P1D", 1)])
def test_each_time_step_fits_a_short_day(step: str, count: int) -> None:
    assert steps_in_day(SPRING, VIENNA, TimeStep(step)) == count


def test_the_end_date_of_a_period_is_exclusive() -> None:
    start, end = local_days_period(date(2025, 1, 1), date(2025, 2, 1), VIENNA)
    assert (start, end) == (datetime(2024, 12, 31, 23, tzinfo=UTC), datetime(2025, 1, 31, 23, tzinfo=UTC))


@given(st.dates(date(1990, 1, 1), date(2037, 1, 1)), st.integers(1, 400), st.sampled_from([VIENNA, "Europe/Rome"]))
def test_local_days_follow_each_other_without_gap(first: date, count: int, zone: str) -> None:
    starts = day_starts(first, first + timedelta(days=count), zone)
    _, end = local_days_period(first, first + timedelta(days=count), zone)
    lengths = np.diff([*starts.tolist(), int(end.timestamp())])
    assert len(starts) == count
    assert set(lengths.tolist()) <= {23 * 3600, 24 * 3600, 25 * 3600}


def test_a_year_has_both_clock_changes() -> None:
    lengths = np.diff(day_starts(date(2025, 1, 1), date(2026, 1, 2), VIENNA))
    assert np.flatnonzero(lengths == 23 * 3600).tolist() == [(SPRING - date(2025, 1, 1)).days]
    assert np.flatnonzero(lengths == 25 * 3600).tolist() == [(AUTUMN - date(2025, 1, 1)).days]


def test_blocks_of_following_days_become_one_series_across_a_clock_change() -> None:
    days = [SPRING - timedelta(days=1), SPRING, SPRING + timedelta(days=1)]
    (series,) = joined([block(day) for day in days])
    assert len(series.values) == 96 + 92 + 96
    assert series.start == local_day(days[0], VIENNA)[0]
    assert series.instants()[-1] + 900 == local_day(days[-1], VIENNA)[1].timestamp()


def test_a_missing_day_another_pod_or_another_step_starts_a_new_series() -> None:
    day = date(2025, 1, 1)
    later = day + timedelta(days=2)
    after = later + timedelta(days=1)
    blocks = [block(day), block(later), block(after, step=TimeStep.PT1H), block(after, pod="AT2")]
    assert [(one.pod, one.step, len(one.values)) for one in joined(blocks)] == [
        ("AT1", "PT15M", 96),
        ("AT1", "PT15M", 96),
        ("AT1", "PT1H", 24),
        ("AT2", "PT15M", 96),
    ]


def test_daily_blocks_become_a_series_that_knows_its_local_days() -> None:
    days = [SPRING - timedelta(days=1), SPRING, SPRING + timedelta(days=1)]
    (series,) = joined([block(day, step=TimeStep.P1D) for day in days])
    assert series.instants().tolist() == day_starts(days[0], days[-1] + timedelta(days=1), VIENNA).tolist()


def test_qualities_of_joined_blocks_are_measured_where_a_block_has_none() -> None:
    plain, estimated = block(SPRING), block(SPRING + timedelta(days=1))
    flags = np.full(96, Quality.ESTIMATED, dtype=np.uint8)
    estimated = Block(
        estimated.pod, estimated.quantity, estimated.day, 1, estimated.start, estimated.step, estimated.values, flags
    )
    (series,) = joined([plain, estimated])
    assert series.qualities is not None
    assert series.qualities.tolist() == [Quality.MEASURED] * 92 + [Quality.ESTIMATED] * 96


def test_local_days_without_starts_have_no_instants() -> None:
    series = Series("AT1", datetime(2025, 1, 1, tzinfo=UTC), TimeStep.P1D, np.array([1], dtype=np.int32))
    with pytest.raises(ValueError, match="AT1"):
        series.instants()


def test_a_series_has_a_value_and_as_many_qualities() -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="no value"):
        Series("AT1", start, TimeStep.PT1H, np.array([], dtype=np.int32))
    with pytest.raises(ValueError, match="AT1"):
        Series("AT1", start, TimeStep.PT1H, np.array([1, 2], dtype=np.int32), np.array([0], dtype=np.uint8))


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.000"), (5, "0.005"), (-5, "-0.005"), (12345, "12.345"), (-2147483647, "-2147483.647")]
)
def test_values_are_written_with_three_decimals(value: int, text: str) -> None:
    assert kilo_text(value) == text


def test_energy_is_in_kwh_and_power_in_kw() -> None:
    assert [quantity.unit for quantity in Quantity] == ["kWh", "kWh", "kW"]

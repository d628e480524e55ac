"""Energy is summed and power averaged, over days of any length; what is Missing in part is Missing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.domain.resampling import divides, mean, resampled
from flexiciency.domain.values import Block, local_day, steps_in_day

VIENNA, LISBON = "Europe/Vienna", "Europe/Lisbon"
WINTER, SPRING, AUTUMN = date(2025, 1, 15), date(2025, 3, 30), date(2025, 10, 26)
FINER = [(one, other) for one in TimeStep for other in TimeStep if one is not other and divides(one, other)]


def block(
    day: date, step: TimeStep, values: list[int], qualities: list[Quality] | None = None, *,
    zone: str = VIENNA, quantity: Quantity = Quantity.ENERGY_CONSUMPTION,
) -> Block:  # fmt: skip
    codes = None if qualities is None else np.array(qualities, dtype=np.uint8)
    return Block("AT1", quantity, day, 3, local_day(day, zone)[0], step, np.array(values, dtype=np.int32), codes)


def a_day(
    steps: tuple[TimeStep, TimeStep], day: date, zone: str, quantity: Quantity, worst: Quality | None, seed: int
) -> tuple[Block, TimeStep, str]:
    """A day of any values at the finer of two steps, the coarser one, and the zone."""
    generator = np.random.default_rng(seed)
    count = steps_in_day(day, zone, steps[0])
    values = generator.integers(-(2**31), 2**31, count).tolist()
    qualities = None if worst is None else [Quality(code) for code in generator.integers(0, worst + 1, count)]
    return block(day, steps[0], values, qualities, zone=zone, quantity=quantity), steps[1], zone


def days() -> st.SearchStrategy[tuple[Block, TimeStep, str]]:
    return st.builds(
        a_day, st.sampled_from(FINER), st.sampled_from([WINTER, SPRING, AUTUMN]), st.sampled_from([VIENNA, LISBON]),
        st.sampled_from(Quantity), st.sampled_from([None, *Quality]), st.integers(0, 2**32 - 1),
    )  # fmt: skip


@given(days())
def test_each_interval_is_the_sum_or_mean_of_its_parts_and_as_good_as_the_worst(
    drawn: tuple[Block, TimeStep, str],
) -> None:
    fine, step, zone = drawn
    coarse = resampled(fine, step, zone)
    assert coarse is not None
    assert len(coarse.values) == steps_in_day(fine.day, zone, step)
    assert (coarse.start, coarse.step, coarse.version, coarse.quantity) == (fine.start, step, 3, fine.quantity)
    parts = len(fine.values) // len(coarse.values)
    for number, value in enumerate(coarse.values.tolist()):
        rows = slice(number * parts, (number + 1) * parts)
        total = sum(fine.values[rows].tolist())
        worst = 0 if fine.qualities is None else max(fine.qualities[rows].tolist())
        expected = round(Fraction(total, parts)) if fine.quantity is Quantity.POWER else total
        assert value == (0 if worst == Quality.MISSING else expected)
        assert worst == (0 if coarse.qualities is None else coarse.qualities[number])


@given(days())
def test_no_energy_is_lost_on_the_way_whatever_the_steps_between(drawn: tuple[Block, TimeStep, str]) -> None:
    fine, step, zone = drawn
    fine = replace(fine, quantity=Quantity.ENERGY_GENERATION, qualities=None)
    coarse = resampled(fine, step, zone)
    assert coarse is not None
    assert int(coarse.values.sum()) == sum(fine.values.tolist())
    whole, by_steps = resampled(fine, TimeStep.P1D, zone), resampled(coarse, TimeStep.P1D, zone)
    assert whole is not None
    assert by_steps is not None
    assert whole.values.tolist() == by_steps.values.tolist() == [sum(fine.values.tolist())]


@pytest.mark.parametrize(("day", "hours"), [(SPRING, 23), (WINTER, 24), (AUTUMN, 25)])
@pytest.mark.parametrize("zone", [VIENNA, LISBON])
def test_days_have_as_many_hours_as_the_clock_says_and_one_value(day: date, hours: int, zone: str) -> None:
    quarters = block(day, TimeStep.PT15M, [1] * 4 * hours, zone=zone)
    by_hour, whole = resampled(quarters, TimeStep.PT1H, zone), resampled(quarters, TimeStep.P1D, zone)
    assert by_hour is not None
    assert whole is not None
    assert by_hour.values.tolist() == [4] * hours
    assert whole.values.tolist() == [4 * hours]


def test_sums_need_64_bits() -> None:
    hour = resampled(block(WINTER, TimeStep.PT15M, [2**31 - 1] * 96), TimeStep.PT1H, VIENNA)
    assert hour is not None
    assert hour.values.tolist() == [4 * (2**31 - 1)] * 24


def test_an_interval_that_is_missing_in_part_is_missing() -> None:
    qualities = [Quality.MEASURED] * 92 + [Quality.MISSING, *[Quality.MEASURED] * 3]
    for quantity in (Quantity.ENERGY_CONSUMPTION, Quantity.POWER):
        quarters = block(WINTER, TimeStep.PT15M, [5] * 96, qualities, quantity=quantity)
        hours, day = resampled(quarters, TimeStep.PT1H, VIENNA), resampled(quarters, TimeStep.P1D, VIENNA)
        assert hours is not None
        assert hours.qualities is not None
        assert hours.qualities.tolist() == [Quality.MEASURED] * 23 + [Quality.MISSING]
        assert hours.values.tolist() == [5 if quantity is Quantity.POWER else 20] * 23 + [0]
        assert day is not None
        assert day.qualities is not None
        assert (day.values.tolist(), day.qualities.tolist()) == ([0], [Quality.MISSING])


@pytest.mark.parametrize(("total", "expected"), [(1, 0), (2, 0), (3, 1), (5, 1), (6, 2), (7, 2), (-2, 0), (-6, -2)])
def test_means_are_rounded_half_to_even(total: int, expected: int) -> None:
    assert mean(np.array([total], dtype=np.int64), 4).tolist() == [expected]


@pytest.mark.parametrize(
    ("fine", "coarse"),
    [("PT10M", "PT15M"), ("PT15M", "PT10M"), ("PT1H", "PT15M"), ("P1D", "PT1H"), ("PT30M", "PT15M")],
)
def test_only_steps_that_divide_are_resampled(fine: str, coarse: str) -> None:
    values = [1] * steps_in_day(WINTER, VIENNA, TimeStep(fine))
    with pytest.raises(ValueError, match=f"{fine} does not divide {coarse}"):
        resampled(block(WINTER, TimeStep(fine), values), TimeStep(coarse), VIENNA)


def test_hours_are_those_of_utc_and_a_part_of_one_is_left_out() -> None:
    """In India a day begins at half past six in the evening, UTC."""
    quarters = block(WINTER, TimeStep.PT15M, list(range(96)), zone="Asia/Kolkata")
    hours = resampled(quarters, TimeStep.PT1H, "Asia/Kolkata")
    assert hours is not None
    assert hours.start == datetime(2025, 1, 14, 19, tzinfo=UTC)
    assert hours.values.tolist() == [sum(range(2 + 4 * hour, 6 + 4 * hour)) for hour in range(23)]
    day = resampled(quarters, TimeStep.P1D, "Asia/Kolkata")
    assert day is not None
    assert day.values.tolist() == [sum(range(96))]


def test_a_day_of_another_zone_or_a_part_of_a_day_is_no_day() -> None:
    quarters = block(WINTER, TimeStep.PT15M, [1] * 96)
    assert resampled(quarters, TimeStep.P1D, LISBON) is None
    assert resampled(replace(quarters, values=quarters.values[:-1]), TimeStep.P1D, VIENNA) is None
    assert resampled(replace(quarters, start=quarters.start + timedelta(hours=1)), TimeStep.P1D, VIENNA) is None
    assert resampled(replace(quarters, values=quarters.values[:3]), TimeStep.PT1H, VIENNA) is None


def test_a_block_at_its_own_step_stays_as_it_is() -> None:
    quarters = block(WINTER, TimeStep.PT15M, [1] * 96)
    assert resampled(quarters, TimeStep.PT15M, LISBON) is quarters

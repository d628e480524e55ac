"""The curtailment factor: exact, never more than is feasible, right on days when clocks change."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.flexibility import (
    LONGEST,
    WHOLE,
    Band,
    Curve,
    LoadArea,
    Validation,
    combined,
    gap_of,
    validate,
    without_grid,
)
from flexiciency.domain.reasons import ReasonCode, reason

VIENNA = "Europe/Vienna"
START = datetime(2025, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24 * 60


def area(*dso: Band, tso: tuple[Band, ...] = (), zone: str = "UTC") -> LoadArea:
    return LoadArea(zone, dso, tso)


def all_day(import_limit: int, export_limit: int, element: str = "T1") -> Band:
    return Band(0, DAY, import_limit, export_limit, element)


def flat(power: int, start: datetime = START, hours: int = 1) -> Curve:
    return Curve(start, ((start, power),), start + hours * HOUR)


def code(answer: Validation) -> ReasonCode | None:
    return answer.reason.code if answer.reason else None


def test_what_fits_is_accepted_whole_and_nothing_limits() -> None:
    answer = validate(flat(5_000), area(all_day(5_000, 0)))
    assert (answer.factor, answer.dso, answer.tso) == (WHOLE, WHOLE, WHOLE)
    assert (answer.limiting_element, answer.reason) == (None, None)


@pytest.mark.parametrize(("power", "factor"), [(3_000, 333_333), (-3_000, 666_666), (0, WHOLE), (-1_999, WHOLE)])
def test_consumption_is_held_to_import_and_generation_to_export_rounded_down(power: int, factor: int) -> None:
    assert validate(flat(power), area(all_day(1_000, 2_000))).factor == factor


def test_the_worst_moment_counts_and_is_named() -> None:
    curve = Curve(START, ((START, 1_000), (START + HOUR, 4_000), (START + 2 * HOUR, 2_000)), START + 3 * HOUR)
    answer = validate(curve, area(all_day(1_000, 0, "Line 7")))
    assert (answer.factor, code(answer)) == (250_000, ReasonCode.GRID_LIMIT)
    assert answer.limiting_element == "Line 7 at 2025-01-15T01:00:00Z"


def test_the_stricter_of_dso_and_tso_decides() -> None:
    answer = validate(flat(1_000), area(all_day(500, 0), tso=(all_day(200, 0, "380 kV"),)))
    assert (answer.factor, answer.dso, answer.tso) == (200_000, 500_000, 200_000)
    assert (code(answer), answer.limiting_element) == (ReasonCode.TSO_LIMIT, "380 kV at 2025-01-15T00:00:00Z")


def test_the_tso_sets_no_limit_where_it_has_none() -> None:
    tso = (Band(12 * 60, DAY, 0, 0, "380 kV"),)
    assert validate(flat(1_000), area(all_day(1_000, 0), tso=tso)).factor == WHOLE


def test_a_base_case_beyond_its_limits_is_0_even_for_an_exchange_of_nothing() -> None:
    for power in (0, 1, -1):
        answer = validate(flat(power), area(all_day(-1, 1_000)))
        assert (answer.factor, code(answer)) == (0, ReasonCode.BASE_CASE_INFEASIBLE)
        assert answer.limiting_element == "T1 at 2025-01-15T00:00:00Z"


def test_an_unknown_load_area_is_refused() -> None:
    assert code(validate(flat(1), None)) is ReasonCode.LOAD_AREA_UNKNOWN


def test_headroom_that_is_missing_at_some_time_is_refused_and_the_time_named() -> None:
    known = area(Band(0, 30, 9_000, 0, "T1"), Band(45, DAY, 9_000, 0, "T1"))
    answer = validate(flat(1), known)
    assert (answer.factor, code(answer)) == (0, ReasonCode.HEADROOM_UNKNOWN)
    assert answer.reason is not None
    assert "2025-01-15T00:30:00Z" in answer.reason.text


@pytest.mark.parametrize(
    ("curve", "sentence"),
    [
        (Curve(START, ((START, 1),), START), "EndTime must be later"),
        (Curve(START, (), START + HOUR), "no point"),
        (Curve(START, ((START + HOUR, 1),), START + 2 * HOUR), "must be at StartTime"),
        (Curve(START, ((START, 1), (START, 2)), START + HOUR), "later than the one before"),
        (Curve(START, ((START, 1), (START + HOUR, 2), (START, 3)), START + 2 * HOUR), "later than the one before"),
        (Curve(START, ((START, 1), (START + HOUR, 2)), START + HOUR), "before EndTime"),
        (Curve(START, ((START, 1),), START + LONGEST + HOUR), "366 days"),
        (flat(1, datetime(9999, 12, 31, tzinfo=UTC)), "in the years"),
        (flat(1, datetime(1, 1, 1, tzinfo=UTC)), "in the years"),
    ],
)
def test_a_curve_that_is_none_is_refused_with_what_is_wrong(curve: Curve, sentence: str) -> None:
    answer = validate(curve, area(all_day(9_000, 9_000)))
    assert (answer.factor, code(answer)) == (0, ReasonCode.CURVE_INVALID)
    assert answer.reason is not None
    assert sentence in answer.reason.text


@pytest.mark.parametrize(("day", "hours"), [(30, 23), (26, 25)])
def test_times_of_day_are_those_of_the_load_area_when_clocks_change(day: int, hours: int) -> None:
    """On 30 March 2025 02:00 to 03:00 is not there in Vienna, on 26 October it comes twice."""
    month = 3 if hours == 23 else 10
    midnight = datetime(2025, month, day, tzinfo=ZoneInfo(VIENNA)).astimezone(UTC)
    next_midnight = midnight + hours * HOUR
    known = area(Band(0, 120, 1_000, 0, "A"), Band(120, 180, 100, 0, "B"), Band(180, DAY, 500, 0, "C"), zone=VIENNA)
    factors = [validate(flat(1_000, midnight + n * HOUR), known).factor for n in range(hours)]
    twos = {23: [], 25: [100_000, 100_000]}[hours]
    assert factors == [WHOLE, WHOLE, *twos, *[500_000] * 21]
    assert validate(flat(1_000, midnight, hours), known).factor == (500_000 if hours == 23 else 100_000)
    assert next_midnight.astimezone(ZoneInfo(VIENNA)).hour == 0


def test_a_band_that_begins_within_a_quarter_hour_is_seen() -> None:
    known = area(Band(0, 7, 1_000, 0, "A"), Band(7, 8, 10, 0, "B"), Band(8, DAY, 1_000, 0, "C"))
    answer = validate(flat(1_000), known)
    assert (answer.factor, answer.limiting_element) == (10_000, "B at 2025-01-15T00:07:00Z")


@pytest.mark.parametrize(
    ("bands", "gap"),
    [
        ((), 0),
        (((0, DAY),), None),
        (((0, 60), (60, DAY)), None),
        (((0, 60), (61, DAY)), 60),
        (((1, DAY),), 0),
        (((0, 60),), 60),
    ],
)
def test_the_first_minute_that_no_band_covers_is_found(bands: tuple[tuple[int, int], ...], gap: int | None) -> None:
    assert gap_of([Band(first, until, 0, 0, "T") for first, until in bands]) == gap


LIMITS = st.integers(-5, 10**9)
POWERS = st.integers(-(10**18), 10**18) | st.integers(-(10**6), 10**6)


@given(
    powers=st.lists(POWERS, min_size=1, max_size=6),
    limits=st.lists(st.tuples(LIMITS, LIMITS), min_size=24, max_size=24),
    offset=st.integers(0, 23 * 60),
)
def test_the_factor_is_feasible_and_a_millionth_more_is_not(
    powers: list[int], limits: list[tuple[int, int]], offset: int
) -> None:
    """Held against every minute of the curve, in fractions."""
    start = START + timedelta(minutes=offset)
    step = timedelta(minutes=37)
    points = tuple((start + n * step, power) for n, power in enumerate(powers))
    end = start + len(powers) * step
    bands = tuple(Band(h * 60, h * 60 + 60, a, b, f"h{h}") for h, (a, b) in enumerate(limits))
    minutes = [(powers[n // 37], limits[(start + timedelta(minutes=n)).hour]) for n in range(37 * len(powers))]

    def feasible(factor: Fraction) -> bool:
        return all(min(limit) >= 0 and -limit[1] <= factor * power <= limit[0] for power, limit in minutes)

    answer = validate(Curve(start, points, end), area(*bands))
    if answer.reason is not None and answer.reason.code is ReasonCode.BASE_CASE_INFEASIBLE:
        assert not feasible(Fraction(0))
        assert answer.factor == 0
        return
    assert feasible(Fraction(answer.factor, WHOLE))
    assert answer.factor == WHOLE or not feasible(Fraction(answer.factor + 1, WHOLE))


def limited(dso: int, tso: int, element: str | None, code: ReasonCode) -> Validation:
    return Validation(dso, tso, element, reason(code))


def test_of_headroom_and_grid_the_lesser_counts_and_both_elements_are_named() -> None:
    headroom = limited(700_000, 600_000, "380 kV at noon", ReasonCode.TSO_LIMIT)
    grid = limited(500_000, WHOLE, "line 3", ReasonCode.GRID_LIMIT)
    expected = limited(500_000, 600_000, "line 3; 380 kV at noon", ReasonCode.GRID_LIMIT)
    assert combined(headroom, grid) == combined(grid, headroom) == expected


def test_what_neither_limits_is_accepted_whole() -> None:
    nothing = Validation(WHOLE, WHOLE, None, None)
    assert combined(nothing, nothing) == nothing


factors = st.integers(0, WHOLE)


@given(factors, factors, factors)
def test_a_grid_never_makes_it_more_and_its_reason_is_given_when_it_decides(dso: int, tso: int, of_grid: int) -> None:
    headroom = limited(dso, tso, "T1", ReasonCode.TSO_LIMIT)
    answer = combined(headroom, limited(of_grid, WHOLE, None, ReasonCode.GRID_LIMIT))
    assert answer.factor == min(dso, tso, of_grid)
    assert code(answer) is (ReasonCode.GRID_LIMIT if of_grid < min(dso, tso) else ReasonCode.TSO_LIMIT)
    assert answer.limiting_element == "T1"


def test_where_the_grid_cannot_be_computed_the_dso_allows_nothing() -> None:
    answer = without_grid(Validation(WHOLE, 900_000, "380 kV", reason(ReasonCode.TSO_LIMIT)))
    assert (answer.factor, answer.dso, answer.tso, code(answer)) == (0, 0, 900_000, ReasonCode.GRID_UNKNOWN)

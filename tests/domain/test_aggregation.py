import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from flexiciency.contract.series import Quality, Series, TimeStep, instant_of
from flexiciency.domain.aggregation import (
    Aggregate,
    Place,
    Totals,
    aggregation_id,
    edges,
    refusal,
    runs,
    totals,
)
from flexiciency.domain.aggregation import aggregated as finished
from flexiciency.domain.reasons import ReasonCode
from flexiciency.domain.values import day_starts, local_day, local_days_period

GRID = 900 * np.arange(4, dtype=np.int64)
LINZ = Place("AT", "Linz", "Landstraße")
FIVE = frozenset("abcde")

VALUES = st.integers(-(2**31), 2**31 - 1)
QUALITIES = st.sampled_from(Quality)
CURVES = st.dictionaries(
    st.tuples(st.sampled_from(["AT/Linz", "AT/Wels"]), st.sampled_from("abcdef")),
    st.dictionaries(st.integers(0, 3), st.tuples(VALUES, QUALITIES), min_size=1),
)


def aggregated(members: Iterable[tuple[str, Series]], grid: NDArray[np.int64], method: str) -> list[Aggregate]:
    return finished(totals(members, grid), grid, method)


def series(pod: str, values: list[int], *, first: int = 0, quality: Quality = Quality.MEASURED) -> Series:
    qualities = np.full(len(values), quality, dtype=np.uint8)
    return Series(pod, instant_of(first * 900), TimeStep.PT15M, np.array(values, dtype=np.int32), qualities)


@given(CURVES, st.sampled_from(["Sum", "Mean"]))
def test_aggregates_are_those_of_plain_arithmetic(
    curves: dict[tuple[str, str], dict[int, tuple[int, Quality]]], method: str
) -> None:
    members = [
        (group, series(pod, [value], first=i, quality=quality))
        for (group, pod), curve in curves.items()
        for i, (value, quality) in curve.items()
    ]
    expected = {}
    for group in sorted({group for group, _ in curves}):
        kept = {
            pod: {i: one for i, one in curve.items() if one[1] is not Quality.MISSING}
            for (of, pod), curve in curves.items()
            if of == group
        }
        pods = {pod for pod, curve in kept.items() if curve}
        rows = []
        for i in range(4):
            there = [kept[pod][i] for pod in pods if i in kept[pod]]
            if there and len(there) == len(pods):
                total = sum(value for value, _ in there)
                number = total if method == "Sum" else round(Fraction(total, len(pods)))
                rows.append((i * 900, number, max(quality for _, quality in there)))
        if rows:
            expected[group] = (pods, rows)
    found = {
        one.aggregation_id: (
            set(one.pods),
            list(zip(one.starts.tolist(), one.values.tolist(), one.qualities.tolist(), strict=True)),
        )
        for one in aggregated(members, GRID, method)
    }
    assert found == expected


def test_an_interval_that_one_pod_lacks_is_left_out() -> None:
    (one,) = aggregated([("g", series("a", [1, 2, 3, 4])), ("g", series("b", [10, 20], first=1))], GRID, "Sum")
    assert (one.starts.tolist(), one.values.tolist()) == ([900, 1800], [12, 23])


@given(CURVES, CURVES)
def test_a_pod_that_is_taken_out_and_put_back_changed_is_as_if_it_had_been_so_from_the_start(
    curves: dict[tuple[str, str], dict[int, tuple[int, Quality]]],
    corrected: dict[tuple[str, str], dict[int, tuple[int, Quality]]],
) -> None:
    def parts(curve: dict[int, tuple[int, Quality]], pod: str) -> list[Series]:
        return [series(pod, [value], first=i, quality=quality) for i, (value, quality) in curve.items()]

    def added_up(every: dict[tuple[str, str], dict[int, tuple[int, Quality]]]) -> Totals:
        group = Totals.none(GRID)
        for (place, pod), curve in sorted(every.items()):
            group.add(place + pod, parts(curve, place + pod), GRID)
        return group

    group = added_up(curves)
    for (place, pod), curve in corrected.items():
        group.remove(place + pod, parts(curves.get((place, pod), {}), place + pod), GRID)
        group.add(place + pod, parts(curve, place + pod), GRID)
    anew = added_up(curves | corrected)
    assert group.pods == anew.pods
    assert group.sums.tolist() == anew.sums.tolist()
    assert group.counts.tolist() == anew.counts.tolist()


def test_sums_need_64_bits() -> None:
    (one,) = aggregated([("g", series(pod, [2**31 - 1])) for pod in "abc"], GRID, "Sum")
    assert one.values.tolist() == [3 * (2**31 - 1)]


def test_local_days_are_summed_over_both_clock_changes() -> None:
    for first, end in ((date(2025, 3, 29), date(2025, 4, 1)), (date(2025, 10, 25), date(2025, 10, 28))):
        days = day_starts(first, end, "Europe/Vienna")
        values = np.array([1, 2, 3], dtype=np.int32)
        curves = [Series(pod, instant_of(int(days[0])), TimeStep.P1D, values, None, days) for pod in "ab"]
        (one,) = aggregated([("g", curve) for curve in curves], days, "Sum")
        assert (one.starts.tolist(), one.values.tolist()) == (days.tolist(), [2, 4, 6])


def test_values_off_the_grid_are_gaps() -> None:
    early = Series("b", instant_of(-900), TimeStep.PT15M, np.arange(6, dtype=np.int32))
    between = Series("c", instant_of(450), TimeStep.PT15M, np.arange(3, dtype=np.int32))
    (one,) = aggregated([("g", series("a", [1, 2, 3, 4])), ("g", early), ("g", between)], GRID, "Sum")
    assert (set(one.pods), one.starts.tolist()) == ({"a", "b"}, GRID.tolist())
    assert one.values.tolist() == [2, 4, 6, 8]
    assert aggregated([("g", series("a", [1], first=4))], GRID, "Sum") == []


def test_values_given_twice_and_unknown_methods_are_errors() -> None:
    with pytest.raises(ValueError, match="two values for one interval"):
        aggregated([("g", series("a", [1])), ("g", series("a", [1]))], GRID, "Sum")
    with pytest.raises(ValueError, match="in a row"):
        aggregated([("g", series("a", [1])), ("g", series("b", [1])), ("g", series("a", [1], first=1))], GRID, "Sum")
    with pytest.raises(ValueError, match="expected Sum or Mean"):
        aggregated([], GRID, "Median")


def test_aggregation_ids_name_the_place_and_cannot_be_confused() -> None:
    levels = ("Country", "City", "Street", "Portfolio")
    found = [aggregation_id(level, LINZ, "agr-1") for level in levels]
    assert found == ["AT", "AT/Linz", "AT/Linz/Landstra%C3%9Fe", "portfolio:agr-1"]
    assert aggregation_id("City", Place("AT", "A/B%", "C"), "agr-1") == "AT/A%2FB%25"
    with pytest.raises(ValueError, match="expected Country"):
        aggregation_id("None", LINZ, "agr-1")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=120))
def test_aggregation_ids_are_identifiers_whatever_the_name(name: str) -> None:
    assert re.fullmatch("[!-~]{1,200}", aggregation_id("Street", Place("AT", name, name), "agr-1"))


def test_a_small_group_needs_the_consent_of_all_its_pods() -> None:
    refused = refusal(frozenset("abcd"), frozenset("abc"), [], 5)
    assert refused is not None
    assert refused.code is ReasonCode.GROUP_TOO_SMALL
    assert refusal(frozenset("abcd"), frozenset("abcd"), [], 5) is None
    assert refusal(FIVE, frozenset(), [], 5) is None


@pytest.mark.parametrize(
    ("served", "allowed"), [("abcde", True), ("vwxyz", True), ("abcdefghij", True), ("abcdef", False), ("bcdef", False)]
)
def test_groups_for_one_interval_are_equal_or_disjoint_or_differ_by_the_minimum(served: str, *, allowed: bool) -> None:
    refused = refusal(FIVE, FIVE, [frozenset(served)], 5)
    assert (refused is None) is allowed
    assert refused is None or refused.code is ReasonCode.GROUP_OVERLAPS


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2025, 3, 30), 23), (date(2025, 10, 26), 25), (date(2025, 10, 27), 24)]
)
@pytest.mark.parametrize("step", [step for step in TimeStep if step is not TimeStep.P1D])
def test_edges_are_those_of_whole_local_days(day: date, hours: int, step: TimeStep) -> None:
    start, end = local_day(day, "Europe/Vienna")
    noon = start + timedelta(hours=12)
    found = edges(noon, noon, "Europe/Vienna", step)
    assert found[0] == start.timestamp()
    assert set(np.diff(found).tolist()) == {step.seconds}
    assert hours * 3600 // step.seconds == np.searchsorted(found, int(end.timestamp()))


def test_edges_of_whole_days_are_their_midnights() -> None:
    start, end = local_days_period(date(2025, 10, 25), date(2025, 10, 28), "Europe/Vienna")
    found = edges(start, end, "Europe/Vienna", TimeStep.P1D)
    assert (np.diff(found)[:3] // 3600).tolist() == [24, 25, 24]
    assert found[0] == start.timestamp()
    assert int(end.timestamp()) in found


@given(st.sets(st.integers(0, 9), min_size=1))
def test_runs_are_the_stretches_without_a_gap(there: set[int]) -> None:
    bounds = 900 * np.arange(11, dtype=np.int64)
    starts = 900 * np.array(sorted(there), dtype=np.int64)
    one = Aggregate("AT", FIVE, starts, starts, np.zeros(len(starts), dtype=np.uint8))
    covered: list[int] = []
    ends: list[int] = []
    for rows, start, end in runs(one, bounds):
        inside = list(range(int(start.timestamp()), int(end.timestamp()), 900))
        assert starts[rows].tolist() == inside
        assert not ends or ends[-1] < inside[0]
        ends.append(int(end.timestamp()))
        covered += inside
    assert covered == starts.tolist()


def test_edges_end_with_the_calendar() -> None:
    last = datetime(9999, 12, 30, 23, tzinfo=UTC)
    assert len(edges(last, last, "Europe/Vienna", TimeStep.PT1H)) == 0
    assert len(edges(last - timedelta(days=1), last, "Europe/Vienna", TimeStep.P1D)) == 1

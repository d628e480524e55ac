"""How much fits into a message is never less than what is written, in either encoding, however many gaps there are."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.contract.codec import Aggregate, AggregatesHeader, ValuesHeader
from flexiciency.contract.codec_write import write_aggregates, write_values
from flexiciency.contract.series import Encoding, Quantity, Series, TimeStep
from flexiciency.domain.portions import FRAME, Caps, aggregates_at_once, fits, pods_at_once

START = datetime(2025, 1, 1, tzinfo=UTC)
LONGEST_ID = "&" * 200
HEADER: dict[str, Any] = {
    "id": LONGEST_ID, "agreement": LONGEST_ID, "selection": LONGEST_ID, "quantity": Quantity.ENERGY_CONSUMPTION,
    "time_step": TimeStep.PT15M, "period_start": START, "period_end": START + timedelta(days=1), "version": 2**31 - 1,
}  # fmt: skip
encodings = st.sampled_from(Encoding)
runs = st.lists(st.integers(1, 3), min_size=1, max_size=40)
"""How many values follow each other before the next gap."""


def series(name: str, runs: list[int], value: int) -> list[Series]:
    """Values at their longest, with qualities and a gap of one step between two runs."""
    found, at = [], 0
    for length in runs:
        values = np.full(length, value)
        qualities = np.full(length, 3, dtype=np.uint8)
        found.append(Series(name, START + timedelta(minutes=15 * at), TimeStep.PT15M, values, qualities))
        at += length + 1
    return found


def size_with_header(chunks: Iterable[bytes]) -> int:
    """Of the object, and half of what is left for all that is around its series."""
    return len(b"".join(chunks)) + FRAME // 2


@given(runs, encodings, st.integers(1, 5))
def test_what_is_said_to_fit_does(runs: list[int], encoding: Encoding, pods: int) -> None:
    every = [one for pod in range(pods) for one in series(f"{pod}" + "<" * 63, runs, -(2**31))]
    written = size_with_header(write_values(ValuesHeader(**HEADER, encoding=encoding), every))
    intervals = sum(runs) + len(runs) - 1
    assert not fits(Caps(size=written - 1), pods, pods * intervals)


@given(runs, encodings, st.integers(1, 5))
def test_so_do_aggregates(runs: list[int], encoding: Encoding, groups: int) -> None:
    header = AggregatesHeader(
        **HEADER, encoding=encoding, aggregation_level="Portfolio", aggregation_method="Mean"
    )  # fmt: skip
    every = [Aggregate(10**7, one) for group in range(groups) for one in series(f"{group}" + "%" * 199, runs, -(2**62))]
    written = size_with_header(write_aggregates(header, every))
    intervals = sum(runs) + len(runs) - 1
    assert not fits(Caps(size=written - 1), groups, groups * intervals, aggregated=True)


@pytest.mark.parametrize("intervals", [1, 23, 24, 25, 92, 96, 100, 138, 144, 150])
def test_by_default_the_number_of_values_decides_and_a_day_of_one_pod_always_fits(intervals: int) -> None:
    assert pods_at_once(Caps(), intervals) == min(150_000 // intervals, pods_at_once(Caps(values=10**9), intervals))
    assert fits(Caps(values=150, size=150_000), 1, intervals)
    assert fits(Caps(values=150, size=150_000), 1, intervals, aggregated=True)
    assert pods_at_once(Caps(values=150), intervals) == 150 // intervals
    assert aggregates_at_once(Caps(values=150), intervals) == 150 // intervals


def test_a_day_of_quarter_hours_of_1562_pods_is_a_message() -> None:
    assert pods_at_once(Caps(), 96) == 1562
    assert fits(Caps(), 1562, 1562 * 96)
    assert not fits(Caps(), 1563, 1563 * 96)

"""Holds the values of a message against its header: grid, order, period (D2.3, 2.6; contract, decision 8)."""

from collections import defaultdict
from itertools import pairwise

import numpy as np

from flexiciency.contract.codec import ValuesHeader
from flexiciency.contract.codec_scan import Columns
from flexiciency.contract.series import Series, TimeStep, epoch, instant_of, timestamp
from flexiciency.errors import ValuesInvalid

_QUARTER = 900
_HOUR = 3600


def explicit_series(columns: Columns, header: ValuesHeader, path: str) -> list[Series]:
    """One Series for each run of values without a gap. `path` is the Series element's.

    ValuesInvalid names the first value that is off the grid of UTC hours, not after the one before, or outside the
    period. Local days (P1D) start at a quarter of an hour and last 23 to 25 hours: their zone is not in the message.
    """
    instants, step = columns.instants, header.time_step
    shortest, longest = _lengths(step)
    apart = np.diff(instants)
    outside = (instants < header.period_start.timestamp()) | (instants + shortest > header.period_end.timestamp())
    for wrong, rule in (
        (instants % _grid(step) != 0, f"is not on the grid of {step}"),
        (np.concatenate(([False], apart < shortest)), "does not follow the one before"),
        (outside, f"is outside {_period(header)}"),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            stamp = timestamp(instant_of(int(instants[row])))
            raise ValuesInvalid(
                f"{header.kind.name} {columns.pod}: the value at {stamp} {rule}", path=f"{path}/Value[{row + 1}]"
            )
    cuts = [0, *(np.flatnonzero(apart > longest) + 1).tolist(), len(instants)]
    return [_run(columns, slice(first, last), step) for first, last in pairwise(cuts)]


def check_compact(series: Series, header: ValuesHeader, path: str) -> None:
    """ValuesInvalid unless the series is of the header's step, starts on the grid and lies inside the period.

    `path` is the CompactValues element's.
    """
    if series.step is not header.time_step:
        rule = f"has time step {series.step}, the header {header.time_step}"
    elif series.start.microsecond or epoch(series.start) % _grid(series.step):
        rule = f"starts at {timestamp(series.start)}, which is not on the grid of {series.step}"
    elif series.start < header.period_start or _end(series) > header.period_end.timestamp():
        rule = f"has {len(series.values)} values from {timestamp(series.start)}, not all inside {_period(header)}"
    else:
        return
    raise ValuesInvalid(f"{header.kind.name} {series.pod}: the series {rule}", path=path)


def check_overlaps(series: list[Series], header: ValuesHeader, path: str) -> None:
    """ValuesInvalid if two series of one PoD or aggregate give a value for the same instant. `path` is the object's."""
    of_pod: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        of_pod[one.pod].append(one)
    for pod, several in of_pod.items():
        several.sort(key=lambda one: one.start)
        for before, after in pairwise(several):
            if _end(before) > epoch(after.start):
                raise ValuesInvalid(
                    f"{header.kind.name} {pod}: the value at {timestamp(after.start)} is given twice", path=path
                )


def _run(columns: Columns, rows: slice, step: TimeStep) -> Series:
    instants, qualities = columns.instants[rows], columns.qualities[rows]
    return Series(
        pod=columns.pod,
        start=instant_of(int(instants[0])),
        step=step,
        values=columns.values[rows],
        qualities=qualities if qualities.any() else None,
        starts=instants if step is TimeStep.P1D else None,
    )


def _grid(step: TimeStep) -> int:
    """Seconds since 1970 UTC at which a value may start are multiples of this."""
    return _QUARTER if step is TimeStep.P1D else step.seconds


def _lengths(step: TimeStep) -> tuple[int, int]:
    """The shortest and longest interval of a time step, in seconds."""
    return (23 * _HOUR, 25 * _HOUR) if step is TimeStep.P1D else (step.seconds, step.seconds)


def _end(series: Series) -> int:
    """End of the last value in seconds since 1970 UTC; of local days the earliest it can be."""
    if series.starts is not None:
        return int(series.starts[-1]) + _lengths(series.step)[0]
    change = _HOUR if series.step is TimeStep.P1D else 0
    return epoch(series.start) + len(series.values) * series.step.seconds - change


def _period(header: ValuesHeader) -> str:
    return f"the period {timestamp(header.period_start)} to {timestamp(header.period_end)}"

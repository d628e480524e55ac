"""Local days and blocks of meter values (contract, decisions 8 and 11; D2.3, 2.6).

A period is half-open [start, end) in UTC. Its dates are local days in the PoD's IANA zone, the end exclusive, so a day
has 92, 96 or 100 quarter hours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Quantity, Series, TimeStep, epoch

Moment = TypeVar("Moment", datetime, int)
"""An instant, as such or in seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One PoD, one quantity, one local day, one version: what the store keeps as one row.

    `start` is the day's first instant in UTC; `values` are Wh or W (int32 as stored, int64 when resampled), `qualities`
    codes of `Quality` (None: all Measured).
    """

    pod: str
    quantity: Quantity
    day: date
    version: int
    start: datetime
    step: TimeStep
    values: NDArray[np.int32] | NDArray[np.int64]
    qualities: NDArray[np.uint8] | None = None


def local_day(day: date, zone: str) -> tuple[datetime, datetime]:
    """[start, end) in UTC of a local day in an IANA zone."""
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


def local_days_period(start_date: date, end_date: date, zone: str) -> tuple[datetime, datetime]:
    """[start, end) in UTC of the local days from `start_date` to `end_date`, that day exclusive."""
    return _midnight(start_date, zone), _midnight(end_date, zone)


def day_starts(start_date: date, end_date: date, zone: str) -> NDArray[np.int64]:
    """First instant of each local day from `start_date`, `end_date` exclusive, in seconds since 1970 UTC."""
    days = range((end_date - start_date).days)
    return np.array([epoch(_midnight(start_date + timedelta(days=i), zone)) for i in days], dtype=np.int64)


def steps_in_day(day: date, zone: str, step: TimeStep) -> int:
    """Number of values of a local day: 92, 96 or 100 quarter hours; one for P1D."""
    if step is TimeStep.P1D:
        return 1
    start, end = local_day(day, zone)
    return int((end - start).total_seconds()) // step.seconds


def union(parts: Iterable[tuple[Moment, Moment]]) -> list[tuple[Moment, Moment]]:
    """What the parts [start, end) cover together, in order and apart."""
    apart: list[tuple[Moment, Moment]] = []
    for start, end in sorted(parts):
        if apart and start <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(apart[-1][1], end)
        else:
            apart.append((start, end))
    return apart


def joined(blocks: Iterable[Block]) -> Iterator[Series]:
    """One Series for each run of blocks of one PoD that follow each other without a gap, in the order given.

    The blocks are of one quantity. Local days (P1D) become Series with their `starts`.
    """
    for pod, of_pod in groupby(blocks, key=lambda block: block.pod):
        run: list[Block] = []
        for block in of_pod:
            if run and not _follows(run[-1], block):
                yield _one_series(pod, run)
                run = []
            run.append(block)
        yield _one_series(pod, run)


def _midnight(day: date, zone: str) -> datetime:
    """First instant of a local day. Where a clock change skips midnight, that is the instant of the change."""
    try:
        return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:  # the first day of the calendar, east of Greenwich
        return datetime.min.replace(tzinfo=UTC)


def _follows(before: Block, after: Block) -> bool:
    if before.step is not after.step:
        return False
    if before.step is TimeStep.P1D:
        return after.day - before.day == timedelta(days=1)
    return after.start - before.start == timedelta(seconds=len(before.values) * before.step.seconds)


def _one_series(pod: str, run: list[Block]) -> Series:
    first = run[0]
    measured_only = all(block.qualities is None for block in run)
    return Series(
        pod=pod,
        start=first.start,
        step=first.step,
        values=np.concatenate([block.values for block in run]),
        qualities=None if measured_only else np.concatenate([_qualities(block) for block in run]),
        starts=np.array([epoch(b.start) for b in run], dtype=np.int64) if first.step is TimeStep.P1D else None,
    )


def _qualities(block: Block) -> NDArray[np.uint8]:
    return np.zeros(len(block.values), dtype=np.uint8) if block.qualities is None else block.qualities

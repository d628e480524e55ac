"""Single readings, a line each, become curves of consecutive values."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.errors import FileBroken
from flexiciency.intake.rejected import Rejected
from flexiciency.intake.source import LoadCurve

LONGEST = 3_000
"""Values of one curve: about a month of quarter hours."""

# Local days are not equally long: none follows another.
_LENGTHS = {step: None if step is TimeStep.P1D else timedelta(seconds=step.seconds) for step in TimeStep}


class Reading(NamedTuple):
    """A value and where it stands. `start` in UTC; `value` in Wh or W; `quality` a code of `Quality`."""

    line: int
    pod: str
    quantity: Quantity
    step: TimeStep
    start: datetime
    value: int
    quality: int


def runs(readings: Iterable[Reading | Rejected]) -> Iterator[LoadCurve | Rejected]:
    """Curves of readings that follow each other, in order. A file that breaks off counts up to there: FileBroken."""
    run: list[Reading] = []
    for one in _until_broken(readings):
        if run and not (isinstance(one, Reading) and _follows(run[-1], one) and len(run) < LONGEST):
            yield _curve(run)
            run = []
        if isinstance(one, Reading):
            run.append(one)
        elif isinstance(one, Rejected):
            yield one
        else:
            raise one
    if run:
        yield _curve(run)


def _until_broken(readings: Iterable[Reading | Rejected]) -> Iterator[Reading | Rejected | FileBroken]:
    try:
        yield from readings
    except FileBroken as error:
        yield error


def _follows(before: Reading, after: Reading) -> bool:
    length = _LENGTHS[before.step]
    return before[1:4] == after[1:4] and length is not None and after.start - before.start == length


def _curve(run: list[Reading]) -> LoadCurve:
    first = run[0]
    qualities = [one.quality for one in run]
    return LoadCurve(
        first.line, first.pod, first.quantity, first.step, first.start,
        np.array([one.value for one in run], np.int64), np.array(qualities, np.uint8) if any(qualities) else None,
        lines=np.array([one.line for one in run], np.int64),
    )  # fmt: skip

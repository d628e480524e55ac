"""Load curves at a coarser time step (D2.3, 2.3 and 2.6): energy is summed, power averaged.

An interval any part of which is Missing is Missing itself: a sum of the others would be too low, and nobody could tell
by how much. Its quality is else the worst of its parts.
"""

from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Quality, Quantity, TimeStep, epoch
from flexiciency.domain.values import Block, local_day


def divides(fine: TimeStep, coarse: TimeStep) -> bool:
    """Whether intervals of the coarse step are made of whole fine ones: PT10M does not divide PT15M.

    Every step divides P1D, whatever the length of the day, and P1D none but itself.
    """
    return coarse.seconds % fine.seconds == 0


def multiples(fine: TimeStep) -> str:
    """The steps that this one divides, for a partner to read."""
    return ", ".join(step.value for step in TimeStep if divides(fine, step))


def resampled(block: Block, step: TimeStep, zone: str) -> Block | None:
    """The block at a coarser step, or None if it has no whole interval of it; values in int64.

    Intervals start on the grid of UTC hours; those that a block has only in part are left out. The one of P1D is the
    local day in the PoD's zone, and the block must be just that day. ValueError if the step is no multiple.
    """
    if step is block.step:
        return block
    if not divides(block.step, step):
        raise ValueError(f"{block.step.value} does not divide {step.value}")
    first, parts = (0, len(block.values)) if step is TimeStep.P1D else _grid(block, step)
    count = (len(block.values) - first) // parts if parts else 0
    if count < 1 or (step is TimeStep.P1D and not _is_whole_day(block, zone)):
        return None
    rows = slice(first, first + count * parts)
    totals = block.values[rows].astype(np.int64).reshape(count, parts).sum(axis=1)
    values = mean(totals, parts) if block.quantity is Quantity.POWER else totals
    qualities = None
    if block.qualities is not None:
        qualities = block.qualities[rows].reshape(count, parts).max(axis=1)
        values[qualities == Quality.MISSING] = 0
    start = block.start + timedelta(seconds=first * block.step.seconds)
    return replace(block, start=start, step=step, values=values, qualities=qualities)


def mean(totals: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Totals over their count, rounded half to even, in whole numbers: a float would not hold 64 bits."""
    whole, rest = np.divmod(totals, count)
    up = (2 * rest > count) | ((2 * rest == count) & (whole % 2 == 1))
    rounded: NDArray[np.int64] = whole + up
    return rounded


def _grid(block: Block, step: TimeStep) -> tuple[int, int]:
    """Which value the first interval begins with, and how many values make one."""
    parts = step.seconds // block.step.seconds
    return (-epoch(block.start) % step.seconds) // block.step.seconds, parts


def _is_whole_day(block: Block, zone: str) -> bool:
    """Whether the block is its local day: not if its PoD has moved to another zone since it was stored."""
    end = block.start + timedelta(seconds=len(block.values) * block.step.seconds)
    return (block.start, end) == local_day(block.day, zone)

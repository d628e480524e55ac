"""Meter values in CSV: long, a value a line (`pod,timestamp,value`), or wide, a local day a line (`pod,day,…`)."""

from collections.abc import Iterator

import numpy as np

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.intake import cells
from flexiciency.intake.cells import Options
from flexiciency.intake.csv_file import CsvFile
from flexiciency.intake.rejected import Code, Rejected, Unusable
from flexiciency.intake.runs import Reading, runs
from flexiciency.intake.source import LoadCurve

LONG, WIDE = {"pod", "timestamp", "value"}, {"pod", "day"}
LONG_OPTIONAL = {"quality", "quantity", "time_step"}
WIDE_OPTIONAL = {"quantity", "time_step"}

_Kind = tuple[Quantity, TimeStep, int]
"""Quantity, time step, and decimal places of a value that are whole Wh or W."""


def long_curves(file: CsvFile, options: Options, after: int) -> Iterator[LoadCurve | Rejected]:
    """A long file: columns pod, timestamp, value, and as one likes quality, quantity, time_step.

    An empty value is Missing. Raises FileInvalid, FileBroken.
    """
    return runs(_readings(file, options, after))


def wide_curves(file: CsvFile, options: Options, after: int) -> Iterator[LoadCurve | Rejected]:
    """A wide file: columns pod, day, as one likes quantity and time_step, and then a column for each value of the day.

    An empty cell between values is Missing, behind them nothing. Raises FileInvalid, FileBroken.
    """
    width = len(file.header)
    pod_at, day_at, quantity_at, step_at = (file.place(name) for name in ("pod", "day", "quantity", "time_step"))
    first = 1 + max(pod_at, day_at, quantity_at, step_at)
    kinds = _Kinds(options)
    for row in file.rows(after):
        if isinstance(row, Rejected):
            yield row
            continue
        line, found = row
        try:
            _check_count(found, width, least=first)
            found += [""] * (width + 1 - len(found))
            pod, day = _pod(found[pod_at]), cells.day(found[day_at])
            quantity, step, places = kinds.of(found[quantity_at], found[step_at])
        except Unusable as wrong:
            yield wrong.at(line)
            continue
        values: list[int] = []
        qualities: list[int] = []
        for column, cell in enumerate(_without_empty_end(found[first:]), start=first + 1):
            try:
                values.append(cells.number(cell, places, options.decimal) if cell else 0)
                qualities.append(Quality.MEASURED if cell else Quality.MISSING)
            except Unusable as wrong:
                yield wrong.at(line, column)
                values.append(0)
                qualities.append(Quality.MISSING)
        if values:
            yield LoadCurve(
                line, pod, quantity, step, day, np.array(values, np.int64),
                np.array(qualities, np.uint8) if any(qualities) else None, column=first + 1,
            )  # fmt: skip
        else:
            yield Rejected(line, None, Code.CELL_EMPTY, "the day has no value")


def _readings(file: CsvFile, options: Options, after: int) -> Iterator[Reading | Rejected]:
    width, decimal, kinds = len(file.header), options.decimal, _Kinds(options)
    names = ("pod", "timestamp", "value", "quality", "quantity", "time_step")
    pod_at, start_at, value_at, quality_at, quantity_at, step_at = (file.place(name) for name in names)
    for row in file.rows(after):
        if isinstance(row, Rejected):
            yield row
            continue
        line, found = row
        try:
            _check_count(found, width, least=width)
            found.append("")
            quantity, step, places = kinds.of(found[quantity_at], found[step_at])
            text = found[value_at].strip()
            value = cells.number(text, places, decimal) if text else 0
            quality = cells.quality(found[quality_at]) if text else int(Quality.MISSING)
            pod, start = _pod(found[pod_at]), cells.instant(found[start_at])
        except Unusable as wrong:
            yield wrong.at(line)
            continue
        yield Reading(line, pod, quantity, step, start, 0 if quality == Quality.MISSING else value, quality)


class _Kinds:
    """Quantity, step and places, by what the cells of quantity and time step say."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._known: dict[tuple[str, str], _Kind] = {}

    def of(self, quantity: str, step: str) -> _Kind:
        """Raises Unusable."""
        known = self._known.get((quantity, step))
        if known is None:
            found = cells.quantity(quantity, self._options.quantity)
            known = found, cells.time_step(step, self._options.step), self._options.places(found)
            self._known[quantity, step] = known
        return known


def _pod(cell: str) -> str:
    pod = cell.strip()
    if not pod:
        raise Unusable(Code.CELL_EMPTY, "pod is empty")
    return pod


def _check_count(found: list[str], width: int, *, least: int) -> None:
    if not least <= len(found) <= width:
        comma = " (decimal commas want quotes, or another --delimiter)" if len(found) > width else ""
        raise Unusable(Code.CELL_COUNT, f"{len(found)} cells, where the header has {width}{comma}")


def _without_empty_end(found: list[str]) -> list[str]:
    stripped = [cell.strip() for cell in found]
    while stripped and not stripped[-1]:
        stripped.pop()
    return stripped

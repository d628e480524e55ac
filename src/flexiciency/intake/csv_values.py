"""Meter values in CSV: long, a value a line (`pod,timestamp,value`), or wide, a local day a line (`pod,day,…`)."""

from collections.abc import Callable, Iterator

import numpy as np

from flexiciency.contract.series import Quality
from flexiciency.intake import cells
from flexiciency.intake.cells import Options
from flexiciency.intake.csv_file import CsvFile
from flexiciency.intake.rejected import Code, Rejected, Unusable
from flexiciency.intake.runs import Reading, runs
from flexiciency.intake.source import LoadCurve

LONG, WIDE = {"pod", "timestamp", "value"}, {"pod", "day"}
LONG_OPTIONAL = {"quality", "quantity", "time_step"}
WIDE_OPTIONAL = {"quantity", "time_step"}


def long_curves(file: CsvFile, options: Options, after: int) -> Iterator[LoadCurve | Rejected]:
    """A long file: columns pod, timestamp, value, and as one likes quality, quantity, time_step.

    An empty value is Missing. Raises FileInvalid, FileBroken.
    """
    file.need(LONG)
    take = _taker(file.header)
    return runs(_readings(file, _taker(file.header), options, after))


def wide_curves(file: CsvFile, options: Options, after: int) -> Iterator[LoadCurve | Rejected]:
    """A wide file: columns pod, day, as one likes quantity and time_step, and then a column for each value of the day.

    An empty cell between values is Missing, behind them nothing. Raises FileInvalid, FileBroken.
    """
    file.need(WIDE)
    take = _taker(file.header)
    first = 1 + max(number for number, name in enumerate(file.header) if name in WIDE | WIDE_OPTIONAL)
    for row in file.rows(after):
        if isinstance(row, Rejected):
            yield row
            continue
        line, found = row
        try:
            _check_count(found, file.header, fewer=True)
            pod, day = _pod(take, found), cells.day(take(found, "day"))
            quantity = cells.quantity(take(found, "quantity"), options.quantity)
            step = cells.time_step(take(found, "time_step"), options.step)
            places = options.places(quantity)
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
        if not values:
            yield Rejected(line, None, Code.CELL_EMPTY, "the day has no value")
            continue
        yield LoadCurve(
            line, pod, quantity, step, day, np.array(values, np.int64),
            np.array(qualities, np.uint8) if any(qualities) else None, column=first + 1,
        )  # fmt: skip


_Take = Callable[[list[str], str], str]


def _taker(header: list[str]) -> _Take:
    """A cell by its column's name; empty where there is no such column or cell."""
    places = {name: number for number, name in enumerate(header)}

    def take(found: list[str], name: str) -> str:
        place = places.get(name)
        return "" if place is None or place >= len(found) else found[place]

    return take


def _readings(file: CsvFile, take: _Take, options: Options, after: int) -> Iterator[Reading | Rejected]:
    for row in file.rows(after):
        if isinstance(row, Rejected):
            yield row
            continue
        line, found = row
        try:
            _check_count(found, file.header, fewer=False)
            read = _reading(line, take, found, options)
        except Unusable as wrong:
            yield wrong.at(line)
        else:
            yield read


def _reading(line: int, take: _Take, found: list[str], options: Options) -> Reading:
    quantity = cells.quantity(take(found, "quantity"), options.quantity)
    step = cells.time_step(take(found, "time_step"), options.step)
    text = take(found, "value").strip()
    value = cells.number(text, options.places(quantity), options.decimal) if text else 0
    quality = cells.quality(take(found, "quality")) if text else int(Quality.MISSING)
    start = cells.instant(take(found, "timestamp"))
    return Reading(line, _pod(take, found), quantity, step, start, 0 if quality == Quality.MISSING else value, quality)


def _pod(take: _Take, found: list[str]) -> str:
    pod = take(found, "pod").strip()
    if not pod:
        raise Unusable(Code.CELL_EMPTY, "pod is empty")
    return pod


def _check_count(found: list[str], header: list[str], *, fewer: bool) -> None:
    if len(found) > len(header) or (len(found) < len(header) and not fewer):
        comma = " (decimal commas want quotes, or another --delimiter)" if len(found) > len(header) else ""
        raise Unusable(Code.CELL_COUNT, f"{len(found)} cells, where the header has {len(header)}{comma}")


def _without_empty_end(found: list[str]) -> list[str]:
    stripped = [cell.strip() for cell in found]
    while stripped and not stripped[-1]:
        stripped.pop()
    return stripped

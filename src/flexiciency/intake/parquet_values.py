"""Meter values in Parquet, long or wide, in the columns of CSV; wide: a list of values, or a column for each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Quality, Quantity, TimeStep, epoch, instant_of
from flexiciency.errors import FileInvalid
from flexiciency.intake import cells
from flexiciency.intake.cells import Options
from flexiciency.intake.csv_values import LONG, LONG_OPTIONAL, WIDE, WIDE_OPTIONAL
from flexiciency.intake.parquet_file import Numbers, ParquetFile, numbers
from flexiciency.intake.rejected import Code, Rejected, Unusable
from flexiciency.intake.runs import LONGEST
from flexiciency.intake.source import LoadCurve

_REASONS = {
    Code.NUMBER_INVALID: "the value is no number",
    Code.TOO_MANY_PLACES: "the value has more than three places of kWh or kW",
    Code.VALUE_TOO_LARGE: "the value is too large",
}
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = date(1970, 1, 1)
_LAST_SECOND, _LAST_DAY = 2**33, 2**33 // 86_400
"""In 2242: beyond, a timestamp is in another unit than its column says."""


def wide_curves(file: ParquetFile, options: Options, after: int) -> Iterator[LoadCurve | Rejected]:
    """A wide file: columns pod, day, as one likes quantity and time_step, and values as a list or a column for each.

    A null or NaN between values is Missing, behind them nothing. Raises FileInvalid.
    """
    named = _value_columns(file)
    for first_row, batch in file.batches(after):
        rows = _Rows.of(file.arrow, [batch.column(number) for number in named], options.all_places)
        heads = zip(
            file.texts(batch, "pod"), _days(file, batch), file.texts(batch, "quantity"), file.texts(batch, "time_step"),
            strict=True,
        )  # fmt: skip
        for number, head in enumerate(heads):
            try:
                pod, day, quantity, step = _head(*head, options)
            except Unusable as wrong:
                yield wrong.at(first_row + number)
                continue
            found, qualities = rows.row(number)
            for code, place in rows.wrong_of(number):
                yield Rejected(first_row + number, named[0] + 1 + place, code, _REASONS[code])
            if len(found):
                yield LoadCurve(first_row + number, pod, quantity, step, day, found, qualities, column=named[0] + 1)
            else:
                yield Rejected(first_row + number, None, Code.CELL_EMPTY, "the day has no value")


def long_curves(file: ParquetFile, options: Options, after: int) -> Iterator[LoadCurve | Rejected]:
    """A long file: columns pod, timestamp, value, and as one likes quality, quantity, time_step.

    A null or NaN is Missing. Raises FileInvalid.
    """
    for first_row, batch in file.batches(after):
        yield from _Batch(file, options, first_row, batch).curves()


def check_columns(file: ParquetFile, options: Options, *, wide: bool) -> None:
    """Raises FileInvalid: columns missing, numbers of which nobody has said what they count, times without zone."""
    file.need(WIDE if wide else LONG)
    if wide and not _value_columns(file):
        raise FileInvalid(f"{file.path} has no column of values.")
    _check_lists(file, wide=wide)
    pa = file.arrow
    for name, kind in zip(file.names, file.schema.types, strict=True):
        if name in LONG_OPTIONAL | {"pod"}:
            continue
        if name == "day":
            if not pa.types.is_date(kind) and not _is_text(pa, kind):
                raise FileInvalid(f"{file.path}: column day is {kind}. Write dates, or text.")
            continue
        if name == "timestamp":
            if not (pa.types.is_timestamp(kind) and kind.tz) and not _is_text(pa, kind):
                raise FileInvalid(f"{file.path}: column timestamp is {kind}. Write timestamps with tz='UTC', or text.")
            continue
        values = kind.value_type if _is_list(pa, kind) else kind
        if pa.types.is_integer(values) and options.unit is None:
            raise FileInvalid(f"{file.path}: column {name} holds integers. Say of what: --unit Wh, W, kWh or kW.")
        if not any(is_one(values) for is_one in _number_types(pa)):
            raise FileInvalid(f"{file.path}: column {name} is {values}. Write integers, decimals (128 bits) or floats.")


def _check_lists(file: ParquetFile, *, wide: bool) -> None:
    """A list is the only column of values of a wide file. Raises FileInvalid."""
    if wide and len(_value_columns(file)) == 1:
        return
    for name, kind in zip(file.names, file.schema.types, strict=True):
        if name != "pod" and _is_list(file.arrow, kind):
            raise FileInvalid(f"{file.path}: column {name} is {kind}. Write a value a row, or one list for each day.")


def _value_columns(file: ParquetFile) -> list[int]:
    return [number for number, name in enumerate(file.names) if name not in WIDE | WIDE_OPTIONAL]


def _number_types(pa: Any) -> list[Callable[[Any], bool]]:
    """A column of nothing but nulls has a type of its own."""
    return [
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal128, pa.types.is_decimal64, pa.types.is_decimal32,
        pa.types.is_null,
    ]  # fmt: skip


def _is_list(pa: Any, kind: Any) -> bool:
    return any(is_one(kind) for is_one in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _is_text(pa: Any, kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _head(
    pod: str, day: date | str | None, quantity: str, step: str, options: Options
) -> tuple[str, date, Quantity, TimeStep]:
    """What a row is of. Raises Unusable."""
    if not pod:
        raise Unusable(Code.CELL_EMPTY, "pod is empty")
    if not isinstance(day, date):
        day = cells.day(day or "")
    found = cells.quantity(quantity, options.quantity)
    options.places(found)
    return pod, day, found, cells.time_step(step, options.step)


def _days(file: ParquetFile, batch: Any) -> list[date | str | None]:
    """Days; as text where they are that, or beyond any calendar."""
    pa, column = file.arrow, batch.column(file.names.index("day"))
    if not pa.types.is_date(column.type):
        return list(file.texts(batch, "day"))
    numbers_of = column.cast(pa.date32()).cast(pa.int32()).to_pylist()
    return [None if one is None else _day_of(one) for one in numbers_of]


def _day_of(number: int) -> date | str:
    return _EPOCH + timedelta(days=number) if 0 <= number < _LAST_DAY else f"day {number} since 1970"


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The values of rows one behind the other: those of row i from bounds[i] to bounds[i + 1]."""

    found: Numbers
    bounds: Sequence[int]

    @staticmethod
    def of(pa: Any, columns: list[Any], places: int) -> "_Rows":
        if _is_list(pa, columns[0].type):
            (column,) = columns
            lengths = pa.compute.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
            bounds = np.concatenate(([0], np.cumsum(lengths)))
            return _Rows(numbers(pa, column.flatten(), places), bounds.tolist())
        each = [numbers(pa, column, places) for column in columns]
        count = len(columns[0])
        wrong = [(code, _beside([one.wrong.get(code) for one in each], count)) for code in _REASONS]
        found = Numbers(
            np.stack([one.values for one in each], axis=1).ravel(),
            _beside([one.missing for one in each], count),
            {code: mask for code, mask in wrong if mask is not None},
        )
        return _Rows(found, range(0, (count + 1) * len(columns), len(columns)))

    def row(self, number: int) -> tuple[NDArray[np.signedinteger[Any]], NDArray[np.uint8] | None]:
        """Values and qualities of a row, without what is empty behind them."""
        chosen = slice(self.bounds[number], self.bounds[number + 1])
        values, missing = self.found.values[chosen], self.found.missing
        if missing is not None:
            there = np.flatnonzero(~missing[chosen])
            chosen = slice(chosen.start, chosen.start + (int(there[-1]) + 1 if len(there) else 0))
            values = self.found.values[chosen]
        masks = [where[chosen] for where in (missing, *self.found.wrong.values()) if where is not None]
        if not any(mask.any() for mask in masks):
            return values, None
        lacking = np.logical_or.reduce(masks)
        return np.where(lacking, 0, values), np.where(lacking, Quality.MISSING, Quality.MEASURED).astype(np.uint8)

    def wrong_of(self, number: int) -> Iterator[tuple[Code, int]]:
        """Codes and places of what cannot be used in a row."""
        first, last = self.bounds[number], self.bounds[number + 1]
        for code, where in self.found.wrong.items():
            for place in np.flatnonzero(where[first:last]).tolist():
                yield code, place


def _beside(masks: list[NDArray[np.bool_] | None], count: int) -> NDArray[np.bool_] | None:
    """Masks of columns, row by row; None where there is nothing."""
    if all(mask is None for mask in masks):
        return None
    return np.stack([np.zeros(count, np.bool_) if mask is None else mask for mask in masks], axis=1).ravel()


class _Batch:
    """Rows of a long file, a value each."""

    def __init__(self, file: ParquetFile, options: Options, first_row: int, batch: Any) -> None:
        self._file, self._options, self._batch = file, options, batch
        self.lines = np.arange(first_row, first_row + batch.num_rows)
        self._wrong: dict[int, Unusable] = {}

    def curves(self) -> Iterator[LoadCurve | Rejected]:
        """Runs of rows that follow each other, and rejected rows, in order."""
        found: list[LoadCurve | Rejected] = [*self._runs()]
        found += [wrong.at(int(self.lines[row])) for row, wrong in self._wrong.items()]
        yield from sorted(found, key=lambda one: one.line)

    def _runs(self) -> Iterator[LoadCurve]:
        pods, pod = self._words("pod", self._pod)
        quantities, quantity = self._words("quantity", self._quantity)
        steps, step = self._words("time_step", lambda text: cells.time_step(text, self._options.step))
        qualities, quality = self._words("quality", cells.quality)
        seconds = self._seconds()
        values, missing = self._values()
        good = np.ones(len(self.lines), np.bool_)
        good[list(self._wrong)] = False
        kept = np.flatnonzero(good)
        if not len(kept):
            return
        codes = np.array([0 if one is None else one for one in quality], np.uint8)[qualities]
        codes[missing] = Quality.MISSING
        values[codes == Quality.MISSING] = 0
        lengths = np.array([0 if one is None or one is TimeStep.P1D else one.seconds for one in step])[steps]
        same = (np.diff(pods[kept]) == 0) & (np.diff(quantities[kept]) == 0) & (np.diff(steps[kept]) == 0)
        follows = same & (np.diff(seconds[kept]) == lengths[kept][:-1]) & (lengths[kept][:-1] > 0)
        firsts = np.concatenate(([0], np.flatnonzero(~follows) + 1, [len(kept)])).tolist()
        for first, last in pairwise(firsts):
            for start in range(first, last, LONGEST):
                rows = kept[start : min(last, start + LONGEST)]
                row = rows[0]
                yield LoadCurve(
                    int(self.lines[row]), pod[pods[row]], quantity[quantities[row]], step[steps[row]],
                    instant_of(int(seconds[row])), values[rows], codes[rows] if codes[rows].any() else None,
                    lines=self.lines[rows],
                )  # fmt: skip

    def _words(self, name: str, read: Any) -> tuple[NDArray[np.int64], list[Any]]:
        """A column of few words: for each row the number of its word, and what each word reads as."""
        numbers_of: dict[str, int] = {}
        rows = [numbers_of.setdefault(text, len(numbers_of)) for text in self._file.texts(self._batch, name)]
        found, indexes = [], np.array(rows, np.int64)
        for text, number in numbers_of.items():
            try:
                found.append(read(text))
            except Unusable as wrong:
                found.append(None)
                self._leave_out(indexes == number, wrong)
        return indexes, found

    def _pod(self, text: str) -> str:
        if not text:
            raise Unusable(Code.CELL_EMPTY, "pod is empty")
        return text

    def _quantity(self, text: str) -> Quantity:
        found = cells.quantity(text, self._options.quantity)
        self._options.places(found)
        return found

    def _seconds(self) -> NDArray[np.int64]:
        """Starts in seconds since 1970."""
        pa = self._file.arrow
        column = self._batch.column(self._file.names.index("timestamp"))
        if not pa.types.is_timestamp(column.type):
            rows, found = self._words("timestamp", _second)
            return np.array([0 if one is None else one for one in found], np.int64)[rows]
        empty = column.is_null().to_numpy(zero_copy_only=False)
        ticks = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        seconds, rest = np.divmod(ticks, _TICKS[column.type.unit])
        beyond = (seconds < 0) | (seconds >= _LAST_SECOND)
        self._leave_out(beyond, Unusable(Code.DAY_INVALID, "the timestamp is of another century"))
        self._leave_out(rest != 0, Unusable(Code.OFF_GRID, "the timestamp is no whole second"))
        self._leave_out(empty, Unusable(Code.CELL_EMPTY, "timestamp is empty"))
        return np.asarray(seconds, np.int64)

    def _values(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Values, and where there are none."""
        column = self._batch.column(self._file.names.index("value"))
        found = numbers(self._file.arrow, column, self._options.all_places)
        for code, where in found.wrong.items():
            self._leave_out(where, Unusable(code, _REASONS[code]))
        missing = np.zeros(len(self.lines), np.bool_) if found.missing is None else found.missing
        return found.values.astype(np.int64), missing

    def _leave_out(self, where: NDArray[np.bool_], wrong: Unusable) -> None:
        self._wrong |= dict.fromkeys(np.flatnonzero(where).tolist(), wrong)


def _second(text: str) -> int:
    start = cells.instant(text)
    if start.microsecond:
        raise Unusable(Code.OFF_GRID, f"{text[:40]!r} is no whole second")
    return epoch(start)

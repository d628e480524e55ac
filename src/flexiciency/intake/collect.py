"""Load curves become blocks: local days of the PoD, on their grid, each value once. Pure: no I/O.

What contradicts that is rejected, value by value; places of a day for which nothing came are Missing in its block.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Quality, Quantity, TimeStep, epoch, instant_of, kilo_text, timestamp
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.intake.rejected import Code, Rejected, Unusable
from flexiciency.intake.source import LoadCurve

YEARS = range(2000, 2100)
"""Of days that are taken: others are misprints, and each of their months would get a partition."""

_MOST = 2**31 - 1
_USUAL = 86_400
_Key = tuple[str, Quantity, date]


@dataclass(slots=True, eq=False)
class _Day:
    """A local day while its values arrive.

    `there` are the places of which something came, `disputed` those of which two things came. `lines` says from
    where, and `column` where the value at place 0 stands or would, if values stand side by side.
    """

    start: datetime
    step: TimeStep
    values: NDArray[np.int32]
    qualities: NDArray[np.uint8]
    there: NDArray[np.bool_]
    disputed: NDArray[np.bool_]
    lines: NDArray[np.int64]
    column: int | None
    first_line: int

    def place(self, number: int) -> tuple[int, int | None]:
        """Line and column of the value at a place."""
        return int(self.lines[number]), None if self.column is None else self.column + number


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """A block, and where its values came from."""

    block: Block
    day: _Day

    def rejected(self, number: int, code: Code, reason: str) -> Rejected:
        """The value at a place of the block, rejected."""
        return Rejected(*self.day.place(number), code, reason)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Values of a curve, from `first` on, that belong to the places of a day from `at` on."""

    day: date
    at: int
    first: int
    count: int


class Collector:
    """Gathers curves by PoD, quantity and local day."""

    def __init__(self) -> None:
        self.rejected: list[Rejected] = []
        self._days: dict[_Key, _Day] = {}
        self._open: dict[_Key, _Day] = {}

    @property
    def complete(self) -> int:
        """Days of which all came."""
        return len(self._days) - len(self._open)

    @property
    def open(self) -> int:
        """Days of which something has not come yet."""
        return len(self._open)

    @property
    def first_open_line(self) -> int | None:
        """The first line of any such day."""
        return min((day.first_line for day in self._open.values()), default=None)

    def add(self, curve: LoadCurve, zone: str) -> None:
        """Take a curve of a PoD in this IANA zone; what is wrong with it is then in `rejected`."""
        try:
            pieces = list(_pieces(curve, zone))
        except Unusable as wrong:
            self.reject(curve, wrong.code, wrong.reason)
            return
        if curve.qualities is not None:
            if curve.qualities.max() > max(Quality):
                self.reject(curve, Code.QUALITY_UNKNOWN, f"code {curve.qualities.max()}")
                return
            curve = replace(curve, values=np.where(curve.qualities == Quality.MISSING, 0, curve.values))
        usable = self._usable(curve)
        for piece in pieces:
            key = (curve.pod, curve.quantity, piece.day)
            day = self._days.get(key)
            if day is None:
                day = self._days[key] = _begun(curve, piece, zone, usable)
            elif day.step is curve.step:
                self._fill_again(day, curve, piece, usable)
            else:
                self._reject_steps(day, curve, piece)
            if day.there.all():
                self._open.pop(key, None)
            else:
                self._open[key] = day

    def reject(self, curve: LoadCurve, code: Code, reason: str) -> None:
        """Leave a curve out, each line of it."""
        lines = [curve.line] if curve.lines is None else curve.lines.tolist()
        self.rejected += [Rejected(line, None, code, reason) for line in lines]

    def take(self, *, everything: bool) -> Iterator[Collected]:
        """The complete days, or all; they are forgotten here."""
        days, still_open = self._days, self._open
        self._days, self._open = ({}, {}) if everything else (dict(still_open), still_open)
        for key, day in days.items():
            taken = day.there.any() if everything else key not in still_open
            if taken:
                pod, quantity, local = key
                yield Collected(Block(pod, quantity, local, 1, day.start, day.step, day.values, day.qualities), day)

    def _usable(self, curve: LoadCurve) -> NDArray[np.bool_] | None:
        """Which values a block can hold; None: all."""
        low = -_MOST - 1 if curve.quantity is Quantity.POWER else 0
        if curve.values.min() >= low and curve.values.max() <= _MOST:
            return None
        usable: NDArray[np.bool_] = (curve.values >= low) & (curve.values <= _MOST)
        for number in np.flatnonzero(~usable).tolist():
            value = int(curve.values[number])
            negative = value < 0 and curve.quantity is not Quantity.POWER
            code = Code.NEGATIVE_ENERGY if negative else Code.VALUE_TOO_LARGE
            reason = f"{kilo_text(value)} {curve.quantity.unit} of PoD {curve.pod}"
            self.rejected.append(Rejected(*_place(curve, number), code, reason))
        return usable

    def _fill_again(self, day: _Day, curve: LoadCurve, piece: _Piece, usable: NDArray[np.bool_] | None) -> None:
        """More values for a day: the same value twice counts once, of two that contradict each other neither."""
        places = slice(piece.at, piece.at + piece.count)
        values, qualities, comes = _chosen(curve, piece, usable)
        says = comes & (qualities != Quality.MISSING)
        said = day.there[places] & (day.qualities[places] != Quality.MISSING)
        differs = (day.values[places] != values) | (day.qualities[places] != qualities)
        disputed = says & ((said & differs) | day.disputed[places])
        for number in np.flatnonzero(disputed).tolist():
            self._dispute(day, piece.at + number, curve, piece.first + number)
        fresh = comes & ~said & ~day.disputed[places]
        day.values[places][fresh] = values[fresh]
        day.qualities[places][fresh] = qualities[fresh]
        day.lines[places][fresh] = np.broadcast_to(_lines(curve, piece), piece.count)[fresh]
        day.there[places] |= fresh

    def _dispute(self, day: _Day, place: int, curve: LoadCurve, number: int) -> None:
        """Reject both values."""
        first, second = day.place(place), _place(curve, number)
        pod, unit = curve.pod, curve.quantity.unit
        text = f"PoD {pod} at {timestamp(day.start + place * timedelta(seconds=day.step.seconds))}"
        says = _says(int(curve.values[number]), unit, 0 if curve.qualities is None else int(curve.qualities[number]))
        if day.disputed[place]:
            reason = f"{text}: {says}, after {_in_words(first)} was contradicted already"
            self.rejected.append(Rejected(*second, Code.DUPLICATE_CONTRADICTS, reason))
            return
        said = _says(int(day.values[place]), unit, int(day.qualities[place]))
        for at, here, other, there in ((first, said, second, says), (second, says, first, said)):
            reason = f"{text}: {here}, but {there} in {_in_words(other)}"
            self.rejected.append(Rejected(*at, Code.DUPLICATE_CONTRADICTS, reason))
        day.disputed[place] = True
        day.there[place] = False
        day.values[place], day.qualities[place] = 0, Quality.MISSING

    def _reject_steps(self, day: _Day, curve: LoadCurve, piece: _Piece) -> None:
        reason = f"{curve.step} of PoD {curve.pod} on {piece.day}, which has {day.step} since line {day.first_line}"
        self.rejected += [Rejected(line, None, Code.STEPS_OVERLAP, reason) for line in _lines(curve, piece).tolist()]


def _begun(curve: LoadCurve, piece: _Piece, zone: str, usable: NDArray[np.bool_] | None) -> _Day:
    """A day with its first values."""
    start, length = _grid(piece.day, zone, curve.step)
    values, qualities, comes = _chosen(curve, piece, usable)
    if usable is not None:
        values, qualities = np.where(comes, values, 0), np.where(comes, qualities, Quality.MISSING).astype(np.uint8)
    lines = np.full(length, curve.line, np.int64)
    if curve.lines is not None:
        lines[piece.at : piece.at + piece.count] = _lines(curve, piece)
    return _Day(
        start=start,
        step=curve.step,
        values=_spread(values, np.int32, piece, length),
        qualities=_spread(qualities, np.uint8, piece, length, Quality.MISSING),
        there=_spread(comes, np.bool_, piece, length),
        disputed=np.zeros(length, np.bool_),
        lines=lines,
        column=None if curve.column is None else curve.column + piece.first - piece.at,
        first_line=curve.line if curve.lines is None else int(curve.lines[piece.first]),
    )


def _spread(part: NDArray[Any], kind: type[np.generic], piece: _Piece, length: int, otherwise: int = 0) -> NDArray[Any]:
    """A new array of the whole day, with this part of it."""
    if piece.count == length:
        return part.astype(kind)
    whole = np.full(length, otherwise, kind)
    whole[piece.at : piece.at + piece.count] = part
    return whole


def _chosen(
    curve: LoadCurve, piece: _Piece, usable: NDArray[np.bool_] | None
) -> tuple[NDArray[np.signedinteger[Any]], NDArray[np.uint8], NDArray[np.bool_]]:
    """Values, qualities and usability of a piece."""
    chosen = slice(piece.first, piece.first + piece.count)
    return (
        curve.values[chosen],
        np.zeros(piece.count, np.uint8) if curve.qualities is None else curve.qualities[chosen],
        np.ones(piece.count, np.bool_) if usable is None else usable[chosen],
    )


def _lines(curve: LoadCurve, piece: _Piece) -> NDArray[np.int64]:
    """The lines of a piece: one, or one for each value."""
    if curve.lines is None:
        return np.array([curve.line])
    return curve.lines[piece.first : piece.first + piece.count]


def _pieces(curve: LoadCurve, zone: str) -> Iterator[_Piece]:
    """A curve by local days. Raises Unusable where it is not on the grid of one."""
    if not isinstance(curve.start, datetime):
        yield _Piece(curve.start, 0, 0, _length_of_day(curve, curve.start, zone))
        return
    if not YEARS[0] <= curve.start.year <= YEARS[-1]:
        raise Unusable(Code.DAY_INVALID, f"{curve.start.isoformat()} is not in the years {YEARS[0]} to {YEARS[-1]}")
    first, instant = 0, epoch(curve.start)
    if curve.start.microsecond:
        raise Unusable(Code.OFF_GRID, f"{curve.start.isoformat()} is no whole second")
    while first < len(curve.values):
        day = datetime.fromtimestamp(instant, _zone(zone)).date()
        start, length = _grid(day, zone, curve.step)
        into = instant - epoch(start)
        at, beyond = divmod(into, curve.step.seconds)
        if beyond or at >= length:
            raise Unusable(
                Code.OFF_GRID,
                f"{timestamp(instant_of(instant))} is {into // 60} min {into % 60} s after the start of {day} of PoD "
                f"{curve.pod} ({zone}), no multiple of {curve.step}",
            )
        count = min(len(curve.values) - first, length - at)
        yield _Piece(day, at, first, count)
        first += count
        instant = epoch(_grid(day + timedelta(days=1), zone, curve.step)[0])


def _length_of_day(curve: LoadCurve, day: date, zone: str) -> int:
    """The number of values of a curve of one local day, whose last ones may lack. Raises Unusable.

    As many as a day of another length has are refused: a file that does not know of clock changes would be taken for
    one with gaps, an hour off.
    """
    _, length = _grid(day, zone, curve.step)
    given = len(curve.values)
    hour = 3600 // curve.step.seconds
    usual = _USUAL // curve.step.seconds
    if given > length or (given != length and hour and given in (usual - hour, usual)):
        expected = f"{day} of PoD {curve.pod} ({zone}) has {length} values every {curve.step}"
        raise Unusable(Code.DAY_LENGTH, f"{given} values; {expected}")
    return given


@lru_cache(maxsize=4096)
def _grid(day: date, zone: str, step: TimeStep) -> tuple[datetime, int]:
    """Start of a local day, and how many values it has. Raises Unusable."""
    if day.year not in YEARS:
        raise Unusable(Code.DAY_INVALID, f"{day} is not in the years {YEARS[0]} to {YEARS[-1]}")
    return local_day(day, zone)[0], steps_in_day(day, zone, step)


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _place(curve: LoadCurve, number: int) -> tuple[int, int | None]:
    """Line and column of a value of a curve."""
    if curve.lines is not None:
        return int(curve.lines[number]), None
    return curve.line, None if curve.column is None else curve.column + number


def _says(value: int, unit: str, quality: int) -> str:
    return f"{kilo_text(value)} {unit} {Quality(quality).word}"


def _in_words(place: tuple[int, int | None]) -> str:
    line, column = place
    return f"line {line}" if column is None else f"line {line}, column {column}"

"""Reads values straight from canonical bytes, all values of a batch at once.

Only the usual form is taken, every byte of it compared; at anything else `scan` gives up and returns None:

    <p:PodValues><p:PoD>…</p:PoD><p:Series>      (of an aggregate: AggregateValues, AggregationId, PodCount)
    <p:Value[ quality="…"] timestamp="2025-01-01T00:00:00Z">-0.000</p:Value>…      (without line breaks)
    </p:Series></p:PodValues>

or, for the Values of one PoD, the Compact form that `codec_scan_compact` reads. In canonical XML `<` starts a tag
wherever it stands, and attributes are sorted by name. Whatever form is taken here follows the XSD.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from flexiciency.contract.codec import AGGREGATED, Kind
from flexiciency.contract.series import Quality, kilo_text, narrowed

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

_BATCH = 1_000_000
"""Bytes of values read at once: enough to make numpy's overhead small, and little memory."""
_STAMP = len(' timestamp="2025-01-01T00:00:00Z">')
_QUALITIES = [(quality, f' quality="{quality.word}"'.encode()) for quality in Quality]
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


class UnusualFormError(Exception):
    """Valid perhaps, but for the reader of elements."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where the bytes of one PoD or aggregate stand, between its Series tags; `count` as in `Columns`."""

    pod: str
    count: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The values of one PoD or aggregate as they stand there: seconds since 1970 UTC, Wh or W, quality codes.

    `count` is the number of PoDs behind an aggregate, 1 of a PoD; `spare` is where all but the first value stand.
    """

    pod: str
    instants: Integers
    values: NDArray[np.int32] | NDArray[np.int64]
    qualities: Bytes
    count: int = 1
    spare: tuple[slice, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CompactColumns:
    """A CompactValues: `start` and `step` as they stand there, unread; the rest as in `Columns`.

    `qualities` is empty where the series has none.
    """

    pod: str
    start: str
    step: str
    values: NDArray[np.int32] | NDArray[np.int64]
    qualities: Bytes
    count: int = 1
    spare: tuple[slice, ...] = ()


def parts_of(canonical: bytes, p: bytes, kind: Kind) -> Iterator[Part]:
    """The parts in order. UnusualFormError unless nothing but them stands between the header and the object's end.

    `p` is the prefix with its colon.
    """
    item, name = kind.item.encode(), kind.name.encode()
    count = b"<%bPodCount>([0-9]{1,10})</%bPodCount>" % (p, p) if kind is AGGREGATED else b"()"
    start = re.compile(b"<%b%b><%b%b>([^<&]+)</%b%b>%b<%bSeries>" % (p, item, p, name, p, name, count, p))
    end = b"</%bSeries></%b%b>" % (p, p, item)
    position = canonical.find(b"<%b%b>" % (p, item))
    # One before it may have another prefix.
    require(position >= 0 and canonical.endswith(b"</%bVersion>" % p, 0, position))
    while found := start.match(canonical, position):
        stop = canonical.find(end, found.end())
        require(stop > found.end())
        yield Part(found[1].decode(), int(found[2] or 1), found.end(), stop)
        position = stop + len(end)
    require(canonical.startswith(b"</%b%b>" % (p, kind.element.encode()), position))


def batches(parts: Iterator[Part]) -> Iterator[list[Part]]:
    """Parts, about `_BATCH` bytes at a time."""
    batch: list[Part] = []
    size = 0
    for part in parts:
        batch.append(part)
        size += part.stop - part.start
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def read_batch(canonical: bytes, parts: list[Part], p: bytes, kind: Kind) -> Iterator[Columns]:
    """The columns of parts that are all Explicit. UnusualFormError."""
    whole = memoryview(canonical)
    text = np.frombuffer(b"".join([whole[part.start : part.stop] for part in parts]), dtype=np.uint8)
    opens, ends, closes = _tags(text, p)
    instants = _instants(window(text, ends - _STAMP + 1, _STAMP))
    values = values_of(text, ends, closes, kind)
    fitted = values if kind is AGGREGATED else narrowed(values)
    qualities = qualities_of(text, opens + len(p) + len("<Value"), ends - _STAMP + 1, _QUALITIES)
    bounds = np.searchsorted(opens, np.cumsum([0] + [part.stop - part.start for part in parts])).tolist()
    closing = len(b"</%bValue>" % p)
    for part, first, last in zip(parts, bounds[:-1], bounds[1:], strict=True):
        rows = slice(first, last)
        own = fitted[rows] if kind is AGGREGATED else narrowed(fitted[rows])
        second = part.start + int(closes[first] - opens[first]) + closing
        yield Columns(part.pod, instants[rows], own, qualities[rows], part.count, (slice(second, part.stop),))


def _tags(text: Bytes, p: bytes) -> tuple[Integers, Integers, Integers]:
    """Where each Value's opening tag starts and ends, and its closing tag starts; nothing stands between Values."""
    opening, closing = b"<%bValue" % p, b"</%bValue>" % p
    marks, ends = np.flatnonzero(text == ord("<")), np.flatnonzero(text == ord(">"))
    require(len(marks) > 0 and len(marks) % 2 == 0 and len(ends) == len(marks))
    opens, closes, ends = marks[0::2], marks[1::2], ends[0::2]
    after = closes + len(closing)
    require(opens[0] == 0 and after[-1] == len(text) and np.array_equal(after[:-1], opens[1:]))
    # No text ends before it starts, and the shortest opening tag has room for name and timestamp.
    require((ends < closes).all() and (ends - opens + 1 >= len(opening) + _STAMP).all())
    require(_all_equal(window(text, opens, len(opening)), opening))
    require(_all_equal(window(text, closes, len(closing)), closing))
    return opens, ends, closes


def _instants(stamps: Bytes) -> Integers:
    """Seconds since 1970 UTC of rows like ` timestamp="2025-01-01T00:00:00Z">`, real ones as the XSD wants."""
    mould = np.frombuffer(b' timestamp="0000-00-00T00:00:00Z">', dtype=np.uint8)
    is_digit = mould == ord("0")
    require(_all_equal(stamps[:, ~is_digit], mould[~is_digit].tobytes()))
    digits = stamps[:, is_digit] - np.uint8(ord("0"))
    require(_all_digits(digits))
    number = digits.astype(np.int32).T
    year = ((number[0] * 10 + number[1]) * 10 + number[2]) * 10 + number[3]
    month, day, hour, minute, second = (number[i] * 10 + number[i + 1] for i in range(4, 14, 2))
    months = (year - 1970) * 12 + month - 1
    require(((year > 0) & (month >= 1) & (month <= len(_DAYS)) & (day >= 1)).all())
    require((day <= _DAYS[month - 1] + ((month == 2) & _is_leap(year))).all())  # noqa: PLR2004  February
    require(((hour < 24) & (minute < 60) & (second < 60)).all())  # noqa: PLR2004  a clock
    days: Integers = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
    seconds: Integers = days * 86400 + (hour * 3600 + minute * 60 + second)
    return seconds


def _is_leap(year: NDArray[np.int32]) -> NDArray[np.bool_]:
    leap: NDArray[np.bool_] = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return leap


def values_of(text: Bytes, ends: Integers, closes: Integers, kind: Kind) -> Integers:
    """Thousandths of the texts between `ends` and `closes`, which must have exactly three decimal places.

    Before each close stand at least as many bytes as the longest text has.
    """
    lengths = closes - ends - 1
    width = int(lengths.max())
    require(lengths.min() >= len("0.000") and width <= len(kilo_text(-kind.most)))
    column = np.arange(width)
    digits = window(text, closes - width, width)  # right-aligned; on the left, bytes of the opening tag
    first = (width - lengths)[:, None]
    negative = digits[np.arange(len(digits)), first[:, 0]] == ord("-")
    require((lengths - negative >= len("0.000")).all() and (digits[:, -4] == ord(".")).all())
    digits = digits - np.uint8(ord("0"))
    digits[column < first + negative[:, None]] = 0
    total = np.zeros(len(digits), dtype=np.int64)
    for i in column[column != width - 4]:
        require(_all_digits(digits[:, i]))
        total = total * 10 + digits[:, i]
    total[negative] *= -1
    require((np.abs(total) <= kind.most).all())
    return total


def qualities_of(text: Bytes, starts: Integers, stops: Integers, words: list[tuple[Quality, bytes]]) -> Bytes:
    """Codes of what stands between starts and stops: nothing, or one of the words."""
    codes = np.zeros(len(starts), dtype=np.uint8)
    lengths = stops - starts
    unread = lengths > 0
    for quality, word in words:
        rows = np.flatnonzero(unread & (lengths == len(word)))
        rows = rows[_equal(window(text, starts[rows], len(word)), word)]
        codes[rows] = quality
        unread[rows] = False
    require(not unread.any())
    return codes


def window(text: Bytes, positions: Integers, width: int) -> Bytes:
    """`width` bytes from each position, one row each."""
    return sliding_window_view(text, width)[positions]


def _equal(rows: Bytes, expected: bytes) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = (rows == np.frombuffer(expected, dtype=np.uint8)).all(axis=1)
    return equal


def _all_equal(rows: Bytes, expected: bytes) -> bool:
    return bool((rows == np.frombuffer(expected, dtype=np.uint8)).all())


def _all_digits(digits: Bytes) -> bool:
    return not len(digits) or int(digits.max()) < len("0123456789")


def require(usual: bool | np.bool_, /) -> None:  # noqa: FBT001 - reads as a sentence
    """UnusualFormError if not."""
    if not usual:
        raise UnusualFormError

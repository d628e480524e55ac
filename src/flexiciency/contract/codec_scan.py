"""Reads time-stamped values straight from canonical bytes, all values of a batch at once.

Only the usual form is taken, every byte of it compared; at anything else `scan` gives up and returns None:

    <p:PodValues><p:PoD>…</p:PoD><p:Series>      (of an aggregate: AggregateValues, AggregationId, PodCount)
    <p:Value[ quality="…"] timestamp="2025-01-01T00:00:00Z">-0.000</p:Value>…      (without line breaks)
    </p:Series></p:PodValues>

In canonical XML `<` starts a tag wherever it stands, and attributes are sorted by name.
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


_Name = tuple[str, int]
"""A PoD and 1, or an AggregationId and the number of its PoDs."""


class _UnusualFormError(Exception):
    """Valid perhaps, but for the reader of elements."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The values of one PoD or aggregate as they stand there: seconds since 1970 UTC, Wh or W, quality codes.

    `count` is the number of PoDs behind an aggregate, 1 of a PoD.
    """

    pod: str
    instants: Integers
    values: NDArray[np.int32] | NDArray[np.int64]
    qualities: Bytes
    count: int = 1


def scan(canonical: bytes, prefix: str | None, kind: Kind) -> list[Columns] | None:
    """The columns of each series in order, or None if anything is not in the usual form.

    `prefix` is the one bound to the provision namespace at the object.
    """
    p = f"{prefix}:".encode() if prefix else b""
    columns: list[Columns] = []
    try:
        for names, parts in _batches(canonical, p, kind):
            columns += _read_batch(names, parts, p, kind)
    except _UnusualFormError:
        return None
    return columns


def _batches(canonical: bytes, p: bytes, kind: Kind) -> Iterator[tuple[list[_Name], list[memoryview]]]:
    """PoDs or aggregates and the bytes between their Series tags, about `_BATCH` bytes at a time."""
    item, name = kind.item.encode(), kind.name.encode()
    count = b"<%bPodCount>([0-9]{1,10})</%bPodCount>" % (p, p) if kind is AGGREGATED else b"()"
    start = re.compile(b"<%b%b><%b%b>([^<&]+)</%b%b>%b<%bSeries>" % (p, item, p, name, p, name, count, p))
    end = b"</%bSeries></%b%b>" % (p, p, item)
    whole = memoryview(canonical)
    position = canonical.find(b"<%b%b>" % (p, item))
    names: list[_Name] = []
    parts: list[memoryview] = []
    size = 0
    while position >= 0 and (found := start.match(canonical, position)):
        stop = canonical.find(end, found.end())
        if stop <= found.end():
            raise _UnusualFormError
        names.append((found[1].decode(), int(found[2] or 1)))
        parts.append(whole[found.end() : stop])
        size += stop - found.end()
        position = stop + len(end)
        if size >= _BATCH:
            yield names, parts
            names, parts, size = [], [], 0
    if not canonical.startswith(b"</%b%b>" % (p, kind.element.encode()), max(position, 0)):
        raise _UnusualFormError
    if parts:
        yield names, parts


def _read_batch(names: list[_Name], parts: list[memoryview], p: bytes, kind: Kind) -> Iterator[Columns]:
    text = np.frombuffer(b"".join(parts), dtype=np.uint8)
    opens, ends, closes = _tags(text, p)
    instants = _instants(_window(text, ends - _STAMP + 1, _STAMP))
    values = _values(text, ends, closes, kind)
    fitted = values if kind is AGGREGATED else narrowed(values)
    qualities = _qualities(text, opens + len(p) + len("<Value"), ends - _STAMP + 1)
    bounds = np.searchsorted(opens, np.cumsum([0] + [len(part) for part in parts])).tolist()
    for (name, count), first, last in zip(names, bounds[:-1], bounds[1:], strict=True):
        rows = slice(first, last)
        own = fitted[rows] if kind is AGGREGATED else narrowed(fitted[rows])
        yield Columns(name, instants[rows], own, qualities[rows], count)


def _tags(text: Bytes, p: bytes) -> tuple[Integers, Integers, Integers]:
    """Where each Value's opening tag starts and ends, and its closing tag starts; nothing stands between Values."""
    opening, closing = b"<%bValue" % p, b"</%bValue>" % p
    marks, ends = np.flatnonzero(text == ord("<")), np.flatnonzero(text == ord(">"))
    _require(len(marks) % 2 == 0 and len(ends) == len(marks))
    opens, closes, ends = marks[0::2], marks[1::2], ends[0::2]
    after = closes + len(closing)
    _require(opens[0] == 0 and after[-1] == len(text) and np.array_equal(after[:-1], opens[1:]))
    # No text ends before it starts, and the shortest opening tag has room for name and timestamp.
    _require((ends < closes).all() and (ends - opens + 1 >= len(opening) + _STAMP).all())
    _require(_all_equal(_window(text, opens, len(opening)), opening))
    _require(_all_equal(_window(text, closes, len(closing)), closing))
    return opens, ends, closes


def _instants(stamps: Bytes) -> Integers:
    """Seconds since 1970 UTC of rows like ` timestamp="2025-01-01T00:00:00Z">`, real dates after the XSD."""
    mould = np.frombuffer(b' timestamp="0000-00-00T00:00:00Z">', dtype=np.uint8)
    is_digit = mould == ord("0")
    _require(_all_equal(stamps[:, ~is_digit], mould[~is_digit].tobytes()))
    digits = stamps[:, is_digit] - np.uint8(ord("0"))
    _require(_all_digits(digits))
    number = digits.astype(np.int32).T
    year = ((number[0] * 10 + number[1]) * 10 + number[2]) * 10 + number[3]
    month, day, hour, minute, second = (number[i] * 10 + number[i + 1] for i in range(4, 14, 2))
    months = (year - 1970) * 12 + month - 1
    days: Integers = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
    seconds: Integers = days * 86400 + (hour * 3600 + minute * 60 + second)
    return seconds


def _values(text: Bytes, ends: Integers, closes: Integers, kind: Kind) -> Integers:
    """Thousandths of the texts between `ends` and `closes`, which must have exactly three decimal places."""
    lengths = closes - ends - 1
    width = int(lengths.max())
    _require(width <= len(kilo_text(-kind.most)))
    column = np.arange(width)
    digits = _window(text, closes - width, width)  # right-aligned; on the left, bytes of the opening tag
    first = (width - lengths)[:, None]
    negative = digits[np.arange(len(digits)), first[:, 0]] == ord("-")
    _require((lengths - negative >= len("0.000")).all() and (digits[:, -4] == ord(".")).all())
    digits = digits - np.uint8(ord("0"))
    digits[column < first + negative[:, None]] = 0
    total = np.zeros(len(digits), dtype=np.int64)
    for i in column[column != width - 4]:
        _require(_all_digits(digits[:, i]))
        total = total * 10 + digits[:, i]
    total[negative] *= -1
    _require((np.abs(total) <= kind.most).all())
    return total


def _qualities(text: Bytes, starts: Integers, stops: Integers) -> Bytes:
    """Codes of what stands between the tag's name and its timestamp: nothing, or the quality."""
    codes = np.zeros(len(starts), dtype=np.uint8)
    lengths = stops - starts
    unread = lengths > 0
    for quality, word in _QUALITIES:
        rows = np.flatnonzero(unread & (lengths == len(word)))
        rows = rows[_equal(_window(text, starts[rows], len(word)), word)]
        codes[rows] = quality
        unread[rows] = False
    _require(not unread.any())
    return codes


def _window(text: Bytes, positions: Integers, width: int) -> Bytes:
    """`width` bytes from each position, one row each."""
    return sliding_window_view(text, width)[positions]


def _equal(rows: Bytes, expected: bytes) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = (rows == np.frombuffer(expected, dtype=np.uint8)).all(axis=1)
    return equal


def _all_equal(rows: Bytes, expected: bytes) -> bool:
    return bool((rows == np.frombuffer(expected, dtype=np.uint8)).all())


def _all_digits(digits: Bytes) -> bool:
    return not len(digits) or int(digits.max()) < len("0123456789")


def _require(usual: bool | np.bool_, /) -> None:  # noqa: FBT001 - reads as a sentence
    if not usual:
        raise _UnusualFormError

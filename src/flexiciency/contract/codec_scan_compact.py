"""Reads Compact series straight from canonical bytes, all values of a batch at once.

The usual form, every byte of it compared:

    <p:CompactValues><p:Start>…</p:Start><p:TimeStep>…</p:TimeStep><p:Values>0.001 -0.002 …</p:Values>
    [<p:Qualities>Measured Missing …</p:Qualities>]</p:CompactValues>      (without line breaks)

`scan` is the way in for both encodings.
"""

import re
from collections.abc import Iterator
from itertools import compress, pairwise
from operator import not_

import numpy as np

from flexiciency.contract.codec import AGGREGATED, Kind
from flexiciency.contract.codec_scan import (
    Bytes,
    Columns,
    CompactColumns,
    Integers,
    Part,
    UnusualFormError,
    batches,
    parts_of,
    qualities_of,
    read_batch,
    require,
    values_of,
)
from flexiciency.contract.series import Quality, narrowed

_WORDS = [(quality, quality.word.encode()) for quality in Quality]
_ROOM = b" " * 32
"""In front of the first text, so that a window of the longest text's width has bytes there too."""


def scan(canonical: bytes, prefix: str | None, kind: Kind) -> list[Columns | CompactColumns] | None:
    """The columns of each series in order, or None if anything is not in the usual form.

    `prefix` is the one bound to the provision namespace at the object.
    """
    p = f"{prefix}:".encode() if prefix else b""
    compact = b"<%bCompactValues>" % p
    columns: list[Columns | CompactColumns] = []
    try:
        for batch in batches(parts_of(canonical, p, kind)):
            forms = [canonical.startswith(compact, part.start) for part in batch]
            short = _read_compact(canonical, list(compress(batch, forms)), p, kind)
            long = read_batch(canonical, list(compress(batch, map(not_, forms))), p, kind)
            columns += [next(short) if form else next(long) for form in forms]
    except UnusualFormError:
        return None
    return columns


def _read_compact(canonical: bytes, parts: list[Part], p: bytes, kind: Kind) -> Iterator[CompactColumns]:
    head = re.compile(
        b"<%bCompactValues><%bStart>([^<&]*)</%bStart><%bTimeStep>([^<&]*)</%bTimeStep><%bValues>"
        % (p, p, p, p, p, p)
    )  # fmt: skip
    heads, lists, words = [], [], []
    for part in parts:
        found = head.match(canonical, part.start)
        if found is None:
            raise UnusualFormError
        heads.append((found[1].decode(), found[2].decode()))
        values, qualities = _lists(canonical, found.end(), part.stop, p)
        lists.append(values)
        words.append(qualities)
    text, ends, closes, bounds = _tokens(canonical, lists)
    numbers = values_of(text, ends, closes, kind)
    named = [one for one in words if one is not None]
    codes = iter(_codes(canonical, named))
    for part, (start, step), values, qualities, first, last in zip(
        parts, heads, lists, words, bounds[:-1], bounds[1:], strict=True
    ):
        spare = tuple(_after_first(canonical, one) for one in (values, qualities) if one is not None)
        of_part = next(codes) if qualities is not None else np.array([], dtype=np.uint8)
        own = numbers[first:last] if kind is AGGREGATED else narrowed(numbers[first:last])
        yield CompactColumns(part.pod, start, step, own, of_part, part.count, spare)


def _lists(canonical: bytes, start: int, stop: int, p: bytes) -> tuple[slice, slice | None]:
    """Where the values and the qualities of a part stand, from the first value on."""
    end = canonical.find(b"<", start, stop)
    plain = b"</%bValues></%bCompactValues>" % (p, p)
    require(end > start)
    if end + len(plain) == stop and canonical.startswith(plain, end):
        return slice(start, end), None
    between, last = b"</%bValues><%bQualities>" % (p, p), b"</%bQualities></%bCompactValues>" % (p, p)
    first = end + len(between)
    words = slice(first, stop - len(last))
    require(canonical.startswith(between, end) and words.stop > first and canonical.find(b"<", first) == words.stop)
    require(canonical.startswith(last, words.stop))
    return slice(start, end), words


def _tokens(canonical: bytes, lists: list[slice]) -> tuple[Bytes, Integers, Integers, list[int]]:
    """A text with all lists, the blanks before and after each of their members, and where each list's members begin."""
    whole = memoryview(canonical)
    joined = b" ".join([_ROOM[1:], *[whole[one] for one in lists], b""])
    text = np.frombuffer(joined, dtype=np.uint8)
    blanks = np.flatnonzero(text == ord(" "))[len(_ROOM) - 1 :]
    require((np.diff(blanks) > 1).all())
    borders = len(_ROOM) - 1 + np.cumsum([0] + [one.stop - one.start + 1 for one in lists])
    return text, blanks[:-1], blanks[1:], np.searchsorted(blanks, borders).tolist()


def _codes(canonical: bytes, lists: list[slice]) -> Iterator[Bytes]:
    """The quality codes of each list."""
    if lists:
        text, before, after, bounds = _tokens(canonical, lists)
        codes = qualities_of(text, before + 1, after, _WORDS)
        for first, last in pairwise(bounds):
            yield codes[first:last]


def _after_first(canonical: bytes, members: slice) -> slice:
    """All of a list but its first member."""
    blank = canonical.find(b" ", members.start, members.stop)
    return slice(members.stop if blank < 0 else blank, members.stop)

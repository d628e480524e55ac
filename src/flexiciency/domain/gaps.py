"""What of an agreement was delivered and acknowledged, and why the rest was not (D2.3, 2.6; the gap report, +).

Instants are seconds since 1970 UTC, spans half-open [start, end). An interval is that of one value; its start names it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flexiciency.domain.values import union

Span = tuple[int, int]


class GapCause(StrEnum):
    """Why a value is not with the receiver, as far as is known here."""

    NOT_RELEASED = "NotReleased"
    NOT_AVAILABLE = "NotAvailable"
    NOT_SENT = "NotSent"
    NOT_ACKNOWLEDGED = "NotAcknowledged"
    REFUSED = "RefusedByReceiver"


TO_BE_SENT = frozenset({GapCause.NOT_SENT, GapCause.NOT_ACKNOWLEDGED, GapCause.REFUSED})
"""What helps to be sent once more."""

_CAUSES = tuple(GapCause)
_RELEASED, _AVAILABLE, _SENT, _OPEN, _REFUSED = range(len(_CAUSES))
_ACKNOWLEDGED = len(_CAUSES)


@dataclass(frozen=True, slots=True)
class Held:
    """Values of one PoD or aggregate in a message that was received: the latest version among them, and of what.

    `accepted` and `refused` are the parts of `parts` acknowledged OK and KO.
    """

    version: int
    parts: Sequence[Span]
    accepted: Sequence[Span] = ()
    refused: Sequence[Span] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A stored block by its latest version, and the intervals in it that are known to be missing."""

    start: int
    end: int
    version: int
    missing: Sequence[Span] = ()


@dataclass(slots=True)
class Facts:
    """Of one PoD or aggregate: what the agreement covers of the period, what may leave, is stored and was received.

    `released` None: it does not matter here, as with `blocks` None. `held` has the older first.
    """

    source: str
    covered: Span
    released: Sequence[Span] | None = ()
    blocks: Sequence[Block] | None = ()
    held: list[Held] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Gap:
    """Intervals that follow each other, and are not with the receiver for one cause."""

    source: str
    start: int
    end: int
    cause: GapCause


@dataclass(frozen=True, slots=True)
class Counted:
    """How many values are expected of a source, sent and acknowledged, and the gaps between."""

    expected: int
    sent: int
    acknowledged: int
    gaps: list[Gap]


def counted(edges: Sequence[int], facts: Facts) -> Counted:
    """What became of each interval; `edges` are the starts of all, ascending, and the end of the last.

    A value that may not leave is NotReleased unless it left before: whether there is one is nobody's business. One that
    may is sent when a message with its latest version has it, acknowledged when any such message was, by an OK that
    stands; else the latest such message tells.
    """
    first, last = _inside(edges, facts.covered)
    codes = np.full(max(last - first, 0), _RELEASED, dtype=np.int8)
    needed = np.zeros(len(codes), dtype=np.int64)
    _weigh(edges, first, facts, codes, needed)
    for one in facts.held:
        for spans, code in ((one.parts, _OPEN), (one.refused, _REFUSED), (one.accepted, _ACKNOWLEDGED)):
            for span in spans:
                at = _shifted(_starting(edges, span), first, len(codes))
                there = codes[at]
                concerned = (needed[at] <= one.version) & (there != _AVAILABLE) & (there != _ACKNOWLEDGED)
                there[concerned] = code
    gaps = list(_gaps(edges, first, codes, facts.source))
    return Counted(len(codes), int((codes >= _OPEN).sum()), int((codes == _ACKNOWLEDGED).sum()), gaps)


def _weigh(edges: Sequence[int], first: int, facts: Facts, codes: NDArray[np.int8], needed: NDArray[np.int64]) -> None:
    """What may leave and is there is to be sent, in the version needed."""
    released = [facts.covered] if facts.released is None else facts.released
    if facts.blocks is None:
        for span in released:
            codes[_shifted(_inside(edges, span), first, len(codes))] = _SENT
        return
    available = np.zeros(len(codes), dtype=np.bool_)
    for span in union((block.start, block.end) for block in facts.blocks):
        available[_shifted(_inside(edges, span), first, len(codes))] = True
    for block in facts.blocks:
        at = _shifted(_touched(edges, (block.start, block.end)), first, len(codes))
        needed[at] = np.maximum(needed[at], block.version)
        for span in block.missing:
            available[_shifted(_touched(edges, span), first, len(codes))] = False
    may_leave = np.zeros(len(codes), dtype=np.bool_)
    for span in released:
        may_leave[_shifted(_inside(edges, span), first, len(codes))] = True
    codes[may_leave] = np.where(available, _SENT, _AVAILABLE)[may_leave]
    needed[~may_leave] = 0


def _gaps(edges: Sequence[int], first: int, codes: NDArray[np.int8], source: str) -> Iterator[Gap]:
    bounds = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)] if len(codes) else []
    for begin, end in pairwise(bounds):
        if codes[begin] != _ACKNOWLEDGED:
            yield Gap(source, int(edges[first + begin]), int(edges[first + end]), _CAUSES[codes[begin]])


def _inside(edges: Sequence[int], span: Span) -> Span:
    """Numbers of the intervals that lie in a span whole."""
    return bisect_left(edges, span[0]), bisect_right(edges, span[1]) - 1


def _starting(edges: Sequence[int], span: Span) -> Span:
    """Of those that start in it."""
    return bisect_left(edges, span[0]), bisect_left(edges, span[1])


def _touched(edges: Sequence[int], span: Span) -> Span:
    """Of those of which any part lies in it."""
    return bisect_right(edges, span[0]) - 1, bisect_left(edges, span[1])


def _shifted(numbers: Span, first: int, count: int) -> slice:
    """The same among the `count` intervals from the one numbered `first` on."""
    start = min(max(numbers[0] - first, 0), count)
    return slice(start, min(max(numbers[1] - first, start), count))

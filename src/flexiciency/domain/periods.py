"""Parts of time [start, end), in order and apart: what some have in common, and what one has that others have not."""

from collections.abc import Iterable
from datetime import datetime

from flexiciency.domain.values import union

Part = tuple[datetime, datetime]


def common(parts: Iterable[Part], others: Iterable[Part]) -> list[Part]:
    """What both cover, in a time that grows with the number of parts."""
    mine, theirs = union(parts), union(others)
    found, at = [], 0
    for start, end in mine:
        while at < len(theirs) and theirs[at][1] <= start:
            at += 1
        next_one = at
        while next_one < len(theirs) and theirs[next_one][0] < end:
            found.append((max(start, theirs[next_one][0]), min(end, theirs[next_one][1])))
            next_one += 1
        at = max(at, next_one - 1)
    return found


def without(parts: Iterable[Part], others: Iterable[Part]) -> list[Part]:
    """What `parts` cover and `others` do not, likewise."""
    mine = union(parts)
    left: list[Part] = []
    gone = iter([*common(mine, others), None])
    taken = next(gone)
    for start, end in mine:
        since = start
        while taken is not None and taken[0] < end:
            if since < taken[0]:
                left.append((since, taken[0]))
            since, taken = taken[1], next(gone)
        if since < end:
            left.append((since, end))
    return left

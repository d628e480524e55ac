"""Aggregates of load curves and which of them may leave (contract, decision 10; D2.3 2.6, AGG-DAT-VAL).

The same PoDs stand behind every interval of an aggregate: an interval for which one of them has no value is left out,
or the difference between two intervals would tell about that PoD alone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import groupby, pairwise
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Quality, Series, TimeStep, instant_of
from flexiciency.domain.reasons import Reason, ReasonCode, reason
from flexiciency.domain.resampling import mean
from flexiciency.domain.values import day_starts

_PARTS = {"Country": 1, "City": 2, "Street": 3}
_LONGEST = 200  # com:Identifier

SMALLEST_GROUP = 5
"""PoDs of a group that may be served without the consent of them all, unless the operator sets another number."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a PoD is, as its master data say."""

    country: str
    city: str
    street: str


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """One group's values: `starts` in seconds since 1970 UTC, ascending, perhaps with gaps; Wh or W in int64."""

    aggregation_id: str
    pods: frozenset[str]
    starts: NDArray[np.int64]
    values: NDArray[np.int64]
    qualities: NDArray[np.uint8]


def aggregation_id(level: str, place: Place, agreement_id: str) -> str:
    """`AT`, `AT/Linz`, `AT/Linz/Landstra%C3%9Fe` or `portfolio:<agreement id>`: names percent-encoded as in a URL.

    One too long for a com:Identifier is `sha256:` and its hash. ValueError if the level is none that aggregates have.
    """
    if level != "Portfolio" and level not in _PARTS:
        raise ValueError(f"aggregation level {level}: expected Country, City, Street or Portfolio")
    if level == "Portfolio":
        name = f"portfolio:{agreement_id}"
    else:
        parts = (place.country, place.city, place.street)[: _PARTS[level]]
        name = "/".join(quote(part, safe="") for part in parts)
    return name if len(name) <= _LONGEST else f"sha256:{sha256(name.encode()).hexdigest()}"


@dataclass(slots=True, eq=False)
class Totals:
    """What one group has so far: sums over a grid, and how many PoDs have a value of each quality there.

    PoDs are added and taken out again one by one, so memory does not grow with their values. Missing is no value.
    """

    sums: NDArray[np.int64]
    counts: NDArray[np.int32]
    """By quality, then by interval."""
    pods: set[str]

    @classmethod
    def none(cls, grid: NDArray[np.int64]) -> "Totals":
        """Of no PoD yet."""
        return cls(np.zeros(len(grid), np.int64), np.zeros((Quality.MISSING, len(grid)), np.int32), set())

    def add(self, pod: str, series: Iterable[Series], grid: NDArray[np.int64]) -> None:
        """All series of a PoD, which is in the group if they have a value on the grid.

        ValueError for two values for one interval, or a PoD that is there already.
        """
        if pod in self.pods:
            raise ValueError(f"PoD {pod} comes back after another PoD: expected all its series in a row")
        if self._count(pod, series, grid, 1):
            self.pods.add(pod)

    def remove(self, pod: str, series: Iterable[Series], grid: NDArray[np.int64]) -> None:
        """Undo `add` of the same series."""
        self._count(pod, series, grid, -1)
        self.pods.discard(pod)

    def finished(self, group_id: str, grid: NDArray[np.int64], method: str) -> Aggregate:
        """The aggregate of the intervals that all PoDs share."""
        size = len(self.pods)
        shared = (self.counts.sum(axis=0) == size) & (size > 0)
        values = self.sums[shared]
        if method == "Mean" and size:
            values = mean(values, size)
        worst = Quality.INCOMPLETE - (self.counts[::-1, shared] > 0).argmax(axis=0)
        return Aggregate(group_id, frozenset(self.pods), grid[shared], values, worst.astype(np.uint8))

    def _count(self, pod: str, series: Iterable[Series], grid: NDArray[np.int64], sign: int) -> bool:
        """Whether there was any value."""
        counted = np.zeros(len(grid), dtype=np.bool_)
        for one in series:
            instants = one.instants()
            at = np.searchsorted(grid, instants)
            there = np.append(grid, -1)[at] == instants
            if one.qualities is not None:
                there &= one.qualities != Quality.MISSING
            at = at[there]
            if counted[at].any():
                raise ValueError(f"PoD {pod} has two values for one interval")
            counted[at] = True
            self.sums[at] += sign * one.values[there].astype(np.int64)
            self.counts[0 if one.qualities is None else one.qualities[there], at] += sign
        return bool(counted.any())


def totals(members: Iterable[tuple[str, Series]], grid: NDArray[np.int64]) -> dict[str, Totals]:
    """By AggregationId, from (AggregationId, Series), a PoD's series in a row. What `Totals.add` raises."""
    groups: dict[str, Totals] = {}
    for (group_id, pod), of_pod in groupby(members, key=lambda member: (member[0], member[1].pod)):
        if group_id not in groups:
            groups[group_id] = Totals.none(grid)
        groups[group_id].add(pod, (series for _, series in of_pod), grid)
    return groups


def aggregated(groups: Mapping[str, Totals], grid: NDArray[np.int64], method: str) -> list[Aggregate]:
    """One Aggregate per AggregationId, in its order.

    `grid` has the ascending starts of the period's intervals, for P1D the local days of one zone. A PoD is in a group
    if it has a value there; Missing is none, nor is one off the grid, as of a local day of another zone. The quality is
    the members' worst. Mean is rounded half to even to whole Wh or W. A group without an interval that all its PoDs
    share is left out. ValueError for a method other than Sum or Mean.
    """
    if method not in {"Sum", "Mean"}:
        raise ValueError(f"aggregation method {method}: expected Sum or Mean")
    every = (groups[group_id].finished(group_id, grid, method) for group_id in sorted(groups))
    return [one for one in every if len(one.starts)]


def edges(start: datetime, end: datetime, zone: str, step: TimeStep) -> NDArray[np.int64]:
    """Starts of the intervals of the local days that [start, end) touches, and the end of the last one.

    In seconds since 1970 UTC, on the grid of UTC hours: the grid of `aggregated` is all but the last.
    """
    first, last = (instant.astimezone(ZoneInfo(zone)).date() for instant in (start, end))
    count = min((last - first).days + 2, (date.max - first).days)
    days = day_starts(first, first + timedelta(days=count), zone)
    if step is TimeStep.P1D or not len(days):
        return days
    since = -(-int(days[0]) // step.seconds) * step.seconds
    return np.arange(since, int(days[-1]) + step.seconds, step.seconds, dtype=np.int64)


def runs(aggregate: Aggregate, edges: NDArray[np.int64]) -> list[tuple[slice, datetime, datetime]]:
    """The stretches [start, end) in which its values follow each other without a gap, and which values these are."""
    at = np.searchsorted(edges, aggregate.starts)
    bounds = [0, *(np.flatnonzero(np.diff(at) > 1) + 1).tolist(), len(at)]
    return [
        (slice(first, last), instant_of(int(edges[at[first]])), instant_of(int(edges[at[last - 1] + 1])))
        for first, last in pairwise(bounds)
    ]


def refusal(
    pods: frozenset[str], consented: frozenset[str], served: Collection[frozenset[str]], minimum: int
) -> Reason | None:
    """Why a group may not be served to a requester, or None.

    `consented` are PoDs whose consent names the requester, `served` the groups it was served for any of the same
    intervals. Two groups differ by the PoDs that are in just one of them.
    """
    if len(pods) < minimum and not pods <= consented:
        return reason(ReasonCode.GROUP_TOO_SMALL)
    if any(pods & other and 0 < len(pods ^ other) < minimum for other in served):
        return reason(ReasonCode.GROUP_OVERLAPS)
    return None

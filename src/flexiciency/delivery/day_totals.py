"""Totals of one local day of aggregates, without reading a million PoDs anew because one was corrected (D2.3, 2.6).

What was added up is kept with a hash of the PoDs that might leave. While those are the same, all values in it may leave
again, and only PoDs corrected since, or without a value then, are read: their old values taken out, the new ones added.
At any doubt all is read anew. Corrections later than the last one seen here wait for the next time, so that old and new
are of one moment: versions have the order in which they were stored.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Series
from flexiciency.domain.aggregation import Totals, totals
from flexiciency.store.aggregate_totals import Day, Kept
from flexiciency.store.aggregates import pods_hash
from flexiciency.store.release import Asked, Released, permitted, release
from flexiciency.store.transaction import Row, Transaction
from flexiciency.store.values import corrected_since

MOST_ABSENT = 1000
"""PoDs without a value that a kept total may have: each is looked at again every time."""

Grid = NDArray[np.int64]
Groups = dict[str, set[str]]


def read_anew(
    tx: Transaction, asked: Asked, group_of: Mapping[str, str], grid: Grid, found: Released
) -> dict[str, Totals]:
    """Totals by AggregationId of all values that may leave; `found` is filled as `release` does."""
    return totals(((group_of[series.pod], series) for series in release(tx, asked, found)), grid)


def of_day(
    tx: Transaction, day: Day, asked: Asked, group_of: Mapping[str, str], grid: Grid, found: Released
) -> dict[str, Totals]:
    """As `read_anew`, of one local day, from what is kept of it where that holds; what is read anew is kept.

    `asked` is of that day's blocks only: what was stored in another zone would reach in from the days around it.
    """
    may_leave = permitted(tx, asked)
    if may_leave is None:
        return read_anew(tx, asked, group_of, grid, found)
    groups: Groups = defaultdict(set)
    for pod in may_leave:
        groups[group_of[pod]].add(pod)
    (rows,) = tx.look_up(day.kept())
    if _hold(rows, groups):
        kept = {row.aggregation_id: Kept.of(row, groups[row.aggregation_id]) for row in rows}
        if _corrected(tx, day, asked, groups, kept, grid):
            found.consents.update(may_leave)
            found.versions.update((pod, one.latest) for one in kept.values() for pod in one.totals.pods)
            return {group_id: one.totals for group_id, one in kept.items()}
    return _kept_anew(tx, day, groups, read_anew(tx, asked, group_of, grid, found), grid, found)


def _hold(rows: list[Row], groups: Groups) -> bool:
    """Whether the totals kept are of these groups, of the same PoDs each."""
    return {row.aggregation_id: bytes(row.members) for row in rows} == {
        group_id: pods_hash(members) for group_id, members in groups.items()
    }


def _corrected(tx: Transaction, day: Day, asked: Asked, groups: Groups, kept: dict[str, Kept], grid: Grid) -> bool:
    """Bring totals up to date; False when so much was corrected that reading anew costs no more."""
    if not kept:
        return True
    seen, members = min(one.seen for one in kept.values()), set().union(*groups.values())
    (corrections,) = tx.look_up(corrected_since(asked.quantity, day.day, seen))
    up_to = max((row.version for row in corrections), default=seen)
    changed = {row.pod for row in corrections} & members
    absent = {pod for group_id, one in kept.items() for pod in groups[group_id] - one.totals.pods}
    if len(changed) > len(members) // 2:
        return False
    before, _ = _read(tx, asked, changed - absent, seen)
    after, versions = _read(tx, asked, changed | absent, up_to)
    for group_id, one in kept.items():
        concerned = groups[group_id] & (changed | absent)
        for pod in concerned:
            one.totals.remove(pod, before.get(pod, ()), grid)
            one.totals.add(pod, after.get(pod, ()), grid)
            one.latest = max(one.latest, versions.get(pod, 1))
        one.seen = up_to
        if concerned:
            day.keep(tx, group_id, groups[group_id], one)
    if up_to > seen:
        day.has_seen(tx, up_to)
    return True


def _read(tx: Transaction, asked: Asked, pods: set[str], up_to: int) -> tuple[dict[str, list[Series]], dict[str, int]]:
    """The values of PoDs as of a version, and the latest one of each."""
    if not pods:
        return {}, {}
    found = Released()
    series = release(tx, replace(asked, pods=tuple(sorted(pods)), up_to=up_to), found)
    return {pod: list(of_pod) for pod, of_pod in groupby(series, key=lambda one: one.pod)}, found.versions


def _kept_anew(
    tx: Transaction, day: Day, groups: Groups, read: dict[str, Totals], grid: Grid, found: Released
) -> dict[str, Totals]:
    """What was read, kept where it is of the very PoDs that may leave, nearly all with values."""
    day.forget(tx)
    every = {group_id: read.get(group_id, Totals.none(grid)) for group_id in groups}
    absent = sum(len(groups[group_id] - one.pods) for group_id, one in every.items())
    if absent > MOST_ABSENT or any(not one.pods <= groups[group_id] for group_id, one in every.items()):
        return read
    for group_id, one in every.items():
        latest = max((found.versions[pod] for pod in one.pods), default=1)
        day.keep(tx, group_id, groups[group_id], Kept(one, latest, found.latest))
    return read

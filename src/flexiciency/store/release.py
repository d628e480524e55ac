"""The release rule (docs/decisions.md, 9): the only way from stored meter values to a message.

The rule itself is the view `releasable` of migration 0006; what may leave is read from `released_value_block`, which
stands on it, as a role that has no right to anything else. A value leaves when a validated agreement covers its PoD,
quantity, step and interval and, where the service wants consent, acknowledged consents of customers who held the PoD
cover the interval too. Consents add up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from math import ceil
from typing import NamedTuple, cast

import numpy as np
from psycopg.rows import namedtuple_row
from psycopg.types.range import TimestamptzRange

from flexiciency.contract.series import Quantity, Series, TimeStep, epoch
from flexiciency.domain.values import Block, joined, local_day, union
from flexiciency.store.transaction import Query, Row, Transaction
from flexiciency.store.values import arrays_of

ROLE = "flexiciency_release"
"""Has SELECT on `released_value_block`, and no other right."""

_LOCK_AGREEMENT = "SELECT FROM agreement WHERE id = %(agreement_id)s FOR SHARE"

# A revocation waits for these locks, so that it is either before the release or after the message is marked Sent.
_LOCK_CONSENTS = """
SELECT cp.consent_id FROM releasable r
JOIN consent_pod cp ON cp.consent_id = r.consent_id AND cp.pod_id = r.pod_id AND cp.status = 'Acknowledged'
WHERE r.agreement_id = %(agreement_id)s AND r.released && %(period)s AND (/* PoDs */)
ORDER BY cp.consent_id, cp.pod FOR SHARE OF cp
"""

# Of the consents only those that are locked: one given since could be revoked without waiting. A consent's PoDs are
# stored at once and never acknowledged again, so those of a locked consent that still count are locked too.
_RELEASED = """
SELECT v.pod, v.time_zone, v.day, v.version, v.start, v.values, v.qualities, v.consent_id,
    v.released * %(period)s AS released
FROM released_value_block v
WHERE v.agreement_id = %(agreement_id)s AND v.quantity = %(quantity)s AND v.time_step = %(step)s
  AND v.released && %(period)s AND v.day >= %(first_day)s AND v.day < %(end_day)s
  AND (v.consent_id IS NULL OR v.consent_id = ANY(%(consents)s))
  AND (%(time_zone)s::text IS NULL OR v.time_zone = %(time_zone)s) AND (/* PoDs */)
ORDER BY v.pod, v.day
"""

_PODS = "SELECT id FROM pod WHERE pod = ANY(%(pods)s)"


def _of_pods(sql: str, column: str) -> str:
    """For some PoDs of an agreement, which are looked up by index however many it has; else for all."""
    return sql.replace("/* PoDs */", f"{column} = ANY(%(pods)s)")


def _of_all(sql: str) -> str:
    return sql.replace("/* PoDs */", "true")


_OF_ALL = _of_all(_LOCK_CONSENTS), _of_all(_RELEASED)
_OF_PODS = _of_pods(_LOCK_CONSENTS, "r.pod_id"), _of_pods(_RELEASED, "v.pod_id")

LONGEST_DAY = timedelta(hours=25)
"""What a day may have been in a zone that the PoD is no longer in."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a delivery is to hold: of one agreement, [start, end) UTC, all its PoDs or the named ones or a zone's."""

    agreement_id: str
    quantity: Quantity
    step: TimeStep
    start: datetime
    end: datetime
    pods: tuple[str, ...] | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """By PoD, the consents by which its values may leave, none where its service wants none, and the latest version."""

    consents: dict[str, set[str]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)


def release(tx: Transaction, asked: Asked, released: Released | None = None) -> Iterator[Series]:
    """Values that may leave in this transaction, by PoD in order; `released` is filled as they pass.

    The consents stay locked against revocation until it ends. Rows are fetched in portions, so memory is flat.
    """
    lock_consents, blocks = _OF_ALL if asked.pods is None else _OF_PODS
    of_agreement = {
        "agreement_id": asked.agreement_id,
        "period": TimestamptzRange(asked.start, asked.end),
        "pods": _pod_ids(tx, asked.pods or ()),
    }
    _, locked = tx.read(Query(_LOCK_AGREEMENT, of_agreement), Query(lock_consents, of_agreement))
    values = of_agreement | {
        "consents": list({row.consent_id for row in locked}),
        "time_zone": asked.time_zone,
        "quantity": asked.quantity.value,
        "step": asked.step.seconds,
        # No zone is more than a day from UTC.
        "first_day": _utc_day(asked.start, -1),
        "end_day": _utc_day(asked.end, 2),
    }
    with tx.driver.cursor(f"release_{id(asked)}", row_factory=namedtuple_row) as cursor:
        cursor.itersize = 2000
        # All rows are fetched: a plan for the first few looked through every block for each PoD of a large agreement.
        tx.driver.execute("SET LOCAL cursor_tuple_fraction = 1")
        tx.driver.execute(f"SET LOCAL ROLE {ROLE}")
        cursor.execute(blocks, values, binary=True)  # rights are checked here, not when rows are fetched
        tx.driver.execute("RESET ROLE")
        yield from joined(block for stored in _whole(cursor, released) for block in _blocks(stored, asked))


def _pod_ids(tx: Transaction, pods: tuple[str, ...]) -> list[int]:
    if not pods:
        return []
    (rows,) = tx.look_up(Query(_PODS, {"pods": list(pods)}))
    return [row.id for row in rows]


class _Stored(NamedTuple):
    """A stored block, and the parts of time of which it may leave, in order and apart."""

    row: Row
    parts: list[tuple[datetime, datetime]]


def _whole(rows: Iterable[Row], released: Released | None) -> Iterator[_Stored]:
    """Each stored block once, with what its consents release together."""
    for (pod, _), of_block in groupby(rows, key=lambda row: (row.pod, row.day)):
        found = list(of_block)
        if released is not None:
            released.consents.setdefault(pod, set()).update(r.consent_id for r in found if r.consent_id is not None)
            released.versions[pod] = max(released.versions.get(pod, 1), found[0].version)
        yield _Stored(found[0], union((row.released.lower, row.released.upper) for row in found))


def _utc_day(instant: datetime, days: int) -> date:
    """The UTC day of an instant, moved by days but not out of the calendar."""
    return date.fromordinal(min(max(instant.toordinal() + days, 1), date.max.toordinal()))


def _end(row: Row, step: TimeStep, count: int) -> datetime:
    """The end of a stored block's last interval, whatever became of the PoD's time zone since."""
    if step is not TimeStep.P1D:
        return cast("datetime", row.start) + timedelta(seconds=count * step.seconds)
    start, end = local_day(row.day, row.time_zone)
    return end if start == row.start else row.start + LONGEST_DAY


def _blocks(stored: _Stored, asked: Asked) -> Iterator[Block]:
    """What of one stored block may leave: all of it, or the values whose whole interval lies in a released part."""
    row = stored.row
    values, qualities = arrays_of(row.values, row.qualities)
    end = _end(row, asked.step, len(values))
    if any(lower <= row.start and end <= upper for lower, upper in stored.parts):
        yield Block(row.pod, asked.quantity, row.day, row.version, row.start, asked.step, values, qualities)
        return
    if asked.step is TimeStep.P1D:  # the value is of the whole day
        return
    step = asked.step.seconds
    starts = epoch(row.start) + np.arange(len(values), dtype=np.int64) * step
    for lower, upper in stored.parts:
        first, last = ceil(lower.timestamp()), epoch(upper)  # both bounded: the asked period is
        inside = np.flatnonzero((starts >= first) & (starts + step <= last))
        if len(inside):
            cut = slice(int(inside[0]), int(inside[-1]) + 1)
            begin = row.start + timedelta(seconds=int(inside[0]) * step)
            some = None if qualities is None else qualities[cut]
            yield Block(row.pod, asked.quantity, row.day, row.version, begin, asked.step, values[cut], some)

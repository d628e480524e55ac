"""The release rule (docs/decisions.md, 9): the only way from stored meter values to a message.

The rule itself is the view `releasable` of migration 0006; what may leave is read from `released_value_block`, which
stands on it (migration 0014), as a role that has no right to anything else. A value leaves when a validated agreement
covers its PoD, quantity, step and interval and, where the service wants consent, acknowledged consents of customers who
held the PoD cover the interval too. Consents add up. The agreement's step is the finest in which values leave: stored
days are resampled to it, or to a coarser one, before they are cut to what may leave.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from psycopg.rows import namedtuple_row
from psycopg.types.range import TimestamptzRange

from flexiciency.contract.series import Quantity, Series, TimeStep, epoch
from flexiciency.domain.resampling import resampled
from flexiciency.domain.values import Block, joined, local_day, union
from flexiciency.store.transaction import Query, Row, Transaction
from flexiciency.store.values import QUANTITY_CODES, STEPS, arrays_of

ROLE = "flexiciency_release"
"""Has SELECT on `released_value_block`, `released_value_version` and `corrected_day`, and no other right."""

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
_WHERE = """
WHERE v.agreement_id = %(agreement_id)s AND v.quantity = %(quantity)s AND %(step)s %% v.time_step = 0
  AND v.released && %(period)s AND v.day >= %(first_day)s AND v.day < %(end_day)s
  AND tstzrange(v.start, v.start + v.count * v.step * interval '1 second') && %(period)s
  AND (v.consent_id IS NULL OR v.consent_id = ANY(%(consents)s))
  AND (%(time_zone)s::text IS NULL OR v.time_zone = %(time_zone)s) AND (/* PoDs */)
"""
# The latest version of all is asked for in the same statement, so that it is of the same blocks.
_RELEASED = """
SELECT v.pod, v.time_zone, v.day, v.version, v.start, v.step, v.values, v.qualities, v.consent_id,
    v.released * %(period)s AS released,
    CASE WHEN EXISTS (SELECT FROM corrected_day
                      WHERE quantity = %(code)s AND day >= %(first_day)s AND day < %(end_day)s)
    THEN (SELECT max(v.version) FROM released_value_block v /* where */) ELSE 1 END AS latest
FROM released_value_block v /* where */
ORDER BY v.pod, v.day
""".replace("/* where */", _WHERE)

# The latest of the versions up to one. Those that may not leave come too, without values: an older one must not take
# their place.
_RELEASED_UP_TO = """
SELECT v.pod, v.time_zone, v.day, v.version, v.start, v.step, v.values, v.qualities, v.consent_id,
    v.released * %(period)s AS released, %(up_to)s AS latest
FROM released_value_version v /* where */ AND v.version <= %(up_to)s
ORDER BY v.pod, v.day, v.version DESC
""".replace("/* where */", _WHERE)

_PERMITTED = """
SELECT p.pod, r.consent_id, r.released @> %(period)s AS whole
FROM releasable r CROSS JOIN LATERAL (SELECT pod, time_zone FROM pod WHERE id = r.pod_id OFFSET 0) p
WHERE r.agreement_id = %(agreement_id)s AND r.quantity = %(quantity)s AND %(step)s %% r.time_step = 0
  AND r.released && %(period)s AND (r.consent_id IS NULL OR r.consent_id = ANY(%(consents)s))
  AND (%(time_zone)s::text IS NULL OR p.time_zone = %(time_zone)s) AND (/* PoDs */)
ORDER BY p.pod
"""

_PODS = "SELECT id FROM pod WHERE pod = ANY(%(pods)s)"


class _Statements(NamedTuple):
    """For all PoDs of an agreement, or for some, which are looked up by index however many it has."""

    lock_consents: str
    released: str
    released_up_to: str
    permitted: str

    @classmethod
    def where(cls, released: str, blocks: str) -> "_Statements":
        """With a condition on rows of `releasable`, and one on those with their blocks."""
        return cls(
            _LOCK_CONSENTS.replace(_PLACE, released), _RELEASED.replace(_PLACE, blocks),
            _RELEASED_UP_TO.replace(_PLACE, blocks), _PERMITTED.replace(_PLACE, released),
        )  # fmt: skip


_PLACE = "/* PoDs */"
_OF_ALL = _Statements.where("true", "true")
_OF_PODS = _Statements.where("r.pod_id = ANY(%(pods)s)", "v.pod_id = ANY(%(pods)s)")

LONGEST_DAY = timedelta(hours=25)
"""What a day may have been in a zone that the PoD is no longer in."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a delivery is to hold: of one agreement, [start, end) UTC, all its PoDs or the named ones or a zone's.

    `step` is the agreement's or a multiple of it; else nothing leaves. `day`: of blocks of this local day only.
    `up_to`: corrections after this version are not in it.
    """

    agreement_id: str
    quantity: Quantity
    step: TimeStep
    start: datetime
    end: datetime
    pods: tuple[str, ...] | None = None
    time_zone: str | None = None
    day: date | None = None
    up_to: int | None = None


@dataclass(slots=True)
class Released:
    """By PoD, the consents by which its values may leave, if its service wants any, and the latest version.

    `latest` is the latest version of all, known with the first value.
    """

    consents: dict[str, set[str]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    latest: int = 1


def release(tx: Transaction, asked: Asked, released: Released | None = None) -> Iterator[Series]:
    """Values that may leave in this transaction, by PoD in order; `released` is filled as they pass.

    The consents stay locked against revocation until it ends. Rows are fetched in portions, so memory is flat.
    """
    statements = _statements(asked)
    blocks = statements.released if asked.up_to is None else statements.released_up_to
    values = _locked(tx, asked)
    with tx.driver.cursor(f"release_{id(asked)}", row_factory=namedtuple_row) as cursor:
        cursor.itersize = 2000
        # All rows are fetched: a plan for the first few looked through every block for each PoD of a large agreement.
        tx.driver.execute("SET LOCAL cursor_tuple_fraction = 1")
        tx.driver.execute(f"SET LOCAL ROLE {ROLE}")
        cursor.execute(blocks, values, binary=True)  # rights are checked here, not when rows are fetched
        tx.driver.execute("RESET ROLE")
        rows = cursor if asked.up_to is None else _highest(cursor)
        yield from joined(_apart(block for stored in _whole(rows, released) for block in _blocks(stored, asked)))


def permitted(tx: Transaction, asked: Asked) -> dict[str, set[str]] | None:
    """PoDs all of whose period may leave, values or not, with their consents, locked as `release` does.

    None when of any PoD a part may leave, or all by several consents one after the other.
    """
    (rows,) = tx.read(Query(_statements(asked).permitted, _locked(tx, asked)))
    found = {}
    for pod, of_pod in groupby(rows, key=lambda row: row.pod):
        parts = list(of_pod)
        if not any(row.whole for row in parts):
            return None
        found[pod] = {row.consent_id for row in parts if row.consent_id is not None}
    return found


def _statements(asked: Asked) -> _Statements:
    return _OF_ALL if asked.pods is None else _OF_PODS


def _locked(tx: Transaction, asked: Asked) -> dict[str, Any]:
    """The values of the statements, once agreement and consents are locked."""
    of_agreement = {
        "agreement_id": asked.agreement_id,
        "period": TimestamptzRange(asked.start, asked.end),
        "pods": _pod_ids(tx, asked.pods or ()),
    }
    lock_consents = Query(_statements(asked).lock_consents, of_agreement)
    _, locked = tx.read(Query(_LOCK_AGREEMENT, of_agreement), lock_consents)
    return of_agreement | {
        "consents": list({row.consent_id for row in locked}),
        "time_zone": asked.time_zone,
        "quantity": asked.quantity.value,
        "code": QUANTITY_CODES[asked.quantity],
        "step": asked.step.seconds,
        "up_to": asked.up_to,
        # No zone is more than a day from UTC.
        "first_day": asked.day or _utc_day(asked.start, -1),
        "end_day": asked.day + timedelta(days=1) if asked.day else _utc_day(asked.end, 2),
    }


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
            if consents := {row.consent_id for row in found if row.consent_id is not None}:
                released.consents.setdefault(pod, set()).update(consents)
            released.versions[pod] = max(released.versions.get(pod, 1), found[0].version)
            released.latest = found[0].latest
        yield _Stored(found[0], union((row.released.lower, row.released.upper) for row in found))


def _highest(rows: Iterable[Row]) -> Iterator[Row]:
    """Of each block the rows of its highest version, if that may leave."""
    for _, of_block in groupby(rows, key=lambda row: (row.pod, row.day)):
        found = list(of_block)
        yield from (row for row in found if row.version == found[0].version and row.values is not None)


def _utc_day(instant: datetime, days: int) -> date:
    """The UTC day of an instant, moved by days but not out of the calendar."""
    return date.fromordinal(min(max(instant.toordinal() + days, 1), date.max.toordinal()))


def _end(block: Block, zone: str) -> datetime:
    """The end of a block's last interval, whatever became of the PoD's time zone since."""
    if block.step is not TimeStep.P1D:
        return block.start + timedelta(seconds=len(block.values) * block.step.seconds)
    start, end = local_day(block.day, zone)
    return end if start == block.start else block.start + LONGEST_DAY


def _blocks(stored: _Stored, asked: Asked) -> Iterator[Block]:
    """What of one stored block may leave: all of it, or the values whose whole interval lies in a released part."""
    row = stored.row
    values, qualities = arrays_of(row.values, row.qualities)
    found = Block(row.pod, asked.quantity, row.day, row.version, row.start, STEPS[row.step], values, qualities)
    block = resampled(found, asked.step, row.time_zone)
    if block is None:
        return
    end = _end(block, row.time_zone)
    if any(lower <= block.start and end <= upper for lower, upper in stored.parts):
        yield block
        return
    if asked.step is TimeStep.P1D:  # the value is of the whole day
        return
    step = asked.step.seconds
    starts = epoch(block.start) + np.arange(len(block.values), dtype=np.int64) * step
    for lower, upper in stored.parts:
        first, last = ceil(lower.timestamp()), epoch(upper)  # both bounded: the asked period is
        inside = np.flatnonzero((starts >= first) & (starts + step <= last))
        if len(inside):
            cut = slice(int(inside[0]), int(inside[-1]) + 1)
            begin = block.start + timedelta(seconds=int(inside[0]) * step)
            some = None if block.qualities is None else block.qualities[cut]
            yield replace(block, start=begin, values=block.values[cut], qualities=some)


def _apart(blocks: Iterator[Block]) -> Iterator[Block]:
    """Days that a change of the PoD's zone made overlap: the later one without what the earlier one has already."""
    pod, end = "", datetime.min.replace(tzinfo=UTC)
    for block in blocks:
        if block.pod == pod and block.start < end:
            late = ceil((end - block.start).total_seconds() / block.step.seconds)
            if late >= len(block.values):
                continue
            some = None if block.qualities is None else block.qualities[late:]
            start = block.start + timedelta(seconds=late * block.step.seconds)
            block = replace(block, start=start, values=block.values[late:], qualities=some)  # noqa: PLW2901 - the rest
        # A local day may have 23 hours.
        length = 23 * 3600 if block.step is TimeStep.P1D else len(block.values) * block.step.seconds
        pod, end = block.pod, block.start + timedelta(seconds=length)
        yield block

"""The release rule (docs/decisions.md, 9): the only way from stored meter values to a message.

A value leaves when a validated agreement covers its PoD, quantity, step and interval and, where the service wants
consent, acknowledged consents of customers who held the PoD cover the interval too. Consents add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import cast

import numpy as np
from psycopg.rows import namedtuple_row
from psycopg.types.range import TimestamptzRange

from flexiciency.contract.series import Quantity, Series, TimeStep, epoch
from flexiciency.domain.values import Block, joined, local_day
from flexiciency.store.transaction import Query, Row, Transaction
from flexiciency.store.values import QUANTITY_CODES, arrays_of

_LOCK_AGREEMENT = "SELECT FROM agreement WHERE id = %(agreement_id)s FOR SHARE"

# A revocation waits for these locks, so that it is either before the release or after the message is marked Sent.
_LOCK_CONSENTS = """
SELECT cp.consent_id FROM agreement a
JOIN agreement_pod ap ON ap.agreement_id = a.id AND ap.covered && %(period)s
JOIN consent_pod cp ON cp.pod_id = ap.pod_id AND cp.status = 'Acknowledged' AND cp.covered && %(period)s
JOIN consent c ON c.id = cp.consent_id AND c.eso_id = a.requester_id
WHERE a.id = %(agreement_id)s AND (%(pods)s::text[] IS NULL OR cp.pod = ANY(%(pods)s))
ORDER BY cp.consent_id, cp.pod FOR SHARE OF cp
"""

# Of the consents only those that are locked: one given since could be revoked without waiting. A consent's PoDs are
# stored at once and never acknowledged again, so those of a locked consent that still count are locked too.
_RELEASED = """
WITH agreed AS (
    SELECT ap.pod_id, p.pod, p.time_zone, ap.covered * %(period)s AS covered, g.requester_id, g.quantity, g.time_step,
        d.customer_consent_mandatory AS mandatory
    FROM agreement g JOIN service_description d ON d.id = g.service_description_id
    JOIN agreement_pod ap ON ap.agreement_id = g.id AND ap.covered && %(period)s
    JOIN pod p ON p.id = ap.pod_id
    WHERE g.id = %(agreement_id)s AND g.status = 'Validated' AND g.quantity = %(quantity)s AND g.time_step = %(step)s
      AND (%(pods)s::text[] IS NULL OR p.pod = ANY(%(pods)s))
      AND (%(time_zone)s::text IS NULL OR p.time_zone = %(time_zone)s)
), span AS (
    SELECT g.pod_id, g.pod, g.time_zone, range_agg(g.covered * cp.covered * h.held) AS released
    FROM agreed g
    JOIN consent_pod cp ON cp.pod_id = g.pod_id AND cp.status = 'Acknowledged' AND cp.consent_id = ANY(%(consents)s)
    JOIN consent c ON c.id = cp.consent_id AND c.eso_id = g.requester_id
    JOIN consent_scope s ON s.consent_id = c.id AND s.quantity = g.quantity AND s.finest_step <= g.time_step
    JOIN pod_holder h ON h.pod_id = g.pod_id AND h.customer_id = c.customer_id
    WHERE g.mandatory GROUP BY g.pod_id, g.pod, g.time_zone
    UNION ALL
    SELECT g.pod_id, g.pod, g.time_zone, range_agg(g.covered) FROM agreed g WHERE NOT g.mandatory
    GROUP BY g.pod_id, g.pod, g.time_zone
)
SELECT span.pod, span.time_zone, b.day, b.version, b.start, b.values, b.qualities, span.released
FROM span
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.day) m.day, m.version, m.start, m.step, m.count, m.values, m.qualities
    FROM meter_value_block m
    WHERE m.pod_id = span.pod_id AND m.quantity = %(quantity_code)s
      AND m.day >= %(first_day)s AND m.day < %(end_day)s AND m.step = %(step)s
    ORDER BY m.day, m.version DESC
) b
WHERE span.released && tstzrange(b.start, b.start + b.count * b.step * interval '1 second')
ORDER BY span.pod, b.day
"""

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


def release(tx: Transaction, asked: Asked) -> Iterator[Series]:
    """Values that may leave in this transaction, by PoD in order.

    The consents stay locked against revocation until it ends. Rows are fetched in portions, so memory is flat.
    """
    period = TimestamptzRange(asked.start, asked.end)
    of_agreement = {
        "agreement_id": asked.agreement_id,
        "period": period,
        "pods": None if asked.pods is None else list(asked.pods),
    }
    _, locked = tx.read(Query(_LOCK_AGREEMENT, of_agreement), Query(_LOCK_CONSENTS, of_agreement))
    values = of_agreement | {
        "consents": list({row.consent_id for row in locked}),
        "time_zone": asked.time_zone,
        "quantity": asked.quantity.value,
        "quantity_code": QUANTITY_CODES[asked.quantity],
        "step": asked.step.seconds,
        # No zone is more than a day from UTC.
        "first_day": _utc_day(asked.start, -1),
        "end_day": _utc_day(asked.end, 2),
    }
    with tx.driver.cursor(f"release_{id(asked)}", row_factory=namedtuple_row) as cursor:
        cursor.itersize = 2000
        cursor.execute(_RELEASED, values)
        yield from joined(block for row in cursor for block in _blocks(row, asked))


def _utc_day(instant: datetime, days: int) -> date:
    """The UTC day of an instant, moved by days but not out of the calendar."""
    return date.fromordinal(min(max(instant.toordinal() + days, 1), date.max.toordinal()))


def _end(row: Row, step: TimeStep, count: int) -> datetime:
    """The end of a stored block's last interval, whatever became of the PoD's time zone since."""
    if step is not TimeStep.P1D:
        return cast("datetime", row.start) + timedelta(seconds=count * step.seconds)
    start, end = local_day(row.day, row.time_zone)
    return end if start == row.start else row.start + LONGEST_DAY


def _blocks(row: Row, asked: Asked) -> Iterator[Block]:
    """What of one stored block may leave: all of it, or the values whose whole interval lies in a released range."""
    values, qualities = arrays_of(row.values, row.qualities)
    end = _end(row, asked.step, len(values))
    if any(part.lower <= row.start and end <= part.upper for part in row.released):
        yield Block(row.pod, asked.quantity, row.day, row.version, row.start, asked.step, values, qualities)
        return
    if asked.step is TimeStep.P1D:  # the value is of the whole day
        return
    step = asked.step.seconds
    starts = epoch(row.start) + np.arange(len(values), dtype=np.int64) * step
    for part in row.released:
        first, last = ceil(part.lower.timestamp()), epoch(part.upper)  # both bounded: the asked period is
        inside = np.flatnonzero((starts >= first) & (starts + step <= last))
        if len(inside):
            cut = slice(int(inside[0]), int(inside[-1]) + 1)
            begin = row.start + timedelta(seconds=int(inside[0]) * step)
            some = None if qualities is None else qualities[cut]
            yield Block(row.pod, asked.quantity, row.day, row.version, begin, asked.step, values[cut], some)

"""The release rule (docs/decisions.md, 9): the only way from stored meter values to a message.

A value leaves when a validated agreement covers its PoD, quantity, step and interval and, where the service wants
consent, acknowledged consents of customers who held the PoD cover the interval too. Consents add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil

import numpy as np
from psycopg.rows import namedtuple_row
from psycopg.types.range import TimestamptzRange

from flexiciency.contract.series import Quantity, Series, TimeStep, epoch
from flexiciency.domain.values import Block, joined
from flexiciency.store.transaction import Query, Row, Transaction
from flexiciency.store.values import QUANTITY_CODES, arrays_of

# A revocation waits for these locks, so that it is either before the release or after the message is marked Sent.
_LOCK = """
SELECT FROM agreement a
JOIN agreement_pod ap ON ap.agreement_id = a.id AND ap.covered && %(period)s
JOIN consent_pod cp ON cp.pod_id = ap.pod_id AND cp.status = 'Acknowledged' AND cp.covered && %(period)s
JOIN consent c ON c.id = cp.consent_id AND c.eso_id = a.requester_id
WHERE a.id = %(agreement_id)s
ORDER BY cp.consent_id, cp.pod FOR SHARE OF a, cp
"""

_RELEASED = """
WITH agreed AS (
    SELECT ap.pod_id, ap.covered * %(period)s AS covered, g.requester_id, g.quantity, g.time_step,
        d.customer_consent_mandatory AS mandatory
    FROM agreement g JOIN service_description d ON d.id = g.service_description_id
    JOIN agreement_pod ap ON ap.agreement_id = g.id AND ap.covered && %(period)s
    WHERE g.id = %(agreement_id)s AND g.status = 'Validated' AND g.quantity = %(quantity)s AND g.time_step = %(step)s
      AND (%(pods)s::text[] IS NULL OR ap.pod_id IN (SELECT id FROM pod WHERE pod = ANY(%(pods)s)))
), span AS (
    SELECT g.pod_id, range_agg(g.covered * cp.covered * h.held) AS released
    FROM agreed g
    JOIN consent_pod cp ON cp.pod_id = g.pod_id AND cp.status = 'Acknowledged'
    JOIN consent c ON c.id = cp.consent_id AND c.eso_id = g.requester_id
    JOIN consent_scope s ON s.consent_id = c.id AND s.quantity = g.quantity AND s.finest_step <= g.time_step
    JOIN pod_holder h ON h.pod_id = g.pod_id AND h.customer_id = c.customer_id
    WHERE g.mandatory GROUP BY g.pod_id
    UNION ALL
    SELECT g.pod_id, range_agg(g.covered) FROM agreed g WHERE NOT g.mandatory GROUP BY g.pod_id
)
SELECT p.pod, b.day, b.version, b.start, b.step, b.values, b.qualities, span.released,
    span.released @> tstzrange(b.start, (b.day + 1)::timestamp AT TIME ZONE p.time_zone) AS whole
FROM span JOIN pod p ON p.id = span.pod_id
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.day) m.day, m.version, m.start, m.step, m.values, m.qualities FROM meter_value_block m
    WHERE m.pod_id = span.pod_id AND m.quantity = %(quantity_code)s
      AND m.day >= %(first_day)s AND m.day < %(end_day)s AND m.step = %(step)s
    ORDER BY m.day, m.version DESC
) b
WHERE span.released && tstzrange(b.start, (b.day + 1)::timestamp AT TIME ZONE p.time_zone)
ORDER BY p.pod, b.day
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a delivery is to hold: of one agreement, [start, end) UTC, all its PoDs or the named ones."""

    agreement_id: str
    quantity: Quantity
    step: TimeStep
    start: datetime
    end: datetime
    pods: tuple[str, ...] | None = None


def release(tx: Transaction, asked: Asked) -> Iterator[Series]:
    """Values that may leave in this transaction, by PoD in order.

    The consents stay locked against revocation until it ends. Rows are fetched in portions, so memory is flat.
    """
    period = TimestamptzRange(asked.start, asked.end)
    tx.read(Query(_LOCK, {"agreement_id": asked.agreement_id, "period": period}))
    values = {
        "agreement_id": asked.agreement_id,
        "period": period,
        "pods": None if asked.pods is None else list(asked.pods),
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


def _blocks(row: Row, asked: Asked) -> Iterator[Block]:
    """What of one stored block may leave: all of it, or the values whose whole interval lies in a released range."""
    values, qualities = arrays_of(row.values, row.qualities)
    if row.whole:
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

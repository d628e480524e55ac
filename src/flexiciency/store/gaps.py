"""What the gap report rests on (D2.3, 2.6): what an agreement covers, what may leave of it, what was received.

Values themselves are not read here; which of them are stored tells `store.values.stored_days`.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg.types.range import TimestamptzRange

from flexiciency.store.transaction import Query

_COVERED = """
SELECT p.id, p.pod, p.country, p.city, p.street, p.time_zone, lower(gp.covered * %(period)s) AS since,
    upper(gp.covered * %(period)s) AS until
FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
WHERE gp.agreement_id = %(id)s AND gp.covered && %(period)s AND (%(pods)s::text[] IS NULL OR p.pod = ANY(%(pods)s))
"""
# A day of 25 hours is one.
_SIZE = f"""
SELECT count(*) AS pods, coalesce(sum(greatest(ceil((extract(epoch FROM until - since) - 3600) / 86400), 1)), 0)::bigint
    AS days, max(until) - min(since) AS longest
FROM ({_COVERED}) covered
"""  # noqa: S608 - our own text
_ORDERED = f"{_COVERED} ORDER BY p.pod"
_RELEASED = """
SELECT pod_id, range_agg(released * %(period)s) AS parts FROM releasable
WHERE agreement_id = %(id)s AND released && %(period)s AND pod_id = ANY(%(pod_ids)s) GROUP BY pod_id
"""
# Of the agreed step: an hour that was asked for is no four quarter hours.
# Received: with a receipt, taken from the mailbox, or acknowledged. One that is Dead was received only if it was sent
# again since.
_RECEIVED = """
    d.agreement_id = %(id)s AND d.value_period && %(period)s AND d.sent_at IS NOT NULL
    AND (d.time_step IS NULL OR d.time_step = (SELECT g.time_step FROM agreement g WHERE g.id = d.agreement_id))
    AND (d.resends > 0 OR (d.received_at IS NOT NULL AND d.state <> 'Dead'))
"""
_HELD = f"""
SELECT dp.pod_id AS key, d.id AS delivery_id, coalesce(dp.version, 1) AS version, dp.parts, dp.status,
    lower(d.value_period) AS start, upper(d.value_period) AS "end"
FROM delivery d JOIN delivery_pod dp ON dp.delivery_id = d.id
WHERE {_RECEIVED} AND dp.pod_id = ANY(%(pod_ids)s) ORDER BY d.number
"""  # noqa: S608 - our own text
_HELD_AGGREGATES = f"""
SELECT da.aggregation_id AS key, d.id AS delivery_id, 1 AS version, da.parts, da.status, d.time_zone,
    lower(d.value_period) AS start, upper(d.value_period) AS "end"
FROM delivery d JOIN delivery_aggregate da ON da.delivery_id = d.id WHERE {_RECEIVED} ORDER BY d.number
"""  # noqa: S608 - our own text
_WAITING = """
SELECT lower(d.value_period) AS start, upper(d.value_period) AS "end", d.time_zone, d.pods FROM delivery d
WHERE d.agreement_id = %(id)s AND d.value_period && %(period)s AND d.received_at IS NULL AND d.state <> 'Dead'
  AND d.cause <> 'Answered'
"""


def size(agreement_id: str, start: datetime, end: datetime, pods: Sequence[str] | None) -> Query:
    """How many PoDs, of all or those named, an agreement covers in [start, end), how many days of theirs, how long."""
    return Query(_SIZE, _asked(agreement_id, start, end, pods))


def covered(agreement_id: str, start: datetime, end: datetime, pods: Sequence[str] | None) -> Query:
    """These PoDs, in order, each with its place, its time zone and what of [start, end) is covered."""
    return Query(_ORDERED, _asked(agreement_id, start, end, pods))


def released(agreement_id: str, start: datetime, end: datetime, pod_ids: Sequence[int]) -> Query:
    """By PoD, the parts of [start, end) that may leave (the release rule), for those of which any may."""
    return Query(_RELEASED, _asked(agreement_id, start, end) | {"pod_ids": list(pod_ids)})


def held(agreement_id: str, start: datetime, end: datetime, pod_ids: Sequence[int]) -> Query:
    """What messages that were received hold of these PoDs, the older first."""
    return Query(_HELD, _asked(agreement_id, start, end) | {"pod_ids": list(pod_ids)})


def held_aggregates(agreement_id: str, start: datetime, end: datetime) -> Query:
    """Likewise of aggregates."""
    return Query(_HELD_AGGREGATES, _asked(agreement_id, start, end))


def waiting(agreement_id: str, start: datetime, end: datetime) -> Query:
    """Deliveries of values of [start, end) that are on their way, or wait in the mailbox."""
    return Query(_WAITING, _asked(agreement_id, start, end))


def said(delivery_ids: Sequence[UUID]) -> Query:
    """All that was said of the PoDs and aggregates of these deliveries, in the order in which it counts."""
    return Query(
        "SELECT delivery_id, coalesce(pod_id::text, aggregation_id) AS key, lower(value_period) AS start, "
        'upper(value_period) AS "end", status FROM delivery_acknowledgement WHERE delivery_id = ANY(%(ids)s) '
        "ORDER BY status_at, number",
        {"ids": list(delivery_ids)},
    )


def _asked(
    agreement_id: str, start: datetime, end: datetime, pods: Sequence[str] | None = None
) -> dict[str, object]:  # fmt: skip
    return {
        "id": agreement_id, "period": TimestamptzRange(start, end), "pods": None if pods is None else list(pods)
    }  # fmt: skip

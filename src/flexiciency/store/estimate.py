"""How many values an answer would hold, estimated before any is read (D2.3, 2.6)."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.types.range import TimestamptzRange

from flexiciency.contract.series import Quantity
from flexiciency.store.transaction import Query
from flexiciency.store.values import QUANTITY_CODES

_COVERED = """
SELECT count(*) AS pods, coalesce(sum(extract(epoch FROM upper(c.part) - lower(c.part))), 0)::bigint AS seconds
FROM (SELECT gp.covered * %(period)s AS part FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
      WHERE gp.agreement_id = %(id)s AND gp.covered && %(period)s
        AND (%(pods)s::text[] IS NULL OR p.pod = ANY(%(pods)s))) c
"""
# At most so many, so that it takes no longer the more there are.
_STORED = """
SELECT count(DISTINCT found.pod_id) AS pods, count(*) AS days FROM (
    SELECT gp.pod_id, s.day FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
    CROSS JOIN LATERAL (
        SELECT DISTINCT b.day FROM stored_block b WHERE b.pod_id = gp.pod_id AND b.quantity = %(quantity)s
          AND b.day >= (lower(gp.covered * %(period)s) AT TIME ZONE p.time_zone)::date
          AND b.day <= ((upper(gp.covered * %(period)s) - interval '1 second') AT TIME ZONE p.time_zone)::date
    ) s
    WHERE gp.agreement_id = %(id)s AND gp.covered && %(period)s
      AND (%(pods)s::text[] IS NULL OR p.pod = ANY(%(pods)s))
    LIMIT %(most)s
) found
"""


def covered(agreement_id: str, start: datetime, end: datetime, pods: Sequence[str] | None) -> Query:
    """How many PoDs an agreement covers in [start, end) UTC, of those named or all, and for how many `seconds`."""
    return Query(_COVERED, _values(agreement_id, start, end, pods))


def stored(
    agreement_id: str, quantity: Quantity, start: datetime, end: datetime, pods: Sequence[str] | None, most: int
) -> Query:
    """Of these PoDs and this time, how many days of PoDs have stored values, `most` at most, and of how many PoDs."""
    values = _values(agreement_id, start, end, pods)
    return Query(_STORED, values | {"quantity": QUANTITY_CODES[quantity], "most": most})


def _values(agreement_id: str, start: datetime, end: datetime, pods: Sequence[str] | None) -> dict[str, object]:
    period = TimestamptzRange(start, end)
    return {"id": agreement_id, "period": period, "pods": None if pods is None else list(pods)}

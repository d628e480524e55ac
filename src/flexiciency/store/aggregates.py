"""Aggregates in the database: the PoDs of an agreement by place, and what a requester was served (decision 10)."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange

from flexiciency.store.transaction import Query, Transaction

_LOCK = 0x41474744
"""Of the advisory locks under which requesters are served ("AGGD")."""

_MEMBERS = """
SELECT p.pod, p.country, p.city, p.street, p.time_zone, lower(gp.covered * %(period)s) AS since,
    upper(gp.covered * %(period)s) AS until
FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
WHERE gp.agreement_id = %(agreement_id)s AND gp.covered && %(period)s
  AND (%(time_zone)s::text IS NULL OR p.time_zone = %(time_zone)s)
  AND (cardinality(%(pods)s::text[] || %(customers)s::text[]) = 0 OR p.pod = ANY(%(pods)s) OR EXISTS (
       SELECT FROM pod_holder h WHERE h.pod_id = p.id AND h.customer_id = ANY(%(customers)s) AND h.held && %(period)s))
  AND (cardinality(%(countries)s::text[]) = 0 OR p.country = ANY(%(countries)s))
  AND (cardinality(%(cities)s::text[]) = 0 OR p.city = ANY(%(cities)s))
  AND (cardinality(%(streets)s::text[]) = 0 OR p.street = ANY(%(streets)s))
ORDER BY p.pod
"""

_SERVED = """
SELECT pods FROM aggregate_served
WHERE requester_id = %(requester_id)s AND group_hash <> %(group_hash)s AND served && %(intervals)s AND pods && %(pods)s
"""
_SERVE = """
INSERT INTO aggregate_served (requester_id, group_hash, pods, served)
VALUES (%(requester_id)s, %(group_hash)s, %(pods)s, %(intervals)s)
ON CONFLICT (requester_id, group_hash) DO UPDATE SET served = aggregate_served.served + EXCLUDED.served
"""


@dataclass(frozen=True, slots=True)
class Localization:
    """Of an AGG-DAT-SEL: PoDs named or held by customers named, of them those in these places. Empty: all."""

    pods: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()


EVERYWHERE = Localization()


@dataclass(frozen=True, slots=True)
class Group:
    """PoDs whose aggregate is served to a requester, and the stretches [start, end) UTC of its values."""

    requester_id: str
    pods: frozenset[str]
    stretches: tuple[tuple[datetime, datetime], ...]

    @property
    def _values(self) -> dict[str, object]:
        pods = sorted(self.pods)
        return {
            "requester_id": self.requester_id,
            "group_hash": sha256("\n".join(pods).encode()).digest(),
            "pods": pods,
            "intervals": TimestamptzMultirange(TimestamptzRange(start, end) for start, end in self.stretches),
        }

    def others(self) -> Query:
        """PoDs of the other groups that share PoDs with it and were served to the requester for any of its time."""
        return Query(_SERVED, self._values)

    def serve(self, tx: Transaction) -> None:
        """Remember that it was served."""
        tx.write(_SERVE, **self._values)


def members(
    agreement_id: str, start: datetime, end: datetime, place: Localization = EVERYWHERE, time_zone: str | None = None
) -> Query:
    """PoDs of an agreement, of a zone or all, with their place and what of [start, end) the agreement covers."""
    return Query(
        _MEMBERS,
        {
            "agreement_id": agreement_id, "period": TimestamptzRange(start, end), "time_zone": time_zone,
            "pods": list(place.pods), "customers": list(place.customers), "countries": list(place.countries),
            "cities": list(place.cities), "streets": list(place.streets),
        },
    )  # fmt: skip


def lock(tx: Transaction, requester_id: str) -> None:
    """Hold off whatever else would serve this requester aggregates, until the transaction ends."""
    tx.read(Query("SELECT pg_advisory_xact_lock(%(lock)s, hashtext(%(id)s))", {"lock": _LOCK, "id": requester_id}))

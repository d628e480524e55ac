"""Aggregates in the database: the PoDs of an agreement by place, and what a requester was served (decision 10)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
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

# Of all groups that are to leave at once: one look at thousands of streets, of which few were served for the same time.
_SERVED = """
SELECT pods, served FROM aggregate_served
WHERE requester_id = %(requester_id)s AND group_hash <> ALL(%(hashes)s) AND served && %(intervals)s
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
    def hash(self) -> bytes:
        """Tells this set of PoDs from others."""
        return pods_hash(self.pods)

    def serve(self, tx: Transaction) -> None:
        """Remember that it was served."""
        tx.write(
            _SERVE, requester_id=self.requester_id, group_hash=self.hash, pods=sorted(self.pods),
            intervals=_multirange([self]),
        )  # fmt: skip


def pods_hash(pods: Iterable[str]) -> bytes:
    """Tells one set of PoDs from another."""
    return sha256("\n".join(sorted(pods)).encode()).digest()


def others_served(tx: Transaction, groups: Sequence[Group]) -> list[list[frozenset[str]]]:
    """For each of some disjoint groups, others that share PoDs with it and were served to its requester in its time.

    All groups are of one requester.
    """
    if not groups:
        return []
    wanted = {
        "requester_id": groups[0].requester_id, "hashes": [one.hash for one in groups],
        "intervals": _multirange(groups),
    }  # fmt: skip
    (rows,) = tx.read(Query(_SERVED, wanted))
    served = [(frozenset(row.pods), row.served) for row in rows]
    with_pod: dict[str, list[int]] = defaultdict(list)
    for number, (pods, _) in enumerate(served):
        for pod in pods:
            with_pod[pod].append(number)
    sharing = [{number for pod in one.pods for number in with_pod.get(pod, ())} for one in groups]
    return [
        [served[number][0] for number in sorted(numbers) if _meet(one.stretches, served[number][1])]
        for one, numbers in zip(groups, sharing, strict=True)
    ]


def _meet(stretches: Iterable[tuple[datetime, datetime]], served: TimestamptzMultirange) -> bool:
    """Whether they have an instant in common."""
    return any(
        start < (part.upper or end) and (part.lower or start) < end for start, end in stretches for part in served
    )


def _multirange(groups: Iterable[Group]) -> TimestamptzMultirange:
    return TimestamptzMultirange(TimestamptzRange(*stretch) for one in groups for stretch in one.stretches)


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

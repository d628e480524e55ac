"""The schedule in the database: which days are due, and what of them goes out, in one statement a day (D2.3, 2.6).

A day of an agreement in a time zone is complete when of each of its PoDs that may leave all values are there. What was
delivered is told by `delivery_pod`: of a PoD that is in no push of the day the values are due once, of one whose block
has a higher version than any message with it had, once more (a correction). What is queued and not sent yet needs
nothing: it is built when it is sent. Nothing here reads a value: `stored_block` has none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.types.range import TimestamptzRange

from flexiciency.domain.provision import AGGREGATED, INDIVIDUAL
from flexiciency.store.transaction import Query, Row, Transaction
from flexiciency.store.values import QUANTITY_CODES

_LOCK = 0x51554555
"""Of the advisory locks under which an agreement's deliveries are queued ("QUEU")."""

PATIENCE = "30s"
"""How long the releases of an agreement are waited for."""

_DUE = """
SELECT g.id AS agreement_id, v.day, v.changes
FROM agreement g
JOIN service_description d ON d.id = g.service_description_id AND d.service_type = ANY(%(types)s)
JOIN market_player_registration r ON r.id = g.requester_id AND r.status = 'Active'
JOIN unnest(%(quantities)s::text[], %(codes)s::int2[]) AS q(name, code) ON q.name = g.quantity
JOIN value_day v ON v.quantity = q.code AND v.day >= g.start_date AND v.day < g.end_date AND v.day < %(end)s
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(NOT a.complete AND coalesce(
        a.look_at <= %(now)s OR a.changes < v.changes AND (a.look_at IS NULL OR a.changes >= 0), false)), true) AS due
    FROM agreement_day a WHERE a.agreement_id = g.id AND a.day = v.day
) known
WHERE g.status IN ('Validated', 'Ended') AND g.validation_date IS NOT NULL AND (v.day, g.id) > (%(day)s, %(id)s)
  AND known.due
ORDER BY v.day, g.id LIMIT %(limit)s
"""
_ACTIVE = """
SELECT g.id AS agreement_id FROM agreement g
JOIN service_description d ON d.id = g.service_description_id AND d.service_type = ANY(%(types)s)
JOIN market_player_registration r ON r.id = g.requester_id AND r.status = 'Active'
WHERE g.status IN ('Validated', 'Ended') AND g.validation_date IS NOT NULL
  AND g.start_date <= %(day)s AND g.end_date > %(day)s
ORDER BY g.id
"""
_FACTS = """
SELECT g.id, g.requester_id, g.quantity, g.time_step, d.service_type, d.aggregation_level,
    ARRAY(SELECT DISTINCT p.time_zone FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
          WHERE gp.agreement_id = g.id ORDER BY 1) AS zones
FROM agreement g JOIN service_description d ON d.id = g.service_description_id WHERE g.id = %(id)s
"""
_CHANGES = "SELECT changes FROM value_day WHERE quantity = %(quantity)s AND day = %(day)s"
_LOOKED = """
INSERT INTO agreement_day AS a (agreement_id, day, time_zone, changes, expected, there, complete, look_at, queued_at)
VALUES (%(id)s, %(day)s, %(time_zone)s, %(changes)s, %(expected)s, %(there)s, %(complete)s, %(look_at)s, %(queued_at)s)
ON CONFLICT (agreement_id, day, time_zone) DO UPDATE SET changes = EXCLUDED.changes, expected = EXCLUDED.expected,
    there = EXCLUDED.there, complete = EXCLUDED.complete, look_at = EXCLUDED.look_at,
    queued_at = coalesce(EXCLUDED.queued_at, a.queued_at)
"""

# PoDs that may leave for the day, with what is stored of them and what was delivered of them.
_STANDING = """
WITH coming AS MATERIALIZED (
    SELECT DISTINCT r.pod_id, p.pod FROM releasable r JOIN pod p ON p.id = r.pod_id
    WHERE r.agreement_id = %(id)s AND r.released && %(period)s AND p.time_zone = %(time_zone)s AND (/* PoDs r */)
), stored AS MATERIALIZED (
    SELECT c.pod_id, c.pod, b.version, coalesce(b.whole, false) AS whole, coalesce(b.partly, false) AS partly
    FROM coming c LEFT JOIN LATERAL (
        SELECT s.version, s.step, s.whole, s.partly FROM stored_block s
        WHERE s.pod_id = c.pod_id AND s.quantity = %(quantity)s AND s.day = %(day)s
        ORDER BY s.version DESC LIMIT 1
    ) b ON %(step)s %% b.step = 0
), totals AS MATERIALIZED (
    SELECT count(*) AS expected, count(*) FILTER (WHERE whole) AS there FROM stored
), delivered AS MATERIALIZED (
    SELECT d.id, d.pods, d.sent_at, d.received_at,
        d.operation LIKE 'Receive%%' AND d.time_step IS NULL AND d.value_period @> %(period)s AS pushed,
        d.state = 'Dead' AND d.received_at IS NOT NULL AS withheld
    FROM delivery d WHERE d.agreement_id = %(id)s AND d.value_period && %(period)s
      AND (d.time_zone IS NULL OR d.time_zone = %(time_zone)s)
), had AS MATERIALIZED (
    SELECT dp.pod_id, max(coalesce(dp.version, 1)) AS version,
        bool_or(d.pushed AND d.received_at IS NOT NULL AND NOT d.withheld AND (/* whole */)) AS pushed
    FROM delivered d JOIN delivery_pod dp ON dp.delivery_id = d.id
    WHERE d.sent_at IS NOT NULL AND (/* PoDs dp */) GROUP BY dp.pod_id
), leaving AS MATERIALIZED (
    SELECT p.id AS pod_id, bool_or(d.sent_at IS NULL) AS unsent
    FROM delivered d CROSS JOIN unnest(d.pods) AS named(pod) JOIN pod p ON p.pod = named.pod
    WHERE d.pushed AND d.received_at IS NULL AND (/* all of it */) GROUP BY p.id
), leaving_all AS MATERIALIZED (
    SELECT count(*) > 0 AS pushed, coalesce(bool_or(sent_at IS NULL), false) AS unsent
    FROM delivered WHERE pods IS NULL AND pushed AND received_at IS NULL
)"""
# One sort instead of joins: what the statement finds is not known when it is planned, and loops in loops take hours.
_DUE_PODS = """, due AS MATERIALIZED (
    SELECT pod_id, max(pod) AS pod, CASE WHEN max(had) < max(version) THEN 'Correction' ELSE 'Scheduled' END AS cause
    FROM (SELECT pod_id, pod, version, partly, NULL::int AS had, false AS pushed, false AS unsent FROM stored
          UNION ALL SELECT pod_id, NULL, NULL, false, version, pushed, false FROM had
          UNION ALL SELECT pod_id, NULL, NULL, false, NULL, true, unsent FROM leaving) known
    GROUP BY pod_id HAVING max(pod) IS NOT NULL AND CASE
        WHEN max(had) < max(version) THEN NOT bool_or(unsent) AND NOT (SELECT unsent FROM leaving_all)
        ELSE bool_or(partly) AND NOT bool_or(pushed) AND NOT (SELECT pushed FROM leaving_all)
            AND (%(late)s OR %(of_all)s AND (SELECT expected = there FROM totals)) END
)"""
_QUEUED = """, queued AS (
    INSERT INTO delivery (id, recipient_id, operation, state, agreement_id, value_period, time_zone, pods, cause,
        object_id, message_id, created_at, attempts)
    SELECT gen_random_uuid(), %(requester_id)s, %(operation)s, 'Queued', %(id)s, %(period)s, %(time_zone)s, pods, cause,
        'urn:uuid:' || gen_random_uuid(), 'urn:uuid:' || gen_random_uuid(), %(now)s, 0
    FROM parts ORDER BY part RETURNING id
)
SELECT t.expected, t.there, ARRAY(SELECT id FROM queued) AS queued FROM totals t
"""
_INDIVIDUAL = """, parts AS (
    SELECT part, min(cause) AS cause, array_agg(pod ORDER BY pod) AS pods FROM (
        SELECT pod, cause, (row_number() OVER (PARTITION BY cause ORDER BY pod) - 1) / %(most)s AS part FROM due
    ) numbered GROUP BY cause, part
)"""
# Groups are whole: the PoDs of an aggregate of which any is due. Those of all groups are not named.
_AGGREGATED = """, member AS MATERIALIZED (
    SELECT max(pod) AS pod, max(place) AS place, max(cause) AS cause
    FROM (SELECT p.id AS pod_id, p.pod, CASE %(level)s WHEN 'Country' THEN p.country
              WHEN 'City' THEN jsonb_build_array(p.country, p.city)::text
              WHEN 'Street' THEN jsonb_build_array(p.country, p.city, p.street)::text ELSE '' END AS place,
              NULL AS cause
          FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
          WHERE gp.agreement_id = %(id)s AND gp.covered && %(period)s AND p.time_zone = %(time_zone)s
          UNION ALL SELECT pod_id, NULL, NULL, cause FROM due) known
    GROUP BY pod_id HAVING max(pod) IS NOT NULL
), numbered AS MATERIALIZED (
    SELECT pod, cause, dense_rank() OVER (ORDER BY place) - 1 AS number
    FROM (SELECT pod, place, max(cause) OVER (PARTITION BY place) AS cause FROM member) grouped WHERE cause IS NOT NULL
), parts AS (
    SELECT number / %(most)s AS part, max(cause) AS cause,
        CASE WHEN (SELECT max(number) >= %(most)s OR count(*) < (SELECT count(*) FROM member) FROM numbered)
             THEN array_agg(pod ORDER BY pod) END AS pods
    FROM numbered GROUP BY number / %(most)s
)"""

_TAKE_CORRECTIONS = """
SELECT number, pod_id, quantity, day FROM value_correction WHERE number > %(after)s
ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
# Whatever state an agreement is in: what may leave of it is looked at under its lock.
_CORRECTED = """
SELECT g.id AS agreement_id, p.time_zone, c.day, array_agg(DISTINCT c.pod_id) AS pod_ids
FROM unnest(%(pod_ids)s::bigint[], %(quantities)s::int2[], %(days)s::date[]) AS c(pod_id, quantity, day)
JOIN pod p ON p.id = c.pod_id JOIN agreement_pod gp ON gp.pod_id = c.pod_id
JOIN agreement g ON g.id = gp.agreement_id AND g.validation_date IS NOT NULL
  AND g.start_date <= c.day AND g.end_date > c.day
JOIN unnest(%(names)s::text[], %(codes)s::int2[]) AS q(name, code) ON q.name = g.quantity AND q.code = c.quantity
JOIN service_description d ON d.id = g.service_description_id AND d.service_type = ANY(%(types)s)
GROUP BY g.id, p.time_zone, c.day ORDER BY g.id, c.day, p.time_zone
"""
_TAKE_MORE = """
SELECT number, agreement_id, pod_id FROM agreement_more WHERE number > %(after)s
ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_MORE = """
SELECT a.agreement_id, a.time_zone, a.day, array_agg(DISTINCT m.pod_id) AS pod_ids
FROM unnest(%(agreement_ids)s::text[], %(pod_ids)s::bigint[]) AS m(agreement_id, pod_id)
JOIN pod p ON p.id = m.pod_id
JOIN agreement_day a ON a.agreement_id = m.agreement_id AND a.time_zone = p.time_zone
GROUP BY a.agreement_id, a.time_zone, a.day ORDER BY a.agreement_id, a.day, a.time_zone
"""
# Days that are not complete are looked at as a whole too.
_REOPEN = """
UPDATE agreement_day SET look_at = 'epoch'
WHERE agreement_id = ANY(%(agreement_ids)s) AND NOT complete AND changes >= 0
"""
_IS_COMPLETE = """
SELECT complete FROM agreement_day WHERE agreement_id = %(id)s AND day = %(day)s AND time_zone = %(time_zone)s
"""


class Due(NamedTuple):
    """A day of an agreement to be looked at, the last of which may be given again to go on."""

    agreement_id: str
    day: date


START = Due("", date.min)
"""Before all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A day of an agreement in a zone, [start, end) UTC: of all its PoDs, or of those with these ids.

    `late`: what is there goes out though not all is; whether all is, a look at all PoDs alone can tell. `most` PoDs (or
    aggregates) go into one message.
    """

    agreement: Row
    time_zone: str
    day: date
    start: datetime
    end: datetime
    late: bool
    most: int
    pod_ids: Sequence[int] | None = None


def due(now: datetime, end: date, after: Due, limit: int) -> Query:
    """Days before `end` that nobody has looked at, or that are not complete and have changed or are waited for no more.

    In the order of days and agreements, of Active requesters only.
    """
    return Query(
        _DUE, _NAMES | {"now": now, "end": end, "day": after.day, "id": after.agreement_id, "limit": limit}
    )  # fmt: skip


def active(day: date) -> Query:
    """Ids of the agreements with Active requesters that cover a local day, whatever is stored of it."""
    return Query(_ACTIVE, {"types": [INDIVIDUAL, AGGREGATED], "day": day})


def facts(agreement_id: str) -> Query:
    """The `agreement` of a `Look`, and the time `zones` of its PoDs."""
    return Query(_FACTS, {"id": agreement_id})


def lock(agreement_id: str) -> Query:
    """Nobody else queues deliveries of this agreement until the transaction ends."""
    return Query("SELECT pg_advisory_xact_lock(%(lock)s, hashtext(%(id)s))", {"lock": _LOCK, "id": agreement_id})


def be_patient() -> Query:
    """From here on the transaction fails when it waits for a lock longer than is reasonable (`is_contention`)."""
    return Query("SELECT set_config('lock_timeout', %(patience)s, true)", {"patience": PATIENCE})


def changes(quantity: str, day: date) -> Query:
    """How often values of a day were stored (`value_day`), if ever."""
    return Query(_CHANGES, {"quantity": _CODES[quantity], "day": day})


def is_complete(agreement_id: str, day: date, time_zone: str) -> Query:
    """Whether a day was complete when it was looked at, if it was."""
    return Query(_IS_COMPLETE, {"id": agreement_id, "day": day, "time_zone": time_zone})


def queue(tx: Transaction, look: Look, now: datetime) -> tuple[int, int, list[UUID]]:
    """Queue what is due. How many PoDs may leave, of how many all is there, and the deliveries, yet without jobs."""
    agreement = look.agreement
    aggregated = agreement.service_type == AGGREGATED
    values = {
        "id": agreement.id, "requester_id": agreement.requester_id, "quantity": _CODES[agreement.quantity],
        "step": agreement.time_step, "level": agreement.aggregation_level, "time_zone": look.time_zone,
        "day": look.day, "period": TimestamptzRange(look.start, look.end), "late": look.late, "most": look.most,
        "operation": "ReceiveAggregatedDataValue" if aggregated else "ReceiveIndividualDataValue", "now": now,
        "of_all": look.pod_ids is None, "pod_ids": None if look.pod_ids is None else list(look.pod_ids),
    }  # fmt: skip
    ((row,),) = tx.read(Query(_SQL[aggregated, look.pod_ids is not None], values))
    return row.expected, row.there, row.queued


def looked(
    tx: Transaction, look: Look, *, changes: int, expected: int, there: int, look_at: datetime | None,
    queued_at: datetime | None,
) -> None:  # fmt: skip
    """Remember what was found of a whole day; `look_at`: when to look again whatever is stored until then."""
    tx.write(
        _LOOKED, id=look.agreement.id, day=look.day, time_zone=look.time_zone, changes=changes, expected=expected,
        there=there, complete=0 < expected == there, look_at=look_at, queued_at=queued_at,
    )  # fmt: skip


def take_corrections(after: int, limit: int) -> Query:
    """Rows of `value_correction` from a number on, that nobody else has taken, locked."""
    return Query(_TAKE_CORRECTIONS, {"after": after, "limit": limit})


def corrected(taken: Iterable[Row]) -> Query:
    """By agreement, day and zone the ids of PoDs that were corrected and that the agreement covers."""
    rows = list(taken)
    return Query(
        _CORRECTED,
        {
            "pod_ids": [row.pod_id for row in rows], "quantities": [row.quantity for row in rows],
            "days": [row.day for row in rows], "names": _NAMES["quantities"], "codes": _NAMES["codes"],
            "types": _NAMES["types"],
        },
    )  # fmt: skip


def take_more(after: int, limit: int) -> Query:
    """Rows of `agreement_more` from a number on, that nobody else has taken, locked."""
    return Query(_TAKE_MORE, {"after": after, "limit": limit})


def more(taken: Iterable[Row]) -> Query:
    """As `corrected`, of each day that was looked at, the PoDs of which more may leave."""
    rows = list(taken)
    return Query(
        _MORE, {"agreement_ids": [row.agreement_id for row in rows], "pod_ids": [row.pod_id for row in rows]}
    )  # fmt: skip


def forget_corrections(tx: Transaction, taken: Iterable[Row]) -> None:
    """Whoever got the old versions has been queued the new ones."""
    tx.write("DELETE FROM value_correction WHERE number = ANY(%(numbers)s)", numbers=[row.number for row in taken])


def forget_more(tx: Transaction, taken: Iterable[Row]) -> None:
    """They have been looked at, on each day that was; days that are not complete become due."""
    rows = list(taken)
    tx.write(_REOPEN, agreement_ids=list({row.agreement_id for row in rows}))
    tx.write("DELETE FROM agreement_more WHERE number = ANY(%(numbers)s)", numbers=[row.number for row in rows])


_CODES = {quantity.value: code for quantity, code in QUANTITY_CODES.items()}
_NAMES = {"types": [INDIVIDUAL, AGGREGATED], "quantities": list(_CODES), "codes": list(_CODES.values())}


_NO_PART = """NOT EXISTS (
        SELECT FROM delivery_pod dp WHERE dp.delivery_id = d.id AND dp.pod_id = p.id AND dp.parts IS NOT NULL)"""


def _sql(*, aggregated: bool, some: bool) -> str:
    standing = _STANDING
    for table in ("r", "dp"):
        standing = standing.replace(f"/* PoDs {table} */", f"{table}.pod_id = ANY(%(pod_ids)s)" if some else "true")
    # Some are looked at once for each piece of news: what had a part of its day may get more of it.
    standing = standing.replace("/* whole */", "dp.parts IS NULL" if some else "true")
    standing = standing.replace("/* all of it */", _NO_PART if some else "true")
    return standing + _DUE_PODS + (_AGGREGATED if aggregated else _INDIVIDUAL) + _QUEUED


_SQL = {
    (aggregated, some): _sql(aggregated=aggregated, some=some) for aggregated in (False, True) for some in (False, True)
}
"""By whether they are aggregates and whether some PoDs are looked at."""

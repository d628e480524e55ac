"""Service activation agreements in the database (SRV-ACT-AGR)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.types.range import TimestamptzRange

from flexiciency.domain.agreement import ConfirmedPod
from flexiciency.domain.values import local_days_period
from flexiciency.store.transaction import Query, Row, Transaction

_TERMS = """
SELECT a.id AS activation_id, a.requester_id, a.status AS activation_status, d.id AS service_id, d.quantity,
    extract(epoch FROM d.time_step::interval)::int AS time_step, d.customer_consent_mandatory AS mandatory,
    d.by_hand, EXISTS (SELECT FROM b2b_service_subscription s
        JOIN b2b_service_subscription_description sd ON sd.subscription_id = s.id
        WHERE s.id = %(subscription_id)s AND s.requester_id = a.requester_id AND s.status = 'Validated'
          AND sd.service_description_id = d.id) AS subscribed
FROM activation a JOIN service_description d ON d.id = a.service_description_id WHERE a.id = %(activation_id)s
FOR SHARE OF a
"""

# The span of local days that a PoD's consents cover; the release rule decides on each interval later.
_CONFIRMED = """
SELECT ap.pod, ap.pod_id, d.customer_consent_mandatory AS mandatory, min(c.start_date) AS since,
    max(c.end_date) AS until
FROM activation_pod ap
JOIN activation a ON a.id = ap.activation_id
JOIN service_description d ON d.id = a.service_description_id
LEFT JOIN (consent_pod cp JOIN consent c ON c.id = cp.consent_id AND cp.status = 'Acknowledged'
           JOIN consent_scope s ON s.consent_id = c.id)
    ON cp.pod_id = ap.pod_id AND cp.eso_id = a.requester_id AND s.quantity = d.quantity
       AND s.finest_step <= extract(epoch FROM d.time_step::interval)
WHERE ap.activation_id = %(activation_id)s AND ap.confirmed
GROUP BY ap.pod, ap.pod_id, d.customer_consent_mandatory
"""

_STORED = """
SELECT g.*, d.by_hand, d.service_type, d.aggregation_level, d.aggregation_method,
    (SELECT array_agg(p.pod ORDER BY p.pod) FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
     WHERE gp.agreement_id = g.id) AS pods,
    (SELECT array_agg(consent_id ORDER BY consent_id) FROM agreement_consent gc WHERE gc.agreement_id = g.id)
        AS consents,
    (SELECT array_agg(selection_id ORDER BY selection_id) FROM agreement_selection gs WHERE gs.agreement_id = g.id)
        AS selections
FROM agreement g JOIN service_description d ON d.id = g.service_description_id
WHERE g.id = %(id)s
"""

_INSERT = """
INSERT INTO agreement (id, version, status, requester_id, service_description_id, subscription_id, activation_id,
    data_details, processing_details, start_date, end_date, validation_date, quantity, time_step)
VALUES (%(id)s, %(version)s, %(status)s, %(requester_id)s, %(service_id)s, %(subscription_id)s, %(activation_id)s,
    %(data_details)s, %(processing_details)s, %(start_date)s, %(end_date)s, %(validation_date)s, %(quantity)s,
    %(time_step)s)
"""
_NEXT = """
UPDATE agreement SET version = %(version)s, status = %(status)s, data_details = %(data_details)s,
    processing_details = %(processing_details)s, start_date = %(start_date)s, end_date = %(end_date)s,
    validation_date = %(validation_date)s
WHERE id = %(id)s
"""
_FORGET = (
    "DELETE FROM agreement_pod WHERE agreement_id = %(id)s",
    "DELETE FROM agreement_consent WHERE agreement_id = %(id)s",
    "DELETE FROM agreement_selection WHERE agreement_id = %(id)s",
)
_INSERT_PODS = """
INSERT INTO agreement_pod (agreement_id, pod_id, covered)
SELECT %(id)s, pod_id, tstzrange(since, until)
FROM unnest(%(pod_ids)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[]) AS a(pod_id, since, until)
"""
_INSERT_SELECTIONS = "INSERT INTO agreement_selection SELECT %(id)s, unnest(%(selections)s::text[])"
# The consents that the agreement rests on when it is made; the release rule looks at all consents, always.
_INSERT_CONSENTS = """
INSERT INTO agreement_consent (agreement_id, consent_id)
SELECT DISTINCT agreement_id, consent_id FROM agreement_coverage
WHERE agreement_id = %(id)s AND consent_id IS NOT NULL
"""
_VALIDATE = "UPDATE agreement SET status = 'Validated', validation_date = %(now)s WHERE id = %(id)s"
_END = "UPDATE agreement SET status = %(status)s, end_date = %(end)s, version = version + 1 WHERE id = %(id)s"
_CUT = """
UPDATE agreement_pod gp SET covered = gp.covered * tstzrange(NULL, %(until)s)
FROM pod p WHERE p.id = gp.pod_id AND p.time_zone = %(time_zone)s AND gp.agreement_id = %(id)s
"""
_ZONES = """
SELECT DISTINCT p.time_zone FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id WHERE gp.agreement_id = %(id)s
"""
_OF_ACTIVATION = "SELECT id FROM agreement WHERE activation_id = %(id)s AND status <> 'Ended' ORDER BY id"
_LISTED = """
SELECT g.id, g.version, g.status, g.requester_id, g.service_description_id, g.start_date, g.end_date,
    (SELECT count(*) FROM agreement_pod gp WHERE gp.agreement_id = g.id) AS pods
FROM agreement g WHERE (%(status)s::text IS NULL OR g.status = %(status)s)
  AND (%(requester)s::text IS NULL OR g.requester_id = %(requester)s)
ORDER BY g.end_date DESC, g.id LIMIT %(limit)s
"""
_FOREIGN_CONSENT = """
SELECT asked.id FROM unnest(%(ids)s::text[]) AS asked(id) WHERE NOT EXISTS (
    SELECT FROM consent c WHERE c.id = asked.id AND c.eso_id = %(requester_id)s) LIMIT 1
"""

_HELD = """
SELECT DISTINCT p.pod FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id
JOIN pod_holder h ON h.pod_id = gp.pod_id AND h.customer_id = ANY(%(customers)s) AND h.held && %(period)s
WHERE gp.agreement_id = %(id)s
"""


def terms(activation_id: str, subscription_id: str) -> Query:
    """The activation that an agreement names: its requester, its service, and whether the subscription covers both.

    Nobody stops it before the transaction ends.
    """
    return Query(_TERMS, {"activation_id": activation_id, "subscription_id": subscription_id})


def confirmed(activation_id: str) -> Query:
    """Rows for `confirmed_of`."""
    return Query(_CONFIRMED, {"activation_id": activation_id})


def confirmed_of(rows: list[Row]) -> dict[str, ConfirmedPod]:
    """PoDs confirmed in the activation, by name, with the local days that their consents cover."""
    return {row.pod: ConfirmedPod(row.pod_id, row.since, row.until, row.mandatory) for row in rows}


def stored(agreement_id: str) -> Query:
    """An agreement with its PoDs, consents and selections, and its service's type, aggregation and `by_hand`."""
    return Query(_STORED, {"id": agreement_id})


def listed(status: str | None, requester: str | None, limit: int) -> Query:
    """Agreements of a state or a requester, those of the latest days first."""
    return Query(_LISTED, {"status": status, "requester": requester, "limit": limit})


def foreign_consent(consents: Iterable[str], requester_id: str) -> Query:
    """A row for one of these that is no consent to the requester, if there is any."""
    return Query(_FOREIGN_CONSENT, {"ids": list(consents), "requester_id": requester_id})


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agreement says, as decided. Dates are local days of each PoD, the end exclusive."""

    id: str
    version: int
    status: str
    data_details: str
    processing_details: str
    start_date: date
    end_date: date
    pods: tuple[str, ...]
    selections: tuple[str, ...] = ()


def store(
    tx: Transaction, terms: Terms, activation: Row, subscription_id: str, now: datetime, *, new: bool
) -> None:  # fmt: skip
    """Store a new agreement, whose Id breaks the primary key where it is taken, or the next version of a locked one.

    `activation` is a row of `terms`.
    """
    tx.write(
        _INSERT if new else _NEXT, id=terms.id, version=terms.version, status=terms.status,
        requester_id=activation.requester_id,
        service_id=activation.service_id, subscription_id=subscription_id, activation_id=activation.activation_id,
        data_details=terms.data_details, processing_details=terms.processing_details, start_date=terms.start_date,
        end_date=terms.end_date, validation_date=now if terms.status == "Validated" else None,
        quantity=activation.quantity, time_step=activation.time_step,
    )  # fmt: skip
    for statement in _FORGET:
        tx.write(statement, id=terms.id)
    found = Query("SELECT id, time_zone FROM pod WHERE pod = ANY(%(pods)s)", {"pods": list(terms.pods)})
    (pods,) = tx.look_up(found)
    periods = [local_days_period(terms.start_date, terms.end_date, pod.time_zone) for pod in pods]
    tx.write(
        _INSERT_PODS, id=terms.id, pod_ids=[pod.id for pod in pods], since=[start for start, _ in periods],
        until=[end for _, end in periods],
    )  # fmt: skip
    tx.write(_INSERT_SELECTIONS, id=terms.id, selections=list(terms.selections))
    tx.write(_INSERT_CONSENTS, id=terms.id)


def lock(agreement_id: str) -> Query:
    """Hold off others that would lock this agreement too, until the transaction ends."""
    return Query("SELECT FROM agreement WHERE id = %(id)s FOR NO KEY UPDATE", {"id": agreement_id})


def validate(tx: Transaction, agreement_id: str, now: datetime) -> None:
    """→ Validated."""
    tx.write(_VALIDATE, id=agreement_id, now=now)


def end(tx: Transaction, agreement_id: str, status: str, last: date) -> None:
    """Cover nothing from local day `last` on, in the zone of each PoD, in a new version."""
    tx.write(_END, id=agreement_id, status=status, end=last)
    (zones,) = tx.look_up(Query(_ZONES, {"id": agreement_id}))
    for zone in zones:
        until, _ = local_days_period(last, last, zone.time_zone)  # the last day of the calendar has no next one
        tx.write(_CUT, id=agreement_id, time_zone=zone.time_zone, until=until)


def of_activation(activation_id: str) -> Query:
    """Ids of the agreements from an activation that are not Ended."""
    return Query(_OF_ACTIVATION, {"id": activation_id})


def pods_held(agreement_id: str, customers: Iterable[str], start: datetime, end: datetime) -> Query:
    """PoDs of an agreement that any of these customers held in [start, end)."""
    period = TimestamptzRange(start, end)
    return Query(_HELD, {"id": agreement_id, "customers": list(customers), "period": period})

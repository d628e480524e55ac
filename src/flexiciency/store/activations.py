"""Service activations in the database (DSO-REQ, DSO-CNF, USP-REQ, USP-CNF)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flexiciency.contract.series import TimeStep
from flexiciency.domain.activation import ActivationDecision, PodConsent, Status
from flexiciency.domain.selection import Service
from flexiciency.store.transaction import Query, Row, Transaction

DSO_REQ, USP_REQ = "DSO-REQ", "USP-REQ"

# One statement and one row, since it is asked for each request: whether Ids are taken, the service, and of the known
# PoDs what the release rule asks at activation, before any interval is known. One index look-up per PoD and consent.
# The service is the provider's own, or one of an unregulated registration of its company.
_FACTS = """
WITH service AS (
    SELECT d.service_type, d.quantity, d.time_step, d.customer_consent_mandatory, d.by_hand, d.aggregation_level,
        d.aggregation_method, lower(d.period) AS since, upper(d.period) AS until, d.localization,
        o.role = 'RegulatedDataProvider' AS regulated, EXISTS (
        SELECT FROM b2b_service_subscription s
        JOIN b2b_service_subscription_description sd ON sd.subscription_id = s.id
        WHERE sd.service_description_id = d.id AND s.requester_id = %(requester_id)s
          AND s.provider_id = d.owner_id AND s.status = 'Validated') AS subscribed
    FROM service_description d JOIN market_player_registration o ON o.id = d.owner_id
    WHERE d.id = %(service_id)s AND (d.owner_id = %(provider_id)s OR (o.role <> 'RegulatedDataProvider'
        AND o.description_id = (SELECT description_id FROM market_player_registration WHERE id = %(provider_id)s)))
), asked AS (
    SELECT p.pod, count(cp.consent_id) > 0 AS consented,
        coalesce(bool_or(s.finest_step <= extract(epoch FROM service.time_step::interval)), false) AS in_scope
    FROM pod p LEFT JOIN service ON true
    LEFT JOIN consent_pod cp ON cp.pod_id = p.id AND cp.eso_id = %(requester_id)s AND cp.status = 'Acknowledged'
    LEFT JOIN consent_scope s ON s.consent_id = cp.consent_id AND s.quantity = service.quantity
    WHERE p.pod = ANY(%(pods)s) GROUP BY p.id
)
SELECT EXISTS (SELECT FROM activation a WHERE a.id = %(request_id)s) AS taken,
    EXISTS (SELECT FROM selection s WHERE s.id = %(selection_id)s) AS selection_taken, service.*, known.*
FROM (SELECT array_agg(pod) AS pods, array_agg(consented) AS consented, array_agg(in_scope) AS in_scope FROM asked)
    AS known LEFT JOIN service ON true
"""

_INSERT = """
INSERT INTO activation (id, confirmation_id, requester_id, service_description_id, status, reason_code, received_at,
    kind, reason_text, selection_id)
VALUES (%(id)s, %(confirmation_id)s, %(requester_id)s, %(service_id)s, %(status)s, %(code)s, %(now)s, %(kind)s,
    %(text)s, %(selection_id)s)
"""
_INSERT_PODS = """
INSERT INTO activation_pod (activation_id, pod, pod_id, confirmed, reason_code, reason_text)
SELECT %(id)s, a.pod, p.id, a.code IS NULL, a.code, a.text
FROM unnest(%(pods)s::text[], %(codes)s::text[], %(texts)s::text[]) AS a(pod, code, text)
LEFT JOIN pod p ON p.pod = a.pod
"""
_STORED = """
SELECT a.*, d.owner_id,
    (SELECT array_agg(ap.pod ORDER BY ap.pod) FROM activation_pod ap WHERE ap.activation_id = a.id AND ap.confirmed)
        AS confirmed,
    (SELECT array_agg(ap.pod ORDER BY ap.pod) FROM activation_pod ap
     WHERE ap.activation_id = a.id AND NOT ap.confirmed) AS refused,
    (SELECT array_agg(ap.pod) FROM activation_pod ap
     WHERE ap.activation_id = a.id AND ap.reason_code = 'PodRepeated') AS repeated
FROM activation a JOIN service_description d ON d.id = a.service_description_id WHERE a.id = %(id)s
"""
_LISTED = """
SELECT a.id, a.kind, a.status, a.received_at, a.requester_id, a.service_description_id,
    count(ap.pod) FILTER (WHERE ap.confirmed) AS confirmed, count(ap.pod) FILTER (WHERE NOT ap.confirmed) AS refused,
    a.reason_code
FROM activation a LEFT JOIN activation_pod ap ON ap.activation_id = a.id
WHERE (%(status)s::text IS NULL OR a.status = %(status)s)
  AND (%(requester)s::text IS NULL OR a.requester_id = %(requester)s)
GROUP BY a.id ORDER BY a.received_at DESC, a.id LIMIT %(limit)s
"""
_DECIDE = """
UPDATE activation SET status = %(status)s, reason_code = %(code)s, reason_text = %(text)s WHERE id = %(id)s
"""
_STOP = """
UPDATE activation SET status = 'Stopped', stopped_at = %(now)s, reason_code = coalesce(%(code)s, reason_code),
    reason_text = CASE WHEN %(code)s::text IS NULL THEN reason_text ELSE %(text)s END WHERE id = %(id)s
"""
# Agreements first, as who counters one holds it when it comes to the activation.
_LOCKS = (
    "SELECT FROM agreement WHERE activation_id = %(id)s ORDER BY id FOR NO KEY UPDATE",
    "SELECT FROM activation WHERE id = %(id)s FOR NO KEY UPDATE",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when a request comes: whether Ids are taken, the service, known PoDs by name."""

    taken: bool
    selection_taken: bool
    service: Service | None
    pods: dict[str, PodConsent]


@dataclass(frozen=True, slots=True)
class Activation:
    """The identifiers of a request and its answer; the selection's is that of a DSO-REQ which has one."""

    id: str
    confirmation_id: str
    requester_id: str
    service_id: str
    kind: str = DSO_REQ
    selection_id: str | None = None


def facts(
    request_id: str, provider_id: str, requester_id: str, service_id: str, pods: Iterable[str] = (),
    selection_id: str | None = None,
) -> Query:  # fmt: skip
    """The row for `facts_of`; `pods` are all that the request names, in its selection too."""
    return Query(
        _FACTS,
        {
            "request_id": request_id,
            "provider_id": provider_id,
            "requester_id": requester_id,
            "service_id": service_id,
            "pods": list(pods),
            "selection_id": selection_id,
        },
    )


def facts_of(rows: list[Row]) -> Facts:
    """What the row of `facts` says."""
    (row,) = rows
    columns = (row.pods or (), row.consented or (), row.in_scope or ())
    known = {pod: PodConsent(consented, in_scope) for pod, consented, in_scope in zip(*columns, strict=True)}
    return Facts(row.taken, row.selection_taken, _service(row) if row.service_type else None, known)


def insert(
    tx: Transaction, activation: Activation, decision: ActivationDecision, now: datetime, *, waits: bool
) -> None:
    """Store an activation whose service is known, with what was decided of each PoD; `waits`: Received, by hand."""
    why = decision.reason
    tx.insert(
        "activation", _INSERT, id=activation.id, confirmation_id=activation.confirmation_id,
        requester_id=activation.requester_id, service_id=activation.service_id,
        status=Status.RECEIVED if waits else decision.status, code=why and why.code, now=now, kind=activation.kind,
        text=why and why.text, selection_id=activation.selection_id if decision.selection else None,
    )  # fmt: skip
    _insert_pods(tx, activation.id, decision)


def decide(tx: Transaction, request_id: str, decision: ActivationDecision) -> None:
    """Received → what was decided, of each PoD too."""
    why = decision.reason
    tx.write(_DECIDE, id=request_id, status=decision.status, code=why and why.code, text=why and why.text)
    tx.write("DELETE FROM activation_pod WHERE activation_id = %(id)s", id=request_id)
    _insert_pods(tx, request_id, decision)


def stop(tx: Transaction, request_id: str, code: str | None, text: str | None, now: datetime) -> None:
    """→ Stopped, with the reason if there is one."""
    tx.write(_STOP, id=request_id, code=code, text=text, now=now)


def stored(request_id: str) -> Query:
    """An activation with its PoDs by what was decided of them, and the owner of its service."""
    return Query(_STORED, {"id": request_id})


def lock(request_id: str) -> tuple[Query, ...]:
    """Hold off others that would move this activation, or agree on its grounds, until the transaction ends."""
    return tuple(Query(sql, {"id": request_id}) for sql in _LOCKS)


def listed(status: str | None, requester: str | None, limit: int) -> Query:
    """Activations of a state or a requester, the latest first."""
    return Query(_LISTED, {"status": status, "requester": requester, "limit": limit})


def _insert_pods(tx: Transaction, request_id: str, decision: ActivationDecision) -> None:
    refused = decision.refused
    confirmed = len(decision.confirmed)
    if confirmed or refused:
        tx.insert(
            "activation_pod", _INSERT_PODS, id=request_id, pods=[*decision.confirmed, *(r.pod for r in refused)],
            codes=[None] * confirmed + [str(r.reason.code) for r in refused],
            texts=[None] * confirmed + [r.reason.text for r in refused],
        )  # fmt: skip


def _service(row: Row) -> Service:
    places = row.localization or {}
    return Service(
        service_type=row.service_type, quantity=row.quantity, time_step=row.time_step and TimeStep(row.time_step),
        customer_consent_mandatory=row.customer_consent_mandatory, subscribed=row.subscribed,
        regulated=row.regulated, by_hand=row.by_hand, level=row.aggregation_level, method=row.aggregation_method,
        start=row.since, end=row.until, countries=tuple(places.get("Country", ())),
        cities=tuple(places.get("City", ())),
    )  # fmt: skip

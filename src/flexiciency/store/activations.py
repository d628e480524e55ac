"""Service activations in the database (DSO-REQ, DSO-CNF)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flexiciency.contract.series import TimeStep
from flexiciency.domain.activation import ActivationDecision, PodConsent, Selection, Service
from flexiciency.store.transaction import Query, Row, Transaction

# One statement, since it is asked for each request: the service, whether the request's Id is taken, and a row per known
# PoD: what the release rule asks at activation, before any interval is known. One index look-up per PoD and consent.
_FACTS = """
WITH service AS (
    SELECT d.service_type, d.quantity, d.time_step, d.customer_consent_mandatory, EXISTS (
        SELECT FROM b2b_service_subscription s
        JOIN b2b_service_subscription_description sd ON sd.subscription_id = s.id
        WHERE sd.service_description_id = d.id AND s.requester_id = %(requester_id)s
          AND s.provider_id = d.owner_id AND s.status = 'Validated') AS subscribed,
        coalesce(%(quantity)s, d.quantity) AS asked_quantity,
        coalesce(%(step)s, extract(epoch FROM d.time_step::interval)::int) AS asked_step
    FROM service_description d WHERE d.id = %(service_id)s AND d.owner_id = %(provider_id)s
), asked AS (
    SELECT p.id AS pod_id, p.pod, count(cp.consent_id) > 0 AS consented,
        coalesce(bool_or(s.finest_step <= service.asked_step), false) AS in_scope
    FROM pod p LEFT JOIN service ON true
    LEFT JOIN consent_pod cp ON cp.pod_id = p.id AND cp.eso_id = %(requester_id)s AND cp.status = 'Acknowledged'
    LEFT JOIN consent_scope s ON s.consent_id = cp.consent_id AND s.quantity = service.asked_quantity
    WHERE p.pod = ANY(%(pods)s) GROUP BY p.id
)
SELECT EXISTS (SELECT FROM activation a WHERE a.id = %(request_id)s) AS taken, service.*, asked.*
FROM (VALUES (1)) AS one LEFT JOIN service ON true LEFT JOIN asked ON true
"""

_INSERT = """
INSERT INTO activation (id, confirmation_id, requester_id, service_description_id, status, reason_code, received_at)
VALUES (%(id)s, %(confirmation_id)s, %(requester_id)s, %(service_id)s, %(status)s, %(reason)s, %(now)s)
"""
_INSERT_PODS = """
INSERT INTO activation_pod (activation_id, pod, pod_id, confirmed, reason_code, reason_text)
SELECT %(id)s, a.pod, p.id, a.code IS NULL, a.code, a.text
FROM unnest(%(pods)s::text[], %(codes)s::text[], %(texts)s::text[]) AS a(pod, code, text)
LEFT JOIN pod p ON p.pod = a.pod
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when a DSO-REQ comes: whether its Id is taken, the provider's own service, known PoDs by name."""

    taken: bool
    service: Service | None
    pods: dict[str, PodConsent]


def facts(
    request_id: str, provider_id: str, requester_id: str, service_id: str, pods: Iterable[str],
    selection: Selection | None,
) -> Query:  # fmt: skip
    """Rows for `facts_of`; without a selection the service's own quantity and step count."""
    quantity, step = (selection.quantity, selection.time_step) if selection else (None, None)
    return Query(
        _FACTS,
        {
            "request_id": request_id,
            "provider_id": provider_id,
            "requester_id": requester_id,
            "service_id": service_id,
            "pods": list(pods),
            "quantity": quantity,
            "step": step,
        },
    )


def facts_of(rows: list[Row]) -> Facts:
    """What the rows of `facts` say."""
    row = rows[0]
    service = None
    if row.service_type is not None:
        step = TimeStep(row.time_step).seconds if row.time_step else None
        service = Service(row.service_type, row.quantity, step, row.customer_consent_mandatory, row.subscribed)
    known = {row.pod: PodConsent(row.pod_id, row.consented, row.in_scope) for row in rows if row.pod is not None}
    return Facts(row.taken, service, known)


def insert(
    tx: Transaction, request_id: str, confirmation_id: str, requester_id: str, service_id: str,
    decision: ActivationDecision, now: datetime,
) -> None:  # fmt: skip
    """Store an activation whose service is known, with what was decided of each PoD."""
    tx.insert(
        "activation", _INSERT, id=request_id, confirmation_id=confirmation_id, requester_id=requester_id,
        service_id=service_id, status=decision.status, reason=decision.reason and decision.reason.code, now=now,
    )  # fmt: skip
    refused = decision.refused
    confirmed = len(decision.confirmed)
    if confirmed or refused:
        tx.insert(
            "activation_pod", _INSERT_PODS, id=request_id, pods=[*decision.confirmed, *(r.pod for r in refused)],
            codes=[None] * confirmed + [str(r.reason.code) for r in refused],
            texts=[None] * confirmed + [r.reason.text for r in refused],
        )  # fmt: skip

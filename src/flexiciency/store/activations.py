"""Service activations in the database (DSO-REQ, DSO-CNF)."""

from collections.abc import Iterable
from datetime import datetime

from flexiciency.contract.series import TimeStep
from flexiciency.domain.activation import ActivationDecision, PodConsent, Selection, Service
from flexiciency.store.transaction import Query, Row, Transaction

_SERVICE = """
SELECT d.service_type, d.quantity, d.time_step, d.customer_consent_mandatory, EXISTS (
    SELECT FROM b2b_service_subscription s JOIN b2b_service_subscription_description sd ON sd.subscription_id = s.id
    WHERE sd.service_description_id = d.id AND s.requester_id = %(requester_id)s AND s.provider_id = d.provider_id
      AND s.status = 'Validated') AS subscribed
FROM service_description d WHERE d.id = %(id)s AND d.provider_id = %(provider_id)s
"""

# One index look-up per PoD and consent: what the release rule asks at activation, before any interval is known.
_PODS = """
SELECT p.id, p.pod, count(c.id) > 0 AS consented, coalesce(bool_or(s.finest_step
    <= coalesce(%(step)s, extract(epoch FROM d.time_step::interval)::int)), false) AS in_scope
FROM pod p LEFT JOIN service_description d ON d.id = %(service_id)s
LEFT JOIN consent_pod cp ON cp.pod_id = p.id AND cp.status = 'Acknowledged'
LEFT JOIN consent c ON c.id = cp.consent_id AND c.eso_id = %(requester_id)s
LEFT JOIN consent_scope s ON s.consent_id = c.id AND s.quantity = coalesce(%(quantity)s, d.quantity)
WHERE p.pod = ANY(%(pods)s) GROUP BY p.id
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


def service(description_id: str, provider_id: str, requester_id: str) -> Query:
    """Rows for `service_of`."""
    return Query(_SERVICE, {"id": description_id, "provider_id": provider_id, "requester_id": requester_id})


def service_of(rows: list[Row]) -> Service | None:
    """The provider's own service of that id, or None."""
    if not rows:
        return None
    row = rows[0]
    step = TimeStep(row.time_step).seconds if row.time_step else None
    return Service(row.service_type, row.quantity, step, row.customer_consent_mandatory, row.subscribed)


def pods(asked: Iterable[str], requester_id: str, service_id: str, selection: Selection | None) -> Query:
    """Rows for `pods_of`; without a selection the service's own quantity and step count."""
    quantity, step = (selection.quantity, selection.time_step) if selection else (None, None)
    return Query(
        _PODS,
        {
            "pods": list(asked),
            "requester_id": requester_id,
            "service_id": service_id,
            "quantity": quantity,
            "step": step,
        },
    )


def pods_of(rows: list[Row]) -> dict[str, PodConsent]:
    """What is known of each known PoD, by name."""
    return {row.pod: PodConsent(row.id, row.consented, row.in_scope) for row in rows}


def insert(
    tx: Transaction, request_id: str, confirmation_id: str, requester_id: str, service_id: str,
    decision: ActivationDecision, now: datetime,
) -> None:  # fmt: skip
    """Store an activation whose service is known, with what was decided of each PoD."""
    tx.write(
        _INSERT, id=request_id, confirmation_id=confirmation_id, requester_id=requester_id, service_id=service_id,
        status=decision.status, reason=decision.reason and decision.reason.code, now=now,
    )  # fmt: skip
    refused = decision.refused
    confirmed = len(decision.confirmed)
    if confirmed or refused:
        tx.write(
            _INSERT_PODS, id=request_id, pods=[*decision.confirmed, *(r.pod for r in refused)],
            codes=[None] * confirmed + [str(r.reason.code) for r in refused],
            texts=[None] * confirmed + [r.reason.text for r in refused],
        )  # fmt: skip


def stored(request_id: str) -> Query:
    """A row when a DSO-REQ with this id was stored before."""
    return Query("SELECT status FROM activation WHERE id = %(id)s", {"id": request_id})

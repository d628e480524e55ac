"""What is known of a consent's life, from the rows of its objects and deliveries to the messages that prove them."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from flexiciency.contract.series import TimeStep
from flexiciency.domain.consent_history import Event, Happening, in_order
from flexiciency.store.transaction import Query, Row, Transaction
from flexiciency.wire.addressing import MARKET_PLAYER_URN

# A message is found by its instant (BRIN), then by its MessageID, or for a reply by that of its request.
_CONSENT = """
SELECT c.*, given.id AS row, reply.id AS reply_row, reply.message_id AS reply_id,
    (SELECT json_agg(json_build_array(quantity, finest_step) ORDER BY quantity) FROM consent_scope s
     WHERE s.consent_id = c.id) AS scopes
FROM consent c
LEFT JOIN message given ON given.at = c.given_at AND given.message_id = c.message_id
LEFT JOIN message reply ON reply.at = c.acknowledged_at AND reply.relates_to = c.message_id
WHERE c.id = %(id)s
"""
_PODS = """
SELECT p.pod, p.status, p.reason_code, p.reason_text, upper(p.covered) AS covered_until,
    (SELECT upper(range_agg(p.covered * h.held)) FROM pod_holder h
     WHERE h.pod_id = p.pod_id AND h.customer_id = p.customer_id) AS held_until
FROM consent_pod p WHERE p.consent_id = %(id)s ORDER BY p.pod
"""
_REVOCATIONS = """
SELECT r.*, m.id AS row FROM consent_revocation r
LEFT JOIN message m ON m.at = r.revoked_at AND m.message_id = r.message_id WHERE r.consent_id = %(id)s
"""
_OBJECTS = """
SELECT c.id FROM consent c WHERE c.id = %(id)s UNION ALL SELECT c.acknowledgement_id FROM consent c WHERE c.id = %(id)s
UNION ALL SELECT r.id FROM consent_revocation r WHERE r.consent_id = %(id)s
"""
_RELEASED = """
SELECT d.id, d.agreement_id, lower(d.value_period) AS since, upper(d.value_period) AS until,
    array_agg(p.pod ORDER BY p.pod) AS pods, sum(dp.value_count) AS count
FROM delivery_pod dp JOIN pod p ON p.id = dp.pod_id JOIN delivery d ON d.id = dp.delivery_id
WHERE dp.consents @> ARRAY[%(id)s::text] GROUP BY d.id
"""
# A delivery left in a push of its own, in the reply to its request, or in one to PeekMailbox.
_LEFT = """
SELECT d.id, d.operation, d.sent_at, m.id AS row, m.message_id FROM delivery d
LEFT JOIN LATERAL (
    SELECT m.id, m.message_id FROM message m WHERE m.at = d.sent_at AND m.direction = 'out'
      AND (m.message_id = d.message_id OR m.relates_to = d.relates_to OR m.peer = %(urn)s || d.recipient_id)
    ORDER BY m.id LIMIT 1
) m ON true
WHERE d.sent_at IS NOT NULL AND (d.object_id = ANY(%(objects)s) OR d.id = ANY(%(deliveries)s))
"""

_TOLD_BY = {
    "ReceiveCustomerConsentDescription": "The consent (CUS-CON-DES)",
    "ReceiveCustomerConsentAcknowledgement": "The acknowledgement (CUS-CON-ACK)",
    "ReceiveCustomerConsentRevocation": "The revocation (CUS-CON-REV)",
}
_AGGREGATED = ("ReceiveAggregatedDataValue", "RequestAggregatedDataValues")
STEPS = {step.seconds: step.value for step in TimeStep}


def history(tx: Transaction, consent_id: str, now: datetime) -> list[Event]:
    """Everything that happened to a consent until now, in order; empty for one that is not known."""
    named = {"id": consent_id}
    consents, pods, revocations, objects, released = tx.look_up(
        *(Query(sql, named) for sql in (_CONSENT, _PODS, _REVOCATIONS, _OBJECTS, _RELEASED))
    )
    if not consents:
        return []
    (consent,) = consents
    wanted = {"objects": [one.id for one in objects], "deliveries": [one.id for one in released]}
    (left,) = tx.look_up(Query(_LEFT, wanted | {"urn": MARKET_PLAYER_URN}))
    return in_order([
        *_answered(consent, pods),
        *_sent(consent, left, {one.id: one for one in released}),
        *(_revoked(one) for one in revocations),
        *_over(consent, pods, {pod for one in revocations for pod in one.pods}, now),
    ])  # fmt: skip


def _sent(consent: Row, left: list[Row], released: dict[UUID, Row]) -> Iterator[Event]:
    """What went to the third party: the consent's own objects, and values."""
    for one in left:
        values, proof = released.get(one.id), (one.message_id, one.row)
        if values is None:
            told = {"object": _TOLD_BY[one.operation], "third_party": consent.eso_id}
            yield Event(one.sent_at, Happening.TOLD, (), told, *proof)
        else:
            about = {
                "count": f"{values.count:,}", "start": _written(values.since), "end": _written(values.until),
                "third_party": consent.eso_id, "agreement": values.agreement_id,
            }  # fmt: skip
            aggregated = one.operation in _AGGREGATED
            what = Happening.AGGREGATED if aggregated else Happening.RELEASED
            yield Event(one.sent_at, what, tuple(values.pods), about, *proof)


def _revoked(one: Row) -> Event:
    said = {"customer": one.customer_id, "statement": _statement(one)}
    return Event(one.revoked_at, Happening.REVOKED, tuple(one.pods), said, one.message_id, one.row)


def _answered(consent: Row, pods: list[Row]) -> Iterator[Event]:
    """Given, and what the DSO answered."""
    scopes = " and ".join(f"{quantity} every {STEPS[step]} or coarser" for quantity, step in consent.scopes)
    given = {
        "customer": consent.customer_id, "third_party": consent.eso_id, "scopes": scopes, "start": consent.start_date,
        "end": consent.end_date, "processing": consent.processing_details, "statement": _statement(consent),
    }  # fmt: skip
    named = tuple(pod.pod for pod in pods)
    yield Event(consent.given_at, Happening.GIVEN, named, given, consent.message_id, consent.row)
    proof = consent.reply_id, consent.reply_row
    if accepted := tuple(pod.pod for pod in pods if pod.status != "Rejected"):
        yield Event(consent.acknowledged_at, Happening.ACKNOWLEDGED, accepted, {}, *proof)
    for pod in pods:
        if pod.status == "Rejected":
            why = {"code": pod.reason_code, "text": pod.reason_text}
            yield Event(consent.acknowledged_at, Happening.REJECTED, (pod.pod,), why, *proof)


def _over(consent: Row, pods: list[Row], revoked: set[str], now: datetime) -> Iterator[Event]:
    """Ends by date or by a change of occupant, each once for the PoDs that it is of."""
    ends: dict[tuple[datetime, Happening], list[str]] = {}
    for pod in pods:
        if pod.status == "Rejected" or pod.pod in revoked:
            continue
        until = pod.held_until or consent.acknowledged_at
        early = until < pod.covered_until
        if until <= now:
            ends.setdefault((until, Happening.OCCUPANT_CHANGED if early else Happening.EXPIRED), []).append(pod.pod)
    for (at, what), named in ends.items():
        yield Event(at, what, tuple(named), {"customer": consent.customer_id})


def _statement(row: Row) -> str:
    """How the customer's word came."""
    if row.channel_id is None:
        return ""
    at = _written(row.authenticated_at)
    return f"Said by channel {row.channel_id}, which knew the customer by {row.authentication_method} at {at}."


def _written(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")

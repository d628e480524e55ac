"""Customer consents in the database (CUS-CON-DES, CUS-CON-ACK, CUS-CON-REV)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby

from flexiciency.domain.consent import Consent, ConsentDecision, HeldPod, Scope, StoredPod, ThirdParty
from flexiciency.domain.reasons import Reason, ReasonCode
from flexiciency.store.transaction import Query, Row, Transaction

_HELD_PODS = """
SELECT p.id, p.pod, p.time_zone, lower(h.held) AS since, upper(h.held) AS until
FROM pod p LEFT JOIN pod_holder h ON h.pod_id = p.id AND h.customer_id = %(customer_id)s
WHERE p.pod = ANY(%(pods)s) ORDER BY p.pod
"""

_THIRD_PARTY = "SELECT role, status = 'Active' AS active FROM market_player_registration WHERE id = %(id)s"

_STORED = "SELECT customer_id, eso_id FROM consent WHERE id = %(id)s"

_INSERT = """
INSERT INTO consent (id, customer_id, dso_id, eso_id, start_date, end_date, validation_date, data_details,
    processing_details, channel_id, authentication_method, authenticated_at, given_at, acknowledgement_id,
    acknowledged_at, message_id)
VALUES (%(id)s, %(customer_id)s, %(dso)s, %(eso)s, %(start_date)s, %(end_date)s, %(validation_date)s,
    %(data_details)s, %(processing_details)s, %(channel_id)s, %(method)s, %(authenticated_at)s, %(now)s,
    %(acknowledgement_id)s, %(now)s, %(message_id)s)
"""
_INSERT_SCOPES = """
INSERT INTO consent_scope (consent_id, quantity, finest_step)
SELECT %(id)s, quantity, min(step) FROM unnest(%(quantities)s::text[], %(steps)s::int[]) AS s(quantity, step)
GROUP BY quantity
"""
_INSERT_ACCEPTED = """
INSERT INTO consent_pod (consent_id, pod, pod_id, customer_id, eso_id, status, covered)
SELECT %(id)s, pod, pod_id, %(customer_id)s, %(eso)s, 'Acknowledged', tstzrange(since, until)
FROM unnest(%(pods)s::text[], %(pod_ids)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[])
    AS a(pod, pod_id, since, until)
"""
_INSERT_REFUSED = """
INSERT INTO consent_pod (consent_id, pod, customer_id, eso_id, status, reason_code, reason_text)
SELECT %(id)s, pod, %(customer_id)s, %(eso)s, 'Rejected', code, text
FROM unnest(%(pods)s::text[], %(codes)s::text[], %(texts)s::text[]) AS r(pod, code, text)
"""

# Waits for a delivery that is being decided under share locks, and keeps later ones from using these rows. In the order
# in which a release takes its locks, so that neither waits for the other.
_LOCK_PODS = """
SELECT cp.pod, cp.status FROM consent_pod cp WHERE cp.consent_id = %(id)s AND cp.pod = ANY(%(pods)s)
ORDER BY cp.pod FOR UPDATE
"""
_REVOKE = """
UPDATE consent_pod SET status = 'Revoked', revoked_at = %(at)s
WHERE consent_id = %(consent_id)s AND pod = ANY(%(pods)s) AND status = 'Acknowledged'
"""
_INSERT_REVOCATION = """
INSERT INTO consent_revocation (id, consent_id, customer_id, revoked_at, pods, channel_id, authentication_method,
    authenticated_at, message_id)
VALUES (%(id)s, %(consent_id)s, %(customer_id)s, %(at)s, %(pods)s, %(channel_id)s, %(method)s, %(authenticated_at)s,
    %(message_id)s)
"""

# Of each PoD the end of its days, and the end of those in which the customer holds it.
_OF_CUSTOMER = """
SELECT c.*, (SELECT json_agg(json_build_array(quantity, finest_step) ORDER BY quantity) FROM consent_scope s
             WHERE s.consent_id = c.id) AS scopes,
    (SELECT array_agg(id ORDER BY revoked_at, id) FROM consent_revocation r WHERE r.consent_id = c.id) AS revocations,
    (SELECT array_agg(agreement_id ORDER BY agreement_id) FROM agreement_consent a WHERE a.consent_id = c.id)
        AS agreements,
    (SELECT json_agg(json_build_object('pod', pod, 'status', status, 'code', reason_code, 'text', reason_text,
            'revoked_at', revoked_at, 'covered_until', upper(covered), 'held_until', (
                SELECT upper(range_agg(p.covered * h.held)) FROM pod_holder h
                WHERE h.pod_id = p.pod_id AND h.customer_id = c.customer_id)) ORDER BY pod)
     FROM consent_pod p WHERE p.consent_id = c.id) AS pods
FROM consent c WHERE c.customer_id = %(customer_id)s ORDER BY c.given_at, c.id
"""


_LISTED = """
SELECT c.id, p.pod, c.customer_id, c.eso_id, c.start_date, c.end_date, c.acknowledged_at, p.status, p.reason_code,
    p.reason_text, p.revoked_at, upper(p.covered) AS covered_until, (
        SELECT upper(range_agg(p.covered * h.held)) FROM pod_holder h
        WHERE h.pod_id = p.pod_id AND h.customer_id = c.customer_id) AS held_until
FROM consent c JOIN consent_pod p ON p.consent_id = c.id
WHERE (%(customer)s::text IS NULL OR c.customer_id = %(customer)s)
  AND (%(third_party)s::text IS NULL OR c.eso_id = %(third_party)s)
  AND (%(pod)s::text IS NULL OR p.pod = %(pod)s)
ORDER BY c.given_at DESC, c.id, p.pod LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """How a customer's word came: by which channel, how and when it knew the customer, in which message."""

    channel_id: str
    method: str
    authenticated_at: datetime
    message_id: str


def held_pods(customer_id: str, pods: Iterable[str]) -> Query:
    """Rows for `held_pods_of`: each known PoD with each period in which the customer held it."""
    return Query(_HELD_PODS, {"customer_id": customer_id, "pods": list(pods)})


def held_pods_of(rows: list[Row]) -> dict[str, HeldPod]:
    """PoDs by name from the rows of `held_pods`."""
    found = {}
    for pod, group in groupby(rows, key=lambda row: row.pod):
        periods = list(group)
        held = tuple((row.since, row.until) for row in periods if row.since is not None)
        found[pod] = HeldPod(periods[0].id, pod, periods[0].time_zone, held)
    return found


def third_party(registration_id: str) -> Query:
    """Rows for `third_party_of`."""
    return Query(_THIRD_PARTY, {"id": registration_id})


def third_party_of(rows: list[Row]) -> ThirdParty | None:
    """The registration that Eso names, or None."""
    return ThirdParty(rows[0].role, rows[0].active) if rows else None


def stored(consent_id: str) -> Query:
    """Customer and third party of a stored consent."""
    return Query(_STORED, {"id": consent_id})


def insert(
    tx: Transaction, consent: Consent, decision: ConsentDecision, statement: Statement, *, acknowledgement_id: str,
    now: datetime,
) -> None:  # fmt: skip
    """Store a consent with what was decided of each PoD."""
    tx.write(
        _INSERT, id=consent.id, customer_id=consent.customer_id, dso=consent.dso, eso=consent.eso,
        start_date=consent.start_date, end_date=consent.end_date, validation_date=consent.validation_date,
        data_details=consent.data_details, processing_details=consent.processing_details,
        now=now, acknowledgement_id=acknowledgement_id, **asdict(statement),
    )  # fmt: skip
    _insert_scopes(tx, consent.id, consent.scopes)
    whose = {"id": consent.id, "customer_id": consent.customer_id, "eso": consent.eso}
    if accepted := decision.accepted:
        tx.write(
            _INSERT_ACCEPTED, **whose, pods=[a.pod for a in accepted], pod_ids=[a.pod_id for a in accepted],
            since=[a.start for a in accepted], until=[a.end for a in accepted],
        )  # fmt: skip
    if refused := decision.refused:
        tx.write(
            _INSERT_REFUSED, **whose, pods=[r.pod for r in refused], codes=[r.reason.code for r in refused],
            texts=[r.reason.text for r in refused],
        )  # fmt: skip


def _insert_scopes(tx: Transaction, consent_id: str, scopes: tuple[Scope, ...]) -> None:
    tx.write(
        _INSERT_SCOPES, id=consent_id, quantities=[s.quantity for s in scopes], steps=[s.finest_step for s in scopes]
    )


def lock_pods(consent_id: str, pods: Iterable[str]) -> Query:
    """Lock the named PoDs of a consent against release; PoD and status of each."""
    return Query(_LOCK_PODS, {"id": consent_id, "pods": list(pods)})


def stored_revocation(revocation_id: str) -> Query:
    """A row when a CUS-CON-REV with this id was stored before."""
    return Query("SELECT FROM consent_revocation WHERE id = %(id)s", {"id": revocation_id})


def revoke(
    tx: Transaction, revocation_id: str, consent_id: str, customer_id: str, pods: Iterable[str], statement: Statement,
    at: datetime,
) -> None:  # fmt: skip
    """Revoke the named PoDs of a consent from `at` on, and store the CUS-CON-REV."""
    listed = list(pods)
    tx.write(_REVOKE, consent_id=consent_id, pods=listed, at=at)
    tx.write(
        _INSERT_REVOCATION, id=revocation_id, consent_id=consent_id, customer_id=customer_id, at=at, pods=listed,
        **asdict(statement),
    )  # fmt: skip


def of_customer(customer_id: str) -> Query:
    """A customer's consents, oldest first; scopes as pairs, and pods for `stored_pod`."""
    return Query(_OF_CUSTOMER, {"customer_id": customer_id})


def listed(customer: str | None, third_party: str | None, pod: str | None, limit: int) -> Query:
    """Consents by PoD, the latest first, of a customer, to a third party, or of a PoD; rows for `listed_pod`."""
    return Query(_LISTED, {"customer": customer, "third_party": third_party, "pod": pod, "limit": limit})


def listed_pod(row: Row) -> StoredPod:
    """A row of `listed`."""
    return StoredPod(
        row.status,
        row.acknowledged_at,
        row.revoked_at,
        _reason(row.reason_code, row.reason_text),
        row.covered_until,
        row.held_until,
    )


def stored_pod(consent: Row, pod: Mapping[str, str | None]) -> StoredPod:
    """A PoD of a row of `of_customer`."""
    return StoredPod(
        status=pod["status"] or "",
        acknowledged_at=consent.acknowledged_at,
        revoked_at=_instant(pod["revoked_at"]),
        rejected_for=_reason(pod["code"], pod["text"]),
        covered_until=_instant(pod["covered_until"]),
        held_until=_instant(pod["held_until"]),
    )


def _reason(code: str | None, text: str | None) -> Reason | None:
    return None if code is None else Reason(ReasonCode(code), text or "")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

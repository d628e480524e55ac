"""What the operator of a Market Place, or of a copy of its directory, looks up."""

from flexiciency.store.transaction import Query

_PENDING = """
SELECT r.id, d.contact ->> 'Name' AS company, r.role, r.since, a.fingerprint, a.valid_until
FROM market_player_registration r JOIN market_player_description d ON d.id = r.description_id
LEFT JOIN market_player_authentication a ON a.registration_id = r.id AND a.withdrawn_at IS NULL
WHERE r.status = 'Pending' ORDER BY r.since, r.id, a.id
"""

_CERTIFICATES = """
SELECT fingerprint, certificate FROM market_player_authentication
WHERE registration_id = %(registration_id)s AND withdrawn_at IS NULL ORDER BY id
"""

_PUBLICATIONS = """
SELECT p.id, p.party_id, d.contact ->> 'Name' AS company, p.service_type, p.status, p.version, p.published_at
FROM publication p JOIN market_player_registration r ON r.id = p.party_id
JOIN market_player_description d ON d.id = r.description_id
WHERE p.kind = %(kind)s AND (%(party)s::text IS NULL OR p.party_id = %(party)s)
ORDER BY p.published_at DESC, p.id LIMIT %(limit)s
"""

_MATCHES = """
SELECT id, status, version, provider_id, requester_id, validated_by_provider_at, validated_by_requester_at,
    validation_date
FROM b2b_service_subscription WHERE %(status)s::text IS NULL OR status = %(status)s ORDER BY id LIMIT %(limit)s
"""

_DIRECTORY = """
SELECT 'MPL-REG' AS kind, status, count(*) FROM market_player_registration GROUP BY status
UNION ALL SELECT 'MPL-DES', NULL, count(*) FROM market_player_description
UNION ALL SELECT 'MPL-ADD', NULL, count(DISTINCT id) FROM market_player_location
UNION ALL SELECT 'MPL-AUT', CASE WHEN withdrawn_at IS NULL THEN 'Bound' ELSE 'Withdrawn' END, count(*)
    FROM market_player_authentication GROUP BY 2
UNION ALL SELECT 'MKP-SRV-DES', NULL, count(*) FROM service_description
UNION ALL SELECT 'B2B-SRV-SUB', status, count(*) FROM b2b_service_subscription GROUP BY status
ORDER BY 1, 2
"""


def locations() -> Query:
    """Rows id and uri of the access points (MKP-ADD)."""
    return Query("SELECT id, uri FROM market_place_location ORDER BY id", {})


def pending() -> Query:
    """Registrations that wait for approval, the oldest first, a row for each of their certificates."""
    return Query(_PENDING, {})


def certificates(registration_id: str) -> Query:
    """Fingerprint and DER of each certificate bound by a registration."""
    return Query(_CERTIFICATES, {"registration_id": registration_id})


def publications(kind: str, *, party: str | None, limit: int) -> Query:
    """Offers or subscriptions (`kind` is Offer or Subscription), of one registration if given, the latest first."""
    return Query(_PUBLICATIONS, {"kind": kind, "party": party, "limit": limit})


def matches(*, status: str | None, limit: int) -> Query:
    """B2B service subscriptions, of one status if given, and when each party validated its latest version."""
    return Query(_MATCHES, {"status": status, "limit": limit})


def directory() -> Query:
    """How many objects of each kind and status this database holds."""
    return Query(_DIRECTORY, {})

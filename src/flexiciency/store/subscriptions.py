"""B2B service subscriptions of the Market Place (B2B-SRV-SUB), with the pairings they gather."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from flexiciency.domain.matching import Pairing
from flexiciency.domain.subscription import State, SubscriptionStatus
from flexiciency.store.transaction import Query, Row, Transaction

# What was entered by hand was not matched here, and is no object of this Market Place.
_B2B = """
SELECT b.id, b.provider_id, b.requester_id, b.status, b.version, b.validation_date, b.data_details,
    b.processing_details, b.validated_by_provider_at, b.validated_by_requester_at, m.descriptions, m.offers,
    m.subscriptions
FROM b2b_service_subscription b CROSS JOIN LATERAL (
    SELECT array_agg(DISTINCT offered_id) AS descriptions, array_agg(DISTINCT offer_id) AS offers,
        array_agg(DISTINCT subscription_id) AS subscriptions
    FROM b2b_service_subscription_match WHERE b2b_id = b.id HAVING count(*) > 0) AS m
"""
_BY_ID = f"{_B2B} WHERE b.id = ANY(%(ids)s) ORDER BY b.id"
_OF_PARTY = f"""
{_B2B} WHERE (b.provider_id = %(party_id)s OR b.requester_id = %(party_id)s)
    AND (%(provider_id)s::text IS NULL OR b.provider_id = %(provider_id)s)
    AND (%(requester_id)s::text IS NULL OR b.requester_id = %(requester_id)s)
    AND (%(status)s::text IS NULL OR b.status = %(status)s) AND b.id > %(after)s
ORDER BY b.id LIMIT %(limit)s
"""

_REFERRING = """
SELECT DISTINCT d.service_description_id AS description_id, b.id AS b2b_id
FROM b2b_service_subscription b JOIN b2b_service_subscription_description d ON d.subscription_id = b.id
WHERE b.provider_id = %(provider_id)s AND b.status IN ('Proposed', 'Validated')
    AND d.service_description_id = ANY(%(ids)s)
ORDER BY description_id, b2b_id
"""

# Of a Proposed one all pairings, since it grows or shrinks; of others those with the publications concerned.
_STATES = """
WITH concerned AS (
    SELECT b.id FROM unnest(%(providers)s::text[], %(requesters)s::text[]) AS pair(provider_id, requester_id)
    CROSS JOIN LATERAL (
        SELECT id FROM b2b_service_subscription
        WHERE provider_id = pair.provider_id AND requester_id = pair.requester_id AND status = 'Proposed' LIMIT 1) AS b
    UNION SELECT b2b_id FROM b2b_service_subscription_match
    WHERE offer_id = ANY(%(publications)s) OR subscription_id = ANY(%(publications)s)
)
SELECT b.id, b.provider_id, b.requester_id, b.status, b.version, b.validated_by_provider_at,
    b.validated_by_requester_at, m.offer_id, m.offer_version, m.offered_id, m.subscription_id, m.subscription_version,
    m.wanted_id
FROM concerned c JOIN b2b_service_subscription b ON b.id = c.id
JOIN b2b_service_subscription_match m ON m.b2b_id = b.id AND (b.status = 'Proposed'
    OR m.offer_id = ANY(%(publications)s) OR m.subscription_id = ANY(%(publications)s))
ORDER BY b.id
"""

# Both texts are composed of what is offered, and cut to what com:Text may hold.
_PUT = """
INSERT INTO b2b_service_subscription AS b (id, provider_id, requester_id, status, version, data_details,
    processing_details)
SELECT s.id, s.provider_id, s.requester_id, s.status, s.version,
    left(string_agg(DISTINCT d.short_description COLLATE "C", '; ' ORDER BY d.short_description COLLATE "C"), 4000),
    left(string_agg(DISTINCT d.usage_details COLLATE "C", '; ' ORDER BY d.usage_details COLLATE "C"), 4000)
FROM unnest(%(ids)s::text[], %(providers)s::text[], %(requesters)s::text[], %(statuses)s::text[], %(versions)s::int[])
    AS s(id, provider_id, requester_id, status, version)
JOIN unnest(%(b2b_ids)s::text[], %(offered)s::text[]) AS m(b2b_id, offered_id) ON m.b2b_id = s.id
JOIN service_description d ON d.id = m.offered_id
GROUP BY s.id, s.provider_id, s.requester_id, s.status, s.version
ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, version = EXCLUDED.version,
    data_details = EXCLUDED.data_details, processing_details = EXCLUDED.processing_details,
    validated_by_provider_at = CASE WHEN b.version = EXCLUDED.version THEN b.validated_by_provider_at END,
    validated_by_requester_at = CASE WHEN b.version = EXCLUDED.version THEN b.validated_by_requester_at END
"""
_CLEAR_PAIRINGS = "DELETE FROM b2b_service_subscription_match WHERE b2b_id = ANY(%(ids)s)"
_CLEAR_DESCRIPTIONS = "DELETE FROM b2b_service_subscription_description WHERE subscription_id = ANY(%(ids)s)"
_PUT_PAIRINGS = """
INSERT INTO b2b_service_subscription_match (b2b_id, offer_id, offer_version, offered_id, subscription_id,
    subscription_version, wanted_id)
SELECT * FROM unnest(%(b2b_ids)s::text[], %(offers)s::text[], %(offer_versions)s::int[], %(offered)s::text[],
    %(subscriptions)s::text[], %(subscription_versions)s::int[], %(wanted)s::text[])
"""
_PUT_DESCRIPTIONS = """
INSERT INTO b2b_service_subscription_description (subscription_id, service_description_id)
SELECT DISTINCT b2b_id, offered_id FROM unnest(%(b2b_ids)s::text[], %(offered)s::text[]) AS m(b2b_id, offered_id)
"""

# A description that its reader knows already has not changed; it goes before what refers to it.
_ANNOUNCE_DESCRIPTIONS = """
INSERT INTO directory_change (kind, object_id, reader_id, number)
SELECT 'MKP-SRV-DES', object_id, reader_id, nextval('directory_number') FROM (
    SELECT DISTINCT d.service_description_id AS object_id, reader.id AS reader_id
    FROM b2b_service_subscription b JOIN b2b_service_subscription_description d ON d.subscription_id = b.id
    CROSS JOIN LATERAL (VALUES (b.provider_id), (b.requester_id)) AS reader(id)
    WHERE b.id = ANY(%(ids)s) ORDER BY object_id, reader_id) AS change
ON CONFLICT (kind, object_id, reader_id) DO NOTHING
"""
_ANNOUNCE = """
INSERT INTO directory_change (kind, object_id, reader_id, number)
SELECT 'B2B-SRV-SUB', object_id, reader_id, nextval('directory_number') FROM (
    SELECT b.id AS object_id, reader.id AS reader_id
    FROM b2b_service_subscription b CROSS JOIN LATERAL (VALUES (b.provider_id), (b.requester_id)) AS reader(id)
    WHERE b.id = ANY(%(ids)s) ORDER BY object_id, reader_id) AS change
ON CONFLICT (kind, object_id, reader_id) DO UPDATE SET number = EXCLUDED.number
"""

_MOVE = """
UPDATE b2b_service_subscription SET status = %(status)s,
    validation_date = CASE WHEN %(status)s = 'Validated' THEN %(now)s END,
    validated_by_provider_at = CASE WHEN %(by_provider)s THEN coalesce(validated_by_provider_at, %(now)s) END,
    validated_by_requester_at = CASE WHEN %(by_requester)s THEN coalesce(validated_by_requester_at, %(now)s) END
WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """Provider and requester of B2B service subscriptions."""

    provider_id: str
    requester_id: str


def b2b_subscriptions(ids: Iterable[str]) -> Query:
    """B2B-SRV-SUB that were matched here, by id, with what they refer to."""
    return Query(_BY_ID, {"ids": list(ids)})


def of_party(
    party_id: str, *, provider_id: str | None, requester_id: str | None, status: str | None, after: str, limit: int
) -> Query:
    """B2B-SRV-SUB of a party as rows of `b2b_subscriptions`; those after an id, by id."""
    values = {"party_id": party_id, "provider_id": provider_id, "requester_id": requester_id, "status": status}
    return Query(_OF_PARTY, values | {"after": after, "limit": limit})


def referring(provider_id: str, description_ids: Iterable[str]) -> Query:
    """Proposed and Validated ones of a provider that refer to these descriptions."""
    return Query(_REFERRING, {"provider_id": provider_id, "ids": list(description_ids)})


def state_of(row: Row, pairings: Iterable[Pairing] = ()) -> State:
    """What the rules know of one."""
    validations = (row.validated_by_provider_at, row.provider_id), (row.validated_by_requester_at, row.requester_id)
    validated_by = frozenset(party for at, party in validations if at is not None)
    return State(row.id, SubscriptionStatus(row.status), row.version, validated_by, frozenset(pairings))


def states(pairs: Iterable[Pair], publication_ids: Sequence[str]) -> Query:
    """Rows for `states_of`: the Proposed one of each pair, and each one with a pairing of these publications."""
    pairs = list(pairs)
    return Query(
        _STATES,
        {
            "providers": [pair.provider_id for pair in pairs],
            "requesters": [pair.requester_id for pair in pairs],
            "publications": list(publication_ids),
        },
    )


def states_of(rows: Iterable[Row]) -> dict[Pair, list[State]]:
    """By pair; a Proposed one with all its pairings, others with those of the publications only."""
    found: dict[Pair, list[State]] = {}
    for _, group in groupby(rows, key=lambda row: row.id):
        first, *others = group
        state = state_of(first, map(_pairing, (first, *others)))
        found.setdefault(Pair(first.provider_id, first.requester_id), []).append(state)
    return found


def put(tx: Transaction, changed: Sequence[tuple[Pair, State]]) -> None:
    """Store new and changed ones with all their pairings."""
    ids = [state.id for _, state in changed]
    gathered = [(state.id, pairing) for _, state in changed for pairing in state.pairings]
    b2b_ids, offered = [b2b_id for b2b_id, _ in gathered], [pairing.offered_id for _, pairing in gathered]
    tx.write(
        _PUT, ids=ids, providers=[pair.provider_id for pair, _ in changed],
        requesters=[pair.requester_id for pair, _ in changed], statuses=[state.status.value for _, state in changed],
        versions=[state.version for _, state in changed], b2b_ids=b2b_ids, offered=offered,
    )  # fmt: skip
    tx.write(_CLEAR_PAIRINGS, ids=ids)
    tx.write(
        _PUT_PAIRINGS, b2b_ids=b2b_ids, offers=[pairing.offer_id for _, pairing in gathered],
        offer_versions=[pairing.offer_version for _, pairing in gathered], offered=offered,
        subscriptions=[pairing.subscription_id for _, pairing in gathered],
        subscription_versions=[pairing.subscription_version for _, pairing in gathered],
        wanted=[pairing.wanted_id for _, pairing in gathered],
    )  # fmt: skip
    tx.write(_CLEAR_DESCRIPTIONS, ids=ids)
    tx.write(_PUT_DESCRIPTIONS, b2b_ids=b2b_ids, offered=offered)


def announce(tx: Transaction, ids: Sequence[str]) -> None:
    """Tell both parties through the directory, of the descriptions referred to as well. The lock must be held."""
    tx.write(_ANNOUNCE_DESCRIPTIONS, ids=ids)
    tx.write(_ANNOUNCE, ids=ids)


def move(tx: Transaction, state: State, pair: Pair, now: datetime) -> None:
    """Store a status, and by whom the version has been validated."""
    tx.write(
        _MOVE, id=state.id, status=state.status.value, now=now, by_provider=pair.provider_id in state.validated_by,
        by_requester=pair.requester_id in state.validated_by,
    )  # fmt: skip


def _pairing(row: Row) -> Pairing:
    return Pairing(
        row.offer_id, row.offer_version, row.offered_id, row.subscription_id, row.subscription_version, row.wanted_id
    )

"""Offers, subscriptions and service descriptions found by what they say, in the order of their ids.

Rows come from an index, only as many as are asked for: by party, by service type, or key by key of those of
domain/matching.py. What does not meet is told apart, not left out, so that no index is read further than that.
Where a service applies is decided on the rows; they may be too many, never too few.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from flexiciency.store.publications import Kind
from flexiciency.store.transaction import Query

_MEETS = """
(%(aggregation_level)s::text IS NULL OR d.aggregation_level = %(aggregation_level)s)
AND (%(aggregation_method)s::text IS NULL OR d.aggregation_method = %(aggregation_method)s)
AND (%(quantity)s::text IS NULL OR d.quantity = %(quantity)s)
AND (%(time_step)s::text IS NULL OR d.time_step = %(time_step)s)
AND (%(customer_consent_mandatory)s::boolean IS NULL
     OR d.customer_consent_mandatory = %(customer_consent_mandatory)s)
AND (%(period_start)s::timestamptz IS NULL OR d.period IS NULL
     OR d.period && tstzrange(%(period_start)s, %(period_end)s))
"""

_HELD = f"""
SELECT p.id AS publication_id, d.id AS description_id, d.localization, {_MEETS} AS meets
FROM publication p JOIN market_player_registration r ON r.id = p.party_id AND r.status = 'Active'
JOIN publication_description h ON h.publication_id = p.id JOIN service_description d ON d.id = h.description_id
WHERE p.kind = %(kind)s AND p.status = 'Published' AND p.id > %(after)s
    AND (p.id, d.id) > (%(read)s, %(read_description)s)
"""  # noqa: S608  constants
_ORDERED = "ORDER BY publication_id, description_id LIMIT %(limit)s"
_BY_PARTY = f"""
{_HELD} AND p.party_id = %(party_id)s AND (%(service_type)s::text IS NULL OR p.service_type = %(service_type)s)
{_ORDERED}
"""
_BY_TYPE = f"""
SELECT found.* FROM unnest(%(service_types)s::text[]) AS asked(service_type)
CROSS JOIN LATERAL ({_HELD} AND p.service_type = asked.service_type {_ORDERED}) AS found {_ORDERED}
"""  # noqa: S608  constants
_BY_KEY = f"""
SELECT DISTINCT ON (publication_id, description_id) found.* FROM unnest(%(keys)s::text[]) AS asked(key)
CROSS JOIN LATERAL (
    SELECT k.publication_id, k.description_id, d.localization, {_MEETS} AS meets
    FROM publication_key k JOIN publication p ON p.id = k.publication_id
    JOIN market_player_registration r ON r.id = p.party_id AND r.status = 'Active'
    JOIN service_description d ON d.id = k.description_id
    WHERE k.key = asked.key AND k.kind = %(kind)s AND k.publication_id > %(after)s
        AND (k.publication_id, k.description_id) > (%(read)s, %(read_description)s)
    {_ORDERED}) AS found {_ORDERED}
"""  # noqa: S608  constants

_OWNER = "(SELECT r.status FROM market_player_registration r WHERE r.id = d.owner_id)"
# Who owns it and whether it is published is looked up where the rest meets only.
_DESCRIPTIONS = f"""
SELECT d.id, d.localization, CASE WHEN {_MEETS} THEN {_OWNER} = 'Active' AND d.withdrawn_at IS NULL AND (
    d.service_type IS NULL OR (
        SELECT bool_or((SELECT p.status FROM publication p WHERE p.id = h.publication_id) = 'Published')
        FROM publication_description h WHERE h.description_id = d.id)) ELSE false END AS meets
FROM service_description d WHERE d.id > %(after)s ORDER BY d.id LIMIT %(limit)s
"""  # noqa: S608  constants
# A description without a service type was published alone.
_DESCRIPTIONS_BY_KEY = f"""
SELECT d.id, d.localization, CASE WHEN {_MEETS} THEN {_OWNER} = 'Active' ELSE false END AS meets FROM (
    (SELECT DISTINCT description_id AS id FROM publication_key
     WHERE key = ANY(%(keys)s) AND kind IN ('Offer', 'Subscription') AND description_id > %(after)s
     ORDER BY id LIMIT %(limit)s)
    UNION
    (SELECT id FROM service_description
     WHERE service_type IS NULL AND withdrawn_at IS NULL AND id > %(after)s ORDER BY id LIMIT %(limit)s)
    ORDER BY id LIMIT %(limit)s) AS found
JOIN service_description d ON d.id = found.id ORDER BY d.id
"""  # noqa: S608  constants

_FEW = """
SELECT count(*) <= %(most)s AS few FROM (
    SELECT FROM publication_key WHERE key = ANY(%(keys)s) AND kind IN ('Offer', 'Subscription')
    LIMIT %(most)s + 1) AS found
"""


@dataclass(frozen=True, slots=True)
class Meets:
    """What a description must say; None is not asked. It must overlap with [period_start, period_end)."""

    aggregation_level: str | None = None
    aggregation_method: str | None = None
    quantity: str | None = None
    time_step: str | None = None
    customer_consent_mandatory: bool | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """How far was read: after the publication `after`, and there after a publication and its description."""

    after: str
    read: str = ""
    read_description: str = ""


def by_party(
    kind: Kind, party_id: str, service_type: str | None, meets: Meets, place: Place, limit: int
) -> Query:  # fmt: skip
    """What a party has published, of this service type if given: a row for each description, and whether it meets."""
    return Query(
        _BY_PARTY, _values(meets, place, limit) | {"kind": kind, "party_id": party_id, "service_type": service_type}
    )


def by_type(kind: Kind, service_types: Sequence[str], meets: Meets, place: Place, limit: int) -> Query:
    """What is published of these service types: a row for each description, and whether it meets."""
    return Query(_BY_TYPE, _values(meets, place, limit) | {"kind": kind, "service_types": list(service_types)})


def by_key(kind: Kind, keys: Sequence[str], meets: Meets, place: Place, limit: int) -> Query:
    """What is published and found by one of these keys: a row for each description, and whether it meets."""
    return Query(_BY_KEY, _values(meets, place, limit) | {"kind": kind, "keys": list(keys)})


def descriptions(meets: Meets, after: str, limit: int) -> Query:
    """Descriptions after an id, and whether each meets and is published, alone or in what is published."""
    return Query(_DESCRIPTIONS, asdict(meets) | {"after": after, "limit": limit})


def descriptions_by_key(keys: Sequence[str], meets: Meets, after: str, limit: int) -> Query:
    """Descriptions published alone, or in what is published and found by one of these keys; whether each meets."""
    return Query(_DESCRIPTIONS_BY_KEY, asdict(meets) | {"keys": list(keys), "after": after, "limit": limit})


def few(keys: Sequence[str], most: int) -> Query:
    """A row whose `few` says whether no more than so many descriptions are found by these keys."""
    return Query(_FEW, {"keys": list(keys), "most": most})


def _values(meets: Meets, place: Place, limit: int) -> dict[str, object]:
    return asdict(meets) | asdict(place) | {"limit": limit}

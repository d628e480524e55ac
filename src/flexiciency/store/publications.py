"""Offers, subscriptions and service descriptions of the Market Place (MKP-SRV-OFF, MKP-SRV-SUB, MKP-SRV-DES)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Literal, NamedTuple

from flexiciency.store.transaction import Query, Row, Transaction

Kind = Literal["Offer", "Subscription"]

_CONTENT = """
d.id, d.owner_id, d.service_type, d.short_description, d.usage_details, d.aggregation_level, d.aggregation_method,
d.quantity, d.time_step, lower(d.period) AS period_start, upper(d.period) AS period_end, d.localization,
d.customer_consent_mandatory, d.withdrawn_at
"""

# What refers to a description: the offer that holds it, and the subscriptions that ask for it. A join would be planned
# from all that is published as long as the statistics are old.
_PUBLISHED_AS = "(SELECT p.kind FROM publication p WHERE p.id = h.publication_id AND p.status = 'Published')"
_REFERENCES = f"""
(SELECT min(h.publication_id) FROM publication_description h
 WHERE h.description_id = d.id AND {_PUBLISHED_AS} = 'Offer') AS offer_id,
(SELECT array_agg(h.publication_id ORDER BY h.publication_id) FROM publication_description h
 WHERE h.description_id = d.id AND h.by_reference AND {_PUBLISHED_AS} = 'Subscription') AS subscription_ids
"""  # noqa: S608  constants

# A publication and one of its descriptions.
_HELD = f"""
p.id AS publication_id, p.kind, p.party_id, p.service_type AS publication_type, p.status, p.version, h.by_reference,
r.status = 'Active' AS active, {_CONTENT}
"""

_DESCRIPTIONS = f"""
SELECT {_CONTENT}, {_REFERENCES} FROM service_description d WHERE d.id = ANY(%(ids)s) ORDER BY d.id
"""  # noqa: S608  constants

_PUBLICATIONS = f"""
SELECT {_HELD}, {_REFERENCES} FROM publication p JOIN market_player_registration r ON r.id = p.party_id
JOIN publication_description h ON h.publication_id = p.id JOIN service_description d ON d.id = h.description_id
WHERE p.id = ANY(%(ids)s) ORDER BY p.id, h.number
"""  # noqa: S608  constants

_PUBLISHED_BY = "SELECT id FROM publication WHERE party_id = %(party_id)s AND status = 'Published' ORDER BY id"

_KINDS = "SELECT id, kind FROM publication WHERE id = ANY(%(ids)s)"

_HOLDERS = """
SELECT h.description_id, h.by_reference, p.id AS publication_id, p.kind, p.service_type
FROM publication_description h JOIN publication p ON p.id = h.publication_id
WHERE h.description_id = ANY(%(ids)s) AND p.status = 'Published' ORDER BY h.description_id, p.id
"""

# By key what is published with its own description; by its id what refers to a description, or is referred to. OFFSET 0
# keeps the look-up of each key what it is: merged with all keys it would be planned while the table is small.
_CANDIDATES = f"""
WITH candidate AS (
    SELECT DISTINCT a.publication_id AS own_id, a.description_id AS own_description_id, k.publication_id,
        k.description_id, false AS referred
    FROM unnest(%(key_publications)s::text[], %(key_descriptions)s::text[], %(key_kinds)s::text[], %(keys)s::text[])
        AS a(publication_id, description_id, kind, key)
    CROSS JOIN LATERAL (SELECT * FROM publication_key WHERE key = a.key AND kind = a.kind OFFSET 0) AS k
    UNION ALL
    SELECT a.publication_id, a.description_id, h.publication_id, h.description_id, true
    FROM unnest(%(publications)s::text[], %(descriptions)s::text[], %(kinds)s::text[])
        AS a(publication_id, description_id, kind)
    JOIN publication_description h ON h.description_id = a.description_id
    JOIN publication p ON p.id = h.publication_id AND p.kind = a.kind
)
SELECT c.own_id, c.own_description_id, {_HELD}
FROM candidate c JOIN publication p ON p.id = c.publication_id JOIN market_player_registration r ON r.id = p.party_id
JOIN publication_description h ON h.publication_id = p.id AND h.description_id = c.description_id
JOIN service_description d ON d.id = c.description_id
WHERE p.status = 'Published' AND (p.kind = 'Offer' OR h.by_reference = c.referred)
"""  # noqa: S608  constants

_PUT_DESCRIPTIONS = """
INSERT INTO service_description (id, owner_id, service_type, short_description, usage_details, aggregation_level,
    aggregation_method, quantity, time_step, period, localization, customer_consent_mandatory)
SELECT id, %(owner_id)s, service_type, short_description, usage_details, aggregation_level, aggregation_method,
    quantity, time_step, CASE WHEN period_start IS NOT NULL THEN tstzrange(period_start, period_end) END, localization,
    customer_consent_mandatory
FROM jsonb_to_recordset(%(descriptions)s::jsonb) AS d(id text, service_type text, short_description text,
    usage_details text, aggregation_level text, aggregation_method text, quantity text, time_step text,
    period_start timestamptz, period_end timestamptz, localization jsonb, customer_consent_mandatory boolean)
ON CONFLICT (id) DO UPDATE SET service_type = EXCLUDED.service_type, short_description = EXCLUDED.short_description,
    usage_details = EXCLUDED.usage_details, aggregation_level = EXCLUDED.aggregation_level,
    aggregation_method = EXCLUDED.aggregation_method, quantity = EXCLUDED.quantity, time_step = EXCLUDED.time_step,
    period = EXCLUDED.period, localization = EXCLUDED.localization,
    customer_consent_mandatory = EXCLUDED.customer_consent_mandatory
"""
# For the owner, and for those who know it already.
_ANNOUNCE = """
INSERT INTO directory_change (kind, object_id, reader_id, number)
SELECT 'MKP-SRV-DES', object_id, reader_id, nextval('directory_number') FROM (
    SELECT id AS object_id, %(owner_id)s AS reader_id FROM unnest(%(ids)s::text[]) AS d(id)
    UNION SELECT object_id, reader_id FROM directory_change WHERE kind = 'MKP-SRV-DES' AND object_id = ANY(%(ids)s)
    ORDER BY object_id, reader_id) AS change
ON CONFLICT (kind, object_id, reader_id) DO UPDATE SET number = EXCLUDED.number
"""

_PUT_PUBLICATION = """
INSERT INTO publication (id, kind, party_id, service_type, status, version, published_at)
VALUES (%(id)s, %(kind)s, %(party_id)s, %(service_type)s, 'Published', %(version)s, %(now)s)
ON CONFLICT (id) DO UPDATE SET service_type = EXCLUDED.service_type, version = EXCLUDED.version,
    published_at = EXCLUDED.published_at
"""
_CLEAR_DETAILS = "DELETE FROM publication_description WHERE publication_id = %(id)s"
_PUT_DETAILS = """
INSERT INTO publication_description (publication_id, number, description_id, by_reference)
SELECT %(id)s, number, description_id, by_reference FROM unnest(%(descriptions)s::text[], %(by_reference)s::boolean[])
    WITH ORDINALITY AS d(description_id, by_reference, number)
"""
_WITHDRAW = "UPDATE publication SET status = 'Withdrawn' WHERE id = ANY(%(ids)s)"

_CLEAR_KEYS = "DELETE FROM publication_key WHERE publication_id = ANY(%(publications)s)"
_PUT_KEYS = """
INSERT INTO publication_key (publication_id, description_id, kind, key)
SELECT * FROM unnest(%(publications)s::text[], %(descriptions)s::text[], %(kinds)s::text[], %(keys)s::text[])
"""


@dataclass(frozen=True, slots=True)
class Description:
    """MKP-SRV-DES as it is to be stored; attributes are named as in the rows of `descriptions`."""

    id: str
    service_type: str | None
    short_description: str
    usage_details: str
    aggregation_level: str | None
    aggregation_method: str | None
    quantity: str | None
    time_step: str | None
    period_start: datetime | None
    period_end: datetime | None
    localization: Mapping[str, Sequence[str]] | None
    customer_consent_mandatory: bool

    def differs(self, stored: Row) -> bool:
        """Whether it says anything else than the stored one."""
        return any(getattr(self, field.name) != getattr(stored, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True)
class Publication:
    """MKP-SRV-OFF or MKP-SRV-SUB; `details` are the rows of its descriptions, each with `by_reference`."""

    id: str
    kind: Kind
    party_id: str
    service_type: str
    status: str
    version: int
    details: Sequence[Row]


class Key(NamedTuple):
    """One key of a description that a publication holds, and for which kind of publication it is meant."""

    publication_id: str
    description_id: str
    kind: Kind
    key: str


class Reference(NamedTuple):
    """A description that a publication holds, and which kind of publication is asked to hold it too."""

    publication_id: str
    description_id: str
    kind: Kind


def descriptions(ids: Iterable[str]) -> Query:
    """MKP-SRV-DES, by id, with what refers to them."""
    return Query(_DESCRIPTIONS, {"ids": list(ids)})


def description_of(row: Row, service_type: str) -> Description:
    """A stored description, to be stored for a service type."""
    stored = {field.name: getattr(row, field.name) for field in fields(Description)}
    return Description(**(stored | {"service_type": service_type}))


def publications(ids: Iterable[str]) -> Query:
    """Rows for `publications_of`."""
    return Query(_PUBLICATIONS, {"ids": list(ids)})


def publications_of(rows: Iterable[Row]) -> list[Publication]:
    """MKP-SRV-OFF and MKP-SRV-SUB from the rows of `publications`, by id."""
    groups = (list(group) for _, group in groupby(rows, key=lambda row: row.publication_id))
    return [
        Publication(
            first.publication_id, first.kind, first.party_id, first.publication_type, first.status, first.version,
            [first, *others],
        )
        for first, *others in groups
    ]  # fmt: skip


def published_by(party_id: str) -> Query:
    """Ids of what a registration has published and not withdrawn."""
    return Query(_PUBLISHED_BY, {"party_id": party_id})


def kinds(ids: Iterable[str]) -> Query:
    """Id and kind of those that there are."""
    return Query(_KINDS, {"ids": list(ids)})


def holders(description_ids: Iterable[str]) -> Query:
    """What is Published and holds one of these descriptions, its own or by reference."""
    return Query(_HOLDERS, {"ids": list(description_ids)})


def candidates(keys: Sequence[Key], references: Sequence[Reference]) -> Query:
    """Published descriptions that may match: found by key, or by reference to the same description.

    Rows as those of `publications`, with `own_id` and `own_description_id`: for which of ours each was found.
    """
    return Query(
        _CANDIDATES,
        {
            "key_publications": [key.publication_id for key in keys],
            "key_descriptions": [key.description_id for key in keys],
            "key_kinds": [key.kind for key in keys],
            "keys": [key.key for key in keys],
            "publications": [reference.publication_id for reference in references],
            "descriptions": [reference.description_id for reference in references],
            "kinds": [reference.kind for reference in references],
        },
    )


def put_descriptions(tx: Transaction, owner_id: str, changed: Sequence[Description]) -> None:
    """Store new and changed descriptions of one owner, and tell those whom they concern."""
    stored = json.dumps([asdict(one) for one in changed], default=datetime.isoformat)
    tx.write(_PUT_DESCRIPTIONS, owner_id=owner_id, descriptions=stored)
    tx.write(_ANNOUNCE, owner_id=owner_id, ids=[one.id for one in changed])


def put(
    tx: Transaction, *, publication_id: str, kind: Kind, party_id: str, service_type: str, version: int,
    details: Sequence[tuple[str, bool]], now: datetime,
) -> None:  # fmt: skip
    """Store a version of a publication; details are the ids of its descriptions and whether each is by reference."""
    tx.write(
        _PUT_PUBLICATION, id=publication_id, kind=kind, party_id=party_id, service_type=service_type, version=version,
        now=now,
    )  # fmt: skip
    tx.write(_CLEAR_DETAILS, id=publication_id)
    tx.write(
        _PUT_DETAILS, id=publication_id, descriptions=[one for one, _ in details],
        by_reference=[by_reference for _, by_reference in details],
    )  # fmt: skip


def withdraw(tx: Transaction, ids: Sequence[str]) -> None:
    """Withdraw publications for good."""
    tx.write(_WITHDRAW, ids=ids)


def withdraw_description(tx: Transaction, description_id: str, now: datetime) -> None:
    """Withdraw a description for good."""
    tx.write("UPDATE service_description SET withdrawn_at = %(now)s WHERE id = %(id)s", id=description_id, now=now)


def put_keys(tx: Transaction, publication_ids: Sequence[str], keys: Sequence[Key]) -> None:
    """By which keys these publications are found from now on."""
    tx.write(_CLEAR_KEYS, publications=publication_ids)
    tx.write(
        _PUT_KEYS, publications=[key.publication_id for key in keys], descriptions=[key.description_id for key in keys],
        kinds=[key.kind for key in keys], keys=[key.key for key in keys],
    )  # fmt: skip

"""Market Players in the database: registrations, companies, addresses, accounts (MPL-REG, MPL-DES, MPL-ADD, MPL-AUT).

A Pending registration is no part of the directory: company and address name it only where they have no other.
Changes are made under the lock of `store.market`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from psycopg.types.json import Jsonb

from flexiciency.domain.names import name_key
from flexiciency.store.transaction import Query, Transaction
from flexiciency.wire.identity import fingerprint_of

# A certificate that is withdrawn stays where a registration has no other: MPL-REG names at least one account.
_REGISTRATIONS = """
SELECT r.id, r.description_id, r.role, r.status, r.suspended_by,
    ARRAY(SELECT l.id FROM market_player_location l WHERE l.registration_id = r.id ORDER BY l.id) AS locations,
    (SELECT COALESCE(array_agg(a.id ORDER BY a.id) FILTER (WHERE a.withdrawn_at IS NULL), array_agg(a.id ORDER BY a.id))
     FROM market_player_authentication a WHERE a.registration_id = r.id) AS accounts,
    ARRAY(SELECT p.id FROM publication p WHERE p.party_id = r.id AND p.kind = 'Offer' AND p.status = 'Published'
          ORDER BY p.id) AS offers,
    ARRAY(SELECT p.id FROM publication p WHERE p.party_id = r.id AND p.kind = 'Subscription' AND p.status = 'Published'
          ORDER BY p.id) AS subscriptions
FROM market_player_registration r WHERE r.id = ANY(%(ids)s) ORDER BY r.id
"""

_COMPANIES = """
SELECT d.id, d.company_information, d.company_type, COALESCE(d.company_subtype, 'Other') AS company_subtype, d.contact,
    ARRAY(SELECT json_build_array(t.country, t.city, t.pod_prefix) FROM market_player_territory t
          WHERE t.description_id = d.id ORDER BY t.number) AS territories,
    COALESCE(array_agg(r.id ORDER BY r.id) FILTER (WHERE r.status <> 'Pending'), array_agg(r.id ORDER BY r.id))
        AS registrations,
    array_agg(r.id) AS with_pending
FROM market_player_description d JOIN market_player_registration r ON r.description_id = d.id
WHERE d.id = ANY(%(ids)s) GROUP BY d.id ORDER BY d.id
"""

_LOCATIONS = """
SELECT l.id, min(l.uri) AS uri, min(r.description_id) AS description_id,
    COALESCE(array_agg(r.id ORDER BY r.id) FILTER (WHERE r.status <> 'Pending'), array_agg(r.id ORDER BY r.id))
        AS registrations
FROM market_player_location l JOIN market_player_registration r ON r.id = l.registration_id
WHERE l.id = ANY(%(ids)s) GROUP BY l.id ORDER BY l.id
"""

_ACCOUNTS = """
SELECT a.id, a.registration_id, r.description_id, r.status, a.contact_point, a.certificate, a.fingerprint,
    a.valid_from, LEAST(a.valid_until, a.withdrawn_at) AS valid_until, a.withdrawn_at, a.market_place_location_id
FROM market_player_authentication a JOIN market_player_registration r ON r.id = a.registration_id
WHERE a.id = ANY(%(ids)s) ORDER BY a.id
"""

# Of few companies with such a name their registrations are sorted; of many the registrations are walked in their order.
# Each way is spelled out (MATERIALIZED, OFFSET 0): statistics that are old or missing must not choose the other.
_NAMED = """
SELECT ARRAY(SELECT description_id FROM company_name_part
    WHERE part >= %(name)s AND part < %(name)s || chr(1114111) LIMIT %(limit)s) AS companies
"""
_OF_FEW = """
WITH r AS MATERIALIZED (SELECT * FROM market_player_registration WHERE description_id = ANY(%(companies)s))
"""
_FOUND = """
{source} SELECT r.id FROM {registrations} JOIN market_player_description d ON d.id = r.description_id
WHERE r.status IN ('Active', 'Suspended') {criteria} ORDER BY r.id LIMIT %(limit)s
"""
_CRITERIA = {
    "role": "AND r.role = %(role)s",
    "company_type": "AND d.company_type = %(company_type)s",
    "country": "AND d.contact ->> 'Country' = %(country)s",
    "name": "AND (SELECT bool_or(part >= %(name)s AND part < %(name)s || chr(1114111)) FROM "
    "(SELECT part FROM company_name_part WHERE description_id = d.id OFFSET 0) AS own)",
    "after": "AND r.id > %(after)s",
}
_FEW = 2000

_TAKEN = """
SELECT id FROM market_player_registration WHERE id = ANY(%(ids)s)
UNION ALL SELECT id FROM market_player_description WHERE id = ANY(%(ids)s)
UNION ALL SELECT id FROM market_player_authentication WHERE id = ANY(%(ids)s)
UNION ALL SELECT id FROM market_player_location WHERE id = ANY(%(ids)s)
"""

_MARKET_PLACE_LOCATIONS = "SELECT id FROM market_place_location WHERE id = ANY(%(ids)s)"

# Who is not approved yet holds no certificate against others, and who has withdrawn holds it no longer.
_BOUND = """
SELECT a.fingerprint, o.description_id,
    bool_or(o.status = 'Active' AND a.valid_from <= %(now)s AND %(now)s < a.valid_until) AS valid
FROM market_player_authentication a JOIN market_player_registration o ON o.id = a.registration_id
WHERE a.fingerprint = ANY(%(fingerprints)s) AND a.withdrawn_at IS NULL AND o.status IN ('Active', 'Suspended')
GROUP BY a.fingerprint, o.description_id
"""

_BINDINGS = """
SELECT a.id, a.registration_id, o.status, a.fingerprint,
    o.status IN ('Active', 'Suspended') AND a.valid_from <= %(now)s AND %(now)s < a.valid_until AS valid
FROM market_player_registration o JOIN market_player_authentication a ON a.registration_id = o.id
WHERE o.description_id = %(description_id)s AND a.withdrawn_at IS NULL ORDER BY a.id
"""

_INSERT_REGISTRATION = """
INSERT INTO market_player_registration (id, description_id, role, status, since)
VALUES (%(id)s, %(description_id)s, %(role)s, 'Pending', %(now)s)
"""
_SET_STATUS = """
UPDATE market_player_registration SET status = %(status)s, suspended_by = %(suspended_by)s, since = %(now)s
WHERE id = %(id)s
"""

_PUT_COMPANY = """
INSERT INTO market_player_description (id, company_information, company_type, company_subtype, contact)
VALUES (%(id)s, %(information)s, %(company_type)s, %(company_subtype)s, %(contact)s)
ON CONFLICT (id) DO UPDATE SET company_information = EXCLUDED.company_information, contact = EXCLUDED.contact
"""
_CLEAR_TERRITORY = "DELETE FROM market_player_territory WHERE description_id = %(id)s"
_INSERT_TERRITORY = """
INSERT INTO market_player_territory (description_id, number, country, city, pod_prefix)
SELECT %(id)s, number, country, city, pod_prefix
FROM unnest(%(countries)s::text[], %(cities)s::text[], %(pod_prefixes)s::text[]) WITH ORDINALITY
    AS t(country, city, pod_prefix, number)
"""
_CLEAR_NAME = "DELETE FROM company_name_part WHERE description_id = %(id)s"
_INSERT_NAME = "INSERT INTO company_name_part (part, description_id) SELECT unnest(%(parts)s::text[]), %(id)s"

_CLEAR_LOCATION = "DELETE FROM market_player_location WHERE id = %(id)s"
_CLEAR_LOCATIONS = "DELETE FROM market_player_location WHERE registration_id = %(id)s"
_INSERT_LOCATION = """
INSERT INTO market_player_location (id, registration_id, uri) SELECT %(id)s, unnest(%(registrations)s::text[]), %(uri)s
"""

_INSERT_ACCOUNT = """
INSERT INTO market_player_authentication (id, registration_id, contact_point, market_place_location_id, fingerprint,
    certificate, valid_from, valid_until)
VALUES (%(id)s, %(registration_id)s, %(contact_point)s, %(market_place_location_id)s, %(fingerprint)s,
    %(certificate)s, %(valid_from)s, %(valid_until)s)
"""
_WITHDRAW_ACCOUNTS = """
UPDATE market_player_authentication SET withdrawn_at = %(now)s WHERE id = ANY(%(ids)s) AND withdrawn_at IS NULL
"""

Territory = tuple[str, str | None, str | None]
"""Country, city and prefix of PoDs."""


@dataclass(frozen=True, slots=True)
class Company:
    """MPL-DES; `contact` has the elements of ContactDetails that are there, by name."""

    id: str
    information: str
    contact: dict[str, str]
    company_type: str
    company_subtype: str
    territories: tuple[Territory, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """MPL-ADD: an address and the registrations that receive pushes there."""

    id: str
    uri: str
    registrations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """MPL-AUT, valid in [valid_from, valid_until); `contact_point` as in `Company.contact`."""

    id: str
    registration_id: str
    contact_point: dict[str, str]
    certificate: x509.Certificate
    valid_from: datetime
    valid_until: datetime
    market_place_location_id: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex."""
        return fingerprint_of(self.certificate)


def registrations(ids: Iterable[str]) -> Query:
    """Registrations with the ids of their locations, accounts, published offers and subscriptions."""
    return Query(_REGISTRATIONS, {"ids": list(ids)})


def companies(ids: Iterable[str]) -> Query:
    """Companies with their territories; `with_pending` has the Pending registrations too."""
    return Query(_COMPANIES, {"ids": list(ids)})


def locations(ids: Iterable[str]) -> Query:
    """Addresses, one row an id, with the company and the registrations that they serve."""
    return Query(_LOCATIONS, {"ids": list(ids)})


def accounts(ids: Iterable[str]) -> Query:
    """Accounts; the validity of one that was withdrawn ended then. `status` is its registration's."""
    return Query(_ACCOUNTS, {"ids": list(ids)})


def find(
    tx: Transaction, *, role: str | None, company_type: str | None, name: str | None, country: str | None,
    after: str | None, limit: int,
) -> list[str]:  # fmt: skip
    """Ids of Active and Suspended registrations in their order; `name` is a part of the company's."""
    key = None if name is None else name_key(name)
    values = {"role": role, "company_type": company_type, "country": country, "name": key, "after": after}
    asked = [criterion for criterion, value in values.items() if value is not None]
    source, companies = "", None
    if key is not None:
        ((named,),) = tx.look_up(Query(_NAMED, {"name": key, "limit": _FEW + 1}))
        companies = named.companies
    if companies is not None and len(companies) <= _FEW:
        source = _OF_FEW
        asked.remove("name")
    sql = _FOUND.format(
        source=source,
        registrations="r" if source else "market_player_registration r",
        criteria=" ".join(_CRITERIA[criterion] for criterion in asked),
    )
    (rows,) = tx.look_up(Query(sql, {**values, "companies": companies, "limit": limit}))
    return [row.id for row in rows]


def taken(ids: Iterable[str]) -> Query:
    """Those ids that a Market Player's object has already."""
    return Query(_TAKEN, {"ids": list(ids)})


def market_place_locations(ids: Iterable[str]) -> Query:
    """Those ids that are of an access point of the Market Place (MKP-ADD)."""
    return Query(_MARKET_PLACE_LOCATIONS, {"ids": list(ids)})


def bound(fingerprints: Iterable[str], now: datetime) -> Query:
    """The companies that these certificates are bound to, and whether that is valid now, by an Active registration."""
    return Query(_BOUND, {"fingerprints": list(fingerprints), "now": now})


def bindings(description_id: str, now: datetime) -> Query:
    """The accounts of a company that are not withdrawn, and whether they sign for it now."""
    return Query(_BINDINGS, {"description_id": description_id, "now": now})


def insert_registration(tx: Transaction, registration_id: str, description_id: str, role: str, now: datetime) -> None:
    """Store a Pending registration."""
    tx.write(_INSERT_REGISTRATION, id=registration_id, description_id=description_id, role=role, now=now)


def set_status(tx: Transaction, registration_id: str, status: str, suspended_by: str | None, now: datetime) -> None:
    """Move a registration; waits until what is leaving for it has been marked Sent."""
    tx.write(_SET_STATUS, id=registration_id, status=status, suspended_by=suspended_by, now=now)


def put_company(tx: Transaction, company: Company) -> None:
    """Store a company, or change all of it but its type."""
    tx.write(
        _PUT_COMPANY, id=company.id, information=company.information, company_type=company.company_type,
        company_subtype=company.company_subtype, contact=Jsonb(company.contact),
    )  # fmt: skip
    put_territories(tx, company.id, company.territories)
    tx.write(_CLEAR_NAME, id=company.id)
    tx.write(_INSERT_NAME, id=company.id, parts=name_parts(company.contact["Name"]))


def put_territories(tx: Transaction, company_id: str, territories: Sequence[Territory]) -> None:
    """Store the area that a company serves, in place of what it served before."""
    countries, cities, pod_prefixes = zip(*territories, strict=True) if territories else ((), (), ())
    tx.write(_CLEAR_TERRITORY, id=company_id)
    tx.write(
        _INSERT_TERRITORY, id=company_id, countries=list(countries), cities=list(cities),
        pod_prefixes=list(pod_prefixes),
    )  # fmt: skip


def put_location(tx: Transaction, location: Location) -> None:
    """Store an address, or change it and whom it serves."""
    tx.write(_CLEAR_LOCATION, id=location.id)
    tx.write(_INSERT_LOCATION, id=location.id, uri=location.uri, registrations=sorted(set(location.registrations)))


def clear_locations(tx: Transaction, registration_id: str) -> None:
    """No address serves this registration any more."""
    tx.write(_CLEAR_LOCATIONS, id=registration_id)


def insert_account(tx: Transaction, account: Account) -> None:
    """Bind a certificate, beside those bound already."""
    tx.write(
        _INSERT_ACCOUNT, id=account.id, registration_id=account.registration_id,
        contact_point=Jsonb(account.contact_point), market_place_location_id=account.market_place_location_id,
        fingerprint=account.fingerprint, certificate=account.certificate.public_bytes(Encoding.DER),
        valid_from=account.valid_from, valid_until=account.valid_until,
    )  # fmt: skip


def withdraw_accounts(tx: Transaction, ids: Iterable[str], now: datetime) -> None:
    """Refuse what these accounts bind from now on."""
    tx.write(_WITHDRAW_ACCOUNTS, ids=list(ids), now=now)


def name_parts(name: str) -> list[str]:
    """Each ending of a company's name, as it is compared."""
    key = name_key(name)
    return sorted({key[start:] for start in range(len(key))})

"""A DSO's copy of the directory of a Market Place elsewhere, in the very tables that its rules read.

What the operator entered by hand stays beside it. Where both speak of the same registration, the operator's word holds
until the operator takes the Market Place's (`adopt`): whoever enrols there chooses its own Id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from psycopg.types.json import Jsonb
from psycopg.types.range import TimestamptzRange

from flexiciency.client import market_writing
from flexiciency.client.market_objects import (
    Account,
    B2BSubscription,
    Company,
    DirectoryObject,
    Location,
    Registration,
    ServiceDescription,
)
from flexiciency.contract.ids import new_id
from flexiciency.errors import ReferenceUnknown
from flexiciency.store import registrations
from flexiciency.store.directory import ENTERED
from flexiciency.store.market import Kind
from flexiciency.store.transaction import Query, Transaction
from flexiciency.wire.identity import fingerprint_of

_STATE = "SELECT cursor, read_at, failed_at, failure FROM market_place_mirror"
_LOCKED = f"{_STATE} FOR UPDATE"
_BEGIN = "INSERT INTO market_place_mirror (id) VALUES (1) ON CONFLICT DO NOTHING"
_MOVE = "UPDATE market_place_mirror SET cursor = %(cursor)s"
_READ = "UPDATE market_place_mirror SET read_at = %(now)s, failed_at = NULL, failure = NULL"
_FAILED = "UPDATE market_place_mirror SET failed_at = %(now)s, failure = %(failure)s"

_KNOWN = """
SELECT 'MPL-DES' AS kind, id FROM market_player_description WHERE id = ANY(%(MPL-DES)s)
UNION ALL SELECT 'MPL-REG', id FROM market_player_registration WHERE id = ANY(%(MPL-REG)s)
UNION ALL SELECT 'MKP-SRV-DES', id FROM service_description WHERE id = ANY(%(MKP-SRV-DES)s)
"""

_ENTERED = """
SELECT id FROM market_player_registration WHERE id = ANY(%(ids)s) AND starts_with(description_id, %(entered)s)
"""
# A company of its own, until the Market Place says which.
_ADOPT = """
WITH company AS (
    INSERT INTO market_player_description (id, company_information, company_type, company_subtype, contact)
    SELECT %(company)s, d.company_information, d.company_type, d.company_subtype, d.contact
    FROM market_player_description d JOIN market_player_registration r ON r.description_id = d.id
    WHERE r.id = %(id)s RETURNING id)
UPDATE market_player_registration SET description_id = %(company)s WHERE id = %(id)s
"""

_COMPANY = """
INSERT INTO market_player_description (id, company_information, company_type, company_subtype, contact)
VALUES (%(id)s, %(information)s, %(company_type)s, %(company_subtype)s, %(contact)s)
ON CONFLICT (id) DO UPDATE SET company_information = EXCLUDED.company_information,
    company_type = EXCLUDED.company_type, company_subtype = EXCLUDED.company_subtype, contact = EXCLUDED.contact
"""

# What this DSO's operator suspended stays so.
_KEPT = "r.suspended_by = 'Operator' AND EXCLUDED.status = 'Active'"
_REGISTRATION = f"""
INSERT INTO market_player_registration AS r (id, description_id, role, status, since)
VALUES (%(id)s, %(company)s, %(role)s, %(status)s, %(now)s)
ON CONFLICT (id) DO UPDATE SET description_id = EXCLUDED.description_id, role = EXCLUDED.role,
    status = CASE WHEN {_KEPT} THEN r.status ELSE EXCLUDED.status END,
    since = CASE WHEN {_KEPT} OR r.status = EXCLUDED.status THEN r.since ELSE EXCLUDED.since END
"""  # noqa: S608  constants
# What the Market Place does not name with a registration holds no longer; what this DSO's operator has withdrawn is
# kept in mind.
_ONLY_LOCATIONS = """
DELETE FROM market_player_location WHERE registration_id = %(id)s AND id <> ALL(%(locations)s)
"""
_ONLY_ACCOUNTS = """
DELETE FROM market_player_authentication
WHERE registration_id = %(id)s AND id <> ALL(%(accounts)s) AND withdrawn_at IS NULL
"""

# A certificate that this DSO's operator has withdrawn stays so here, under whatever Id it comes.
_ACCOUNT = """
INSERT INTO market_player_authentication (id, registration_id, contact_point, fingerprint, certificate, valid_from,
    valid_until, withdrawn_at)
VALUES (%(id)s, %(registration)s, %(contact_point)s, %(fingerprint)s, %(certificate)s, %(valid_from)s, %(valid_until)s,
    (SELECT max(withdrawn_at) FROM market_player_authentication WHERE fingerprint = %(fingerprint)s))
ON CONFLICT (id) DO UPDATE SET registration_id = EXCLUDED.registration_id, contact_point = EXCLUDED.contact_point,
    fingerprint = EXCLUDED.fingerprint, certificate = EXCLUDED.certificate, valid_from = EXCLUDED.valid_from,
    valid_until = EXCLUDED.valid_until
"""

_SERVICE = """
INSERT INTO service_description (id, owner_id, service_type, short_description, usage_details, aggregation_level,
    aggregation_method, quantity, time_step, period, localization, customer_consent_mandatory)
VALUES (%(id)s, %(owner_id)s, %(service_type)s, %(short_description)s, %(usage_details)s, %(aggregation_level)s,
    %(aggregation_method)s, %(quantity)s, %(time_step)s, %(period)s, %(localization)s, %(customer_consent_mandatory)s)
ON CONFLICT (id) DO UPDATE SET owner_id = EXCLUDED.owner_id, service_type = EXCLUDED.service_type,
    short_description = EXCLUDED.short_description, usage_details = EXCLUDED.usage_details,
    aggregation_level = EXCLUDED.aggregation_level, aggregation_method = EXCLUDED.aggregation_method,
    quantity = EXCLUDED.quantity, time_step = EXCLUDED.time_step, period = EXCLUDED.period,
    localization = EXCLUDED.localization, customer_consent_mandatory = EXCLUDED.customer_consent_mandatory
"""

_SERVICE_TYPES = """
UPDATE service_description d SET service_type = t.type FROM unnest(%(ids)s::text[], %(types)s::text[]) AS t(id, type)
WHERE d.id = t.id AND d.service_type IS DISTINCT FROM t.type
"""

# One that was Proposed to these two before is so no longer, though what became of it may stand in a later page.
_SUPERSEDE = """
UPDATE b2b_service_subscription SET status = 'Declined'
WHERE provider_id = %(provider)s AND requester_id = %(requester)s AND status = 'Proposed' AND id <> %(id)s
"""
_B2B = """
INSERT INTO b2b_service_subscription (id, provider_id, requester_id, status, validation_date, data_details,
    processing_details, version)
VALUES (%(id)s, %(provider)s, %(requester)s, %(status)s, %(validation_date)s, %(data_details)s, %(processing_details)s,
    %(version)s)
ON CONFLICT (id) DO UPDATE SET provider_id = EXCLUDED.provider_id, requester_id = EXCLUDED.requester_id,
    status = EXCLUDED.status, validation_date = EXCLUDED.validation_date, data_details = EXCLUDED.data_details,
    processing_details = EXCLUDED.processing_details, version = EXCLUDED.version
"""
_CLEAR_SERVICES = "DELETE FROM b2b_service_subscription_description WHERE subscription_id = %(id)s"
_B2B_SERVICES = """
INSERT INTO b2b_service_subscription_description (subscription_id, service_description_id)
SELECT %(id)s, unnest(%(services)s::text[])
"""

Key = tuple[Kind, str]
"""Kind and Id of an object."""

_KINDS: Mapping[type[DirectoryObject], Kind] = {
    Company: "MPL-DES",
    Registration: "MPL-REG",
    Location: "MPL-ADD",
    Account: "MPL-AUT",
    ServiceDescription: "MKP-SRV-DES",
    B2BSubscription: "B2B-SRV-SUB",
}
_ORDER = tuple(_KINDS)
"""Each kind after those that it refers to."""


def state() -> Query:
    """The row cursor, read_at, failed_at and failure, once the directory was read or was tried to be."""
    return Query(_STATE, {})


def lock(tx: Transaction) -> str | None:
    """The cursor up to which the directory was read, held until the transaction ends; None for nothing yet."""
    tx.write(_BEGIN)
    tx.flush()
    (rows,) = tx.read(Query(_LOCKED, {}))
    cursor: str | None = rows[0].cursor
    return cursor


def move(tx: Transaction, cursor: str) -> None:
    """The directory has been read up to this cursor."""
    tx.write(_MOVE, cursor=cursor)


def mark_read(tx: Transaction, now: datetime) -> None:
    """All of the directory has been read."""
    tx.write(_BEGIN)
    tx.write(_READ, now=now)


def mark_failed(tx: Transaction, failure: str, now: datetime) -> None:
    """The directory could not be read."""
    tx.write(_BEGIN)
    tx.write(_FAILED, failure=failure, now=now)


def key(one: DirectoryObject) -> Key:
    """Of an object of the directory."""
    return _KINDS[type(one)], one.id


def refers_to(one: DirectoryObject, owner_id: str) -> set[Key]:
    """What must be in the copy before an object is; a description (MKP-SRV-DES) is `owner_id`'s."""
    match one:
        case Registration():
            return {("MPL-DES", one.company)}
        case Location():
            return {("MPL-REG", registration) for registration in one.registrations}
        case Account():
            return {("MPL-REG", one.registration)}
        case ServiceDescription():
            return {("MPL-REG", owner_id)}
        case B2BSubscription():
            services: set[Key] = {("MKP-SRV-DES", service) for service in one.descriptions}
            return services | {("MPL-REG", one.provider), ("MPL-REG", one.requester)}
        case Company():
            return set()


def unknown(tx: Transaction, keys: set[Key]) -> set[Key]:
    """Those that are not in the copy."""
    asked = {kind: [one for of, one in keys if of == kind] for kind in ("MPL-DES", "MPL-REG", "MKP-SRV-DES")}
    (rows,) = tx.look_up(Query(_KNOWN, asked))
    return keys - {(row.kind, row.id) for row in rows}


def adopt(tx: Transaction, registration_id: str) -> None:
    """From the next reading on the Market Place's word holds for a registration entered by hand.

    Raises ReferenceUnknown where there is none.
    """
    (rows,) = tx.look_up(Query(_ENTERED, {"ids": [registration_id], "entered": ENTERED}))
    if not rows:
        raise ReferenceUnknown(f"No registration {registration_id} was entered by hand. `registration list` shows all.")
    tx.write(_ADOPT, id=registration_id, company=new_id())
    tx.write(_BEGIN)
    tx.write(_MOVE, cursor=None)


def _not_entered(tx: Transaction, objects: Iterable[DirectoryObject]) -> list[DirectoryObject]:
    """Without what is of registrations that the operator entered by hand."""
    listed = list(objects)
    ids = {one.id for one in listed if isinstance(one, Registration)}
    ids |= {one.registration for one in listed if isinstance(one, Account)}
    ids |= {each for one in listed if isinstance(one, Location) for each in one.registrations}
    (rows,) = tx.look_up(Query(_ENTERED, {"ids": list(ids), "entered": ENTERED}))
    entered = {row.id for row in rows}
    kept: list[DirectoryObject] = []
    for one in listed:
        match one:
            case Registration() if one.id in entered:
                continue
            case Account() if one.registration in entered:
                continue
            case Location():
                served = tuple(each for each in one.registrations if each not in entered)
                kept.append(replace(one, registrations=served))
            case _:
                kept.append(one)
    return kept


def apply(
    tx: Transaction,
    objects: Iterable[DirectoryObject],
    owner_id: str,
    service_types: Mapping[str, str],
    now: datetime,
) -> None:
    """Store objects as they are at the Market Place now, which refer to nothing that is `unknown`.

    Descriptions (MKP-SRV-DES) say neither whose they are nor of which service type: they are `owner_id`'s, since a
    provider is shown its own alone, and `service_types` says the latter by description, of stored ones too.
    """
    for one in sorted(_not_entered(tx, objects), key=lambda each: _ORDER.index(type(each))):
        match one:
            case Company():
                _company(tx, one)
            case Registration():
                _registration(tx, one, now)
            case Location():
                registrations.put_location(tx, registrations.Location(one.id, one.uri, one.registrations))
            case Account():
                _account(tx, one)
            case ServiceDescription():
                _service(tx, one, owner_id, service_types[one.id])
            case B2BSubscription():
                _b2b(tx, one)
    tx.write(_SERVICE_TYPES, ids=list(service_types), types=list(service_types.values()))


def _company(tx: Transaction, company: Company) -> None:
    contact = market_writing.contact_details(company.contact_details)
    tx.write(
        _COMPANY, id=company.id, information=company.information, company_type=company.company_type,
        company_subtype=company.company_subtype, contact=_given(contact),
    )  # fmt: skip
    territories = [(one.country, one.city, one.pod_prefix) for one in company.territories]
    registrations.put_territories(tx, company.id, territories)


def _registration(tx: Transaction, registration: Registration, now: datetime) -> None:
    tx.write(
        _REGISTRATION, id=registration.id, company=registration.company, role=registration.role,
        status=registration.status, now=now,
    )  # fmt: skip
    tx.write(_ONLY_LOCATIONS, id=registration.id, locations=list(registration.locations))
    tx.write(_ONLY_ACCOUNTS, id=registration.id, accounts=list(registration.accounts))


def _account(tx: Transaction, account: Account) -> None:
    contact = market_writing.contact_point(account.contact_point)
    first, last = account.validity
    tx.write(
        _ACCOUNT, id=account.id, registration=account.registration, contact_point=_given(contact),
        fingerprint=fingerprint_of(account.certificate), certificate=account.certificate.public_bytes(Encoding.DER),
        valid_from=first, valid_until=last,
    )  # fmt: skip


def _service(tx: Transaction, service: ServiceDescription, owner_id: str, service_type: str) -> None:
    place = market_writing.localization(service.localization)
    tx.write(
        _SERVICE, id=service.id, owner_id=owner_id, service_type=service_type,
        short_description=service.short_description, usage_details=service.usage_details,
        aggregation_level=service.aggregation_level, aggregation_method=service.aggregation_method,
        quantity=service.quantity, time_step=service.time_step,
        period=None if service.period is None else TimestamptzRange(*service.period),
        localization=None if place is None else Jsonb(place),
        customer_consent_mandatory=service.customer_consent_mandatory,
    )  # fmt: skip


def _b2b(tx: Transaction, subscription: B2BSubscription) -> None:
    parties = {"id": subscription.id, "provider": subscription.provider, "requester": subscription.requester}
    if subscription.status == "Proposed":
        tx.write(_SUPERSEDE, **parties)
    tx.write(
        _B2B, **parties, status=subscription.status, validation_date=subscription.validated_at,
        data_details=subscription.data_details, processing_details=subscription.processing_details,
        version=subscription.version,
    )  # fmt: skip
    tx.write(_CLEAR_SERVICES, id=subscription.id)
    tx.write(_B2B_SERVICES, id=subscription.id, services=list(subscription.descriptions))


def _given(elements: Mapping[str, str | None]) -> Jsonb:
    return Jsonb({name: value for name, value in elements.items() if value is not None})

"""The operator's facts: who takes part, with which certificate, and which services and subscriptions there are.

Entered by hand until a Market Place keeps them (MPL-*, MKP-SRV-DES, B2B-SRV-SUB). An id given again changes the entry.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from psycopg.errors import ForeignKeyViolation, UniqueViolation
from sqlalchemy import Connection, Row, Table, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.registration import IN_DIRECTORY
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, StateConflict
from flexiciency.store import tables
from flexiciency.store.registrations import name_parts
from flexiciency.wire.identity import fingerprint_of, valid_between

ENTERED = "urn:flexiciency:entered:"
"""What the ids made here begin with, and no Market Player's may: nobody else can have an object of the same Id."""

_NAMES = UUID("3b1a5a66-6c1c-4c0f-8a5f-5d1a6f0c2d23")


class Role(StrEnum):
    """Role of a registration (D2.3, 2.2)."""

    REGULATED_DATA_PROVIDER = "RegulatedDataProvider"
    UNREGULATED_DATA_PROVIDER = "UnregulatedDataProvider"
    UNREGULATED_SERVICE_PROVIDER = "UnregulatedServiceProvider"
    UNREGULATED_DATA_REQUESTER = "UnregulatedDataRequester"


class CompanyType(StrEnum):
    """Type of a company (D2.3, 2.2)."""

    ENERGY_REGULATED_PLAYER = "EnergyRegulatedPlayer"
    ENERGY_UNREGULATED_PLAYER = "EnergyUnregulatedPlayer"
    INDUSTRIAL_PLAYER = "IndustrialPlayer"
    RESEARCH_INSTITUTE = "ResearchInstitute"
    PUBLIC_BODY = "PublicBody"


@dataclass(frozen=True, slots=True)
class Registration:
    """MPL-REG with what hangs on it: company (MPL-DES), certificate (MPL-AUT) and push address (MPL-ADD)."""

    id: str
    company: str
    company_type: CompanyType
    role: Role
    certificate: x509.Certificate
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """MKP-SRV-DES of a data provision."""

    id: str
    provider_id: str
    description: str
    aggregation_level: str
    aggregation_method: str | None
    quantity: Quantity
    time_step: TimeStep
    customer_consent_mandatory: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """B2B-SRV-SUB, validated."""

    id: str
    provider_id: str
    requester_id: str
    data_details: str
    processing_details: str
    services: tuple[str, ...]


def data_service_type(aggregation_level: str) -> str:
    """Service type of a data provision."""
    return "IndividualDataProvision" if aggregation_level == "None" else "AggregatedDataProvision"


def add_registration(connection: Connection, registration: Registration, now: datetime) -> None:
    """Enter an Active registration; its company is shared by registrations with the same company name.

    Raises IdentifierTaken for one that enrolled: whoever did chose that Id, and brought certificates along.
    """
    _must_not_have_enrolled(connection, registration.id)
    description_id = _id("company", registration.company)
    _put(
        connection,
        tables.market_player_description,
        id=description_id,
        company_information=registration.company,
        company_type=registration.company_type,
        contact={"Name": registration.company},
    )
    _put(
        connection,
        tables.market_player_registration,
        id=registration.id,
        description_id=description_id,
        role=registration.role,
        status="Active",
        since=now,
    )
    for part in name_parts(registration.company):
        _put(connection, tables.company_name_part, part=part, description_id=description_id)
    add_certificate(connection, registration.id, registration.certificate)
    if registration.uri is not None:
        _put(
            connection,
            tables.market_player_location,
            id=_id("location", registration.id),
            registration_id=registration.id,
            uri=registration.uri,
        )


def add_certificate(connection: Connection, registration_id: str, certificate: x509.Certificate) -> None:
    """Bind a certificate to the company of a registration (MPL-AUT), beside those bound already."""
    first, last = valid_between(certificate)
    fingerprint = fingerprint_of(certificate)
    _put(
        connection,
        tables.market_player_authentication,
        id=_id("account", registration_id, fingerprint),
        registration_id=registration_id,
        contact_point={"Name": certificate.subject.rfc4514_string()[:200] or fingerprint},
        fingerprint=fingerprint,
        certificate=certificate.public_bytes(Encoding.DER),
        valid_from=first,
        valid_until=last,
        withdrawn_at=None,
    )


def withdraw_certificate(connection: Connection, fingerprint: str, now: datetime) -> int:
    """Refuse a certificate from now on, wherever it is bound; gives the number of bindings. Raises ReferenceUnknown."""
    number = 0
    for table in (tables.market_player_authentication, tables.customer_channel):
        bound = (table.c.fingerprint == fingerprint) & table.c.withdrawn_at.is_(None)
        number += connection.execute(update(table).where(bound).values(withdrawn_at=now)).rowcount
    if not number:
        raise ReferenceUnknown(f"No certificate with the SHA-256 fingerprint {fingerprint} is bound here.")
    return number


def bound_to(connection: Connection, fingerprint: str) -> list[str]:
    """The registrations and customers' channels that may sign with a certificate."""
    authentication, channel = tables.market_player_authentication, tables.customer_channel
    found: list[str] = []
    for column, table in ((authentication.c.registration_id, authentication), (channel.c.id, channel)):
        bound = (table.c.fingerprint == fingerprint) & table.c.withdrawn_at.is_(None)
        found += connection.execute(select(column).where(bound).order_by(column)).scalars()
    return found


def set_status(connection: Connection, registration_id: str, status: str, now: datetime) -> None:
    """Active ↔ Suspended, by the operator. Raises ReferenceUnknown, StateConflict."""
    registration = tables.market_player_registration
    its_row = registration.c.id == registration_id
    stored = connection.execute(select(registration.c.status).where(its_row).with_for_update()).scalar()
    if stored is None:
        raise ReferenceUnknown(f"There is no registration {registration_id}. `registration list` shows all.")
    if stored not in IN_DIRECTORY:
        raise StateConflict(
            f"Registration {registration_id} is {stored}; expected one that is {' or '.join(IN_DIRECTORY)}. A Pending "
            "one is approved by the operator of the Market Place, and a Withdrawn one stays so."
        )
    suspended_by = "Operator" if status == "Suspended" else None
    connection.execute(update(registration).where(its_row).values(status=status, suspended_by=suspended_by, since=now))


def bind_channel(
    connection: Connection, channel_id: str, name: str, certificate: x509.Certificate, now: datetime
) -> None:
    """Bind a certificate to a customers' channel."""
    _put(
        connection,
        tables.customer_channel,
        id=channel_id,
        name=name,
        fingerprint=fingerprint_of(certificate),
        certificate=certificate.public_bytes(Encoding.DER),
        bound_at=now,
        withdrawn_at=None,
    )


def add_service(connection: Connection, service: Service) -> None:
    """Enter a service of this provider."""
    _put(
        connection,
        tables.service_description,
        id=service.id,
        owner_id=service.provider_id,
        service_type=data_service_type(service.aggregation_level),
        short_description=service.description,
        usage_details=service.description,
        aggregation_level=service.aggregation_level,
        aggregation_method=service.aggregation_method,
        quantity=service.quantity.value,
        time_step=service.time_step.value,
        customer_consent_mandatory=service.customer_consent_mandatory,
    )


def add_subscription(connection: Connection, subscription: Subscription, now: datetime) -> None:
    """Enter a validated B2B service subscription."""
    _put(
        connection,
        tables.b2b_service_subscription,
        id=subscription.id,
        provider_id=subscription.provider_id,
        requester_id=subscription.requester_id,
        status="Validated",
        validation_date=now,
        data_details=subscription.data_details,
        processing_details=subscription.processing_details,
        version=1,
    )
    for service_id in subscription.services:
        _put(
            connection,
            tables.b2b_service_subscription_description,
            subscription_id=subscription.id,
            service_description_id=service_id,
        )


def registrations(connection: Connection) -> list[Row[Any]]:
    """Each registration with its company, certificate and push address."""
    registration, description = tables.market_player_registration, tables.market_player_description
    authentication, location = tables.market_player_authentication, tables.market_player_location
    joined = (
        registration.join(description, description.c.id == registration.c.description_id)
        .outerjoin(
            authentication,
            (authentication.c.registration_id == registration.c.id) & authentication.c.withdrawn_at.is_(None),
        )
        .outerjoin(location, location.c.registration_id == registration.c.id)
    )
    return list(
        connection.execute(
            select(
                registration.c.id,
                description.c.company_information.label("company"),
                registration.c.role,
                registration.c.status,
                authentication.c.fingerprint,
                authentication.c.valid_until,
                location.c.uri,
            )
            .select_from(joined)
            .order_by(description.c.company_information, registration.c.id)
        )
    )


def channels(connection: Connection) -> list[Row[Any]]:
    """Each customers' channel."""
    channel = tables.customer_channel
    return list(connection.execute(select(channel.c.id, channel.c.name, channel.c.fingerprint, channel.c.bound_at)))


def services(connection: Connection) -> list[Row[Any]]:
    """Each service description."""
    service = tables.service_description
    return list(
        connection.execute(
            select(
                service.c.id,
                service.c.owner_id,
                service.c.service_type,
                service.c.quantity,
                service.c.time_step,
                service.c.customer_consent_mandatory,
                service.c.by_hand,
            )
        )
    )


def set_by_hand(connection: Connection, service_id: str, *, by_hand: bool) -> None:
    """Whether our operator decides on a service's activations and agreements. Raises ReferenceUnknown."""
    service = tables.service_description
    changed = connection.execute(update(service).where(service.c.id == service_id).values(by_hand=by_hand))
    if changed.rowcount == 0:
        raise ReferenceUnknown(f"There is no service {service_id} here. `service list` shows what there is.")


def subscriptions(connection: Connection) -> list[Row[Any]]:
    """Each B2B service subscription."""
    subscription = tables.b2b_service_subscription
    return list(
        connection.execute(
            select(
                subscription.c.id,
                subscription.c.provider_id,
                subscription.c.requester_id,
                subscription.c.status,
                subscription.c.validation_date,
            )
        )
    )


def _must_not_have_enrolled(connection: Connection, registration_id: str) -> None:
    registration = tables.market_player_registration
    company = connection.execute(
        select(registration.c.description_id).where(registration.c.id == registration_id)
    ).scalar()
    if company is not None and not company.startswith(ENTERED):
        raise IdentifierTaken(
            f"{registration_id} has enrolled at the Market Place and is no entry of yours to change; `registration "
            "suspend` and `activate` work on it. Another party gets an Id of its own."
        )


def _id(kind: str, *parts: str) -> str:
    return f"{ENTERED}{uuid5(_NAMES, ' '.join((kind, *parts)))}"


def _put(connection: Connection, table: Table, **values: Any) -> None:
    """Insert a row, or change the one with the same key. Raises ReferenceUnknown or IdentifierTaken."""
    keys = [column.name for column in table.primary_key]
    changes = {name: value for name, value in values.items() if name not in keys}
    statement = insert(table).values(values)
    try:
        with connection.begin_nested():
            if changes:
                connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))
            else:
                connection.execute(statement.on_conflict_do_nothing())
    except IntegrityError as error:
        if isinstance(error.orig, ForeignKeyViolation):
            raise ReferenceUnknown(f"{table.name}: {error.orig.diag.message_detail} Enter that first.") from None
        if isinstance(error.orig, UniqueViolation):
            raise IdentifierTaken(f"{table.name}: {error.orig.diag.message_detail}") from None
        raise

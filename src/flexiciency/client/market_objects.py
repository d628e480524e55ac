"""The objects of the Market Place as a Market Player's program sees them (D2.3, 2.2 and 2.3): frozen and plain.

Objects refer to each other by identifier. An `id` that is not given is minted when the object is made. Periods are
[start, end) of aware datetimes in UTC.

    Enrolment ─┬─ Registration (MPL-REG)        ServiceOffer (MKP-SRV-OFF) ──────────┐
               ├─ Company (MPL-DES)                 └─ ServiceDescription (MKP-SRV-DES)├─► B2BSubscription
               ├─ Account (MPL-AUT)                 ┌─ ServiceDescription              │   (B2B-SRV-SUB)
               └─ Location (MPL-ADD)            ServiceSubscription (MKP-SRV-SUB) ────┘
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

from cryptography import x509

from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep

T = TypeVar("T")

Period: TypeAlias = tuple[datetime, datetime]

Role: TypeAlias = Literal[
    "RegulatedDataProvider", "UnregulatedDataProvider", "UnregulatedServiceProvider", "UnregulatedDataRequester"
]
CompanyType: TypeAlias = Literal[
    "EnergyRegulatedPlayer", "EnergyUnregulatedPlayer", "IndustrialPlayer", "ResearchInstitute", "PublicBody"
]
RegistrationStatus: TypeAlias = Literal["Pending", "Active", "Suspended", "Withdrawn"]
ServiceType: TypeAlias = Literal["IndividualDataProvision", "AggregatedDataProvision", "EnergyServiceProvision"]
AggregationLevel: TypeAlias = Literal["None", "Country", "City", "Street", "Portfolio"]
AggregationMethod: TypeAlias = Literal["Sum", "Mean"]
PublicationStatus: TypeAlias = Literal["Published", "Withdrawn"]
B2BStatus: TypeAlias = Literal["Proposed", "Validated", "Declined", "Ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPlaceLocation:
    """MarketPlaceLocation (MKP-ADD): an access point, and the accounts (MPL-AUT) that connect to it."""

    id: str
    uri: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPlaceInfo:
    """MarketPlaceDescription (MKP-DES) with its access points (MKP-ADD)."""

    id: str
    purpose: str
    legal_information: str
    contact_details: str
    stakeholder_and_community: str
    help: str
    usage_condition: str
    locations: tuple[MarketPlaceLocation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """MarketPlayerRegistration (MPL-REG): one role of a company. All but the role are identifiers and the state."""

    role: Role
    company: str
    accounts: tuple[str, ...]
    locations: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    status: RegistrationStatus = "Pending"
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDetails:
    """Contact details of a company; `country` is a code of two letters."""

    name: str
    email: str
    city: str
    country: str
    telephone: str | None = None
    street: str | None = None
    postal_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """Part of the area that a company serves, for DSO mapping; no city: all of the country."""

    country: str
    city: str | None = None
    pod_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """MarketPlayerDescription (MPL-DES): the company behind its registrations (MPL-REG ids).

    `company_subtype` is one of the contract's CompanySubtype: "DSO", "TSO", "Retailer", …, "Other".
    """

    information: str
    contact_details: ContactDetails
    company_type: CompanyType
    company_subtype: str
    registrations: tuple[str, ...]
    territories: tuple[Territory, ...] = ()
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPoint:
    """Contact point of a Market Player: a person or a system."""

    name: str
    email: str
    telephone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """MarketPlayerAuthentication (MPL-AUT): a contact point and the certificate that its messages are signed with.

    `registration` is an MPL-REG id, `market_place_location` an MKP-ADD id.
    """

    contact_point: ContactPoint
    certificate: x509.Certificate
    validity: Period
    registration: str
    market_place_location: str
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """MarketPlayerLocation (MPL-ADD): where pushes to these registrations (MPL-REG ids) go."""

    uri: str
    registrations: tuple[str, ...]
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A registration with all that belongs to it: what is enrolled, and what is read of a registration later."""

    registration: Registration
    company: Company
    accounts: tuple[Account, ...]
    locations: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLocalization:
    """Where data come from; PoDs may be masked on the Market Place.

    What is empty bounds nothing. One that is empty altogether, where data provision requires one, is read as None.
    """

    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDescription:
    """MarketPlaceServiceDescription (MKP-SRV-DES). `offer` and `subscriptions` are identifiers.

    Level, quantity, period, localization and time step are required for data provision, the method where data are
    aggregated; individual data have the level "None", which is not None.
    """

    short_description: str
    usage_details: str
    customer_consent_mandatory: bool
    aggregation_level: AggregationLevel | None = None
    aggregation_method: AggregationMethod | None = None
    quantity: Quantity | None = None
    period: Period | None = None
    localization: ServiceLocalization | None = None
    time_step: TimeStep | None = None
    offer: str | None = None
    subscriptions: tuple[str, ...] = ()
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOffer:
    """MarketPlaceServiceOffer (MKP-SRV-OFF) of a supplier (MPL-REG id).

    `details` are descriptions, or identifiers of descriptions. A change has the next `version`.
    """

    service_type: ServiceType
    supplier: str
    details: tuple[ServiceDescription | str, ...]
    status: PublicationStatus = "Published"
    version: int = 1
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSubscription:
    """MarketPlaceServiceSubscription (MKP-SRV-SUB) of a requester (MPL-REG id).

    `details` are descriptions, or identifiers of descriptions in offers. A change has the next `version`.
    """

    service_type: ServiceType
    requester: str
    details: tuple[ServiceDescription | str, ...]
    status: PublicationStatus = "Published"
    version: int = 1
    id: str = field(default_factory=new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class B2BSubscription:
    """B2BServiceSubscription (B2B-SRV-SUB): what the Market Place matched for two registrations (MPL-REG ids).

    `validated_at` is None until both have validated it; `descriptions`, `offers` and `subscriptions` are identifiers.
    """

    id: str
    validated_at: datetime | None
    provider: str
    requester: str
    data_details: str
    processing_details: str
    descriptions: tuple[str, ...]
    offers: tuple[str, ...]
    subscriptions: tuple[str, ...]
    status: B2BStatus
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a service description must say to be found; what is None is not asked. Period and localization overlap."""

    aggregation_level: AggregationLevel | None = None
    aggregation_method: AggregationMethod | None = None
    quantity: Quantity | None = None
    period: Period | None = None
    localization: ServiceLocalization | None = None
    time_step: TimeStep | None = None
    customer_consent_mandatory: bool | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of what was found, and where to go on; `next_cursor` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None


class Dso(NamedTuple):
    """A DSO that DSO mapping found: its registration and its company."""

    registration: Registration
    company: Company


@dataclass(frozen=True, slots=True)
class FoundDso:
    """Answer of DSO mapping, the most exact first."""

    outcome: Literal["Unique", "Ambiguous", "Unknown"]
    dsos: tuple[Dso, ...]


DirectoryObject: TypeAlias = Registration | Company | Location | Account | ServiceDescription | B2BSubscription


@dataclass(frozen=True, slots=True)
class DirectoryChanges:
    """Objects of the directory as they are now, the oldest change first, and the cursor to go on from."""

    changes: tuple[DirectoryObject, ...]
    next_cursor: str

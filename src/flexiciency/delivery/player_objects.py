"""MPL-REG, MPL-DES, MPL-ADD and MPL-AUT: from rows of `store.registrations`, and what a message asks to store.

Objects are made in the classes of either interface. What the operator entered by hand may lack elements that the
contract wants; it gets what says that nothing is known.
"""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from cryptography import x509

from flexiciency.errors import SchemaInvalid, SecurityError
from flexiciency.soap.posting import check_url
from flexiciency.store.registrations import Account, Company, Location
from flexiciency.store.transaction import Row
from flexiciency.wire.addressing import MARKET_PLACE_URN
from flexiciency.wire.identity import valid_between
from flexiciency.wire.trust import TrustAnchors, check_readable

_UNKNOWN = {"Email": "unknown@invalid", "City": "-", "Country": "ZZ"}
_CONTACT_DETAILS = ("Name", "Email", "Telephone", "Street", "PostalCode", "City", "Country")
_CONTACT_POINT = ("Name", "Email", "Telephone")


def registration(types: SimpleNamespace, row: Row) -> Any:
    """MPL-REG."""
    return types.MarketPlayerRegistration(
        Id=row.id, Role=row.role, MarketPlayerLocationRef=row.locations, MarketPlayerDescriptionRef=row.description_id,
        MarketPlayerAuthenticationRef=row.accounts, MarketPlaceServiceOfferRef=row.offers,
        MarketPlaceServiceSubscriptionRef=row.subscriptions, Status=row.status,
    )  # fmt: skip


def company(types: SimpleNamespace, row: Row) -> Any:
    """MPL-DES."""
    return types.MarketPlayerDescription(
        Id=row.id, CompanyInformation=row.company_information,
        ContactDetails=types.ContactDetails(**(_UNKNOWN | row.contact)), CompanyType=row.company_type,
        CompanySubtype=row.company_subtype,
        Territory=[types.Territory(Country=c, City=city, PodPrefix=prefix) for c, city, prefix in row.territories],
        MarketPlayerRegistrationRef=row.registrations,
    )  # fmt: skip


def location(types: SimpleNamespace, row: Row) -> Any:
    """MPL-ADD."""
    return types.MarketPlayerLocation(Id=row.id, Uri=row.uri, MarketPlayerRegistrationRef=row.registrations)


def account(types: SimpleNamespace, row: Row) -> Any:
    """MPL-AUT; the validity of one that was withdrawn ended then."""
    return types.MarketPlayerAuthentication(
        Id=row.id, ContactPoint=types.ContactPoint(**({"Email": _UNKNOWN["Email"]} | row.contact_point)),
        Certificate=row.certificate, Validity=types.Period(Start=row.valid_from, End=row.valid_until),
        MarketPlayerRegistrationRef=row.registration_id,
        MarketPlaceLocationRef=row.market_place_location_id or MARKET_PLACE_URN,
    )  # fmt: skip


def read_company(described: Any) -> Company:
    """What to store of an MPL-DES."""
    return Company(
        id=described.Id,
        information=described.CompanyInformation,
        contact=_elements(described.ContactDetails, _CONTACT_DETAILS),
        company_type=described.CompanyType,
        company_subtype=described.CompanySubtype,
        territories=tuple((part.Country, part.City, part.PodPrefix) for part in described.Territory or ()),
    )


def stored_company(row: Row) -> Company:
    """A company as it is stored, for comparison."""
    return Company(
        id=row.id,
        information=row.company_information,
        contact=_UNKNOWN | row.contact,
        company_type=row.company_type,
        company_subtype=row.company_subtype,
        territories=tuple((country, city, prefix) for country, city, prefix in row.territories),
    )


def read_location(asked: Any, path: str) -> Location:
    """What to store of an MPL-ADD. Raises SchemaInvalid for an address that nothing could be pushed to."""
    try:
        check_url(asked.Uri)
    except ValueError as error:
        raise SchemaInvalid(f"{error} Give an https address.", path=f"{path}/Uri") from error
    return Location(asked.Id, asked.Uri, tuple(asked.MarketPlayerRegistrationRef))


def read_account(anchors: TrustAnchors, asked: Any, now: datetime, path: str) -> Account:
    """What to store of an MPL-AUT, whose certificate must be trusted, now or from when it is valid.

    Raises SchemaInvalid (no certificate; a validity that is not within its own), CertificateUntrusted,
    CertificateExpired, AlgorithmRefused.
    """
    certificate = _certificate(b"".join(asked.Certificate), f"{path}/Certificate")
    try:
        check_readable(certificate)
        first, last = valid_between(certificate)
        anchors.check(certificate, max(first, now))
    except SecurityError as error:
        raise type(error)(error.message, path=f"{path}/Certificate") from error
    start, end = asked.Validity.Start, asked.Validity.End
    if not first <= start < end <= last:
        raise SchemaInvalid(
            f"Validity is from {start:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}; expected a start before the end "
            f"and both within the certificate's own, {first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}.",
            path=f"{path}/Validity",
        )
    return Account(
        id=asked.Id,
        registration_id=asked.MarketPlayerRegistrationRef,
        contact_point=_elements(asked.ContactPoint, _CONTACT_POINT),
        certificate=certificate,
        valid_from=start,
        valid_until=end,
        market_place_location_id=asked.MarketPlaceLocationRef,
    )


def _certificate(der: bytes, path: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise SchemaInvalid(
            f"{len(der)} bytes are no X.509 certificate ({error}); expected its DER in base64, without PEM lines.",
            path=path,
        ) from error


def _elements(instance: Any, names: tuple[str, ...]) -> dict[str, str]:
    """The elements that are there, by name."""
    return {name: value for name in names if (value := getattr(instance, name)) is not None}

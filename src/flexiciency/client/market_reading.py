"""From Zeep's and Spyne's objects of the Market Place, which name their parts alike, to ours."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cryptography import x509

from flexiciency.client.market_objects import (
    Account,
    B2BSubscription,
    Company,
    ContactDetails,
    ContactPoint,
    DirectoryChanges,
    DirectoryObject,
    Dso,
    Enrolment,
    FoundDso,
    Location,
    MarketPlaceInfo,
    MarketPlaceLocation,
    Page,
    Period,
    Registration,
    ServiceDescription,
    ServiceLocalization,
    ServiceOffer,
    ServiceSubscription,
    T,
    Territory,
)
from flexiciency.client.reading import every, instant
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.errors import SchemaInvalid


def market_place(found: Any) -> MarketPlaceInfo:
    """ReadMarketPlaceResponse."""
    description = found.MarketPlaceDescription
    return MarketPlaceInfo(
        id=description.Id,
        purpose=description.Purpose,
        legal_information=description.LegalInformation,
        contact_details=description.ContactDetails,
        stakeholder_and_community=description.StakeholderAndCommunity,
        help=description.Help,
        usage_condition=description.UsageCondition,
        locations=tuple(
            MarketPlaceLocation(id=one.Id, uri=one.Uri, users=every(one.MarketPlayerAuthenticationRef))
            for one in found.MarketPlaceLocation
        ),
    )


def enrolment(found: Any) -> Enrolment:
    """ReadRegistrationResponse. Raises SchemaInvalid for a certificate that is none."""
    return Enrolment(
        registration=registration(found.MarketPlayerRegistration),
        company=company(found.MarketPlayerDescription),
        accounts=tuple(map(account, every(found.MarketPlayerAuthentication))),
        locations=tuple(map(location, every(found.MarketPlayerLocation))),
    )


def registration(found: Any) -> Registration:
    """MPL-REG."""
    return Registration(
        id=found.Id,
        role=found.Role,
        locations=every(found.MarketPlayerLocationRef),
        company=found.MarketPlayerDescriptionRef,
        accounts=every(found.MarketPlayerAuthenticationRef),
        offers=every(found.MarketPlaceServiceOfferRef),
        subscriptions=every(found.MarketPlaceServiceSubscriptionRef),
        status=found.Status,
    )


def company(found: Any) -> Company:
    """MPL-DES."""
    contact = found.ContactDetails
    return Company(
        id=found.Id,
        information=found.CompanyInformation,
        contact_details=ContactDetails(
            name=contact.Name,
            email=contact.Email,
            telephone=contact.Telephone,
            street=contact.Street,
            postal_code=contact.PostalCode,
            city=contact.City,
            country=contact.Country,
        ),
        company_type=found.CompanyType,
        company_subtype=found.CompanySubtype,
        territories=tuple(
            Territory(country=one.Country, city=one.City, pod_prefix=one.PodPrefix) for one in every(found.Territory)
        ),
        registrations=every(found.MarketPlayerRegistrationRef),
    )


def account(found: Any) -> Account:
    """MPL-AUT. Raises SchemaInvalid for a certificate that is none."""
    contact = found.ContactPoint
    return Account(
        id=found.Id,
        contact_point=ContactPoint(name=contact.Name, email=contact.Email, telephone=contact.Telephone),
        certificate=_certificate(found.Certificate, found.Id),
        validity=_period(found.Validity),
        registration=found.MarketPlayerRegistrationRef,
        market_place_location=found.MarketPlaceLocationRef,
    )


def location(found: Any) -> Location:
    """MPL-ADD."""
    return Location(id=found.Id, uri=found.Uri, registrations=every(found.MarketPlayerRegistrationRef))


def service_description(found: Any) -> ServiceDescription:
    """MKP-SRV-DES."""
    return ServiceDescription(
        id=found.Id,
        short_description=found.ShortDescription,
        usage_details=found.UsageDetails,
        aggregation_level=found.AggregationLevel,
        aggregation_method=found.AggregationMethod,
        quantity=None if found.Quantity is None else Quantity(found.Quantity),
        period=None if found.Period is None else _period(found.Period),
        localization=_localization(found.Localization),
        time_step=None if found.TimeStep is None else TimeStep(found.TimeStep),
        customer_consent_mandatory=found.CustomerConsentMandatory,
        offer=found.MarketPlaceServiceOfferRef,
        subscriptions=every(found.MarketPlaceServiceSubscriptionRef),
    )


def offer(found: Any) -> ServiceOffer:
    """MKP-SRV-OFF."""
    return ServiceOffer(
        id=found.Id,
        service_type=found.ServiceType,
        supplier=found.Supplier,
        details=_details(found.ServiceDetails),
        status=found.Status,
        version=found.Version,
    )


def subscription(found: Any) -> ServiceSubscription:
    """MKP-SRV-SUB."""
    return ServiceSubscription(
        id=found.Id,
        service_type=found.ServiceType,
        requester=found.Requester,
        details=_details(found.ServiceDetails),
        status=found.Status,
        version=found.Version,
    )


def b2b_subscription(found: Any) -> B2BSubscription:
    """B2B-SRV-SUB."""
    return B2BSubscription(
        id=found.Id,
        validated_at=None if found.ValidationDate is None else instant(found.ValidationDate),
        provider=found.Provider,
        requester=found.Requester,
        data_details=found.DataDetails,
        processing_details=found.ProcessingDetails,
        descriptions=every(found.MarketPlaceServiceDescriptionRef),
        offers=every(found.MarketPlaceServiceOfferRef),
        subscriptions=every(found.MarketPlaceServiceSubscriptionRef),
        status=found.Status,
        version=found.Version,
    )


def page(objects: Iterable[Any] | None, next_cursor: str | None, read: Callable[[Any], T]) -> Page[T]:
    """What one reply holds of what was found."""
    return Page(tuple(map(read, every(objects))), next_cursor)


def found_dso(found: Any) -> FoundDso:
    """FindDsoResponse."""
    dsos = (Dso(registration(one.MarketPlayerRegistration), company(one.MarketPlayerDescription)) for one in found.Dso)
    return FoundDso(found.Outcome, tuple(dsos))


def directory_changes(found: Any) -> DirectoryChanges:
    """DirectoryChanges, read or pushed. Raises SchemaInvalid for a certificate that is none."""
    return DirectoryChanges(tuple(map(_changed, every(found.DirectoryChange))), found.NextCursor)


def pushed(content: Any) -> B2BSubscription | DirectoryChanges:
    """What waits in a mailbox of the Market Place. Raises SchemaInvalid for a certificate that is none."""
    if content.DirectoryChanges is not None:
        return directory_changes(content.DirectoryChanges)
    return b2b_subscription(content.B2BServiceSubscription)


_DIRECTORY: Mapping[str, Callable[[Any], DirectoryObject]] = MappingProxyType(
    {
        "MarketPlayerRegistration": registration,
        "MarketPlayerDescription": company,
        "MarketPlayerLocation": location,
        "MarketPlayerAuthentication": account,
        "MarketPlaceServiceDescription": service_description,
        "B2BServiceSubscription": b2b_subscription,
    }
)


def _changed(change: Any) -> DirectoryObject:
    """The one object of a DirectoryChange, which is a choice."""
    return next(read(one) for name, read in _DIRECTORY.items() if (one := getattr(change, name)) is not None)


def _details(found: Iterable[Any]) -> tuple[ServiceDescription | str, ...]:
    return tuple(
        one.MarketPlaceServiceDescriptionRef
        if one.MarketPlaceServiceDescription is None
        else service_description(one.MarketPlaceServiceDescription)
        for one in found
    )


def _period(found: Any) -> Period:
    return instant(found.Start), instant(found.End)


def _localization(found: Any) -> ServiceLocalization | None:
    """None for one that bounds nothing too: an empty element is nothing to Zeep."""
    if found is None or not any((found.Country, found.City, found.Street, found.PoD)):
        return None
    return ServiceLocalization(
        countries=every(found.Country), cities=every(found.City), streets=every(found.Street), pods=every(found.PoD)
    )


def _certificate(found: Any, account_id: str) -> x509.Certificate:
    """Of DER, which Zeep gives as bytes and Spyne in pieces."""
    try:
        return x509.load_der_x509_certificate(found if isinstance(found, bytes) else b"".join(found))
    except (ValueError, x509.InvalidVersion) as error:
        raise SchemaInvalid(
            f"The certificate of {account_id} cannot be read ({error}); expected X.509, its DER in Base64.",
            path="MarketPlayerAuthentication/Certificate",
        ) from error

"""From the objects of the Market Place to the arguments that Zeep writes, by the names of the XSDs."""

from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from flexiciency.client import writing
from flexiciency.client.market_objects import (
    Account,
    Company,
    ContactDetails,
    ContactPoint,
    Criteria,
    Enrolment,
    Location,
    Period,
    Registration,
    ServiceDescription,
    ServiceLocalization,
    ServiceOffer,
    ServiceSubscription,
    Territory,
)

Arguments = dict[str, Any]


def enrolment(wanted: Enrolment) -> Arguments:
    """EnrolMarketPlayer."""
    return {
        "MarketPlayerRegistration": registration(wanted.registration),
        "MarketPlayerDescription": company(wanted.company),
        "MarketPlayerAuthentication": [account(one) for one in wanted.accounts],
        "MarketPlayerLocation": [location(one) for one in wanted.locations],
    }


def registration(one: Registration) -> Arguments:
    """MPL-REG."""
    return {
        "Id": one.id,
        "Role": one.role,
        "MarketPlayerLocationRef": list(one.locations),
        "MarketPlayerDescriptionRef": one.company,
        "MarketPlayerAuthenticationRef": list(one.accounts),
        "MarketPlaceServiceOfferRef": list(one.offers),
        "MarketPlaceServiceSubscriptionRef": list(one.subscriptions),
        "Status": one.status,
    }


def company(one: Company) -> Arguments:
    """MPL-DES."""
    return {
        "Id": one.id,
        "CompanyInformation": one.information,
        "ContactDetails": contact_details(one.contact_details),
        "CompanyType": one.company_type,
        "CompanySubtype": one.company_subtype,
        "Territory": [_territory(part) for part in one.territories],
        "MarketPlayerRegistrationRef": list(one.registrations),
    }


def account(one: Account) -> Arguments:
    """MPL-AUT."""
    return {
        "Id": one.id,
        "ContactPoint": contact_point(one.contact_point),
        "Certificate": one.certificate.public_bytes(Encoding.DER),
        "Validity": writing.period(*one.validity),
        "MarketPlayerRegistrationRef": one.registration,
        "MarketPlaceLocationRef": one.market_place_location,
    }


def location(one: Location) -> Arguments:
    """MPL-ADD."""
    return {"Id": one.id, "Uri": one.uri, "MarketPlayerRegistrationRef": list(one.registrations)}


def service_description(one: ServiceDescription) -> Arguments:
    """MKP-SRV-DES."""
    return {
        "Id": one.id,
        "ShortDescription": one.short_description,
        "UsageDetails": one.usage_details,
        "AggregationLevel": one.aggregation_level,
        "AggregationMethod": one.aggregation_method,
        "Quantity": one.quantity,
        "Period": _period(one.period),
        "Localization": localization(one.localization),
        "TimeStep": one.time_step,
        "CustomerConsentMandatory": one.customer_consent_mandatory,
        "MarketPlaceServiceOfferRef": one.offer,
        "MarketPlaceServiceSubscriptionRef": list(one.subscriptions),
    }


def offer(one: ServiceOffer) -> Arguments:
    """MKP-SRV-OFF."""
    return {
        "Id": one.id,
        "ServiceType": one.service_type,
        "Supplier": one.supplier,
        "ServiceDetails": _details(one.details),
        "Status": one.status,
        "Version": one.version,
    }


def subscription(one: ServiceSubscription) -> Arguments:
    """MKP-SRV-SUB."""
    return {
        "Id": one.id,
        "ServiceType": one.service_type,
        "Requester": one.requester,
        "ServiceDetails": _details(one.details),
        "Status": one.status,
        "Version": one.version,
    }


def criteria(wanted: Criteria | None) -> Arguments | None:
    """mkpo:ServiceCriteria."""
    if wanted is None:
        return None
    return {
        "AggregationLevel": wanted.aggregation_level,
        "AggregationMethod": wanted.aggregation_method,
        "Quantity": wanted.quantity,
        "Period": _period(wanted.period),
        "Localization": localization(wanted.localization),
        "TimeStep": wanted.time_step,
        "CustomerConsentMandatory": wanted.customer_consent_mandatory,
    }


def customer_location(pod: str | None, country: str | None, city: str | None) -> Arguments:
    """mkpo:CustomerLocation; ValueError unless it is a PoD alone, or a country with or without a city."""
    if (pod is None) == (country is None) or (pod is not None and city is not None):
        raise ValueError("A DSO is found by a PoD, or by a country and perhaps a city. Give one of both.")
    return {"PoD": pod} if pod is not None else {"Place": {"Country": country, "City": city}}


def _details(details: Sequence[ServiceDescription | str]) -> list[Arguments]:
    return [
        {"MarketPlaceServiceDescriptionRef": one}
        if isinstance(one, str)
        else {"MarketPlaceServiceDescription": service_description(one)}
        for one in details
    ]


def _period(period: Period | None) -> Arguments | None:
    return None if period is None else writing.period(*period)


def localization(one: ServiceLocalization | None) -> Arguments | None:
    """com:Localization of MKP-SRV-DES."""
    if one is None:
        return None
    return {
        "Country": list(one.countries),
        "City": list(one.cities),
        "Street": list(one.streets),
        "PoD": list(one.pods),
    }


def contact_details(one: ContactDetails) -> Arguments:
    """ContactDetails of MPL-DES."""
    return {
        "Name": one.name,
        "Email": one.email,
        "Telephone": one.telephone,
        "Street": one.street,
        "PostalCode": one.postal_code,
        "City": one.city,
        "Country": one.country,
    }


def contact_point(one: ContactPoint) -> Arguments:
    """ContactPoint of MPL-AUT."""
    return {"Name": one.name, "Email": one.email, "Telephone": one.telephone}


def _territory(one: Territory) -> Arguments:
    return {"Country": one.country, "City": one.city, "PodPrefix": one.pod_prefix}

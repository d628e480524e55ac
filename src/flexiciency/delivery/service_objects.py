"""Stored offers, subscriptions, descriptions and B2B service subscriptions as objects of the contract (D2.3, 2.3)."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from flexiciency.store.publications import Publication
from flexiciency.store.transaction import Row


def description(types: SimpleNamespace, row: Row) -> Any:
    """MKP-SRV-DES of a row of `publications.descriptions`."""
    period = None if row.period_start is None else types.Period(Start=row.period_start, End=row.period_end)
    return types.MarketPlaceServiceDescription(
        Id=row.id,
        ShortDescription=row.short_description,
        UsageDetails=row.usage_details,
        AggregationLevel=row.aggregation_level,
        AggregationMethod=row.aggregation_method,
        Quantity=row.quantity,
        Period=period,
        Localization=_localization(types, row.localization),
        TimeStep=row.time_step,
        CustomerConsentMandatory=row.customer_consent_mandatory,
        MarketPlaceServiceOfferRef=row.offer_id,
        MarketPlaceServiceSubscriptionRef=row.subscription_ids,
    )


def offer(types: SimpleNamespace, publication: Publication) -> Any:
    """MKP-SRV-OFF."""
    return types.MarketPlaceServiceOffer(
        Id=publication.id,
        ServiceType=publication.service_type,
        Supplier=publication.party_id,
        ServiceDetails=_details(types, publication),
        Status=publication.status,
        Version=publication.version,
    )


def subscription(types: SimpleNamespace, publication: Publication) -> Any:
    """MKP-SRV-SUB."""
    return types.MarketPlaceServiceSubscription(
        Id=publication.id,
        ServiceType=publication.service_type,
        Requester=publication.party_id,
        ServiceDetails=_details(types, publication),
        Status=publication.status,
        Version=publication.version,
    )


def b2b(types: SimpleNamespace, row: Row) -> Any:
    """B2B-SRV-SUB of a row of `subscriptions.b2b_subscriptions`."""
    return types.B2BServiceSubscription(
        Id=row.id,
        ValidationDate=row.validation_date and row.validation_date.replace(microsecond=0),
        Provider=row.provider_id,
        Requester=row.requester_id,
        DataDetails=row.data_details,
        ProcessingDetails=row.processing_details,
        MarketPlaceServiceDescriptionRef=row.descriptions,
        MarketPlaceServiceOfferRef=row.offers,
        MarketPlaceServiceSubscriptionRef=row.subscriptions,
        Status=row.status,
        Version=row.version,
    )


def _details(types: SimpleNamespace, publication: Publication) -> list[Any]:
    return [
        types.ServiceDetails(MarketPlaceServiceDescriptionRef=row.id)
        if row.by_reference
        else types.ServiceDetails(MarketPlaceServiceDescription=description(types, row))
        for row in publication.details
    ]


def _localization(types: SimpleNamespace, stored: Mapping[str, list[str]] | None) -> Any:
    return None if stored is None else types.Localization(**stored)

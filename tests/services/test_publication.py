"""MKP-SRV-OFF, MKP-SRV-SUB and MKP-SRV-DES over HTTP: published, changed, withdrawn, found, refused."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from flexiciency.client.market_objects import Role, ServiceDescription, ServiceLocalization, ServiceOffer
from flexiciency.contract.ids import new_id
from tests.services.publishing import (
    SPRING,
    YEAR,
    Market,
    aggregated,
    consumption_in,
    individual,
    offer_of,
    place,
    wish_of,
)

PUBLISH = "PublishServiceOffer/MarketPlaceServiceOffer"
DESCRIBED = f"{PUBLISH}/ServiceDetails/MarketPlaceServiceDescription"


def with_reference(offer: ServiceOffer) -> ServiceOffer:
    """The offer as the Market Place gives it: its descriptions refer to it."""
    details = (replace(one, offer=offer.id) for one in offer.details if isinstance(one, ServiceDescription))
    return replace(offer, details=tuple(details))


def test_an_offer_is_answered_and_found_as_it_was_published(market: Market) -> None:
    provider = market.provider()
    masked = ServiceLocalization(countries=("AT", "DE"), cities=("Linz",), streets=("Landstraße",), pods=("AT0031*",))
    offer = offer_of(provider, individual(localization=masked), individual(period=SPRING))
    assert provider.publish_offer(offer) == with_reference(offer)
    assert provider.find_offers(supplier=provider.registration_id).items == (with_reference(offer),)


def test_a_subscription_is_answered_and_found_as_it_was_published(market: Market) -> None:
    requester = market.requester()
    wish = wish_of(requester, aggregated(), service_type="AggregatedDataProvision")
    assert requester.publish_subscription(wish) == wish
    assert requester.find_subscriptions(requester=requester.registration_id).items == (wish,)


def test_a_description_is_answered_read_and_found_as_it_was_published(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    alone = individual(localization=place("Alone"))
    assert provider.publish_description(alone) == alone
    assert requester.read_description(alone.id) == alone
    assert requester.find_descriptions(consumption_in("ALONE")).items == (alone,)


def test_an_energy_service_may_leave_out_what_data_need(market: Market) -> None:
    provider = market.provider("UnregulatedServiceProvider")
    advice = ServiceDescription(short_description="Advice", usage_details="None", customer_consent_mandatory=False)
    offer = offer_of(provider, advice, service_type="EnergyServiceProvision")
    assert provider.publish_offer(offer) == with_reference(offer)


@pytest.mark.parametrize("name", ["Αθήνα", "القاهرة", "北京", "Åre", "e\u0301vora", "🏙️ Zürich", "O'Brien; --", "%_\\"])
def test_names_in_every_script_come_back_and_are_found(market: Market, name: str) -> None:
    provider = market.provider()
    offer = offer_of(provider, individual(short_description=name, usage_details=name, localization=place(name)))
    provider.publish_offer(offer)
    found = provider.find_offers(consumption_in(name.upper()))
    assert found.items == (with_reference(offer),)


def test_a_change_is_the_next_version_and_replaces_the_one_before(market: Market) -> None:
    provider = market.provider()
    offer = offer_of(provider)
    provider.publish_offer(offer)
    changed = replace(offer, version=2, details=(individual(localization=place("Second")),))
    assert provider.publish_offer(changed) == with_reference(changed)
    assert provider.find_offers(supplier=provider.registration_id).items == (with_reference(changed),)


@pytest.mark.parametrize("version", [1, 3])
def test_a_version_other_than_the_next_is_refused(market: Market, version: int) -> None:
    provider = market.provider()
    offer = offer_of(provider)
    provider.publish_offer(offer)
    fault = market.refused(lambda: provider.publish_offer(replace(offer, version=version)))
    assert (fault.partner_code, fault.path) == ("StateConflict", f"{PUBLISH}/Version")


def test_the_first_version_is_1(market: Market) -> None:
    requester = market.requester()
    fault = market.refused(lambda: requester.publish_subscription(wish_of(requester, version=2)))
    assert fault.partner_code == "StateConflict"


def test_what_is_published_has_the_status_published(market: Market) -> None:
    provider = market.provider()
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, status="Withdrawn")))
    assert (fault.partner_code, fault.path) == ("StateConflict", f"{PUBLISH}/Status")


def test_what_is_withdrawn_stays_so_and_is_found_no_more(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    offer, wish = offer_of(provider), wish_of(requester)
    provider.publish_offer(offer)
    requester.publish_subscription(wish)
    assert provider.withdraw_offer(offer.id).status == "Withdrawn"
    assert requester.withdraw_subscription(wish.id).status == "Withdrawn"
    assert provider.find_offers(supplier=provider.registration_id).items == ()
    assert requester.find_subscriptions(requester=requester.registration_id).items == ()
    for call in (
        lambda: provider.withdraw_offer(offer.id),
        lambda: requester.withdraw_subscription(wish.id),
        lambda: provider.publish_offer(replace(offer, version=2)),
    ):
        assert market.refused(call).partner_code == "StateConflict"


def test_others_publications_are_neither_withdrawn_nor_changed(market: Market) -> None:
    provider, other, requester = market.provider(), market.provider(), market.requester()
    offer = offer_of(provider)
    provider.publish_offer(offer)
    fault = market.refused(lambda: other.withdraw_offer(offer.id))
    assert (fault.partner_code, fault.path) == ("ReferenceUnknown", "WithdrawServiceOffer/ServiceOfferId")
    assert market.refused(lambda: requester.withdraw_subscription(offer.id)).partner_code == "ReferenceUnknown"
    stolen = offer_of(other, individual(), id=offer.id, version=2)
    assert market.refused(lambda: other.publish_offer(stolen)).partner_code == "IdentifierTaken"
    wish = wish_of(requester, individual(), id=offer.id)
    assert market.refused(lambda: requester.publish_subscription(wish)).partner_code == "IdentifierTaken"


@pytest.mark.parametrize(
    ("role", "service_type"),
    [
        ("UnregulatedDataProvider", "EnergyServiceProvision"),
        ("UnregulatedServiceProvider", "IndividualDataProvision"),
        ("UnregulatedServiceProvider", "AggregatedDataProvision"),
        ("UnregulatedDataRequester", "IndividualDataProvision"),
    ],
)
def test_a_role_offers_only_what_it_may(market: Market, role: Role, service_type: Any) -> None:
    provider = market.party(role)
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, service_type=service_type)))
    assert fault.partner_code == "OperationNotAllowed"


def test_a_provider_does_not_subscribe(market: Market) -> None:
    provider = market.provider()
    fault = market.refused(lambda: provider.publish_subscription(wish_of(provider)))
    assert fault.partner_code == "OperationNotAllowed"


def test_nobody_publishes_for_another(market: Market) -> None:
    provider, requester, other = market.provider(), market.requester(), market.provider()
    for call in (
        lambda: provider.publish_offer(offer_of(other)),
        lambda: requester.publish_subscription(wish_of(other)),
    ):
        assert market.refused(call).partner_code == "RequesterMismatch"


@pytest.mark.parametrize(
    ("element", "changes"),
    [
        ("AggregationLevel", {"aggregation_level": None}),
        ("AggregationLevel", {"aggregation_level": "City"}),
        ("AggregationMethod", {"aggregation_method": "Sum"}),
        ("Quantity", {"quantity": None}),
        ("Period", {"period": None}),
        ("Period/End", {"period": (YEAR[1], YEAR[0])}),
        ("Period/End", {"period": (YEAR[0], YEAR[0])}),
        ("Localization", {"localization": None}),
        ("TimeStep", {"time_step": None}),
    ],
)
def test_a_description_of_individual_data_says_what_it_must(
    market: Market, element: str, changes: dict[str, Any]
) -> None:
    provider = market.provider()
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, individual(**changes))))
    assert (fault.partner_code, fault.path) == ("SchemaInvalid", f"{DESCRIBED}/{element}")


@pytest.mark.parametrize(
    ("element", "changes"),
    [("AggregationLevel", {"aggregation_level": "None"}), ("AggregationMethod", {"aggregation_method": None})],
)
def test_a_description_of_aggregated_data_says_how(market: Market, element: str, changes: dict[str, Any]) -> None:
    requester = market.requester()
    wish = wish_of(requester, aggregated(), aggregated(**changes), service_type="AggregatedDataProvision")
    fault = market.refused(lambda: requester.publish_subscription(wish))
    assert fault.partner_code == "SchemaInvalid"
    assert (fault.path or "").endswith(f"/ServiceDetails[2]/MarketPlaceServiceDescription/{element}")


def test_a_description_published_alone_has_its_period_the_right_way_round(market: Market) -> None:
    provider = market.provider()
    fault = market.refused(lambda: provider.publish_description(individual(period=(YEAR[1], YEAR[0]))))
    assert fault.partner_code == "SchemaInvalid"


def test_an_offer_refers_to_descriptions_of_its_supplier(market: Market) -> None:
    provider, other = market.provider(), market.provider()
    alone = individual()
    provider.publish_description(alone)
    offer = offer_of(provider, alone.id)
    assert provider.publish_offer(offer) == offer
    for reference in (alone.id, new_id()):
        fault = market.refused(partial(other.publish_offer, offer_of(other, reference)))
        assert fault.partner_code == "ReferenceUnknown"
        assert fault.path == f"{PUBLISH}/ServiceDetails/MarketPlaceServiceDescriptionRef"


def test_a_description_referred_to_says_what_the_service_type_needs(market: Market) -> None:
    provider = market.provider()
    alone = individual(quantity=None)
    provider.publish_description(alone)
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, alone.id)))
    assert (fault.partner_code, (fault.path or "").rpartition("/")[2]) == ("SchemaInvalid", "Quantity")


def test_a_subscription_refers_to_what_is_offered(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    alone, offered = individual(), individual()
    provider.publish_description(alone)
    provider.publish_offer(offer_of(provider, offered))
    wish = wish_of(requester, offered.id)
    assert requester.publish_subscription(wish) == wish
    assert requester.read_description(offered.id).subscriptions == (wish.id,)
    for reference in (alone.id, new_id()):
        fault = market.refused(partial(requester.publish_subscription, wish_of(requester, reference)))
        assert fault.partner_code == "ReferenceUnknown"


def test_a_subscription_refers_to_what_is_offered_for_its_service_type(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    offered = individual()
    provider.publish_offer(offer_of(provider, offered))
    wish = wish_of(requester, offered.id, service_type="EnergyServiceProvision")
    assert market.refused(lambda: requester.publish_subscription(wish)).partner_code == "StateConflict"


def test_a_description_is_published_for_one_service_type(market: Market) -> None:
    provider = market.provider()
    described = individual()
    provider.publish_offer(offer_of(provider, described))
    offer = offer_of(provider, described, service_type="EnergyServiceProvision")
    assert market.refused(lambda: provider.publish_offer(offer)).partner_code == "StateConflict"


def test_a_description_belongs_to_who_published_it_first(market: Market) -> None:
    provider, other = market.provider(), market.provider()
    described = individual()
    provider.publish_offer(offer_of(provider, described))
    for call in (
        lambda: other.publish_description(described),
        lambda: other.publish_offer(offer_of(other, described)),
    ):
        assert market.refused(call).partner_code == "IdentifierTaken"


def test_a_description_stands_once_in_an_offer(market: Market) -> None:
    provider = market.provider()
    described = individual()
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, described, described)))
    assert fault.partner_code == "IdentifierTaken"


@pytest.mark.parametrize("reference", [{"offer": "urn:uuid:1"}, {"subscriptions": ("urn:uuid:1",)}])
def test_what_a_description_refers_to_is_known(market: Market, reference: dict[str, Any]) -> None:
    provider = market.provider()
    for call in (
        lambda: provider.publish_description(individual(**reference)),
        lambda: provider.publish_offer(offer_of(provider, individual(**reference))),
    ):
        assert market.refused(call).partner_code == "ReferenceUnknown"


def test_what_was_read_can_be_published_as_the_next_version(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    described = individual()
    stored = provider.publish_offer(offer_of(provider, described))
    requester.publish_subscription(wish_of(requester, described.id))
    (found,) = requester.find_offers(supplier=provider.registration_id).items
    assert provider.publish_offer(replace(found, version=2)).version == stored.version + 1


def test_an_unknown_description_cannot_be_read(market: Market) -> None:
    requester = market.requester()
    fault = market.refused(lambda: requester.read_description(new_id()))
    assert (fault.partner_code, fault.path) == ("ReferenceUnknown", "ReadServiceDescription/ServiceDescriptionId")

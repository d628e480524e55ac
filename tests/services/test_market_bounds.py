"""What one message may ask the Market Place to compare is bounded, and a party validates what it has seen."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from string import ascii_uppercase

import pytest

from flexiciency.client.market_objects import Criteria, ServiceLocalization
from flexiciency.contract.ids import new_id
from flexiciency.domain.matching import MOST_PLACES
from flexiciency.services.publication import MOST_DETAILS
from flexiciency.services.service_description import MOST_MASKED, MOST_PLACES_NAMED, MOST_PODS_NAMED
from flexiciency.store import market as store_market
from flexiciency.store.transaction import transaction
from tests.services.publishing import Market, individual, offer_of, place, the_only, wish_of

Naming = Callable[[int], ServiceLocalization]


def masked(number: int) -> tuple[str, ...]:
    return tuple(f"AT{each:04}*" for each in range(number))


def test_masked_pods_are_counted(market: Market) -> None:
    provider = market.provider()
    provider.publish_offer(offer_of(provider, individual(localization=place("Masks", pods=masked(MOST_MASKED)))))
    many = place("Masks", pods=masked(MOST_MASKED + 1))
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, individual(localization=many))))
    assert (fault.partner_code, fault.path) == (
        "SchemaInvalid",
        "PublishServiceOffer/MarketPlaceServiceOffer/ServiceDetails/MarketPlaceServiceDescription/Localization",
    )


def test_masked_pods_that_are_looked_for_are_counted(market: Market) -> None:
    criteria = Criteria(localization=place("Masks", pods=masked(MOST_MASKED + 1)))
    provider = market.provider()
    fault = market.refused(lambda: provider.find_offers(criteria))
    assert (fault.partner_code, fault.path) == ("SchemaInvalid", "FindServiceOffers/Criteria/Localization")


def test_service_details_are_counted(market: Market) -> None:
    provider = market.provider()
    provider.publish_offer(offer_of(provider, *[individual(localization=place("Many")) for _ in range(MOST_DETAILS)]))
    fault = market.refused(
        lambda: provider.publish_offer(offer_of(provider, *[individual() for _ in range(MOST_DETAILS + 1)]))
    )
    assert (fault.partner_code, fault.path) == (
        "SchemaInvalid",
        "PublishServiceOffer/MarketPlaceServiceOffer/ServiceDetails",
    )


def named(number: int) -> tuple[str, ...]:
    return tuple(f"Name {each}" for each in range(number))


def places(number: int) -> ServiceLocalization:
    """That many names: Austria, cities and streets."""
    return place("", cities=named(number // 2), streets=named(number - number // 2 - 1))


def pods(number: int) -> ServiceLocalization:
    return place("Pods", pods=tuple(f"AT{each:031}" for each in range(number)))


BOUNDS = [
    pytest.param(places, MOST_PLACES_NAMED, id="countries, cities and streets"),
    pytest.param(pods, MOST_PODS_NAMED, id="PoDs"),
]


@pytest.mark.parametrize(("naming", "most"), BOUNDS)
def test_what_a_description_names_is_counted(market: Market, naming: Naming, most: int) -> None:
    provider = market.provider()
    kept = individual(localization=naming(most))
    assert provider.publish_description(kept).localization == kept.localization
    fault = market.refused(lambda: provider.publish_description(individual(localization=naming(most + 1))))
    assert (fault.partner_code, fault.path) == (
        "SchemaInvalid",
        "PublishServiceDescription/MarketPlaceServiceDescription/Localization",
    )
    assert f"{most + 1:,}" in fault.message
    assert f"{most:,}" in fault.message


@pytest.mark.parametrize(("naming", "most"), BOUNDS)
def test_what_the_descriptions_of_a_publication_name_is_counted_together(
    market: Market, naming: Naming, most: int
) -> None:
    provider, requester = market.provider(), market.requester()
    halves = [individual(localization=naming(most // 2)) for _ in range(2)]
    provider.publish_offer(offer_of(provider, *halves))
    one_more = [halves[0], individual(localization=naming(most // 2 + 1))]
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, *one_more)))
    assert (fault.partner_code, fault.path) == (
        "SchemaInvalid",
        "PublishServiceOffer/MarketPlaceServiceOffer/ServiceDetails",
    )
    theirs = [replace(one, id=new_id()) for one in one_more]
    fault = market.refused(lambda: requester.publish_subscription(wish_of(requester, *theirs)))
    assert fault.path == "PublishServiceSubscription/MarketPlaceServiceSubscription/ServiceDetails"


def test_what_a_publication_refers_to_is_counted_with_it(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    stored = individual(localization=places(MOST_PLACES_NAMED))
    provider.publish_offer(offer_of(provider, stored))
    other = individual(localization=ServiceLocalization(countries=("AT",)))
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, stored.id, other)))
    assert fault.path == "PublishServiceOffer/MarketPlaceServiceOffer/ServiceDetails"
    fault = market.refused(lambda: requester.publish_subscription(wish_of(requester, stored.id, other)))
    assert fault.path == "PublishServiceSubscription/MarketPlaceServiceSubscription/ServiceDetails"
    requester.publish_subscription(wish_of(requester, stored.id))


def test_a_description_cannot_grow_beyond_what_its_publication_may_name(market: Market) -> None:
    provider = market.provider()
    growing, other = individual(localization=places(2)), individual(localization=places(2))
    provider.publish_offer(offer_of(provider, growing, other))
    fault = market.refused(
        lambda: provider.publish_description(replace(growing, localization=places(MOST_PLACES_NAMED - 1)))
    )
    assert (fault.partner_code, fault.path) == (
        "SchemaInvalid",
        "PublishServiceDescription/MarketPlaceServiceDescription/Localization",
    )
    provider.publish_description(replace(growing, localization=places(MOST_PLACES_NAMED - 2)))


@pytest.mark.parametrize(("naming", "most"), BOUNDS)
def test_what_is_looked_for_is_counted(market: Market, naming: Naming, most: int) -> None:
    provider = market.provider()
    assert provider.find_offers(Criteria(localization=naming(most)), supplier=provider.registration_id).items == ()
    fault = market.refused(lambda: provider.find_offers(Criteria(localization=naming(most + 1))))
    assert (fault.partner_code, fault.path) == ("SchemaInvalid", "FindServiceOffers/Criteria/Localization")
    fault = market.refused(lambda: provider.find_descriptions(Criteria(localization=naming(most + 1))))
    assert fault.path == "FindServiceDescriptions/Criteria/Localization"


def test_each_country_with_each_city_is_counted(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    countries = tuple("".join(letters) for letters in product(ascii_uppercase, repeat=2))[:20]
    cities = tuple(f"Square {number}" for number in range(MOST_PLACES // len(countries)))
    most = ServiceLocalization(countries=countries, cities=cities)
    provider.publish_offer(offer_of(provider, individual(localization=most)))
    last = ServiceLocalization(countries=countries[-1:], cities=cities[-1:])
    requester.publish_subscription(wish_of(requester, individual(localization=last)))
    assert the_only(requester).provider == provider.registration_id
    more = replace(most, cities=(*cities, "One more"))
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, individual(localization=more))))
    assert (fault.partner_code, fault.path) == (
        "SchemaInvalid",
        "PublishServiceOffer/MarketPlaceServiceOffer/ServiceDetails/MarketPlaceServiceDescription/Localization/City",
    )


def test_a_change_that_waits_long_for_the_others_is_to_be_sent_again(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_market, "MOST_WAIT", 300)
    provider = market.provider()
    offer = offer_of(provider, individual(localization=place("Busy")))
    with transaction(market.database) as other:
        store_market.lock(other)
        fault = market.refused(lambda: provider.publish_offer(offer))
    assert (fault.partner_code, fault.partner_says_retriable) == ("Unavailable", True)
    assert provider.publish_offer(offer).id == offer.id


def test_a_version_that_is_no_longer_the_latest_cannot_be_validated(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    requester.publish_subscription(wish_of(requester, individual(localization=place("Versions"))))
    provider.publish_offer(offer_of(provider, individual(localization=place("Versions"))))
    seen = the_only(requester)
    provider.publish_offer(offer_of(provider, individual(localization=place("Versions"))))
    fault = market.refused(lambda: requester.validate_b2b_subscription(seen.id, seen.version))
    assert fault.partner_code == "StateConflict"
    latest = the_only(requester)
    assert requester.validate_b2b_subscription(latest.id, latest.version).version == seen.version + 1

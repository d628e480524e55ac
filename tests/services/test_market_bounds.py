"""What one message may ask the Market Place to compare is bounded, and a party validates what it has seen."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from flexiciency.client.market_objects import Criteria
from flexiciency.domain.matching import MOST_PLACES
from flexiciency.services.publication import MOST_DETAILS
from flexiciency.services.service_description import MOST_MASKED
from flexiciency.store.database import Database
from tests.services.publishing import Market, individual, offer_of, place, the_only, wish_of
from tests.world import World


@pytest.fixture(scope="module")
def market(world: World, url: str, database: Database) -> Iterator[Market]:
    with ExitStack() as clients:
        yield Market(world, url, database, clients)


def masked(number: int) -> tuple[str, ...]:
    return tuple(f"AT{each:04}*" for each in range(number))


def test_masked_pods_are_counted(market: Market) -> None:
    provider = market.provider()
    provider.publish_offer(offer_of(provider, individual(localization=place("Masks", pods=masked(MOST_MASKED)))))
    many = place("Masks", pods=masked(MOST_MASKED + 1))
    fault = market.refused(lambda: provider.publish_offer(offer_of(provider, individual(localization=many))))
    assert (fault.partner_code, fault.path) == (
        "SchemaInvalid",
        "PublishServiceOffer/MarketPlaceServiceOffer/ServiceDetails/MarketPlaceServiceDescription/Localization/PoD",
    )


def test_masked_pods_that_are_looked_for_are_counted(market: Market) -> None:
    criteria = Criteria(localization=place("Masks", pods=masked(MOST_MASKED + 1)))
    provider = market.provider()
    fault = market.refused(lambda: provider.find_offers(criteria))
    assert (fault.partner_code, fault.path) == ("SchemaInvalid", "FindServiceOffers/Criteria/Localization/PoD")


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


def test_a_service_in_more_cities_than_are_indexed_is_matched_all_the_same(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    cities = tuple(f"City {number}" for number in range(MOST_PLACES + 1))
    provider.publish_offer(offer_of(provider, individual(localization=place("Countless", cities=cities))))
    requester.publish_subscription(wish_of(requester, individual(localization=place(cities[-1]))))
    assert the_only(requester).provider == provider.registration_id


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

"""MKP-SRV-OFF, MKP-SRV-SUB and MKP-SRV-DES found over HTTP: by each criterion, page by page, of Active parties."""

from dataclasses import replace
from functools import partial

import pytest

from flexiciency.client.market_objects import Criteria, ServiceLocalization
from flexiciency.client.market_place import MarketPlace, pages
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.services import publication_find
from flexiciency.services.replies import MARKET_PLACE
from tests.gateway import market_place_of
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
from tests.world import World, status_of

FOUND = aggregated(localization=place("Criteria", streets=("Hauptplatz",), pods=("AT003*",)), period=SPRING)
CRITERIA = [
    (Criteria(aggregation_level="City"), Criteria(aggregation_level="Street")),
    (Criteria(aggregation_method="Sum"), Criteria(aggregation_method="Mean")),
    (Criteria(quantity=Quantity.ENERGY_CONSUMPTION), Criteria(quantity=Quantity.POWER)),
    (Criteria(period=YEAR), Criteria(period=(SPRING[1], YEAR[1]))),
    (Criteria(time_step=TimeStep.PT1H), Criteria(time_step=TimeStep.PT15M)),
    (Criteria(customer_consent_mandatory=True), Criteria(customer_consent_mandatory=False)),
    (Criteria(localization=place("criteria")), Criteria(localization=place("Elsewhere"))),
    (
        Criteria(localization=ServiceLocalization(countries=("AT",))),
        Criteria(localization=ServiceLocalization(countries=("DE",))),
    ),
    (
        Criteria(localization=ServiceLocalization(streets=("HAUPTPLATZ",))),
        Criteria(localization=ServiceLocalization(streets=("Landstraße",))),
    ),
    (
        Criteria(localization=ServiceLocalization(pods=("AT0035",))),
        Criteria(localization=ServiceLocalization(pods=("AT0040",))),
    ),
]


@pytest.fixture(scope="module")
def aggregating(market: Market) -> tuple[MarketPlace, MarketPlace]:
    """A provider and a requester who offer and want the same."""
    provider, requester = market.provider(), market.requester()
    provider.publish_offer(offer_of(provider, FOUND, service_type="AggregatedDataProvision"))
    wanted = replace(FOUND, id=new_id())
    requester.publish_subscription(wish_of(requester, wanted, service_type="AggregatedDataProvision"))
    return provider, requester


@pytest.mark.parametrize("named", [True, False], ids=["of a party", "of all"])
@pytest.mark.parametrize(("meets", "misses"), CRITERIA, ids=lambda one: str(one)[:40])
def test_each_criterion_finds_what_meets_it_and_nothing_else(
    aggregating: tuple[MarketPlace, MarketPlace], meets: Criteria, misses: Criteria, *, named: bool
) -> None:
    provider, requester = aggregating
    for criteria, found in ((meets, True), (misses, False)):
        offers = provider.find_offers(criteria, supplier=provider.registration_id if named else None).items
        wishes = provider.find_subscriptions(criteria, requester=requester.registration_id if named else None).items
        assert (provider.registration_id in {one.supplier for one in offers}) == found
        assert (requester.registration_id in {one.requester for one in wishes}) == found


@pytest.mark.parametrize("few", [0, publication_find.FEW], ids=["read by id", "looked up by key"])
@pytest.mark.parametrize(("meets", "misses"), CRITERIA, ids=lambda one: str(one)[:40])
def test_each_criterion_finds_descriptions(
    aggregating: tuple[MarketPlace, MarketPlace], meets: Criteria, misses: Criteria, few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    provider, _ = aggregating
    monkeypatch.setattr(publication_find, "FEW", few)
    assert FOUND.id in {one.id for one in provider.find_descriptions(meets).items}
    assert FOUND.id not in {one.id for one in provider.find_descriptions(misses).items}


@pytest.mark.parametrize("named", [True, False], ids=["of a party", "of all"])
def test_the_service_type_is_a_criterion(aggregating: tuple[MarketPlace, MarketPlace], *, named: bool) -> None:
    provider, _ = aggregating
    supplier = provider.registration_id if named else None
    for service_type, found in (("AggregatedDataProvision", True), ("IndividualDataProvision", False)):
        offers = provider.find_offers(service_type=service_type, supplier=supplier).items  # type: ignore[arg-type]
        assert (provider.registration_id in {one.supplier for one in offers}) == found


def test_one_description_must_meet_all_criteria(market: Market) -> None:
    provider = market.provider()
    consumption = individual(localization=place("Here"))
    generation = individual(localization=place("There"), quantity=Quantity.ENERGY_GENERATION)
    provider.publish_offer(offer_of(provider, consumption, generation))
    for city, number in (("Here", 1), ("There", 0)):
        assert len(provider.find_offers(consumption_in(city)).items) == number


def test_a_period_asked_for_is_the_right_way_round(market: Market) -> None:
    requester = market.requester()
    criteria = Criteria(period=(YEAR[1], YEAR[0]))
    for find in (requester.find_offers, requester.find_subscriptions, requester.find_descriptions):
        fault = market.refused(partial(find, criteria))
        assert (fault.partner_code, (fault.path or "").partition("/")[2]) == ("SchemaInvalid", "Criteria/Period/End")


@pytest.mark.parametrize(
    "name",
    ["FindServiceOffers", "FindServiceSubscriptions", "FindServiceDescriptions", "FindB2BServiceSubscriptions"],
)
def test_a_page_of_10_000_is_refused(world: World, url: str, name: str) -> None:
    fault = market_place_of(world, url).refused(getattr(MARKET_PLACE, name)(PageSize=10_000))
    assert (fault.partner_code, fault.path) == ("SchemaInvalid", f"{name}/PageSize")


def test_pages_hold_everything_once_and_in_order(market: Market) -> None:
    provider = market.provider()
    offers = [offer_of(provider, individual(localization=place("Paged")), individual()) for _ in range(5)]
    for offer in offers:
        provider.publish_offer(offer)
    expected, here = sorted(offer.id for offer in offers), consumption_in("Paged")
    for find in (
        lambda cursor: provider.find_offers(here, page_size=2, cursor=cursor),
        lambda cursor: provider.find_offers(supplier=provider.registration_id, page_size=2, cursor=cursor),
    ):
        found = [[one.id for one in page.items] for page in pages(find)]
        assert found == [expected[:2], expected[2:4], expected[4:]]


@pytest.mark.parametrize("few", [0, publication_find.FEW], ids=["read by id", "looked up by key"])
def test_pages_of_descriptions_hold_each_once_and_in_order(
    market: Market, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication_find, "FEW", few)
    provider, city = market.provider(), f"Described {few}"
    held = [individual(localization=place(city)) for _ in range(3)]
    provider.publish_offer(offer_of(provider, *held))
    provider.publish_offer(offer_of(provider, *(one.id for one in held)))
    alone = [individual(localization=place(city)) for _ in range(2)]
    for one in alone:
        provider.publish_description(one)
    expected, here = sorted(one.id for one in held + alone), consumption_in(city)
    described = pages(lambda cursor: provider.find_descriptions(here, page_size=2, cursor=cursor))
    assert [[one.id for one in page.items] for page in described] == [expected[:2], expected[2:4], expected[4:]]


def test_pages_of_everything_hold_each_offer_once(market: Market) -> None:
    provider = market.provider()
    found = [
        one.id for page in pages(lambda cursor: provider.find_offers(page_size=7, cursor=cursor)) for one in page.items
    ]
    assert found == sorted(set(found))
    assert set(found) == {one.id for one in provider.find_offers(page_size=1000).items}


def test_a_page_is_filled_however_few_apply_at_the_place(market: Market) -> None:
    provider = market.provider()
    pods = [f"DE00{number:04d}" for number in range(40)]
    for pod in pods:
        localization = place("Sparse", pods=(pod,))
        provider.publish_offer(offer_of(provider, individual(localization=localization), individual(period=SPRING)))
    wanted = consumption_in("Sparse", pods=(pods[7], pods[23], pods[39]))
    first = provider.find_offers(wanted, page_size=2)
    rest = provider.find_offers(wanted, page_size=2, cursor=first.next_cursor)
    assert (len(first.items), len(rest.items), rest.next_cursor) == (2, 1, None)


def test_many_places_can_be_asked_for_at_once(market: Market) -> None:
    provider = market.provider()
    provider.publish_offer(offer_of(provider, individual(localization=place("Place 7"))))
    places = [f"Place {number}" for number in range(2 * publication_find.MOST_PLACES)]
    for cities, number in ((places, 1), (places[8:], 0)):
        assert len(provider.find_offers(consumption_in("", cities=tuple(cities))).items) == number


def test_only_active_registrations_are_found(market: Market) -> None:
    provider, requester = market.provider(), market.requester()
    provider.publish_offer(offer_of(provider, individual(localization=place("Quiet"))))
    here = consumption_in("Quiet")
    with status_of(market.database, provider.registration_id, "Suspended"):
        assert requester.find_offers(here).items == ()
        assert requester.find_offers(supplier=provider.registration_id).items == ()
        assert requester.find_descriptions(here).items == ()
    assert len(requester.find_offers(here).items) == 1


def test_a_description_is_found_as_long_as_it_is_published(market: Market) -> None:
    provider = market.provider()
    offer = offer_of(provider, individual(localization=place("Brief")))
    provider.publish_offer(offer)
    here = consumption_in("Brief")
    assert len(provider.find_descriptions(here).items) == 1
    provider.withdraw_offer(offer.id)
    assert provider.find_descriptions(here).items == ()

"""Matching at the Market Place over HTTP: offers and subscriptions become B2B-SRV-SUB, whoever comes first."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import text

from flexiciency.client.market_objects import B2BSubscription, ServiceDescription
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.registration import Move
from flexiciency.errors import ReferenceUnknown
from flexiciency.services.matching import Matching, why
from flexiciency.store import market as store_market
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.services.enrolling import operate
from tests.services.publishing import SPRING, YEAR, Market, individual, matched, offer_of, place, the_only, wish_of
from tests.world import status_of


@pytest.fixture
def city() -> str:
    """A city that no other test knows."""
    return f"City {new_id()}"


def in_city(city: str, **changes: object) -> ServiceDescription:
    return individual(**({"localization": place(city)} | changes))


@pytest.mark.parametrize("offered_first", [True, False])
def test_an_offer_and_a_subscription_that_match_are_proposed_to_both(
    market: Market, city: str, *, offered_first: bool
) -> None:
    provider, requester = market.provider(), market.requester()
    offer = offer_of(provider, in_city(city, short_description="Load curves", usage_details="Ask the customer."))
    wish = wish_of(requester, in_city(city.upper(), time_step=TimeStep.PT1H, period=SPRING))
    publish: list[Callable[[], object]] = [
        lambda: provider.publish_offer(offer),
        lambda: requester.publish_subscription(wish),
    ]
    for call in publish if offered_first else reversed(publish):
        call()
    (offered,) = offer.details
    assert isinstance(offered, ServiceDescription)
    proposed = the_only(requester)
    assert proposed == the_only(provider)
    assert proposed == B2BSubscription(
        id=proposed.id, validated_at=None, provider=provider.registration_id, requester=requester.registration_id,
        data_details="Load curves", processing_details="Ask the customer.", descriptions=(offered.id,),
        offers=(offer.id,), subscriptions=(wish.id,), status="Proposed", version=1,
    )  # fmt: skip


def test_both_are_told_in_their_mailboxes(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    provider.publish_offer(offer_of(provider, in_city(city)))
    requester.publish_subscription(wish_of(requester, in_city(city)))
    for party in (provider, requester):
        mailbox = party.peek_mailbox()
        assert mailbox.waiting == 1
        assert mailbox.item is not None
        assert mailbox.item.content == the_only(party)
        assert mailbox.item.action == "urn:flexiciency:market-player:1:ReceiveB2BServiceSubscription"
        party.confirm_mailbox(mailbox.item.message_id)
        assert party.peek_mailbox().waiting == 0


@pytest.mark.parametrize(
    "unlike",
    [
        {"time_step": TimeStep.PT10M},
        {"quantity": Quantity.POWER},
        {"period": (YEAR[1], datetime(2027, 1, 1, tzinfo=UTC))},
        {"localization": place("Elsewhere")},
    ],
    ids=lambda unlike: next(iter(unlike)),
)
def test_what_does_not_match_is_not_proposed(market: Market, city: str, unlike: dict[str, object]) -> None:
    provider, requester = market.provider(), market.requester()
    provider.publish_offer(offer_of(provider, in_city(city)))
    requester.publish_subscription(wish_of(requester, in_city(city, **unlike)))
    assert matched(requester) == []


def test_all_matches_of_two_parties_are_gathered(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    first, second = in_city(city, short_description="B"), in_city(city, short_description="A", usage_details="Later.")
    offers = [offer_of(provider, first), offer_of(provider, second)]
    provider.publish_offer(offers[0])
    wish = wish_of(requester, in_city(city))
    requester.publish_subscription(wish)
    before = the_only(requester)
    provider.publish_offer(offers[1])
    after = the_only(requester)
    assert (after.id, before.version, after.version) == (before.id, 1, 2)
    assert after.data_details == "A; B"
    assert after.descriptions == tuple(sorted((first.id, second.id)))
    assert after.offers == tuple(sorted(offer.id for offer in offers))


def test_texts_are_cut_to_what_the_contract_holds(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    details = [in_city(city, short_description=letter * 4000, usage_details=letter * 3) for letter in "äb"]
    provider.publish_offer(offer_of(provider, *details))
    requester.publish_subscription(wish_of(requester, in_city(city)))
    proposed = the_only(requester)
    assert proposed.data_details == "b" * 4000
    assert proposed.processing_details == "bbb; äää"


def test_a_reference_matches_that_description_only(market: Market, city: str) -> None:
    provider, other, requester = market.provider(), market.provider(), market.requester()
    referred, alike = in_city(city), in_city(city)
    offer = offer_of(provider, referred, alike)
    provider.publish_offer(offer)
    other.publish_offer(offer_of(other, in_city(city)))
    requester.publish_subscription(wish_of(requester, referred.id))
    assert the_only(requester).descriptions == (referred.id,)
    another = offer_of(provider, referred.id)
    provider.publish_offer(another)
    assert the_only(requester).offers == tuple(sorted((offer.id, another.id)))


def test_a_suspended_registration_is_matched_once_it_is_active_again(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    provider.publish_offer(offer_of(provider, in_city(city)))
    operate(market.database, provider.registration_id, Move.SUSPEND)
    requester.publish_subscription(wish_of(requester, in_city(city)))
    assert matched(requester) == []
    operate(market.database, provider.registration_id, Move.REACTIVATE)
    assert the_only(requester).status == "Proposed"


def test_matching_again_changes_nothing(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    provider.publish_offer(offer_of(provider, in_city(city), in_city(city)))
    requester.publish_subscription(wish_of(requester, in_city(city)))
    before = the_only(requester)
    with transaction(market.database) as tx:
        store_market.lock(tx)
        Matching(Outbox()).match_party(tx, requester.registration_id, datetime.now(UTC))
    assert the_only(requester) == before
    assert requester.peek_mailbox().waiting == 1


def test_a_suspended_partner_keeps_what_was_proposed(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    provider.publish_offer(offer_of(provider, in_city(city)))
    wish = wish_of(requester, in_city(city))
    requester.publish_subscription(wish)
    with status_of(market.database, provider.registration_id, "Suspended"):
        requester.publish_subscription(replace(wish, version=2))
    assert (the_only(requester).status, the_only(requester).version) == ("Proposed", 1)


def test_what_is_withdrawn_leaves_the_proposal(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    offers = [offer_of(provider, in_city(city)) for _ in range(2)]
    for offer in offers:
        provider.publish_offer(offer)
    requester.publish_subscription(wish_of(requester, in_city(city)))
    provider.withdraw_offer(offers[0].id)
    left = the_only(requester)
    assert (left.status, left.version, left.offers) == ("Proposed", 2, (offers[1].id,))
    provider.withdraw_offer(offers[1].id)
    assert (the_only(requester).status, the_only(requester).version) == ("Declined", 3)


def test_what_is_changed_leaves_the_proposal_or_joins_it(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    offer, wish = offer_of(provider, in_city(city)), wish_of(requester, in_city(city))
    provider.publish_offer(offer)
    requester.publish_subscription(wish)
    provider.publish_offer(replace(offer, version=2, details=(in_city(f"Not {city}"),)))
    assert the_only(requester).status == "Declined"
    again = in_city(city)
    provider.publish_offer(replace(offer, version=3, details=(again,)))
    assert the_only(requester, "Proposed").descriptions == (again.id,)


def test_a_new_version_that_still_matches_changes_nothing_for_the_parties(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    offer, wish = offer_of(provider, in_city(city)), wish_of(requester, in_city(city))
    provider.publish_offer(offer)
    requester.publish_subscription(wish)
    provider.validate_b2b_subscription(the_only(provider).id)
    provider.publish_offer(replace(offer, version=2))
    validated = requester.validate_b2b_subscription(the_only(requester).id)
    assert (validated.status, validated.version) == ("Validated", 1)


def test_a_description_changed_alone_is_matched_anew(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    described = in_city(f"Not {city}")
    provider.publish_offer(offer_of(provider, described))
    wanted = in_city(city)
    requester.publish_subscription(wish_of(requester, wanted))
    assert matched(requester) == []
    provider.publish_description(replace(described, localization=place(city)))
    assert the_only(requester).descriptions == (described.id,)
    requester.publish_description(replace(wanted, localization=place(f"Not {city}")))
    assert the_only(requester).status == "Declined"


def test_a_description_in_use_stays_as_it_is(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    described = in_city(city)
    offer = offer_of(provider, described)
    provider.publish_offer(offer)
    requester.publish_subscription(wish_of(requester, in_city(city)))
    changed = replace(described, usage_details="Something else.")
    for call in (
        lambda: provider.publish_description(changed),
        lambda: provider.publish_offer(replace(offer, version=2, details=(changed,))),
    ):
        assert market.refused(call).partner_code == "StateConflict"
    assert provider.publish_description(described) == provider.read_description(described.id)
    provider.decline_b2b_subscription(the_only(provider).id)
    assert provider.publish_description(changed).usage_details == "Something else."


def test_a_withdrawn_registration_leaves_nothing_proposed(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    offer = offer_of(provider, in_city(city))
    provider.publish_offer(offer)
    requester.publish_subscription(wish_of(requester, in_city(city)))
    operate(market.database, provider.registration_id, Move.WITHDRAW)
    assert the_only(requester).status == "Declined"
    assert requester.find_offers(supplier=provider.registration_id).items == ()


def test_why_tells_each_attribute_of_each_two_descriptions(market: Market, city: str) -> None:
    provider, requester = market.provider(), market.requester()
    offer = offer_of(provider, in_city(city), in_city(f"Not {city}"))
    wish = wish_of(requester, in_city(city))
    provider.publish_offer(offer)
    requester.publish_subscription(wish)
    with transaction(market.database) as tx:
        here, elsewhere = why(tx, offer.id, wish.id)
    assert here.fits
    assert [finding.attribute for finding in elsewhere.findings if not finding.fits] == ["Localization/City"]


def test_why_needs_an_offer_and_a_subscription(market: Market) -> None:
    provider = market.provider()
    offer = offer_of(provider)
    provider.publish_offer(offer)
    for offer_id, subscription_id in ((offer.id, offer.id), (new_id(), offer.id)):
        with transaction(market.database) as tx, pytest.raises(ReferenceUnknown):
            why(tx, offer_id, subscription_id)


def test_what_is_published_at_once_is_paired_exactly_once(market: Market, city: str) -> None:
    providers, requesters = [market.provider() for _ in range(4)], [market.requester() for _ in range(4)]
    calls: list[Callable[[], object]] = []
    for provider in providers:
        offers = [offer_of(provider, in_city(city)) for _ in range(3)]
        calls += [partial(provider.publish_offer, offer) for offer in offers]
    for requester in requesters:
        wishes = [wish_of(requester, in_city(city)) for _ in range(3)]
        calls += [partial(requester.publish_subscription, wish) for wish in wishes]
    half = len(calls) // 2
    mixed = [call for both in zip(calls[:half], calls[half:], strict=True) for call in both]
    with ThreadPoolExecutor(4) as pool:
        for answer in [pool.submit(call) for call in mixed]:
            answer.result()
    assert set(_pairings(market.database, city).values()) == {1}
    assert len(_pairings(market.database, city)) == 12 * 12
    for requester in requesters:
        assert Counter(one.provider for one in matched(requester)) == {p.registration_id: 1 for p in providers}


def _pairings(database: Database, city: str) -> Counter[tuple[str, ...]]:
    """How often each offer and subscription about a city were paired."""
    query = text(
        "SELECT m.offer_id, m.offered_id, m.subscription_id, m.wanted_id FROM b2b_service_subscription_match m "
        "JOIN service_description d ON d.id = m.offered_id WHERE d.localization -> 'City' ? :city"
    )
    with database.begin() as connection:
        return Counter(tuple(row) for row in connection.execute(query, {"city": city}))

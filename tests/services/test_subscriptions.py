"""B2B-SRV-SUB over HTTP: found, read, validated and declined by its two parties."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from flexiciency.client.market_objects import B2BSubscription, ServiceOffer, ServiceSubscription
from flexiciency.client.market_place import MarketPlace, pages
from flexiciency.contract.ids import new_id
from tests.services.publishing import Market, individual, matched, offer_of, place, the_only, wish_of


class Matched:
    """Two parties with an offer and a subscription that match."""

    def __init__(self, market: Market, provider: MarketPlace | None = None) -> None:
        self.city = f"City {new_id()}"
        self.provider, self.requester = provider or market.provider(), market.requester()
        self.offer: ServiceOffer = offer_of(self.provider, individual(localization=place(self.city)))
        self.wish: ServiceSubscription = wish_of(self.requester, individual(localization=place(self.city)))
        self.provider.publish_offer(self.offer)
        self.requester.publish_subscription(self.wish)
        self.id = the_only(self.requester).id

    def offer_more(self) -> None:
        """One more match."""
        self.provider.publish_offer(offer_of(self.provider, individual(localization=place(self.city))))

    def validate(self) -> B2BSubscription:
        """By both."""
        self.provider.validate_b2b_subscription(self.id)
        return self.requester.validate_b2b_subscription(self.id)


def mailbox(party: MarketPlace) -> list[object]:
    """All that waits for a party, which takes it."""
    taken: list[object] = []
    while (item := party.peek_mailbox().item) is not None:
        taken.append(item.content)
        party.confirm_mailbox(item.message_id)
    return taken


def test_it_is_validated_when_both_parties_have(market: Market) -> None:
    two = Matched(market)
    first = two.provider.validate_b2b_subscription(two.id)
    assert (first.status, first.validated_at) == ("Proposed", None)
    second = two.requester.validate_b2b_subscription(two.id)
    assert second.status == "Validated"
    assert second.validated_at is not None
    assert two.provider.read_b2b_subscription(two.id) == second


def test_both_parties_are_told_of_each_move(market: Market) -> None:
    two = Matched(market)
    proposed = the_only(two.provider)
    two.provider.validate_b2b_subscription(two.id)
    validated = two.requester.validate_b2b_subscription(two.id)
    for party in (two.provider, two.requester):
        assert mailbox(party) == [proposed, proposed, validated]
        changes = party.directory_changes(page_size=1000).changes
        assert validated in changes


def test_validating_twice_changes_nothing(market: Market) -> None:
    two = Matched(market)
    two.provider.validate_b2b_subscription(two.id)
    assert two.provider.validate_b2b_subscription(two.id).status == "Proposed"
    validated = two.requester.validate_b2b_subscription(two.id)
    assert two.requester.validate_b2b_subscription(two.id) == validated
    assert len(mailbox(two.requester)) == 3


@pytest.mark.parametrize("party", ["provider", "requester"])
def test_either_party_declines_and_both_are_told(market: Market, party: str) -> None:
    two = Matched(market)
    two.provider.validate_b2b_subscription(two.id)
    declined = getattr(two, party).decline_b2b_subscription(two.id)
    assert (declined.status, declined.validated_at) == ("Declined", None)
    assert mailbox(two.provider)[-1] == mailbox(two.requester)[-1] == declined


def test_what_was_declined_or_validated_is_declined_no_more(market: Market) -> None:
    declined, validated = Matched(market), Matched(market)
    declined.requester.decline_b2b_subscription(declined.id)
    validated.validate()
    calls: list[Callable[[], object]] = [
        lambda: declined.provider.validate_b2b_subscription(declined.id),
        lambda: declined.provider.decline_b2b_subscription(declined.id),
        lambda: validated.provider.decline_b2b_subscription(validated.id),
    ]
    for call in calls:
        fault = market.refused(call)
        assert fault.partner_code == "StateConflict"
        assert (fault.path or "").endswith("/B2BServiceSubscriptionId")


def test_a_new_match_voids_the_validations_so_far(market: Market) -> None:
    two = Matched(market)
    two.provider.validate_b2b_subscription(two.id)
    two.offer_more()
    assert two.requester.validate_b2b_subscription(two.id).status == "Proposed"
    assert two.provider.validate_b2b_subscription(two.id).status == "Validated"


def test_a_match_after_validation_opens_another(market: Market) -> None:
    two = Matched(market)
    validated = two.validate()
    two.offer_more()
    assert the_only(two.requester, "Validated") == validated
    another = the_only(two.requester, "Proposed")
    assert (another.version, set(another.offers) & {two.offer.id}) == (1, set())


def test_what_was_declined_is_proposed_again_in_a_newer_version_only(market: Market) -> None:
    two = Matched(market)
    two.requester.decline_b2b_subscription(two.id)
    two.offer_more()
    assert two.offer.id not in the_only(two.requester, "Proposed").offers
    two.provider.publish_offer(replace(two.offer, version=2))
    assert two.offer.id in the_only(two.requester, "Proposed").offers


def test_what_is_validated_stays_when_the_offer_goes(market: Market) -> None:
    two = Matched(market)
    validated = two.validate()
    two.provider.withdraw_offer(two.offer.id)
    two.requester.withdraw_subscription(two.wish.id)
    assert the_only(two.requester) == validated


def test_others_do_not_see_it(market: Market) -> None:
    two, other = Matched(market), market.requester()
    assert matched(other) == []
    for call in (other.read_b2b_subscription, other.validate_b2b_subscription, other.decline_b2b_subscription):
        for identifier in (two.id, new_id()):
            fault = market.refused(partial(call, identifier))
            assert fault.partner_code == "ReferenceUnknown"
    assert the_only(two.requester).status == "Proposed"


def test_it_is_found_by_every_criterion_page_by_page(market: Market) -> None:
    provider = market.provider()
    pairs = [Matched(market, provider) for _ in range(3)]
    pairs[0].validate()
    expected = sorted(two.id for two in pairs)
    found = pages(lambda cursor: provider.find_b2b_subscriptions(page_size=2, cursor=cursor))
    assert [[one.id for one in page.items] for page in found] == [expected[:2], expected[2:]]
    assert [one.id for one in matched(provider, "Validated")] == [pairs[0].id]
    of_requester = provider.find_b2b_subscriptions(requester=pairs[1].requester.registration_id)
    assert [one.id for one in of_requester.items] == [pairs[1].id]
    assert provider.find_b2b_subscriptions(provider=new_id()).items == ()

"""Matching against a slow reading of the rule, its index against the rule, and both in every order of arrival."""

import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from flexiciency.domain.matching import (
    Description,
    Localization,
    Offer,
    Pairing,
    Subscription,
    Wanted,
    compare,
    lookup_keys,
    matches,
    pairings,
    search_keys,
)
from flexiciency.domain.subscription import State, gathered

PODS = ["".join(letters) for length in range(1, 7) for letters in product("AB", repeat=length)]
"""Enough PoDs that two masks of three characters from AB*? have one in common here, if they have one at all."""


def reference(offered: Description, wanted: Wanted) -> bool:
    """The rule, sentence by sentence, by trying days, multiples and PoDs one by one."""
    other = wanted.description
    if wanted.by_reference and other.id != offered.id:
        return False
    for attribute in ("service_type", "aggregation_level", "aggregation_method", "quantity"):
        if getattr(offered, attribute) != getattr(other, attribute):
            return False
    if other.time_step and not (offered.time_step and other.time_step in multiples(offered.time_step)):
        return False
    if offered.period and other.period and not set(days(offered.period)) & set(days(other.period)):
        return False
    here, there = offered.localization, other.localization
    return here is None or there is None or all(
        not mine or not theirs or any(fit(one, another) for one in mine for another in theirs)
        for mine, theirs, fit in (
            (here.countries, there.countries, same_name),
            (here.cities, there.cities, same_name),
            (here.streets, there.streets, same_name),
            (here.pods, there.pods, lambda one, another: bool(stands_for(one) & stands_for(another))),
        )
    )  # fmt: skip


def multiples(step: int) -> range:
    return range(step, 86401, step)


def days(period: tuple[datetime, datetime]) -> list[datetime]:
    return [period[0] + timedelta(days=i) for i in range((period[1] - period[0]).days)]


def same_name(one: str, another: str) -> bool:
    return one.upper() == another.upper()


@cache
def stands_for(mask: str) -> frozenset[str]:
    expression = re.compile(mask.replace("?", ".").replace("*", ".*"))
    return frozenset(pod for pod in PODS if expression.fullmatch(pod))


def some(names: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), max_size=2).map(tuple)


days_of_a_week = st.integers(0, 7).map(lambda day: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day))
periods = st.tuples(days_of_a_week, days_of_a_week).filter(lambda period: period[0] < period[1])
localizations = st.builds(
    Localization,
    countries=some(["AT", "DE", "IT"]),
    cities=some(["Wien", "WIEN", "Αθήνας", "ΑΘΉΝΑΣ", "+", "*", "a|b"]),
    streets=some(["Ring", "Hauptstraße", "HAUPTSTRASSE"]),
    pods=st.lists(st.text("AB*?", min_size=1, max_size=3), max_size=2).map(tuple),
)
descriptions = st.builds(
    Description,
    id=st.sampled_from(["urn:1", "urn:2", "urn:3"]),
    service_type=st.sampled_from(["IndividualDataProvision", "AggregatedDataProvision"]),
    aggregation_level=st.sampled_from([None, "None", "City"]),
    aggregation_method=st.sampled_from([None, "Sum"]),
    quantity=st.sampled_from([None, "Power"]),
    time_step=st.sampled_from([None, 600, 900, 1800, 3600, 86400]),
    period=st.none() | periods,
    localization=st.none() | localizations,
)
ALIKE = ("service_type", "aggregation_level", "aggregation_method", "quantity")


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Description, Description]:
    """Two descriptions, often alike in what must be equal, so that the rest of the rule decides."""
    one, other = draw(descriptions), draw(descriptions)
    if draw(st.integers(0, 3)):
        other = replace(other, **{attribute: getattr(one, attribute) for attribute in ALIKE})
    return one, other


@settings(max_examples=300)
@given(pair=pairs(), by_reference=st.booleans())
def test_matching_is_the_rule_read_slowly(pair: tuple[Description, Description], *, by_reference: bool) -> None:
    offered, wanted = pair[0], Wanted(pair[1], by_reference)
    expected = reference(offered, wanted)
    assert matches(offered, wanted) is expected
    assert all(finding.fits for finding in compare(offered, wanted)) is expected


@settings(max_examples=300)
@given(one=st.text("AB*?", min_size=1, max_size=3), other=st.text("AB*?", min_size=1, max_size=3))
def test_masks_overlap_where_they_have_a_pod_in_common(one: str, other: str) -> None:
    at = Description("urn:1", "EnergyServiceProvision", None, None, None, None, None, Localization(pods=(one,)))
    wanted = Wanted(replace(at, localization=Localization(pods=(other,))), by_reference=False)
    assert matches(at, wanted) is bool(stands_for(one) & stands_for(other))


@settings(max_examples=300)
@given(pair=pairs())
def test_the_index_loses_no_match_whichever_side_is_looked_up(pair: tuple[Description, Description]) -> None:
    offered, wanted = pair
    if matches(offered, Wanted(wanted, by_reference=False)):
        assert lookup_keys(wanted) & search_keys(offered)
        assert lookup_keys(offered) & search_keys(wanted)


class MarketPlace:
    """What is published, and the B2B-SRV-SUBs that come of it, matched as each arrives."""

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.states: defaultdict[tuple[str, str], list[State]] = defaultdict(list)

    def publish(self, arrived: Offer | Subscription) -> None:
        if isinstance(arrived, Offer):
            self.offers[arrived.id] = arrived
            for subscription in self.subscriptions.values():
                self.match(arrived, subscription)
        else:
            self.subscriptions[arrived.id] = arrived
            for offer in self.offers.values():
                self.match(offer, arrived)

    def match(self, offer: Offer, subscription: Subscription) -> None:
        states = self.states[offer.supplier_id, subscription.requester_id]
        state = gathered(states, pairings(offer, subscription), f"urn:b2b:{len(states)}")
        if state is not None:
            states[:] = [one for one in states if one.id != state.id] + [state]

    def proposed(self) -> dict[tuple[str, str], list[frozenset[Pairing]]]:
        return {pair: [state.pairings for state in states] for pair, states in self.states.items() if states}


@st.composite
def publications(draw: st.DrawFn) -> list[Offer | Subscription]:
    """Offers and subscriptions of a few parties, whose descriptions are often alike."""
    common = draw(descriptions)
    alike = descriptions.map(lambda one: replace(one, **{name: getattr(common, name) for name in ALIKE}))
    details = st.lists(alike, min_size=1, max_size=2, unique_by=lambda one: one.id).map(tuple)
    wanted = details.flatmap(
        lambda chosen: st.booleans().map(lambda by: tuple(Wanted(one, by_reference=by) for one in chosen))
    )
    offers = draw(st.lists(st.tuples(st.sampled_from("PQ"), details), max_size=3))
    subscriptions = draw(st.lists(st.tuples(st.sampled_from("PRS"), wanted), max_size=3))
    return [
        *(Offer(f"urn:offer:{i}", 1, supplier, chosen) for i, (supplier, chosen) in enumerate(offers)),
        *(Subscription(f"urn:sub:{i}", 1, requester, chosen) for i, (requester, chosen) in enumerate(subscriptions)),
    ]


@settings(max_examples=100)
@given(data=st.data(), published=publications())
def test_every_order_of_arrival_gives_the_same_and_arriving_again_changes_nothing(
    data: st.DataObject, published: list[Offer | Subscription]
) -> None:
    first, other = MarketPlace(), MarketPlace()
    for arrived in published:
        first.publish(arrived)
    for arrived in data.draw(st.permutations(published)):
        other.publish(arrived)
    assert first.proposed() == other.proposed()
    assert all(len(states) == 1 for states in first.proposed().values())
    before = {pair: list(states) for pair, states in other.states.items()}
    for arrived in data.draw(st.permutations(published)):
        other.publish(arrived)
    assert other.states == before


@settings(max_examples=100)
@given(published=publications())
def test_what_is_gathered_is_what_the_rule_read_slowly_finds(published: list[Offer | Subscription]) -> None:
    market = MarketPlace()
    for arrived in published:
        market.publish(arrived)
    expected = {
        (offer.id, offered.id, subscription.id, wanted.description.id)
        for offer in published if isinstance(offer, Offer)
        for subscription in published if isinstance(subscription, Subscription)
        if offer.supplier_id != subscription.requester_id
        for offered in offer.descriptions
        for wanted in subscription.wanted
        if reference(offered, wanted)
    }  # fmt: skip
    found = [pairing.identity for sets in market.proposed().values() for pairing in frozenset().union(*sets)]
    assert set(found) == expected
    assert len(found) == len(expected)

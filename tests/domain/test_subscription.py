from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flexiciency.domain.matching import Pairing
from flexiciency.domain.subscription import (
    State,
    SubscriptionMoveRefused,
    SubscriptionStatus,
    declined,
    gathered,
    reduced,
    validated,
)
from tests.contract.published import XS, xsd

PROPOSED, VALIDATED = SubscriptionStatus.PROPOSED, SubscriptionStatus.VALIDATED
DECLINED, ENDED = SubscriptionStatus.DECLINED, SubscriptionStatus.ENDED
Identity = tuple[str, str, str, str]
DSO, ESCO = "urn:dso", "urn:esco"
PARTIES = frozenset({DSO, ESCO})


def pairing(wanted: str, *, offer_version: int = 1, subscription_version: int = 1) -> Pairing:
    return Pairing("urn:offer", offer_version, "urn:offered", "urn:subscription", subscription_version, wanted)


A, B, C = pairing("urn:a"), pairing("urn:b"), pairing("urn:c")
NEWER_A = replace(A, offer_version=2)


def identities(state: State) -> set[Identity]:
    return {one.identity for one in state.pairings}


def state(*pairings: Pairing, status: SubscriptionStatus = PROPOSED, by: frozenset[str] = frozenset()) -> State:
    return State("urn:1", status, 4, by, frozenset(pairings))


def test_the_first_matches_of_a_pair_are_proposed() -> None:
    assert gathered([], [A, B], "urn:new") == State("urn:new", PROPOSED, 1, frozenset(), frozenset({A, B}))


def test_no_match_proposes_nothing() -> None:
    assert gathered([], [], "urn:new") is None
    assert gathered([state(A)], [], "urn:new") is None


def test_new_matches_join_the_proposed_one_as_a_version_that_nobody_has_validated() -> None:
    before = state(A, by=frozenset({DSO}))
    assert gathered([before], [A, B], "urn:new") == State("urn:1", PROPOSED, 5, frozenset(), frozenset({A, B}))


@pytest.mark.parametrize("status", [PROPOSED, VALIDATED])
def test_what_stands_is_not_proposed_again(status: SubscriptionStatus) -> None:
    assert gathered([state(A, B, status=status)], [A], "urn:new") is None


def test_a_validated_one_stays_as_it_is_and_later_matches_open_another() -> None:
    existing = [state(A, status=VALIDATED, by=PARTIES)]
    assert gathered(existing, [NEWER_A], "urn:new") is None
    found = gathered(existing, [NEWER_A, B], "urn:new")
    assert found == State("urn:new", PROPOSED, 1, frozenset(), frozenset({B}))


@pytest.mark.parametrize("status", [DECLINED, ENDED])
def test_what_was_declined_or_ended_is_proposed_again_only_in_a_newer_version(status: SubscriptionStatus) -> None:
    existing = [state(A, B, status=status)]
    assert gathered(existing, [A], "urn:new") is None
    newer_b = replace(B, subscription_version=2)
    found = gathered(existing, [NEWER_A, newer_b], "urn:new")
    assert found == State("urn:new", PROPOSED, 1, frozenset(), frozenset({NEWER_A, newer_b}))


def test_what_was_declined_twice_must_be_newer_than_both_times() -> None:
    existing = [state(NEWER_A, status=DECLINED), replace(state(A, status=DECLINED), id="urn:2")]
    assert gathered(existing, [NEWER_A], "urn:new") is None
    assert gathered(existing, [replace(A, offer_version=3)], "urn:new") is not None


def test_a_newer_version_of_what_stands_is_noted_and_voids_no_validation() -> None:
    before = state(A, B, by=frozenset({DSO}))
    assert gathered([before], [NEWER_A], "urn:new") == replace(before, pairings=frozenset({NEWER_A, B}))


def test_a_newer_version_and_a_new_match_make_one_new_version() -> None:
    found = gathered([state(A, by=frozenset({DSO}))], [NEWER_A, B], "urn:new")
    assert found == State("urn:1", PROPOSED, 5, frozenset(), frozenset({NEWER_A, B}))


def test_a_newer_version_once_noted_is_declined_with_the_rest() -> None:
    noted = gathered([state(A)], [NEWER_A], "urn:new")
    assert noted is not None
    assert gathered([declined(noted, DSO)], [NEWER_A], "urn:new") is None


def test_what_no_longer_matches_leaves_a_proposed_one_in_a_version_that_nobody_has_validated() -> None:
    before = state(A, B, by=frozenset({ESCO}))
    assert reduced(before, lambda one: one == A) == State("urn:1", PROPOSED, 5, frozenset(), frozenset({B}))


def test_a_proposed_one_left_without_pairings_is_declined_and_says_what_it_was_about() -> None:
    found = reduced(state(A, B, by=frozenset({ESCO})), lambda _: True)
    assert found == State("urn:1", DECLINED, 5, frozenset(), frozenset({A, B}))
    assert gathered([found], [NEWER_A], "urn:new") is not None


@pytest.mark.parametrize("status", [VALIDATED, DECLINED, ENDED])
def test_only_a_proposed_one_is_reduced(status: SubscriptionStatus) -> None:
    assert reduced(state(A, B, status=status), lambda _: True) is None


def test_a_proposed_one_of_which_nothing_is_gone_stays() -> None:
    assert reduced(state(A, B), lambda one: one == C) is None


@pytest.mark.parametrize(("first", "second"), [(DSO, ESCO), (ESCO, DSO)])
def test_it_is_validated_when_both_parties_have(first: str, second: str) -> None:
    once = validated(state(A), first, PARTIES)
    assert once == state(A, by=frozenset({first}))
    assert validated(once, first, PARTIES) == once
    twice = validated(once, second, PARTIES)
    assert twice == state(A, status=VALIDATED, by=PARTIES)
    assert validated(twice, first, PARTIES) == twice


def test_only_its_parties_validate_it() -> None:
    with pytest.raises(SubscriptionMoveRefused, match=r"^Only provider and requester .*\.$"):
        validated(state(A), "urn:other", PARTIES)


@pytest.mark.parametrize("status", [DECLINED, ENDED])
def test_what_is_over_is_not_validated(status: SubscriptionStatus) -> None:
    with pytest.raises(SubscriptionMoveRefused, match=rf"^Only a Proposed .* validated; this one is {status}\.$"):
        validated(state(A, status=status, by=frozenset({DSO})), DSO, PARTIES)


def test_either_party_declines_and_takes_its_own_validation_back() -> None:
    once = validated(state(A), DSO, PARTIES)
    assert declined(once, ESCO) == state(A, status=DECLINED, by=frozenset({DSO}))
    assert declined(once, DSO) == state(A, status=DECLINED)


@pytest.mark.parametrize("status", [VALIDATED, DECLINED, ENDED])
def test_only_a_proposed_one_is_declined(status: SubscriptionStatus) -> None:
    with pytest.raises(SubscriptionMoveRefused, match=rf"^Only a Proposed .* declined; this one is {status}\.$"):
        declined(state(A, status=status), DSO)


def test_states_are_those_of_the_contract() -> None:
    found = xsd("service").find(f"{XS}simpleType[@name='B2BServiceSubscriptionStatus']")
    assert found is not None
    assert list(SubscriptionStatus) == [value.get("value") for value in found.iter(f"{XS}enumeration")]


DOCUMENTED = {(None, PROPOSED), (PROPOSED, PROPOSED), (PROPOSED, VALIDATED), (PROPOSED, DECLINED)}
some_wanted = st.sets(st.sampled_from(["urn:a", "urn:b", "urn:c"]))


class Pair(RuleBasedStateMachine):
    """All B2B service subscriptions of one provider and one requester, of whom the provider changes its offer."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, State] = {}
        self.offer_version = 1

    def keep(self, after: State) -> None:
        before = self.states.get(after.id)
        assert (before and before.status, after.status) in DOCUMENTED
        if before is not None and identities(before) != identities(after):
            assert (after.version, after.validated_by) == (before.version + 1, frozenset())
        self.states[after.id] = after

    def standing(self) -> list[Identity]:
        return [one for state in self.states.values() if state.status in (PROPOSED, VALIDATED)
                for one in identities(state)]  # fmt: skip

    @rule(wanted=some_wanted)
    def match(self, wanted: set[str]) -> None:
        matched = [pairing(name, offer_version=self.offer_version) for name in wanted]
        after = gathered(list(self.states.values()), matched, f"urn:{len(self.states)}")
        if after is not None:
            self.keep(after)
        assert gathered(list(self.states.values()), matched, "urn:again") is None
        refused = {one for state in self.states.values() if state.status is DECLINED for one in state.pairings}
        assert all((one.identity in self.standing()) != (one in refused) for one in matched)

    @rule(left=some_wanted)
    def change_the_offer(self, left: set[str]) -> None:
        """A new version, with which only what is left still matches."""
        self.offer_version += 1
        for before in list(self.states.values()):
            after = reduced(before, lambda one: one.wanted_id not in left)
            if after is not None:
                self.keep(after)
        self.match(left)
        proposed = [state for state in self.states.values() if state.status is PROPOSED]
        assert all(one.wanted_id in left for state in proposed for one in state.pairings)

    @precondition(lambda self: self.states)
    @rule(data=st.data(), by=st.sampled_from([DSO, ESCO, "urn:other"]))
    def validate(self, data: st.DataObject, by: str) -> None:
        before = data.draw(st.sampled_from(list(self.states.values())))
        try:
            after = validated(before, by, PARTIES)
        except SubscriptionMoveRefused:
            assert by not in PARTIES or before.status is DECLINED
            return
        assert after.validated_by == before.validated_by | {by}
        if after != before:
            self.keep(after)

    @precondition(lambda self: self.states)
    @rule(data=st.data(), by=st.sampled_from([DSO, ESCO]))
    def decline(self, data: st.DataObject, by: str) -> None:
        before = data.draw(st.sampled_from(list(self.states.values())))
        try:
            self.keep(declined(before, by))
        except SubscriptionMoveRefused:
            assert before.status is not PROPOSED

    @invariant()
    def at_most_one_is_proposed(self) -> None:
        assert [state.status for state in self.states.values()].count(PROPOSED) <= 1

    @invariant()
    def no_pairing_stands_twice(self) -> None:
        assert len(self.standing()) == len(set(self.standing()))

    @invariant()
    def it_is_validated_exactly_when_both_parties_have(self) -> None:
        assert all((one.validated_by == PARTIES) == (one.status is VALIDATED) for one in self.states.values())

    @invariant()
    def each_says_what_it_is_about(self) -> None:
        assert all(state.pairings for state in self.states.values())


TestPair = Pair.TestCase
TestPair.settings = settings(max_examples=80, stateful_step_count=20)

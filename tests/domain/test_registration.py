from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flexiciency.domain.registration import (
    OFFERED_BY_ROLE,
    SUBSCRIBING_ROLES,
    Actor,
    Move,
    MoveRefused,
    RegistrationStatus,
    may_offer,
    may_subscribe,
    moved,
)
from tests.contract.published import XS, xsd

OPERATOR, PLAYER = Actor.OPERATOR, Actor.PLAYER
PENDING, ACTIVE = RegistrationStatus.PENDING, RegistrationStatus.ACTIVE
SUSPENDED, WITHDRAWN = RegistrationStatus.SUSPENDED, RegistrationStatus.WITHDRAWN
State = tuple[RegistrationStatus, Actor | None]

DOCUMENTED: dict[tuple[State, Move, Actor], State] = {
    ((PENDING, None), Move.APPROVE, OPERATOR): (ACTIVE, None),
    ((PENDING, None), Move.WITHDRAW, OPERATOR): (WITHDRAWN, None),
    ((PENDING, None), Move.WITHDRAW, PLAYER): (WITHDRAWN, None),
    ((ACTIVE, None), Move.SUSPEND, OPERATOR): (SUSPENDED, OPERATOR),
    ((ACTIVE, None), Move.SUSPEND, PLAYER): (SUSPENDED, PLAYER),
    ((ACTIVE, None), Move.WITHDRAW, OPERATOR): (WITHDRAWN, None),
    ((ACTIVE, None), Move.WITHDRAW, PLAYER): (WITHDRAWN, None),
    ((SUSPENDED, PLAYER), Move.REACTIVATE, OPERATOR): (ACTIVE, None),
    ((SUSPENDED, PLAYER), Move.REACTIVATE, PLAYER): (ACTIVE, None),
    ((SUSPENDED, PLAYER), Move.SUSPEND, OPERATOR): (SUSPENDED, OPERATOR),
    ((SUSPENDED, PLAYER), Move.WITHDRAW, OPERATOR): (WITHDRAWN, None),
    ((SUSPENDED, PLAYER), Move.WITHDRAW, PLAYER): (WITHDRAWN, None),
    ((SUSPENDED, OPERATOR), Move.REACTIVATE, OPERATOR): (ACTIVE, None),
    ((SUSPENDED, OPERATOR), Move.WITHDRAW, OPERATOR): (WITHDRAWN, None),
    ((SUSPENDED, OPERATOR), Move.WITHDRAW, PLAYER): (WITHDRAWN, None),
}
STATES: list[State] = [(PENDING, None), (ACTIVE, None), (SUSPENDED, PLAYER), (SUSPENDED, OPERATOR), (WITHDRAWN, None)]


def values_of(file: str, name: str) -> set[str]:
    found = xsd(file).find(f"{XS}simpleType[@name='{name}']")
    assert found is not None
    return {str(value.get("value")) for value in found.iter(f"{XS}enumeration")}


@pytest.mark.parametrize(("state", "move", "actor"), list(product(STATES, Move, Actor)))
def test_only_the_documented_moves_are_allowed(state: State, move: Move, actor: Actor) -> None:
    expected = DOCUMENTED.get((state, move, actor))
    if expected is not None:
        assert moved(state[0], move, actor, state[1]) == expected
        return
    with pytest.raises(MoveRefused, match=r"^[A-Z].*\.$"):
        moved(state[0], move, actor, state[1])


def test_a_refusal_says_which_state_was_found_and_which_the_move_needs() -> None:
    with pytest.raises(MoveRefused, match=r"^Suspend needs a registration that is Active; this one is Pending\.$"):
        moved(PENDING, Move.SUSPEND, PLAYER, None)
    with pytest.raises(MoveRefused, match=r"Pending or Active or Suspended; this one is Withdrawn\.$"):
        moved(WITHDRAWN, Move.WITHDRAW, OPERATOR, None)


def test_a_player_is_told_that_only_the_operator_reactivates_what_the_operator_suspended() -> None:
    with pytest.raises(MoveRefused, match="only the operator reactivates it"):
        moved(SUSPENDED, Move.REACTIVATE, PLAYER, OPERATOR)


def test_who_suspended_is_taken_for_the_operator_where_it_is_not_known() -> None:
    with pytest.raises(MoveRefused, match="only the operator reactivates it"):
        moved(SUSPENDED, Move.REACTIVATE, PLAYER, None)
    with pytest.raises(MoveRefused, match="this one is Suspended"):
        moved(SUSPENDED, Move.SUSPEND, OPERATOR, None)
    assert moved(SUSPENDED, Move.REACTIVATE, OPERATOR, None) == (ACTIVE, None)


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("RegulatedDataProvider", {"IndividualDataProvision", "AggregatedDataProvision", "EnergyServiceProvision"}),
        ("UnregulatedDataProvider", {"IndividualDataProvision", "AggregatedDataProvision"}),
        ("UnregulatedServiceProvider", {"EnergyServiceProvision"}),
        ("UnregulatedDataRequester", set()),
        ("Retailer", set()),
    ],
)
def test_a_role_offers_the_service_types_of_decision_5_only(role: str, offered: set[str]) -> None:
    types = values_of("common", "ServiceType") | {"Consulting"}
    assert {service_type for service_type in types if may_offer(role, service_type)} == offered


def test_only_requesters_subscribe() -> None:
    roles = values_of("market-place", "Role") | {"Retailer"}
    assert {role for role in roles if may_subscribe(role)} == {"UnregulatedDataRequester"}


def test_states_and_roles_are_those_of_the_contract() -> None:
    assert set(RegistrationStatus) == values_of("market-place", "RegistrationStatus")
    assert set(OFFERED_BY_ROLE) | SUBSCRIBING_ROLES == values_of("market-place", "Role")


class Life(RuleBasedStateMachine):
    """One registration, on which operator and player try anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = (PENDING, None)
        self.approved = False
        self.barred = False
        self.withdrawn = False

    @rule(move=st.sampled_from(Move), actor=st.sampled_from(Actor))
    def try_to(self, move: Move, actor: Actor) -> None:
        try:
            after = moved(self.state[0], move, actor, self.state[1])
        except MoveRefused:
            assert (self.state, move, actor) not in DOCUMENTED
            return
        assert DOCUMENTED[self.state, move, actor] == after
        self.approved |= (move, actor) == (Move.APPROVE, OPERATOR)
        self.withdrawn |= move is Move.WITHDRAW
        if actor is OPERATOR:
            self.barred = move is Move.SUSPEND
        self.state = after

    @invariant()
    def nothing_is_active_that_the_operator_has_not_approved_or_has_barred(self) -> None:
        assert self.state[0] is not ACTIVE or (self.approved and not self.barred)

    @invariant()
    def withdrawn_is_final(self) -> None:
        assert self.withdrawn == (self.state[0] is WITHDRAWN)

    @invariant()
    def who_suspended_is_known_exactly_while_suspended(self) -> None:
        assert (self.state[1] is not None) == (self.state[0] is SUSPENDED)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=20)

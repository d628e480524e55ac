"""Registration of a Market Player (MPL-REG; D2.3, 2.2): its states, who moves it, and what its role may publish.

        Approve (operator)        Suspend
Pending ─────────────────► Active ◄──────► Suspended
   │                          │  Reactivate   │
   └──────── Withdraw ────────┴───────────────┴──► Withdrawn (final)

A player suspends, reactivates and withdraws itself, but does not reactivate what the operator suspended. The operator
may suspend what the player has suspended already: from then on only the operator reactivates it.
"""

from collections.abc import Mapping
from enum import StrEnum


class RegistrationStatus(StrEnum):
    """State of a registration (MPL-REG)."""

    PENDING = "Pending"
    ACTIVE = "Active"
    SUSPENDED = "Suspended"
    WITHDRAWN = "Withdrawn"


IN_DIRECTORY = (RegistrationStatus.ACTIVE, RegistrationStatus.SUSPENDED)
"""States of a registration that others know, and whose certificates count: approved, and not withdrawn."""


class Actor(StrEnum):
    """Who moves a registration: the operator of the Market Place, or a Market Player its own."""

    OPERATOR = "Operator"
    PLAYER = "Player"


class Move(StrEnum):
    """What is done with a registration."""

    APPROVE = "Approve"
    SUSPEND = "Suspend"
    REACTIVATE = "Reactivate"
    WITHDRAW = "Withdraw"


class MoveRefused(ValueError):  # noqa: N818  a refusal, like those of errors.py
    """The registration's state, or who asks, does not allow the move; the text is a sentence for the partner."""


OFFERED_BY_ROLE: Mapping[str, frozenset[str]] = {
    "RegulatedDataProvider": frozenset(
        {"IndividualDataProvision", "AggregatedDataProvision", "EnergyServiceProvision"},
    ),
    "UnregulatedDataProvider": frozenset({"IndividualDataProvision", "AggregatedDataProvision"}),
    "UnregulatedServiceProvider": frozenset({"EnergyServiceProvision"}),
}
"""Service types that each role may offer (contract, decision 5); a role that is not here offers nothing."""

SUBSCRIBING_ROLES = frozenset({"UnregulatedDataRequester"})
"""Roles that may subscribe, to any service type."""

_ALLOWED: Mapping[Move, tuple[frozenset[RegistrationStatus], RegistrationStatus]] = {
    Move.APPROVE: (frozenset({RegistrationStatus.PENDING}), RegistrationStatus.ACTIVE),
    Move.SUSPEND: (frozenset({RegistrationStatus.ACTIVE}), RegistrationStatus.SUSPENDED),
    Move.REACTIVATE: (frozenset({RegistrationStatus.SUSPENDED}), RegistrationStatus.ACTIVE),
    Move.WITHDRAW: (frozenset(RegistrationStatus) - {RegistrationStatus.WITHDRAWN}, RegistrationStatus.WITHDRAWN),
}
"""By move: the states it starts from, and the one it leads to."""


def moved(
    status: RegistrationStatus, move: Move, actor: Actor, suspended_by: Actor | None
) -> tuple[RegistrationStatus, Actor | None]:
    """The new status and, when that is Suspended, who suspended it. Raises MoveRefused.

    A Suspended registration of which nobody knows who suspended it counts as suspended by the operator.
    """
    if move is Move.APPROVE and actor is not Actor.OPERATOR:
        raise MoveRefused("Only the operator of the Market Place approves a registration.")
    starts, result = _ALLOWED[move]
    by_player = status is RegistrationStatus.SUSPENDED and suspended_by is Actor.PLAYER
    taken_over = move is Move.SUSPEND and actor is Actor.OPERATOR and by_player
    if status not in starts and not taken_over:
        expected = " or ".join(state for state in RegistrationStatus if state in starts)
        raise MoveRefused(f"{move} needs a registration that is {expected}; this one is {status}.")
    if move is Move.REACTIVATE and actor is Actor.PLAYER and not by_player:
        raise MoveRefused("The operator suspended this registration, and only the operator reactivates it.")
    return result, actor if result is RegistrationStatus.SUSPENDED else None


def may_offer(role: str, service_type: str) -> bool:
    """Whether a registration of this role may publish an offer (MKP-SRV-OFF) of this service type."""
    return service_type in OFFERED_BY_ROLE.get(role, frozenset())


def may_subscribe(role: str) -> bool:
    """Whether a registration of this role may publish a subscription (MKP-SRV-SUB)."""
    return role in SUBSCRIBING_ROLES

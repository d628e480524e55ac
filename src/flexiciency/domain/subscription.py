"""B2B service subscription (B2B-SRV-SUB; D2.3, 2.3): the matches of one provider and one requester, gathered.

            both parties validate
Proposed ──────────────────────────► Validated ──► Ended
    │
    └──► Declined (by a party, or because no pairing is left)

A Proposed one grows and shrinks; each time that is a new version, which both parties validate anew.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from flexiciency.domain.matching import Pairing


class SubscriptionStatus(StrEnum):
    """State of a B2B service subscription."""

    PROPOSED = "Proposed"
    VALIDATED = "Validated"
    DECLINED = "Declined"
    ENDED = "Ended"


class SubscriptionMoveRefused(ValueError):  # noqa: N818  a refusal, like those of errors.py
    """The state, or who asks, does not allow it; the text is a sentence for the partner."""


@dataclass(frozen=True, slots=True)
class State:
    """B2B-SRV-SUB of one (provider, requester) pair. `validated_by`: registrations that validated this version."""

    id: str
    status: SubscriptionStatus
    version: int
    validated_by: frozenset[str]
    pairings: frozenset[Pairing]


def gathered(existing: Sequence[State], matched: Iterable[Pairing], new_id: str) -> State | None:
    """What the Proposed one of a pair becomes with these matches, or a new one; None when nothing changes.

    `existing` are all of the pair, `matched` matches of the current versions, `new_id` the id of a new one.
    A pairing that stands is not proposed again; one that was Declined or Ended only in a newer version. Where pairings
    are merely of newer versions, the subscription's own version and validations stay.
    """
    by_identity = {pairing.identity: pairing for pairing in matched}
    proposed = next((state for state in existing if state.status is SubscriptionStatus.PROPOSED), None)
    before = proposed.pairings if proposed else frozenset()
    kept = frozenset(by_identity.get(pairing.identity, pairing) for pairing in before)
    fresh = _proposable(by_identity.values(), existing)
    if not fresh:
        return None if proposed is None or kept == before else replace(proposed, pairings=kept)
    if proposed is None:
        return State(new_id, SubscriptionStatus.PROPOSED, 1, frozenset(), fresh)
    return _changed(proposed, kept | fresh)


def reduced(existing: State, gone: Callable[[Pairing], bool]) -> State | None:
    """A Proposed one without the pairings that are gone; None when nothing changes.

    Declined when none is left: it then keeps its last pairings, since it says what it was about.
    """
    left = frozenset(pairing for pairing in existing.pairings if not gone(pairing))
    if existing.status is not SubscriptionStatus.PROPOSED or left == existing.pairings:
        return None
    if not left:
        return replace(_changed(existing, existing.pairings), status=SubscriptionStatus.DECLINED)
    return _changed(existing, left)


def validated(state: State, by: str, parties: frozenset[str]) -> State:
    """With the validation of one party; Validated when all parties have. Raises SubscriptionMoveRefused.

    A party that has validated this version may do so again, which changes nothing.
    """
    if by not in parties:
        raise SubscriptionMoveRefused("Only provider and requester of a B2B service subscription validate it.")
    if state.status is SubscriptionStatus.VALIDATED and by in state.validated_by:
        return state
    _must_be_proposed(state, "validated")
    validated_by = state.validated_by | {by}
    status = SubscriptionStatus.VALIDATED if validated_by == parties else SubscriptionStatus.PROPOSED
    return replace(state, status=status, validated_by=validated_by)


def declined(state: State, by: str) -> State:
    """Declined by one party, whose own validation is void. Raises SubscriptionMoveRefused."""
    _must_be_proposed(state, "declined")
    return replace(state, status=SubscriptionStatus.DECLINED, validated_by=state.validated_by - {by})


def _proposable(matched: Iterable[Pairing], existing: Sequence[State]) -> frozenset[Pairing]:
    """Those that stand nowhere, and are newer than wherever they were declined or ended."""
    past: defaultdict[tuple[str, str, str, str], list[tuple[bool, Pairing]]] = defaultdict(list)
    for state in existing:
        stands = state.status in (SubscriptionStatus.PROPOSED, SubscriptionStatus.VALIDATED)
        for pairing in state.pairings:
            past[pairing.identity].append((stands, pairing))
    return frozenset(
        pairing
        for pairing in matched
        if all(not stands and pairing.is_newer_than(earlier) for stands, earlier in past[pairing.identity])
    )


def _changed(proposed: State, pairings: frozenset[Pairing]) -> State:
    """The next version, which nobody has validated yet."""
    return replace(proposed, version=proposed.version + 1, validated_by=frozenset(), pairings=pairings)


def _must_be_proposed(state: State, move: str) -> None:
    if state.status is not SubscriptionStatus.PROPOSED:
        raise SubscriptionMoveRefused(
            f"Only a Proposed B2B service subscription can be {move}; this one is {state.status}."
        )

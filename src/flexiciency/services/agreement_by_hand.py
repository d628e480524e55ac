"""What a provider's operator does with agreements: validate, counter, end; the requester gets each new state (2.5)."""

from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from flexiciency.domain.agreement import (
    AgreementDecision,
    AgreementMoveRefused,
    AgreementStatus,
    Proposal,
    decide,
    ended,
    must_be_open,
    narrowed,
    validated,
)
from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.services.agreement_standing import tell
from flexiciency.store import agreement_standing, agreements
from flexiciency.store.agreements import Terms
from flexiciency.store.transaction import Row, Transaction

T = TypeVar("T")


def validate(tx: Transaction, agreement_id: str, now: datetime) -> None:
    """Validate what the requester proposed, if consents and activation still allow all of it.

    Raises ReferenceUnknown, StateConflict.
    """
    row = _locked(tx, agreement_id)
    status = AgreementStatus(row.status)
    if _allowed(row, lambda: validated(status, by_provider=True)) is status:
        return
    decision, _ = _decided(tx, row, _proposal(row))
    if decision.status is not AgreementStatus.VALIDATED:
        raise StateConflict(f"{row.id}: activation and consents allow only part of it by now. Counter it.")
    agreements.validate(tx, row.id, now)
    agreement_standing.settle(tx, [row.id])
    tell(tx, row.id, now)


def counter(
    tx: Transaction, agreement_id: str, now: datetime, *, start: date | None = None, end: date | None = None,
    leave_out: frozenset[str] = frozenset(),
) -> None:  # fmt: skip
    """Offer less than was proposed: fewer days or PoDs. Raises ReferenceUnknown, StateConflict."""
    row = _locked(tx, agreement_id)
    _allowed(row, lambda: must_be_open(AgreementStatus(row.status)))
    offer = _allowed(row, lambda: narrowed(_proposal(row), start=start, end=end, leave_out=leave_out))
    decision, activation = _decided(tx, row, offer)
    if decision.reason is not None:
        raise StateConflict(f"{row.id}: nothing is left to offer. {decision.reason.text}")
    terms = Terms(
        row.id, row.version + 1, AgreementStatus.COUNTERED, row.data_details, row.processing_details,
        decision.start_date, decision.end_date, decision.pods, tuple(row.selections or ()),
    )  # fmt: skip
    agreements.store(tx, terms, activation, row.subscription_id, now, new=False)
    tell(tx, row.id, now)


def end(tx: Transaction, agreement_id: str, now: datetime, *, on: date | None = None) -> None:
    """End it: the local day `on` (today, UTC) is no longer covered. Raises ReferenceUnknown, StateConflict."""
    row = _locked(tx, agreement_id)
    status, last = _allowed(
        row, lambda: ended(AgreementStatus(row.status), row.start_date, row.end_date, on=on, today=now.date())
    )
    agreements.end(tx, row.id, status, last)
    tell(tx, row.id, now)


def end_of_activation(tx: Transaction, activation_id: str, now: datetime) -> None:
    """End, as of today, what was agreed on the grounds of an activation that is stopped."""
    (rows,) = tx.look_up(agreements.of_activation(activation_id))
    for row in rows:
        end(tx, row.id, now)


def _locked(tx: Transaction, agreement_id: str) -> Row:
    """The agreement, which nobody else moves before this transaction ends."""
    tx.read(agreements.lock(agreement_id))
    (rows,) = tx.look_up(agreements.stored(agreement_id))
    if not rows:
        raise ReferenceUnknown(f"There is no agreement {agreement_id} here. `agreement list` shows what there is.")
    return rows[0]


def _decided(tx: Transaction, row: Row, proposal: Proposal) -> tuple[AgreementDecision, Row]:
    """What activation and consents allow of it now, and the activation."""
    _, activation, confirmed = tx.read(
        agreement_standing.share_pods(proposal.pods),
        agreements.terms(row.activation_id, row.subscription_id),
        agreements.confirmed(row.activation_id),
    )
    return decide(proposal, agreements.confirmed_of(confirmed)), activation[0]


def _proposal(row: Row) -> Proposal:
    return Proposal(row.id, row.version, tuple(row.pods or ()), row.start_date, row.end_date)


def _allowed(row: Row, move: Callable[[], T]) -> T:
    """What a move gives. Raises StateConflict."""
    try:
        return move()
    except AgreementMoveRefused as refused:
        raise StateConflict(f"{row.id}: {refused}") from None

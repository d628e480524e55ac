"""What a provider's operator does with activations: confirm, refuse, stop; the requester is told (D2.3, 2.5)."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from flexiciency.contract.ids import new_id
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.activation import (
    ActivationDecision,
    ActivationMoveRefused,
    Status,
    decide,
    decide_unregulated,
    limited,
    must_be_received,
    refuse_all,
    refuse_more,
    stopped,
)
from flexiciency.domain.reasons import ReasonCode, reason
from flexiciency.domain.selection import Selection, Service
from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.services.activation_object import dso_confirmation, unregulated_confirmation
from flexiciency.services.agreement_by_hand import end_of_activation
from flexiciency.services.replies import PLAYER
from flexiciency.soap.spyne_service import written
from flexiciency.store import activations, selections
from flexiciency.store.transaction import Row, Transaction

T = TypeVar("T")


def confirm(
    tx: Transaction, request_id: str, now: datetime, *, leave_out: frozenset[str] = frozenset(),
    text: str | None = None, limits: str | None = None,
) -> None:  # fmt: skip
    """Answer what waits by the rules as of now, refusing these PoDs (DSO-REQ) or stating limits (USP-REQ).

    Raises ReferenceUnknown, StateConflict.
    """
    row = _waiting(tx, request_id)
    decision, service = _decided(tx, row)
    if row.kind == activations.USP_REQ:
        if leave_out:
            raise StateConflict(f"{request_id} is a USP-REQ, which has no PoDs to refuse.")
        decision = decision if limits is None else limited(decision, limits)
    elif limits is not None:
        raise StateConflict(f"{request_id} is a DSO-REQ; limits are stated to a USP-REQ only. Refuse PoDs of it.")
    elif service is not None:
        before = decision
        decision = _allowed(row, lambda: refuse_more(before, service, leave_out, text))
    _answer(tx, row, decision, now)


def refuse(tx: Transaction, request_id: str, now: datetime, *, text: str) -> None:
    """Refuse the whole of what waits. Raises ReferenceUnknown, StateConflict."""
    row = _waiting(tx, request_id)
    decision, _ = _decided(tx, row)
    _answer(tx, row, refuse_all(decision, text), now)


def stop(tx: Transaction, request_id: str, now: datetime, *, text: str) -> None:
    """Stop an activation; what was agreed on its grounds ends today (UTC), and its requester gets a KO.

    Raises ReferenceUnknown, StateConflict.
    """
    row = _locked(tx, request_id)
    _allowed(row, lambda: stopped(Status(row.status)))
    why = reason(ReasonCode.STOPPED_BY_PROVIDER, text)
    activations.stop(tx, request_id, why.code, why.text, now)
    end_of_activation(tx, request_id, now)
    _tell(tx, row, new_id(), ActivationDecision(Status.KO, reason=why), now)


def _answer(tx: Transaction, row: Row, decision: ActivationDecision, now: datetime) -> None:
    activations.decide(tx, row.id, decision)
    if decision.selection is not None:
        selections.serve(tx, row.selection_id, decision.selection)
    tx.flush()
    _tell(tx, row, row.confirmation_id, decision, now)


def _tell(tx: Transaction, row: Row, confirmation_id: str, decision: ActivationDecision, now: datetime) -> None:
    """DSO-CNF or USP-CNF to the requester."""
    if row.kind == activations.USP_REQ:
        operation = "ReceiveUnregulatedServiceActivationConfirmation"
        found = unregulated_confirmation(PLAYER, confirmation_id, row.id, decision)
    else:
        operation = "ReceiveDsoServiceActivationConfirmation"
        found = dso_confirmation(
            PLAYER, confirmation_id, row.id, row.service_description_id, decision, row.selection_id
        )
    Outbox().push_object(tx, row.requester_id, operation, written(found), confirmation_id, now)


def _decided(tx: Transaction, row: Row) -> tuple[ActivationDecision, Service | None]:
    """What the rules say of it now, and the service. A PoD that was listed twice stays so."""
    pods = (*(row.confirmed or ()), *(row.refused or ()), *(row.repeated or ()))
    selection = _selection(tx, row.selection_id)
    named = pods if selection is None else (*pods, *selection.pods)
    (rows,) = tx.look_up(activations.facts(row.id, row.owner_id, row.requester_id, row.service_description_id, named))
    facts = activations.facts_of(rows)
    if row.kind == activations.USP_REQ:
        return decide_unregulated(facts.service), facts.service
    return decide(pods, selection, facts.service, facts.pods), facts.service


def _selection(tx: Transaction, selection_id: str | None) -> Selection | None:
    if selection_id is None:
        return None
    _, rows = tx.read(selections.lock(selection_id), selections.selection_of(selection_id))
    return selections.selected(rows[0])


def _waiting(tx: Transaction, request_id: str) -> Row:
    row = _locked(tx, request_id)
    _allowed(row, lambda: must_be_received(Status(row.status)))
    return row


def _locked(tx: Transaction, request_id: str) -> Row:
    """The activation, which nobody else moves before this transaction ends. Raises ReferenceUnknown."""
    tx.read(*activations.lock(request_id))
    (rows,) = tx.look_up(activations.stored(request_id))
    if not rows:
        raise ReferenceUnknown(f"There is no activation {request_id} here. `activation list` shows what there is.")
    return rows[0]


def _allowed(row: Row, move: Callable[[], T]) -> T:
    """What a move gives. Raises StateConflict."""
    try:
        return move()
    except ActivationMoveRefused as refused:
        raise StateConflict(f"{row.id}: {refused}") from None

"""IND-DAT-SEL and AGG-DAT-SEL: selected by the requester, narrowed by the provider (D2.3, 2.5)."""

from datetime import datetime
from typing import Any

from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.selection import SelectionMoveRefused, narrow, serve
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, StateConflict
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, PLAYER, reason_of
from flexiciency.services.selection_object import AGGREGATED, INDIVIDUAL, asked, element_of, written_selection
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import written
from flexiciency.store import activations, selections
from flexiciency.store.transaction import Transaction


def select(provider_id: str, call: Call, message: Any) -> Any:
    """Store a selection as the provider with this MPL-REG id serves it, and answer with that.

    What it can serve nothing of is answered by the reason alone, and not stored. Raises IdentifierTaken.
    """
    name = AGGREGATED if call.operation.name == "SelectAggregatedData" else INDIVIDUAL
    found, tx = getattr(message, name), transaction_of(call)
    wanted, service_id = asked(found), found.MarketPlaceServiceDescriptionRef
    (rows,) = tx.look_up(activations.facts("", provider_id, call.speaker.id, service_id, wanted.pods, found.Id))
    facts = activations.facts_of(rows)
    must_be_new(found.Id, f"{call.operation.name}/{name}", taken=facts.selection_taken)
    answer = serve(wanted, facts.service, facts.pods)
    reply = getattr(B2B, f"{call.operation.name}Response")(Reason=reason_of(B2B, answer.reason))
    if answer.selection is not None:
        selections.insert(
            tx, found.Id, call.speaker.id, service_id, asked=wanted, served=answer.selection, now=call.now
        )
        setattr(reply, name, written_selection(B2B, found.Id, service_id, answer.selection))
    return reply


def must_be_new(selection_id: str, path: str, *, taken: bool) -> None:
    """Raises IdentifierTaken for a selection that is stored already."""
    if taken:
        raise IdentifierTaken(
            f"Selection {selection_id} is stored already. Give a new one a new Id.", path=f"{path}/Id"
        )


def narrow_stored(
    tx: Transaction, selection_id: str, now: datetime, *, start: datetime | None = None, end: datetime | None = None
) -> None:
    """The provider serves a shorter period of a selection from now on, and its requester is told.

    Raises ReferenceUnknown, StateConflict for what is no less than is served.
    """
    _, rows = tx.read(selections.lock(selection_id), selections.selection_of(selection_id))
    if not rows:
        raise ReferenceUnknown(f"There is no selection {selection_id} here. `selection list` shows what there is.")
    (row,) = rows
    try:
        served = narrow(selections.selected(row), start=start, end=end)
    except SelectionMoveRefused as refused:
        raise StateConflict(f"{selection_id}: {refused}") from None
    selections.serve(tx, selection_id, served)
    pushed = written(written_selection(PLAYER, selection_id, row.service_description_id, served))
    Outbox().push_object(tx, row.requester_id, f"Receive{element_of(served)}", pushed, selection_id, now)

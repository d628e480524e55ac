"""DSO-REQ → DSO-CNF: activation of a data service, PoD by PoD (D2.3, 2.5)."""

from typing import Any

from flexiciency.contract.ids import new_id
from flexiciency.contract.series import TimeStep
from flexiciency.domain.activation import ActivationDecision, Selection, decide
from flexiciency.errors import IdentifierTaken, RequesterMismatch
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, reason_of, refused_of
from flexiciency.soap.endpoint import Call
from flexiciency.store import activations


def request_dso_service_activation(provider_id: str, call: Call, message: Any) -> Any:
    """Answer a DSO-REQ to the provider with this MPL-REG id.

    Raises RequesterMismatch when Requester is not the caller, IdentifierTaken when the Id was used before.
    """
    request = message.DsoServiceActivationRequest
    must_be_speaker(request.Requester, call, "DsoServiceActivationRequest/Requester")
    tx = transaction_of(call)
    pods = tuple(request.PoD or ())
    selection = _selection(request.Selection)
    description = request.MarketPlaceServiceDescriptionRef
    (rows,) = tx.look_up(activations.facts(request.Id, provider_id, call.speaker.id, description, pods, selection))
    facts = activations.facts_of(rows)
    if facts.taken:
        raise IdentifierTaken(
            f"DSO-REQ {request.Id} was answered before. Give a new request a new Id; a retry keeps its MessageID.",
            path="RequestDsoServiceActivation/DsoServiceActivationRequest/Id",
        )
    decision = decide(pods, selection, facts.service, facts.pods)
    confirmation_id = new_id()
    if facts.service is not None:
        activations.insert(tx, request.Id, confirmation_id, call.speaker.id, description, decision, call.now)
    return _confirmation(confirmation_id, request.Id, decision)


def must_be_speaker(named: str, call: Call, path: str) -> None:
    """The party that an object names as its sender is the one in From."""
    if named != call.speaker.id:
        raise RequesterMismatch(
            f"The object names {named}, the message was sent by {call.speaker.id}. A player requests for itself only.",
            path=f"{call.operation.name}/{path}",
        )


def _selection(choice: Any) -> Selection | None:
    if choice is None:
        return None
    aggregated = choice.IndividualDataSelection is None
    selection = choice.AggregatedDataSelection if aggregated else choice.IndividualDataSelection
    return Selection(aggregated, selection.Quantity, TimeStep(selection.TimeStep).seconds)


def _confirmation(confirmation_id: str, request_id: str, decision: ActivationDecision) -> Any:
    return B2B.RequestDsoServiceActivationResponse(
        DsoServiceActivationConfirmation=B2B.DsoServiceActivationConfirmation(
            Id=confirmation_id,
            DsoServiceActivationRequestRef=request_id,
            Status=decision.status.value,
            PoD=list(decision.confirmed),
            RefusedPoD=[refused_of(B2B, refused) for refused in decision.refused],
            Reason=reason_of(B2B, decision.reason),
        )
    )

"""DSO-REQ → DSO-CNF, PoD by PoD; USP-REQ → USP-CNF; either is stopped by its requester (D2.3, 2.5)."""

from typing import Any

from flexiciency.contract.ids import new_id
from flexiciency.domain.activation import (
    ActivationDecision,
    ActivationMoveRefused,
    Status,
    decide,
    decide_unregulated,
    stopped,
)
from flexiciency.domain.selection import Selection, Service
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, RequesterMismatch, StateConflict
from flexiciency.services.activation_object import dso_confirmation, unregulated_confirmation
from flexiciency.services.agreement_by_hand import end_of_activation
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, receipt
from flexiciency.services.selection import must_be_new
from flexiciency.services.selection_object import asked, chosen, element_of
from flexiciency.soap.endpoint import Call
from flexiciency.store import activations, selections
from flexiciency.store.activations import Activation


def request_dso_service_activation(provider_id: str, call: Call, message: Any) -> Any:
    """Answer a DSO-REQ to the provider with this MPL-REG id; by hand, what could be confirmed waits.

    Raises RequesterMismatch when Requester is not the caller, IdentifierTaken when an Id was used before,
    ReferenceUnknown for a selection of another service.
    """
    request, tx = message.DsoServiceActivationRequest, transaction_of(call)
    path = f"{call.operation.name}/DsoServiceActivationRequest"
    must_be_speaker(request.Requester, call, "DsoServiceActivationRequest/Requester")
    pods, service_id = tuple(request.PoD or ()), request.MarketPlaceServiceDescriptionRef
    selection_id, selection = _selection_of(request, path)
    named = (*pods, *selection.pods) if selection else pods
    (rows,) = tx.look_up(activations.facts(request.Id, provider_id, call.speaker.id, service_id, named, selection_id))
    facts = activations.facts_of(rows)
    _must_be_new(request.Id, path, taken=facts.taken)
    if selection_id and selection:
        must_be_new(selection_id, f"{path}/Selection/{element_of(selection)}", taken=facts.selection_taken)
    decision = decide(pods, selection, facts.service, facts.pods)
    waits = _waits(decision, facts.service)
    stored = Activation(request.Id, new_id(), call.speaker.id, service_id, selection_id=selection_id)
    if facts.service is not None:
        activations.insert(tx, stored, decision, call.now, waits=waits)
    if selection_id and selection and decision.selection:
        selections.insert(
            tx, selection_id, call.speaker.id, service_id, asked=selection, served=decision.selection, now=call.now
        )
    if waits:
        return B2B.RequestDsoServiceActivationResponse()
    confirmation = dso_confirmation(B2B, stored.confirmation_id, request.Id, service_id, decision, selection_id)
    return B2B.RequestDsoServiceActivationResponse(DsoServiceActivationConfirmation=confirmation)


def request_unregulated_service_activation(provider_id: str, call: Call, message: Any) -> Any:
    """Answer a USP-REQ about a service of an unregulated registration of this provider's company.

    Raises RequesterMismatch when Requester is not the caller, IdentifierTaken when the Id was used before.
    """
    request, tx = message.UnregulatedServiceActivationRequest, transaction_of(call)
    must_be_speaker(request.Requester, call, "UnregulatedServiceActivationRequest/Requester")
    service_id = request.MarketPlaceServiceDescriptionRef
    (rows,) = tx.look_up(activations.facts(request.Id, provider_id, call.speaker.id, service_id))
    facts = activations.facts_of(rows)
    _must_be_new(request.Id, f"{call.operation.name}/UnregulatedServiceActivationRequest", taken=facts.taken)
    decision = decide_unregulated(facts.service)
    waits = _waits(decision, facts.service)
    stored = Activation(request.Id, new_id(), call.speaker.id, service_id, activations.USP_REQ)
    if facts.service is not None:
        activations.insert(tx, stored, decision, call.now, waits=waits)
    if waits:
        return B2B.RequestUnregulatedServiceActivationResponse()
    confirmation = unregulated_confirmation(B2B, stored.confirmation_id, request.Id, decision)
    return B2B.RequestUnregulatedServiceActivationResponse(UnregulatedServiceActivationConfirmation=confirmation)


def stop(call: Call, message: Any) -> Any:
    """The requester stops an activation of either kind; what was agreed on its grounds ends today (UTC).

    Raises ReferenceUnknown for one that is not the caller's, StateConflict for one that is KO or Stopped.
    """
    tx, path = transaction_of(call), f"{call.operation.name}/RequestId"
    *_, rows = tx.read(*activations.lock(message.RequestId), activations.stored(message.RequestId))
    if not rows or rows[0].requester_id != call.speaker.id:
        raise ReferenceUnknown(f"There is no activation {message.RequestId} of {call.speaker.id} here.", path=path)
    try:
        stopped(Status(rows[0].status))
    except ActivationMoveRefused as refused:
        raise StateConflict(f"{message.RequestId}: {refused}", path=path) from None
    why = message.Reason
    activations.stop(tx, message.RequestId, why and why.Code, why and why.Text, call.now)
    end_of_activation(tx, message.RequestId, call.now)
    return B2B.StopServiceActivationResponse(Receipt=receipt(B2B, call))


def must_be_speaker(named: str, call: Call, path: str) -> None:
    """The party that an object names as its sender is the one in From."""
    if named != call.speaker.id:
        raise RequesterMismatch(
            f"The object names {named}, the message was sent by {call.speaker.id}. A player requests for itself only.",
            path=f"{call.operation.name}/{path}",
        )


def _selection_of(request: Any, path: str) -> tuple[str | None, Selection | None]:
    """Id and content of a DSO-REQ's selection, if it has one. Raises ReferenceUnknown for one of another service."""
    found, service_id = chosen(request.Selection), request.MarketPlaceServiceDescriptionRef
    if found is None:
        return None, None
    if found.MarketPlaceServiceDescriptionRef != service_id:
        raise ReferenceUnknown(
            f"The request is for service {service_id}; its selection must be of the same.",
            path=f"{path}/Selection/{found.get_type_name()}/MarketPlaceServiceDescriptionRef",
        )
    return found.Id, asked(found)


def _must_be_new(request_id: str, path: str, *, taken: bool) -> None:
    if taken:
        raise IdentifierTaken(
            f"Request {request_id} was answered before. Give a new request a new Id; a retry keeps its MessageID.",
            path=f"{path}/Id",
        )


def _waits(decision: ActivationDecision, service: Service | None) -> bool:
    """Whether the operator decides: what the rules refuse whole is refused at once."""
    return service is not None and service.by_hand and decision.status is not Status.KO

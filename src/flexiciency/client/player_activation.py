"""A Market Player's calls about service activation (D2.3, 2.5)."""

from collections.abc import Sequence
from typing import Any

from flexiciency.client import reading, writing
from flexiciency.client.objects import (
    AggregatedSelection,
    Confirmation,
    Reason,
    Receipt,
    Selection,
    ServedSelection,
    UnregulatedConfirmation,
)
from flexiciency.client.player_caller import PlayerCaller
from flexiciency.contract.ids import derived_id
from flexiciency.wire.addressing import new_message_id


class ActivationCalls(PlayerCaller):
    """DSO-REQ, USP-REQ, selections, and the end of an activation."""

    def request_activation(
        self,
        service_description_id: str,
        pods: Sequence[str],
        selection: Selection | None = None,
        *,
        message_id: str | None = None,
    ) -> Confirmation:
        """DSO-REQ → DSO-CNF: ask the DSO to activate a service of the Market Place for these PoDs (D2.3, 2.5)."""
        message_id = message_id or new_message_id()
        request_id = derived_id(message_id, "request")
        request: dict[str, Any] = {
            "Id": request_id,
            "MarketPlaceServiceDescriptionRef": service_description_id,
            "Requester": self.registration_id,
            "PoD": list(pods),
        }
        if selection is not None:
            name, wanted = _written(selection, derived_id(message_id, "selection"), service_description_id)
            request["Selection"] = {name: wanted}
        arguments = {"DsoServiceActivationRequest": request}
        found = self._object("RequestDsoServiceActivation", arguments, message_id)
        if found is None:
            return Confirmation(id=None, request_id=request_id, status="Received")
        return reading.confirmation(found)

    def request_unregulated_activation(
        self, service_description_id: str, *, message_id: str | None = None
    ) -> UnregulatedConfirmation:
        """USP-REQ → USP-CNF: ask for a service of an unregulated registration of the provider (D2.3, 2.5)."""
        message_id = message_id or new_message_id()
        request_id = derived_id(message_id, "request")
        request = {
            "Id": request_id,
            "MarketPlaceServiceDescriptionRef": service_description_id,
            "Requester": self.registration_id,
        }
        arguments = {"UnregulatedServiceActivationRequest": request}
        found = self._object("RequestUnregulatedServiceActivation", arguments, message_id)
        if found is None:
            return UnregulatedConfirmation(id=None, request_id=request_id, status="Received")
        return reading.unregulated_confirmation(found)

    def stop_activation(
        self, request_id: str, reason: Reason | None = None, *, message_id: str | None = None
    ) -> Receipt:
        """Stop what a DSO-REQ or USP-REQ activated; agreements made on its grounds end today (UTC)."""
        why = None if reason is None else {"Code": reason.code, "Text": reason.text}
        arguments = {"RequestId": request_id, "Reason": why}
        return reading.receipt(self._object("StopServiceActivation", arguments, message_id or new_message_id()))

    def select(
        self, service_description_id: str, selection: Selection, *, message_id: str | None = None
    ) -> ServedSelection:
        """IND-DAT-SEL or AGG-DAT-SEL out and back, as the provider serves it (D2.3, 2.5)."""
        message_id = message_id or new_message_id()
        name, wanted = _written(selection, derived_id(message_id, "selection"), service_description_id)
        if isinstance(selection, AggregatedSelection):
            found = self._object("SelectAggregatedData", {name: wanted}, message_id)
            served: Selection | None = found[name] and reading.aggregated_selection(found[name])
        else:
            found = self._object("SelectIndividualData", {name: wanted}, message_id)
            served = found[name] and reading.selection(found[name])
        return reading.served_selection(served, found.Reason)


def _written(selection: Selection, identifier: str, service_description_id: str) -> tuple[str, writing.Arguments]:
    """The element's name, and what it holds."""
    if isinstance(selection, AggregatedSelection):
        wanted = writing.aggregated_selection(selection, identifier, service_description_id)
        return "AggregatedDataSelection", wanted
    return "IndividualDataSelection", writing.selection(selection, identifier, service_description_id)

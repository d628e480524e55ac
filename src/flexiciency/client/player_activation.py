"""A Market Player's calls about service activation (D2.3, 2.5)."""

from collections.abc import Sequence
from typing import Any

from flexiciency.client import reading, writing
from flexiciency.client.objects import Confirmation, Selection
from flexiciency.client.player_caller import PlayerCaller
from flexiciency.contract.ids import derived_id
from flexiciency.wire.addressing import new_message_id


class ActivationCalls(PlayerCaller):
    """DSO-REQ and what follows from it."""

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
        request: dict[str, Any] = {
            "Id": derived_id(message_id, "request"),
            "MarketPlaceServiceDescriptionRef": service_description_id,
            "Requester": self.registration_id,
            "PoD": list(pods),
        }
        if selection is not None:
            wanted = writing.selection(selection, derived_id(message_id, "selection"), service_description_id)
            request["Selection"] = {"IndividualDataSelection": wanted}
        arguments = {"DsoServiceActivationRequest": request}
        return reading.confirmation(self._object("RequestDsoServiceActivation", arguments, message_id))

"""A Market Player's calls about flexibility (D2.3, 2.6)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from flexiciency.client import reading, writing
from flexiciency.client.objects import Receipt, TechnicalValidation, ValidationAnswer
from flexiciency.client.player_caller import PlayerCaller
from flexiciency.contract.ids import derived_id
from flexiciency.wire.addressing import new_message_id


class FlexibilityCalls(PlayerCaller):
    """TECH-FLEX-REQ and its answer, in both directions."""

    def request_validation(
        self,
        load_area: str,
        curve: Sequence[tuple[datetime, Decimal]],
        end: datetime,
        *,
        message_id: str | None = None,
    ) -> TechnicalValidation | None:
        """TECH-FLEX-REQ → TECH-FLEX-RESP: what part of an exchange the grid takes; None when the answer comes later.

        `curve` is times and powers in kW, consumption positive, each held to the next and the last to `end`. Raises
        ValueError for an empty curve, a time without zone, or a power that is not finite or not exact in kW to 3
        decimal places.
        """
        message_id = message_id or new_message_id()
        request = writing.validation_request(derived_id(message_id, "request"), load_area, curve, end)
        found = self._object("RequestTechnicalValidation", {"TechnicalValidationRequest": request}, message_id)
        return None if found is None else reading.technical_validation(found)

    def answer_validation(
        self, request_id: str, answer: ValidationAnswer, *, message_id: str | None = None
    ) -> Receipt:  # fmt: skip
        """Answer a TECH-FLEX-REQ of the provider that was not answered where it came. ValueError for a bad factor."""
        message_id = message_id or new_message_id()
        response = writing.validation_response(derived_id(message_id, "response"), request_id, answer)
        found = self._object("AnswerTechnicalValidation", {"TechnicalValidationResponse": response}, message_id)
        return reading.receipt(found)

"""TECH-FLEX-REQ → TECH-FLEX-RESP: what part of a flexibility exchange the grid takes (D2.3, 2.6)."""

from typing import Any

from flexiciency.contract.ids import new_id
from flexiciency.domain.flexibility import Curve, Validation, validate
from flexiciency.errors import IdentifierTaken
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, reason_of
from flexiciency.soap.endpoint import Call
from flexiciency.store import flexibility
from flexiciency.store.flexibility import factor_of


def request_technical_validation(provider_id: str, call: Call, message: Any) -> Any:
    """Answer a TECH-FLEX-REQ about a load area of the DSO with this MPL-REG id.

    A curve or load area that is refused gets the factor 0 and a reason. Raises IdentifierTaken for an Id used before.
    """
    request, tx = message.TechnicalValidationRequest, transaction_of(call)
    (rows,) = tx.look_up(flexibility.facts(request.Id, request.LoadArea, provider_id))
    taken, area = flexibility.facts_of(rows)
    if taken:
        raise IdentifierTaken(
            f"TECH-FLEX-REQ {request.Id} was answered before. Give a new one a new Id; a retry keeps its MessageID.",
            path=f"{call.operation.name}/TechnicalValidationRequest/Id",
        )
    points = tuple((point.Time, int(point.Power * 1000)) for point in request.PowerCurve.Point)
    curve = Curve(request.StartTime, points, request.EndTime)
    answer, response_id = validate(curve, area), new_id()
    flexibility.insert_validation(
        tx, request_id=request.Id, response_id=response_id, requester_id=call.speaker.id, load_area=request.LoadArea,
        curve=curve, answer=answer, now=call.now,
    )  # fmt: skip
    return B2B.RequestTechnicalValidationResponse(
        TechnicalValidationResponse=_response(response_id, request.Id, answer)
    )


def _response(response_id: str, request_id: str, answer: Validation) -> Any:
    """TECH-FLEX-RESP."""
    return B2B.TechnicalValidationResponse(
        Id=response_id, TechnicalValidationRequestRef=request_id, CurtailmentFactor=factor_of(answer.factor),
        DsoFactor=factor_of(answer.dso), TsoFactor=factor_of(answer.tso), LimitingElement=answer.limiting_element,
        Reason=reason_of(B2B, answer.reason),
    )  # fmt: skip

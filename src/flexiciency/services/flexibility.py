"""TECH-FLEX-REQ → TECH-FLEX-RESP: what part of a flexibility exchange the grid takes (D2.3, 2.6), in both directions.

A Market Player asks the DSO, or (Table 5) the DSO a Market Player: `ask`.
"""

from datetime import datetime
from typing import Any

from flexiciency.contract.catalogue import B2B as INTERFACE
from flexiciency.contract.catalogue import operations
from flexiciency.contract.ids import new_id
from flexiciency.delivery.flexibility import take_response, written_response
from flexiciency.delivery.jobs import defer_validation
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.flexibility import Curve, validate
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, StateConflict
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, PLAYER, receipt
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import written
from flexiciency.store import flexibility, parties, validations
from flexiciency.store.transaction import Transaction
from flexiciency.store.validations import Direction, Request


def request_technical_validation(provider_id: str, call: Call, message: Any) -> Any:
    """Answer a TECH-FLEX-REQ about a load area of the DSO with this MPL-REG id, or later where it has a grid model.

    A curve or load area that is refused gets the factor 0 and a reason. Raises IdentifierTaken for an Id used before.
    """
    asked, tx = message.TechnicalValidationRequest, transaction_of(call)
    (rows,) = tx.look_up(flexibility.facts(asked.Id, asked.LoadArea, provider_id))
    facts = flexibility.facts_of(rows)
    if facts.taken:
        raise IdentifierTaken(
            f"There is a TECH-FLEX-REQ {asked.Id} already. Give a new one a new Id; a retry keeps its MessageID.",
            path=f"{call.operation.name}/TechnicalValidationRequest/Id",
        )
    points = tuple((point.Time, int(point.Power * 1000)) for point in asked.PowerCurve.Point)
    request = Request(asked.Id, call.speaker.id, asked.LoadArea, Curve(asked.StartTime, points, asked.EndTime))
    answer = validate(request.curve, facts.area)
    if facts.network is not None and answer.factor > 0:  # what the headroom alone refuses, no grid model can allow
        validations.insert(tx, request, Direction.FROM_PLAYER, call.now)
        tx.flush()
        defer_validation(tx.driver, request.id)
        return B2B.RequestTechnicalValidationResponse()
    response = validations.response_of(new_id(), answer)
    validations.insert(tx, request, Direction.FROM_PLAYER, call.now, response)
    return B2B.RequestTechnicalValidationResponse(
        TechnicalValidationResponse=written_response(B2B, request.id, response)
    )


def answer_technical_validation(call: Call, message: Any) -> Any:
    """Take a Market Player's TECH-FLEX-RESP. Raises ReferenceUnknown, StateConflict, SchemaInvalid."""
    take_response(
        transaction_of(call), call.speaker.id, message.TechnicalValidationResponse, call.operation.name, call.now
    )  # fmt: skip
    return B2B.AnswerTechnicalValidationResponse(Receipt=receipt(B2B, call))


def ask(
    tx: Transaction, provider_id: str, player_id: str, load_area: str, curve: Curve, now: datetime
) -> str:  # fmt: skip
    """Queue a TECH-FLEX-REQ to a Market Player about a load area of this DSO; its Id.

    Raises ReferenceUnknown for an unknown player or area, StateConflict for a player that may not answer.
    """
    (areas,) = tx.look_up(flexibility.owned(load_area, provider_id))
    if not areas:
        raise ReferenceUnknown(f"There is no load area {load_area} of this DSO. `load-area list` shows what there is.")
    (found,) = tx.read(parties.status(player_id))
    if not found:
        raise ReferenceUnknown(f"There is no registration {player_id} here. `registration list` shows what there is.")
    ((status, role),) = found
    (answering,) = (row for row in operations(INTERFACE) if row.name == "AnswerTechnicalValidation")
    if status != "Active" or role not in answering.callers:
        raise StateConflict(
            f"Registration {player_id} is {status}, {role}. Only an Active {' or '.join(sorted(answering.callers))} "
            "is asked for technical validation."
        )
    request = Request(new_id(), player_id, load_area, curve)
    validations.insert(tx, request, Direction.TO_PLAYER, now)
    Outbox().push_object(
        tx, player_id, "ReceiveTechnicalValidationRequest", written(_request(request)), request.id, now
    )  # fmt: skip
    return request.id


def _request(request: Request) -> Any:
    """TECH-FLEX-REQ."""
    points = [PLAYER.PowerPoint(Time=time, Power=validations.kilowatts(power)) for time, power in request.curve.points]
    return PLAYER.TechnicalValidationRequest(
        Id=request.id, StartTime=request.curve.start, PowerCurve=PLAYER.PowerCurve(Point=points),
        EndTime=request.curve.end, LoadArea=request.load_area,
    )  # fmt: skip

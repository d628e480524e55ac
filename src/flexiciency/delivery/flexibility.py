"""Technical validation that takes its time (D2.3, 2.6): our late answers, and those of Market Players.

Received ──► Answered   by the job `answer_late`, once, however often it runs
Asked ──► Answered      by the reply of our push (`take_reply`), or by AnswerTechnicalValidation
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import structlog
from lxml import etree

from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.contract.ids import new_id
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.flexibility import Curve, LoadArea, Validation, combined, validate, without_grid
from flexiciency.errors import ReferenceUnknown, SchemaInvalid, StateConflict
from flexiciency.soap.spyne_service import read, written
from flexiciency.soap.spyne_types import classes
from flexiciency.store import flexibility, validations
from flexiciency.store.database import Database
from flexiciency.store.transaction import Row, Transaction, transaction
from flexiciency.store.validations import Direction, Response

log = structlog.get_logger()

Grid = Callable[[Path, LoadArea, Curve], Validation]
"""Computes what a grid model (a file) allows of a curve; raises what it likes where it cannot."""

ATTEMPTS = 3
"""So often the grid model is tried before the answer is that nothing is allowed."""

_PLAYER = classes(f"urn:flexiciency:{MARKET_PLAYER}-operations:1")


class GridFailed(Exception):  # noqa: N818  tells Procrastinate to try again
    """The grid model could not be computed; the request is still Received."""


def answer_late(database: Database, grid: Grid, request_id: str, attempt: int, now: Callable[[], datetime]) -> None:
    """Compute and push the answer to a request that is Received; nothing for one that is answered.

    `attempt` counts from 1, those that a worker died of included. Raises GridFailed for another one.
    """
    with transaction(database) as tx:
        (rows,) = tx.look_up(validations.received(request_id))
    if not rows:
        return
    # Outside of any transaction: a grid model may take minutes.
    answer = _computed(grid, rows, request_id, attempt)
    with transaction(database) as tx:
        ((request,),) = tx.read(validations.locked(request_id))
        if request.status != "Received":  # the same job in another worker, which was taken for dead
            return
        response = validations.response_of(new_id(), answer)
        validations.answer(tx, request_id, response, now())
        content = written(written_response(_PLAYER, request_id, response))
        Outbox().push_object(tx, request.player_id, "ReceiveTechnicalValidationResponse", content, response.id, now())


def take_reply(tx: Transaction, delivery: Row, reply: etree._Element, now: datetime) -> None:
    """Store the TECH-FLEX-RESP in the reply to a locked delivery of TECH-FLEX-REQ; without one it comes later.

    Raises ReferenceUnknown for the response to something else, StateConflict for one more.
    """
    found = read(_PLAYER.ReceiveTechnicalValidationRequestResponse, reply).TechnicalValidationResponse
    if found is None:
        return
    wrapper = "ReceiveTechnicalValidationRequestResponse"
    if found.TechnicalValidationRequestRef != delivery.object_id:
        raise _not_asked(found, wrapper)
    take_response(tx, delivery.recipient_id, found, wrapper, now)


def take_response(tx: Transaction, player_id: str, found: Any, wrapper: str, now: datetime) -> None:
    """Store a Market Player's TECH-FLEX-RESP (a Spyne object that stands in `wrapper`) with what it was asked.

    Raises ReferenceUnknown for what that player was not asked, StateConflict for what is answered, SchemaInvalid when
    the factors contradict each other.
    """
    (rows,) = tx.read(validations.locked(found.TechnicalValidationRequestRef))
    if not rows or (rows[0].player_id, rows[0].direction) != (player_id, Direction.TO_PLAYER):
        raise _not_asked(found, wrapper)
    if rows[0].status == "Answered":
        raise StateConflict(
            f"TECH-FLEX-REQ {rows[0].id} was answered by {rows[0].response_id}. The first answer counts.",
            path=f"{wrapper}/TechnicalValidationResponse/TechnicalValidationRequestRef",
        )
    why = found.Reason
    response = Response(
        found.Id, found.DsoFactor, found.TsoFactor, found.LimitingElement, why and why.Code, why and why.Text
    )
    if found.CurtailmentFactor != response.factor:
        raise SchemaInvalid(
            f"CurtailmentFactor is {found.CurtailmentFactor}; expected {response.factor}, the lesser of DsoFactor and "
            "TsoFactor.",
            path=f"{wrapper}/TechnicalValidationResponse/CurtailmentFactor",
        )
    validations.answer(tx, rows[0].id, response, now)


def written_response(types: SimpleNamespace, request_id: str, response: Response) -> Any:
    """TECH-FLEX-RESP of ours."""
    why = response.reason_code and types.Reason(Code=response.reason_code, Text=response.reason_text)
    return types.TechnicalValidationResponse(
        Id=response.id, TechnicalValidationRequestRef=request_id, CurtailmentFactor=response.factor,
        DsoFactor=response.dso, TsoFactor=response.tso, LimitingElement=response.limiting_element, Reason=why,
    )  # fmt: skip


def _computed(grid: Grid, rows: list[Row], request_id: str, attempt: int) -> Validation:
    """What headroom and grid model allow; of a load area whose model was taken away meanwhile, headroom alone."""
    facts, curve = flexibility.facts_of(rows), validations.curve_of(rows[0])
    headroom = validate(curve, facts.area)
    if facts.area is None or facts.network is None:
        return headroom
    if attempt > ATTEMPTS:  # each attempt ended its worker
        return without_grid(headroom)
    try:
        return combined(headroom, grid(facts.network, facts.area, curve))
    except Exception as error:
        # Whatever it was, it is logged, and the player gets an answer.
        log.exception("grid not computed", request=request_id, network=str(facts.network), attempt=attempt)
        if attempt < ATTEMPTS:
            raise GridFailed(str(error)) from error
        return without_grid(headroom)


def _not_asked(found: Any, wrapper: str) -> ReferenceUnknown:
    return ReferenceUnknown(
        f"TECH-FLEX-REQ {found.TechnicalValidationRequestRef} was not asked of this party. Give an Id that was.",
        path=f"{wrapper}/TechnicalValidationResponse/TechnicalValidationRequestRef",
    )

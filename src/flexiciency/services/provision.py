"""Service provision (D2.3, 2.6): values on request, the status of a message."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flexiciency import __version__
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.delivery.build import values_object, wrapped
from flexiciency.delivery.built import Built
from flexiciency.domain.portions import Caps
from flexiciency.domain.provision import INDIVIDUAL
from flexiciency.domain.resampling import divides, multiples
from flexiciency.errors import StateConflict, ValuesInvalid
from flexiciency.services.agreement import own_agreement
from flexiciency.services.answer_size import must_fit
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, seconds
from flexiciency.soap.endpoint import Call
from flexiciency.store import agreements, deliveries
from flexiciency.store.deliveries import Cause, Values
from flexiciency.store.release import Asked
from flexiciency.store.transaction import Row, Transaction
from flexiciency.store.values import STEPS

_B2BO = 'xmlns:b2bo="urn:flexiciency:b2b-operations:1"'


def ping(call: Call, _message: Any = None) -> Any:
    """Time and version of this host."""
    return B2B.PingResponse(Time=seconds(call.now), Version=__version__)


def request_values(caps: Caps, call: Call, message: Any) -> Iterator[bytes]:
    """IND-DAT-VAL of what may leave now under an agreement.

    Raises ReferenceUnknown, ValuesInvalid for an empty period, StateConflict when nothing may leave or the agreement is
    of another service than individual data, or of a coarser time step; AnswerTooLarge for more than `caps`.
    """
    selection, tx = message.IndividualDataSelection, transaction_of(call)
    agreement = own_agreement(call, message.AgreementId)
    must_be_of(agreement, INDIVIDUAL, call)
    must_be_served(agreement, selection, "RequestIndividualDataValues/IndividualDataSelection")
    start, end = selection.Period.Start, selection.Period.End
    must_not_be_empty(start, end, "RequestIndividualDataValues/IndividualDataSelection/Period/End")
    pods = _pods(tx, agreement.id, selection)
    asked = Asked(agreement.id, Quantity(selection.Quantity), TimeStep(selection.TimeStep), start, end, pods)
    must_fit(tx, asked, caps, "RequestIndividualDataValues/IndividualDataSelection")
    encoding = Encoding(selection.Encoding or Encoding.EXPLICIT)
    built = values_object(tx, asked, new_id(), selection=selection.Id, encoding=encoding)
    if built is None:
        raise StateConflict(
            f"Nothing of this selection may leave under agreement {agreement.id} ({agreement.status}): no values are "
            "stored, or agreement and consents do not cover them. Check quantity, time step, period and PoDs.",
            path="RequestIndividualDataValues/IndividualDataSelection",
        )
    yield from answered(call, built, Values(agreement.id, start, end, cause=Cause.ANSWERED, step=asked.step))


def answered(call: Call, built: Built, values: Values) -> Iterator[bytes]:
    """The reply with values, which are then stored as a delivery that was received."""
    name = f"b2bo:{call.operation.name}Response"
    yield from wrapped(f"<{name} {_B2BO}>".encode(), built.chunks, f"</{name}>".encode())
    deliveries.store_answered(
        transaction_of(call), recipient_id=call.speaker.id, operation=call.operation.name, object_id=built.object_id,
        what=values, sent=built.sent, now=call.now, relates_to=call.message.addressing.message_id,
    )  # fmt: skip


def must_not_be_empty(start: datetime, end: datetime, path: str | None) -> None:
    """Raises ValuesInvalid at `path` for a period that is."""
    if end <= start:
        raise ValuesInvalid("Period/End must be later than Period/Start.", path=path)


def must_be_of(agreement: Row, service_type: str, call: Call) -> None:
    """An agreement gives the data of its own type of service only. Raises StateConflict."""
    if agreement.service_type != service_type:
        raise StateConflict(
            f"Agreement {agreement.id} is of {agreement.service_type}, and {call.operation.name} gives values of "
            f"{service_type} only. Use the operation of the agreed service.",
            path=f"{call.operation.name}/AgreementId",
        )


def must_be_served(agreement: Row, selection: Any, path: str) -> None:
    """The agreement's time step is the finest in which values leave. Raises StateConflict for one it does not divide.

    `path` is the selection's.
    """
    agreed, asked = STEPS[agreement.time_step], TimeStep(selection.TimeStep)
    if not divides(agreed, asked):
        raise StateConflict(
            f"Agreement {agreement.id} is of TimeStep {agreed.value}, not {asked.value}. Ask for {multiples(agreed)}.",
            path=f"{path}/TimeStep",
        )


def status(call: Call, message: Any) -> Any:
    """What became of a message from or to the caller."""
    sender = call.message.addressing.from_ or ""
    (rows,) = transaction_of(call).look_up(deliveries.status(message.MessageId, sender, call.speaker.id))
    found: dict[str, Any] = {"Status": "Unknown"}
    if rows:
        found = {"Status": rows[0].state, "At": rows[0].at and seconds(rows[0].at)}
    return B2B.ReadMessageStatusResponse(MessageStatus=B2B.MessageStatus(MessageId=message.MessageId, **found))


def _pods(tx: Transaction, agreement_id: str, selection: Any) -> tuple[str, ...] | None:
    """PoDs of a selection, named or held by the customers named; None for all of the agreement."""
    place, period = selection.Localization, selection.Period
    if not place.PoD and not place.CustomerId:
        return None
    (held,) = tx.look_up(agreements.pods_held(agreement_id, place.CustomerId or (), period.Start, period.End))
    return (*(place.PoD or ()), *(row.pod for row in held))

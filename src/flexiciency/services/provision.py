"""Service provision (D2.3, 2.6): values on request, their acknowledgement, the mailbox, the status of a message."""

from collections.abc import Iterator
from typing import Any

from flexiciency import __version__
from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.delivery.build import new_object_id, values_object, wrapped
from flexiciency.delivery.message import mark_leaving
from flexiciency.domain.provision import PodStatus, pod_status
from flexiciency.errors import ReferenceUnknown, StateConflict, ValuesInvalid
from flexiciency.services.agreement import own_agreement
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, receipt, seconds
from flexiciency.soap.endpoint import Call
from flexiciency.soap.outgoing import Body
from flexiciency.store import agreements, deliveries
from flexiciency.store.release import Asked
from flexiciency.store.transaction import Row, Transaction

_B2BO = 'xmlns:b2bo="urn:flexiciency:b2b-operations:1"'


def ping(call: Call, _message: Any = None) -> Any:
    """Time and version of this host."""
    return B2B.PingResponse(Time=seconds(call.now), Version=__version__)


def request_values(call: Call, message: Any) -> Iterator[bytes]:
    """IND-DAT-VAL of what may leave now under an agreement.

    Raises ReferenceUnknown, ValuesInvalid for an empty period, StateConflict when nothing may leave.
    """
    selection, tx = message.IndividualDataSelection, transaction_of(call)
    agreement = own_agreement(call, message.AgreementId)
    start, end = selection.Period.Start, selection.Period.End
    if end <= start:
        raise ValuesInvalid(
            "Period/End must be later than Period/Start.",
            path="RequestIndividualDataValues/IndividualDataSelection/Period/End",
        )
    pods = _pods(tx, agreement.id, selection)
    asked = Asked(agreement.id, Quantity(selection.Quantity), TimeStep(selection.TimeStep), start, end, pods)
    encoding = Encoding(selection.Encoding or Encoding.EXPLICIT)
    object_id = new_object_id()
    built = values_object(tx, asked, object_id, selection=selection.Id, encoding=encoding)
    if built is None:
        raise StateConflict(
            f"Nothing of this selection may leave under agreement {agreement.id}: no values are stored, or agreement "
            "and consents do not cover them. Check quantity, time step, period and PoDs.",
            path="RequestIndividualDataValues/IndividualDataSelection",
        )
    name = "b2bo:RequestIndividualDataValuesResponse"
    yield from wrapped(f"<{name} {_B2BO}>".encode(), built.chunks, f"</{name}>".encode())
    deliveries.store_answered(
        tx, recipient_id=call.speaker.id, operation=call.operation.name, object_id=object_id,
        what=deliveries.Values(agreement.id, start, end), pods=built.counts.items(), now=call.now,
        relates_to=call.message.addressing.message_id,
    )  # fmt: skip


def acknowledge(call: Call, message: Any) -> Any:
    """IND-DAT-ACK: OK or KO per PoD of a delivery. Raises ReferenceUnknown for one that was not sent to the caller."""
    acknowledgement, tx = message.IndividualDataAcknowledgement, transaction_of(call)
    reference = acknowledgement.IndividualDataValueRef
    (rows,) = tx.read(deliveries.by_object(reference))
    if not rows or rows[0].recipient_id != call.speaker.id:
        raise ReferenceUnknown(
            f"No IND-DAT-VAL {reference} was delivered to {call.speaker.id}.",
            path="AcknowledgeIndividualData/IndividualDataAcknowledgement/IndividualDataValueRef",
        )
    (delivery,) = rows
    (sent,) = tx.look_up(deliveries.sent_pods(delivery.id))
    acknowledged = [_pod_status(of_pod) for of_pod in acknowledgement.PodAcknowledgement]
    strangers = {pod for pod, *_ in acknowledged} - {row.pod for row in sent}
    if strangers:
        raise ReferenceUnknown(
            f"PoD {min(strangers)} is not in IND-DAT-VAL {reference}. Acknowledge what was received.",
            path="AcknowledgeIndividualData/IndividualDataAcknowledgement/PodAcknowledgement/PoD",
        )
    deliveries.acknowledge(tx, delivery.id, acknowledged, call.now)
    return B2B.AcknowledgeIndividualDataResponse(Receipt=receipt(B2B, call))


def peek(call: Call, _message: Any = None) -> Iterator[bytes]:
    """The oldest delivery that waits for the caller, again and again until it is confirmed."""
    tx = transaction_of(call)
    waiting, item = _oldest(tx, call)
    opening = f"<b2bo:PeekMailboxResponse {_B2BO}>".encode()
    closing = f"<b2bo:Waiting>{waiting}</b2bo:Waiting></b2bo:PeekMailboxResponse>".encode()
    yield from wrapped(opening, item, closing)


def confirm(call: Call, message: Any) -> Any:
    """Take a delivery out of the mailbox. Raises ReferenceUnknown for one that was not peeked at."""
    tx = transaction_of(call)
    (known,) = tx.look_up(deliveries.peeked(call.speaker.id, message.MessageId))
    if not known:
        raise ReferenceUnknown(
            f"Nothing with MessageId {message.MessageId} was handed out. Peek first.", path="ConfirmMailbox/MessageId"
        )
    deliveries.confirm(tx, call.speaker.id, message.MessageId, call.now)
    return B2B.ConfirmMailboxResponse(Receipt=receipt(B2B, call))


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


def _pod_status(of_pod: Any) -> tuple[str, str, str | None]:
    statuses = [
        PodStatus(each.Status == "OK", each.Reason.Code if each.Reason else None) for each in of_pod.Acknowledgement
    ]
    decided = pod_status(statuses)
    return of_pod.PoD, "OK" if decided.accepted else "KO", decided.reason_code


def _oldest(tx: Transaction, call: Call) -> tuple[int, Iterator[bytes]]:
    """How many wait, and the oldest as a MailboxItem. Values of which none may leave any more are passed over."""
    while True:
        oldest, count = tx.look_up(
            deliveries.oldest_waiting(call.speaker.id), deliveries.count_waiting(call.speaker.id)
        )
        if not oldest:
            return 0, iter(())
        (rows,) = tx.read(deliveries.locked(oldest[0].id))
        (delivery,) = rows
        if delivery.received_at is not None:  # confirmed while we waited for the lock
            continue
        item = _item(tx, call, delivery)
        if item is not None:
            return count[0].waiting, item


def _item(tx: Transaction, call: Call, delivery: Row) -> Iterator[bytes] | None:
    """The delivery as a MailboxItem, marked Sent."""
    leaving = mark_leaving(tx, delivery, lambda chunks: chunks, call.now)
    if leaving is None:
        return None
    action = f"urn:flexiciency:{MARKET_PLAYER}:1:{delivery.operation}"
    opening = (
        f"<b2bo:MailboxItem><b2bo:MessageId>{leaving.message_id}</b2bo:MessageId><b2bo:Action>{action}</b2bo:Action>"
        "<b2bo:Content>"
    )
    return wrapped(opening.encode(), _content(leaving.body), b"</b2bo:Content></b2bo:MailboxItem>")


def _content(body: Body) -> Iterator[bytes]:
    """What stands in a Body, which is not needed again."""
    try:
        yield from body.content()
    finally:
        body.close()

"""A delivery at the moment it leaves: built, its Body digested, and marked Sent, in one transaction.

The same delivery looked at again is the same message as long as all of it may still leave; else it is a new message,
with a new MessageID, without what a revocation took out of it or with what a correction changed. One that was received
before, and is sent again as it was not acknowledged, stays what it was then, and the new message is another delivery:
what left by which consent is never forgotten.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from flexiciency.contract.ids import new_id
from flexiciency.delivery.build import build
from flexiciency.delivery.built import Built
from flexiciency.delivery.jobs import defer_push
from flexiciency.soap.outgoing import Body, body_of
from flexiciency.store import deliveries, parties, resends
from flexiciency.store.deliveries import Cause, Sent, Values
from flexiciency.store.transaction import Row, Transaction
from flexiciency.wire.addressing import new_message_id


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves: the MessageID, and the Body around the object in its wrapper."""

    message_id: str
    body: Body


_NOTHING_NEW = Sent([], [])
"""Of a message sent again as it was: what was acknowledged in it stays so."""

Wrap = Callable[[Iterator[bytes]], Iterator[bytes]]


def mark_leaving(tx: Transaction, delivery: Row, wrap: Wrap, now: datetime, aggregate_minimum: int) -> Leaving | None:
    """Mark a locked delivery Sent; None when it does not leave: no value of it may, or another one took its place."""
    message_id = delivery.message_id
    built = build(tx, delivery, delivery.object_id, aggregate_minimum)
    body = _body(built, wrap)
    if built and body and delivery.body_digest not in (None, body.digest):
        body.close()
        if delivery.resends:
            _replace(tx, delivery, now)
            return None
        message_id = new_message_id()
        built = build(tx, delivery, new_id(), aggregate_minimum)
        body = _body(built, wrap)
    if built is None or body is None:
        deliveries.mark_withheld(tx, delivery.id, "no value may leave any more", now)
        tx.flush()
        return None
    deliveries.mark_sent(
        tx, delivery.id, message_id=message_id, object_id=built.object_id, digest=body.digest,
        sent=_NOTHING_NEW if delivery.resends else built.sent, now=now,
    )  # fmt: skip
    return Leaving(message_id, body)


def _replace(tx: Transaction, delivery: Row, now: datetime) -> None:
    """Queue what may still leave of values that were received once, in the place of these."""
    values = Values(
        delivery.agreement_id, delivery.value_start, delivery.value_end, delivery.time_zone,
        delivery.pods and tuple(delivery.pods), Cause(delivery.cause),
    )  # fmt: skip
    by = deliveries.queue(
        tx, recipient_id=delivery.recipient_id, operation=delivery.operation, object_id=new_id(), what=values, now=now
    )
    resends.mark_replaced(tx, delivery.id, by)
    tx.flush()
    (addresses,) = tx.look_up(parties.location(delivery.recipient_id))
    if addresses:
        defer_push(tx.driver, by)


def _body(built: Built | None, wrap: Wrap) -> Body | None:
    return None if built is None else body_of(wrap(built.chunks))

"""A delivery at the moment it leaves: built, its Body digested, and marked Sent, in one transaction.

The same delivery looked at again is the same message as long as all of it may still leave; else it is a new message,
with a new MessageID, without what a revocation took out of it or with what a correction changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from flexiciency.contract.ids import new_id
from flexiciency.delivery.build import build
from flexiciency.delivery.built import Built
from flexiciency.soap.outgoing import Body, body_of
from flexiciency.store import deliveries
from flexiciency.store.transaction import Row, Transaction
from flexiciency.wire.addressing import new_message_id


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves: the MessageID, and the Body around the object in its wrapper."""

    message_id: str
    body: Body


Wrap = Callable[[Iterator[bytes]], Iterator[bytes]]


def mark_leaving(tx: Transaction, delivery: Row, wrap: Wrap, now: datetime, aggregate_minimum: int) -> Leaving | None:
    """Mark a locked delivery Sent, or withheld (None) when it is values of which none may leave any more."""
    message_id = delivery.message_id
    built = build(tx, delivery, delivery.object_id, aggregate_minimum)
    body = _body(built, wrap)
    if built and body and delivery.body_digest not in (None, body.digest):
        body.close()
        message_id = new_message_id()
        built = build(tx, delivery, new_id(), aggregate_minimum)
        body = _body(built, wrap)
    if built is None or body is None:
        deliveries.mark_withheld(tx, delivery.id, "no value may leave any more", now)
        tx.flush()
        return None
    deliveries.mark_sent(
        tx, delivery.id, message_id=message_id, object_id=built.object_id, digest=body.digest,
        sent=built.sent, now=now,
    )  # fmt: skip
    return Leaving(message_id, body)


def _body(built: Built | None, wrap: Wrap) -> Body | None:
    return None if built is None else body_of(wrap(built.chunks))

"""The mailbox of an interface: what could not be pushed waits here, oldest first, until its recipient has taken it."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.delivery.build import wrapped
from flexiciency.delivery.message import mark_leaving
from flexiciency.domain.aggregation import SMALLEST_GROUP
from flexiciency.errors import ReferenceUnknown
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import receipt
from flexiciency.soap.endpoint import Call
from flexiciency.soap.outgoing import Body
from flexiciency.soap.spyne_service import Handler
from flexiciency.store import deliveries
from flexiciency.store.transaction import Row, Transaction


class Mailbox:
    """PeekMailbox and ConfirmMailbox of one interface; `operations` are the pushes that may wait in it."""

    def __init__(
        self,
        types: SimpleNamespace,
        prefix: str,
        namespace: str,
        operations: frozenset[str],
        aggregate_minimum: int = SMALLEST_GROUP,
    ) -> None:
        self._types = types
        self._prefix = prefix
        self._declared = f'xmlns:{prefix}="{namespace}"'
        self._operations = operations
        self._aggregate_minimum = aggregate_minimum

    @property
    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {"PeekMailbox": self._peek, "ConfirmMailbox": self._confirm}

    def _peek(self, call: Call, _message: Any = None) -> Iterator[bytes]:
        """The oldest delivery that waits for the caller, again and again until it is confirmed."""
        tx, prefix = transaction_of(call), self._prefix
        waiting, item = self._oldest(tx, call)
        opening = f"<{prefix}:PeekMailboxResponse {self._declared}>".encode()
        closing = f"<{prefix}:Waiting>{waiting}</{prefix}:Waiting></{prefix}:PeekMailboxResponse>".encode()
        yield from wrapped(opening, item, closing)

    def _confirm(self, call: Call, message: Any) -> Any:
        """Take a delivery out of the mailbox. Raises ReferenceUnknown for one that was not peeked at."""
        tx = transaction_of(call)
        (known,) = tx.look_up(deliveries.peeked(call.speaker.id, message.MessageId))
        if not known:
            raise ReferenceUnknown(
                f"Nothing with MessageId {message.MessageId} was handed out. Peek first.",
                path="ConfirmMailbox/MessageId",
            )
        deliveries.confirm(tx, call.speaker.id, message.MessageId, call.now)
        return self._types.ConfirmMailboxResponse(Receipt=receipt(self._types, call))

    def _oldest(self, tx: Transaction, call: Call) -> tuple[int, Iterator[bytes]]:
        """How many wait, and the oldest as a MailboxItem. Values of which none may leave any more are passed over."""
        recipient = call.speaker.id
        while True:
            oldest, count = tx.look_up(
                deliveries.oldest_waiting(recipient, self._operations),
                deliveries.count_waiting(recipient, self._operations),
            )
            if not oldest:
                return 0, iter(())
            (rows,) = tx.read(deliveries.locked(oldest[0].id))
            (delivery,) = rows
            if delivery.received_at is not None:  # confirmed while we waited for the lock
                continue
            item = self._item(tx, call, delivery)
            if item is not None:
                return count[0].waiting, item

    def _item(self, tx: Transaction, call: Call, delivery: Row) -> Iterator[bytes] | None:
        """The delivery as a MailboxItem, marked Sent."""
        leaving = mark_leaving(tx, delivery, lambda chunks: chunks, call.now, self._aggregate_minimum)
        if leaving is None:
            return None
        action, prefix = f"urn:flexiciency:{MARKET_PLAYER}:1:{delivery.operation}", self._prefix
        opening = (
            f"<{prefix}:MailboxItem><{prefix}:MessageId>{leaving.message_id}</{prefix}:MessageId>"
            f"<{prefix}:Action>{action}</{prefix}:Action><{prefix}:Content>"
        )
        closing = f"</{prefix}:Content></{prefix}:MailboxItem>"
        return wrapped(opening.encode(), _content(leaving.body), closing.encode())


def _content(body: Body) -> Iterator[bytes]:
    """What stands in a Body, which is not needed again."""
    try:
        yield from body.content()
    finally:
        body.close()

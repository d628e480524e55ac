"""What goes to a Market Player: stored, and its push deferred, in the transaction of the business change."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from flexiciency.delivery.jobs import defer_pushes
from flexiciency.store import deliveries, parties
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import Transaction, transaction


class Outbox:
    """Queues deliveries. A party with an address (MPL-ADD) is pushed to; for one without they wait in the mailbox."""

    def push_object(
        self, tx: Transaction, recipient_id: str, operation: str, content: bytes, object_id: str, now: datetime
    ) -> None:
        """Queue an object's canonical XML for an operation of the Market Player interface."""
        self._queue(tx, recipient_id, operation, content, object_id, now)

    def push_values(
        self, tx: Transaction, recipient_id: str, values: Values, object_id: str, now: datetime,
        *, aggregated: bool = False,
    ) -> None:  # fmt: skip
        """Queue values, or their aggregates; which of them leave is decided when the message is marked Sent."""
        operation = "ReceiveAggregatedDataValue" if aggregated else "ReceiveIndividualDataValue"
        self._queue(tx, recipient_id, operation, values, object_id, now)

    def push_queued(self, tx: Transaction, recipient_id: str, delivery_ids: Sequence[UUID]) -> None:
        """Defer the push of deliveries that are queued already."""
        (addresses,) = tx.look_up(parties.location(recipient_id))
        if addresses:
            tx.flush()
            defer_pushes(tx.driver, delivery_ids)

    def _queue(
        self, tx: Transaction, recipient_id: str, operation: str, what: bytes | Values, object_id: str, now: datetime
    ) -> None:
        delivery_id = deliveries.queue(
            tx, recipient_id=recipient_id, operation=operation, object_id=object_id, what=what, now=now
        )
        self.push_queued(tx, recipient_id, [delivery_id])


def push_stranded(database: Database, before: datetime) -> int:
    """Defer the push of what waited for its party's address, or lost its job; gives their number."""
    with transaction(database) as tx:
        (waiting,) = tx.read(deliveries.stranded(before))
        defer_pushes(tx.driver, [delivery.id for delivery in waiting])
    return len(waiting)

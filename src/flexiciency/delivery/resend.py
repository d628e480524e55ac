"""Values that were delivered and not acknowledged are sent again, with growing pauses, then escalated (D2.3, 2.6).

The message is the same as long as all of it may still leave; `delivery.message` sees to that.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from flexiciency.delivery.jobs import defer_push
from flexiciency.store import resends
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an acknowledgement is waited for before the first re-send, and how many there are at most."""

    timeout: timedelta
    resends: int


def resend(database: Database, patience: Patience, now: datetime) -> tuple[int, int]:
    """Send again what is due, up to 1,000 deliveries; gives how many, and how many were escalated.

    Several may run at once: each takes what no other one has taken.
    """
    with transaction(database) as tx:
        (due,) = tx.read(resends.due(patience.timeout, patience.resends, now))
        again, late = [row for row in due if row.again], [row for row in due if not row.again]
        if again:
            resends.send_again(tx, [row.id for row in again], now)
            tx.flush()
        for row in again:
            if row.addressed:
                defer_push(tx.driver, row.id)
        if late:
            resends.escalate(tx, [row.id for row in late], now)
    for row in late:
        log.warning(
            "values not acknowledged", delivery_id=str(row.id), recipient=row.recipient_id, message_id=row.message_id,
            resends=row.resends,
        )  # fmt: skip
    return len(again), len(late)

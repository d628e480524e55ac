"""Values that were delivered and not acknowledged: which are due to be sent again, or to be looked at by somebody."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from flexiciency.store.transaction import Query, Transaction

# What may not leave any more is Dead though received; a party that is not Active is waited for.
_DUE = """
SELECT d.id, d.recipient_id, d.message_id, d.received_at IS NOT NULL AND d.resends < %(most)s AS again, d.resends,
    EXISTS (SELECT FROM market_player_location l WHERE l.registration_id = d.recipient_id) AS addressed
FROM delivery d JOIN market_player_registration r ON r.id = d.recipient_id AND r.status = 'Active'
WHERE d.sent_at IS NOT NULL AND d.acknowledged_at IS NULL AND d.escalated_at IS NULL AND d.replaced_by IS NULL
  AND d.cause <> 'Answered' AND (d.received_at IS NOT NULL OR d.resends > 0)
  AND NOT (d.state = 'Dead' AND d.received_at IS NOT NULL)
  AND coalesce(d.resent_at, d.received_at) + %(pause)s * power(2, d.resends) <= %(now)s
ORDER BY coalesce(d.resent_at, d.received_at), d.number LIMIT 1000 FOR UPDATE OF d SKIP LOCKED
"""
_AGAIN = """
UPDATE delivery SET received_at = NULL, resent_at = %(now)s, resends = resends + 1, attempts = 0
WHERE id = ANY(%(ids)s)
"""
_ESCALATE = "UPDATE delivery SET escalated_at = %(now)s WHERE id = ANY(%(ids)s)"
_REPLACED = """
UPDATE delivery SET replaced_by = %(by)s, received_at = coalesce(received_at, resent_at),
    state = CASE WHEN state IN ('Retrying', 'Dead') THEN 'Sent' ELSE state END
WHERE id = %(id)s
"""


def due(pause: timedelta, most: int, now: datetime) -> Query:
    """Deliveries of values not acknowledged for `pause`, twice that after the first re-send, and so on; locked.

    Each is to be sent `again`, or was sent `most` times again, or was not received the last time.
    """
    return Query(_DUE, {"pause": pause, "most": most, "now": now})


def send_again(tx: Transaction, ids: Sequence[UUID], now: datetime) -> None:
    """Have them pushed, or wait in the mailbox, as if they had not been received; with all attempts left."""
    tx.write(_AGAIN, ids=list(ids), now=now)


def escalate(tx: Transaction, ids: Sequence[UUID], now: datetime) -> None:
    """Mark what is not sent again; an acknowledgement takes the mark away."""
    tx.write(_ESCALATE, ids=list(ids), now=now)


def mark_replaced(tx: Transaction, delivery_id: UUID, by: UUID) -> None:
    """Received as it was, and not sent again: another delivery has what may still leave of it."""
    tx.write(_REPLACED, id=delivery_id, by=by)

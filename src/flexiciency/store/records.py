"""What an operator looks up: evidence and deliveries, the latest first."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select, update

from flexiciency.errors import ReferenceUnknown
from flexiciency.store import tables


def evidence(connection: Connection, *, message_id: str | None, peer: str | None, limit: int) -> list[Row[Any]]:
    """Messages kept as evidence, of one MessageID or peer if given."""
    message = tables.message
    query = select(
        message.c.id, message.c.at, message.c.direction, message.c.peer, message.c.action, message.c.message_id,
        message.c.code, message.c.verified, message.c.size,
    )  # fmt: skip
    if message_id is not None:
        query = query.where((message.c.message_id == message_id) | (message.c.relates_to == message_id))
    if peer is not None:
        query = query.where(message.c.peer == peer)
    return list(connection.execute(query.order_by(message.c.id.desc()).limit(limit)))


def _pods(delivery_id: Any, named: Any) -> Any:
    """How many PoDs are in a message of values; before it is sent, how many it names, if it does."""
    sent = select(func.count()).where(tables.delivery_pod.c.delivery_id == delivery_id).scalar_subquery()
    return func.coalesce(func.nullif(sent, 0), func.cardinality(named)).label("pods")


def deliveries(connection: Connection, *, state: str | None, escalated: bool, limit: int) -> list[Row[Any]]:
    """Deliveries, of one state if given, or those escalated; of values with cause, period in UTC and number of PoDs."""
    delivery = tables.delivery
    query = select(
        delivery.c.id, delivery.c.created_at, delivery.c.recipient_id, delivery.c.operation, delivery.c.state,
        delivery.c.cause, func.lower(delivery.c.value_period).label("values_from"),
        func.upper(delivery.c.value_period).label("values_until"), _pods(delivery.c.id, delivery.c.pods),
        delivery.c.attempts, delivery.c.sent_at, delivery.c.received_at, delivery.c.resends, delivery.c.escalated_at,
        delivery.c.last_error,
    )  # fmt: skip
    if state is not None:
        query = query.where(delivery.c.state == state)
    if escalated:
        query = query.where(delivery.c.escalated_at.is_not(None))
    return list(connection.execute(query.order_by(delivery.c.created_at.desc()).limit(limit)))


def count_escalated(connection: Connection) -> int:
    """How many deliveries of values are not acknowledged though sent again and again."""
    delivery = tables.delivery
    counted = select(func.count()).select_from(delivery).where(delivery.c.escalated_at.is_not(None))
    return connection.execute(counted).scalar_one()


def dead(connection: Connection, recipient_id: str) -> list[UUID]:
    """Dead deliveries to a registration that may be tried again, the oldest first."""
    delivery = tables.delivery
    wanted = (delivery.c.recipient_id == recipient_id) & (delivery.c.state == "Dead") & delivery.c.received_at.is_(None)
    return list(connection.execute(select(delivery.c.id).where(wanted).order_by(delivery.c.created_at)).scalars())


def reopen(connection: Connection, delivery_id: UUID) -> None:
    """Let a Dead delivery be tried again from the first attempt. Raises ReferenceUnknown."""
    delivery = tables.delivery
    changed = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.state == "Dead", delivery.c.received_at.is_(None))
        .values(state="Queued", attempts=0, last_error=None)
    )
    if changed.rowcount == 0:
        raise ReferenceUnknown(f"There is no Dead delivery {delivery_id}. `deliveries list --state Dead` shows them.")

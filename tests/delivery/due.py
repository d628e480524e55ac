"""Blocks stored, agreements on their days, and what the schedule has queued of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select, text

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.schedule import DEFAULT_TERMS, Terms, queue_due
from flexiciency.domain.values import Block, local_day
from flexiciency.services.agreement_standing import settle
from flexiciency.store import agreement_standing, tables
from flexiciency.store.database import Database
from flexiciency.store.pods import PodRecord, stage, store_staged
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.gateway import Sender
from tests.messages import activation, new_id, proposal
from tests.services.aggregating import give_consent
from tests.world import ZONE

DAY = date(2025, 1, 5)
END = local_day(DAY, ZONE)[1]
SOON, LATE = END + timedelta(hours=1), END + timedelta(days=3)


def store(database: Database, pods: list[str], value: int = 1, day: date = DAY, missing: int = 0) -> None:
    """Blocks of one value, the first `missing` values Missing."""
    qualities = np.zeros(96, dtype=np.uint8)
    qualities[:missing] = Quality.MISSING
    filled = np.full(96, value, dtype=np.int32)
    start, _ = local_day(day, ZONE)
    with transaction(database) as tx:
        store_blocks(tx, [
            Block(pod, Quantity.ENERGY_CONSUMPTION, day, 1, start, TimeStep.PT15M, filled, qualities) for pod in pods
        ])  # fmt: skip


def consented(player: Sender, channel: Sender, pods: list[str], days: int = 1) -> tuple[dict[str, str], str]:
    """Consents, by PoD, and an agreement on the individual values of some days from DAY on."""
    covered = {"StartDate": DAY, "EndDate": DAY + timedelta(days)}
    consents = {pod: give_consent(channel, pod, **covered) for pod in pods}
    request, agreement = new_id(), new_id()
    player.send(activation(request, pods))
    player.send(proposal(agreement, request, pods, **covered))
    return consents, agreement


def agree_on_curves(player: Sender, channel: Sender, pods: list[str], days: int = 1) -> str:
    """As `consented`, the agreement alone."""
    return consented(player, channel, pods, days)[1]


def look(database: Database, now: datetime = SOON, terms: Terms = DEFAULT_TERMS) -> int:
    return queue_due(database, Outbox(), now, terms)


def queued(database: Database, agreement: str) -> list[tuple[str, list[str] | None]]:
    """Cause and PoDs of each delivery of an agreement, in order."""
    delivery = tables.delivery
    with database.begin() as connection:
        found = connection.execute(
            select(delivery.c.cause, delivery.c.pods)
            .where(delivery.c.agreement_id == agreement, delivery.c.operation.like("Receive%Value"))
            .order_by(delivery.c.number)
        )
        return [(row.cause, row.pods) for row in found]


def waiting(database: Database, agreement: str) -> list[UUID]:
    delivery = tables.delivery
    with database.begin() as connection:
        return list(connection.execute(
            select(delivery.c.id)
            .where(delivery.c.agreement_id == agreement, delivery.c.received_at.is_(None))
            .order_by(delivery.c.number)
        ).scalars())  # fmt: skip


def hold(database: Database, pod: str, customer: str, until: datetime | None = None, then: str = "") -> None:
    """Master data of a PoD, as `pods import` takes them: one holder, or another one from an instant on."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    holders = [(customer, since, until)] if until is None else [(customer, since, until), (then, until, None)]
    with transaction(database) as tx:
        stage(tx, [(1, PodRecord(pod, "XX", "City", "Street", None, ZONE, *holder)) for holder in holders])
        store_staged(tx)
        (concerned,) = tx.read(agreement_standing.lock_imported())
        settle(tx, concerned, since)


def looked(database: Database, agreement: str) -> list[tuple[int, int, bool]]:
    """How many PoDs were expected and there, and whether that was all, day by day."""
    known = tables.agreement_day
    with database.begin() as connection:
        found = connection.execute(select(known).where(known.c.agreement_id == agreement).order_by(known.c.day))
        return [(row.expected, row.there, row.complete) for row in found]


def corrections(database: Database) -> Any:
    with database.begin() as connection:
        return connection.execute(text("SELECT count(*) FROM value_correction")).scalar_one()

"""PoDs in other time zones than the world's."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from psycopg.types.range import TimestamptzRange
from sqlalchemy import insert

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.blocks import write_blocks
from tests.gateway import Sender
from tests.messages import activation, consent, new_id, proposal


def add_pod(
    database: Database, pod: str, zone: str, days: list[date], customer: str, step: TimeStep = TimeStep.PT15M
) -> None:
    """A PoD held by one customer since 2020, with the values of these local days."""
    held = TimestamptzRange(datetime(2020, 1, 1, tzinfo=UTC), None)
    with database.begin() as connection:
        row = connection.execute(
            insert(tables.pod)
            .values(pod=pod, country="XX", city="City", street="Street", time_zone=zone)
            .returning(tables.pod.c.id)
        )
        connection.execute(insert(tables.pod_holder).values(pod_id=row.scalar_one(), customer_id=customer, held=held))
        for day in days:
            values = np.arange(steps_in_day(day, zone, step), dtype=np.int32)
            start, _ = local_day(day, zone)
            write_blocks(connection, [Block(pod, Quantity.ENERGY_CONSUMPTION, day, 1, start, step, values)])


def agree_on_pod(player: Sender, channel: Sender, pod: str, customer: str, first: date, end: date) -> str:
    """Consent for a day more on both sides, activation and agreement; the agreement's id."""
    request, agreement = new_id(), new_id()
    around = {"StartDate": first - timedelta(days=1), "EndDate": end + timedelta(days=1)}
    channel.send(consent(0, new_id(), CustomerId=customer, PoD=[pod], **around))
    player.send(activation(request, [pod]))
    player.send(proposal(agreement, request, [pod], StartDate=first, EndDate=end))
    return agreement

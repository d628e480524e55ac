"""PoDs in other time zones than the world's."""

from datetime import UTC, date, datetime

import numpy as np
from psycopg.types.range import TimestamptzRange
from sqlalchemy import insert

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.values import write_blocks


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

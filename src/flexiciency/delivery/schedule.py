"""Days of values put on their way: a delivery for each validated agreement, time zone of its PoDs and local day."""

from datetime import date, datetime, timedelta

from flexiciency.contract.ids import new_id
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.provision import AGGREGATED, INDIVIDUAL
from flexiciency.domain.values import local_day
from flexiciency.store import agreements, deliveries
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import Row, transaction


def queue_days(database: Database, outbox: Outbox, start: date, end: date, now: datetime) -> int:
    """Queue each local day of [start, end) that no delivery of the agreement has yet; gives the number queued.

    A transaction per agreement, zone and day; what may leave is decided when it is sent.
    """
    queued = 0
    for offset in range((end - start).days):
        day = start + timedelta(days=offset)
        with transaction(database) as tx:
            (rows,) = tx.look_up(agreements.to_deliver(day, day + timedelta(days=1), (INDIVIDUAL, AGGREGATED)))
        for agreement in rows:
            queued += _queue(database, outbox, agreement, day, now)
    return queued


def _queue(database: Database, outbox: Outbox, agreement: Row, day: date, now: datetime) -> int:
    values = Values(agreement.id, *local_day(day, agreement.time_zone), agreement.time_zone)
    with transaction(database) as tx:
        _, earlier = tx.read(agreements.lock(agreement.id), deliveries.of_values(values))
        if earlier:
            return 0
        aggregated = agreement.service_type == AGGREGATED
        outbox.push_values(tx, agreement.requester_id, values, new_id(), now, aggregated=aggregated)
    return 1

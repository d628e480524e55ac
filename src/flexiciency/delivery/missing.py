"""Values that a Market Player asks for once more (RequestMissingValues; D2.3, 2.6): local days put on their way."""

from collections.abc import Mapping
from datetime import date, datetime

from flexiciency.contract.ids import new_id
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.provision import AGGREGATED
from flexiciency.domain.values import local_day
from flexiciency.store.deliveries import Cause, Values
from flexiciency.store.transaction import Row, Transaction

Days = Mapping[tuple[date, str], tuple[str, ...] | None]
"""By local day and time zone the PoDs concerned; None: all of the agreement in that zone."""


def queue_requested(tx: Transaction, outbox: Outbox, agreement: Row, days: Days, now: datetime) -> None:
    """Queue these days of an agreement, the older first; what of them may leave is decided when it is sent."""
    aggregated = agreement.service_type == AGGREGATED
    for (day, zone), pods in sorted(days.items(), key=lambda item: item[0]):
        values = Values(agreement.id, *local_day(day, zone), zone, pods, Cause.REQUESTED)
        outbox.push_values(tx, agreement.requester_id, values, new_id(), now, aggregated=aggregated)

"""Values that a Market Player asks for once more (RequestMissingValues; D2.3, 2.6): local days put on their way."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from flexiciency.contract.ids import new_id
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.portions import Caps, pods_at_once
from flexiciency.domain.provision import AGGREGATED
from flexiciency.domain.values import local_day, steps_in_day
from flexiciency.store.deliveries import Cause, Values
from flexiciency.store.transaction import Row, Transaction
from flexiciency.store.values import STEPS

Days = Mapping[tuple[date, str], tuple[str, ...] | None]
"""By local day and time zone the PoDs concerned; None: the aggregates of all in that zone."""


def queue_requested(tx: Transaction, outbox: Outbox, agreement: Row, days: Days, caps: Caps, now: datetime) -> None:
    """Queue these days of an agreement, the older first, in messages of so many PoDs as `caps` allow.

    What of them may leave is decided when it is sent.
    """
    aggregated = agreement.service_type == AGGREGATED
    for (day, zone), pods in sorted(days.items(), key=lambda item: item[0]):
        most = pods_at_once(caps, steps_in_day(day, zone, STEPS[agreement.time_step]))
        for part in (None,) if pods is None else batched(pods, most):
            values = Values(agreement.id, *local_day(day, zone), zone, part, Cause.REQUESTED)
            outbox.push_values(tx, agreement.requester_id, values, new_id(), now, aggregated=aggregated)


def batched(pods: tuple[str, ...], most: int) -> Iterator[tuple[str, ...]]:
    """At most so many PoDs at a time."""
    for first in range(0, len(pods), most):
        yield pods[first : first + most]

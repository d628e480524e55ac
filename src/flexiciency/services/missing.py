"""RequestMissingValues (D2.3, 2.6; +): what was not delivered, was refused or not acknowledged is sent once more."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flexiciency.contract.series import instant_of
from flexiciency.delivery.missing import queue_requested
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.gaps import TO_BE_SENT, Gap
from flexiciency.domain.portions import Caps
from flexiciency.domain.provision import AGGREGATED
from flexiciency.domain.values import local_day
from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.services.agreement import own_agreement
from flexiciency.services.exchange import transaction_of
from flexiciency.services.gaps import Asked, each
from flexiciency.services.provision import must_not_be_empty
from flexiciency.services.replies import B2B, receipt
from flexiciency.soap.endpoint import Call
from flexiciency.store import agreements, gaps
from flexiciency.store.transaction import Row, Transaction

_Day = tuple[date, str]
"""A local day and its time zone."""


def request_missing_values(caps: Caps, call: Call, message: Any) -> Any:
    """Queue the local days concerned, with the PoDs concerned. What is on its way already is not queued again.

    Raises ReferenceUnknown, StateConflict for PoDs of an agreement on aggregates, ValuesInvalid for a period that is
    empty or too long.
    """
    tx, period = transaction_of(call), message.Period
    tx.read(agreements.lock(message.AgreementId))
    agreement = own_agreement(call, message.AgreementId)
    pods = tuple(message.PoD or ()) or None
    _must_be_of(agreement, pods, f"{call.operation.name}/PoD")
    asked = Asked(agreement, period.Start, period.End, call.now, pods)
    days = _days(tx, asked, f"{call.operation.name}/Period/End")
    queue_requested(tx, Outbox(), agreement, days, caps, call.now)
    return B2B.RequestMissingValuesResponse(Receipt=receipt(B2B, call))


def _must_be_of(agreement: Row, pods: tuple[str, ...] | None, path: str) -> None:
    if pods is None:
        return
    if agreement.service_type == AGGREGATED:
        raise StateConflict(
            f"Agreement {agreement.id} is of {AGGREGATED}, whose values are of no single PoD. Ask for all of it.",
            path=path,
        )
    if strangers := set(pods) - set(agreement.pods or ()):
        raise ReferenceUnknown(f"PoD {min(strangers)} is not in agreement {agreement.id}.", path=path)


def _days(tx: Transaction, asked: Asked, path: str) -> dict[_Day, tuple[str, ...] | None]:
    """The days on which something is to be sent, and the PoDs: None for the aggregates of all in that zone."""
    must_not_be_empty(asked.start, asked.end, path)
    (on_the_way,) = tx.look_up(gaps.waiting(asked.agreement.id, asked.start, asked.end))
    wanted: dict[_Day, set[str]] = {}
    for row, counted in each(tx, asked, path):
        for gap in counted.gaps:
            if gap.cause in TO_BE_SENT:
                for day in _of_gap(gap, row.time_zone):
                    wanted.setdefault(day, set()).add(row.pod)
    days: dict[_Day, tuple[str, ...] | None] = {}
    for day, pods in wanted.items():
        left = pods - _waiting(on_the_way, day, pods)
        if left:
            days[day] = None if asked.agreement.service_type == AGGREGATED else tuple(sorted(left))
    return days


def _waiting(on_the_way: list[Row], day: _Day, pods: set[str]) -> set[str]:
    """Which of the PoDs are in a message with that day which has yet to be received."""
    start, end = local_day(*day)
    found: set[str] = set()
    for row in on_the_way:
        if row.start <= start and end <= row.end and row.time_zone in (None, day[1]):
            found |= pods if row.pods is None else pods.intersection(row.pods)
    return found


def _of_gap(gap: Gap, zone: str) -> Iterator[_Day]:
    """Local days that it touches."""
    day, last = (instant_of(second).astimezone(ZoneInfo(zone)).date() for second in (gap.start, gap.end - 1))
    while day <= last:
        yield day, zone
        day += timedelta(days=1)

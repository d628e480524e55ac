"""Days of values put on their way: for each agreement, time zone of its PoDs and local day, in messages that fit.

A day goes out as soon as all of it is there, or what is there once `grace` has passed; what comes later as it comes,
and a correction to whoever got the old version. What may leave is decided when it is sent.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from uuid import UUID

import structlog

from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.portions import DEFAULT_CAPS, Caps, aggregates_at_once, pods_at_once
from flexiciency.domain.provision import AGGREGATED
from flexiciency.domain.values import local_day, steps_in_day
from flexiciency.errors import Unavailable
from flexiciency.store import agreements, schedule
from flexiciency.store.database import Database
from flexiciency.store.schedule import START, Due, Look
from flexiciency.store.transaction import Query, Row, Transaction, is_contention, transaction
from flexiciency.store.values import STEPS

log = structlog.get_logger()

AT_ONCE = 20_000
"""Rows taken at a time: of corrections, of what more may leave, of days that are due."""
_EARLIEST = timedelta(hours=14)
"""No zone is further ahead of UTC."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`grace`: how long after its end a day that is not complete is waited for; `caps` of one message."""

    grace: timedelta = timedelta(days=3)
    caps: Caps = DEFAULT_CAPS


DEFAULT_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class _News:
    """Rows that say of which PoDs more is to leave: how they are taken, told by agreement and day, and deleted."""

    take: Callable[[int, int], Query]
    told: Callable[[Iterable[Row]], Query]
    forget: Callable[[Transaction, Iterable[Row]], None]


_CORRECTIONS = _News(schedule.take_corrections, schedule.corrected, schedule.forget_corrections)
_MORE = _News(schedule.take_more, schedule.more, schedule.forget_more)


def queue_days(
    database: Database, outbox: Outbox, start: date, end: date, now: datetime, terms: Terms = DEFAULT_TERMS
) -> int:
    """Queue what is there of each local day of [start, end), complete or not; gives the number of deliveries.

    What was queued before is left alone.
    """
    work, queued = _Work(database, outbox, now, terms), 0
    for offset in range((end - start).days):
        day = start + timedelta(days=offset)
        with transaction(database) as tx:
            (rows,) = tx.look_up(schedule.active(day))
        queued += sum(work.whole_day(row.agreement_id, day, forced=True) for row in rows)
    return queued


def queue_due(database: Database, outbox: Outbox, now: datetime, terms: Terms = DEFAULT_TERMS) -> int:
    """Queue what is due now, corrections first; gives the number of deliveries.

    Each agreement is on its own: one that fails is logged, and looked at again the next time. Any number of workers may
    do this at once.
    """
    work = _Work(database, outbox, now, terms)
    queued = work.news(_CORRECTIONS) + work.news(_MORE)
    after: Due | None = START
    while after is not None:
        with transaction(database) as tx:
            (rows,) = tx.look_up(schedule.due(now, (now + _EARLIEST).date(), after, AT_ONCE))
        for row in rows:
            queued += _tried(row.agreement_id, partial(work.whole_day, row.agreement_id, row.day)) or 0
        after = Due(rows[-1].agreement_id, rows[-1].day) if len(rows) == AT_ONCE else None
    return queued


def _tried(agreement_id: str, work: Callable[[], int]) -> int | None:
    """What `work` gives, or None when it failed, which is logged. Raises Unavailable when the database is."""
    try:
        return work()
    except Exception as error:
        if isinstance(error, Unavailable) and not is_contention(error):
            raise
        log.exception("nothing queued", agreement=agreement_id)
        return None


def _by_agreement(told: list[Row]) -> list[list[Row]]:
    return [list(rows) for _, rows in groupby(told, key=attrgetter("agreement_id"))]


@dataclass(frozen=True, slots=True)
class _Work:
    """One pass."""

    database: Database
    outbox: Outbox
    now: datetime
    terms: Terms

    def whole_day(self, agreement_id: str, day: date, *, forced: bool = False) -> int:
        """Queue what is due of a day in each time zone, and remember what was there; the number of deliveries."""
        with transaction(self.database) as tx:
            ((agreement,),) = tx.look_up(schedule.facts(agreement_id))
        return sum(self._whole_day(agreement, zone, day, forced=forced) for zone in agreement.zones)

    def news(self, news: _News) -> int:
        """Queue what the rows ask for, a bounded number of them at a time; those of an agreement that fails stay."""
        queued, after = 0, 0
        while True:
            with transaction(self.database) as tx:
                (taken,) = tx.read(news.take(after, AT_ONCE))
                if not taken:
                    return queued
                after = taken[-1].number
                failed: set[int] = set()
                (told,) = tx.read(news.told(taken))
                for rows in _by_agreement(told):
                    done = _tried(rows[0].agreement_id, partial(self._some, rows))
                    queued += done or 0
                    if done is None:
                        failed.update(pod_id for row in rows for pod_id in row.pod_ids)
                news.forget(tx, [row for row in taken if row.pod_id not in failed])

    def _some(self, rows: Sequence[Row]) -> int:
        """Queue what is due of some PoDs of an agreement, on some days.

        Its lock waits for what is being sent: a message with the old values is there then, or it gets the new ones.
        """
        queued, agreement_id = 0, rows[0].agreement_id
        with transaction(self.database) as tx:
            tx.read(schedule.be_patient(), schedule.lock(agreement_id), agreements.lock(agreement_id))
            ((agreement,),) = tx.look_up(schedule.facts(agreement_id))
            for row in rows:
                (known,) = tx.read(schedule.is_complete(agreement_id, row.day, row.time_zone))
                late = any(one.complete for one in known)
                look = self._look(agreement, row.time_zone, row.day, late=late, pod_ids=row.pod_ids)
                queued += len(self._queue(tx, look)[2])
        return queued

    def _whole_day(self, agreement: Row, zone: str, day: date, *, forced: bool) -> int:
        look = self._look(agreement, zone, day, late=forced)
        with transaction(self.database) as tx:
            _, found = tx.read(schedule.lock(agreement.id), schedule.changes(agreement.quantity, day))
            if look.end > self.now and not forced:
                schedule.looked(tx, look, changes=-1, expected=0, there=0, look_at=look.end, queued_at=None)
                return 0
            expected, there, queued = self._queue(tx, look)
            complete = 0 < expected == there
            schedule.looked(
                tx, look, changes=found[0].changes if found else 0, expected=expected, there=there,
                look_at=None if complete or look.late else look.end + self.terms.grace,
                queued_at=self.now if queued else None,
            )  # fmt: skip
        return len(queued)

    def _look(self, agreement: Row, zone: str, day: date, *, late: bool, pod_ids: Sequence[int] | None = None) -> Look:
        start, end = local_day(day, zone)
        values = steps_in_day(day, zone, STEPS[agreement.time_step])
        at_once = aggregates_at_once if agreement.service_type == AGGREGATED else pods_at_once
        return Look(
            agreement=agreement, time_zone=zone, day=day, start=start, end=end, pod_ids=pod_ids,
            late=late or end + self.terms.grace <= self.now, most=at_once(self.terms.caps, values),
        )  # fmt: skip

    def _queue(self, tx: Transaction, look: Look) -> tuple[int, int, list[UUID]]:
        """As `schedule.queue`, with the jobs."""
        expected, there, queued = schedule.queue(tx, look, self.now)
        if queued:
            self.outbox.push_queued(tx, look.agreement.requester_id, queued)
        return expected, there, queued

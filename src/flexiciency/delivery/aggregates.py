"""AGG-DAT-VAL of what may leave now: released values, aggregated, in groups that decision 10 lets out (D2.3, 2.6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import structlog
from numpy.typing import NDArray

from flexiciency.contract.codec import Aggregate as Written
from flexiciency.contract.codec import AggregatesHeader
from flexiciency.contract.codec_write import write_aggregates
from flexiciency.contract.series import Encoding, Quantity, Series, TimeStep
from flexiciency.delivery.built import Built
from flexiciency.delivery.day_totals import of_day, read_anew
from flexiciency.domain.aggregation import Aggregate, Place, aggregated, aggregation_id, edges, refusal, runs
from flexiciency.domain.reasons import Reason
from flexiciency.domain.values import local_day
from flexiciency.store import aggregates
from flexiciency.store.aggregate_totals import Day
from flexiciency.store.aggregates import Group
from flexiciency.store.deliveries import SentAggregate
from flexiciency.store.release import Asked, Released
from flexiciency.store.transaction import Row, Transaction

log = structlog.get_logger()


class GroupRefused(Exception):  # noqa: N818  a business refusal, which the caller answers
    """A group may not be served to the requester."""

    def __init__(self, identifier: str, reason: Reason) -> None:
        super().__init__(f"{reason.code.value}: {reason.text} Aggregate {identifier}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Aggregates of an agreement in [start, end) UTC over `members`, rows of `aggregates.members` in one time zone.

    A group that may not leave is an error where `all_or_nothing`, and else left out. `everywhere`: the members are all
    PoDs of the agreement in their zone, so that what is added up may be kept for the next time.
    """

    agreement_id: str
    requester_id: str
    level: str
    method: str
    quantity: Quantity
    step: TimeStep
    start: datetime
    end: datetime
    members: list[Row]
    minimum: int
    all_or_nothing: bool
    everywhere: bool = False

    @property
    def groups(self) -> dict[str, str]:
        """By PoD the AggregationId of its group."""
        return {
            one.pod: aggregation_id(self.level, Place(one.country, one.city, one.street), self.agreement_id)
            for one in self.members
        }

    @property
    def span(self) -> tuple[datetime, datetime]:
        """What the agreement covers of any member, however long the period asked for is; there must be one."""
        return min(one.since for one in self.members), max(one.until for one in self.members)


@dataclass(frozen=True, slots=True)
class _Part:
    """An aggregate, its values in stretches without a gap, and the group that it tells of."""

    aggregate: Aggregate
    series: list[Series]
    group: Group


def aggregates_object(
    tx: Transaction, wanted: Wanted, object_id: str, *, selection: str | None, encoding: Encoding = Encoding.EXPLICIT
) -> Built | None:
    """AGG-DAT-VAL of what may leave of `wanted`, remembered as served; None when that is nothing.

    Raises GroupRefused. Nobody else serves the requester aggregates until the transaction ends.
    """
    if not wanted.members:
        return None
    aggregates.lock(tx, wanted.requester_id)
    released, bounds = Released(), edges(*wanted.span, wanted.members[0].time_zone, wanted.step)
    found = _aggregated(tx, wanted, bounds[:-1], released)
    parts = _allowed(tx, wanted, _parts(wanted, found, bounds), released)
    if not parts:
        return None
    header = AggregatesHeader(
        id=object_id, agreement=wanted.agreement_id, selection=selection, quantity=wanted.quantity,
        time_step=wanted.step, period_start=wanted.start, period_end=wanted.end, encoding=encoding,
        version=max(released.versions[pod] for part in parts for pod in part.group.pods),
        aggregation_level=wanted.level, aggregation_method=wanted.method,
    )  # fmt: skip
    for part in parts:
        part.group.serve(tx)
    written = (Written(len(part.group.pods), series) for part in parts for series in part.series)
    return Built(
        object_id,
        write_aggregates(header, written),
        counts={pod: len(part.aggregate.starts) for part in parts for pod in sorted(part.group.pods)},
        released=released,
        aggregates=[
            SentAggregate(p.aggregate.aggregation_id, len(p.aggregate.starts), len(p.group.pods), p.group.stretches)
            for p in parts
        ],
    )


def _aggregated(tx: Transaction, wanted: Wanted, grid: NDArray[np.int64], found: Released) -> list[Aggregate]:
    """Every group of the members, of the values that may leave."""
    group_of, zone = wanted.groups, wanted.members[0].time_zone
    day = _local_day(wanted, zone)
    asked = Asked(
        wanted.agreement_id, wanted.quantity, wanted.step, wanted.start, wanted.end, tuple(group_of), zone, day
    )
    if day is not None and wanted.everywhere:
        kept = Day(wanted.agreement_id, zone, wanted.step, day)
        return aggregated(of_day(tx, kept, asked, group_of, grid, found), grid, wanted.method)
    return aggregated(read_anew(tx, asked, group_of, grid, found), grid, wanted.method)


def _local_day(wanted: Wanted, zone: str) -> date | None:
    """The local day that is wanted, if it is just one."""
    day = wanted.members[0].since.astimezone(ZoneInfo(zone)).date()
    return day if (wanted.start, wanted.end) == local_day(day, zone) else None


def _parts(wanted: Wanted, found: list[Aggregate], bounds: NDArray[np.int64]) -> Iterator[_Part]:
    for one in found:
        stretches = runs(one, bounds)
        series = [_series(wanted.step, one, rows, start) for rows, start, _ in stretches]
        group = Group(wanted.requester_id, one.pods, tuple((start, end) for _, start, end in stretches))
        yield _Part(one, series, group)


def _series(step: TimeStep, aggregate: Aggregate, rows: slice, start: datetime) -> Series:
    qualities = aggregate.qualities[rows]
    return Series(
        aggregate.aggregation_id, start, step, aggregate.values[rows], qualities if qualities.any() else None,
        aggregate.starts[rows] if step is TimeStep.P1D else None,
    )  # fmt: skip


def _allowed(tx: Transaction, wanted: Wanted, parts: Iterator[_Part], released: Released) -> list[_Part]:
    """Those that decision 10 lets out. Raises GroupRefused for another one where `all_or_nothing`."""
    candidates = list(parts)
    consented = frozenset(pod for pod, consents in released.consents.items() if consents)
    served = aggregates.others_served(tx, [part.group for part in candidates])
    allowed = []
    for part, others in zip(candidates, served, strict=True):
        against = refusal(part.group.pods, consented, others, wanted.minimum)
        if against is None:
            allowed.append(part)
        elif wanted.all_or_nothing:
            raise GroupRefused(part.aggregate.aggregation_id, against)
        else:
            log.warning(
                "group withheld", agreement=wanted.agreement_id, aggregate=part.aggregate.aggregation_id,
                code=against.code.value,
            )  # fmt: skip
    return allowed

"""The gap report of an agreement (D2.3, 2.6; +): values expected, sent, acknowledged, and why the others were not.

It tells intervals and causes, never a value, and of what may not leave not even whether there is any.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from flexiciency.contract.series import Quantity, TimeStep, epoch, instant_of
from flexiciency.domain.acknowledgement import KO, OK, PARTLY, Statement, standing
from flexiciency.domain.aggregation import Place, aggregation_id, edges
from flexiciency.domain.gaps import Block, Counted, Facts, Gap, Held, Span, counted
from flexiciency.domain.periods import Part
from flexiciency.domain.provision import AGGREGATED
from flexiciency.domain.reasons import Reason, ReasonCode, reason
from flexiciency.errors import ValuesInvalid
from flexiciency.services.agreement import own_agreement
from flexiciency.services.exchange import transaction_of
from flexiciency.services.provision import must_not_be_empty
from flexiciency.services.replies import B2B, reason_of
from flexiciency.soap.endpoint import Call
from flexiciency.store import gaps
from flexiciency.store.transaction import Row, Transaction
from flexiciency.store.values import STEPS, stored_days

MOST_POD_DAYS = 100_000
"""Of one report or request: a few seconds of work."""
LONGEST = timedelta(days=1_100)
"""Of one report or request: its grid is held in memory."""
MOST_GAPS = 5_000
"""That one report lists."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of an agreement (a row of `agreements.stored`) is looked at: [start, end), some PoDs or all."""

    agreement: Row
    start: datetime
    end: datetime
    now: datetime
    pods: tuple[str, ...] | None = None

    @property
    def until(self) -> datetime:
        """What is not over yet is not expected."""
        return max(self.start, min(self.end, self.now))


@dataclass(slots=True)
class Report:
    """What a gap report says; `reason` where not all gaps are listed."""

    expected: int = 0
    sent: int = 0
    acknowledged: int = 0
    gaps: list[Gap] = field(default_factory=list)
    reason: Reason | None = None


def read_gap_report(call: Call, message: Any) -> Any:
    """The report to the agreement's requester. Raises ReferenceUnknown, ValuesInvalid."""
    tx, period = transaction_of(call), message.Period
    agreement = own_agreement(call, message.AgreementId)
    found = report(tx, Asked(agreement, period.Start, period.End, call.now), f"{call.operation.name}/Period/End")
    written = B2B.GapReport(
        ServiceActivationAgreementRef=agreement.id, Period=period, Expected=found.expected, Sent=found.sent,
        Acknowledged=found.acknowledged, Gap=[_written(one) for one in found.gaps], Reason=reason_of(B2B, found.reason),
    )  # fmt: skip
    return B2B.ReadGapReportResponse(GapReport=written)


def report(tx: Transaction, asked: Asked, path: str | None = None, most_gaps: int = MOST_GAPS) -> Report:
    """The report. Raises ValuesInvalid at `path` for a period that is empty, or too long for the agreement's PoDs."""
    told = Report()
    for _, one in each(tx, asked, path):
        told.expected += one.expected
        told.sent += one.sent
        told.acknowledged += one.acknowledged
        left = most_gaps - len(told.gaps)
        if len(one.gaps) > left:
            told.reason = reason(ReasonCode.GAPS_CUT)
        told.gaps += one.gaps[:left]
    return told


def each(tx: Transaction, asked: Asked, path: str | None) -> Iterator[tuple[Row, Counted]]:
    """What became of each PoD's values, or each aggregate's with a row of one of its PoDs. Raises as `report`."""
    members = _covered(tx, asked, path)
    if not members:
        return
    step = STEPS[asked.agreement.time_step]
    grids = {
        zone: edges(min(one.since for one in of_zone), max(one.until for one in of_zone), zone, step).tolist()
        for zone, of_zone in _by_zone(members).items()
    }
    facts = _aggregates(tx, asked, members) if _is_aggregated(asked) else _pods(tx, asked, members, step, grids)
    for row, one in facts:
        yield row, counted(grids[row.time_zone], one)


def _covered(tx: Transaction, asked: Asked, path: str | None) -> list[Row]:
    """PoDs of the agreement, with what of the period is covered and over. Raises ValuesInvalid."""
    must_not_be_empty(asked.start, asked.end, path)
    of_agreement = asked.agreement.id, asked.start, asked.until, asked.pods
    ((size,),) = tx.look_up(gaps.size(*of_agreement))
    if size.days > MOST_POD_DAYS or (size.longest or LONGEST) > LONGEST:
        fits = min(MOST_POD_DAYS // size.pods, LONGEST.days)
        raise ValuesInvalid(
            f"The period has {size.days} days of {size.pods} PoDs in all, and {MOST_POD_DAYS} at most are looked at, "
            f"of {LONGEST.days} days. "
            + (f"Ask for {fits} days at a time." if fits else "Agree on fewer PoDs at a time."),
            path=path,
        )
    (rows,) = tx.look_up(gaps.covered(*of_agreement))
    return rows


def _is_aggregated(asked: Asked) -> bool:
    return bool(asked.agreement.service_type == AGGREGATED)


def _by_zone(members: list[Row]) -> dict[str, list[Row]]:
    zones: dict[str, list[Row]] = {}
    for one in members:
        zones.setdefault(one.time_zone, []).append(one)
    return zones


def _pods(
    tx: Transaction, asked: Asked, members: list[Row], step: TimeStep, grids: dict[str, list[int]]
) -> Iterator[tuple[Row, Facts]]:
    of_agreement, ids = (asked.agreement.id, asked.start, asked.until), [one.id for one in members]
    may_leave, received = tx.look_up(gaps.released(*of_agreement, ids), gaps.held(*of_agreement, ids))
    released = {row.pod_id: [_whole(part.lower, part.upper) for part in row.parts] for row in may_leave}
    # Of what may not leave nothing is looked up. No zone is more than a day from UTC.
    first = date.fromordinal(max(min(one.since for one in members).toordinal() - 1, 1))
    end = date.fromordinal(max(one.until for one in members).toordinal() + 2)
    quantity = Quantity(asked.agreement.quantity)
    (days,) = tx.look_up(stored_days(list(released), quantity, step, first, end))
    blocks: dict[int, list[Row]] = {}
    for row in days:
        blocks.setdefault(row.pod_id, []).append(row)
    held = _held(tx, received)
    for one in members:
        stored = [_block(row, grids[one.time_zone]) for row in blocks.get(one.id, ())]
        may = released.get(one.id, ())
        yield one, Facts(one.pod, _whole(one.since, one.until), may, stored, held.get(one.id, []))


def _aggregates(tx: Transaction, asked: Asked, members: list[Row]) -> Iterator[tuple[Row, Facts]]:
    """By AggregationId and zone. Why one is not there is not told: a PoD of it may have no value, or may not leave."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for one in members:
        place = Place(one.country, one.city, one.street)
        identifier = aggregation_id(asked.agreement.aggregation_level, place, asked.agreement.id)
        groups.setdefault((identifier, one.time_zone), []).append(one)
    (received,) = tx.look_up(gaps.held_aggregates(asked.agreement.id, asked.start, asked.until))
    zones = {zone for _, zone in groups}
    held = {zone: _held(tx, [row for row in received if row.time_zone in (None, zone)]) for zone in zones}
    for (identifier, zone), of_group in sorted(groups.items()):
        covered = _whole(min(one.since for one in of_group), max(one.until for one in of_group))
        yield of_group[0], Facts(identifier, covered, None, None, held[zone].get(identifier, []))


def _held(tx: Transaction, received: list[Row]) -> dict[Any, list[Held]]:
    """By PoD or aggregate, what messages hold of it and what was said of that."""
    (rows,) = tx.look_up(gaps.said(list({row.delivery_id for row in received if row.status == PARTLY})))
    said: dict[tuple[UUID, str], list[Statement]] = {}
    for row in rows:
        period = None if row.start is None else (row.start, row.end)
        said.setdefault((row.delivery_id, row.key), []).append(Statement(row.status == OK, period))
    found: dict[Any, list[Held]] = {}
    for row in received:
        found.setdefault(row.key, []).append(_message(row, said.get((row.delivery_id, str(row.key)), [])))
    return found


def _message(row: Row, statements: list[Statement]) -> Held:
    parts = [(row.start, row.end)] if row.parts is None else [(part.lower, part.upper) for part in row.parts]
    spans = _spans(parts)
    if row.status == PARTLY:
        stands = standing(parts, statements)
        return Held(row.version, spans, _spans(stands.accepted), _spans(stands.refused))
    return Held(row.version, spans, spans if row.status == OK else (), spans if row.status == KO else ())


def _whole(start: datetime, end: datetime) -> Span:
    """The whole seconds of a part."""
    return ceil(start.timestamp()), epoch(end)


def _spans(parts: Sequence[Part]) -> list[Span]:
    return [(epoch(start), epoch(end)) for start, end in parts]


def _block(row: Row, grid: list[int]) -> Block:
    start = epoch(row.start)
    if row.step == TimeStep.P1D.seconds:
        end = grid[min(bisect_right(grid, start), len(grid) - 1)]
        return Block(start, end, row.version, [(start, end)] if row.missing else ())
    missing = [(start + number * row.step, start + (number + 1) * row.step) for number in row.missing or ()]
    return Block(start, start + row.count * row.step, row.version, missing)


def _written(gap: Gap) -> Any:
    period = B2B.Period(Start=instant_of(gap.start), End=instant_of(gap.end))
    return B2B.Gap(Source=gap.source, Period=period, Cause=gap.cause.value)

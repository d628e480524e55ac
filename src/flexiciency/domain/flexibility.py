"""Technical validation (D2.3, 2.6; TECH-FLEX-REQ → TECH-FLEX-RESP): the curtailment factor of a power curve.

    of a Market Player   Received ──► Answered, both at once where no model of the grid is to be computed
    of the DSO to one    Asked ──► Answered

A power is held from its point to the next, the last one to the end; consumption is positive, generation negative.
The factor is the largest f at which all of [0, f] is feasible: f times the power stays within the
headroom at every moment.
Powers are whole W, factors whole millionths: both are exact, and a factor is rounded down.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from flexiciency.domain.reasons import Reason, ReasonCode, reason

WHOLE = 1_000_000
"""The factor 1."""
LONGEST = timedelta(days=366)
"""A longer curve is refused: each quarter hour of it is looked at."""
_QUARTER = timedelta(minutes=15)
_DAY = 24 * 60
_YEARS = range(1970, 9000)


@dataclass(frozen=True, slots=True)
class Curve:
    """A power curve over [start, end), UTC: points of time and power in W."""

    start: datetime
    points: tuple[tuple[datetime, int], ...]
    end: datetime


@dataclass(frozen=True, slots=True)
class Band:
    """Headroom every day in [first, until), minutes of the local day: W that may be added each way.

    Below 0 where the base case violates a limit by itself. `element` is what limits.
    """

    first: int
    until: int
    import_limit: int
    export_limit: int
    element: str


@dataclass(frozen=True, slots=True)
class LoadArea:
    """A load area: IANA zone, and the bands of DSO and TSO in their order. The TSO sets no limit where it has none.

    The code is what a grid model knows it by.
    """

    time_zone: str
    dso: tuple[Band, ...]
    tso: tuple[Band, ...]
    code: str = ""


@dataclass(frozen=True, slots=True)
class Validation:
    """TECH-FLEX-RESP without its identifiers; factors in millionths."""

    dso: int
    tso: int
    limiting_element: str | None
    reason: Reason | None

    @property
    def factor(self) -> int:
        """The curtailment factor: the lesser of the two."""
        return min(self.dso, self.tso)


@dataclass(frozen=True, slots=True)
class _Limit:
    """What one party allows, and where and why it allows no more."""

    factor: int
    element: str | None = None
    reason: Reason | None = None


def validate(curve: Curve, area: LoadArea | None) -> Validation:
    """Answer a technical validation; without a load area, or with a curve that is none, the factor is 0."""
    wrong = fault_of(curve)
    if wrong is not None:
        return _refused(reason(ReasonCode.CURVE_INVALID, wrong))
    if area is None:
        return _refused(reason(ReasonCode.LOAD_AREA_UNKNOWN))
    dso = _limit(curve, area.time_zone, area.dso, ReasonCode.GRID_LIMIT, needed=True)
    tso = _limit(curve, area.time_zone, area.tso, ReasonCode.TSO_LIMIT, needed=False)
    stricter = dso if dso.factor <= tso.factor else tso
    return Validation(dso.factor, tso.factor, stricter.element, stricter.reason)


def combined(headroom: Validation, grid: Validation) -> Validation:
    """What headroom and grid model both allow: the lesser factors, every element that limits, the lesser's reason."""
    lesser, other = sorted((headroom, grid), key=lambda one: one.factor)
    elements = [one.limiting_element for one in (lesser, other) if one.limiting_element]
    return Validation(
        min(headroom.dso, grid.dso), min(headroom.tso, grid.tso), "; ".join(elements) or None, lesser.reason
    )


def without_grid(headroom: Validation) -> Validation:
    """The answer where the grid model could not be computed: the DSO allows nothing."""
    return Validation(0, headroom.tso, None, reason(ReasonCode.GRID_UNKNOWN))


def fault_of(curve: Curve) -> str | None:
    """What is wrong with a power curve, as a sentence; None when nothing is."""
    times = [time for time, _ in curve.points]
    if curve.end <= curve.start:
        return "EndTime must be later than StartTime."
    if curve.start.year not in _YEARS or curve.end.year not in _YEARS:
        return f"StartTime and EndTime must be in the years {_YEARS[0]} to {_YEARS[-1]}."
    if curve.end - curve.start > LONGEST:
        return f"The curve is longer than {LONGEST.days} days. Ask for shorter ones."
    if not times:
        return "The curve has no point. Give at least the power at StartTime."
    if times[0] != curve.start:
        return f"The first point is at {written_time(times[0])}; it must be at StartTime, {written_time(curve.start)}."
    for before, after in pairwise(times):
        if after <= before:
            return f"The point at {written_time(after)} must be later than the one before it, {written_time(before)}."
    if times[-1] >= curve.end:
        return f"The point at {written_time(times[-1])} must be before EndTime, {written_time(curve.end)}."
    return None


def gap_of(bands: Sequence[Band]) -> int | None:
    """The first minute of the local day without headroom; None when the bands, in order, cover it all."""
    covered = 0
    for band in bands:
        if band.first > covered:
            break
        covered = max(covered, band.until)
    return covered if covered < _DAY else None


def _refused(why: Reason) -> Validation:
    return Validation(0, 0, None, why)


def _limit(curve: Curve, zone: str, bands: tuple[Band, ...], code: ReasonCode, *, needed: bool) -> _Limit:
    """What one party allows at the worst moment, the first of several that are equal."""
    worst = _Limit(WHOLE)
    for moment, power, band in _moments(curve, ZoneInfo(zone), bands):
        if band is None:
            if needed:
                text = f"The headroom of the load area at {written_time(moment)} is not known."
                return _Limit(0, None, reason(ReasonCode.HEADROOM_UNKNOWN, text))
            continue
        place = f"{band.element} at {written_time(moment)}"
        if min(band.import_limit, band.export_limit) < 0:
            return _Limit(0, place, reason(ReasonCode.BASE_CASE_INFEASIBLE))
        allowed = band.import_limit if power > 0 else band.export_limit
        factor = min(WHOLE, allowed * WHOLE // abs(power)) if power else WHOLE
        if factor < worst.factor:
            worst = _Limit(factor, place, reason(code))
    return worst


def _moments(curve: Curve, zone: ZoneInfo, bands: tuple[Band, ...]) -> Iterator[tuple[datetime, int, Band | None]]:
    """Each stretch of time with one power and one band, by its beginning.

    Cut at each quarter hour of UTC too: clocks change there, so that between two cuts local time runs evenly.
    """
    firsts = [band.first for band in bands]
    ends = [time for time, _ in curve.points[1:]] + [curve.end]
    for (begin, power), end in zip(curve.points, ends, strict=True):
        moment = begin
        while moment < end:
            local = moment.astimezone(zone)
            band, change = _band(local, bands, firsts)
            yield moment, power, band
            quarter = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) + _QUARTER
            moment = min(end, quarter, moment + timedelta(minutes=change) - _since_midnight(local))


def _band(local: datetime, bands: tuple[Band, ...], firsts: list[int]) -> tuple[Band | None, int]:
    """The band that holds at a local time, and the minute of the day at which that changes."""
    minute = local.hour * 60 + local.minute
    place = bisect_right(firsts, minute)
    if place and minute < bands[place - 1].until:
        return bands[place - 1], bands[place - 1].until
    return None, firsts[place] if place < len(firsts) else _DAY


def _since_midnight(local: datetime) -> timedelta:
    """What the local clock shows."""
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def written_time(moment: datetime) -> str:
    """The time as answers name it, UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

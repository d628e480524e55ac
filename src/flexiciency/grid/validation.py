"""TECH-FLEX-REQ by AC power flow: the curtailment factor that a DSO's grid model allows (D2.3, 2.6; decision 12).

Feasible is a power flow that converges, with no line or transformer above its loading and no bus outside its voltage
band. The exchange has power factor 1.

Loading and voltage are not monotonic in the factor: generation relieves a line before it overloads it. A bisection of
[0, 1] could jump over an infeasible stretch; so the factor is raised from 0 in steps of 0.01 to the first that is
infeasible, and only between it and the last feasible one is bisected. A stretch narrower than a step may be missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from flexiciency.domain.flexibility import WHOLE, Curve, LoadArea, Validation, fault_of, written_time
from flexiciency.domain.reasons import ReasonCode, reason
from flexiciency.grid.network import QUARTER, Network

_STEP = WHOLE // 100
_CLOSE = WHOLE // 100_000


@dataclass(frozen=True, slots=True)
class _Case:
    """An exchange on a base case: W, and when it is first asked for."""

    base: int
    power: int
    moment: datetime


def validate(network: Path, area: LoadArea, curve: Curve) -> Validation:
    """What the grid model in a file allows of a power curve in the load area; the TSO's factor is 1.

    Raises NetworkInvalid. Takes some 10 ms per power flow of a village, up to a hundred flows for each base case.
    """
    wrong = fault_of(curve)
    if wrong is not None:
        return Validation(0, 0, None, reason(ReasonCode.CURVE_INVALID, wrong))
    grid = Network(network, area.code)
    factor, element = WHOLE, None
    for case in _cases(grid, curve, ZoneInfo(area.time_zone)):
        grid.set_base_case(case.base)
        breach = grid.breach(0)
        if breach is not None:
            place = f"{breach} at {written_time(case.moment)}"
            return Validation(0, WHOLE, place, reason(ReasonCode.BASE_CASE_INFEASIBLE))
        limit = _first_limit(grid, case.power, factor)
        if limit is not None:
            factor, breach = limit
            element = f"{breach} at {written_time(case.moment)}"
    return Validation(factor, WHOLE, element, reason(ReasonCode.GRID_LIMIT) if element else None)


def _cases(grid: Network, curve: Curve, zone: ZoneInfo) -> list[_Case]:
    """The greatest consumption and the greatest generation on each base case, which cover all smaller ones."""
    found: dict[tuple[int, bool], _Case] = {}
    for moment, power in _moments(curve):
        base = grid.base_case(moment, zone)
        known = found.get((base, power > 0))
        if known is None or abs(power) > abs(known.power):
            found[base, power > 0] = _Case(base, power, moment)
    return list(found.values())


def _moments(curve: Curve) -> Iterator[tuple[datetime, int]]:
    """Each point of the curve, and each quarter hour that its power lasts."""
    ends = [time for time, _ in curve.points[1:]] + [curve.end]
    for (moment, power), end in zip(curve.points, ends, strict=True):
        yield moment, power
        later = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0) + QUARTER
        while later < end:
            yield later, power
            later += QUARTER


def _first_limit(grid: Network, power: int, ceiling: int) -> tuple[int, str] | None:
    """The largest factor (millionths) up to the ceiling and what limits it; None where the ceiling is feasible too."""
    if power == 0:
        return None
    feasible = 0
    for factor in (*range(_STEP, ceiling, _STEP), ceiling):
        breach = grid.breach(power * factor / WHOLE)
        if breach is not None:
            return _between(grid, power, feasible, factor, breach)
        feasible = factor
    return None


def _between(grid: Network, power: int, feasible: int, infeasible: int, breach: str) -> tuple[int, str]:
    """The factor between a feasible and an infeasible one, to 0.00001, rounded down."""
    while infeasible - feasible > _CLOSE:
        middle = (feasible + infeasible) // 2
        found = grid.breach(power * middle / WHOLE)
        if found is None:
            feasible = middle
        else:
            infeasible, breach = middle, found
    return feasible, breach

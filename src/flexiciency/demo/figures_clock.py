"""The figures of both clock changes in both countries: values of each PoD and their sums, a gap, a correction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from flexiciency.contract.series import epoch
from flexiciency.demo import books
from flexiciency.demo.act import CORRECTION_WH
from flexiciency.demo.parties import CLOCK_CHANGES, Region
from flexiciency.demo.plan import Plan
from flexiciency.domain.values import local_day, local_days_period
from flexiciency.store.database import Database

_ACKNOWLEDGED = """
SELECT coalesce(sum(part.value_count), 0) FROM delivery d JOIN {} part ON part.delivery_id = d.id
WHERE d.operation = :operation AND part.status = :status AND d.cause = ANY(:causes)
  AND (d.value_period <@ tstzrange(:spring_start, :spring_end)
    OR d.value_period <@ tstzrange(:autumn_start, :autumn_end))
"""
_VALUES, _SUMS = ("ReceiveIndividualDataValue", "delivery_pod"), ("ReceiveAggregatedDataValue", "delivery_aggregate")
_FIRST = ["Scheduled", "Requested"]
_GAPS = "SELECT count(*) FROM gap"


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """By country what the DSO had acknowledged, by the player, and what was due, of the days around both changes.

    `clock_change_kwh_difference`: the largest between what was imported last and received last, sums included.
    """

    clock_change_values_acknowledged: dict[str, int]
    clock_change_values_due: dict[str, int]
    clock_change_sums_acknowledged: dict[str, int]
    clock_change_sums_due: dict[str, int]
    clock_change_kwh_difference: float
    corrected_values_acknowledged: int
    corrected_sums_acknowledged: int
    gaps_reported: int
    gap_values_refused: int
    gap_values_sent_again: int

    def must_be(self) -> dict[str, bool]:
        """Whether each thing is right, by what would be wrong otherwise."""
        return {
            "values around the clock changes are not all acknowledged": self.clock_change_values_acknowledged
            == self.clock_change_values_due,
            "sums around the clock changes are not all acknowledged": self.clock_change_sums_acknowledged
            == self.clock_change_sums_due,
            "values around the clock changes are not those imported": self.clock_change_kwh_difference == 0,
            "the correction did not arrive": self.corrected_values_acknowledged > 0
            and self.corrected_values_acknowledged == self.corrected_sums_acknowledged,
            "the gap was not closed": self.gaps_reported > 0
            and self.gap_values_sent_again == self.gap_values_refused > 0,
        }


def clock_figures(plan: Plan, databases: Mapping[str, Database]) -> ClockFigures:
    """Read the books of both DSOs and both players after the last message."""
    january, spring = plan.regions
    at, pt = databases[january.dso.name], databases[spring.dso.name]
    everywhere = [(region, databases[region.dso.name]) for region in plan.regions]
    return ClockFigures(
        clock_change_values_acknowledged={
            region.place.country: _of_dso(region, database, _VALUES, _FIRST) for region, database in everywhere
        },
        clock_change_values_due={region.place.country: _values_due(region) for region in plan.regions},
        clock_change_sums_acknowledged={
            region.place.country: _of_dso(region, database, _SUMS, _FIRST) for region, database in everywhere
        },
        clock_change_sums_due={
            region.place.country: sum(len(values) for values in _sums(region).values()) for region in plan.regions
        },
        clock_change_kwh_difference=max(_difference(plan, region) for region in plan.regions),
        corrected_values_acknowledged=_of_dso(january, at, _VALUES, ["Correction"]),
        corrected_sums_acknowledged=_of_dso(january, at, _SUMS, ["Correction"]),
        gaps_reported=books.number(plan.books(spring.player), _GAPS),
        gap_values_refused=_of_dso(spring, pt, _VALUES, _FIRST, "KO"),
        gap_values_sent_again=_of_dso(spring, pt, _VALUES, ["Requested"]),
    )


def _of_dso(region: Region, database: Database, kind: tuple[str, str], causes: list[str], status: str = "OK") -> int:
    """Values of PoDs, or of sums, whose deliveries of these causes were acknowledged like this."""
    operation, table = kind
    named: dict[str, object] = {"operation": operation, "status": status, "causes": causes}
    for season, days in zip(("spring", "autumn"), CLOCK_CHANGES, strict=True):
        start, end = local_days_period(days[0], days[-1] + timedelta(days=1), region.place.zone)
        named |= {f"{season}_start": start, f"{season}_end": end}
    with database.begin() as connection:
        return int(connection.execute(text(_ACKNOWLEDGED.format(table)), named).scalar_one())


def _values_due(region: Region) -> int:
    """Of those who consented and did not revoke."""
    imported = _imported(region)
    return sum(len(values) for pod in _delivered(region) for values in imported[pod].values())


def _delivered(region: Region) -> list[str]:
    return [pod.pod for pod in region.town.pods[: region.consenting] if pod != region.revoked_pod]


def _sums(region: Region) -> dict[int, NDArray[np.int64]]:
    """Of the whole town, by the start of the local day (seconds since 1970)."""
    found: dict[int, NDArray[np.int64]] = {}
    for of_pod in _imported(region).values():
        for start, values in of_pod.items():
            found[start] = found.get(start, np.zeros(len(values), dtype=np.int64)) + values
    return found


def _imported(region: Region) -> dict[str, dict[int, NDArray[np.int64]]]:
    """What was imported last of the days around the changes, by PoD and start of the day."""
    days, town = {day for change in CLOCK_CHANGES for day in change}, region.town
    found = {
        pod.pod: {epoch(b.start): b.values.astype(np.int64) for b in town.blocks(pod) if b.day in days}
        for pod in town.pods
    }
    if region.corrected_day is not None:
        start, _ = local_day(region.corrected_day, region.place.zone)
        found[town.pods[0].pod][epoch(start)] += CORRECTION_WH
    return found


def _difference(plan: Plan, region: Region) -> float:
    """Largest difference in kWh between a value imported and received, summed over a PoD or over the sums."""
    file, imported = plan.books(region.player), _imported(region)
    received = books.received_series(file)
    ((_, sums),) = books.received_series(file, summed=True).items()
    differences = [_apart(imported[pod], received.get(pod, {})) for pod in _delivered(region)]
    return max(*differences, _apart(_sums(region), sums)) / 1000


def _apart(imported: dict[int, NDArray[np.int64]], received: dict[int, NDArray[np.int64]]) -> int:
    return sum(int(abs(values - received.get(start, 0)).sum()) for start, values in imported.items())

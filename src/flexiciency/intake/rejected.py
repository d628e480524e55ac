"""Rejected rows: a code, the place, what is wrong and what to do; and the report of them.

A row that cannot be used is left out and reported; the rows around it are stored.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from flexiciency.errors import FileInvalid


class Code(StrEnum):
    """Why a row of a file, or a record of another source, is rejected."""

    CELL_COUNT = "CellCount"
    CELL_EMPTY = "CellEmpty"
    CELL_INVALID = "CellInvalid"
    DAY_INVALID = "DayInvalid"
    DAY_LENGTH = "DayLength"
    DUPLICATE_CONTRADICTS = "DuplicateContradicts"
    ENCODING_INVALID = "EncodingInvalid"
    HELD_PERIOD_INVALID = "HeldPeriodInvalid"
    NEGATIVE_ENERGY = "NegativeEnergy"
    NUMBER_INVALID = "NumberInvalid"
    OFF_GRID = "OffGrid"
    PLACES_DIFFER = "PlacesDiffer"
    POD_REJECTED = "PodRejected"
    POD_UNKNOWN = "PodUnknown"
    QUALITY_UNKNOWN = "QualityUnknown"
    QUANTITY_UNKNOWN = "QuantityUnknown"
    READING_TYPE_UNSUPPORTED = "ReadingTypeUnsupported"
    STEPS_OVERLAP = "StepsOverlap"
    TIME_STEP_UNKNOWN = "TimeStepUnknown"
    TIME_ZONE_UNKNOWN = "TimeZoneUnknown"
    TIMESTAMP_INVALID = "TimestampInvalid"
    TOO_MANY_PLACES = "TooManyPlaces"
    TWO_HOLDERS = "TwoHolders"
    UNIT_INVALID = "UnitInvalid"
    VALUE_TOO_LARGE = "ValueTooLarge"


REMEDIES = {
    Code.CELL_COUNT: "Write as many cells as the header has.",
    Code.CELL_EMPTY: "Fill the cell.",
    Code.CELL_INVALID: "Write what is expected.",
    Code.DAY_INVALID: "Write the local day as 2025-03-30.",
    Code.DAY_LENGTH: "Write one value for each step of the PoD's local day, or a long file with timestamps.",
    Code.DUPLICATE_CONTRADICTS: "Keep the row that is right, and import the file again.",
    Code.ENCODING_INVALID: "Write the file in UTF-8.",
    Code.HELD_PERIOD_INVALID: "Write held_until later than held_from, or leave it empty.",
    Code.NEGATIVE_ENERGY: "Write energy that flows the other way as the other quantity.",
    Code.NUMBER_INVALID: "Write a decimal such as 12.345, or name the decimal sign: --decimal ,",
    Code.OFF_GRID: "Write the start of the interval, counted in time steps from the PoD's local midnight.",
    Code.PLACES_DIFFER: "Give all lines of a PoD the same country, city, street, load area and time zone.",
    Code.POD_REJECTED: "Correct the other lines of this PoD: they are imported together.",
    Code.POD_UNKNOWN: "Import the PoD first (pods import), then this file again.",
    Code.QUALITY_UNKNOWN: "Write Measured, Estimated, Calculated, Incomplete or Missing.",
    Code.QUANTITY_UNKNOWN: "Write EnergyConsumption, EnergyGeneration or Power.",
    Code.READING_TYPE_UNSUPPORTED: "Export interval data of electricity in Wh or W.",
    Code.STEPS_OVERLAP: "Write all values of a PoD's day in one time step; a coarser one replaces a whole day only.",
    Code.TIME_STEP_UNKNOWN: "Write PT10M, PT15M, PT30M, PT1H or P1D.",
    Code.TIME_ZONE_UNKNOWN: "Write an IANA time zone: Europe/Vienna or the like.",
    Code.TIMESTAMP_INVALID: "Write ISO 8601 with offset: 2025-01-01T00:00:00+01:00.",
    Code.TOO_MANY_PLACES: "Round the value to whole Wh or W where it is made.",
    Code.TWO_HOLDERS: "End one holder's period where the next begins.",
    Code.UNIT_INVALID: "Energy is in Wh or kWh, power in W or kW.",
    Code.VALUE_TOO_LARGE: "Check the unit: a value has at most 2,147,483.647 kWh or kW.",
}
"""What to do, by code."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is left out. `line` and `column` count from 1; no column: the row as a whole."""

    line: int
    column: int | None
    code: Code
    reason: str


class Unusable(Exception):  # noqa: N818  a finding, not yet an error
    """A cell that cannot be used; whoever knows its place makes a `Rejected` of it."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def at(self, line: int, column: int | None = None) -> Rejected:
        """The same with its place."""
        return Rejected(line, column, self.code, self.reason)


HEADER = ("line", "column", "code", "reason", "remedy")


class Report:
    """The CSV file of rejected rows; there is none until there is something to report."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def keep(self, number: int) -> None:
        """Keep the first rows of what an import that was stopped had reported, and throw away what is beyond them.

        Raises FileInvalid for a file that is there and is no such report.
        """
        if not self.file.exists():
            return
        try:
            with self.file.open(encoding="utf-8", errors="replace", newline="") as opened:
                rows = list(islice(csv.reader(opened), number + 1))
        except (OSError, csv.Error):
            rows = []
        if rows[:1] != [list(HEADER)]:
            raise FileInvalid(f"{self.file} is there and is no report of rejected rows. Say --rejected FILE.")
        self.file.unlink()
        if number:
            self._append(rows)

    def add(self, rejected: Iterable[Rejected]) -> None:
        """Report these rows too."""
        rows = [(one.line, one.column, one.code, one.reason, REMEDIES[one.code]) for one in rejected]
        if rows:
            self._append(rows if self.file.exists() else [HEADER, *rows])

    def _append(self, rows: Iterable[Sequence[object]]) -> None:
        try:
            with self.file.open("a", encoding="utf-8", newline="") as opened:
                csv.writer(opened).writerows(rows)
        except OSError as error:
            raise FileInvalid(f"{self.file} cannot be written ({error.strerror}). Say --rejected FILE.") from None

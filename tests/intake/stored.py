"""What is stored after an import, and imports as tests run them."""

import csv
from datetime import date
from pathlib import Path

from sqlalchemy import insert

from flexiciency.contract.series import Quantity
from flexiciency.intake.cells import Options
from flexiciency.intake.formats import FileSource, Format
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.rejected import Rejected, Report
from flexiciency.intake.source import LoadCurve
from flexiciency.intake.values import Imported, import_values
from flexiciency.store import tables
from flexiciency.store.database import Database, driver
from flexiciency.store.values import QUANTITY_CODES, arrays_of

ZONE = "Europe/Vienna"
DAY, SPRING, AUTUMN = date(2025, 1, 15), date(2025, 3, 30), date(2025, 10, 26)
_LATEST = """
SELECT DISTINCT ON (b.day) b.day, b.step, b.version, b.values, b.qualities FROM pod p
JOIN meter_value_block b ON b.pod_id = p.id AND b.quantity = %s WHERE p.pod = %s ORDER BY b.day, b.version DESC
"""


def add_pods(database: Database, *names: str, zone: str = ZONE) -> None:
    """PoDs in Linz."""
    place = {"country": "AT", "city": "Linz", "street": "Weg", "time_zone": zone}
    with database.begin() as connection:
        connection.execute(insert(tables.pod), [{"pod": name, **place} for name in names])


def stored(database: Database, pod: str, quantity: Quantity = Quantity.ENERGY_CONSUMPTION) -> dict[date, list[int]]:
    """The latest values of a PoD by day; those that are Missing are -1."""
    with database.begin() as connection:
        found = {}
        for day, _, _, packed, codes in driver(connection).execute(
            _LATEST, (QUANTITY_CODES[quantity], pod), binary=True
        ):
            values, qualities = arrays_of(packed, codes)
            found[day] = [
                -1 if qualities is not None and qualities[number] == 4 else value
                for number, value in enumerate(values.tolist())
            ]
        return found


def qualities_of(database: Database, pod: str, day: date) -> list[int] | None:
    """Quality codes of the latest version; None: all Measured."""
    with database.begin() as connection:
        rows = driver(connection).execute(_LATEST, (1, pod), binary=True).fetchall()
        ((codes),) = [row[4] for row in rows if row[0] == day]
        return None if codes is None else list(codes)


def versions(database: Database, pod: str) -> dict[date, int]:
    """The latest version of each day."""
    with database.begin() as connection:
        return {row[0]: row[2] for row in driver(connection).execute(_LATEST, (1, pod), binary=True)}


def imported(
    database: Database, file: Path, options: Options | None = None, kind: Format | None = None, *, again: bool = False
) -> Imported:
    """Import a file, with its report beside it."""
    with OpenedFile(file) as opened:
        source = FileSource(opened, options or Options(), kind)
        return import_values(database, source, report_of(file), lambda _row: None, again=again)


def read(file: Path, options: Options | None = None, after: int = 0) -> list[LoadCurve | Rejected]:
    """What a file says, unchecked."""
    with OpenedFile(file) as opened:
        return list(FileSource(opened, options or Options()).curves(after))


def report_of(file: Path) -> Report:
    """The report of a file."""
    return Report(file.with_name(f"{file.name}.rejected.csv"))


def rejected(file: Path) -> list[tuple[int, str, str]]:
    """Line, column and code of the rows that are reported; each has a reason and says what to do."""
    report = report_of(file).file
    if not report.exists():
        return []
    with report.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert all(row["reason"] and row["remedy"] for row in rows)
    return [(int(row["line"]), row["column"], row["code"]) for row in rows]


def counts(ended: Imported) -> tuple[int, int, int, int]:
    """Days new, corrected and known; rows rejected."""
    row = ended.row
    return row.new, row.corrected, row.known, row.rejected

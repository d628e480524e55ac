"""An import stores what is right, reports what is wrong, and goes on where it was stopped."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.errors import FileChanged, FileInvalid, StateConflict
from flexiciency.intake import values as importing
from flexiciency.intake.cells import Options
from flexiciency.intake.formats import FileSource
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.rejected import Code, Rejected, Report
from flexiciency.intake.source import LoadCurve
from flexiciency.intake.values import import_values
from flexiciency.store import value_imports
from flexiciency.store.database import Database
from flexiciency.store.transaction import Row, transaction
from flexiciency.store.value_imports import Named
from tests.intake.stored import DAY, add_pods, counts, imported, rejected, report_of, stored, versions

_numbers = count(1)


@pytest.fixture
def pod(database: Database) -> str:
    """A PoD of the test's own."""
    name = f"AT{next(_numbers):04d}"
    add_pods(database, name)
    return name


def wide(file: Path, *rows: tuple[str, date, list[float]]) -> Path:
    header = "pod,day," + ",".join(f"v{number}" for number in range(100))
    lines = [f"{pod},{day}," + ",".join(map(str, values)) for pod, day, values in rows]
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def long(file: Path, *rows: tuple[str, str, object]) -> Path:
    file.write_text("pod,timestamp,value\n" + "".join(f"{pod},{start},{value}\n" for pod, start, value in rows))
    return file


def day_of(pod: str, day: date = DAY, first: int = 0) -> list[tuple[str, str, object]]:
    """A day of quarter hours in winter, by line."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=1)
    return [(pod, (start + n * timedelta(minutes=15)).isoformat(), (first + n) / 1000) for n in range(96)]


def test_what_is_imported_twice_is_stored_once(database: Database, pod: str, tmp_path: Path) -> None:
    file = long(tmp_path / "a.csv", *day_of(pod))
    assert counts(imported(database, file)) == (1, 0, 0, 0)
    assert stored(database, pod) == {DAY: list(range(96))}
    second = imported(database, file)
    assert (second.before, counts(second)) == (True, (1, 0, 0, 0))
    assert counts(imported(database, file, again=True)) == (0, 0, 1, 0)
    other = wide(tmp_path / "b.csv", (pod, DAY, [n / 1000 for n in range(96)]))
    assert counts(imported(database, other)) == (0, 0, 1, 0)
    assert versions(database, pod) == {DAY: 1}


def test_good_rows_of_a_bad_file_are_stored_and_the_others_reported(
    database: Database, pod: str, tmp_path: Path
) -> None:
    rows = day_of(pod)
    rows[3] = (pod, str(rows[3][1]), "1.2345")
    rows[4] = ("nobody", str(rows[4][1]), 1)
    rows[5] = (pod, str(rows[5][1]), -1)
    rows[6] = (pod, "yesterday", 1)
    file = long(tmp_path / "a.csv", *rows)
    ended = imported(database, file)
    assert counts(ended) == (1, 0, 0, 4)
    assert rejected(file) == [
        (5, "", "TooManyPlaces"), (6, "", "PodUnknown"), (7, "", "NegativeEnergy"), (8, "", "TimestampInvalid"),
    ]  # fmt: skip
    assert stored(database, pod)[DAY] == [0, 1, 2, -1, -1, -1, -1, *range(7, 96)]
    # What was rejected may be right by now: a file of which anything was rejected is read again.
    add_pods(database, "nobody")
    assert counts(imported(database, file)) == (1, 0, 1, 3)
    assert stored(database, "nobody")[DAY][4] == 1000
    assert len(rejected(file)) == 3


@pytest.mark.parametrize("name", ["two words", "nul\x00", "x" * 65, "ä"])
def test_what_can_be_no_pod_is_unknown(database: Database, tmp_path: Path, name: str) -> None:
    padding = [("noone", f"2025-01-{number:02d}T00:00Z", 1) for number in range(1, 32)] * 10
    file = long(tmp_path / "a.csv", *padding, (name, "2025-01-15T00:00Z", 1))
    assert counts(imported(database, file)) == (0, 0, 0, 311)
    assert rejected(file)[-1] == (312, "", "PodUnknown")


def test_the_other_half_of_a_day_completes_it(database: Database, pod: str, tmp_path: Path) -> None:
    rows = day_of(pod)
    assert counts(imported(database, long(tmp_path / "a.csv", *rows[:48]))) == (1, 0, 0, 0)
    assert stored(database, pod)[DAY] == [*range(48)] + [-1] * 48
    assert counts(imported(database, long(tmp_path / "b.csv", *rows[48:]))) == (0, 1, 0, 0)
    assert stored(database, pod)[DAY] == [*range(96)]


def test_a_later_file_corrects_and_its_own_duplicates_do_not(database: Database, pod: str, tmp_path: Path) -> None:
    rows = day_of(pod)
    imported(database, long(tmp_path / "a.csv", *rows))
    file = long(tmp_path / "b.csv", (pod, str(rows[0][1]), 7), (pod, str(rows[1][1]), 7), (pod, str(rows[1][1]), 8))
    assert counts(imported(database, file)) == (0, 1, 0, 2)
    assert rejected(file) == [(3, "", "DuplicateContradicts"), (4, "", "DuplicateContradicts")]
    assert stored(database, pod)[DAY] == [7000, *range(1, 96)]


def test_duplicates_that_are_far_apart_do_not_correct_each_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PORTION", 2)
    names = [f"FAR{number}" for number in range(6)]
    add_pods(database, *names)
    rows = [row for name in names for row in day_of(name)]
    again = [(names[0], str(rows[5][1]), 0.005), (names[0], str(rows[6][1]), 99)]
    file = long(tmp_path / "a.csv", *rows, *again)
    assert counts(imported(database, file)) == (6, 0, 1, 1)
    assert rejected(file) == [(579, "", "DuplicateContradicts")]
    assert stored(database, names[0])[DAY] == [*range(96)]


def test_a_part_of_a_day_in_another_step_replaces_nothing(database: Database, pod: str, tmp_path: Path) -> None:
    imported(database, long(tmp_path / "a.csv", *day_of(pod)))
    file = tmp_path / "b.csv"
    file.write_text(f"pod,timestamp,value,time_step\n{pod},2025-01-15T00:00:00+01:00,5,PT1H\n")
    assert counts(imported(database, file)) == (0, 0, 1, 1)
    assert rejected(file) == [(2, "", "StepsOverlap")]
    assert stored(database, pod)[DAY] == [*range(96)]


class Source:
    """A source that is stopped or disturbed when it has given so many records."""

    def __init__(self, records: list[LoadCurve | Rejected], digest: bytes = b"1") -> None:
        self.named = Named("source", digest)
        self.records = records
        self.asked: list[int] = []
        self.stop_after: int | None = None

    def curves(self, after: int) -> Iterator[LoadCurve | Rejected]:
        self.asked.append(after)
        for number, record in enumerate(self.records):
            if number == self.stop_after:
                raise KeyboardInterrupt
            if record.line > after:
                yield record

    def check(self) -> None:
        """It does not change."""


def whole_days(pod: str, days: int, first_line: int = 1) -> list[LoadCurve | Rejected]:
    return [
        LoadCurve(
            first_line + number, pod, Quantity.ENERGY_CONSUMPTION, TimeStep.PT1H, DAY + timedelta(days=number),
            np.full(24, number),
        )
        for number in range(days)
    ]  # fmt: skip


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of two days, records looked up two at a time."""
    monkeypatch.setattr(importing, "PORTION", 2)
    monkeypatch.setattr(importing, "_RECORDS", 2)


@pytest.mark.usefixtures("small")
def test_an_import_that_was_stopped_goes_on_where_it_was(database: Database, pod: str, tmp_path: Path) -> None:
    report = Report(tmp_path / "report.csv")
    records = whole_days(pod, 10)
    records.insert(3, Rejected(3, 1, Code.NUMBER_INVALID, "no number"))
    records.append(Rejected(99, 1, Code.NUMBER_INVALID, "no number"))
    source = Source(records, b"resumed")
    source.stop_after = 8
    with pytest.raises(KeyboardInterrupt):
        import_values(database, source, report, lambda _row: None)
    assert len(stored(database, pod)) == 6
    source.stop_after = None
    ended = import_values(database, source, report, lambda _row: None)
    assert source.asked == [0, 6]
    assert counts(ended) == (10, 0, 0, 2)
    assert len(stored(database, pod)) == 10
    assert [line.split(",")[0] for line in report.file.read_text().splitlines()] == ["line", "3", "99"]


@pytest.mark.usefixtures("small")
def test_days_that_are_open_when_it_stops_are_read_again(database: Database, pod: str, tmp_path: Path) -> None:
    morning = LoadCurve(
        1, pod, Quantity.ENERGY_CONSUMPTION, TimeStep.PT1H, datetime(2026, 1, 1, tzinfo=UTC), np.full(5, 1),
        lines=np.arange(1, 6),
    )  # fmt: skip
    bad = Rejected(6, None, Code.CELL_COUNT, "too many cells")
    source = Source([morning, bad, *whole_days(pod, 6, 7)], b"open")
    source.stop_after = 6
    report = Report(tmp_path / "report.csv")
    with pytest.raises(KeyboardInterrupt):
        import_values(database, source, report, lambda _row: None)
    assert len(stored(database, pod)) == 4
    assert not report.file.exists()
    source.stop_after = None
    assert counts(import_values(database, source, report, lambda _row: None)) == (7, 0, 4, 1)
    assert source.asked == [0, 0]
    assert stored(database, pod)[date(2026, 1, 1)][:8] == [-1, 1, 1, 1, 1, 1, -1, -1]


@pytest.mark.usefixtures("small")
def test_what_a_stopped_import_reported_too_early_is_not_reported_twice(
    database: Database, pod: str, tmp_path: Path
) -> None:
    report = Report(tmp_path / "report.csv")
    source = Source([Rejected(1, 1, Code.NUMBER_INVALID, "no number"), *whole_days(pod, 4, 2)], b"reported")
    source.stop_after = 4
    with pytest.raises(KeyboardInterrupt):
        import_values(database, source, report, lambda _row: None)
    report.add([Rejected(50, 1, Code.NUMBER_INVALID, "as if it was killed before the portion was stored")])
    source.stop_after = None
    assert counts(import_values(database, source, report, lambda _row: None)) == (4, 0, 0, 1)
    assert [line.split(",")[0] for line in report.file.read_text().splitlines()] == ["line", "1"]


@pytest.mark.usefixtures("small")
def test_too_many_open_days_are_stored_as_they_are_and_completed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "OPEN_DAYS", 3)
    add_pods(database, "OPEN", zone="UTC")
    halves: list[LoadCurve | Rejected] = [
        LoadCurve(
            1 + 8 * half + day, "OPEN", Quantity.ENERGY_CONSUMPTION, TimeStep.PT1H,
            datetime(2025, 1, 1 + day, 12 * half, tzinfo=UTC), np.full(12, day),
        )
        for half in range(2)
        for day in range(8)
    ]  # fmt: skip
    ended = import_values(database, Source(halves, b"open days"), Report(tmp_path / "r"), lambda _row: None)
    assert counts(ended) == (8, 8, 0, 0)
    assert [values for _, values in stored(database, "OPEN").items()] == [[day] * 24 for day in range(8)]


@pytest.mark.usefixtures("small")
def test_another_process_at_the_same_import_is_told(database: Database, pod: str, tmp_path: Path) -> None:
    source = Source(whole_days(pod, 8), b"twice at once")

    def other(row: Row) -> None:
        with transaction(database) as tx:
            value_imports.advance(tx, row, row.position + 1, importing._NOTHING, 0, ended=False)

    with pytest.raises(StateConflict, match="Another process is importing source"):
        import_values(database, source, Report(tmp_path / "r"), other)
    assert len(stored(database, pod)) == 2


def _disturb(file: Path, how: str) -> None:
    if how == "grown":
        with file.open("a") as opened:
            opened.write("more\n")
    elif how == "replaced":
        content = file.read_bytes()
        status = file.stat()
        file.unlink()
        file.with_name("other").touch()
        file.write_bytes(content)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif how == "touched":
        os.utime(file, ns=(0, 0))
    else:
        file.unlink()


@pytest.mark.parametrize("how", ["grown", "replaced", "touched", "removed"])
@pytest.mark.usefixtures("small")
def test_a_file_that_changes_while_it_is_read_ends_the_import(
    database: Database, pod: str, tmp_path: Path, how: str
) -> None:
    days = [DAY + timedelta(days=number) for number in range(6)]
    file = wide(tmp_path / f"{how}.csv", *((pod, day, [1.0] * 96) for day in days))
    with OpenedFile(file) as opened, pytest.raises(FileChanged, match="changed while it was read") as refused:
        import_values(database, FileSource(opened, Options()), report_of(file), lambda _row: _disturb(file, how))
    assert "Stored are 2 new days, 0 corrected and 0 known ones, all up to line 3" in refused.value.message
    assert "Import the file again" in refused.value.message
    assert len(stored(database, pod)) == 2


def test_a_report_never_replaces_another_file(database: Database, pod: str, tmp_path: Path) -> None:
    file = long(tmp_path / "a.csv", *day_of(pod))
    report_of(file).file.write_text("something else\n")
    with pytest.raises(FileInvalid, match="is no report of rejected rows"):
        imported(database, file)
    assert report_of(file).file.read_text() == "something else\n"
    assert stored(database, pod) == {}


def test_qualities_are_stored(database: Database, pod: str, tmp_path: Path) -> None:
    rows = day_of(pod)
    file = tmp_path / "a.csv"
    words = [quality.word for quality in Quality]
    lines = [f"{pod},{start},{value},{words[number % 5]}" for number, (_, start, value) in enumerate(rows)]
    file.write_text("\n".join(["pod,timestamp,value,quality", *lines]))
    assert counts(imported(database, file)) == (1, 0, 0, 0)
    assert stored(database, pod)[DAY] == [-1 if number % 5 == 4 else number for number in range(96)]

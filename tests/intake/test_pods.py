"""PoD master data: what is right is stored, a PoD of which a line is wrong left out whole, with line and reason."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from flexiciency.errors import FileBroken, FileChanged, FileInvalid
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.pod_files import COLUMNS, PodFile
from flexiciency.intake.pods import ImportedPods, import_pods
from flexiciency.intake.source import PodLine, PodSource, RejectedPod
from flexiciency.store.database import Database
from flexiciency.store.pods import PodRecord
from tests.intake.stored import rejected, report_of

HEADER = ",".join(COLUMNS) + "\n"
SINCE, MOVED = "2020-01-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00"
_numbers = count(1)


@pytest.fixture
def pod() -> str:
    return f"P{next(_numbers):05d}"


def line(pod: str, customer: str = "C1", since: str = SINCE, until: str = "", **other: str) -> str:
    cells = {
        "country": "AT", "city": "Linz", "street": "Weg", "load_area": "", "time_zone": "Europe/Vienna",
    } | other  # fmt: skip
    return ",".join([pod, *cells.values(), customer, since, until]) + "\n"


def written(folder: Path, *lines: str) -> Path:
    file = folder / f"{next(_numbers)}.csv"
    file.write_text(HEADER + "".join(lines))
    return file


def run(database: Database, file: Path, source: PodSource | None = None) -> ImportedPods:
    with OpenedFile(file) as opened:
        found = source or PodFile(opened)
        return import_pods(database, found, report_of(file), lambda _tx, _locked: None, lambda: None)


def holders(database: Database, pod: str) -> list[tuple[str, datetime, datetime | None]]:
    asked = text("SELECT customer_id, lower(held), upper(held) FROM pod_holder h JOIN pod p ON p.id = h.pod_id "
                 "WHERE p.pod = :pod ORDER BY lower(held)")  # fmt: skip
    with database.begin() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(asked, {"pod": pod})]


def is_there(database: Database, pod: str) -> bool:
    with database.begin() as connection:
        return bool(connection.execute(text("SELECT 1 FROM pod WHERE pod = :pod"), {"pod": pod}).first())


def test_a_second_import_replaces_what_the_first_said_of_a_pod(database: Database, pod: str, tmp_path: Path) -> None:
    first = written(tmp_path, line(pod, "C1", SINCE, MOVED), line(pod, "C2", MOVED), line(f"{pod}X"))
    for _ in range(2):
        assert run(database, first) == ImportedPods(records=3, pods=2, rejected=0)
    moved = datetime.fromisoformat(MOVED)
    assert holders(database, pod) == [("C1", datetime.fromisoformat(SINCE), moved), ("C2", moved, None)]
    run(database, written(tmp_path, line(pod, "C9", city="Wels")))
    assert [held[0] for held in holders(database, pod)] == ["C9"]
    assert [held[0] for held in holders(database, f"{pod}X")] == ["C1"]
    with database.begin() as connection:
        assert connection.execute(text("SELECT city FROM pod WHERE pod = :pod"), {"pod": pod}).scalar_one() == "Wels"


@pytest.mark.parametrize(
    ("wrong", "column", "code"),
    [
        ({"time_zone": "Mars/Olympus"}, "6", "TimeZoneUnknown"), ({"since": "2020-01-01"}, "8", "TimestampInvalid"),
        ({"since": "soon"}, "8", "TimestampInvalid"), ({"customer": ""}, "7", "CellEmpty"),
        ({"until": SINCE}, "9", "HeldPeriodInvalid"), ({"country": "Austria"}, "2", "CellInvalid"),
        ({"city": "x" * 201}, "3", "CellInvalid"), ({"street": "bell\a"}, "4", "CellInvalid"),
        ({"load_area": "two words"}, "5", "CellInvalid"), ({"customer": "C 1"}, "7", "CellInvalid"),
        ({"until": "2030-01-01"}, "9", "TimestampInvalid"),
    ],
)  # fmt: skip
def test_a_pod_of_which_a_line_is_wrong_is_left_out_whole_and_the_others_stored(
    database: Database, pod: str, tmp_path: Path, wrong: dict[str, str], column: str, code: str
) -> None:
    good = f"{pod}G"
    file = written(tmp_path, line(pod, "C1", SINCE, MOVED), line(pod, **({"since": MOVED} | wrong)), line(good))
    if wrong == {"until": SINCE}:
        file = written(tmp_path, line(pod, "C1", SINCE, MOVED), line(pod, "C2", MOVED, SINCE), line(good))
    assert run(database, file) == ImportedPods(records=1, pods=1, rejected=2)
    assert rejected(file) == [(2, "", "PodRejected"), (3, column, code)]
    assert not is_there(database, pod)
    assert is_there(database, good)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("{pod},AT,Linz\n", (2, "", "CellCount")),
        ("x" * 65 + ",AT,Linz,Weg,,UTC,C1," + SINCE + ",\n", (2, "1", "CellInvalid")),
        (",AT,Linz,Weg,,UTC,C1," + SINCE + ",\n", (2, "1", "CellEmpty")), ('"{pod},AT\n', (2, "", "CellInvalid")),
        ("{pod}\udce4,AT,Linz,Weg,,UTC,C1," + SINCE + ",\n", (2, "", "EncodingInvalid")),
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_rejected(
    database: Database, pod: str, tmp_path: Path, wrong: str, found: tuple[int, str, str]
) -> None:
    file = tmp_path / "pods.csv"
    text_ = HEADER + wrong.replace("{pod}", pod) + line(f"{pod}G")
    file.write_text(text_, encoding="utf-8", errors="surrogateescape")
    assert run(database, file) == ImportedPods(records=1, pods=1, rejected=1)
    assert rejected(file) == [found]
    assert is_there(database, f"{pod}G")


@pytest.mark.parametrize("wrong", ["{pod},AT\n", '{pod},"AT\n', "{pod},AT,L\udce4nz,Weg,,UTC,C1," + SINCE + ",\n"])
def test_the_other_lines_of_its_pod_are_left_out_with_it(
    database: Database, pod: str, tmp_path: Path, wrong: str
) -> None:
    file = tmp_path / "pods.csv"
    content = HEADER + line(pod, "C1", SINCE, MOVED) + wrong.replace("{pod}", pod)
    file.write_text(content, encoding="utf-8", errors="surrogateescape")
    assert run(database, file) == ImportedPods(records=0, pods=0, rejected=2)
    assert not is_there(database, pod)


def test_a_pod_with_two_holders_at_once_is_left_out(database: Database, pod: str, tmp_path: Path) -> None:
    later = "2026-01-01T00:00:00Z"
    file = written(
        tmp_path, line(pod, "C1", SINCE, MOVED), line(pod, "C2", "2024-01-01T00:00:00Z", later), line(pod, "C3", later),
        line(f"{pod}G"),
    )  # fmt: skip
    assert run(database, file) == ImportedPods(records=1, pods=1, rejected=3)
    assert rejected(file) == [(2, "", "PodRejected"), (3, "", "TwoHolders"), (4, "", "PodRejected")]
    assert "another holder at once in line 2" in report_of(file).file.read_text()
    assert not is_there(database, pod)


def test_the_same_line_twice_counts_once(database: Database, pod: str, tmp_path: Path) -> None:
    assert run(database, written(tmp_path, line(pod), line(pod))).rejected == 0
    assert len(holders(database, pod)) == 1


def test_a_pod_in_two_places_is_left_out(database: Database, pod: str, tmp_path: Path) -> None:
    file = written(tmp_path, line(pod, "C1", SINCE, MOVED), line(pod, "C2", MOVED, load_area="LA-1"))
    assert run(database, file) == ImportedPods(records=0, pods=0, rejected=2)
    assert rejected(file) == [(2, "", "PodRejected"), (3, "", "PlacesDiffer")]
    assert not is_there(database, pod)


def test_parquet_says_the_same(database: Database, pod: str, tmp_path: Path) -> None:
    file = tmp_path / "pods.parquet"
    since = pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "Europe/Vienna"))
    pq.write_table(
        pa.table({
            "pod": [pod, f"{pod}X", f"{pod}Y"], "country": ["AT"] * 3, "city": ["Linz", "", "Wels"],
            "street": ["Weg"] * 3, "load_area": [None, None, "LA-1"], "time_zone": ["Europe/Vienna"] * 3,
            "customer_id": ["C1"] * 3, "held_from": since, "held_until": pa.nulls(3, pa.timestamp("us", "UTC")),
        }),
        file,
    )  # fmt: skip
    assert run(database, file) == ImportedPods(records=2, pods=2, rejected=1)
    assert rejected(file) == [(2, "3", "CellEmpty")]
    assert holders(database, pod) == [("C1", datetime(2020, 1, 1, tzinfo=UTC), None)]


def test_a_file_that_breaks_off_is_imported_not_at_all(database: Database, pod: str, tmp_path: Path) -> None:
    file = tmp_path / "pods.csv.gz"
    whole = gzip.compress((HEADER + "".join(line(f"{pod}{n}", f"C{n * 7919 % 1000}") for n in range(3000))).encode())
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileBroken, match="Nothing was imported"):
        run(database, file)
    assert not is_there(database, f"{pod}0")
    file.write_bytes(whole)
    assert run(database, file).pods == 3000


def _shorten(file: Path) -> None:
    file.write_text(HEADER)


def test_a_file_that_changes_while_it_is_read_is_imported_not_at_all(
    database: Database, pod: str, tmp_path: Path
) -> None:
    file = written(tmp_path, line(pod))
    with OpenedFile(file) as opened, pytest.raises(FileChanged, match="Nothing was imported"):
        import_pods(database, PodFile(opened), report_of(file), lambda _tx, _locked: None, lambda: _shorten(file))
    assert not is_there(database, pod)


@pytest.mark.parametrize(
    ("content", "words"), [("pod,country\nAT1,AT\n", "'time_zone'"), (HEADER.replace(",", ";"), "Say --delimiter ';'")]
)
def test_what_is_no_file_of_pods_is_refused_whole(database: Database, tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "pods.csv"
    file.write_text(content)
    with pytest.raises(FileInvalid, match=words):
        run(database, file)


class Customers:
    """A customer system as a source (`source.PodSource`)."""

    def __init__(self, pod: str) -> None:
        self.pod = pod

    def records(self) -> Iterator[PodLine | RejectedPod]:
        since = datetime(2020, 1, 1, tzinfo=UTC)
        yield PodLine(1, PodRecord(self.pod, "AT", "Linz", "Weg", None, "Europe/Vienna", "C1", since, None))

    def check(self) -> None:
        """It does not change."""


def test_a_source_of_ones_own_is_imported_like_a_file(database: Database, pod: str, tmp_path: Path) -> None:
    assert run(database, written(tmp_path), Customers(pod)) == ImportedPods(records=1, pods=1, rejected=0)
    assert [held[0] for held in holders(database, pod)] == ["C1"]

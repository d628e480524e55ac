"""`values import` and `pods import`, as an operator runs them."""

import gzip
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.cli.conftest import Run, listed

HEADER = "pod,country,city,street,load_area,time_zone,customer_id,held_from,held_until\n"
SINCE = "2020-01-01T00:00:00+01:00"
DAY = date(2025, 1, 15)
WIDE = "pod,day," + ",".join(f"v{number}" for number in range(96)) + "\n"


@pytest.fixture(scope="module")
def pods(database: Database) -> list[str]:
    names = [f"AT{number:04d}" for number in range(3_000)]
    place = {"country": "AT", "city": "Linz", "street": "Weg", "time_zone": "Europe/Vienna"}
    with database.begin() as connection:
        connection.execute(insert(tables.pod), [{"pod": name, **place} for name in names])
    return names


def row(pod: str, day: date = DAY, value: str = "0.5") -> str:
    return f"{pod},{day}" + f",{value}" * 96 + "\n"


def number_of_blocks(database: Database) -> int:
    with database.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM meter_value_block")).scalar_one())


def test_a_file_is_imported_once_and_listed(run: Run, pods: list[str], tmp_path: Path) -> None:
    file = tmp_path / "values.csv.gz"
    file.write_bytes(gzip.compress((WIDE + row(pods[0]) + row(pods[1])).encode()))
    first = run("values", "import", file)
    assert (first.code, first.err) == (0, "")
    assert first.out == f"{file}: 2 days new, 0 corrected, 0 known already; no row rejected.\n"
    second = run("values", "import", file)
    assert second.code == 0
    assert re.fullmatch(rf"{file} was imported already, until .* UTC: nothing to do \(or --again\)\.\n", second.out)
    assert "0 days new, 0 corrected, 2 known already" in run("values", "import", "--again", file).out
    again, before = listed(run("values", "imports", "--json"))
    assert (before["name"], before["new"], before["rejected"]) == ("values.csv.gz", 2, 0)
    assert (again["known"], again["size"]) == (2, file.stat().st_size)
    assert again["ended_at"] is not None


@pytest.mark.usefixtures("pods")
def test_rejected_rows_are_counted_reported_and_the_exit_code(run: Run, pods: list[str], tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(WIDE + row(pods[2]))
    bad.write_text(WIDE + row(pods[3]) + row("nobody") + row(pods[4], value="1,5"))
    ran = run("values", "import", good, bad)
    assert ran.code == 1
    assert f"{good}: 1 days new" in ran.out
    assert f"{bad}: 1 days new, 0 corrected, 0 known already; 2 rows rejected: see {bad}.rejected.csv.\n" in ran.out
    report = Path(f"{bad}.rejected.csv").read_text().splitlines()
    assert report[0] == "line,column,code,reason,remedy"
    assert report[1].startswith("3,,PodUnknown,no PoD 'nobody' is known here,")
    assert report[2].startswith('4,,CellCount,"194 cells, where the header has 98')
    assert run("values", "import", "--rejected", tmp_path / "elsewhere.csv", bad).code == 1
    assert (tmp_path / "elsewhere.csv").exists()
    assert run("values", "import", "--rejected", tmp_path / "r.csv", bad, good).code == 2


def test_options_say_what_the_file_does_not(run: Run, pods: list[str], tmp_path: Path) -> None:
    file = tmp_path / "values.csv"
    file.write_text(f"pod;timestamp;value\n{pods[5]};2025-01-15T00:00:00+01:00;-1,500\n")
    assert run("values", "import", file).refusal == "FileInvalid"
    named = ("--delimiter", ";", "--decimal", ",", "--quantity", "Power", "--time-step", "PT1H", "--unit", "kW")
    assert run("values", "import", *named, file).code == 0
    assert run("values", "import", "--delimiter", ";;", file).code == 2
    assert run("values", "import", "--format", "parquet", file).refusal == "FileInvalid"


def test_a_broken_file_says_what_is_stored(run: Run, pods: list[str], tmp_path: Path) -> None:
    file = tmp_path / "values.csv.gz"
    days = [DAY + timedelta(days=number) for number in range(100, 300)]
    whole = gzip.compress((WIDE + "".join(row(pods[6], day, f"{n * n}") for n, day in enumerate(days))).encode())
    file.write_bytes(whole[: len(whole) // 2])
    ran = run("values", "import", file)
    assert ran.refusal == "FileBroken"
    assert re.search(r"Get the file again\. Stored are \d+ new days", ran.err)


def _wait_for(database: Database, blocks: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while number_of_blocks(database) < blocks:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of a test, ended with it."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_an_import_that_is_killed_goes_on_where_it_was(
    run: Run, pods: list[str], tmp_path: Path, database: Database, started: list[subprocess.Popen[bytes]]
) -> None:
    file = tmp_path / "values.csv"
    days = [DAY + timedelta(days=400 + number) for number in range(8)]
    file.write_text(WIDE + "".join(row(pod, day) for day in days for pod in pods))
    before = number_of_blocks(database)
    command = [sys.executable, "-m", "flexiciency.cli.start", "values", "import", str(file)]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started.append(process)
    _wait_for(database, before + 5_000, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (stopped,) = listed(run("values", "imports", "--json", "--limit", 1))
    assert stopped["ended_at"] is None
    assert 0 < stopped["new"] < 24_000
    assert number_of_blocks(database) == before + stopped["new"]
    assert run("values", "import", file).out == (
        f"{file}: 24000 days new, 0 corrected, 0 known already; no row rejected.\n"
    )
    (ended,) = listed(run("values", "imports", "--json", "--limit", 1))
    assert ended["id"] == stopped["id"]
    assert ended["ended_at"] is not None
    assert number_of_blocks(database) == before + 24_000


def test_pods_and_holders_are_imported_and_a_second_import_replaces_them(
    run: Run, tmp_path: Path, database: Database
) -> None:
    file = tmp_path / "pods.csv"
    moved = "2024-07-01T00:00:00+02:00"
    rows = [f"P1,AT,Linz,Weg,,Europe/Vienna,C1,{SINCE},{moved}", f"P1,AT,Linz,Weg,,Europe/Vienna,C2,{moved},"]
    for _ in range(2):
        file.write_text(HEADER + "\n".join(rows) + "\n")
        ran = run("pods", "import", file)
        assert (ran.code, ran.out) == (0, f"{file}: 2 records of 1 PoDs imported; no row rejected.\n")
    with database.begin() as connection:
        held = connection.execute(text("SELECT customer_id FROM pod_holder ORDER BY lower(held)")).scalars().all()
    assert held == ["C1", "C2"]


def test_a_bad_line_of_a_pod_is_named_and_the_other_pods_imported(run: Run, tmp_path: Path, database: Database) -> None:
    file = tmp_path / "pods.csv"
    file.write_text(f"{HEADER}P2,AT,Linz,Weg,,Mars/Olympus,C1,{SINCE},\nP3,AT,Linz,Weg,,Europe/Vienna,C1,{SINCE},\n")
    ran = run("pods", "import", file)
    assert ran.code == 1
    assert ran.out == f"{file}: 1 records of 1 PoDs imported; 1 row rejected: see {file}.rejected.csv.\n"
    assert "2,6,TimeZoneUnknown,'Mars/Olympus' is no IANA time zone," in Path(f"{file}.rejected.csv").read_text()
    with database.begin() as connection:
        assert connection.execute(text("SELECT pod FROM pod WHERE pod LIKE 'P%'")).scalars().all() == ["P1", "P3"]


def test_pods_of_a_spreadsheet_are_imported(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pods.csv"
    file.write_text(f"{HEADER}P9,AT,Linz,Weg,,Europe/Vienna,C1,{SINCE},\n".replace(",", ";"))
    assert run("pods", "import", "--delimiter", ";", file).code == 0


def test_a_missing_column_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pods.csv"
    file.write_text("pod,country\nAT1,AT\n")
    ran = run("pods", "import", file)
    assert ran.refusal == "FileInvalid"
    assert "'time_zone'" in ran.err

"""The examples of docs/run.md and docs/extend.md, run as they stand."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flexiciency.contract.series import Quality
from flexiciency.store.database import Database
from tests.intake.stored import ZONE, add_pods, counts, imported, qualities_of, stored

DOCS = Path(__file__).parents[2] / "docs"
DAY = date(2025, 2, 1)


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


def test_the_files_of_the_run_page_are_imported(database: Database, tmp_path: Path) -> None:
    long, wide = examples("run.md", "csv")
    (one,) = set(re.findall("AT[0-9]{31}", long))
    (other,) = set(re.findall("AT[0-9]{31}", wide))
    add_pods(database, one, other)
    for number, content in enumerate((long, wide)):
        file = tmp_path / f"{number}.csv"
        file.write_text(content)
        assert counts(imported(database, file)) == (1, 0, 0, 0)
    assert stored(database, one)[DAY][:4] == [125, 117, -1, -1]
    assert stored(database, other)[DAY][:5] == [125, 117, -1, 110, -1]
    qualities = qualities_of(database, one, DAY)
    assert qualities is not None
    assert qualities[:3] == [Quality.MEASURED, Quality.ESTIMATED, Quality.MISSING]


def test_the_source_of_the_page_on_extending_is_imported(database: Database, database_url: str, tmp_path: Path) -> None:
    add_pods(database, "OWN1", "OWN2")
    example: dict[str, Any] = {}
    (source,) = examples("extend.md", "python")
    exec(compile(source, "extend.md", "exec"), example)  # noqa: S102  our own document
    midnight = datetime(2025, 2, 1, tzinfo=ZoneInfo(ZONE))
    rows = [("OWN1", midnight, [1, 2, 3]), ("OWN2", midnight, [-1] * 96), ("OWN2", midnight, [5] * 96)]
    system = example["MeterDataSystem"]("2025-02-01", rows)
    ended = example["nightly"](database_url, system, tmp_path)
    assert counts(ended) == (2, 0, 0, 96)
    assert stored(database, "OWN1")[DAY][:4] == [1, 2, 3, -1]
    assert stored(database, "OWN2")[DAY] == [5] * 96
    assert (tmp_path / "rejected.csv").exists()

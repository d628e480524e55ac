"""Each code says what to do, and the report is CSV that any tool reads."""

import csv
from pathlib import Path

import pytest

from flexiciency.errors import FileInvalid
from flexiciency.intake.rejected import HEADER, REMEDIES, Code, Rejected, Report


def test_each_code_has_its_remedy() -> None:
    assert set(REMEDIES) == set(Code)


def test_a_report_begins_with_its_header_and_is_there_only_when_there_is_something(tmp_path: Path) -> None:
    report = Report(tmp_path / "report.csv")
    report.add([])
    report.keep(0)
    assert not report.file.exists()
    report.add([Rejected(7, 3, Code.NUMBER_INVALID, 'a "1,5"')])
    report.add([Rejected(8, None, Code.POD_UNKNOWN, "no PoD")])
    with report.file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.reader(opened))
    assert rows == [
        list(HEADER),
        ["7", "3", "NumberInvalid", 'a "1,5"', REMEDIES[Code.NUMBER_INVALID]],
        ["8", "", "PodUnknown", "no PoD", REMEDIES[Code.POD_UNKNOWN]],
    ]


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match=r"cannot be written .* Say --rejected FILE"):
        Report(tmp_path / "nowhere" / "report.csv").add([Rejected(1, None, Code.POD_UNKNOWN, "no PoD")])


@pytest.mark.parametrize("content", [None, b'"' + b"x" * 200_000])
def test_what_is_no_report_is_told_and_left_alone(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "report.csv"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(FileInvalid, match=r"is no report of rejected rows. Say --rejected FILE"):
        Report(file).keep(0)
    assert file.exists()

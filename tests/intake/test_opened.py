"""Packed files are read directly; one that breaks off counts up to there, and none fills the memory."""

import gzip
import os
from pathlib import Path

import pytest

from flexiciency.errors import FileBroken, FileInvalid
from flexiciency.intake import opened as module
from flexiciency.intake.cells import Options
from flexiciency.intake.formats import FileSource, Format, recognised
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.rejected import Rejected
from flexiciency.intake.source import LoadCurve
from flexiciency.store.database import Database
from tests.intake.stored import DAY, add_pods, imported, read, report_of, stored

HEADER = "pod,day," + ",".join(f"v{number}" for number in range(96)) + "\n"


def rows(*pods: str) -> bytes:
    """A day each, whose numbers do not pack too well."""
    lines = [f"{pod},{DAY}," + ",".join(f"{(37 * n * n) % 7919 / 1000}" for n in range(96)) for pod in pods]
    return (HEADER + "\n".join(lines) + "\n").encode()


def test_a_packed_file_is_read_directly(database: Database, tmp_path: Path) -> None:
    add_pods(database, "AT1")
    file = tmp_path / "values.csv.gz"
    file.write_bytes(gzip.compress(rows("AT1")))
    assert imported(database, file).row.new == 1
    assert stored(database, "AT1")[DAY][:3] == [0, 37, 148]


def test_a_file_that_breaks_off_counts_up_to_there(database: Database, tmp_path: Path) -> None:
    names = [f"BR{number:03d}" for number in range(400)]
    add_pods(database, *names)
    file = tmp_path / "values.csv.gz"
    whole = gzip.compress(rows(*names))
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileBroken, match=r"is broken after [0-9,]+ bytes unpacked .* Get the file again") as refused:
        imported(database, file)
    there = [name for name in names if stored(database, name)]
    assert 0 < len(there) < 400
    assert there == names[: len(there)]
    assert f"Stored are {len(there)} new days" in refused.value.message
    assert all(stored(database, name)[DAY][95] == 37 * 95 * 95 % 7919 for name in there)
    file.write_bytes(whole)
    ended = imported(database, file)
    assert (ended.row.new, ended.row.known) == (400 - len(there), len(there))
    assert not report_of(file).file.exists()


def test_a_long_file_that_breaks_off_counts_too(tmp_path: Path) -> None:
    text = "pod,timestamp,value\n" + "".join(f"AT1,2025-01-15T{h:02d}:00:00Z,{h}\n" for h in range(24)) * 300
    whole = gzip.compress(text.encode())
    file = tmp_path / "values.csv.gz"
    file.write_bytes(whole[:-30])
    found: list[LoadCurve | Rejected] = []
    with OpenedFile(file) as opened, pytest.raises(FileBroken):
        found.extend(FileSource(opened, Options()).curves(0))
    # Nothing is lost, and nothing is made of half a line.
    lines = [line for one in found if isinstance(one, LoadCurve) and one.lines is not None for line in one.lines]
    assert lines == list(range(2, 2 + len(lines)))
    assert len(lines) > 1000


@pytest.mark.parametrize("where", ["middle", "end"])
def test_damaged_bytes_are_told(tmp_path: Path, where: str) -> None:
    whole = bytearray(gzip.compress(rows(*(f"AT{number}" for number in range(200)))))
    place = len(whole) // 2 if where == "middle" else -6
    whole[place : place + 4] = b"\xff\xff\xff\xff"
    file = tmp_path / "values.csv.gz"
    file.write_bytes(whole)
    with pytest.raises(FileBroken, match="is broken"):
        read(file)


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RATIO_FROM", 1_000_000)
    file = tmp_path / "bomb.csv.gz"
    file.write_bytes(gzip.compress(HEADER.encode() + b"\n" * 20_000_000))
    with pytest.raises(FileBroken, match="which no file of values of"):
        read(file)


def test_a_bomb_is_refused_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "bomb.csv.gz"
    file.write_bytes(gzip.compress(rows(*(f"AT{number}" for number in range(2_000)))))
    with OpenedFile(file, unpacked_bytes=500_000) as opened, pytest.raises(FileBroken, match="unpacks to more than"):
        list(FileSource(opened, Options()).curves(0))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PAR1....", Format.PARQUET), (b"\xef\xbb\xbf\n<feed/>", Format.GREEN_BUTTON),
        (b"<?xml ?>", Format.GREEN_BUTTON),
        (b"pod,day\n", Format.CSV), (gzip.compress(b"<feed/>", mtime=0), Format.GREEN_BUTTON),
    ],
)  # fmt: skip
def test_the_format_is_recognised_by_the_content(tmp_path: Path, content: bytes, kind: Format) -> None:
    file = tmp_path / "values"
    file.write_bytes(content)
    with OpenedFile(file) as opened:
        assert recognised(opened) is kind
        assert opened.unpacked.read(1) != b""


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match="No such file"):
        OpenedFile(tmp_path / "nowhere.csv")


def test_what_is_no_file_is_refused() -> None:
    with pytest.raises(FileInvalid, match="Write it to a file first"):
        OpenedFile(Path(os.devnull))


def test_a_pipe_is_refused_at_once_though_nobody_writes_to_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileInvalid, match="Write it to a file first"):
        OpenedFile(pipe)


def test_the_same_content_with_other_options_is_another_import(tmp_path: Path) -> None:
    file, other = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_bytes(rows("AT1"))
    other.write_bytes(rows("AT1"))
    digests = []
    for one, options in ((file, Options()), (other, Options()), (file, Options(decimal=","))):
        with OpenedFile(one) as opened:
            digests.append(FileSource(opened, options).named.digest)
    assert digests[0] == digests[1] != digests[2]

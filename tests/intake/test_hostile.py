"""Whatever a file holds, it ends in values, rejected rows or one coded error."""

import gzip
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexiciency.contract.series import Quality
from flexiciency.errors import IntakeError
from flexiciency.intake.cells import Options
from flexiciency.intake.collect import Collector
from flexiciency.intake.formats import FileSource
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.rejected import Rejected

_numbers = count(1)
CELLS = st.sampled_from([
    "AT1", "", "2025-03-30", "2025-03-30T02:00:00+01:00", "2025-10-26T02:15:00+02:00", "1.5", "-1", "1,5", "1e9", "NaN",
    "9" * 30, "Power", "PT1H", "P1D", "Missing", '"', '"a', "\x00", "ä", "9999-12-31", "0001-01-01T00:00:00+14:00",
    "2025-W01-1",
])  # fmt: skip
HEADERS = st.sampled_from([
    "pod,timestamp,value", "pod,timestamp,value,quality,quantity,time_step", "pod,day,v1,v2,v3", "day,time_step,pod,v1",
    "pod;timestamp;value", "", "pod", '"pod,timestamp,value',
])  # fmt: skip
LINES = st.lists(st.lists(CELLS, max_size=7).map(",".join), max_size=20)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def taken(file: Path, content: bytes) -> None:
    """Reads and collects; each block that comes of it is whole."""
    file.write_bytes(content)
    collector, said = Collector(), str(file)
    try:
        with OpenedFile(file) as opened:
            for record in FileSource(opened, Options()).curves(0):
                if isinstance(record, Rejected):
                    collector.rejected.append(record)
                else:
                    collector.add(record, "Europe/Vienna")
    except IntakeError as error:
        said = error.message
    assert str(file) in said
    for one in collector.take(everything=True):
        assert one.block.qualities is not None
        missing = one.block.qualities == Quality.MISSING
        assert len(missing) == len(one.block.values)
        assert not one.block.values[missing].any()
    assert all(one.line > 0 and one.reason for one in collector.rejected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(header=HEADERS, lines=LINES, end=ENDS, packed=st.booleans())
def test_lines_of_anything(tmp_path: Path, header: str, lines: list[str], end: str, packed: bool) -> None:  # noqa: FBT001
    content = end.join([header, *lines]).encode()
    taken(tmp_path / f"{next(_numbers)}.csv", gzip.compress(content) if packed else content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    start=st.sampled_from([b"", b"PAR1", b"\x1f\x8b", b"<feed", b"pod,timestamp,value\n"]), rest=st.binary(max_size=200)
)
def test_bytes_of_anything(tmp_path: Path, start: bytes, rest: bytes) -> None:
    taken(tmp_path / f"{next(_numbers)}", start + rest)

"""Parquet, long and wide: exact numbers of every type, and each thing that can be wrong with its code and row."""

import gzip
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.domain.values import local_day, steps_in_day
from flexiciency.errors import FileInvalid, NotInstalled
from flexiciency.intake import parquet_file
from flexiciency.intake.cells import Options, Unit
from flexiciency.intake.collect import Collector
from flexiciency.intake.rejected import Code, Rejected
from flexiciency.intake.source import LoadCurve
from flexiciency.store.database import Database
from tests.intake.stored import AUTUMN, DAY, SPRING, add_pods, imported, read, stored

_numbers = count(1)
WH = Options(unit=Unit.WH)
START = datetime(2025, 1, 14, 23, tzinfo=UTC)
STARTS = [START + number * timedelta(minutes=15) for number in range(4)]


def written(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    file = folder / f"{next(_numbers)}.parquet"
    pq.write_table(pa.table(columns), file, **options)
    return file


def curves(file: Path, options: Options | None = None, after: int = 0) -> list[LoadCurve]:
    found = read(file, options, after)
    assert not [one for one in found if isinstance(one, Rejected)]
    return [one for one in found if isinstance(one, LoadCurve)]


def refused(file: Path, options: Options | None = None) -> list[tuple[int, int | None, Code]]:
    return [(r.line, r.column, r.code) for r in read(file, options) if isinstance(r, Rejected)]


def long(folder: Path, values: Any, starts: Any = None, **columns: Any) -> Path:
    starts = pa.array(STARTS[: len(values)], pa.timestamp("us", "UTC")) if starts is None else starts
    return written(folder, {"pod": ["AT1"] * len(values), "timestamp": starts, "value": values, **columns})


@pytest.mark.parametrize(
    ("values", "unit", "expected"),
    [
        (pa.array([1, 2], pa.int32()), Unit.WH, [1, 2]),
        (pa.array([1, 2], pa.int64()), Unit.KWH, [1000, 2000]),
        (pa.array([1, 2**64 - 1], pa.uint64()), Unit.WH, [1, 10**15]),
        (pa.array([1.5, 0.001], pa.float64()), None, [1500, 1]),
        (pa.array([1.5, 0.1], pa.float32()), None, [1500, 100]),
        (pa.array([Decimal("1.500"), Decimal("-0.001")], pa.decimal128(12, 3)), None, [1500, -1]),
        (pa.array([Decimal("1.5"), Decimal("2.0")], pa.decimal128(5, 1)), None, [1500, 2000]),
        (pa.array([Decimal("1.50000"), Decimal("0.00100")], pa.decimal128(38, 5)), None, [1500, 1]),
        (pa.array([Decimal("10.250"), Decimal("-0.001")], pa.decimal128(38, 18)), None, [10250, -1]),
        (pa.array([Decimal(15), Decimal(1)], pa.decimal128(5, 0)), Unit.WH, [15, 1]),
        (pa.array([15.0, 1.0], pa.float64()), Unit.WH, [15, 1]),
    ],
    ids=str,
)
def test_numbers_of_every_type_are_exact(
    tmp_path: Path, values: pa.Array, unit: Unit | None, expected: list[int]
) -> None:
    (curve,) = curves(long(tmp_path, values), Options(unit=unit))
    assert curve.values.tolist() == expected
    assert curve.start == START
    assert curve.qualities is None


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_floats_and_decimals_of_three_places_are_what_was_written(tmp_path: Path, whole: list[int]) -> None:
    starts = pa.array([START + n * timedelta(minutes=15) for n in range(len(whole))], pa.timestamp("s", "UTC"))
    for values in (
        pa.array([value / 1000 for value in whole], pa.float64()),
        pa.array([Decimal(value).scaleb(-3) for value in whole], pa.decimal128(20, 3)),
    ):
        (curve,) = curves(long(tmp_path, values, starts), Options(quantity=Quantity.POWER))
        assert curve.values.tolist() == whole


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (pa.array([1.0, 1.0005]), Code.TOO_MANY_PLACES),
        (pa.array([1.0, 0.1 + 0.2]), Code.TOO_MANY_PLACES),
        (pa.array([1.0, 1.0005], pa.float32()), Code.TOO_MANY_PLACES),
        (pa.array([1.0, float("inf")]), Code.NUMBER_INVALID),
        (pa.array([1.0, float("-inf")]), Code.NUMBER_INVALID),
        (pa.array([Decimal(1), Decimal("1.0001")], pa.decimal128(12, 4)), Code.TOO_MANY_PLACES),
        (pa.array([Decimal(1), Decimal("1e-4")], pa.decimal128(38, 22)), Code.TOO_MANY_PLACES),
        (pa.array([Decimal(1), Decimal(10**30)], pa.decimal128(38, 0)), Code.VALUE_TOO_LARGE),
    ],
    ids=str,
)
def test_a_number_that_is_not_exact_is_rejected_never_rounded(tmp_path: Path, values: pa.Array, code: Code) -> None:
    file = long(tmp_path, values)
    assert refused(file) == [(2, None, code)]
    (curve,) = [one for one in read(file) if isinstance(one, LoadCurve)]
    assert curve.values.tolist() == [1000]


def test_rows_that_do_not_follow_each_other_are_curves_of_their_own(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {
            "pod": pa.array(["AT1", "AT1", "AT2", "AT2", "AT2"]).dictionary_encode(),
            "timestamp": [f"2025-01-15T{time}+01:00" for time in ("00:00", "00:15", "00:30", "00:30", "00:45")],
            "value": [1.0, None, 3.0, 4.0, 5.0],
            "quality": [None, None, "Estimated", "", "Measured"],
            "quantity": [*["EnergyGeneration"] * 3, "Power", "Power"],
            "time_step": [None] * 4 + ["P1D"],
        },
    )  # fmt: skip
    found = curves(file)
    assert [(one.line, one.pod, one.quantity, one.step, one.values.tolist()) for one in found] == [
        (1, "AT1", Quantity.ENERGY_GENERATION, TimeStep.PT15M, [1000, 0]),
        (3, "AT2", Quantity.ENERGY_GENERATION, TimeStep.PT15M, [3000]),
        (4, "AT2", Quantity.POWER, TimeStep.PT15M, [4000]),
        (5, "AT2", Quantity.POWER, TimeStep.P1D, [5000]),
    ]
    qualities = [None if one.qualities is None else one.qualities.tolist() for one in found]
    assert qualities == [[Quality.MEASURED, Quality.MISSING], [Quality.ESTIMATED], None, None]


def test_nan_is_missing_and_a_column_of_nothing_is_empty(tmp_path: Path) -> None:
    (curve,) = curves(long(tmp_path, pa.array([float("nan"), 2.0])))
    assert curve.values.tolist() == [0, 2000]
    assert curve.qualities is not None
    assert curve.qualities.tolist() == [Quality.MISSING, Quality.MEASURED]
    nan = float("nan")
    file = written(
        tmp_path, {"pod": ["AT1"], "day": [DAY], "v1": [1.0], "v2": [nan], "v3": [3.0], "v4": [nan], "v5": pa.nulls(1)}
    )
    (curve,) = curves(file)
    assert curve.values.tolist() == [1000, 0, 3000]


def test_each_wrong_row_of_a_long_file_is_named_and_the_others_read(tmp_path: Path) -> None:
    starts = pa.array([*STARTS, None, START + timedelta(microseconds=5)], pa.timestamp("us", "UTC"))
    file = long(
        tmp_path, pa.array([1.0] * 6), starts,
        quality=["Measured", "Guessed", *["Measured"] * 4], quantity=[*["Power"] * 2, "Heat", *["Power"] * 3],
    )  # fmt: skip
    assert refused(file) == [
        (2, None, Code.QUALITY_UNKNOWN), (3, None, Code.QUANTITY_UNKNOWN), (5, None, Code.CELL_EMPTY),
        (6, None, Code.OFF_GRID),
    ]  # fmt: skip
    assert [one.line for one in read(file)] == [1, 2, 3, 4, 5, 6]
    file = long(tmp_path, pa.array([1.0, 1.0]), ["2025-01-15T00:00", "2025-01-15T00:00:00.5Z"])
    assert refused(file) == [(1, None, Code.TIMESTAMP_INVALID), (2, None, Code.OFF_GRID)]
    file = written(tmp_path, {"pod": [""], "timestamp": ["2025-01-15T00:00Z"], "value": [1.0]})
    assert refused(file) == [(1, None, Code.CELL_EMPTY)]


def wide(folder: Path, *rows: list[float | None], as_list: bool, days: Any = None, kind: Any = None) -> Path:
    head = {"pod": ["AT1"] * len(rows), "day": [DAY] * len(rows) if days is None else days}
    if as_list:
        return written(folder, {**head, "values": pa.array(rows, pa.list_(kind or pa.float64()))})
    width = max(map(len, rows))
    padded = [[*row, *[None] * (width - len(row))] for row in rows]
    columns = {f"v{n}": pa.array([row[n] for row in padded], kind or pa.float64()) for n in range(width)}
    return written(folder, {**head, **columns})


@pytest.mark.parametrize("as_list", [True, False])
def test_a_wide_row_is_a_day(tmp_path: Path, as_list: bool) -> None:  # noqa: FBT001
    file = wide(tmp_path, [1.0, None, 3.0, None], [4.0, 5.0], [6.0], as_list=as_list)
    found = curves(file)
    assert [(one.line, one.start, one.column, one.values.tolist()) for one in found] == [
        (1, DAY, 3, [1000, 0, 3000]), (2, DAY, 3, [4000, 5000]), (3, DAY, 3, [6000]),
    ]  # fmt: skip
    assert found[0].qualities is not None
    assert found[0].qualities.tolist() == [0, 4, 0]
    assert found[1].qualities is None


@pytest.mark.parametrize("kind", [pa.list_(pa.int32(), 3), pa.large_list(pa.int32())], ids=str)
def test_lists_may_be_of_any_kind(tmp_path: Path, kind: pa.DataType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "ROWS_AT_ONCE", 2)
    values = pa.array([[1, 2, 3], None, [4, None, 6], [7, 8, 9], [None, None, None]], kind)
    file = written(tmp_path, {"pod": ["AT1"] * 5, "day": [DAY] * 5, "values": values})
    found = read(file, WH, after=1)
    assert [one.values.tolist() for one in found if isinstance(one, LoadCurve)] == [[4, 0, 6], [7, 8, 9]]
    assert [(one.line, one.code) for one in found if isinstance(one, Rejected)] == [
        (2, Code.CELL_EMPTY), (5, Code.CELL_EMPTY),
    ]  # fmt: skip


@pytest.mark.parametrize("as_list", [True, False])
def test_a_wrong_cell_of_a_wide_row_is_named(tmp_path: Path, as_list: bool) -> None:  # noqa: FBT001
    file = wide(tmp_path, [1.0, 2.0], [1.0, 0.0001], [None, None], as_list=as_list)
    assert refused(file) == [(2, 4, Code.TOO_MANY_PLACES), (3, None, Code.CELL_EMPTY)]
    second = [one for one in read(file) if isinstance(one, LoadCurve)][1]
    assert second.values.tolist() == [1000, 0]
    assert second.qualities is not None
    assert second.qualities.tolist() == [0, 4]


def test_what_is_wrong_with_a_wide_row_is_named(tmp_path: Path) -> None:
    file = wide(tmp_path, [1.0], [1.0], [1.0], as_list=True, days=["2025-01-15", "15.1.2025", None])
    assert refused(file) == [(2, None, Code.DAY_INVALID), (3, None, Code.DAY_INVALID)]
    assert refused(wide(tmp_path, [1], as_list=True, kind=pa.int32()), Options(unit=Unit.W)) == [
        (1, None, Code.UNIT_INVALID)
    ]


def test_days_and_timestamps_beyond_any_calendar_are_rejected(tmp_path: Path) -> None:
    days = pa.array([10**7, -5, 20_000], pa.int32()).cast(pa.date32())
    file = wide(tmp_path, [1.0], [1.0], [1.0], as_list=True, days=days)
    assert refused(file) == [(1, None, Code.DAY_INVALID), (2, None, Code.DAY_INVALID)]
    starts = pa.array([1_736_895_600_000, -1], pa.int64()).cast(pa.timestamp("s", "UTC"))
    assert refused(long(tmp_path, pa.array([1.0, 1.0]), starts)) == [
        (1, None, Code.DAY_INVALID), (2, None, Code.DAY_INVALID),
    ]  # fmt: skip


def test_reading_goes_on_behind_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "ROWS_AT_ONCE", 4)
    rows = [[float(number)] for number in range(23)]
    head = {"pod": ["AT1"] * 23, "day": [DAY] * 23, "values": pa.array(rows)}
    file = written(tmp_path, head, row_group_size=10)
    for after in (0, 3, 9, 10, 11, 22, 23):
        found = curves(file, after=after)
        assert [one.line for one in found] == list(range(after + 1, 24))
        assert [one.values.tolist() for one in found] == [[1000 * number] for number in range(after, 23)]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"pod": ["AT1"], "day": [DAY], "v": [1]}, "column v holds integers. Say of what: --unit"),
        ({"pod": ["AT1"], "day": [DAY], "values": [[1]]}, "column values holds integers"),
        ({"pod": ["AT1"], "day": [DAY], "v": ["1.5"]}, "column v is string"),
        ({"pod": ["AT1"], "day": [DAY], "v": pa.array([1], pa.decimal256(50, 0))}, "column v is decimal256"),
        ({"pod": ["AT1"], "day": [DAY]}, "has no column of values"),
        ({"pod": ["AT1"], "day": [datetime(2025, 1, 15)], "v": [1.0]}, "column day is timestamp"),  # noqa: DTZ001
        ({"pod": pa.array([b"\xff"]).view(pa.string()), "day": [DAY], "v": [1.0]}, "column pod is no text"),
        ({"pod": ["AT1"], "v": [1.0]}, "columns .'day'. are missing; it has pod, v"),
        ({"pod": ["AT1"], "timestamp": [datetime(2025, 1, 1)], "value": [1.0]}, "tz='UTC'"),  # noqa: DTZ001  the error
        ({"pod": ["AT1"], "timestamp": [5], "value": [1.0]}, "column timestamp is int64"),
        ({"pod": [[1]], "day": [DAY], "v": [1.0]}, "column pod is no text"),
        ({"pod": ["AT1"], "day": [DAY], "v": [[1.0]], "w": [[1.0]]}, "column v is list<.*one list for each day"),
        ({"pod": ["AT1"], "day": [DAY], "v": [1.0], "w": [[1.0]]}, "column w is list<"),
        ({"pod": ["AT1"], "timestamp": ["2025-01-15T00:00Z"], "value": [[1.0]]}, "column value is list<"),
    ],
)
def test_what_is_no_file_of_values_is_refused_whole(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    with pytest.raises(FileInvalid, match=words):
        read(written(tmp_path, columns))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = long(tmp_path, pa.array([1.0]))
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(FileInvalid, match="is no Parquet file that can be read"):
        read(file)
    rows = pa.array(np.random.default_rng(1).random(5000).round(3))
    file = long(tmp_path, rows, ["2025-01-15T00:00Z"] * 5000)
    damaged = bytearray(file.read_bytes())
    damaged[20:4000] = b"\x00" * 3980
    file.write_bytes(damaged)
    with pytest.raises(FileInvalid, match="cannot be read after row 0"):
        read(file)


def test_a_packed_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "values.parquet.gz"
    file.write_bytes(gzip.compress(long(tmp_path, pa.array([1.0])).read_bytes()))
    with pytest.raises(FileInvalid, match="Unpack the file"):
        read(file)


def test_without_pyarrow_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = long(tmp_path, pa.array([1.0]))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NotInstalled, match=r"pip install 'flexiciency\[arrow\]'"):
        read(file)


@pytest.mark.parametrize("as_list", [True, False])
def test_days_of_every_length_are_stored(database: Database, tmp_path: Path, as_list: bool) -> None:  # noqa: FBT001
    pod = f"DAYS{as_list}"
    add_pods(database, pod)
    days = {SPRING: 92, DAY: 96, AUTUMN: 100}
    rows: list[list[float | None]] = [[float(n) for n in range(length)] for length in days.values()]
    file = wide(tmp_path, *rows, as_list=as_list, days=list(days), kind=pa.int32())
    pq.write_table(pq.read_table(file).set_column(0, "pod", [[pod] * 3]), file)
    assert imported(database, file, WH).row.rejected == 0
    assert stored(database, pod) == {
        day: list(range(length)) for day, length in sorted(days.items(), key=lambda one: one[0])
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    zone=st.sampled_from(["Europe/Vienna", "Europe/Rome", "Atlantic/Azores", "Africa/Cairo"]),
    first=st.dates(date(2024, 1, 1), date(2026, 12, 28)) | st.sampled_from([date(2025, 3, 29), date(2025, 10, 25)]),
    step=st.sampled_from([TimeStep.PT10M, TimeStep.PT15M, TimeStep.PT30M, TimeStep.PT1H]),
    data=st.data(),
)
def test_wide_and_long_say_the_same_over_zones_and_clock_changes(
    tmp_path: Path, zone: str, first: date, step: TimeStep, data: st.DataObject
) -> None:
    days = [first + timedelta(days=number) for number in range(3)]
    counts = [steps_in_day(day, zone, step) for day in days]
    values = [data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=n, max_size=n)) for n in counts]
    starts = [
        local_day(day, zone)[0] + n * timedelta(seconds=step.seconds)
        for day, m in zip(days, counts, strict=True)
        for n in range(m)
    ]
    head = {"pod": ["AT1"] * 3, "day": days}
    width = max(counts)
    columns = {
        f"v{n}": pa.array([row[n] if n < len(row) else None for row in values], pa.int32()) for n in range(width)
    }
    files = [
        written(tmp_path, {**head, "values": pa.array(values, pa.list_(pa.int32()))}),
        written(tmp_path, {**head, **columns}),
        long(tmp_path, pa.array([one for row in values for one in row]), pa.array(starts, pa.timestamp("ms", "UTC"))),
    ]  # fmt: skip
    for file in files:
        collector = Collector()
        for record in curves(file, Options(step=step, unit=Unit.WH)):
            collector.add(record, zone)
        assert collector.rejected == []
        blocks = sorted((taken.block for taken in collector.take(everything=False)), key=lambda block: block.day)
        assert [(block.day, block.values.tolist()) for block in blocks] == list(zip(days, values, strict=True))

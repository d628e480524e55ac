"""CSV, long and wide: what is read, and each thing that can be wrong with its code and place."""

from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flexiciency.contract.series import Quantity, TimeStep, kilo_text
from flexiciency.domain.values import local_day, steps_in_day
from flexiciency.errors import FileInvalid
from flexiciency.intake import csv_file
from flexiciency.intake.cells import Options, Unit
from flexiciency.intake.collect import Collector
from flexiciency.intake.rejected import Code, Rejected
from flexiciency.intake.source import LoadCurve
from tests.intake.stored import DAY, read

_numbers = count(1)


def said(file: Path, text: str | bytes, options: Options | None = None) -> list[LoadCurve | Rejected]:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file, options)


def one(file: Path, text: str | bytes, options: Options | None = None) -> LoadCurve:
    (curve,) = said(file, text, options)
    assert isinstance(curve, LoadCurve)
    return curve


def refused(file: Path, text: str | bytes, options: Options | None = None) -> list[tuple[int, int | None, Code]]:
    return [(r.line, r.column, r.code) for r in said(file, text, options) if isinstance(r, Rejected)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "values.csv"


LONG = "pod,timestamp,value\n"
FIRST, SECOND = "AT1,2025-01-15T00:00:00+01:00,1.5\n", "AT1,2025-01-15T00:15:00+01:00,2\n"


def test_consecutive_lines_are_one_curve(file: Path) -> None:
    curve = one(file, LONG + FIRST + SECOND)
    assert (curve.pod, curve.quantity, curve.step) == ("AT1", Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M)
    assert curve.start == datetime(2025, 1, 15, tzinfo=ZoneInfo("Europe/Vienna"))
    assert curve.values.tolist() == [1500, 2000]
    assert curve.qualities is None
    assert curve.lines is not None
    assert curve.lines.tolist() == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + LONG + FIRST + SECOND,
        (LONG + FIRST + SECOND).replace("\n", "\r\n"),
        (LONG + FIRST + SECOND).replace("\n", "\r"),
        LONG.replace("\n", "\r\n") + FIRST.replace("\n", "\r") + SECOND,
        LONG + "\n" + FIRST + "  \r\n" + SECOND.strip(),
        'POD , "timestamp",value\n' + FIRST.replace("AT1", '"AT1"') + SECOND.replace("2\n", '"2"\n'),
        "value,timestamp,pod\n" + "1.5,2025-01-14T23:00Z,AT1\n2.000000,2025-01-15T01:15+02:00,AT1",
    ],
    ids=["bom", "crlf", "cr", "mixed", "blank lines", "quotes", "other order"],
)  # fmt: skip
def test_line_ends_bom_quotes_and_order_of_columns_do_not_matter(file: Path, text: str) -> None:
    found = [one for one in said(file, text) if isinstance(one, LoadCurve)]
    assert [value for curve in found for value in curve.values.tolist()] == [1500, 2000]
    assert {curve.start.astimezone(ZoneInfo("UTC")).day for curve in found if isinstance(curve.start, datetime)} == {14}


def test_quantity_quality_and_step_have_columns(file: Path) -> None:
    text = (
        "pod,timestamp,value,quality,quantity,time_step\n"
        "AT1,2025-01-15T00:00:00+01:00,-1.5,Estimated,Power,PT1H\n"
        "AT1,2025-01-15T01:00:00+01:00,,,Power,PT1H\n"
        "AT1,2025-01-15T02:00:00+01:00,7,Missing,Power,PT1H\n"
        "AT1,2025-01-15T03:00:00+01:00,7,,,\n"
    )
    first, second = said(file, text)
    assert isinstance(first, LoadCurve)
    assert isinstance(second, LoadCurve)
    assert (first.quantity, first.step, first.values.tolist()) == (Quantity.POWER, TimeStep.PT1H, [-1500, 0, 0])
    assert first.qualities is not None
    assert first.qualities.tolist() == [1, 4, 4]
    assert (second.quantity, second.step) == (Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M)


@pytest.mark.parametrize(
    ("unit", "quantity", "text", "value"),
    [
        (Unit.WH, Quantity.ENERGY_CONSUMPTION, "12", 12), (Unit.KWH, Quantity.ENERGY_GENERATION, "12", 12_000),
        (Unit.W, Quantity.POWER, "12.000", 12), (Unit.KW, Quantity.POWER, "-0.001", -1),
        (None, Quantity.POWER, "+12.", 12_000), (None, Quantity.ENERGY_CONSUMPTION, "0012.0100", 12_010),
    ],
)  # fmt: skip
def test_numbers_count_what_the_unit_says(
    file: Path, unit: Unit | None, quantity: Quantity, text: str, value: int
) -> None:
    curve = one(file, f"{LONG}AT1,2025-01-15T00:00:00+01:00,{text}", Options(quantity=quantity, unit=unit))
    assert curve.values.tolist() == [value]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("AT1,2025-01-15T00:00:00+01:00,1.2345", Code.TOO_MANY_PLACES),
        ("AT1,2025-01-15T00:00:00+01:00,1,5", Code.CELL_COUNT),
        ('AT1,2025-01-15T00:00:00+01:00,"1,5"', Code.NUMBER_INVALID),
        ("AT1,2025-01-15T00:00:00+01:00,1e3", Code.NUMBER_INVALID),
        ("AT1,2025-01-15T00:00:00+01:00,1_000", Code.NUMBER_INVALID),
        ("AT1,2025-01-15T00:00:00+01:00,NaN", Code.NUMBER_INVALID),
        ("AT1,2025-01-15T00:00:00+01:00,१२", Code.NUMBER_INVALID),
        ("AT1,2025-01-15T00:00:00+01:00,1000000000000000000000", Code.VALUE_TOO_LARGE),
        ("AT1,2025-01-15T00:00:00,1", Code.TIMESTAMP_INVALID),
        ("AT1,15.01.2025 00:00,1", Code.TIMESTAMP_INVALID),
        ("AT1,,1", Code.TIMESTAMP_INVALID),
        ("AT1,0001-01-01T00:00:00+23:00,1", Code.TIMESTAMP_INVALID),
        (",2025-01-15T00:00:00+01:00,1", Code.CELL_EMPTY),
        ("AT1,2025-01-15T00:00:00+01:00", Code.CELL_COUNT),
        ('AT1,"2025-01-15T00:00:00+01:00,1', Code.CELL_INVALID),
        (b"AT1\xe4,2025-01-15T00:00:00+01:00,1", Code.ENCODING_INVALID),
    ],
)
def test_what_is_wrong_with_a_line_is_said_with_its_line_and_the_others_are_read(
    file: Path, row: str | bytes, code: Code
) -> None:
    raw = row if isinstance(row, bytes) else row.encode()
    found = said(file, (LONG + FIRST).encode() + raw + b"\n" + SECOND.encode())
    values = [value for one in found if isinstance(one, LoadCurve) for value in one.values.tolist()]
    assert values == [1500, 2000]
    assert [(one.line, one.column, one.code) for one in found if isinstance(one, Rejected)] == [(3, None, code)]


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ("Guessed,,", Code.QUALITY_UNKNOWN), (",Heat,", Code.QUANTITY_UNKNOWN), (",,PT5M", Code.TIME_STEP_UNKNOWN),
        (",Power,", Code.UNIT_INVALID),
    ],
)  # fmt: skip
def test_words_are_those_of_the_contract(file: Path, cells: str, code: Code) -> None:
    text = f"pod,timestamp,value,quality,quantity,time_step\nAT1,2025-01-15T00:00:00+01:00,1,{cells}\n"
    assert refused(file, text, Options(unit=Unit.KWH)) == [(2, None, code)]


def test_semicolons_and_decimal_commas_are_read_when_they_are_named(file: Path) -> None:
    text = LONG.replace(",", ";") + "AT1;2025-01-15T00:00:00+01:00;1,5\n"
    with pytest.raises(FileInvalid, match="Say --delimiter ';', and --decimal ,"):
        said(file, text)
    assert refused(file, text, Options(delimiter=";")) == [(2, None, Code.NUMBER_INVALID)]
    assert one(file, text, Options(delimiter=";", decimal=",")).values.tolist() == [1500]
    assert refused(file, text.replace("1,5", "1.5"), Options(delimiter=";", decimal=",")) == [
        (2, None, Code.NUMBER_INVALID)
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LONG.encode("utf-16"), "is UTF-16 or no text"), (b"", "is empty"), (b"\xef\xbb\xbf \n", "is empty"),
        (b"pod,value\n", "columns .'timestamp'. are missing"),
        (b"pod,day\xe4,value\n", "the header, line 1: the line is not UTF-8"),
        (b"pod,timestamp,value\n" + b"x" * 2000, "line 2 has over 1,000 characters"),
    ],
)  # fmt: skip
def test_what_is_no_csv_of_values_is_refused_whole(
    file: Path, content: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "LINE_CHARACTERS", 1000)
    with pytest.raises(FileInvalid, match=words):
        said(file, content)


def test_the_end_of_the_calendar_is_read_and_left_to_the_checks(file: Path) -> None:
    row = "AT1,9999-12-31T23:59:00Z,1\n"
    assert [one.line for one in said(file, LONG + row + row)] == [2, 3]


def test_reading_goes_on_behind_a_line(file: Path) -> None:
    said(file, LONG + FIRST + SECOND)
    (curve,) = read(file, after=2)
    assert isinstance(curve, LoadCurve)
    assert (curve.line, curve.values.tolist()) == (3, [2000])


WIDE = "pod,day," + ",".join(f"v{number}" for number in range(100)) + "\n"


def test_a_wide_line_is_a_day(file: Path) -> None:
    curve = one(file, f"{WIDE}AT1,2025-01-15,1,,3" + "," * 97)
    assert (curve.start, curve.line, curve.column, curve.values.tolist()) == (DAY, 2, 3, [1000, 0, 3000])
    assert curve.qualities is not None
    assert curve.qualities.tolist() == [0, 4, 0]


def test_a_wide_file_may_name_quantity_and_step(file: Path) -> None:
    curve = one(file, "pod,quantity,time_step,day,v1,v2\nAT1,Power,PT1H,2025-01-15,-1,2\n")
    assert (curve.quantity, curve.step, curve.column, curve.values.tolist()) == (
        Quantity.POWER, TimeStep.PT1H, 5, [-1000, 2000],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("AT1,2025-01-15,1,x,3", [(2, 4, Code.NUMBER_INVALID)]),
        ("AT1,2025-01-15,1,2.0001", [(2, 4, Code.TOO_MANY_PLACES)]),
        ("AT1,15.1.2025,1", [(2, None, Code.DAY_INVALID)]),
        (",2025-01-15,1", [(2, None, Code.CELL_EMPTY)]),
        ("AT1,2025-01-15,,", [(2, None, Code.CELL_EMPTY)]),
        ("AT1", [(2, None, Code.CELL_COUNT)]),
        ("AT1,2025-01-15" + ",1" * 101, [(2, None, Code.CELL_COUNT)]),
    ],
)
def test_what_is_wrong_with_a_wide_line_is_said_with_its_column(
    file: Path, row: str, found: list[tuple[int, int | None, Code]]
) -> None:
    assert refused(file, f"{WIDE}{row}\n") == found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    zone=st.sampled_from(["Europe/Vienna", "Europe/Rome", "Atlantic/Azores", "Africa/Cairo", "America/St_Johns"]),
    first=st.dates(date(2024, 1, 1), date(2026, 12, 28))
    | st.sampled_from([date(2025, 3, 29), date(2025, 10, 25), date(2025, 4, 25), date(2025, 3, 8)]),
    step=st.sampled_from([TimeStep.PT10M, TimeStep.PT15M, TimeStep.PT30M, TimeStep.PT1H]),
    data=st.data(),
)
def test_wide_and_long_say_the_same_over_zones_and_clock_changes(
    tmp_path: Path, zone: str, first: date, step: TimeStep, data: st.DataObject
) -> None:
    days = [first + timedelta(days=number) for number in range(3)]
    counts = [steps_in_day(day, zone, step) for day in days]
    values = [data.draw(st.lists(st.integers(0, 2**31 - 1), min_size=n, max_size=n)) for n in counts]
    options = Options(step=step)
    wide_text = "pod,day," + ",".join(f"v{n}" for n in range(150)) + "\n"
    long_text = "pod,timestamp,value\n"
    for day, found in zip(days, values, strict=True):
        wide_text += f"AT1,{day}," + ",".join(map(kilo_text, found)) + "\n"
        start, _ = local_day(day, zone)
        for number, value in enumerate(found):
            instant = (start + number * timedelta(seconds=step.seconds)).astimezone(ZoneInfo(zone))
            long_text += f"AT1,{instant.isoformat()},{kilo_text(value)}\n"
    for text in (wide_text, long_text):
        collector = Collector()
        for record in said(tmp_path / f"{next(_numbers)}.csv", text, options):
            assert isinstance(record, LoadCurve)
            collector.add(record, zone)
        assert collector.rejected == []
        blocks = sorted((taken.block for taken in collector.take(everything=False)), key=lambda block: block.day)
        assert [(block.day, block.values.tolist()) for block in blocks] == list(zip(days, values, strict=True))

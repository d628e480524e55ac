"""Green Button (ESPI): readings by their links, units, directions and qualities; what is wrong by its number."""

import gzip
import re
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flexiciency.contract.series import Quality, Quantity, TimeStep, epoch
from flexiciency.errors import FileInvalid
from flexiciency.intake.cells import Options
from flexiciency.intake.rejected import Code, Rejected
from flexiciency.intake.source import LoadCurve
from flexiciency.store.database import Database
from tests.intake.stored import DAY, ZONE, add_pods, imported, qualities_of, read, rejected, stored

START = epoch(datetime(2025, 1, 15, tzinfo=ZoneInfo(ZONE)))
ELECTRICITY = {
    "accumulationBehaviour": 4, "commodity": 1, "flowDirection": 1, "intervalLength": 3600, "powerOfTenMultiplier": 0,
    "uom": 72,
}  # fmt: skip


def entry(own: str, up: str, content: str, *related: str) -> str:
    links = [("self", own), ("up", up), *(("related", link) for link in related)]
    text = "".join(f'<link rel="{rel}" href="{href}"/>' for rel, href in links)
    return f"<entry><id>urn:uuid:1</id>{text}<title/><content>{content}</content></entry>"


def element(name: str, content: str) -> str:
    return f'<{name} xmlns="http://naesb.org/espi">{content}</{name}>'


def reading(value: object, number: int, quality: object = None, duration: int = 3600) -> str:
    found = "" if quality is None else f"<ReadingQuality><quality>{quality}</quality></ReadingQuality>"
    period = f"<timePeriod><duration>{duration}</duration><start>{START + number * 3600}</start></timePeriod>"
    return f"<IntervalReading>{found}{period}<value>{value}</value></IntervalReading>"


def point(number: int, name: str = "") -> str:
    named = f"<serviceDeliveryPoint><name>{name}</name></serviceDeliveryPoint>" if name else ""
    content = element("UsagePoint", f"<ServiceCategory><kind>0</kind></ServiceCategory>{named}")
    return entry(f"RetailCustomer/9/UsagePoint/AT{number}", "RetailCustomer/9/UsagePoint", content)


def meter(number: int, kind: str, *readings: str, **said: object) -> str:
    """MeterReading, ReadingType and IntervalBlock of a usage point."""
    up = f"RetailCustomer/9/UsagePoint/AT{number}/MeterReading"
    types = "".join(f"<{name}>{value}</{name}>" for name, value in (ELECTRICITY | said).items())
    block = f"<interval><duration>86400</duration><start>{START}</start></interval>{''.join(readings)}"
    return (
        entry(f"{up}/{kind}", up, element("MeterReading", ""), f"{up}/{kind}/IntervalBlock", f"ReadingType/{kind}")
        + entry(f"ReadingType/{kind}", "ReadingType", element("ReadingType", types))
        + entry(f"{up}/{kind}/IntervalBlock/1", f"{up}/{kind}/IntervalBlock", element("IntervalBlock", block))
    )


def feed(file: Path, *entries: str) -> Path:
    file.write_text(f'<?xml version="1.0"?>\n<feed xmlns="http://www.w3.org/2005/Atom">{"".join(entries)}</feed>')
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "button.xml"


def one(file: Path, **said: object) -> LoadCurve:
    (curve,) = read(feed(file, point(1), meter(1, "01", reading(5, 0), reading(7, 1), **said)))
    assert isinstance(curve, LoadCurve)
    return curve


def codes(found: list[LoadCurve | Rejected]) -> list[tuple[int, Code]]:
    return [(each.line, each.code) for each in found if isinstance(each, Rejected)]


def test_a_feed_is_stored(database: Database, file: Path) -> None:
    add_pods(database, "AT1", "AT2")
    hours = [reading(number, number, 8 if number == 3 else 17) for number in range(24)]
    back = [reading(2, number) for number in range(4)]
    feed(file, point(1), point(2), meter(1, "01", *hours), meter(2, "02", *back, flowDirection=19))
    packed = file.with_suffix(".xml.gz")
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert imported(database, packed).row.new == 2
    assert rejected(packed) == []
    assert stored(database, "AT1") == {DAY: [*range(24)]}
    assert stored(database, "AT2") == {}
    assert stored(database, "AT2", Quantity.ENERGY_GENERATION)[DAY][:5] == [2, 2, 2, 2, -1]
    qualities = qualities_of(database, "AT1", DAY)
    assert qualities is not None
    assert qualities[3] == Quality.ESTIMATED
    assert sum(qualities) == 1


@pytest.mark.parametrize(
    ("said", "quantity", "values"),
    [
        ({}, Quantity.ENERGY_CONSUMPTION, [5, 7]),
        ({"powerOfTenMultiplier": 3}, Quantity.ENERGY_CONSUMPTION, [5000, 7000]),
        ({"flowDirection": 19}, Quantity.ENERGY_GENERATION, [5, 7]),
        ({"uom": 38, "accumulationBehaviour": 12}, Quantity.POWER, [5, 7]),
        ({"uom": 38, "flowDirection": 19}, Quantity.POWER, [-5, -7]),
    ],
)
def test_the_reading_type_says_quantity_and_unit(
    file: Path, said: dict[str, int], quantity: Quantity, values: list[int]
) -> None:
    curve = one(file, **said)
    assert (curve.pod, curve.quantity, curve.step, curve.values.tolist()) == ("AT1", quantity, TimeStep.PT1H, values)
    assert isinstance(curve.start, datetime)
    assert epoch(curve.start) == START


@pytest.mark.parametrize(
    "said",
    [
        {"uom": 42}, {"commodity": 7}, {"accumulationBehaviour": 3}, {"flowDirection": 4}, {"intervalLength": 300},
        {"powerOfTenMultiplier": 99},
    ],
)  # fmt: skip
def test_registers_gas_and_other_units_are_rejected(file: Path, said: dict[str, int]) -> None:
    found = read(feed(file, point(1), meter(1, "01", reading(5, 0), reading(7, 1), **said)))
    assert codes(found) == [(1, Code.READING_TYPE_UNSUPPORTED), (2, Code.READING_TYPE_UNSUPPORTED)]


@pytest.mark.parametrize(
    ("wrong", "said", "code"),
    [
        (reading("5.5", 1), {}, Code.NUMBER_INVALID), (reading("", 1), {}, Code.NUMBER_INVALID),
        (reading(5, 1, duration=900), {}, Code.OFF_GRID), (reading(5, 1, quality=12), {}, Code.QUALITY_UNKNOWN),
        (reading(5, 1), {"powerOfTenMultiplier": -1}, Code.TOO_MANY_PLACES),
        (reading(10**14, 1), {"powerOfTenMultiplier": 9}, Code.VALUE_TOO_LARGE),
    ],
)  # fmt: skip
def test_a_wrong_reading_is_named_by_its_number_and_the_others_are_read(
    file: Path, wrong: str, said: dict[str, int], code: Code
) -> None:
    found = read(feed(file, point(1), meter(1, "01", reading(50, 0), wrong, reading(70, 2), **said)))
    assert codes(found) == [(2, code)]
    assert [
        line for each in found if isinstance(each, LoadCurve) and each.lines is not None for line in each.lines
    ] == [1, 3]


def test_local_days_may_have_23_and_25_hours(file: Path, database: Database) -> None:
    add_pods(database, "AT7")
    days = []
    for day, hours in ((date(2025, 3, 29), 24), (date(2025, 3, 30), 23), (date(2025, 3, 31), 24)):
        start = epoch(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE)))
        days.append(reading(hours, 0, duration=hours * 3600).replace(str(START), str(start)))
    feed(file, point(7), meter(7, "01", *days, intervalLength=86400))
    assert imported(database, file).row.rejected == 0
    assert list(stored(database, "AT7").values()) == [[24], [23], [24]]


def test_the_pod_is_the_name_of_the_delivery_point_or_what_is_said(file: Path) -> None:
    feed(file, point(1, "AT00123"), meter(1, "01", reading(5, 0)))
    assert [each.pod for each in read(file) if isinstance(each, LoadCurve)] == ["AT00123"]
    assert [each.pod for each in read(file, Options(pod="AT9")) if isinstance(each, LoadCurve)] == ["AT9"]
    feed(file, point(1), point(2), meter(1, "01", reading(5, 0)))
    with pytest.raises(FileInvalid, match="2 usage points; --pod is for a feed of one"):
        read(file, Options(pod="AT9"))


def test_readings_of_a_usage_point_that_is_not_there_are_not_taken_for_those_of_another(file: Path) -> None:
    lost = meter(3, "03", reading(5, 0))
    for points in ((point(1), point(2)), (point(1),)):
        assert codes(read(feed(file, *points, lost))) == [(1, Code.READING_TYPE_UNSUPPORTED)]
    assert codes(read(file, Options(pod="AT9"))) == [(1, Code.READING_TYPE_UNSUPPORTED)]


def test_what_there_is_one_of_needs_no_link(file: Path) -> None:
    meters = re.sub('<link rel="(up|related)"[^>]*>', "", meter(3, "03", reading(5, 0)))
    assert [each.pod for each in read(feed(file, point(1), meters)) if isinstance(each, LoadCurve)] == ["AT1"]


def test_entries_without_links_are_not_taken_for_each_other(file: Path) -> None:
    bare = [re.sub("<link[^>]*>", "", one) for one in (point(1, "AT1"), point(2, "AT2"), meter(1, "01", reading(5, 0)))]
    assert codes(read(feed(file, *bare))) == [(1, Code.READING_TYPE_UNSUPPORTED)]
    assert [each.pod for each in read(feed(file, bare[0], bare[2])) if isinstance(each, LoadCurve)] == ["AT1"]
    unnamed = re.sub("<link[^>]*>", "", point(1))
    assert codes(read(feed(file, unnamed, bare[2]))) == [(1, Code.CELL_EMPTY)]
    assert [each.pod for each in read(file, Options(pod="AT9")) if isinstance(each, LoadCurve)] == ["AT9"]


def test_reading_goes_on_behind_a_number(file: Path) -> None:
    feed(file, point(1), meter(1, "01", *(reading(n, n) for n in range(4))), meter(1, "02", reading(9, 9)))
    found = [each for each in read(file, after=2) if isinstance(each, LoadCurve)]
    assert [(each.line, each.values.tolist()) for each in found] == [(3, [2, 3]), (5, [9])]
    assert read(file, after=5) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<feed/>", "no Atom feed of Green Button"), ("<feed>", "line 1: The message is not well-formed"),
        ('<!DOCTYPE feed [<!ENTITY a "b">]><feed/>', "has a DTD"),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_refused_whole(file: Path, content: str, words: str) -> None:
    file.write_text(content)
    with pytest.raises(FileInvalid, match=words):
        read(file)

"""IND-DAT-VAL written, held against XSD and C14N, and read back."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from flexiciency.contract.codec import INDIVIDUAL, PUSH, REPLY, ValuesHeader, ValuesMessage, Wrapper
from flexiciency.contract.codec_read import read_values
from flexiciency.contract.codec_scan_compact import scan
from flexiciency.contract.codec_write import write_values
from flexiciency.contract.series import Encoding, Quality, Quantity, Series, TimeStep
from flexiciency.domain.values import day_starts
from flexiciency.errors import ValuesInvalid

XSD = Path(__file__).parents[2] / "xsd"
GOLDEN = Path(__file__).parent / "golden"
START = datetime(2024, 12, 31, 23, tzinfo=UTC)
SCHEMA_OF = {None: "provision", PUSH: "market-player-operations", REPLY: "b2b-operations"}
HEADER = ValuesHeader(
    id="urn:uuid:7d9f0f6e-6f0b-4d0a-9a55-0d6c7f3a0001",
    agreement="urn:uuid:7d9f0f6e-6f0b-4d0a-9a55-0d6c7f3a0002",
    selection=None,
    quantity=Quantity.ENERGY_CONSUMPTION,
    time_step=TimeStep.PT15M,
    period_start=START,
    period_end=START + timedelta(days=1),
    version=1,
    encoding=Encoding.EXPLICIT,
)


@cache
def schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(XSD / f"{name}.xsd"))


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def written(header: ValuesHeader, series: list[Series], wrapper: Wrapper | None = None) -> bytes:
    return b"".join(write_values(header, series, wrapper))


def read(xml: bytes, *, by_element: bool = False) -> ValuesMessage:
    """The message in any valid XML of it. Without its canonical bytes, the reader goes by element."""
    body = canonical(etree.fromstring(xml))
    element = etree.fromstring(body)
    schema("provision" if b"provision" in xml[: xml.index(b">")] else "market-player-operations").assertValid(element)
    return read_values(element, b"" if by_element else body)


def series(
    values: list[int], *, pod: str = "AT1", start: datetime = START, qualities: list[int] | None = None
) -> Series:
    codes = None if qualities is None else np.array(qualities, dtype=np.uint8)
    return Series(pod, start, TimeStep.PT15M, np.array(values, dtype=np.int32), codes)


def content(message: ValuesMessage) -> tuple[ValuesHeader, list[tuple[object, ...]]]:
    """A message in comparable form."""
    return message.header, [comparable(one) for one in message.series]


def comparable(one: Series) -> tuple[object, ...]:
    qualities = [0] * len(one.values) if one.qualities is None else one.qualities.tolist()
    starts = None if one.starts is None else one.starts.tolist()
    return one.pod, one.start, one.step, one.values.tolist(), qualities, starts


PODS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
THOUSANDTHS = st.one_of(st.integers(0, 9_999), st.integers(-(2**31) + 1, 2**31 - 1))


@st.composite
def messages(draw: st.DrawFn) -> tuple[ValuesHeader, list[Series]]:
    step = draw(st.sampled_from([step for step in TimeStep if step is not TimeStep.P1D]))
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=draw(st.integers(0, 24 * 400)))
    header = ValuesHeader(
        id=draw(PODS),
        agreement=draw(PODS),
        selection=draw(st.none() | PODS),
        quantity=draw(st.sampled_from(Quantity)),
        time_step=step,
        period_start=start - timedelta(microseconds=draw(st.integers(0, 10**6))),
        period_end=start + timedelta(days=3),
        version=draw(st.integers(1, 2**31 - 1)),
        encoding=draw(st.sampled_from(Encoding)),
    )
    several = []
    for pod in draw(st.lists(PODS, min_size=1, max_size=4, unique=True)):
        values = draw(st.lists(THOUSANDTHS, min_size=1, max_size=20))
        codes = draw(st.none() | st.lists(st.sampled_from(Quality), min_size=len(values), max_size=len(values)))
        several.append(
            Series(
                pod,
                start + draw(st.integers(0, 10)) * timedelta(seconds=step.seconds),
                step,
                np.array(values, dtype=np.int32),
                None if codes is None else np.array(codes, dtype=np.uint8),
            )
        )
    return header, several


@given(messages(), st.sampled_from([None, PUSH, REPLY]))
@settings(deadline=None)
def test_what_is_written_follows_the_xsd_is_canonical_and_reads_back_the_same(
    message: tuple[ValuesHeader, list[Series]], wrapper: Wrapper | None
) -> None:
    header, several = message
    xml = written(header, several, wrapper)
    element = etree.fromstring(xml)
    schema(SCHEMA_OF[wrapper]).assertValid(element)
    assert canonical(element) == xml
    expected = (header, [comparable(one) for one in several])
    assert content(read_values(element, xml)) == expected
    assert content(read_values(element, b"")) == expected


@pytest.mark.parametrize("encoding", Encoding)
def test_a_message_of_each_encoding_is_written_as_kept_in_its_golden_file(encoding: Encoding) -> None:
    several = [
        series([123, 0, 98_765, 7], pod="AT0010000999900000000000000000001"),
        series(
            [1, 2, 0],
            pod="AT&<\"'>",
            start=START + timedelta(hours=1),
            qualities=[0, Quality.ESTIMATED, Quality.MISSING],
        ),
    ]
    xml = written(replace(HEADER, encoding=encoding, selection="urn:uuid:7d9f"), several, PUSH)
    assert xml == (GOLDEN / f"individual-data-value-{encoding.lower()}.xml").read_bytes()
    assert read(xml).header.encoding is encoding


@pytest.mark.parametrize("encoding", Encoding)
def test_values_of_any_length_are_written_with_their_sign_and_three_places(encoding: Encoding) -> None:
    values = [0, -1, 999, 1000, -1000, 999_999, 1_000_000, 9_999_999, 10_000_000, -12_345_678, 2**31 - 1, -(2**31)]
    for some in (values, values[:1], values[5:9], list(range(40_000))):  # more than are written at a time
        several = [series(some)]
        xml = written(replace(HEADER, encoding=encoding, period_end=START + timedelta(days=900)), several)
        texts = [text.split() for text in etree.fromstring(xml).xpath("//text()[contains(., '.')]")]
        assert [one for line in texts for one in line] == [
            f"{'-' * (value < 0)}{abs(value) // 1000}.{abs(value) % 1000:03d}" for value in some
        ]


@pytest.mark.parametrize("encoding", Encoding)
def test_a_message_stands_alone_without_wrapper(encoding: Encoding) -> None:
    xml = written(replace(HEADER, encoding=encoding), [series([1, 2])])
    assert xml.startswith(b'<prv:IndividualDataValue xmlns:prv="urn:flexiciency:provision:1"><prv:Id>')
    assert content(read(xml))[1] == [comparable(series([1, 2]))]


@pytest.mark.parametrize("prefix", ["x:", "", "IndividualDataValue:"])
def test_a_partner_may_choose_its_prefix(prefix: str) -> None:
    declared = f"xmlns:{prefix[:-1]}=" if prefix else "xmlns="
    several = [series([1, -2, 3], qualities=[0, 1, 4]), series([4], pod="AT2")]
    xml = written(HEADER, several, PUSH).replace(b"xmlns:prv=", declared.encode()).replace(b"prv:", prefix.encode())
    assert scan(xml, prefix[:-1] or None, INDIVIDUAL) is not None
    assert content(read(xml)) == (HEADER, [comparable(one) for one in several])


@pytest.mark.parametrize(
    ("usual", "unusual"),
    [
        (b"><prv:Value", b">\n  <prv:Value"),
        (b">0.500<", b">0.5<"),
        (b">0.500<", b">.50<"),
        (b">0.500<", b"> +000.5\r\n<"),
        (b">7.000<", b">7<"),
        (b">7.000<", b">7.<"),
        (b':00Z">7', b':00.000Z">7'),
        (b'timestamp="2025-01-01T00:00:', b'timestamp="2024-12-31T24:00:'),
        (b'timestamp="2025-01-01T00:00:00Z', b'timestamp=" 2025-01-01T00:00:00Z&#10;'),
        (b"<prv:Series>", b"<!-- a curve --><prv:Series>"),
        (b' quality="Estimated"', b' quality="&#69;stimated"'),
        (b"<prv:Series>", b'<v:Series xmlns:v="urn:flexiciency:provision:1">'),
        (
            b"<prv:Value ",
            b'<prv:Value xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="prv:TimestampedValue" ',
        ),
        (b">7.000<", b">7.0<![CDATA[00]]><"),
        (b"<prv:Value timestamp", b'<prv:Value quality="Measured" timestamp'),
    ],
)
def test_every_form_that_the_xsd_allows_reads_the_same(usual: bytes, unusual: bytes) -> None:
    several = [
        series([7000, 500, 12, 7000, 500, 7000], start=START + timedelta(minutes=15), qualities=[0, 1, 2, 3, 4, 0])
    ]
    xml = written(HEADER, several, PUSH)
    assert usual in xml
    other = xml.replace(usual, unusual)
    if b"<v:Series" in unusual:
        other = other.replace(b"</prv:Series>", b"</v:Series>")
    assert content(read(other)) == (HEADER, [comparable(one) for one in several])


VALUE_TEXTS = st.one_of(
    st.from_regex(r"-?[0-9]{1,7}\.[0-9]{3}", fullmatch=True),
    st.from_regex(r"[ \n]?[+-]?[0-9]{1,8}(\.[0-9]{0,3})?", fullmatch=True),
    st.sampled_from(
        [
            "2147483.647",
            "2147483.648",
            "-2147483.647",
            "-2147483.648",
            "999999999999.999",
            "-1000000000000.000",
            "999999999999999.999",
            "-0.000",
            ".5",
        ]
    ),
)
STAMPS = st.builds(
    lambda minutes, ending: f"{START + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:00}{ending}",
    st.one_of(st.integers(0, 97).map(lambda step: 15 * step), st.integers(-15, 1500)),
    st.sampled_from(["Z", "Z", "Z", ".000Z", ".5Z"]),
)
QUALITIES = st.sampled_from(["", "", *(f' quality="{quality.word}"' for quality in Quality)])


@given(rows=st.lists(st.tuples(QUALITIES, STAMPS, VALUE_TEXTS), min_size=1, max_size=8), in_order=st.booleans())
@settings(deadline=None, max_examples=300)
def test_the_scan_of_bytes_and_the_reading_by_element_agree(
    rows: list[tuple[str, str, str]], *, in_order: bool
) -> None:
    rows = sorted(rows, key=lambda row: row[1]) if in_order else rows
    values = "".join(f'<prv:Value{quality} timestamp="{stamp}">{text}</prv:Value>' for quality, stamp, text in rows)
    xml = re.sub(b"<prv:Value .*</prv:Value>", values.encode(), written(HEADER, [series([1])], PUSH))

    def outcome(*, by_element: bool) -> object:
        try:
            return content(read(xml, by_element=by_element))
        except ValuesInvalid as error:
            return error.message, error.path

    assert outcome(by_element=False) == outcome(by_element=True)


@pytest.mark.parametrize("by_element", [False, True])
@pytest.mark.parametrize("encoding", Encoding)
def test_values_are_32_bits_wide_where_all_of_a_pod_fit(encoding: Encoding, *, by_element: bool) -> None:
    most = 2**31 - 1
    wide = Series("AT2", START, TimeStep.PT15M, np.array([1, -(10**15 - 1), most + 1], dtype=np.int64))
    several = [series([most, -most]), wide, series([-3], pod="AT3")]
    found = read(written(replace(HEADER, encoding=encoding), several, PUSH), by_element=by_element).series
    assert [one.values.dtype for one in found] == [np.int32, np.int64, np.int32]
    assert [one.values.tolist() for one in found] == [one.values.tolist() for one in several]


def test_a_gap_parts_the_values_of_a_pod() -> None:
    xml = written(HEADER, [series([1, 2, 3, 4, 5])])
    gone = re.sub(rb'<prv:Value timestamp="2024-12-31T23:30:00Z">0.003</prv:Value>', b"", xml)
    expected = [comparable(series([1, 2])), comparable(series([4, 5], start=START + timedelta(minutes=45)))]
    assert content(read(gone))[1] == expected
    assert content(read(gone, by_element=True))[1] == expected


@pytest.mark.parametrize("by_element", [False, True])
@pytest.mark.parametrize(
    ("usual", "wrong", "rule"),
    [
        (
            b"2024-12-31T23:30:00Z",
            b"2024-12-31T23:31:00Z",
            "PoD AT2: the value at 2024-12-31T23:31:00Z is not on the grid",
        ),
        (b"2024-12-31T23:30:00Z", b"2024-12-31T23:30:00.5Z", "PoD AT2: the value at 2024-12-31T23:30:00.5Z is not on"),
        (
            b"2024-12-31T23:30:00Z",
            b"2024-12-31T23:15:00Z",
            "PoD AT2: the value at 2024-12-31T23:15:00Z does not follow",
        ),
        (
            b"2024-12-31T23:30:00Z",
            b"2024-12-31T23:00:00Z",
            "PoD AT2: the value at 2024-12-31T23:00:00Z does not follow",
        ),
        (b"2024-12-31T23:30:00Z", b"2025-01-01T23:00:00Z", "PoD AT2: the value at 2025-01-01T23:00:00Z is outside"),
        (b"2147483.647", b"1000000000000.000", "PoD AT2: value 3 is beyond"),
        (b"2147483.647", b"999999999999999999", "PoD AT2: value 3 is beyond"),
    ],
)
def test_a_wrong_value_is_refused_by_pod_and_place(usual: bytes, wrong: bytes, rule: str, *, by_element: bool) -> None:
    xml = written(HEADER, [series([1]), series([1, 2, 2_147_483_647], pod="AT2")], PUSH)
    assert usual in xml
    with pytest.raises(ValuesInvalid, match=re.escape(rule)) as refused:
        read(xml.replace(usual, wrong), by_element=by_element)
    assert refused.value.path is not None
    assert refused.value.path.startswith("ReceiveIndividualDataValue/IndividualDataValue/PodValues[2]/Series")
    if b"T" in wrong:
        assert refused.value.path.endswith("/Value[3]")


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("usual", [b"2024-12-31T23:00:00Z", b"2025-01-01T23:00:00Z"])
def test_the_end_of_the_last_day_of_the_calendar_is_refused_wherever_it_stands(
    usual: bytes, encoding: Encoding
) -> None:
    xml = written(replace(HEADER, encoding=encoding), [series([1])], PUSH)
    places = [found.start() for found in re.finditer(usual, xml)]
    assert places
    for at in places:
        with pytest.raises(ValuesInvalid, match="9999-12-31T24:00:00Z is after the last day of the calendar"):
            read(xml[:at] + b"9999-12-31T24:00:00Z" + xml[at + len(usual) :])


@pytest.mark.parametrize("by_element", [False, True])
def test_a_value_before_the_period_is_refused(*, by_element: bool) -> None:
    late = replace(HEADER, period_start=START + timedelta(milliseconds=1))
    with pytest.raises(ValuesInvalid, match=r"PoD AT1: the value at 2024-12-31T23:00:00Z is outside the period"):
        read(written(late, [series([1, 2])]), by_element=by_element)


@pytest.mark.parametrize("encoding", Encoding)
def test_the_same_instant_twice_in_two_podvalues_is_refused(encoding: Encoding) -> None:
    twice = [series([1, 2, 3]), series([7], pod="AT2"), series([9], start=START + timedelta(minutes=30))]
    with pytest.raises(ValuesInvalid, match="PoD AT1: the value at 2024-12-31T23:30:00Z is given twice"):
        read(written(replace(HEADER, encoding=encoding), twice))


@pytest.mark.parametrize("encoding", Encoding)
def test_one_pod_in_several_podvalues_is_read(encoding: Encoding) -> None:
    several = [series([3], start=START + timedelta(minutes=30)), series([1, 2])]
    assert content(read(written(replace(HEADER, encoding=encoding), several)))[1] == [comparable(s) for s in several]


@pytest.mark.parametrize(
    ("usual", "wrong", "rule"),
    [
        (b"<prv:Start>2024-12-31T23:00:00Z", b"<prv:Start>2024-12-31T23:05:00Z", "not on the grid of PT15M"),
        (b"<prv:Start>2024-12-31T23:00:00Z", b"<prv:Start>2024-12-31T23:00:00.5Z", "not on the grid of PT15M"),
        (b"<prv:Start>2024-12-31T23:00:00Z", b"<prv:Start>2024-12-31T22:45:00Z", "not all inside the period"),
        (b"<prv:Start>2024-12-31T23:00:00Z", b"<prv:Start>2025-01-01T22:30:00Z", "not all inside the period"),
        (b"PT15M</prv:TimeStep><prv:Values>", b"PT1H</prv:TimeStep><prv:Values>", "time step PT1H, the header PT15M"),
        (b" 0.003</prv:Values>", b"</prv:Values>", "2 values with 3 qualities"),
        (b"0.001 0.002 0.003", b"", "0 values"),
        (b"0.003", b"-1000000000000.000", "value 3 is beyond"),
    ],
)
def test_a_compact_series_that_contradicts_its_header_is_refused(usual: bytes, wrong: bytes, rule: str) -> None:
    xml = written(replace(HEADER, encoding=Encoding.COMPACT), [series([1, 2, 3], qualities=[0, 1, 0])], PUSH)
    assert usual in xml
    with pytest.raises(ValuesInvalid, match=rf"PoD AT1: .*{rule}") as refused:
        read(xml.replace(usual, wrong))
    assert refused.value.path is not None
    assert "/PodValues[1]/Series/CompactValues" in refused.value.path


def test_a_header_that_contradicts_itself_is_refused() -> None:
    xml = written(HEADER, [series([1])])
    with pytest.raises(ValuesInvalid, match="EnergyConsumption is in kWh, not kW"):
        read(xml.replace(b"<prv:Unit>kWh<", b"<prv:Unit>kW<"))
    with pytest.raises(ValuesInvalid, match="the period ends before it has started"):
        read(written(replace(HEADER, period_end=START), [series([1])]))


def test_another_object_is_no_message_of_values() -> None:
    with pytest.raises(ValuesInvalid, match="expected an IndividualDataValue"):
        read_values(etree.fromstring("<Ping/>"), b"<Ping></Ping>")


def test_local_days_across_a_clock_change_are_written_and_read() -> None:
    first = datetime(2025, 3, 28, 23, tzinfo=UTC)
    starts = day_starts(datetime(2025, 3, 29).date(), datetime(2025, 4, 1).date(), "Europe/Vienna")  # noqa: DTZ001
    days = Series("AT1", first, TimeStep.P1D, np.array([1, 2, 3], dtype=np.int32), starts=starts)
    header = replace(
        HEADER, time_step=TimeStep.P1D, period_start=first, period_end=datetime(2025, 3, 31, 22, tzinfo=UTC)
    )
    xml = written(header, [days])
    assert b'"2025-03-29T23:00:00Z">0.002<' in xml
    assert b'"2025-03-30T22:00:00Z">0.003<' in xml
    assert content(read(xml)) == content(read(xml, by_element=True)) == (header, [comparable(days)])
    with pytest.raises(ValuesInvalid, match="does not follow"):
        read(xml.replace(b'"2025-03-30T22:00', b'"2025-03-30T12:00'))

    compact = replace(header, encoding=Encoding.COMPACT)
    assert content(read(written(compact, [days]))) == (compact, [comparable(replace(days, starts=None))])


def test_a_message_without_series_or_with_another_step_is_not_written() -> None:
    with pytest.raises(ValueError, match="at least one series"):
        written(HEADER, [])
    with pytest.raises(ValueError, match="PT15M, the message PT1H"):
        written(replace(HEADER, time_step=TimeStep.PT1H), [series([1])])

"""Large messages are validated by their outline: one value a series; the scan holds the others against the XSD."""

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from flexiciency.contract import codec_outline
from flexiciency.contract.codec import INDIVIDUAL, PUSH, AggregatesHeader, ValuesHeader
from flexiciency.contract.codec_outline import outline
from flexiciency.contract.codec_read import read_aggregates, read_values
from flexiciency.contract.codec_scan_compact import scan
from flexiciency.contract.codec_write import write_aggregates, write_values
from flexiciency.contract.series import Encoding, Quality, Series, TimeStep
from tests.contract.test_codec import HEADER, QUALITIES, START, VALUE_TEXTS, canonical, content, schema, series, written
from tests.contract.test_codec_aggregates import aggregate
from tests.contract.test_codec_aggregates import content as aggregates_content
from tests.contract.test_codec_aggregates import header as aggregates_header

MONTH = replace(HEADER, period_end=START + timedelta(days=31))
INSTANTS = st.one_of(
    st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z", fullmatch=True),
    st.sampled_from(["2024-02-29T00:00:00Z", "2025-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "0000-01-01T00:00:00Z",
                     "0001-01-01T00:00:00Z", "2025-04-31T00:00:00Z", "2025-01-01T24:00:00Z", "9999-12-31T23:59:59Z"]),
)  # fmt: skip
NUMBERS = st.one_of(VALUE_TEXTS, st.from_regex(r"-?[0-9]{0,20}\.?[0-9]{0,4}", fullmatch=True))
WORDS = st.sampled_from(["Measured", "Estimated", "Missing", "missing", "Measured ", "Guessed", ""])


def curves(count: int = 9) -> list[Series]:
    """A month each; the second has qualities."""
    steps = np.arange(2976, dtype=np.int32)
    codes = (steps % len(Quality)).astype(np.uint8)
    return [
        Series(f"AT{pod}", START, TimeStep.PT15M, steps * (pod + 1), codes if pod == 1 else None)
        for pod in range(count)
    ]


def valid(xml: bytes) -> bool:
    return schema("market-player-operations").validate(etree.fromstring(xml))


@pytest.mark.parametrize("encoding", Encoding)
def test_an_outline_has_one_value_a_series_and_the_message_is_read_by_it(encoding: Encoding) -> None:
    header = replace(MONTH, encoding=encoding)
    xml = written(header, curves(), PUSH)
    short = outline(xml)
    assert len(short) < 5_000
    element = etree.fromstring(short)
    assert canonical(element) == short
    assert valid(short)
    if encoding is Encoding.EXPLICIT:
        assert [len(found) for found in element.iter("{*}Series")] == [1] * 9
    else:
        lists = [*element.iter("{*}Values", "{*}Qualities")]
        assert [found.text for found in lists] == ["0.000", "0.000", "Measured", *["0.000"] * 7]
    assert content(read_values(element, xml)) == content(read_values(etree.fromstring(xml), b""))


@pytest.mark.parametrize("encoding", Encoding)
def test_aggregates_have_an_outline_too(encoding: Encoding) -> None:
    header: AggregatesHeader = aggregates_header(encoding=encoding, period_end=START + timedelta(days=60))
    several = [aggregate("AT/Linz", list(range(-2500, 2500))), aggregate("AT", [5])]
    xml = b"".join(write_aggregates(header, several))
    monthly = read_aggregates(etree.fromstring(outline(xml)), xml)
    assert aggregates_content(monthly) == aggregates_content(read_aggregates(etree.fromstring(xml), b""))


@pytest.mark.parametrize("encoding", Encoding)
def test_both_encodings_may_stand_in_one_message(encoding: Encoding) -> None:
    other = next(one for one in Encoding if one is not encoding)
    first, second = (
        written(replace(MONTH, encoding=one), [curve], PUSH)
        for one, curve in zip((encoding, other), curves(2), strict=True)
    )
    (item,) = re.findall(rb"<prv:PodValues>.*</prv:PodValues>", second)
    mixed = first.replace(b"</prv:PodValues>", b"</prv:PodValues>" + item)
    assert valid(outline(mixed))
    found = read_values(etree.fromstring(outline(mixed)), mixed)
    assert content(found)[1] == content(read_values(etree.fromstring(mixed), b""))[1]
    assert len(outline(mixed)) < 5_000


def test_a_small_message_and_one_of_another_kind_are_their_own_outline() -> None:
    small, other = written(HEADER, [series([1, 2, 3])], PUSH), b"<a>" + b"<b></b>" * 50_000 + b"</a>"
    assert outline(small) is small
    assert outline(other) is other


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(
    ("usual", "unusual"),
    [(b"0.002", b"0.02"), (b"0.002", b"0.0022"), (b"0.002", b"a.002"), (b"0.002", b"0.002<!---->"), (b"0.002", b"")],
)
def test_a_message_with_one_value_that_is_not_in_the_usual_form_is_its_own_outline(
    usual: bytes, unusual: bytes, encoding: Encoding
) -> None:
    xml = written(replace(MONTH, encoding=encoding), curves(), PUSH).replace(usual, unusual, 1)
    assert len(xml) > codec_outline._SMALL
    assert outline(xml) is xml


ROW = st.tuples(QUALITIES, INSTANTS, NUMBERS)


@given(st.lists(ROW, min_size=1, max_size=4))
@settings(deadline=None, max_examples=300)
def test_whatever_the_scan_takes_follows_the_xsd(rows: list[tuple[str, str, str]]) -> None:
    values = "".join(f'<prv:Value{quality} timestamp="{stamp}">{text}</prv:Value>' for quality, stamp, text in rows)
    xml = re.sub(b"<prv:Value .*</prv:Value>", values.encode(), written(HEADER, [series([1])], PUSH))
    assert scan(xml, "prv", INDIVIDUAL) is None or valid(xml)


@given(st.lists(NUMBERS, min_size=1, max_size=4), st.lists(WORDS, max_size=4))
@settings(deadline=None, max_examples=300)
def test_whatever_the_scan_takes_of_a_compact_series_follows_the_xsd_and_reads_the_same(
    numbers: list[str], words: list[str]
) -> None:
    xml = written(replace(HEADER, encoding=Encoding.COMPACT), [series([1])], PUSH)
    qualities = f"<prv:Qualities>{' '.join(words)}</prv:Qualities>" if words else ""
    xml = xml.replace(b"0.001</prv:Values>", f"{' '.join(numbers)}</prv:Values>{qualities}".encode())
    columns = scan(xml, "prv", INDIVIDUAL)
    if columns is None:
        return
    assert valid(xml)
    (found,) = columns
    assert found.values.tolist() == [round(float(number) * 1000) for number in numbers]
    assert found.qualities.tolist() == [Quality[word.upper()] for word in words]


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_broken_message_is_as_invalid_in_outline_as_whole(data: st.DataObject) -> None:
    header: ValuesHeader = replace(MONTH, encoding=data.draw(st.sampled_from(Encoding)))
    xml = b"".join(write_values(header, curves(6), PUSH))
    at = data.draw(st.integers(0, len(xml) - 1))
    broken = xml[:at] + data.draw(st.binary(min_size=0, max_size=2)) + xml[at + data.draw(st.integers(0, 3)) :]
    try:
        whole = canonical(etree.fromstring(broken))
    except (etree.XMLSyntaxError, etree.C14NError):
        return
    assert valid(outline(whole)) == valid(whole)


def test_the_object_is_looked_for_near_the_start_only(monkeypatch: pytest.MonkeyPatch) -> None:
    xml = written(MONTH, curves(), PUSH)
    monkeypatch.setattr(codec_outline, "_HEAD", 10)
    assert outline(xml) is xml

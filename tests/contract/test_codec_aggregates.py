"""AGG-DAT-VAL written, held against XSD and C14N, and read back."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from flexiciency.contract.codec import (
    AGGREGATED,
    AGGREGATES_PUSH,
    AGGREGATES_REPLY,
    Aggregate,
    AggregatesHeader,
    AggregatesMessage,
    Wrapper,
)
from flexiciency.contract.codec_read import read_aggregates
from flexiciency.contract.codec_write import write_aggregates
from flexiciency.contract.series import Encoding, Quality, Quantity, Series, TimeStep
from flexiciency.domain.values import day_starts
from flexiciency.errors import ValuesInvalid
from tests.contract.test_codec import GOLDEN, HEADER, canonical, comparable, schema

START = datetime(2024, 12, 31, 23, tzinfo=UTC)
SCHEMA_OF = {None: "provision", AGGREGATES_PUSH: "market-player-operations", AGGREGATES_REPLY: "b2b-operations"}
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
THOUSANDTHS = st.one_of(st.integers(0, 9_999), st.integers(-AGGREGATED.most, AGGREGATED.most))


def header(**changes: Any) -> AggregatesHeader:
    """That of IND-DAT-VAL's tests, of a portfolio's sum."""
    common = {one.name: getattr(HEADER, one.name) for one in fields(HEADER)}
    return AggregatesHeader(**(common | {"aggregation_level": "Portfolio", "aggregation_method": "Sum"} | changes))


def aggregate(name: str, values: list[int], qualities: list[int] | None = None, pods: int = 7) -> Aggregate:
    codes = None if qualities is None else np.array(qualities, dtype=np.uint8)
    return Aggregate(pods, Series(name, START, TimeStep.PT15M, np.array(values, dtype=np.int64), codes))


def written(about: AggregatesHeader, several: list[Aggregate], wrapper: Wrapper | None = None) -> bytes:
    return b"".join(write_aggregates(about, several, wrapper))


def content(message: AggregatesMessage) -> tuple[object, ...]:
    """A message in comparable form."""
    return message.header, [(one.id, one.pods, comparable(one.series)) for one in message.aggregates]


@st.composite
def messages(draw: st.DrawFn) -> tuple[AggregatesHeader, list[Aggregate]]:
    several = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        values = draw(st.lists(THOUSANDTHS, min_size=1, max_size=20))
        codes = draw(st.none() | st.lists(st.sampled_from(Quality), min_size=len(values), max_size=len(values)))
        several.append(aggregate(name, values, codes, draw(st.integers(0, 2**31 - 1))))
    about = header(
        id=draw(NAMES),
        selection=draw(st.none() | NAMES),
        quantity=draw(st.sampled_from(Quantity)),
        encoding=draw(st.sampled_from(Encoding)),
        aggregation_level=draw(st.sampled_from(["Country", "City", "Street", "Portfolio"])),
        aggregation_method=draw(st.sampled_from(["Sum", "Mean"])),
    )
    return about, several


@given(messages(), st.sampled_from([None, AGGREGATES_PUSH, AGGREGATES_REPLY]))
@settings(deadline=None)
def test_what_is_written_follows_the_xsd_is_canonical_and_reads_back_the_same(
    message: tuple[AggregatesHeader, list[Aggregate]], wrapper: Wrapper | None
) -> None:
    about, several = message
    xml = written(about, several, wrapper)
    element = etree.fromstring(xml)
    schema(SCHEMA_OF[wrapper]).assertValid(element)
    assert canonical(element) == xml
    expected = (about, [(one.id, one.pods, comparable(one.series)) for one in several])
    assert content(read_aggregates(element, xml)) == expected
    assert content(read_aggregates(element, b"")) == expected


@pytest.mark.parametrize("encoding", Encoding)
def test_a_message_of_each_encoding_is_written_as_kept_in_its_golden_file(encoding: Encoding) -> None:
    several = [
        aggregate("AT/Linz", [123, 0, 2**40, -7], pods=12_345),
        aggregate("AT/S&<", [1, 2, 0], [0, Quality.ESTIMATED, Quality.INCOMPLETE]),
    ]
    about = header(encoding=encoding, selection="urn:uuid:7d9f", aggregation_level="City")
    xml = written(about, several, AGGREGATES_PUSH)
    assert xml == (GOLDEN / f"aggregated-data-value-{encoding.lower()}.xml").read_bytes()
    element = etree.fromstring(xml)
    schema(SCHEMA_OF[AGGREGATES_PUSH]).assertValid(element)
    assert content(read_aggregates(element, xml))[0] == about


def test_local_days_are_written_with_their_own_starts() -> None:
    days = day_starts(START.date() + timedelta(days=1), START.date() + timedelta(days=4), "Europe/Vienna")
    daily = Series("AT", START, TimeStep.P1D, np.array([1, 2, 3], dtype=np.int64), None, days)
    about = header(time_step=TimeStep.P1D, period_end=START + timedelta(days=3))
    xml = written(about, [Aggregate(9, daily)])
    (found,) = read_aggregates(etree.fromstring(xml), xml).aggregates
    assert found.series.instants().tolist() == days.tolist()


@pytest.mark.parametrize("by_element", [False, True])
def test_a_value_that_64_bits_do_not_hold_exactly_is_refused(*, by_element: bool) -> None:
    xml = written(header(), [aggregate("AT", [1, 2])]).replace(b">0.002<", b">1000000000000.000<")
    with pytest.raises(ValuesInvalid, match="AggregationId AT: value 2 is beyond"):
        read_aggregates(etree.fromstring(xml), b"" if by_element else xml)


def test_individual_values_are_no_message_of_aggregates() -> None:
    body = etree.fromstring('<prv:IndividualDataValue xmlns:prv="urn:flexiciency:provision:1"/>')
    with pytest.raises(ValuesInvalid, match="expected an AggregatedDataValue"):
        read_aggregates(body, b"")

"""A message is judged and read alike whether it is scanned or taken element by element, whatever was done to it."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from flexiciency.contract import codec_outline
from flexiciency.contract.codec import AGGREGATES_PUSH, PUSH, AggregatesMessage
from flexiciency.contract.codec_outline import outline
from flexiciency.contract.codec_read import read_aggregates, read_values
from flexiciency.contract.codec_write import write_aggregates
from flexiciency.contract.series import Encoding
from flexiciency.errors import ValuesInvalid
from tests.contract.test_codec import HEADER, canonical, comparable, content, schema, series, written
from tests.contract.test_codec_aggregates import aggregate
from tests.contract.test_codec_aggregates import header as aggregates_header

TOKEN = re.compile(rb"<[^>]*>|[^<]+")
PIECES = [
    b"<x/>", b'<x xmlns="urn:x"/>', b" ", b"\n", b"&amp;", b"&gt;", b"\xc3\xa9", b"<![CDATA[1.000]]>", b"<!--c-->",
    b'<prv:Value timestamp="2024-12-31T23:30:00Z">1.000</prv:Value>', b"<prv:PodCount>3</prv:PodCount>",
    b"<prv:Qualities>Measured</prv:Qualities>", b"<prv:CompactValues>", b"</prv:CompactValues>", b"<prv:Series>",
    b"</prv:Series>", b"</prv:Series></prv:PodValues>", b'<p:IndividualDataValue xmlns:p="urn:x">',
    b"</p:IndividualDataValue>",
]  # fmt: skip
ATTRIBUTES = [
    b' xmlns:prv="urn:x"', b' xmlns="urn:flexiciency:provision:1"', b' quality="Measured"', b' quality="Missing"',
    b' a="1"', b' a="&gt;>"', b' xml:lang="de"', b' prv:timestamp="x"',
    b' xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="prv:TimestampedValue"',
]  # fmt: skip
TEXTS = [
    b"-0.000", b"1.0000", b"+1.000", b"0000000000000.001", b"1e3", b"NaN", b"--1.000", b".000", b"999999999999.999",
    b"9999999999999.999", b"1,000", b"\xd9\xa1.000", b"1.000 2.000", b"1.000  2.000", b"Missing", b"Guessed", b"AT1",
    b"2024-12-31T24:00:00Z", b"P1D", b"PT1H", b"4294967297",
]  # fmt: skip
STAMPS = [
    b"2025-02-29T00:00:00Z", b"2024-12-31T24:00:00Z", b"0000-01-01T00:00:00Z", b"9999-12-31T23:45:00Z",
    b"2024-12-31T23:15:60Z", b"2024-12-31T23:15:00+00:00", b"2024-12-31T23:15:00.0Z", b"1900-02-29T00:00:00Z",
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _every_message_is_large() -> Any:
    """So that small ones take the way of those above 100 kB."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec_outline, "_SMALL", 0)
        yield


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    encoding, count = draw(st.sampled_from(Encoding)), draw(st.integers(1, 3))
    if draw(st.booleans()):
        several = [aggregate(f"AT/{number}", [1, 20, 300]) for number in range(count)]
        return b"".join(write_aggregates(aggregates_header(encoding=encoding), several, AGGREGATES_PUSH))
    codes = draw(st.sampled_from([None, [0, 1, 4]]))
    curves = [series([1, 20, 300], pod=f"AT{number}", qualities=codes) for number in range(count)]
    return written(replace(HEADER, encoding=encoding), curves, PUSH)


def end_of(tokens: list[bytes], start: int) -> int:
    """Behind the element that starts there; behind the token where none does."""
    name = re.match(rb"<([^\s/>]+)", tokens[start])
    closing = b"</%b>" % name[1] if name else b""
    return tokens.index(closing, start) + 1 if closing in tokens[start:] else start + 1


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A message of which something was put in, taken out, moved, doubled, renamed or written otherwise."""
    tokens: list[bytes] = TOKEN.findall(draw(messages()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(tokens) - 1))
        end = end_of(tokens, at)
        kind = draw(st.sampled_from(["put", "attribute", "text", "stamp", "remove", "double", "move", "rename"]))
        if kind == "put":
            tokens.insert(at, draw(st.sampled_from(PIECES)))
        elif kind == "attribute" and re.match(rb"<[^/]", tokens[at]):
            tokens[at] = tokens[at][:-1] + draw(st.sampled_from(ATTRIBUTES)) + b">"
        elif kind == "text" and not tokens[at].startswith(b"<"):
            tokens[at] = draw(st.sampled_from(TEXTS))
        elif kind == "stamp":
            tokens[at] = re.sub(rb'(?<=timestamp=")[^"]*', draw(st.sampled_from(STAMPS)), tokens[at])
        elif kind == "remove" and end - at < len(tokens):
            del tokens[at:end]
        elif kind == "double":
            tokens[at:at] = tokens[at:end]
        elif kind == "move" and end - at < len(tokens):
            taken = tokens[at:end]
            del tokens[at:end]
            to = draw(st.integers(0, len(tokens)))
            tokens[to:to] = taken
        elif kind == "rename" and tokens[at].startswith(b"<prv:") and end > at + 1:
            namespace = draw(st.sampled_from([b"urn:flexiciency:provision:1", b"urn:x"]))
            tokens[at] = tokens[at].replace(b"<prv:", b"<z:", 1)[:-1] + b' xmlns:z="%b">' % namespace
            tokens[end - 1] = tokens[end - 1].replace(b"</prv:", b"</z:", 1)
    return b"".join(tokens)


def valid(xml: bytes) -> bool:
    return schema("market-player-operations").validate(etree.fromstring(xml))


def found_in(whole: bytes, parsed: bytes, scanned: bytes) -> object:
    """What is read, or why not."""
    read = read_values if b"IndividualDataValue" in whole else read_aggregates
    try:
        message = read(etree.fromstring(parsed), scanned)
    except ValuesInvalid as error:
        return error.message, error.path
    if isinstance(message, AggregatesMessage):
        return message.header, [(one.pods, comparable(one.series)) for one in message.aggregates]
    return content(message)


@given(changed())
@settings(deadline=None, max_examples=500)
def test_a_message_is_judged_and_read_alike_scanned_or_by_element(xml: bytes) -> None:
    try:
        whole = canonical(etree.fromstring(xml, etree.XMLParser(remove_comments=True, resolve_entities=False)))
    except (etree.XMLSyntaxError, etree.C14NError):
        return
    short = outline(whole)
    assert valid(short) == valid(whole)
    if valid(whole):
        assert found_in(whole, short, whole) == found_in(whole, whole, b"")


@pytest.mark.parametrize("encoding", Encoding)
def test_a_pod_whose_element_has_another_prefix_is_read_too_wherever_it_stands(encoding: Encoding) -> None:
    xml = written(replace(HEADER, encoding=encoding), [series([one], pod=f"AT{one}") for one in range(3)], PUSH)
    for other in re.findall(rb"<prv:PodValues>.*?</prv:PodValues>", xml):
        renamed = re.sub(
            rb"^<prv:PodValues(.*)</prv:PodValues>$",
            rb'<z:PodValues xmlns:z="urn:flexiciency:provision:1"\1</z:PodValues>', other,
        )  # fmt: skip
        whole = xml.replace(other, renamed)
        assert valid(whole)
        message = read_values(etree.fromstring(outline(whole)), whole)
        assert [one.pod for one in message.series] == ["AT0", "AT1", "AT2"]

"""Canonical bytes are kept as a piece of the message where they stand in it, and are the same where they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from flexiciency.errors import MessageTooLarge
from flexiciency.wire.parse import DEFAULT, Limits
from flexiciency.wire.signature import Canonical, Canonicalization

PIECES = st.lists(st.sampled_from([b"a", b"ab", b"<b>", b"", b"\xc3\xa9"]), max_size=6)


@given(
    message=st.lists(st.sampled_from([b"a", b"ab", b"<b>", b"\xc3\xa9"]), max_size=8), written=PIECES, data=st.data()
)
def test_what_was_written_comes_out_whatever_the_message_has(
    message: list[bytes], written: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(message)
    canonical = Canonical(1_000, whole, data.draw(st.integers(-1, len(whole))))
    for piece in written:
        assert canonical.write(piece) == len(piece)
    assert canonical.whole() == bytes(canonical.view()) == b"".join(written)


def test_no_copy_is_kept_of_what_stands_in_the_message() -> None:
    message = b'<e><b:Body xmlns:b="urn:b"><c>1</c></b:Body></e>'
    body = etree.fromstring(message)[0]
    canonical = Canonicalization(()).apply_within(body, message, DEFAULT)
    assert canonical.view().obj is message
    assert canonical.whole() == message[3:-4]


@pytest.mark.parametrize(
    "message",
    [
        b'<e xmlns:b="urn:b"><!-- <b:Body --><b:Body><c >1</c></b:Body></e>',
        b'<e xmlns:b="urn:b"><b:Body><c\n>1</c></b:Body></e>',
        b"<e xmlns:b='urn:b'><b:Body><c>&#49;</c></b:Body></e>",
    ],
)
def test_a_body_that_is_written_otherwise_is_made_canonical(message: bytes) -> None:
    body = etree.fromstring(message, etree.XMLParser(remove_comments=True))[0]
    canonical = Canonicalization(()).apply_within(body, message, DEFAULT)
    assert canonical.whole() == b'<b:Body xmlns:b="urn:b"><c>1</c></b:Body>'


def test_the_cap_holds_for_both() -> None:
    for start in (0, -1):
        canonical = Canonical(3, b"abcd", start)
        canonical.write(b"abc")
        with pytest.raises(MessageTooLarge):
            canonical.write(b"d")
    body = etree.fromstring("<a><b/></a>")
    with pytest.raises(MessageTooLarge):
        Canonicalization(()).apply(body, Limits(canonical_bytes=5))

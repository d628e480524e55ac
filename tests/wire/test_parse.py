import contextlib
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from flexiciency.errors import ForbiddenXml, MessageTooLarge, NotXml, TooDeep, TransportError
from flexiciency.wire.parse import Limits, parse, parse_again, parse_trusted_file

BILLION_LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>'
)


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"\xef\xbb\xbf<a/>",
        b'<?xml version="1.0" encoding="utf-8"?>\n<a/>',
        b"<?xml version='1.0' encoding='UTF-8' standalone='yes'?><!-- <!DOCTYPE a> --><a/>",
        b"<a><![CDATA[<!DOCTYPE a> <?pi ?>]]></a>",
        "<a>Málaga €</a>".encode(),
    ],
)
def test_plain_utf_8_documents_are_taken(data: bytes) -> None:
    assert parse(data).tag == "a"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotXml),
        (b"hello", NotXml),
        (b"<a>", NotXml),
        (b"<a/><b/>", NotXml),
        (b"<a>&undefined;</a>", NotXml),
        (b"<a>\xe9</a>", NotXml),
        (b"<a>\x00</a>", NotXml),
        ("<a/>".encode("utf-16"), NotXml),
        ("<a/>".encode("utf-16-le"), NotXml),
        ("<a/>".encode("utf-16-be"), NotXml),
        ("<a/>".encode("utf-32"), NotXml),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><a/>', NotXml),
        (b'<?xml version="1.0" encoding="UTF-7"?><a/>', NotXml),
        (b"<a b='1' b='2'/>", NotXml),
        (b"<!DOCTYPE a><a/>", ForbiddenXml),
        (b"<!-- --> <!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", ForbiddenXml),
        (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", ForbiddenXml),
        (b"<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://127.0.0.1:9/'> %x;]><a/>", ForbiddenXml),
        (BILLION_LAUGHS, ForbiddenXml),
        (b"<?xml-stylesheet href='x'?><a/>", ForbiddenXml),
        (b"<a><?php echo 1 ?></a>", ForbiddenXml),
        (b"<a/><?after ?>", ForbiddenXml),
        (b"<a>" * 41 + b"</a>" * 41, TooDeep),
        (b"<a>" * 300 + b"</a>" * 300, TooDeep),
        (b"<a b='" + b"x" * 11_000_000 + b"'/>", MessageTooLarge),
        (b"<a>" + b"x" * 11_000_000 + b"</a>", MessageTooLarge),
        (b"<a " + b" ".join(b"b%d=''" % i for i in range(65)) + b"/>", MessageTooLarge),
        (b"<a " + b" ".join(b"xmlns:b%d='urn:b'" % i for i in range(65)) + b"/>", MessageTooLarge),
    ],
)
def test_what_is_no_plain_document_is_refused(data: bytes, error: type[TransportError]) -> None:
    with pytest.raises(error) as caught:
        parse(data)
    assert type(caught.value) is error


def test_a_message_over_the_cap_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(MessageTooLarge, match="11 bytes; at most 10"):
        parse(b"not <xml> !", Limits(message_bytes=10))


def test_as_many_namespaces_as_wanted_may_be_declared_in_turn() -> None:
    data = b"<a>" + b"<b:b xmlns:b='urn:b'/>" * 100 + b"</a>"
    assert len(parse(data)) == 100


def test_depth_up_to_the_limit_is_taken() -> None:
    assert parse(b"<a>" * 40 + b"</a>" * 40).tag == "a"


def test_comments_are_dropped_and_the_text_around_them_is_one() -> None:
    assert parse(b"<a>user<!-- -->@evil</a>").text == "user@evil"


def test_an_error_names_the_line() -> None:
    with pytest.raises(NotXml) as caught:
        parse(b"<a>\n<b>\n</a>")
    assert caught.value.line == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused_with_our_error(data: bytes) -> None:
    with contextlib.suppress(TransportError):
        assert parse(data).tag


@given(st.text(alphabet=string.ascii_letters + "<>&'\"/!?[]-= \n", max_size=60))
def test_any_markup_is_parsed_or_refused_with_our_error(text: str) -> None:
    with contextlib.suppress(TransportError):
        assert parse(f"<a>{text}</a>".encode()).tag == "a"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60))
def test_text_survives_parsing_and_parsing_again(text: str) -> None:
    element = etree.Element("a")
    try:
        element.text = text
    except ValueError:
        return
    root = parse(etree.tostring(element, encoding="utf-8"))
    assert (root.text or "") == text
    assert (parse_again(etree.tostring(root, method="c14n")).text or "") == text


GROWTH = """
import os
from datetime import UTC, datetime
from pathlib import Path
from flexiciency.errors import GatewayError
from flexiciency.wire.parse import parse, parse_again
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import verify

def named(batch, count):
    return b"<a>" + b"".join(b"<n%d-%d%s/>" % (batch, number, b"x" * 100) for number in range(count)) + b"</a>"

def refused(data):
    try:
        verify(data, anchors=TrustAnchors([]), now=datetime.now(UTC))
    except GatewayError:
        return
    raise AssertionError

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

take({first})
before = resident_bytes()
for batch in range(1, {batches}):
    take({other})
print(resident_bytes() - before)
"""


@pytest.mark.parametrize(
    ("take", "count", "batches"), [("parse", 40_000, 10), ("parse_again", 40_000, 10), ("refused", 800, 500)]
)
def test_made_up_names_take_no_memory_for_good(take: str, count: int, batches: int) -> None:
    """In a process of its own: what other tests leave behind comes and goes."""
    told = GROWTH.replace("take(", f"{take}(").format(
        first=f"named(0, {count})", other=f"named(batch, {count})", batches=batches
    )
    ran = subprocess.run([sys.executable, "-c", told], check=True, stdout=subprocess.PIPE, text=True)
    assert int(ran.stdout) < 20_000_000


def test_our_own_files_keep_their_address(tmp_path: Path) -> None:
    file = tmp_path / "own.xsd"
    file.write_bytes(b"<a/>")
    url = parse_trusted_file(file).docinfo.URL
    assert url == str(file)

"""Documents made to exhaust, to read files, or to mean different things to different parsers."""

import time

import pytest

from flexiciency.errors import (
    EnvelopeInvalid,
    ForbiddenXml,
    GatewayError,
    MessageTooLarge,
    NotXml,
    SignatureInvalid,
    TooDeep,
)
from flexiciency.wire.parse import Limits
from flexiciency.wire.verify import peek_fault, verify
from tests.attacks.forge import Edit, element, find, forged, tampered, unchanged
from tests.wire.parties import CONTENT, NOW, anchors, request, verified

LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (ord("b") + i, b"&%c;" % (ord("a") + i) * 10) for i in range(12)
)
ENVELOPE = request()
POD = b"ES0031000000000001"
SOAP_12 = ENVELOPE.replace(b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope")


def in_pod(content: bytes) -> bytes:
    return ENVELOPE.replace(POD, content)


HOSTILE: list[tuple[str, bytes, type[GatewayError]]] = [
    ("DTD", b"<!DOCTYPE x>" + ENVELOPE, ForbiddenXml),
    ("DTD after a comment", b"<!-- x --><!DOCTYPE x>" + ENVELOPE, ForbiddenXml),
    ("billion laughs", LAUGHS + b"]>" + in_pod(b"&m;"), ForbiddenXml),
    ("quadratic blowup", b'<!DOCTYPE x [<!ENTITY a "%s">]>' % (b"a" * 100_000) + in_pod(b"&a;" * 1000), ForbiddenXml),
    ("external entity", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + in_pod(b"&a;"), ForbiddenXml),
    ("external DTD", b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + ENVELOPE, ForbiddenXml),
    ("parameter entity", b'<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///dev/zero"> %a;]>' + ENVELOPE, ForbiddenXml),
    ("default attribute", b'<!DOCTYPE x [<!ATTLIST PoD a CDATA "b">]>' + ENVELOPE, ForbiddenXml),
    ("entity without DTD", in_pod(b"&a;"), NotXml),
    ("DTD inside", in_pod(b"<!DOCTYPE x>"), NotXml),
    ("stylesheet", b'<?xml-stylesheet href="x.xsl"?>' + ENVELOPE, ForbiddenXml),
    ("processing instruction", in_pod(POD + b"<?x y?>"), ForbiddenXml),
    ("UTF-16", ENVELOPE.decode().encode("utf-16"), NotXml),
    ("UTF-16 without mark", ENVELOPE.decode().encode("utf-16-le"), NotXml),
    ("UTF-7", b'<?xml version="1.0" encoding="UTF-7"?>' + ENVELOPE, NotXml),
    ("Latin-1", in_pod(b"\xe9"), NotXml),
    ("overlong UTF-8", in_pod(b"\xc0\xbc"), NotXml),
    ("surrogates in UTF-8", in_pod(b"\xed\xa0\x80"), NotXml),
    ("NUL", in_pod(b"\x00"), NotXml),
    ("control character", in_pod(b"&#1;"), NotXml),
    ("cut off", ENVELOPE[:-1], NotXml),
    ("two documents", ENVELOPE + ENVELOPE, NotXml),
    ("deep nesting", in_pod(b"<a>" * 40 + b"</a>" * 40), TooDeep),
    ("very deep nesting", in_pod(b"<a>" * 100_000 + b"</a>" * 100_000), TooDeep),
    ("huge attribute", in_pod(b'<a b="' + b"x" * 11_000_000 + b'"/>'), MessageTooLarge),
    ("huge text", in_pod(b"x" * 11_000_000), MessageTooLarge),
    ("huge name", in_pod(b"<" + b"x" * 60_000 + b"/>"), NotXml),
    ("many attributes", in_pod(b"<a " + b" ".join(b'b%d=""' % i for i in range(100_000)) + b"/>"), MessageTooLarge),
    ("many namespaces", in_pod(b"<a " + b" ".join(b'xmlns:b%d="u:"' % i for i in range(100_000)) + b"/>"),
     MessageTooLarge),
    ("attribute twice", in_pod(b'<a b="1" b="2"/>'), NotXml),
    ("undeclared prefix", in_pod(b"<undeclared:a/>"), NotXml),
    ("SOAP 1.2", SOAP_12, EnvelopeInvalid),
    ("HTML", b"<html><body/></html>", EnvelopeInvalid),
    ("Envelope of no namespace", b"<Envelope><Header/><Body/></Envelope>", EnvelopeInvalid),
    ("empty Envelope", b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>', EnvelopeInvalid),
    ("empty", b"", NotXml),
]  # fmt: skip


@pytest.mark.parametrize(("data", "error"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_a_hostile_document_is_refused_at_once(data: bytes, error: type[GatewayError]) -> None:
    started = time.perf_counter()
    with pytest.raises(error) as caught:
        verified(data)
    assert type(caught.value) is error
    assert time.perf_counter() - started < 2
    assert len(caught.value.message) < 2000
    assert peek_fault(data) is None


def test_soap_1_2_is_named() -> None:
    with pytest.raises(EnvelopeInvalid, match=r"SOAP 1\.2; send SOAP 1\.1"):
        verified(SOAP_12)


def test_a_message_over_the_cap_is_refused() -> None:
    with pytest.raises(MessageTooLarge):
        verify(request(), anchors=anchors(), now=NOW, limits=Limits(message_bytes=1000))


def namespace_bomb(path: str) -> Edit:
    """A long namespace name, declared once and rendered by C14N at each of many small elements."""

    def edit(root: object) -> None:
        target = find(root, path)  # type: ignore[arg-type]
        uri = "urn:" + "x" * 20_000
        target.append(element(f'<act:h xmlns:p="{uri}">{"<p:a/>" * 20_000}</act:h>'))

    return edit


@pytest.mark.parametrize("path", [".//wsa:From", "soap:Body/*"])
def test_canonical_forms_that_multiply_a_message_are_refused(path: str) -> None:
    with pytest.raises(MessageTooLarge, match="canonical form"):
        verified(tampered(namespace_bomb(path)))


def test_a_relative_namespace_name_has_no_canonical_form() -> None:
    data = ENVELOPE.replace(b"urn:flexiciency:activation:1", b"relative")
    with pytest.raises(EnvelopeInvalid, match="no canonical form"):
        verified(data)


@pytest.mark.parametrize(
    "written", [b"&#69;S0031000000000001", b"<![CDATA[ES0031000000000001]]>", b"&#x45;S0031000000000001"]
)
def test_other_spellings_of_the_same_text_are_the_same_text(written: bytes) -> None:
    assert verified(in_pod(written)).canonical_body == verified(ENVELOPE).canonical_body


def test_line_ends_in_the_message_are_read_as_xml_says() -> None:
    content = CONTENT.replace(b"><act:PoD>", b">\n<act:PoD>")
    data = request(content).replace(b"\n", b"\r\n")
    assert content in verified(data).canonical_body


def test_a_character_reference_to_a_carriage_return_is_no_line_end() -> None:
    content = CONTENT.replace(b"><act:PoD>", b">\n<act:PoD>")
    with pytest.raises(SignatureInvalid):
        verified(request(content).replace(b"\n", b"&#13;\n"))


def test_an_unused_prefix_may_be_declared_anywhere() -> None:
    data = forged(unchanged).replace(b"<soap:Header>", b'<soap:Header xmlns:x="urn:x">')
    assert verified(data).canonical_body == verified(ENVELOPE).canonical_body

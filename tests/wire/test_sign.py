import hashlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from flexiciency.wire.authority import KeyType
from flexiciency.wire.names import BODY, ID
from flexiciency.wire.parse import parse
from flexiciency.wire.sign import (
    BODY_CLOSE,
    BODY_OPEN,
    TAIL,
    BodyHasher,
    Confirmation,
    canonical,
    canonical_body,
    sign,
    sign_message,
)
from tests.wire.parties import CONTENT, NOW, REPLY, REQUEST, identity, reply, request, verified

TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]) | st.just("\r"), max_size=40)


def content_of(text: str, attribute: str) -> bytes:
    element = etree.Element("{urn:x}Content", {"b": attribute, "a": "1"}, nsmap={"x": "urn:x"})
    etree.SubElement(element, "{urn:x}Text").text = text
    return canonical(element)


@settings(deadline=None, max_examples=50)
@given(text=TEXT, attribute=TEXT, key_type=st.sampled_from(["rsa", "ec"]), confirms=st.none() | st.binary(max_size=64))
def test_what_is_signed_is_what_is_verified(text: str, attribute: str, key_type: KeyType, confirms: bytes) -> None:
    content = content_of(text, attribute)
    data = sign_message(content, REPLY, identity(key_type), NOW, confirms=Confirmation(confirms))
    message = verified(data)
    assert canonical(message.body) == content
    assert message.canonical_body == canonical_body(content)
    assert message.body_digest == hashlib.sha256(message.canonical_body).digest()
    assert message.addressing == REPLY
    assert message.confirmations == (confirms,)
    assert message.fingerprint == identity(key_type).fingerprint


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=1, max_size=60))
def test_any_address_is_escaped(uri: str) -> None:
    assert verified(request(to=uri, action=uri, from_=uri)).addressing.to == uri


def test_the_body_in_the_message_is_its_own_canonical_form() -> None:
    body = parse(request()).find(BODY)
    assert body is not None
    assert canonical(body) == canonical_body(CONTENT)
    assert canonical_body(CONTENT) in request()


def test_each_signed_element_stands_in_the_message_as_it_is_digested() -> None:
    data = reply(Confirmation(b"value"))
    elements = [element for element in parse(data).iter() if element.get(ID) not in (None, "Token")]
    assert len(elements) == 8
    assert [element.tag for element in elements if canonical(element) not in data] == []


def test_content_that_declares_our_prefixes_is_made_canonical() -> None:
    fault = (
        b'<soap:Fault xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><faultcode>soap:Client</faultcode>'
        b"<faultstring>No.</faultstring></soap:Fault>"
    )
    message = verified(request(fault))
    assert canonical(message.body) == fault
    assert b"<soap:Fault>" in message.canonical_body


def test_a_body_hashed_in_chunks_is_signed_like_a_whole_one() -> None:
    hasher = BodyHasher()
    for byte in CONTENT:
        hasher.update(bytes([byte]))
    signed = sign(hasher.digest(), REQUEST, identity("rsa"), NOW)
    assert signed.head + BODY_OPEN + CONTENT + BODY_CLOSE + TAIL == request(signer=identity("rsa"))
    assert verified(request(signer=identity("rsa"))).signature_value == signed.signature_value
    assert verified(request()).body_digest == signed.body_digest


@pytest.mark.parametrize("lifetime", [timedelta(seconds=1), timedelta(seconds=300)])
def test_created_is_now_and_expires_after_the_lifetime(lifetime: timedelta) -> None:
    message = verified(sign_message(CONTENT, REQUEST, identity(), NOW, lifetime=lifetime))
    assert (message.created, message.expires) == (NOW, NOW + lifetime)


def test_absent_headers_are_left_out() -> None:
    data = request()
    assert b"RelatesTo" not in data
    assert b"SignatureConfirmation" not in data
    assert verified(data).confirmations == ()


def test_a_reply_to_an_unsigned_request_confirms_without_value() -> None:
    data = reply(Confirmation(None))
    assert b"Value=" not in data.replace(b"ValueType=", b"")
    assert verified(data).confirmations == (None,)

"""Bytes changed after signing, and messages a trusted sender signed carelessly."""

from datetime import timedelta

import pytest
from lxml import etree

from flexiciency.errors import (
    AddressingInvalid,
    AlgorithmRefused,
    CertificateUntrusted,
    EnvelopeInvalid,
    GatewayError,
    MessageExpired,
    MessageFromFuture,
    ReplyToUnsupported,
    SignatureIncomplete,
    SignatureInvalid,
    Unsigned,
)
from flexiciency.wire.sign import sign_message
from flexiciency.wire.verify import verify
from tests.attacks.forge import Edit, element, find, forged, refer_to, remove, stop_referring_to, tampered, unchanged
from tests.wire.parties import CONTENT, NOW, REQUEST, anchors, identity, request, verified

ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
NONE = "http://www.w3.org/2005/08/addressing/none"


def text(path: str, value: str) -> Edit:
    """Set the text of the element at the path."""

    def edit(root: etree._Element) -> None:
        find(root, path).text = value

    return edit


def without(path: str) -> Edit:
    def edit(root: etree._Element) -> None:
        remove(find(root, path))

    return edit


def without_header(name: str) -> Edit:
    """The header and its reference are gone: signed by a trusted sender, it is still not there."""

    def edit(root: etree._Element) -> None:
        remove(find(root, f".//wsa:{name}"))
        stop_referring_to(root, name)

    return edit


def uncovered(identifier: str) -> Edit:
    def edit(root: etree._Element) -> None:
        stop_referring_to(root, identifier)

    return edit


def header(markup: str) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, "soap:Header").append(element(markup))

    return edit


def signed_header(markup: str) -> Edit:
    """An added header, with wsu:Id "New", that the signature covers."""

    def edit(root: etree._Element) -> None:
        find(root, "soap:Header").append(element(markup))
        refer_to(root, "New")

    return edit


def attribute(path: str, name: str, value: str) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, path).set(name, value)

    return edit


def text_between(path: str) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, path).tail = "text"

    return edit


def body_child_renamed(root: etree._Element) -> None:
    find(root, "soap:Body")[0].tag = "{urn:evil}RequestDsoServiceActivation"


def empty_body(root: etree._Element) -> None:
    remove(find(root, "soap:Body")[0])


def other_token(root: etree._Element) -> None:
    find(root, ".//wsse:BinarySecurityToken").text = identity(name="Someone else").token


def other_timestamp(root: etree._Element) -> None:
    later = etree.fromstring(sign_message(CONTENT, REQUEST, identity(), NOW + timedelta(seconds=30)))
    old = find(root, ".//wsu:Timestamp")
    old.addprevious(find(later, ".//wsu:Timestamp"))
    remove(old)


def body_of_another_message(root: etree._Element) -> None:
    remove(find(root, "soap:Body"))
    root.append(find(etree.fromstring(request(b"<a></a>")), "soap:Body"))


def message_id_of_another_message(root: etree._Element) -> None:
    other = etree.fromstring(request(message_id="urn:uuid:0b6a3c2e-5b1d-4c55-8f44-6a1f6d4d2aff"))
    old = find(root, ".//wsa:MessageID")
    old.addprevious(find(other, ".//wsa:MessageID"))
    remove(old)


def comment_in_token(root: etree._Element) -> None:
    token = find(root, ".//wsse:BinarySecurityToken")
    token.append(element("<act:x/>"))


TAMPERINGS: list[tuple[str, Edit, type[GatewayError]]] = [
    ("text in Body", text(".//act:PoD[1]", "ES0031000000000009"), SignatureInvalid),
    ("white space in Body", text(".//act:PoD[1]", " ES0031000000000001"), SignatureInvalid),
    ("namespace in Body", body_child_renamed, SignatureInvalid),
    ("attribute in Body", attribute(".//act:PoD[1]", "a", "b"), SignatureInvalid),
    ("attribute of Body", attribute("soap:Body", "a", "b"), SignatureInvalid),
    ("Body of another message", body_of_another_message, SignatureInvalid),
    ("Body emptied", empty_body, EnvelopeInvalid),
    ("Body removed", without("soap:Body"), EnvelopeInvalid),
    ("Header removed", without("soap:Header"), Unsigned),
    ("Security removed", without(".//wsse:Security"), Unsigned),
    ("Signature removed", without(".//ds:Signature"), Unsigned),
    ("SignedInfo removed", without(".//ds:SignedInfo"), EnvelopeInvalid),
    ("SignatureValue removed", without(".//ds:SignatureValue"), EnvelopeInvalid),
    ("SignatureValue emptied", text(".//ds:SignatureValue", ""), SignatureInvalid),
    ("SignatureValue zero", text(".//ds:SignatureValue", "A" * 86 + "=="), SignatureInvalid),
    ("SignatureValue no base64", text(".//ds:SignatureValue", "§§§"), SignatureInvalid),
    ("SignatureValue cut", text(".//ds:SignatureValue", "AAAA"), SignatureInvalid),
    ("KeyInfo removed", without(".//ds:KeyInfo"), EnvelopeInvalid),
    ("token removed", without(".//wsse:BinarySecurityToken"), EnvelopeInvalid),
    ("token swapped", other_token, SignatureInvalid),
    ("token emptied", text(".//wsse:BinarySecurityToken", ""), CertificateUntrusted),
    ("token no base64", text(".//wsse:BinarySecurityToken", "-----BEGIN"), CertificateUntrusted),
    ("token no certificate", text(".//wsse:BinarySecurityToken", "AAAA"), CertificateUntrusted),
    ("token huge", text(".//wsse:BinarySecurityToken", "A" * 20_004), CertificateUntrusted),
    ("token with an element", comment_in_token, EnvelopeInvalid),
    ("token of another type", attribute(".//wsse:BinarySecurityToken", "ValueType", "#X509PKIPathv1"), EnvelopeInvalid),
    ("token in hex", attribute(".//wsse:BinarySecurityToken", "EncodingType", "#HexBinary"), EnvelopeInvalid),
    ("KeyInfo to another id", attribute(".//wsse:Reference", "URI", "#Body"), EnvelopeInvalid),
    ("KeyInfo to a file", attribute(".//wsse:Reference", "URI", "file:///etc/passwd"), EnvelopeInvalid),
    ("KeyInfo of another type", attribute(".//wsse:Reference", "ValueType", "#PKCS7"), EnvelopeInvalid),
    ("Timestamp swapped", other_timestamp, SignatureInvalid),
    ("Timestamp removed", without(".//wsu:Timestamp"), EnvelopeInvalid),
    ("Expires moved", text(".//wsu:Expires", "2026-11-23T12:04:59.000Z"), SignatureInvalid),
    ("To changed", text(".//wsa:To", "urn:evil"), SignatureInvalid),
    ("Action changed", text(".//wsa:Action", "urn:evil"), SignatureInvalid),
    ("From changed", text(".//wsa:From/wsa:Address", "urn:evil"), SignatureInvalid),
    ("MessageID of another message", message_id_of_another_message, SignatureInvalid),
    ("MessageID removed", without(".//wsa:MessageID"), AddressingInvalid),
    ("Action removed", without(".//wsa:Action"), AddressingInvalid),
    ("To removed", without(".//wsa:To"), AddressingInvalid),
    ("From removed", without(".//wsa:From"), AddressingInvalid),
    ("ReplyTo added unsigned", header(f"<wsa:ReplyTo><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>"),
     SignatureIncomplete),
    ("RelatesTo added unsigned", header("<wsa:RelatesTo>urn:x</wsa:RelatesTo>"), SignatureIncomplete),
    ("digest of Body changed", text(".//ds:Reference[1]/ds:DigestValue", "AAAA"), SignatureInvalid),
    ("digest no base64", text(".//ds:Reference[1]/ds:DigestValue", "!"), SignatureInvalid),
    ("reference to Body removed", uncovered("Body"), SignatureIncomplete),
    ("attribute on SignedInfo", attribute(".//ds:SignedInfo", "a", "b"), EnvelopeInvalid),
    ("attribute on Security", attribute(".//wsse:Security", "a", "b"), EnvelopeInvalid),
    ("text in Envelope", text_between("soap:Header"), EnvelopeInvalid),
    ("text in Header", text_between(".//wsa:To"), EnvelopeInvalid),
    ("text in Security", text_between(".//wsu:Timestamp"), EnvelopeInvalid),
    ("text in Body", text_between("soap:Body/*"), EnvelopeInvalid),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "error"), [case[1:] for case in TAMPERINGS], ids=[case[0] for case in TAMPERINGS])
def test_a_tampered_message_is_refused(edit: Edit, error: type[GatewayError]) -> None:
    with pytest.raises(error) as caught:
        verified(tampered(edit))
    assert type(caught.value) is error


def times(created: str, expires: str) -> Edit:
    def edit(root: etree._Element) -> None:
        find(root, ".//wsu:Created").text = created
        find(root, ".//wsu:Expires").text = expires

    return edit


CARELESS: list[tuple[str, Edit, type[GatewayError]]] = [
    ("Body not signed", uncovered("Body"), SignatureIncomplete),
    ("Timestamp not signed", uncovered("Timestamp"), SignatureIncomplete),
    ("To not signed", uncovered("To"), SignatureIncomplete),
    ("From not signed", uncovered("From"), SignatureIncomplete),
    ("Action not signed", uncovered("Action"), SignatureIncomplete),
    ("MessageID not signed", uncovered("MessageID"), SignatureIncomplete),
    ("no MessageID", without_header("MessageID"), AddressingInvalid),
    ("no Action", without_header("Action"), AddressingInvalid),
    ("no To", without_header("To"), AddressingInvalid),
    ("no From", without_header("From"), AddressingInvalid),
    ("MessageID no UUID", text(".//wsa:MessageID", "urn:uuid:1"), AddressingInvalid),
    ("MessageID no URN", text(".//wsa:MessageID", "0b6a3c2e-5b1d-4c55-8f44-6a1f6d4d2a10"), AddressingInvalid),
    ("empty To", text(".//wsa:To", ""), AddressingInvalid),
    ("To with a space", text(".//wsa:To", "urn:a urn:b"), AddressingInvalid),
    ("To too long", text(".//wsa:To", "urn:" + "a" * 1000), AddressingInvalid),
    ("From without Address", without(".//wsa:From/wsa:Address"), AddressingInvalid),
    ("RelatesTo of another kind",
     signed_header('<wsa:RelatesTo RelationshipType="urn:x" wsu:Id="New">urn:y</wsa:RelatesTo>'), AddressingInvalid),
    ("ReplyTo elsewhere",
     signed_header('<wsa:ReplyTo wsu:Id="New"><wsa:Address>http://127.0.0.1/</wsa:Address></wsa:ReplyTo>'),
     ReplyToUnsupported),
    ("FaultTo none", signed_header(f'<wsa:FaultTo wsu:Id="New"><wsa:Address>{NONE}</wsa:Address></wsa:FaultTo>'),
     ReplyToUnsupported),
    ("ReplyTo without Address", signed_header('<wsa:ReplyTo wsu:Id="New"/>'), AddressingInvalid),
    ("unknown header", signed_header('<act:Hint wsu:Id="New"/>'), EnvelopeInvalid),
    ("unknown header that must be understood", signed_header('<act:Hint wsu:Id="New" soap:mustUnderstand="1"/>'),
     EnvelopeInvalid),
    ("addressing of 2004",
     signed_header('<a:To xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" wsu:Id="New"/>'), EnvelopeInvalid),
    ("expired", times("2026-11-23T11:50:00Z", "2026-11-23T11:55:00Z"), MessageExpired),
    ("lifetime too long", times("2026-11-23T12:00:00Z", "2026-11-23T12:05:01Z"), MessageExpired),
    ("lifetime of years", times("2016-11-23T12:00:00Z", "2036-11-23T12:05:01Z"), MessageExpired),
    ("from the future", times("2026-11-23T12:01:01Z", "2026-11-23T12:05:00Z"), MessageFromFuture),
    ("Expires before Created", times("2026-11-23T12:00:00Z", "2026-11-23T11:59:00Z"), EnvelopeInvalid),
    ("no Expires", without(".//wsu:Expires"), EnvelopeInvalid),
    ("no Created", without(".//wsu:Created"), EnvelopeInvalid),
    ("local time", times("2026-11-23T12:00:00", "2026-11-23T12:05:00"), EnvelopeInvalid),
    ("other zone", times("2026-11-23T14:00:00+02:00", "2026-11-23T14:05:00+02:00"), EnvelopeInvalid),
    ("no date", times("2026-02-30T12:00:00Z", "2026-11-23T12:05:00Z"), EnvelopeInvalid),
    ("Arabic digits", times("٢٠٢٦-11-23T12:00:00Z", "2026-11-23T12:05:00Z"), EnvelopeInvalid),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "error"), [case[1:] for case in CARELESS], ids=[case[0] for case in CARELESS])
def test_what_is_outside_the_profile_is_refused_even_when_signed(edit: Edit, error: type[GatewayError]) -> None:
    with pytest.raises(error) as caught:
        verified(forged(edit))
    assert type(caught.value) is error


def with_reference(uri: str) -> Edit:
    def edit(root: etree._Element) -> None:
        refer_to(root, "Extra")
        find(root, ".//ds:Reference[@URI='#Extra']").set("URI", uri)

    return edit


@pytest.mark.parametrize(
    "uri",
    ["", "#", "#Nothing", "#xpointer(/)", "#xpointer(id('Body'))", "cid:attachment", "http://127.0.0.1/x", "Body"],
)
def test_a_reference_to_anything_else_is_refused(uri: str) -> None:
    with pytest.raises(SignatureIncomplete):
        verified(forged(with_reference(uri)))


@pytest.mark.parametrize(
    "injected", [b"<!---->", b"<!-- a comment -->", b"<![CDATA[]]>", b"<!--><act:PoD>EVIL</act:PoD><!-->"]
)
def test_comments_and_cdata_neither_change_nor_cut_a_text(injected: bytes) -> None:
    data = request().replace(b"ES0031000000000001", b"ES0031" + injected + b"000000000001")
    message = verified(data)
    assert message.body[0].text == "ES0031000000000001"
    assert b"<!" not in message.canonical_body


BODY = request()[request().index(b"<soap:Body") : request().index(b"</soap:Envelope>")]
EVIL = BODY.replace(b"ES0031", b"EVIL")


@pytest.mark.parametrize(
    "bodies",
    [
        EVIL + b"<!--" + BODY + b"-->",
        b"<!--" + BODY + b"-->" + EVIL,
        EVIL[:-12] + b"<!--" + BODY + b"--></soap:Body>",
        EVIL[:-12] + b"<![CDATA[" + BODY + b"]]></soap:Body>",
        EVIL.replace(b"EVIL000000000001", b"<![CDATA[" + BODY + b"]]>"),
        EVIL.replace(b"<act:PoD>", b"<act:PoD>" + BODY, 1),
        EVIL.replace(b"<act:Req", b"<!--" + BODY[:-12] + b"--><act:Req"),
    ],
)
@pytest.mark.parametrize("after", [b"", b"<!--" + BODY + b"-->", b"\n"])
def test_the_signed_body_out_of_its_place_is_not_taken_for_the_body(bodies: bytes, after: bytes) -> None:
    """Canonical bytes are recognized as they stand, but only where the Body is."""
    with pytest.raises((SignatureInvalid, EnvelopeInvalid)):
        verified(request().replace(BODY, bodies) + after)


def test_a_comment_in_an_address_does_not_cut_it() -> None:
    message = verified(request().replace(b"5b02</wsa:To>", b"5b<!--x-->02</wsa:To>"))
    assert message.addressing == REQUEST


@pytest.mark.parametrize(
    ("moment", "error"),
    [
        (NOW + timedelta(seconds=361), MessageExpired),
        (NOW + timedelta(days=1), MessageExpired),
        (NOW - timedelta(seconds=61), MessageFromFuture),
        (NOW - timedelta(days=1), MessageFromFuture),
    ],
)
def test_a_message_of_another_time_is_refused(moment: object, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        verify(request(), anchors=anchors(), now=moment)  # type: ignore[arg-type]


def test_a_signature_of_another_trusted_sender_over_the_same_message_needs_its_own_token() -> None:
    with pytest.raises(SignatureInvalid):
        verified(forged(unchanged, signer=identity(name="Someone else")))


def test_a_key_of_the_other_kind_does_not_fit_the_signature_method() -> None:
    def rsa_token(root: etree._Element) -> None:
        find(root, ".//wsse:BinarySecurityToken").text = identity("rsa").token

    with pytest.raises(AlgorithmRefused, match="signs with"):
        verified(tampered(rsa_token))


def test_every_byte_of_the_signed_part_counts() -> None:
    """Flipping one bit anywhere gives an error of ours, or the very same content."""
    data = request()
    untouched = verified(data)
    for position in range(0, len(data), 7):
        flipped = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        try:
            message = verified(flipped)
        except GatewayError:
            continue
        assert (message.canonical_body, message.addressing) == (untouched.canonical_body, untouched.addressing)

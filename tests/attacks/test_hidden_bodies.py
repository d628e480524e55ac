"""A Body is what the parser sees at the Body's place, never bytes that happen to have the signed digest."""

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from flexiciency.errors import CertificateUntrusted, MessageTooLarge, SignatureInvalid
from flexiciency.wire import names
from flexiciency.wire.parse import Limits, parse
from flexiciency.wire.sign import BODY_OPEN, TAIL, sign
from flexiciency.wire.trust import check_readable
from tests.wire.parties import NOW, REQUEST, identity, request, verified

GOOD = request()
START = GOOD.index(b"<soap:Body")
SIGNED = GOOD[START : GOOD.index(b"</soap:Body>") + len(b"</soap:Body>")]
FORGED = (
    b'<soap:Body xmlns:wsu="%s" wsu:Id="Body"><act:RequestDsoServiceActivation '
    b'xmlns:act="urn:flexiciency:activation:1"/></soap:Body>' % names.WSU.encode()
)


@pytest.mark.parametrize("hiding", [b"<!--%s</x -->", b"<!--%s</soap:Envelope>-->", b"<!-- %s -->"])
def test_the_signed_body_in_a_comment_does_not_vouch_for_another(hiding: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        verified(GOOD[:START] + FORGED + TAIL + hiding.replace(b"%s", SIGNED))


def test_the_signed_body_in_character_data_does_not_vouch_for_another() -> None:
    inside = FORGED.replace(
        b"/></soap:Body>", b"><![CDATA[" + SIGNED + b"]]></act:RequestDsoServiceActivation></soap:Body>"
    )
    with pytest.raises(SignatureInvalid):
        verified(GOOD[:START] + inside + TAIL)


@pytest.mark.parametrize("content", [b"", b"<a/><b/>", b"<a><![CDATA[<y>]]></a>", b'<x b="1" a="2"/>'])
def test_a_digest_of_bytes_that_are_not_canonical_is_refused_whoever_signs_it(content: bytes) -> None:
    hidden = BODY_OPEN + content + b"</soap:Body>"
    signed = sign(hashlib.sha256(hidden).digest(), REQUEST, identity(), NOW)
    with pytest.raises(SignatureInvalid):
        verified(signed.head + BODY_OPEN + b"<x></x></soap:Body>" + TAIL + b"<!--" + hidden + b"</x -->")


def test_more_tags_than_allowed_are_refused_before_a_tree_is_built() -> None:
    with pytest.raises(MessageTooLarge, match="tags"):
        parse(b"<r>" + b"<a/>" * 1000 + b"</r>", Limits(markup=1000))


def test_a_certificate_whose_name_is_no_text_is_untrusted() -> None:
    der = bytearray(identity().certificate.public_bytes(Encoding.DER))
    name = der.rindex(b"\x0c\x08Retailer")
    der[name], der[name + 2] = 0x03, 0  # a bit string
    with pytest.raises(CertificateUntrusted):
        check_readable(x509.load_der_x509_certificate(bytes(der)))

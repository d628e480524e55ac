"""signxml judges our messages, and we verify its own."""

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import InvalidSignature
from signxml.signer import SignatureReference, XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from flexiciency.wire import names
from flexiciency.wire.authority import KeyType
from flexiciency.wire.identity import Identity
from flexiciency.wire.sign import Confirmation, canonical
from flexiciency.wire.verify import verify_reply
from tests.interop.partners import COMPACT, INDENTED, Unsigned, token_reference, unsigned
from tests.wire.parties import NOW, REPLY, REQUEST, anchors, identity, reply, request, verified

EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0


def signed_according_to_signxml(data: bytes, signer: Identity, references: int) -> dict[str, bytes]:
    """The canonical form of each signed element by its name; InvalidSignature when it disagrees."""
    expected = SignatureConfiguration(
        require_x509=True,
        expect_references=references,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
    )
    results = XMLVerifier().verify(data, x509_cert=signer.certificate, expect_config=expected)
    assert isinstance(results, list)
    signed = [result.signed_xml for result in results]
    return {str(etree.QName(element).localname): canonical(element) for element in signed if element is not None}


def signed_by_signxml(message: Unsigned, signer: Identity, inclusive: list[str] | None = None) -> bytes:
    xml_signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod(signer.algorithm),
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=EXCLUSIVE,
    )
    key_info = etree.Element(f"{{{names.DS}}}KeyInfo", nsmap={"ds": names.DS})
    key_info.append(token_reference())
    signature = xml_signer.sign(
        message.root,
        key=signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        cert=[signer.certificate],
        key_info=key_info,
        reference_uri=[SignatureReference(f"#{i}", EXCLUSIVE, inclusive) for i in message.identifiers],
    )
    message.security.append(signature)
    return etree.tostring(message.root)


@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_our_requests_are_accepted(key_type: KeyType) -> None:
    signer = identity(key_type)
    data = request(signer=signer)
    signed = signed_according_to_signxml(data, signer, references=6)
    assert signed["Body"] == verified(data).canonical_body
    assert signed.keys() == {"Body", "Timestamp", "Action", "MessageID", "To", "From"}
    with pytest.raises(InvalidSignature):
        signed_according_to_signxml(data.replace(b"<act:PoD>E", b"<act:PoD>F"), signer, references=6)


@pytest.mark.parametrize("confirms", [Confirmation(None), Confirmation(b"value")])
def test_our_replies_are_accepted(confirms: Confirmation) -> None:
    signed = signed_according_to_signxml(reply(confirms), identity(name="Grid operator"), references=8)
    assert {"RelatesTo", "SignatureConfirmation"} <= signed.keys()


@pytest.mark.parametrize("layout", [INDENTED, COMPACT], ids=["indented", "compact"])
@pytest.mark.parametrize("key_type", ["rsa", "ec"])
@pytest.mark.parametrize("inclusive", [None, ["soap", "SOAP-ENV"]])
def test_its_requests_are_verified(layout: str, key_type: KeyType, inclusive: list[str] | None) -> None:
    signer = identity(key_type)
    message = verified(signed_by_signxml(unsigned(layout, REQUEST, signer), signer, inclusive))
    assert message.addressing == REQUEST
    assert message.body[0].text == "ES0031000000000001 & á"


@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_its_replies_are_verified(key_type: KeyType) -> None:
    signer, request_signature = identity(key_type), b"our signature"
    confirms = base64.b64encode(request_signature).decode()
    message = verify_reply(
        signed_by_signxml(unsigned(COMPACT, REPLY, signer, confirms), signer),
        request_signature=request_signature,
        request_message_id=REQUEST.message_id,
        anchors=anchors(),
        now=NOW,
    )
    assert message.addressing == REPLY

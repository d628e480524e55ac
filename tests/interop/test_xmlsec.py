"""python-xmlsec judges our messages, and we verify its own."""

import base64

import pytest
import xmlsec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from flexiciency.wire import names
from flexiciency.wire.authority import KeyType
from flexiciency.wire.identity import Identity
from flexiciency.wire.sign import Confirmation
from flexiciency.wire.verify import verify_reply
from tests.interop.partners import COMPACT, INDENTED, Unsigned, token_reference, unsigned
from tests.wire.parties import CONTENT, NOW, REPLY, REQUEST, anchors, identity, reply, request, verified

METHODS = {
    names.RSA_SHA256: xmlsec.constants.TransformRsaSha256,
    names.ECDSA_SHA256: xmlsec.constants.TransformEcdsaSha256,
}


def xmlsec_accepts(data: bytes) -> bool:
    """Verified with the certificate in the token; every element with a wsu:Id can be referred to."""
    root = etree.fromstring(data)
    xmlsec.tree.add_ids(root, ["Id"])
    token = next(root.iter(names.TOKEN)).text or ""
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(base64.b64decode(token), xmlsec.constants.KeyDataFormatCertDer)
    try:
        context.verify(next(root.iter(names.SIGNATURE)))
    except xmlsec.Error:
        return False
    return True


def signed_by_xmlsec(message: Unsigned, signer: Identity, *, prefix: str | None = None, inclusive: str = "") -> bytes:
    signature = xmlsec.template.create(
        message.root, xmlsec.constants.TransformExclC14N, METHODS[signer.algorithm], ns=prefix
    )
    message.security.append(signature)
    for identifier in reversed(message.identifiers):
        reference = xmlsec.template.add_reference(signature, xmlsec.constants.TransformSha256, uri=f"#{identifier}")
        transform = xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
        if inclusive:
            namespaces = etree.SubElement(transform, f"{{{names.EXCLUSIVE_C14N}}}InclusiveNamespaces")
            namespaces.set("PrefixList", inclusive)
    xmlsec.template.ensure_key_info(signature).append(token_reference())
    xmlsec.tree.add_ids(message.root, ["Id"])
    context = xmlsec.SignatureContext()
    pem = signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
    context.sign(signature)
    return etree.tostring(message.root, xml_declaration=True, encoding="utf-8")


@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_our_requests_are_accepted(key_type: KeyType) -> None:
    assert xmlsec_accepts(request(signer=identity(key_type)))
    assert not xmlsec_accepts(request(signer=identity(key_type)).replace(b"<act:PoD>E", b"<act:PoD>F"))


@pytest.mark.parametrize("confirms", [None, Confirmation(None), Confirmation(b"value")])
def test_our_replies_are_accepted(confirms: Confirmation | None) -> None:
    assert xmlsec_accepts(reply(confirms))


def test_our_messages_with_awkward_text_are_accepted() -> None:
    content = CONTENT.replace(b"ES0031000000000001", "&amp;&lt;&gt; \"'&#xD;\t\n á € 🔌".encode())
    assert xmlsec_accepts(request(content, action="urn:a?b=c&d=<e>"))


@pytest.mark.parametrize("layout", [INDENTED, COMPACT], ids=["indented", "compact"])
@pytest.mark.parametrize("key_type", ["rsa", "ec"])
@pytest.mark.parametrize("prefix", [None, "ds", "dsig"])
@pytest.mark.parametrize("inclusive", ["", "SOAP-ENV xsi", "#default"])
def test_its_requests_are_verified(layout: str, key_type: KeyType, prefix: str | None, inclusive: str) -> None:
    signer = identity(key_type)
    message = verified(signed_by_xmlsec(unsigned(layout, REQUEST, signer), signer, prefix=prefix, inclusive=inclusive))
    assert message.addressing == REQUEST
    assert message.fingerprint == signer.fingerprint
    assert message.body[0].text == "ES0031000000000001 & á"


@pytest.mark.parametrize("layout", [INDENTED, COMPACT], ids=["indented", "compact"])
@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_its_replies_are_verified(layout: str, key_type: KeyType) -> None:
    signer, request_signature = identity(key_type), b"our signature"
    confirms = base64.b64encode(request_signature).decode()
    message = verify_reply(
        signed_by_xmlsec(unsigned(layout, REPLY, signer, confirms), signer),
        request_signature=request_signature,
        request_message_id=REQUEST.message_id,
        anchors=anchors(),
        now=NOW,
    )
    assert message.addressing == REPLY


def test_it_may_sign_the_token_as_well() -> None:
    message = unsigned(COMPACT, REQUEST, identity())
    with_token = Unsigned(message.root, (*message.identifiers, "id-4"))
    assert verified(signed_by_xmlsec(with_token, identity())).addressing == REQUEST


def test_what_wss4j_writes_around_a_signature_is_taken() -> None:
    """Ids, the token's type, base64 folded with carriage returns."""
    signer = identity("rsa")
    root = etree.fromstring(signed_by_xmlsec(unsigned(COMPACT, REQUEST, signer), signer, prefix="ds"))
    next(root.iter(names.SIGNATURE)).set("Id", "SIG-1")
    next(root.iter(f"{{{names.DS}}}KeyInfo")).set("Id", "KI-1")
    holder = next(root.iter(f"{{{names.WSSE}}}SecurityTokenReference"))
    holder.set(names.ID, "STR-1")
    holder.set(f"{{{names.WSSE11}}}TokenType", names.X509_V3)
    value = next(root.iter(f"{{{names.DS}}}SignatureValue"))
    folded = base64.encodebytes(base64.b64decode(value.text or "")).decode()
    value.text = folded.replace("\n", "\r\n")
    data = etree.tostring(root)
    assert b"&#13;" in data
    assert verified(data).addressing == REQUEST

"""What WSS4J writes around a signature: ids, token type, folded base64 with carriage returns."""

import base64

from lxml import etree

from flexiciency.wire import names
from tests.interop.partners import COMPACT, unsigned
from tests.interop.test_xmlsec import signed_by_xmlsec
from tests.wire.parties import REQUEST, identity, verified


def test_its_decorations_are_taken() -> None:
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

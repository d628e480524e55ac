"""What an attacker, or a careless partner, can do to a message: edit it as a tree, with or without signing it anew."""

import base64
import hashlib
from collections.abc import Callable

from lxml import etree

from flexiciency.wire import names
from flexiciency.wire.identity import Identity
from tests.wire.parties import identity, request

NS = {
    "soap": names.SOAP,
    "wsa": names.WSA,
    "wsse": names.WSSE,
    "wsse11": names.WSSE11,
    "wsu": names.WSU,
    "ds": names.DS,
    "act": "urn:flexiciency:activation:1",
    "ec": names.EXCLUSIVE_C14N,
}
Edit = Callable[[etree._Element], None]


def find(root: etree._Element, path: str) -> etree._Element:
    """The one element at the path."""
    (element,) = root.findall(path, NS)
    return element


def remove(element: etree._Element) -> etree._Element:
    """Take the element out of its parent."""
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)
    return element


def element(text: str) -> etree._Element:
    """An element from markup that may use our prefixes."""
    declarations = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NS.items())
    return etree.fromstring(f"<x {declarations}>{text}</x>")[0]


def unchanged(_: etree._Element) -> None:
    """No edit at all."""


def tampered(edit: Edit, data: bytes | None = None) -> bytes:
    """A signed request, edited after signing."""
    root = etree.fromstring(request() if data is None else data)
    edit(root)
    return etree.tostring(root)


def forged(edit: Edit, data: bytes | None = None, signer: Identity | None = None) -> bytes:
    """A signed request, edited and then signed anew by a trusted sender: each reference there is gets its digest."""
    root = etree.fromstring(request() if data is None else data)
    edit(root)
    sign_anew(root, signer or identity())
    return etree.tostring(root)


def sign_anew(root: etree._Element, signer: Identity) -> None:
    """Fill in each DigestValue, from the first element with that id, and SignatureValue."""
    signed_info = next(root.iter(f"{{{names.DS}}}SignedInfo"), None)
    value = next(root.iter(f"{{{names.DS}}}SignatureValue"), None)
    if signed_info is None or value is None:
        return
    for reference in signed_info.iterfind("ds:Reference", NS):
        digest_value = reference.find("ds:DigestValue", NS)
        for target in _by_id(root, identifier=reference.get("URI", "")[1:])[:1]:
            if digest_value is not None:
                digest = hashlib.sha256(canonical_form(target, reference)).digest()
                digest_value.text = base64.b64encode(digest).decode()
    method = signed_info.find("ds:CanonicalizationMethod", NS)
    signature = signer.sign(canonical_form(signed_info, signed_info if method is None else method))
    value.text = base64.b64encode(signature).decode()


_by_id = etree.XPath("//*[@wsu:Id=$identifier]", namespaces={"wsu": names.WSU})


def canonical_form(target: etree._Element, method: etree._Element) -> bytes:
    """Exclusive C14N, with the prefixes in the first InclusiveNamespaces below `method`."""
    inclusive = method.find(".//ec:InclusiveNamespaces", NS)
    prefixes = inclusive.get("PrefixList", "").split() if inclusive is not None else None
    return etree.tostring(target, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes)


def refer_to(root: etree._Element, identifier: str) -> None:
    """Add a ds:Reference to this id."""
    signed_info = find(root, ".//ds:SignedInfo")
    last = signed_info[-1]
    signed_info.append(etree.fromstring(etree.tostring(last)))
    signed_info[-1].set("URI", f"#{identifier}")


def stop_referring_to(root: etree._Element, identifier: str) -> None:
    """Take out the ds:Reference to this id."""
    remove(find(root, f".//ds:Reference[@URI='#{identifier}']"))

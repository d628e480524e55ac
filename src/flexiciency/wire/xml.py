"""Reading closed structures: children and attributes are the ones we know, or the message is refused."""

from lxml import etree

from flexiciency.errors import EnvelopeInvalid
from flexiciency.wire import names

_PREFIXES = {
    names.SOAP: "soap",
    names.SOAP_12: "soap12",
    names.WSA: "wsa",
    names.WSSE: "wsse",
    names.WSSE11: "wsse11",
    names.WSU: "wsu",
    names.DS: "ds",
}
_SPACE = " \t\r\n"


def label(tag: object) -> str:
    """An element's name as people write it: "wsa:To", or "{namespace}Name" where we have no prefix for it."""
    namespace, _, local = str(tag).rpartition("}")
    prefix = _PREFIXES.get(namespace[1:])
    return f"{prefix}:{local}" if prefix else str(tag)[:200]


def children_of(parent: etree._Element) -> list[etree._Element]:
    """The child elements; EnvelopeInvalid when there is text between them."""
    children = list(parent)
    for text in (parent.text, *[child.tail for child in children]):
        if text and text.strip(_SPACE):
            raise EnvelopeInvalid(f"{label(parent.tag)} contains text; expected elements only.")
    return children


def text_of(element: etree._Element) -> str:
    """The text of an element without children, trimmed as xs:anyURI and xs:base64Binary are."""
    if len(element):
        raise EnvelopeInvalid(f"{label(element.tag)} has child elements; expected text only.")
    return (element.text or "").strip(_SPACE)


def check_attributes(element: etree._Element, allowed: tuple[str, ...]) -> None:
    """Raises EnvelopeInvalid when the element has any other attribute."""
    for name in element.keys():  # noqa: SIM118  an element is a sequence of its children
        if name not in allowed:
            raise EnvelopeInvalid(f"{label(element.tag)} has the attribute {label(name)}, which the profile lacks.")


def expect_children(parent: etree._Element, *tags: str) -> list[etree._Element]:
    """The children when they are exactly these, in this order; else EnvelopeInvalid."""
    children = children_of(parent)
    if tuple([child.tag for child in children]) != tags:
        found = ", ".join(label(child.tag) for child in children[:10]) or "nothing"
        expected = ", ".join(map(label, tags)) or "nothing"
        raise EnvelopeInvalid(f"{label(parent.tag)} contains {found}; expected {expected}.")
    return children

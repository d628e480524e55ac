"""What libxml2 complains about, put in the words of the contract: path, line, what was found and what was expected.

It leans on the rules that our XSDs keep: every type is named, nothing is inherited but simple content.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from lxml import etree

from flexiciency.errors import SchemaInvalid
from flexiciency.wire.reread import first_schema_error

_XS = "{http://www.w3.org/2001/XMLSchema}"
_ECHO = 80
"""At most so many characters of a value, or of an unknown name, are repeated to the sender."""
_CHUNK = 65_536

_SUBJECT = re.compile(r"Element '([^']*)'(?:, attribute '([^']*)')?: (.*)", re.DOTALL)
_EXPECTED = re.compile(r"Expected is (?:one of )?\( ([^()]*) \)\.")
_OF_TYPE = re.compile(r"'([^']{0,80})' is not a valid value of the atomic type '(\{[^']*)'")
_HOLDS_ELEMENTS = "Element content is not allowed"
_TAG = re.compile(rb"<[^<]*")
_BUILT_IN = {"boolean": "true or false"}


@dataclass(frozen=True)
class Complaint:
    """The first error in document order: the element, its attribute if it is one's, and libxml2's words."""

    element: etree._Element
    attribute: str | None
    text: str


def first_complaint(schema: etree.XMLSchema, body_child: etree._Element) -> Complaint | None:
    """The first error of `body_child`, None if it is valid.

    It is read once more, piece by piece, to stop at the first error: a validated tree collects them all, in a time that
    grows with the square of their number.
    """
    content = etree.tostring(body_child, encoding="utf-8", xml_declaration=False, with_tail=False)
    chunks = (content[start : start + _CHUNK] for start in range(0, len(content), _CHUNK))
    if len(content) > _CHUNK and first_schema_error(chunks, schema) is None:
        return None
    found = first_schema_error(_tags(content), schema)
    if found is None:
        return None
    read, text = found
    started = sum(not tag.startswith((b"</", b"<!")) for tag in islice(_tags(content), read))
    subject = _SUBJECT.match(text)
    if subject is None:
        return Complaint(body_child, None, text)
    name, attribute, rest = subject.groups()
    element = _last_started(body_child, name, started)
    if rest.startswith(_HOLDS_ELEMENTS):
        # Found where the child starts, which may have the name of its parent.
        child = next(islice(body_child.iter("*"), started - 1, None))
        element = next(child.iterancestors(), element)
    return Complaint(element, attribute, rest)


def explain(complaint: Complaint, body_child: etree._Element, xsds: Sequence[etree._Element]) -> SchemaInvalid:
    """The error to raise, with the path from `body_child` and the line; `xsds` are the roots of our XSDs."""
    element, text = complaint.element, complaint.text
    path = _path(element, body_child)
    if complaint.attribute is not None:
        path = f"{path}/@{_local(complaint.attribute)}"
    if text.startswith(("[facet ", "'")):
        message = _about_value(complaint, _Types(xsds), body_child)
    else:
        message = _about_structure(element, text)
    return SchemaInvalid(message, path=path, line=element.sourceline)


def _tags(content: bytes) -> Iterator[bytes]:
    """Each tag with the text behind it; a serialized tree has no other "<"."""
    return (match.group() for match in _TAG.finditer(content))


def _last_started(body_child: etree._Element, name: str, started: int) -> etree._Element:
    """The last element called `name` among the first `started`: an error is found where its element starts or ends."""
    found = body_child
    for element in islice(body_child.iter("*"), started):
        if element.tag == name:
            found = element
    return found


def _path(element: etree._Element, top: etree._Element) -> str:
    steps = []
    while element is not top:
        parent = element.getparent()
        if parent is None:
            break
        same = parent.findall(str(element.tag))
        place = f"[{same.index(element) + 1}]" if len(same) > 1 else ""
        steps.append(_local(str(element.tag)) + place)
        element = parent
    return "/".join([_local(str(top.tag)), *reversed(steps)])


def _local(name: str) -> str:
    return name.rpartition("}")[2][:_ECHO]


def _raw(text: str) -> str:
    """libxml2's own words, without namespaces and cut short."""
    return re.sub(r"\{[^}]*\}", "", text)[:200]


def _about_structure(element: etree._Element, text: str) -> str:
    """Words for an element or attribute in the wrong place; libxml2's own where they carry no input."""
    name = _local(str(element.tag))
    expected = _EXPECTED.search(text)
    names = expected.group(1).split(", ") if expected else []
    choice = " or ".join(map(_local, names))
    if text.startswith("Missing child element"):
        return f"{name} ends too early: {choice} is missing."
    if text.startswith("This element is not expected") and not names:
        return f"{name} is not expected here; nothing more was."
    if text.startswith("This element is not expected"):
        if name in map(_local, names):
            namespace = str(etree.QName(element).namespace)[:_ECHO]
            return f"{name} is of the namespace {namespace!r}; expected {names[0][:200]}."
        return f"{name} is not expected here; expected {choice}."
    if text.startswith("Character content"):
        return f"{name} holds text; expected elements only."
    if text.startswith(_HOLDS_ELEMENTS):
        return f"{name} holds elements; expected text only."
    if text.startswith("No matching global declaration"):
        return f"{name} is no operation of this interface."
    return _raw(text)


def _about_value(complaint: Complaint, types: "_Types", body_child: etree._Element) -> str:
    """Words for a value outside its type: the value, cut short, and what the type's documentation says."""
    element = complaint.element
    of_type = _OF_TYPE.match(complaint.text)
    if of_type:
        value, type_name = of_type.group(1), of_type.group(2)
    else:
        value = (element.text if complaint.attribute is None else element.get(complaint.attribute)) or ""
        type_name = types.of_text(types.of(element, complaint.attribute, body_child))
    if not type_name:
        return _raw(complaint.text)
    shown = repr(value[:_ECHO]) + (f" and {len(value) - _ECHO:,} characters more" if len(value) > _ECHO else "")
    return f"{shown} is no {_local(type_name)}. {types.words(type_name)}"


class _Types:
    """The named types of the XSDs, and which one an element has by its place."""

    def __init__(self, xsds: Sequence[etree._Element]) -> None:
        self._elements: dict[str, str] = {}
        self._types: dict[str, etree._Element] = {}
        for xsd in xsds:
            for child in xsd.iterchildren(f"{_XS}element", f"{_XS}complexType", f"{_XS}simpleType"):
                name = f"{{{xsd.get('targetNamespace')}}}{child.get('name')}"
                if child.tag == f"{_XS}element":
                    self._elements[name] = _qualified(child, child.get("type", ""))
                else:
                    self._types[name] = child

    def of(self, element: etree._Element, attribute: str | None, top: etree._Element) -> str:
        """Qualified name of the type of `element`, or of its attribute, by the way down from `top`."""
        parent = element.getparent()
        if element is top or parent is None:
            found = self._elements.get(str(element.tag), "")
        else:
            found = self._child(self.of(parent, None, top), str(element.tag))
        if attribute is None:
            return found
        owner = self._types.get(found)
        declared = None if owner is None else owner.find(f".//{_XS}attribute[@name='{attribute}']")
        return "" if declared is None else _qualified(declared, declared.get("type", ""))

    def words(self, name: str) -> str:
        """What a value of this simple type is: one of its words, or what its documentation says."""
        node = self._types.get(name)
        if node is None:
            return f"Expected {_BUILT_IN.get(_local(name), _local(name))}."
        values = [value.get("value", "") for value in node.iter(f"{_XS}enumeration")]
        if values:
            return f"Expected one of {', '.join(values)}."
        return node.findtext(f"{_XS}annotation/{_XS}documentation", "").removeprefix("+ ")

    def of_text(self, name: str) -> str:
        """The simple type of the text in an element of this type: itself, or what a type with attributes extends."""
        node = self._types.get(name)
        base = None if node is None else node.find(f"{_XS}simpleContent/{_XS}extension")
        return name if base is None else _qualified(base, base.get("base", ""))

    def _child(self, type_name: str, tag: str) -> str:
        parent = self._types.get(type_name)
        for child in () if parent is None else parent.iter(f"{_XS}element"):
            reference = child.get("ref")
            if reference is not None and _qualified(child, reference) == tag:
                return self._elements[tag]
            if child.get("name") == _local(tag):
                return _qualified(child, child.get("type", ""))
        return ""


def _qualified(node: etree._Element, name: str) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{node.nsmap[prefix or None]}}}{local}"

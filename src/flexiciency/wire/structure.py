"""The closed structure of a signed envelope: each element at its one place, found by place and never by id."""

from collections import Counter
from dataclasses import dataclass

from lxml import etree

from flexiciency.errors import AddressingInvalid, EnvelopeInvalid, Unsigned
from flexiciency.wire import names
from flexiciency.wire.addressing import HEADERS
from flexiciency.wire.xml import check_attributes, children_of, label

_ADDRESSING = {f"{{{names.WSA}}}{name}": name for name in HEADERS}
_ONCE_IN_SECURITY = (names.TOKEN, names.TIMESTAMP, names.SIGNATURE)
# WSS4J confirms each signature of a request; more than a few is no reply to us.
_MOST_CONFIRMATIONS = 4
_wsu_ids = etree.XPath("//*[@wsu:Id]/@wsu:Id", namespaces={"wsu": names.WSU})
_plain_ids = etree.XPath(".//@Id")


@dataclass(frozen=True)
class Structure:
    """The elements of one envelope by their place."""

    body: etree._Element
    headers: dict[str, etree._Element]
    """The wsa headers by local name."""
    token: etree._Element
    timestamp: etree._Element
    confirmations: tuple[etree._Element, ...]
    signature: etree._Element

    @property
    def must_be_signed(self) -> tuple[etree._Element, ...]:
        """Body, Timestamp, each confirmation and each addressing header."""
        return (self.body, self.timestamp, *self.confirmations, *self.headers.values())


def read_structure(root: etree._Element) -> Structure:
    """Raises EnvelopeInvalid, AddressingInvalid (a repeated header) or Unsigned, and names the element."""
    header, body = _header_and_body(root)
    security, addressing = _read_header(header)
    if len(children_of(body)) != 1:
        raise EnvelopeInvalid(f"soap:Body has {len(body)} child elements; expected one (document/literal wrapped).")
    by_tag = _read_security(security)
    _check_ids(root, security)
    return Structure(
        body=body,
        headers=addressing,
        token=by_tag[names.TOKEN][0],
        timestamp=by_tag[names.TIMESTAMP][0],
        confirmations=tuple(by_tag.get(names.CONFIRMATION, ())),
        signature=by_tag[names.SIGNATURE][0],
    )


def _header_and_body(root: etree._Element) -> tuple[etree._Element, etree._Element]:
    if root.tag != names.ENVELOPE:
        if root.tag == f"{{{names.SOAP_12}}}Envelope":
            raise EnvelopeInvalid(f"The envelope is SOAP 1.2; send SOAP 1.1 (namespace {names.SOAP}).")
        raise EnvelopeInvalid(f"The root element is {label(root.tag)}; expected soap:Envelope of {names.SOAP}.")
    children = children_of(root)
    tags = [child.tag for child in children]
    if tags == [names.BODY]:
        raise Unsigned("The envelope has no soap:Header; expected WS-Addressing headers and a signed wsse:Security.")
    if tags != [names.HEADER, names.BODY]:
        found = ", ".join(map(label, tags[:10])) or "nothing"
        raise EnvelopeInvalid(f"soap:Envelope contains {found}; expected one soap:Header, then one soap:Body.")
    return children[0], children[1]


def _read_header(header: etree._Element) -> tuple[etree._Element, dict[str, etree._Element]]:
    security: etree._Element | None = None
    addressing: dict[str, etree._Element] = {}
    for child in children_of(header):
        if names.ACTOR in child.attrib:
            raise EnvelopeInvalid(f"{label(child.tag)} has a soap:actor; headers are for the recipient, without actor.")
        name = _ADDRESSING.get(str(child.tag))
        if name is not None:
            if name in addressing:
                raise AddressingInvalid(f"wsa:{name} stands twice in the Header; expected once.")
            addressing[name] = child
        elif child.tag != names.SECURITY:
            raise EnvelopeInvalid(_unknown_header(child))
        elif security is not None:
            raise EnvelopeInvalid("There are two wsse:Security headers; expected one.")
        else:
            security = child
    if security is None:
        raise Unsigned("There is no wsse:Security header; sign Body, Timestamp and each WS-Addressing header.")
    return security, addressing


def _unknown_header(element: etree._Element) -> str:
    flagged = " (marked mustUnderstand)" if element.get(names.MUST_UNDERSTAND) in ("1", "true") else ""
    return (
        f"The header {label(element.tag)}{flagged} is not understood; expected only wsse:Security and the "
        f"WS-Addressing headers {', '.join(HEADERS)} of {names.WSA}."
    )


def _read_security(security: etree._Element) -> dict[str, list[etree._Element]]:
    check_attributes(security, (names.MUST_UNDERSTAND, names.ID))
    by_tag: dict[str, list[etree._Element]] = {}
    for child in children_of(security):
        by_tag.setdefault(str(child.tag), []).append(child)
    if names.SIGNATURE not in by_tag:
        raise Unsigned("wsse:Security has no ds:Signature; sign Body, Timestamp and each WS-Addressing header.")
    for tag in _ONCE_IN_SECURITY:
        if len(by_tag.get(tag, ())) != 1:
            raise EnvelopeInvalid(f"wsse:Security has {len(by_tag.get(tag, ()))} {label(tag)}; expected one.")
    unknown = by_tag.keys() - {*_ONCE_IN_SECURITY, names.CONFIRMATION}
    if unknown:
        raise EnvelopeInvalid(
            f"wsse:Security contains {label(min(unknown))}; expected BinarySecurityToken, Timestamp, Signature and, "
            "in replies, SignatureConfirmation."
        )
    if len(by_tag.get(names.CONFIRMATION, ())) > _MOST_CONFIRMATIONS:
        raise EnvelopeInvalid(f"wsse:Security has more than {_MOST_CONFIRMATIONS} wsse11:SignatureConfirmation.")
    return by_tag


def _check_ids(root: etree._Element, security: etree._Element) -> None:
    """Ids are unique, so that no two verifiers can mean different elements."""
    ids = [*_wsu_ids(root), *_plain_ids(security)]
    if len(set(ids)) != len(ids):
        identifier, count = Counter(ids).most_common(1)[0]
        raise EnvelopeInvalid(f"The id {identifier[:80]!r} is used {count} times; expected each id once.")

"""WS-Addressing 1.0: the headers we write and read, and the URNs of parties."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from flexiciency.errors import AddressingInvalid, ReplyToUnsupported
from flexiciency.wire.names import WSA

MARKET_PLAYER_URN = "urn:flexiciency:market-player:"
"""Followed by the MPL-REG id of the registration that acts."""
CUSTOMER_CHANNEL_URN = "urn:flexiciency:customer-channel:"
MARKET_PLACE_URN = "urn:flexiciency:market-place"

ANONYMOUS = f"{WSA}/anonymous"
HEADERS = ("MessageID", "Action", "To", "From", "ReplyTo", "FaultTo", "RelatesTo")
_REPLY = f"{WSA}/reply"
_ADDRESS = f"{{{WSA}}}Address"
_LONGEST_URI = 1000
_MESSAGE_ID = re.compile(r"urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SPACE = " \t\r\n"


@dataclass(frozen=True)
class Addressing:
    """The addressing headers of one message. `from_` and `to` are URNs of parties."""

    message_id: str
    action: str
    to: str
    from_: str | None
    relates_to: str | None = None


def new_message_id() -> str:
    """A fresh `urn:uuid:…`."""
    return f"urn:uuid:{uuid.uuid4()}"


def registration_of(urn: str) -> str | None:
    """The MPL-REG id in a Market Player's URN, else None."""
    return urn.removeprefix(MARKET_PLAYER_URN) or None if urn.startswith(MARKET_PLAYER_URN) else None


def channel_of(urn: str) -> str | None:
    """The id in a customer channel's URN, else None."""
    return urn.removeprefix(CUSTOMER_CHANNEL_URN) or None if urn.startswith(CUSTOMER_CHANNEL_URN) else None


def read_addressing(headers: Mapping[str, etree._Element], *, require_from: bool) -> Addressing:
    """From the wsa headers by local name. Raises AddressingInvalid or ReplyToUnsupported."""
    for name in ("ReplyTo", "FaultTo"):
        if name in headers and _address(headers, name) != ANONYMOUS:
            raise ReplyToUnsupported(
                f"wsa:{name} asks for an answer elsewhere; leave it out or set its Address to {ANONYMOUS}."
            )
    message_id = _required(headers, "MessageID")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise AddressingInvalid(f"wsa:MessageID is {message_id[:80]!r}; expected urn:uuid: and a UUID.")
    if require_from and "From" not in headers:
        raise AddressingInvalid(f"wsa:From is missing; expected the Address {MARKET_PLAYER_URN}<registration id>.")
    return Addressing(
        message_id=message_id,
        action=_required(headers, "Action"),
        to=_required(headers, "To"),
        from_=_address(headers, "From") if "From" in headers else None,
        relates_to=_relates_to(headers),
    )


def _required(headers: Mapping[str, etree._Element], name: str) -> str:
    element = headers.get(name)
    if element is None:
        raise AddressingInvalid(f"wsa:{name} is missing; MessageID, Action and To are required.")
    return _uri(element, name)


def _relates_to(headers: Mapping[str, etree._Element]) -> str | None:
    element = headers.get("RelatesTo")
    if element is None:
        return None
    relationship = element.get("RelationshipType", _REPLY)
    if relationship != _REPLY:
        raise AddressingInvalid(f"wsa:RelatesTo has the RelationshipType {relationship[:80]!r}; expected {_REPLY}.")
    return _uri(element, "RelatesTo")


def _address(headers: Mapping[str, etree._Element], name: str) -> str:
    """The Address of an endpoint reference; its other children (parameters, metadata) are left alone."""
    addresses = headers[name].findall(_ADDRESS)
    if len(addresses) != 1:
        raise AddressingInvalid(f"wsa:{name} has {len(addresses)} wsa:Address; expected one.")
    return _uri(addresses[0], f"{name}/wsa:Address")


def _uri(element: etree._Element, name: str) -> str:
    uri = (element.text or "").strip(_SPACE)
    if len(element) or not uri or len(uri) > _LONGEST_URI or uri.split() != [uri]:
        raise AddressingInvalid(f"wsa:{name} is no URI of at most {_LONGEST_URI} characters.")
    return uri

"""One CA, two senders and a message, shared by the tests of wire, attacks and interop. Time stands still at NOW."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from flexiciency.wire.addressing import MARKET_PLAYER_URN, Addressing
from flexiciency.wire.authority import Authority, KeyType
from flexiciency.wire.identity import Identity
from flexiciency.wire.sign import Confirmation, sign_message
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Verified, verify

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SENDER = f"{MARKET_PLAYER_URN}urn:uuid:7d9d0f0a-6f3e-4a52-9d1c-0d6a4a1f5b01"
RECIPIENT = f"{MARKET_PLAYER_URN}urn:uuid:7d9d0f0a-6f3e-4a52-9d1c-0d6a4a1f5b02"
CONTENT = (
    b'<act:RequestDsoServiceActivation xmlns:act="urn:flexiciency:activation:1">'
    b"<act:PoD>ES0031000000000001</act:PoD><act:PoD>ES0031000000000002</act:PoD>"
    b"</act:RequestDsoServiceActivation>"
)
REQUEST = Addressing(
    message_id="urn:uuid:0b6a3c2e-5b1d-4c55-8f44-6a1f6d4d2a10",
    action="urn:flexiciency:b2b:1:RequestDsoServiceActivation",
    to=RECIPIENT,
    from_=SENDER,
)
REPLY = Addressing(
    message_id="urn:uuid:0b6a3c2e-5b1d-4c55-8f44-6a1f6d4d2a11",
    action="urn:flexiciency:b2b:1:RequestDsoServiceActivationResponse",
    to=SENDER,
    from_=RECIPIENT,
    relates_to=REQUEST.message_id,
)


@cache
def authority(name: str = "Test CA") -> Authority:
    return Authority.create(name, "ec", valid_from=NOW - 100 * DAY, valid_until=NOW + 1000 * DAY)


@cache
def identity(key_type: KeyType = "ec", name: str = "Retailer") -> Identity:
    issued = authority().issue(name, key_type, valid_from=NOW - 10 * DAY, valid_until=NOW + 100 * DAY)
    return issued.identity


@cache
def anchors() -> TrustAnchors:
    return TrustAnchors([authority().certificate])


def request(content: bytes = CONTENT, signer: Identity | None = None, **changes: str | None) -> bytes:
    """A signed request; `changes` go to its addressing."""
    return sign_message(content, replace(REQUEST, **changes), signer or identity(), NOW)  # type: ignore[arg-type]


def reply(confirms: Confirmation | None, **changes: str | None) -> bytes:
    """A signed reply to the request."""
    addressing = replace(REPLY, **changes)  # type: ignore[arg-type]
    return sign_message(CONTENT, addressing, identity(name="Grid operator"), NOW, confirms=confirms)


def verified(data: bytes) -> Verified:
    """The message, verified with the one CA trusted."""
    return verify(data, anchors=anchors(), now=NOW)

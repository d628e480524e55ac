"""A real Market Place on loopback, with the samples for answers, and the objects of these samples."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from flexiciency.client import market_reading
from flexiciency.client.caller import _document
from flexiciency.client.inbox import Inbox, Sender
from flexiciency.client.statistics import Statistics
from flexiciency.contract.catalogue import MARKET_PLACE, object_of, operations
from flexiciency.soap.endpoint import Call, Endpoint, Host
from flexiciency.soap.spyne_service import Handler, SpyneService
from flexiciency.soap.wsgi import Site
from flexiciency.wire.addressing import MARKET_PLACE_URN
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import DEFAULT, parse
from flexiciency.wire.sign import canonical
from flexiciency.wire.verify import Policy
from tests.client.peers import PLAYER_ID, clock
from tests.wire.parties import anchors, identity

SAMPLES = Path(__file__).parents[2] / "samples"
READERS = {
    "MPL-REG": market_reading.registration,
    "MPL-DES": market_reading.company,
    "MPL-AUT": market_reading.account,
    "MPL-ADD": market_reading.location,
    "MKP-SRV-DES": market_reading.service_description,
    "MKP-SRV-OFF": market_reading.offer,
    "MKP-SRV-SUB": market_reading.subscription,
    "B2B-SRV-SUB": market_reading.b2b_subscription,
}
ANSWERED = {
    "MKP-DES": "valid-one-platform",
    "MKP-ADD": "valid-second-platform-with-users",
    "MPL-REG": "valid-dso-active",
    "MPL-DES": "valid-dso-with-territories",
    "MPL-AUT": "valid-person",
    "MPL-ADD": "valid-platform-of-three-registrations",
    "MKP-SRV-DES": "valid-aggregated-data",
    "MKP-SRV-OFF": "valid-inline-and-reference-withdrawn",
    "MKP-SRV-SUB": "valid-two-inline",
    "B2B-SRV-SUB": "valid-validated-two-types",
}
REQUESTER_ID = "urn:uuid:7d9d0f0a-6f3e-4a52-9d1c-0d6a4a1f5b03"
CURSOR = "17"
WAITING_ID = "urn:uuid:00000000-0000-4000-8000-000000000009"


def market_place_identity() -> Identity:
    return identity(name="Market Place")


def sample(bo_id: str, name: str | None = None) -> bytes:
    """Canonical XML of a sample, the one that the Market Place answers with if none is named."""
    return canonical(parse((SAMPLES / bo_id / f"{name or ANSWERED[bo_id]}.xml").read_bytes()))


def read(bo_id: str, xml: bytes) -> Any:
    """What the client reads in an object's XML."""
    types: Any = _document(MARKET_PLACE).types
    row = object_of(bo_id)
    return READERS[bo_id](types.get_element(f"{{{row.namespace}}}{row.name}").parse(parse(xml), types))


def write(bo_id: str, arguments: dict[str, Any]) -> bytes:
    """Canonical XML that Zeep writes of an object's arguments."""
    types: Any = _document(MARKET_PLACE).types
    row = object_of(bo_id)
    parent = etree.Element("parent")
    element = types.get_element(f"{{{row.namespace}}}{row.name}")
    element.render(parent, element(**arguments))
    return canonical(parent[0])


@cache
def known(bo_id: str) -> Any:
    """The object that the Market Place answers with."""
    return read(bo_id, sample(bo_id))


@dataclass
class Place:
    """A Market Place that takes everything, answers with samples, and remembers what it was called with."""

    folder: Path
    calls: list[tuple[Call, Any]] = field(default_factory=list)
    replies: dict[str, Handler] = field(default_factory=dict)
    ledgers: list[Inbox] = field(default_factory=list)

    @property
    def application(self) -> Site:
        """Its interface, for a provider and a requester."""
        senders = {PLAYER_ID: Sender("RegulatedDataProvider"), REQUESTER_ID: Sender("UnregulatedDataRequester")}
        ledger = Inbox(self.folder / "place.sqlite", senders, Statistics())
        self.ledgers.append(ledger)
        host = Host(market_place_identity(), MARKET_PLACE_URN, anchors(), clock, DEFAULT, Policy())
        handlers: dict[str, Handler] = {operation.name: self._answer for operation in operations(MARKET_PLACE)}
        endpoint = Endpoint(MARKET_PLACE, host, ledger, SpyneService(MARKET_PLACE, handlers))
        return Site([endpoint], "http://localhost", DEFAULT.message_bytes, ledger.check)

    def close(self) -> None:
        """Close what its applications keep."""
        for ledger in self.ledgers:
            ledger.close()

    def _answer(self, call: Call, message: Any) -> Any:
        self.calls.append((call, message))
        answer: Handler = self.replies.get(call.operation.name, _answer)
        return answer(call, message)


def wrapped(operation: str, content: bytes, cursor: str | None = None) -> bytes:
    """The reply of an operation."""
    end = b"" if cursor is None else b"<mkpo:NextCursor>%s</mkpo:NextCursor>" % cursor.encode()
    name = f"mkpo:{operation}Response".encode()
    return b'<%s xmlns:mkpo="urn:flexiciency:market-place-operations:1">%s%s</%s>' % (name, content, end, name)


def change(xml: bytes) -> bytes:
    """A DirectoryChange."""
    return b"<mkpo:DirectoryChange>%s</mkpo:DirectoryChange>" % xml


def _answer(call: Call, message: Any) -> bytes:  # noqa: ARG001
    name, objects = call.operation.name, [sample(bo_id) for bo_id in call.operation.reply]
    match name:
        case "Ping":
            return wrapped(name, _texts(Time="2026-11-23T12:00:00Z", Version="1.0"))
        case "FindDso":
            return wrapped(name, _texts(Outcome="Unique") + b"<mkpo:Dso>%s</mkpo:Dso>" % b"".join(objects))
        case "ReadDirectoryChanges":
            return wrapped(name, b"".join(map(change, objects)), CURSOR)
        case "PeekMailbox":
            return wrapped(name, _waiting(b2b_subscription=objects[-1]))
    if not objects:
        return wrapped(name, _receipt(call))
    return wrapped(name, b"".join(objects), CURSOR if name.startswith("Find") else None)


def _waiting(b2b_subscription: bytes) -> bytes:
    action = "urn:flexiciency:market-player:1:ReceiveB2BServiceSubscription"
    item = _texts(MessageId=WAITING_ID, Action=action) + b"<mkpo:Content>%s</mkpo:Content>" % b2b_subscription
    return b"<mkpo:MailboxItem>%s</mkpo:MailboxItem>" % item + _texts(Waiting="3")


def _receipt(call: Call) -> bytes:
    return (
        b'<env:Receipt xmlns:env="urn:flexiciency:envelope:1"><env:MessageId>%s</env:MessageId>'
        b"<env:StoredAt>2026-11-23T12:00:00Z</env:StoredAt></env:Receipt>"
    ) % call.message.addressing.message_id.encode()


def _texts(**elements: str) -> bytes:
    return "".join(f"<mkpo:{name}>{text}</mkpo:{name}>" for name, text in elements.items()).encode()

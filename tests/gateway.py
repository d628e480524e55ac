"""A gateway over real HTTP on loopback, parties that send it messages, and what it leaves in its database."""

import base64
import http.client
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from lxml import etree
from sqlalchemy import text

from flexiciency import app
from flexiciency.client.serving import Server
from flexiciency.contract.catalogue import B2B, B2C, FAULT_ACTION, MARKET_PLACE
from flexiciency.errors import GatewayError, PartnerFault
from flexiciency.soap.faults import partner_fault
from flexiciency.soap.outgoing import Outgoing, seal
from flexiciency.soap.posting import Partner, Poster
from flexiciency.soap.spyne_service import written
from flexiciency.store.database import Database
from flexiciency.store.tables import metadata
from flexiciency.wire.addressing import (
    CUSTOMER_CHANNEL_URN,
    MARKET_PLACE_URN,
    MARKET_PLAYER_URN,
    Addressing,
    new_message_id,
)
from flexiciency.wire.identity import Identity
from flexiciency.wire.sign import canonical
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Verified, verify
from tests.world import CHANNEL, DSO, PLAYER, STRANGER, World

DSO_URN = MARKET_PLAYER_URN + DSO
XML = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass(frozen=True)
class Sender:
    """Signs and posts Spyne objects as one party."""

    url: str
    anchors: TrustAnchors
    identity: Identity
    urn: str
    interface: str
    recipient: str = DSO_URN

    def seal(
        self, request: Any, *, to: str | None = None, message_id: str | None = None, now: datetime | None = None
    ) -> Outgoing:
        """The signed message around a request of the interface."""
        return self.seal_content(content_of(request), type(request).get_type_name(), to, message_id, now)

    def seal_content(
        self,
        content: bytes,
        operation: str,
        to: str | None = None,
        message_id: str | None = None,
        now: datetime | None = None,
    ) -> Outgoing:
        """The signed message around the canonical content of a Body."""
        action = f"urn:flexiciency:{self.interface}:1:{operation}"
        addressing = Addressing(message_id or new_message_id(), action, to or self.recipient, self.urn)
        return seal(content, addressing, self.identity, now or datetime.now(UTC))

    def post(self, message: Outgoing) -> Verified:
        """The verified reply; raises PartnerFault for a signed fault."""
        poster = Poster()
        try:
            return poster.post(
                Partner(f"{self.url}/v1/services/{self.interface}", self.recipient, self.anchors), message
            )
        finally:
            poster.close()

    def send(self, request: Any) -> Verified:
        """Seal and post."""
        return self.post(self.seal(request))

    def post_bytes(self, data: bytes | Iterable[bytes], **headers: str) -> "Heard":
        """The answer to bytes as they are; `headers` with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return call(f"{self.url}/v1/services/{self.interface}", data, XML | named)

    def refused(self, request: Any) -> PartnerFault:
        """The signed fault that a request gets."""
        return self.refused_message(self.seal(request))

    def refused_message(self, message: Outgoing) -> PartnerFault:
        """The signed fault that a message gets."""
        with pytest.raises(PartnerFault) as caught:
            self.post(message)
        return caught.value


@dataclass(frozen=True)
class Heard:
    """An HTTP answer."""

    status: int
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Refusal:
    """The fault in an answer; `signed` when its signature was verified and confirms that of the request."""

    error: PartnerFault
    signed: bool

    @property
    def code(self) -> str:
        """The partner's code."""
        return self.error.partner_code


def content_of(request: Any) -> bytes:
    """Canonical XML of a request. Spyne writes xsi:nil for what is missing, of a choice too; that is taken out."""
    root = etree.fromstring(written(request))
    for place in root.xpath("//*[@xsi:nil]", namespaces={"xsi": "http://www.w3.org/2001/XMLSchema-instance"}):
        place.getparent().remove(place)
    return canonical(root)


def call(url: str, data: bytes | Iterable[bytes] | None, headers: dict[str, str], method: str = "POST") -> Heard:
    """One HTTP call; an iterable goes in chunks."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request(method, target, body=data, headers=headers)
        response = connection.getresponse()
        return Heard(response.status, response.getheader("Content-Type", ""), response.read())
    finally:
        connection.close()


def refusal(heard: Heard, anchors: TrustAnchors, request: bytes = b"") -> Refusal:
    """The SOAP Fault of an answer, which has HTTP status 500 and is text/xml."""
    assert (heard.status, heard.content_type) == (500, "text/xml; charset=utf-8")
    fault = etree.fromstring(heard.data).find(".//{http://schemas.xmlsoap.org/soap/envelope/}Fault")
    assert fault is not None
    try:
        reply = verify(heard.data, anchors=anchors, now=datetime.now(UTC))
    except GatewayError:
        assert b"<wsse:Security" not in heard.data
        return Refusal(partner_fault(fault), signed=False)
    assert reply.addressing.action == FAULT_ACTION
    assert reply.addressing.from_ == DSO_URN
    assert reply.confirmations == (signature_value(request),)
    return Refusal(partner_fault(reply.body), signed=True)


def signature_value(message: bytes) -> bytes:
    """The ds:SignatureValue of a message, whatever the prefix."""
    found = re.search(rb"SignatureValue[^>]*>([^<]*)<", message)
    assert found is not None
    return base64.b64decode(found[1])


def bytes_of(message: Outgoing) -> bytes:
    """A message as it travels."""
    return b"".join(message.chunks())


def rows(database: Database) -> dict[str, int]:
    """Number of rows in each table, jobs included."""
    names = [table.name for table in metadata.sorted_tables] + ["procrastinate_jobs"]
    counted = ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in names)  # noqa: S608 - our own names
    with database.begin() as connection:
        return dict(connection.execute(text(f"SELECT {counted}")).mappings().one())


def added(before: dict[str, int], database: Database) -> dict[str, int]:
    """How many rows each table has more than before, where it has."""
    after = rows(database)
    return {name: after[name] - count for name, count in before.items() if after[name] != count}


def player_of(world: World, url: str) -> Sender:
    """The market player of the world."""
    return Sender(url, world.anchors, world.player, MARKET_PLAYER_URN + PLAYER, B2B)


def stranger_of(world: World, url: str) -> Sender:
    """Another market player, enrolled too."""
    return Sender(url, world.anchors, world.stranger, MARKET_PLAYER_URN + STRANGER, B2B)


def channel_of(world: World, url: str) -> Sender:
    """The customers' channel of the world."""
    return Sender(url, world.anchors, world.channel, CUSTOMER_CHANNEL_URN + CHANNEL, B2C)


def market_place_of(world: World, url: str) -> Sender:
    """The market player of the world, calling the Market Place."""
    return replace(player_of(world, url), interface=MARKET_PLACE, recipient=MARKET_PLACE_URN)


@contextmanager
def served(application: Any) -> Iterator[str]:
    """A WSGI application on a free port of loopback; gives its URL."""
    server = Server(application, "127.0.0.1", 0, threads=4)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


@contextmanager
def gateway(world: World, database: Database, **settings: Any) -> Iterator[str]:
    """The gateway of the world's DSO, with some settings changed."""
    with served(app.site(world.settings.model_copy(update=settings), database)) as url:
        yield url


def speaking_as(sender: Sender, **changes: Any) -> Sender:
    """The sender with another key, URN or interface."""
    return replace(sender, **changes)

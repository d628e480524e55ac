"""A gateway over real HTTP on loopback, and parties that send it messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flexiciency import app
from flexiciency.client.serving import Server
from flexiciency.contract.catalogue import B2B, B2C
from flexiciency.services.replies import B2C as B2C_TYPES
from flexiciency.soap.outgoing import Outgoing, seal
from flexiciency.soap.posting import Partner, Poster
from flexiciency.soap.spyne_service import written
from flexiciency.store.database import Database
from flexiciency.wire.addressing import CUSTOMER_CHANNEL_URN, MARKET_PLAYER_URN, Addressing, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Verified
from tests.world import CHANNEL, DSO, END_DAY, FIRST_DAY, PLAYER, World, customer_id, pod_name

DSO_URN = MARKET_PLAYER_URN + DSO


@dataclass(frozen=True)
class Sender:
    """Signs and posts Spyne objects as one party."""

    url: str
    anchors: TrustAnchors
    identity: Identity
    urn: str
    interface: str

    def seal(self, request: Any, *, to: str = DSO_URN, message_id: str | None = None) -> Outgoing:
        """The signed message around a request of the interface."""
        action = f"urn:flexiciency:{self.interface}:1:{type(request).get_type_name()}"
        addressing = Addressing(message_id or new_message_id(), action, to, self.urn)
        return seal(written(request), addressing, self.identity, datetime.now(UTC))

    def post(self, message: Outgoing) -> Verified:
        """The verified reply."""
        poster = Poster()
        try:
            return poster.post(Partner(f"{self.url}/v1/services/{self.interface}", DSO_URN, self.anchors), message)
        finally:
            poster.close()

    def send(self, request: Any) -> Verified:
        """Seal and post."""
        return self.post(self.seal(request))


def player_of(world: World, url: str) -> Sender:
    """The market player of the world."""
    return Sender(url, world.anchors, world.player, MARKET_PLAYER_URN + PLAYER, B2B)


def channel_of(world: World, url: str) -> Sender:
    """The customers' channel of the world."""
    return Sender(url, world.anchors, world.channel, CUSTOMER_CHANNEL_URN + CHANNEL, B2C)


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
def gateway(world: World, database: Database) -> Iterator[str]:
    """The gateway of the world's DSO."""
    with served(app.site(world.settings, database)) as url:
        yield url


def consent(number: int, identifier: str, **changes: Any) -> Any:
    """GiveCustomerConsent of customer `number` for January 2025 to the player."""
    fields = {
        "Id": identifier, "CustomerId": customer_id(number), "PoD": [pod_name(number)], "DataDetails": "Load curve",
        "Scope": [B2C_TYPES.ConsentScope(Quantity="EnergyConsumption", FinestTimeStep="PT15M")],
        "ProcessingDetails": "Energy advice", "ValidationDate": datetime(2024, 12, 1, tzinfo=UTC),
        "StartDate": FIRST_DAY, "EndDate": END_DAY, "Dso": DSO, "Eso": PLAYER,
    }  # fmt: skip
    return B2C_TYPES.GiveCustomerConsent(
        CustomerConsentDescription=B2C_TYPES.CustomerConsentDescription(**(fields | changes)),
        CustomerAuthentication=B2C_TYPES.CustomerAuthentication(
            Method="eID", AuthenticatedAt=datetime(2024, 12, 1, tzinfo=UTC)
        ),
    )

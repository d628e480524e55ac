"""Where the parts are wired, and nowhere else: settings in, a WSGI application or a worker out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flexiciency.config import Settings
from flexiciency.contract.catalogue import B2B, B2C, MARKET_PLACE
from flexiciency.delivery.addresses import PushAddresses
from flexiciency.delivery.push import Pusher, Sender
from flexiciency.services import b2b, b2c, market_place
from flexiciency.services.exchange import GatewayLedger
from flexiciency.soap.endpoint import Endpoint, Host
from flexiciency.soap.posting import Poster, Terms
from flexiciency.soap.spyne_service import SpyneService
from flexiciency.soap.wsgi import Site
from flexiciency.store.database import Database
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import Limits
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Policy


def site(settings: Settings, database: Database) -> Site:
    """The gateway of one DSO: B2B and B2C; and the Market Place, which answers Ping in this release."""
    host = _host(settings)
    ledger = GatewayLedger(database)
    endpoints = [
        Endpoint(B2B, host, ledger, SpyneService(B2B, b2b.handlers(settings.registration_id))),
        Endpoint(B2C, host, ledger, SpyneService(B2C, b2c.handlers(settings.registration_id))),
        Endpoint(
            MARKET_PLACE,
            replace(host, urn=MARKET_PLACE_URN),
            ledger,
            SpyneService(MARKET_PLACE, market_place.handlers()),
        ),
    ]
    return Site(endpoints, settings.published_url, settings.message_bytes, database.ping)


def pusher(settings: Settings, database: Database) -> Pusher:
    """What pushes the deliveries of one DSO."""
    host = _host(settings)
    terms = Terms(silence=settings.push_timeout, total=settings.push_timeout, limits=host.limits, policy=host.policy)
    addresses = PushAddresses(settings.push_hosts)
    sender = Sender(host.identity, host.urn, host.anchors, Poster(terms), addresses, settings.push_attempts, host.clock)
    return Pusher(database, sender)


def _host(settings: Settings) -> Host:
    return Host(
        identity=Identity.from_pem(settings.key_file.read_bytes(), settings.certificate_file.read_bytes()),
        urn=MARKET_PLAYER_URN + settings.registration_id,
        anchors=TrustAnchors.from_pem(settings.trust_file.read_bytes()),
        clock=_now,
        limits=Limits(message_bytes=settings.message_bytes),
        policy=Policy(
            max_lifetime=timedelta(seconds=settings.timestamp_lifetime),
            clock_skew=timedelta(seconds=settings.clock_skew),
        ),
    )


def _now() -> datetime:
    return datetime.now(UTC)

"""Where the parts are wired, and nowhere else: settings in, a WSGI application or a worker out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509

from flexiciency.config import Settings
from flexiciency.contract.catalogue import B2B, B2C, MARKET_PLACE, MARKET_PLAYER
from flexiciency.delivery.addresses import PushAddresses
from flexiciency.delivery.directory import push_changes
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.push import Pusher, Sender
from flexiciency.delivery.resend import Patience
from flexiciency.delivery.schedule import Terms, queue_due
from flexiciency.delivery.worker import Duty, Schedule
from flexiciency.domain.flexibility import Curve, LoadArea, Validation
from flexiciency.services import b2b, b2c, market_place, market_player
from flexiciency.services.exchange import GatewayLedger
from flexiciency.soap import posting
from flexiciency.soap.endpoint import Endpoint, Host
from flexiciency.soap.posting import Poster
from flexiciency.soap.spyne_service import Handler, SpyneService
from flexiciency.soap.wsgi import Site
from flexiciency.store.database import Database
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN
from flexiciency.wire.identity import Identity, fingerprint_of
from flexiciency.wire.parse import Limits
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Policy

log = structlog.get_logger()


def site(settings: Settings, database: Database) -> Site:
    """The gateway of one DSO (B2B, B2C, and what a Market Place pushes), of the Market Place, or of both."""
    host = _host(settings)
    ledger = GatewayLedger(database, _market_place(settings))
    handlers: dict[str, dict[str, Handler]] = {}
    if settings.registration_id is not None:
        handlers[B2B] = b2b.handlers(settings.registration_id, settings.aggregate_minimum, settings.caps)
        handlers[B2C] = b2c.handlers(settings.registration_id)
        handlers[MARKET_PLAYER] = market_player.handlers()
    if settings.hosts_market_place:
        handlers[MARKET_PLACE] = market_place.handlers(host.anchors)
    endpoints = [
        Endpoint(
            interface,
            replace(host, urn=MARKET_PLACE_URN) if interface == MARKET_PLACE else host,
            ledger,
            SpyneService(interface, handled),
        )
        for interface, handled in handlers.items()
    ]
    return Site(endpoints, settings.published_url, settings.message_bytes, database.ping)


def pusher(settings: Settings, database: Database) -> Pusher:
    """What pushes the deliveries of one DSO."""
    host = _host(settings)
    addresses = PushAddresses(settings.push_hosts)
    poster = Poster(_terms(settings, host))
    sender = Sender(
        host.identity, host.urn, host.anchors, poster, addresses, settings.push_attempts, host.clock,
        settings.aggregate_minimum,
    )  # fmt: skip
    return Pusher(database, sender)


def directory(settings: Settings, database: Database) -> Duty | None:
    """What a worker does about the directory: pushes it as the Market Place, or reads that of one elsewhere."""
    if settings.hosts_market_place:
        return lambda: push_changes(database, settings.registration_id, _now())
    if settings.market_place_url is None:
        return None
    # Zeep takes 18 MB and a third of a second, which the gateway's processes do without.
    from flexiciency.client.market_place import MarketPlace  # noqa: PLC0415
    from flexiciency.client.transport import ClientSettings  # noqa: PLC0415
    from flexiciency.delivery.mirror import catch_up  # noqa: PLC0415

    host, own_id = _host(settings), settings.provider_id
    market_place = MarketPlace(
        host.identity, own_id, settings.market_place_url, host.anchors, fingerprints=_market_place(settings),
        settings=ClientSettings(_terms(settings, host)),
    )  # fmt: skip
    return lambda: catch_up(database, market_place, own_id, _now())


def schedule(settings: Settings, database: Database) -> Schedule | None:
    """What a worker queues by itself, and every how many minutes; None where only `deliver` does."""
    if not settings.delivery_schedule or settings.registration_id is None:
        return None
    terms = Terms(timedelta(seconds=settings.delivery_grace), settings.caps)

    def queue() -> None:
        if queued := queue_due(database, Outbox(), _now(), terms):
            log.info("values queued", deliveries=queued)

    return Schedule(queue, settings.delivery_minutes)


def patience(settings: Settings) -> Patience:
    """How long a worker waits for acknowledgements."""
    return Patience(timedelta(seconds=settings.acknowledgement_timeout), settings.acknowledgement_resends)


def grid(network: Path, area: LoadArea, curve: Curve) -> Validation:
    """What a grid model allows of a power curve. Raises ModuleNotFoundError without the extra `grid`."""
    # The power flow is large and slow to import; only a worker that has such a job needs it.
    from flexiciency.grid.validation import validate  # noqa: PLC0415

    return validate(network, area, curve)


def _terms(settings: Settings, host: Host) -> posting.Terms:
    timeout = settings.push_timeout
    return posting.Terms(silence=timeout, total=timeout, limits=host.limits, policy=host.policy)


def _host(settings: Settings) -> Host:
    return Host(
        identity=Identity.from_pem(settings.key_file.read_bytes(), settings.certificate_file.read_bytes()),
        urn=MARKET_PLACE_URN if settings.registration_id is None else MARKET_PLAYER_URN + settings.registration_id,
        anchors=TrustAnchors.from_pem(settings.trust_file.read_bytes()),
        clock=_now,
        limits=Limits(message_bytes=settings.message_bytes),
        policy=Policy(
            max_lifetime=timedelta(seconds=settings.timestamp_lifetime),
            clock_skew=timedelta(seconds=settings.clock_skew),
        ),
    )


def _market_place(settings: Settings) -> frozenset[str]:
    """Fingerprints of the certificates that the Market Place elsewhere signs with."""
    file = settings.market_place_certificate_file
    if file is None:
        return frozenset()
    return frozenset(fingerprint_of(one) for one in x509.load_pem_x509_certificates(file.read_bytes()))


def _now() -> datetime:
    return datetime.now(UTC)

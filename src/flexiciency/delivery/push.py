"""One push: mark Sent and sign in one transaction, post, keep the receipt in another.

What was marked Sent and then lost with its process is pushed again, with the same MessageID if nothing changed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

import structlog
from lxml import etree

from flexiciency.contract.catalogue import MARKET_PLAYER, Operation, operation_of
from flexiciency.delivery.addresses import PushAddresses
from flexiciency.delivery.build import wrapped
from flexiciency.delivery.flexibility import take_reply
from flexiciency.delivery.message import mark_leaving
from flexiciency.errors import CertificateNotBound, GatewayError, PartnerFault, StateConflict, Unavailable
from flexiciency.soap.outgoing import Outgoing, seal_body
from flexiciency.soap.posting import Partner, Poster
from flexiciency.store import deliveries, evidence, parties
from flexiciency.store.database import Database
from flexiciency.store.evidence import Evidence
from flexiciency.store.transaction import Row, Transaction, transaction
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN, Addressing
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors

log = structlog.get_logger()

_TAKERS: Mapping[str, Callable[[Transaction, Row, etree._Element, datetime], None]] = MappingProxyType(
    {"ReceiveTechnicalValidationRequest": take_reply}
)
"""What is done with the reply to a push beside keeping it, by operation: with the locked delivery, as it is received.

What it raises is a failed attempt.
"""


class PushFailed(Exception):  # noqa: N818  tells Procrastinate to try again
    """An attempt failed; the delivery is Retrying."""


class PushGivenUp(Exception):  # noqa: N818  tells Procrastinate that there is nothing left to try
    """The last attempt failed; the delivery is Dead."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who pushes, to whom it may, and how often it tries."""

    identity: Identity
    urn: str
    anchors: TrustAnchors
    poster: Poster
    addresses: PushAddresses
    attempts: int
    clock: Callable[[], datetime]
    aggregate_minimum: int


class Pusher:
    """Pushes deliveries from one database."""

    def __init__(self, database: Database, sender: Sender) -> None:
        self._database = database
        self._sender = sender

    def push(self, delivery_id: UUID) -> None:
        """Push one delivery unless it is received already.

        Raises PushFailed for another attempt, PushGivenUp after the last, Unavailable when the database is.
        """
        try:
            ready = self._leave(delivery_id)
        except Unavailable:
            raise
        except Exception as error:
            raise self._failed(delivery_id, [], error, sent=False) from error
        if ready is None:
            return
        partner, message = ready
        replies: list[Evidence] = []
        try:
            self._sender.addresses.check(partner.url)
            reply = self._sender.poster.post(
                partner,
                message,
                lambda data, reply: replies.append(evidence.received(data, reply, self._sender.clock())),
            )
            self._received(delivery_id, replies, reply.body)
        except Unavailable:
            raise
        except Exception as error:
            raise self._failed(delivery_id, replies, error, sent=True) from error
        finally:
            message.close()

    def _leave(self, delivery_id: UUID) -> tuple[Partner, Outgoing] | None:
        now = self._sender.clock()
        with transaction(self._database) as tx:
            (rows,) = tx.read(deliveries.locked(delivery_id))
            if not rows or rows[0].received_at is not None:
                return None
            (delivery,) = rows
            addresses, (registration,), certificates = tx.read(
                parties.location(delivery.recipient_id),
                parties.status(delivery.recipient_id),
                parties.fingerprints(delivery.recipient_id, now),
            )
            if not addresses:
                return None
            _check_recipient(delivery.recipient_id, registration.status, certificates)
            operation = operation_of(f"urn:flexiciency:{MARKET_PLAYER}:1:{delivery.operation}")
            if operation is None:
                raise ValueError(f"delivery {delivery_id} is for no operation: {delivery.operation}")
            leaving = mark_leaving(tx, delivery, _wrapper(operation), now, self._sender.aggregate_minimum)
            if leaving is None:
                return None
            recipient = MARKET_PLAYER_URN + delivery.recipient_id
            sender = MARKET_PLACE_URN if operation.of_market_place else self._sender.urn
            addressing = Addressing(leaving.message_id, operation.action, recipient, sender, delivery.relates_to)
            message = seal_body(leaving.body, addressing, self._sender.identity, now)
            evidence.record(tx, evidence.sent(message, now))
        pinned = frozenset(row.fingerprint for row in certificates)
        return Partner(addresses[0].uri, recipient, self._sender.anchors, pinned), message

    def _received(self, delivery_id: UUID, replies: list[Evidence], reply: etree._Element) -> None:
        take = _TAKERS.get(etree.QName(reply).localname.removesuffix("Response"))
        with transaction(self._database) as tx:
            if take is not None:
                ((delivery,),) = tx.read(deliveries.locked(delivery_id))
                if delivery.received_at is None:
                    take(tx, delivery, reply, self._sender.clock())
            for each in replies:
                evidence.record(tx, each)
            deliveries.mark_received(tx, delivery_id, self._sender.clock())

    def _failed(
        self, delivery_id: UUID, replies: list[Evidence], error: Exception, *, sent: bool
    ) -> PushFailed | PushGivenUp:
        """Count a failed attempt, whatever the reason: what is not counted would be tried for ever."""
        code, reason = _code_and_reason(error)
        unexpected = None if isinstance(error, GatewayError) else error
        log.warning("push failed", delivery_id=str(delivery_id), code=code, reason=reason, exc_info=unexpected)
        with transaction(self._database) as tx:
            for reply in replies:
                evidence.record(tx, reply)
            dead = deliveries.mark_failed(
                tx, delivery_id, f"{code}: {reason}"[:500], self._sender.attempts, sent=sent
            )  # fmt: skip
        return PushGivenUp(reason) if dead else PushFailed(reason)


def _code_and_reason(error: Exception) -> tuple[str, str]:
    if isinstance(error, PartnerFault):
        return error.partner_code, error.message
    if isinstance(error, GatewayError):
        return error.code, error.message
    return type(error).__name__, str(error)


def _check_recipient(recipient: str, status: str, certificates: list[Row]) -> None:
    """Only what may call is pushed to. Raises StateConflict, CertificateNotBound."""
    if status != "Active":
        raise StateConflict(f"Registration {recipient} is {status}; only an Active one is pushed to.")
    if not certificates:
        raise CertificateNotBound(f"No valid certificate is bound to the company of registration {recipient}.")


def _wrapper(operation: Operation) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    opening = f'<mplo:{operation.name} xmlns:mplo="{operation.namespace}">'.encode()
    closing = f"</mplo:{operation.name}>".encode()
    return lambda chunks: wrapped(opening, chunks, closing)

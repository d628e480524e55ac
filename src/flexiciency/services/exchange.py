"""The gateway's ledger: who speaks, the replay rule and the evidence, in the transaction of the business change."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flexiciency.contract.catalogue import B2C, MARKET_PLAYER, Operation, Party
from flexiciency.errors import (
    CertificateNotBound,
    IdentifierTaken,
    MessageIdReused,
    SenderInactive,
    SenderUnknown,
    StateConflict,
)
from flexiciency.soap.endpoint import Call, Speaker
from flexiciency.soap.outgoing import Outgoing
from flexiciency.store import evidence, parties
from flexiciency.store.database import Database
from flexiciency.store.transaction import Row, Transaction, is_taken, transaction
from flexiciency.wire.addressing import MARKET_PLACE_URN, channel_of, registration_of
from flexiciency.wire.sign import content_of
from flexiciency.wire.verify import Verified

CUSTOMER_CHANNEL = "CustomerChannel"
ENROL = "EnrolMarketPlayer"
_MARKET_PLACE = "{urn:flexiciency:market-place:1}"

RELEASES_VALUES = frozenset({"RequestIndividualDataValues", "RequestAggregatedDataValues", "PeekMailbox"})
"""Operations whose reply is never repeated from the evidence: values pass the release rule again."""


class GatewayExchange:
    """One request and its reply, in one transaction of PostgreSQL."""

    def __init__(
        self, tx: Transaction, operation: Operation, message: Verified, now: datetime, market_place: frozenset[str]
    ) -> None:
        self.tx = tx
        self._market_place = market_place
        self._operation = operation
        self._message = message
        self._now = now
        self._earlier: Row | None = None

    def speaker(self) -> Speaker:
        """The party in From; its certificate must be bound to it now, or is being enrolled by this very message."""
        sender = self._message.addressing.from_ or ""
        kept = None if self._operation.reads_only else self._message.addressing.message_id
        asking = parties.Message(sender, self._message.fingerprint, kept)
        if self._operation.interface == MARKET_PLAYER and sender == MARKET_PLACE_URN:
            (found,) = self.tx.look_up(parties.earlier(asking))
            speaker = _market_place(self._message.fingerprint, self._market_place)
        elif self._operation.interface == B2C:
            channel = self._known(channel_of(sender))
            (found,) = self.tx.look_up(parties.channel(channel, asking))
            speaker = _channel(channel, found, self._message.fingerprint)
        elif self._operation.name == ENROL:
            (found,) = self.tx.look_up(parties.earlier(asking))
            speaker = _newcomer(self._known(registration_of(sender)), self._message)
        else:
            registration = self._known(registration_of(sender))
            (found,) = self.tx.look_up(parties.registration(registration, asking, self._now))
            speaker = _registration(registration, found, self._message.fingerprint, self._operation)
        self._earlier = found[0] if found[0].body_digest is not None else None
        return speaker

    def _known(self, party: str | None) -> str:
        if party is None:
            raise SenderUnknown(
                f"wsa:From is {(self._message.addressing.from_ or '')[:200]!r}, which is no caller of the "
                f"{self._operation.interface} interface."
            )
        return party

    def earlier_reply(self) -> bytes | None:
        """Content of the stored reply to the same MessageID and Body; values are released anew instead."""
        earlier = self._earlier
        if earlier is None:
            return None
        if earlier.body_digest != self._message.body_digest:
            raise MessageIdReused(
                f"wsa:MessageID {self._message.addressing.message_id} was used on {earlier.at:%Y-%m-%dT%H:%M:%SZ} with "
                "another Body. Give each new message a new one; a retry keeps both."
            )
        if self._operation.name in RELEASES_VALUES:
            return None
        return content_of(b"".join(evidence.read(self.tx.driver, earlier.reply_row)))

    def keep(self, request: bytes, reply: Outgoing) -> None:
        """Both verbatim, and the MessageID; an operation that only reads keeps neither."""
        if self._operation.reads_only:
            return
        received = evidence.received(request, self._message, self._now)
        evidence.keep(self.tx, received, evidence.sent(reply, self._now), claim=self._earlier is None)


class GatewayLedger:
    """The ledger of `soap.endpoint` on PostgreSQL."""

    def __init__(self, database: Database, market_place: frozenset[str] = frozenset()) -> None:
        """`market_place` are the fingerprints (SHA-256, hex) that the Market Place elsewhere may sign with."""
        self._database = database
        self._market_place = market_place

    @contextmanager
    def exchange(self, operation: Operation, message: Verified, now: datetime) -> Iterator[GatewayExchange]:
        """A transaction for one exchange."""
        with transaction(self._database) as tx:
            yield GatewayExchange(tx, operation, message, now, self._market_place)

    def repeat(self, error: Exception) -> bool:
        """A concurrent message may have kept the same MessageID, or an object with the same Id, since we looked."""
        return is_taken(error) or isinstance(error, IdentifierTaken | StateConflict)

    def refuse_verified(self, request: bytes, message: Verified, fault: Outgoing, code: str, now: datetime) -> None:
        """Request and fault verbatim, without claiming the MessageID: a corrected message may use it."""
        with transaction(self._database) as tx:
            received = evidence.received(request, message, now, code)
            evidence.keep(tx, received, evidence.sent(fault, now, code), claim=False)

    def refuse_unverified(self, request: bytes, peer: str, code: str, now: datetime) -> None:
        """Digest, size, network address and code only."""
        with self._database.begin() as connection:
            evidence.refused(connection, request, peer=peer, code=code, at=now)


def transaction_of(call: Call) -> Transaction:
    """The transaction of a call to the gateway."""
    if not isinstance(call.exchange, GatewayExchange):
        raise TypeError("the gateway's operations run in the gateway's ledger")
    return call.exchange.tx


def _market_place(fingerprint: str, pinned: frozenset[str]) -> Speaker:
    if fingerprint not in pinned:
        raise CertificateNotBound(
            f"The certificate with SHA-256 {fingerprint} is not the Market Place's as this gateway knows it."
        )
    return Speaker(MARKET_PLACE_URN, Party.MARKET_PLACE.value)


def _newcomer(party: str, message: Verified) -> Speaker:
    """Who enrols, in the role asked for; that its certificate is the one enrolled is for the operation to check."""
    role = message.body.findtext(f"{_MARKET_PLACE}MarketPlayerRegistration/{_MARKET_PLACE}Role") or ""
    return Speaker(party, role)


def _registration(party: str, found: list[Row], fingerprint: str, operation: Operation) -> Speaker:
    if not found:
        raise SenderUnknown(f"wsa:From names the registration {party}, which is not known here. Enrol first.")
    (row,) = found
    if not row.bound:
        raise CertificateNotBound(
            f"The certificate with SHA-256 {fingerprint} is not bound to the company of registration {party}. "
            "Sign with a bound certificate, or have this one bound (MPL-AUT)."
        )
    if row.status != "Active" and not (operation.while_inactive and row.status != "Withdrawn"):
        raise SenderInactive(f"Registration {party} is {row.status}; only an Active one may call {operation.name}.")
    return Speaker(party, row.role)


def _channel(party: str, found: list[Row], fingerprint: str) -> Speaker:
    if not found or found[0].withdrawn_at is not None:
        raise SenderUnknown(f"wsa:From names the customer channel {party}, which the operator has not bound.")
    if not found[0].bound:
        raise CertificateNotBound(
            f"The certificate with SHA-256 {fingerprint} is not bound to the customer channel {party}. "
            "Have the DSO's operator bind it."
        )
    return Speaker(party, CUSTOMER_CHANNEL)

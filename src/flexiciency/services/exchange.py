"""The gateway's ledger: who speaks, the replay rule and the evidence, in the transaction of the business change."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flexiciency.contract.catalogue import B2C, Operation
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
from flexiciency.store.transaction import Row, Transaction, is_taken, reading, transaction
from flexiciency.wire.addressing import CUSTOMER_CHANNEL_URN, channel_of, registration_of
from flexiciency.wire.sign import content_of
from flexiciency.wire.verify import Verified

CUSTOMER_CHANNEL = "CustomerChannel"

RELEASES_VALUES = frozenset({"RequestIndividualDataValues", "RequestAggregatedDataValues", "PeekMailbox"})
"""Operations whose reply is never repeated from the evidence: values pass the release rule again."""


class GatewayExchange:
    """One request and its reply, in one transaction of PostgreSQL."""

    def __init__(self, tx: Transaction, operation: Operation, message: Verified, now: datetime) -> None:
        self.tx = tx
        self._operation = operation
        self._message = message
        self._now = now
        self._earlier: list[Row] = []

    def speaker(self) -> Speaker:
        """The registration or channel in From; its certificate must be bound to it now."""
        sender = self._message.addressing.from_ or ""
        party = channel_of(sender) if self._operation.interface == B2C else registration_of(sender)
        if party is None:
            raise SenderUnknown(
                f"wsa:From is {sender[:200]!r}, which is no caller of the {self._operation.interface} interface."
            )
        fingerprint = self._message.fingerprint
        is_channel = self._operation.interface == B2C
        who = parties.channel(party, fingerprint) if is_channel else parties.registration(party, fingerprint, self._now)
        message_id = self._message.addressing.message_id
        earlier = () if self._operation.reads_only else (evidence.earlier(sender, message_id),)
        found, *self._earlier = self.tx.read(who, *earlier)
        return _channel(sender, found, fingerprint) if is_channel else _registration(party, found, fingerprint)

    def earlier_reply(self) -> bytes | None:
        """Content of the stored reply to the same MessageID and Body; values are released anew instead."""
        if not self._earlier or not self._earlier[0]:
            return None
        (earlier,) = self._earlier[0]
        if earlier.body_digest != self._message.body_digest:
            raise MessageIdReused(
                f"wsa:MessageID {self._message.addressing.message_id} was used on {earlier.at:%Y-%m-%dT%H:%M:%SZ} with "
                "another Body. Give each new message a new one; a retry keeps both."
            )
        if self._operation.name in RELEASES_VALUES:
            return None
        return content_of(b"".join(evidence.read(self.tx.core, earlier.reply_row)))

    def keep(self, request: bytes, reply: Outgoing) -> None:
        """Both verbatim, and the MessageID; an operation that only reads keeps neither."""
        if self._operation.reads_only:
            return
        repeated = bool(self._earlier and self._earlier[0])
        kept = evidence.exchange(
            self.tx.core,
            evidence.received(request, self._message, self._now),
            evidence.sent(reply, self._now),
            claim=not repeated,
        )
        self.tx.write(kept.sql, **kept.values)


class GatewayLedger:
    """The ledger of `soap.endpoint` on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def exchange(self, operation: Operation, message: Verified, now: datetime) -> Iterator[GatewayExchange]:
        """A transaction for one exchange; an operation that only reads needs none."""
        with (reading if operation.reads_only else transaction)(self._database) as tx:
            yield GatewayExchange(tx, operation, message, now)

    def repeat(self, error: Exception) -> bool:
        """A concurrent message may have kept the same MessageID, or an object with the same Id, since we looked."""
        return is_taken(error) or isinstance(error, IdentifierTaken | StateConflict)

    def refuse_verified(self, request: bytes, message: Verified, fault: Outgoing, code: str, now: datetime) -> None:
        """Request and fault verbatim, without claiming the MessageID: a corrected message may use it."""
        with transaction(self._database) as tx:
            kept = evidence.exchange(
                tx.core,
                evidence.received(request, message, now, code),
                evidence.sent(fault, now, code),
                claim=False,
            )
            tx.write(kept.sql, **kept.values)

    def refuse_unverified(self, request: bytes, peer: str, code: str, now: datetime) -> None:
        """Digest, size, network address and code only."""
        with self._database.begin() as connection:
            evidence.refused(connection, request, peer=peer, code=code, at=now)


def transaction_of(call: Call) -> Transaction:
    """The transaction of a call to the gateway."""
    if not isinstance(call.exchange, GatewayExchange):
        raise TypeError("the gateway's operations run in the gateway's ledger")
    return call.exchange.tx


def _registration(party: str, found: list[Row], fingerprint: str) -> Speaker:
    if not found:
        raise SenderUnknown(f"wsa:From names the registration {party}, which is not known here. Enrol first.")
    (row,) = found
    if not row.bound:
        raise CertificateNotBound(
            f"The certificate with SHA-256 {fingerprint} is not bound to the company of registration {party}. "
            "Sign with a bound certificate, or have this one bound (MPL-AUT)."
        )
    if row.status != "Active":
        raise SenderInactive(f"Registration {party} is {row.status}; only an Active one may call.")
    return Speaker(party, row.role)


def _channel(sender: str, found: list[Row], fingerprint: str) -> Speaker:
    party = sender.removeprefix(CUSTOMER_CHANNEL_URN)
    if not found or found[0].withdrawn_at is not None:
        raise SenderUnknown(f"wsa:From names the customer channel {party}, which the operator has not bound.")
    if not found[0].bound:
        raise CertificateNotBound(
            f"The certificate with SHA-256 {fingerprint} is not bound to the customer channel {party}. "
            "Have the DSO's operator bind it."
        )
    return Speaker(party, CUSTOMER_CHANNEL)

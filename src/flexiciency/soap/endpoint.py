"""The way of one message through one interface, the same at the gateway and in a Market Player's listener.

bytes ─► verify ─► fresh, operation, recipient ─► XSD ─► [ speaker ─► earlier reply ─► Spyne operation ─► sign ─► keep ]
                                                          └─────────────── one transaction of the ledger ────────────┘
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from flexiciency.contract.catalogue import FAULT_ACTION, Operation, operation_of
from flexiciency.contract.codec_outline import outline
from flexiciency.contract.schemas import validate
from flexiciency.errors import (
    ActionUnknown,
    GatewayError,
    NotForMe,
    NotOfferedYet,
    OperationNotAllowed,
)
from flexiciency.soap.faults import fault_content, internal_error, unsigned_fault
from flexiciency.soap.outgoing import Content, Outgoing, seal
from flexiciency.wire.addressing import Addressing, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import Limits
from flexiciency.wire.sign import Confirmation
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Policy, Verified, check_fresh, verify_signature

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who the certificate says is calling: a registration (its id) or a customer channel, and in which role."""

    id: str
    role: str


@dataclass(slots=True)
class Call:
    """What an operation gets beside its request: Spyne's `ctx.udc`."""

    operation: Operation
    message: Verified
    speaker: Speaker
    now: datetime
    exchange: "Exchange"
    failure: Exception | None = field(default=None)


class Exchange(Protocol):
    """One request and its reply, inside one transaction of the ledger."""

    def speaker(self) -> Speaker:
        """Who speaks; raises SenderUnknown, SenderInactive or CertificateNotBound."""
        ...

    def earlier_reply(self) -> bytes | None:
        """Content of the reply already given to this MessageID and Body; raises MessageIdReused for another Body."""
        ...

    def keep(self, request: bytes, reply: Outgoing) -> None:
        """Keep both verbatim, and the MessageID, with the business change."""
        ...


class Ledger(Protocol):
    """Where one end keeps its exchanges: PostgreSQL at the gateway, an SQLite file at a Market Player."""

    def exchange(self, operation: Operation, message: Verified, now: datetime) -> AbstractContextManager[Exchange]:
        """A transaction: committed on leaving, rolled back by an exception."""
        ...

    def repeat(self, error: Exception) -> bool:
        """Whether the same message, answered again now, may find what a concurrent one has just kept."""
        ...

    def refuse_verified(self, request: bytes, message: Verified, fault: Outgoing, code: str, now: datetime) -> None:
        """Evidence of a refused message whose signature is good: verbatim."""
        ...

    def refuse_unverified(self, request: bytes, peer: str, code: str, now: datetime) -> None:
        """Evidence of a message of nobody: digest, size, peer and code, so that strangers cannot fill the disk."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """The party that answers: its key, its URN (what To must say), whom it trusts, and its clock (UTC)."""

    identity: Identity
    urn: str
    anchors: TrustAnchors
    clock: Callable[[], datetime]
    limits: Limits
    policy: Policy


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back over HTTP: status 200 or 500, and the message."""

    status: int
    size: int
    chunks: Iterable[bytes]
    close: Callable[[], None]


class Endpoint:
    """One interface served by one host. `call` runs the Spyne operation and gives the reply's canonical content."""

    def __init__(self, interface: str, host: Host, ledger: Ledger, call: Callable[[Call], Content]) -> None:
        self.interface = interface
        self._host = host
        self._ledger = ledger
        self._call = call

    def answer(self, data: bytes, peer: str) -> Answer:
        """Reply or fault to the bytes of one request; `peer` is the network address, for the log only."""
        now = self._host.clock()
        try:
            verified = verify_signature(
                data, anchors=self._host.anchors, now=now, limits=self._host.limits, policy=self._host.policy
            )
        except GatewayError as error:
            return self.refuse(data, peer, error)
        message = replace(verified, outline=outline)
        try:
            return _answer(self._reply(data, message, now))
        except GatewayError as error:
            return self._refuse_verified(data, message, error, now)
        except Exception:
            log.exception("operation failed", interface=self.interface, message_id=message.addressing.message_id)
            return self._refuse_verified(data, message, internal_error(), now)

    def refuse(self, data: bytes, peer: str, error: GatewayError) -> Answer:
        """The unsigned fault to a sender who is not known, with the evidence of refusal."""
        log.warning("refused", interface=self.interface, code=error.code, reason=error.message, peer=peer)
        try:
            self._ledger.refuse_unverified(data, peer, error.code, self._host.clock())
        except GatewayError as unkept:
            log.error("refusal not kept", code=error.code, reason=unkept.message, size=len(data))  # noqa: TRY400
        fault = unsigned_fault(error)
        return Answer(500, len(fault), (fault,), _nothing)

    def _reply(self, data: bytes, message: Verified, now: datetime) -> Outgoing:
        check_fresh(message, now, self._host.policy)
        operation = self._operation(message)
        validate(message.body, operation.namespace)
        try:
            return self._exchanged(data, message, operation, now)
        except Exception as error:
            if not self._ledger.repeat(error):
                raise
        return self._exchanged(data, message, operation, now)

    def _exchanged(self, data: bytes, message: Verified, operation: Operation, now: datetime) -> Outgoing:
        """One transaction: the reply to a message, both kept."""
        with ExitStack() as undo:
            with self._ledger.exchange(operation, message, now) as exchange:
                content = self._content(operation, message, now, exchange)
                reply = self._seal(content, message, operation.reply_action, now)
                undo.callback(reply.close)
                exchange.keep(data, reply)
            undo.pop_all()
        return reply

    def _operation(self, message: Verified) -> Operation:
        addressing = message.addressing
        operation = operation_of(addressing.action)
        if operation is None or operation.interface != self.interface:
            raise ActionUnknown(
                f"wsa:Action {addressing.action[:200]!r} is no operation of the {self.interface} interface. "
                "Take the Action from its WSDL."
            )
        if addressing.to != self._host.urn:
            raise NotForMe(f"wsa:To is {addressing.to[:200]!r}; this is {self._host.urn!r}. Send it to its recipient.")
        wrapper = str(message.body.tag)
        if wrapper != f"{{{operation.namespace}}}{operation.name}":
            raise ActionUnknown(f"wsa:Action names {operation.name}, the Body holds {wrapper[:200]}. Make them agree.")
        return operation

    def _content(self, operation: Operation, message: Verified, now: datetime, exchange: Exchange) -> Content:
        speaker = exchange.speaker()
        if speaker.role not in operation.callers:
            raise OperationNotAllowed(
                f"{operation.name} may be called by {', '.join(sorted(operation.callers))}; "
                f"{speaker.id} is {speaker.role}."
            )
        if not operation.offered:
            raise NotOfferedYet(f"{operation.name} is in the contract, but this release does not offer it yet.")
        earlier = exchange.earlier_reply()
        if earlier is not None:
            return earlier
        call = Call(operation, message, speaker, now, exchange)
        return self._call(call)

    def _seal(self, content: Content, message: Verified, action: str, now: datetime) -> Outgoing:
        addressing = Addressing(
            message_id=new_message_id(),
            action=action,
            to=message.addressing.from_ or "",
            from_=self._host.urn,
            relates_to=message.addressing.message_id,
        )
        return seal(content, addressing, self._host.identity, now, Confirmation(message.signature_value))

    def _refuse_verified(self, data: bytes, message: Verified, error: GatewayError, now: datetime) -> Answer:
        sender = message.addressing.from_
        log.warning(
            "refused", interface=self.interface, code=error.code, reason=error.message, sender=sender,
            message_id=message.addressing.message_id,
        )  # fmt: skip
        fault = self._seal(fault_content(error), message, FAULT_ACTION, now)
        try:
            self._ledger.refuse_verified(data, message, fault, error.code, now)
        except GatewayError as unkept:
            # A database that is out of reach is what most such faults tell of: the partner must still hear it signed.
            log.error("refusal not kept", code=error.code, reason=unkept.message, sender=sender)  # noqa: TRY400
        return _answer(fault, 500)


def _answer(message: Outgoing, status: int = 200) -> Answer:
    return Answer(status, message.size, message.chunks(), message.close)


def _nothing() -> None:
    """An answer in memory has nothing to free."""


def pieces(answer: Answer) -> Iterator[bytes]:
    """The bytes of an answer; frees its spool at the end, however that comes."""
    try:
        yield from answer.chunks
    finally:
        answer.close()

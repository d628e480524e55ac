"""An endpoint of B2B with a ledger in memory, for tests of what stands around an operation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from flexiciency.contract.catalogue import B2B, Operation
from flexiciency.errors import SenderUnknown
from flexiciency.soap.endpoint import Call, Endpoint, Host, Speaker
from flexiciency.soap.outgoing import Content, Outgoing
from flexiciency.soap.wsgi import Site
from flexiciency.wire.parse import DEFAULT
from flexiciency.wire.sign import content_of
from flexiciency.wire.verify import Policy, Verified
from tests.wire.parties import NOW, RECIPIENT, SENDER, anchors, identity

PING = (
    b'<b2bo:PingResponse xmlns:b2bo="urn:flexiciency:b2b-operations:1"><b2bo:Time>2026-11-23T12:00:00Z</b2bo:Time>'
    b"<b2bo:Version>1</b2bo:Version></b2bo:PingResponse>"
)


class Busy(Exception):  # noqa: N818  not of the gateway's own errors
    """Another message was faster."""


@dataclass
class Memory:
    """A ledger that keeps exchanges when they are committed, and knows one sender."""

    role: str = "UnregulatedDataRequester"
    kept: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    refused_unverified: list[tuple[str, int]] = field(default_factory=list)
    failing: list[Exception] = field(default_factory=list)
    """Raised one by one when an exchange is to be kept."""

    @contextmanager
    def exchange(self, operation: Operation, message: Verified, now: datetime) -> Iterator["Conversation"]:  # noqa: ARG002
        one = Conversation(self, message)
        yield one
        if one.reply is not None:
            self.kept[message.addressing.message_id] = one.reply

    def repeat(self, error: Exception) -> bool:
        return isinstance(error, Busy)

    def refuse_verified(self, request: bytes, message: Verified, fault: Outgoing, code: str, now: datetime) -> None:  # noqa: ARG002
        self.refused.append(code)

    def refuse_unverified(self, request: bytes, peer: str, code: str, now: datetime) -> None:  # noqa: ARG002
        self.refused_unverified.append((code, len(request)))


@dataclass
class Conversation:
    """One exchange in memory."""

    ledger: Memory
    message: Verified
    reply: tuple[bytes, bytes] | None = None

    def speaker(self) -> Speaker:
        if self.message.addressing.from_ != SENDER:
            raise SenderUnknown("Nobody of that name.")
        return Speaker(SENDER, self.ledger.role)

    def earlier_reply(self) -> bytes | None:
        earlier = self.ledger.kept.get(self.message.addressing.message_id)
        return None if earlier is None else content_of(earlier[1])

    def keep(self, request: bytes, reply: Outgoing) -> None:
        if self.ledger.failing:
            raise self.ledger.failing.pop(0)
        self.reply = request, b"".join(reply.chunks())


def pong(_: Call) -> Content:
    return PING


def endpoint(ledger: Memory | None = None, call: Callable[[Call], Content] = pong) -> Endpoint:
    """Answers at NOW, as the recipient of `tests.wire.parties`."""
    host = Host(identity(name="Grid operator"), RECIPIENT, anchors(), lambda: NOW, DEFAULT, Policy())
    return Endpoint(B2B, host, ledger or Memory(), call)


def site(public_url: str) -> Site:
    return Site([endpoint()], public_url, DEFAULT.message_bytes, lambda: None)

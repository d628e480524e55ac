"""Zeep's transport, ours: Zeep writes requests and reads replies, and never sees a byte that was not verified.

    Zeep's envelope ─► its Body's child, canonical ─► XSD ─► signed by us ─► posted ─► verified ─► a bare Body for Zeep

What Zeep writes into the Header, and the address it would post to, are dropped.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree
from zeep.transports import Transport

from flexiciency.client.statistics import Statistics
from flexiciency.contract.catalogue import Operation
from flexiciency.contract.schemas import validate
from flexiciency.errors import PartnerFault, PartnerUnreachable, UntrustedFault, UntrustedReply
from flexiciency.soap.outgoing import Body, body_of, seal_body
from flexiciency.soap.posting import DEFAULT_TERMS, Partner, Poster, Terms, utc_now
from flexiciency.wire.addressing import Addressing
from flexiciency.wire.identity import Identity
from flexiciency.wire.names import BODY, SOAP
from flexiciency.wire.sign import TAIL, canonical
from flexiciency.wire.verify import Verified

_BARE_ENVELOPE = f'<soap:Envelope xmlns:soap="{SOAP}">'.encode()
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client behaves.

    `retries`: how often a call that got no answer is sent again by itself, with its MessageID, after 0.5, 1, 2, … s.
    Nothing else is ever sent again by itself, and by default not even that.
    """

    terms: Terms = DEFAULT_TERMS
    retries: int = 0
    clock: Callable[[], datetime] = utc_now


DEFAULT_SETTINGS = ClientSettings()


@dataclass(frozen=True, slots=True)
class Line:
    """Who calls whom, and how; shared by all calls of one client."""

    identity: Identity
    urn: str
    partner: Partner
    poster: Poster
    settings: ClientSettings
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class BareReply:
    """What Zeep takes for an HTTP answer: an envelope around a Body that was verified."""

    content: bytes
    status_code: int = 200
    encoding: str = "utf-8"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "text/xml; charset=utf-8"})


class SigningTransport(Transport):
    """Carries one call."""

    def __init__(self, line: Line, operation: Operation, message_id: str, relates_to: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._line = line
        self._operation = operation
        self._addressing = Addressing(message_id, operation.action, line.partner.urn, line.urn, relates_to)
        self._reply: Verified | None = None

    @property
    def reply(self) -> Verified:
        """The verified reply, once there is one."""
        if self._reply is None:
            raise ValueError("The call has not been answered.")
        return self._reply

    def post_xml(self, address: str, envelope: etree._Element, headers: Mapping[str, str]) -> BareReply:  # noqa: ARG002
        """Send the child of the Body that Zeep wrote. Raises SchemaInvalid, and all that `Poster.post` raises."""
        (child,) = envelope.iterfind(f"{BODY}/*")
        validate(child, self._operation.namespace)
        body = body_of(canonical(child))
        pause = _FIRST_PAUSE
        for _ in range(self._line.settings.retries):
            try:
                return self._post(body)
            except PartnerUnreachable:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        return self._post(body)

    def _post(self, body: Body) -> BareReply:
        line, statistics = self._line, self._line.statistics
        message = seal_body(body, self._addressing, line.identity, line.settings.clock())
        statistics.add(signed=1)
        try:
            self._reply = line.poster.post(line.partner, message)
        except PartnerFault:
            statistics.add(verified=1, faults=1)
            raise
        except (UntrustedFault, UntrustedReply):
            statistics.add(refused=1)
            raise
        statistics.add(verified=1)
        return BareReply(_BARE_ENVELOPE + self._reply.canonical_body + TAIL)

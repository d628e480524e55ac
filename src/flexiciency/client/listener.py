"""What a Market Player hosts: the Market Player interface, on which DSOs and the Market Place push (D2.3, 4.1, 4.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog

from flexiciency.client import market_reading, reading, writing
from flexiciency.client.inbox import Inbox, Sender, Undelivered
from flexiciency.client.market_objects import B2BSubscription, DirectoryChanges
from flexiciency.client.objects import (
    Agreement,
    Confirmation,
    Consent,
    ConsentAcknowledgement,
    ConsentRevocation,
    Selection,
    TechnicalValidation,
    UnregulatedConfirmation,
    ValidationAnswer,
    ValidationRequest,
)
from flexiciency.client.serving import Server
from flexiciency.client.statistics import Counts, Statistics
from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.contract.codec import AggregatesMessage, ValuesMessage
from flexiciency.contract.codec_read import read_aggregates, read_values
from flexiciency.contract.ids import derived_id
from flexiciency.contract.schemas import validate
from flexiciency.errors import Unavailable
from flexiciency.soap.endpoint import Call, Endpoint, Host
from flexiciency.soap.posting import DEFAULT_POLICY, utc_now
from flexiciency.soap.spyne_service import SpyneService
from flexiciency.soap.spyne_types import classes
from flexiciency.soap.spyne_xml import BodyXml
from flexiciency.soap.wsgi import Site
from flexiciency.wire.addressing import MARKET_PLAYER_URN
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import DEFAULT, Limits
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Policy

log = structlog.get_logger()

T = TypeVar("T")
R = TypeVar("R")

_NAMESPACE = f"urn:flexiciency:{MARKET_PLAYER}-operations:1"
_TYPES = classes(_NAMESPACE)


@dataclass(frozen=True, slots=True)
class Received(Generic[T]):
    """A pushed object. `sender` is the provider's MPL-REG id, or `MARKET_PLACE_URN`.

    Acknowledgements relate to `message_id`.
    """

    message_id: str
    sender: str
    received_at: datetime
    content: T


Handler = Callable[[Received[T]], None]
Answering = Callable[[Received[ValidationRequest]], ValidationAnswer | None]
"""Answers a TECH-FLEX-REQ, or None: then `MarketPlayer.answer_validation` does later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What the program does with each kind of message, from several threads at once.

    A handler is called at least once per message: again, with the same `message_id`, when it raised or when the
    process ended before the message was committed. A message without a handler is refused as one whose handler raised.
    """

    consent_given: Handler[Consent] | None = None
    consent_acknowledged: Handler[ConsentAcknowledgement] | None = None
    consent_revoked: Handler[ConsentRevocation] | None = None
    activation_confirmed: Handler[Confirmation] | None = None
    unregulated_activation_confirmed: Handler[UnregulatedConfirmation] | None = None
    selection_narrowed: Handler[Selection] | None = None
    agreement_changed: Handler[Agreement] | None = None
    values_arrived: Handler[ValuesMessage] | None = None
    aggregates_arrived: Handler[AggregatesMessage] | None = None
    validation_answered: Handler[TechnicalValidation] | None = None
    validation_requested: Answering | None = None
    subscription_matched: Handler[B2BSubscription] | None = None
    directory_changed: Handler[DirectoryChanges] | None = None


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """How a listener behaves. `public_url` is what its WSDL names; `threads` handle messages side by side."""

    public_url: str = "http://localhost:8080"
    threads: int = 4
    limits: Limits = DEFAULT
    policy: Policy = DEFAULT_POLICY
    clock: Callable[[], datetime] = utc_now


DEFAULT_SETTINGS = ListenerSettings()


class Listener:
    """Receives what providers and the Market Place push to one registration.

    It answers only when a handler has returned and the message is committed to the inbox. What a handler fails to take
    is kept there as undelivered, and its sender asked to send it again: nothing is lost.
    """

    def __init__(
        self,
        identity: Identity,
        registration_id: str,
        anchors: TrustAnchors,
        inbox_path: Path,
        handlers: Handlers,
        senders: Mapping[str, str | Sender],
        *,
        settings: ListenerSettings = DEFAULT_SETTINGS,
    ) -> None:
        """`senders` says who may push: MPL-REG id → role, or a `Sender` that pins certificates; nobody else may.

        Roles are the registrations', such as "RegulatedDataProvider"; the Market Place is admitted by
        `MARKET_PLACE_URN`, with the role "MarketPlace". Raises sqlite3.Error for a bad inbox.
        """
        admitted = {name: Sender(who) if isinstance(who, str) else who for name, who in senders.items()}
        self._statistics = Statistics()
        self._inbox = Inbox(inbox_path, admitted, self._statistics)
        urn = MARKET_PLAYER_URN + registration_id
        host = Host(identity, urn, anchors, settings.clock, settings.limits, settings.policy)
        service = SpyneService(MARKET_PLAYER, _operations(handlers))
        endpoint = Endpoint(MARKET_PLAYER, host, self._inbox, service)
        self.application = Site([endpoint], settings.public_url, settings.limits.message_bytes, self._inbox.check)
        """The WSGI application, for a server of one's own."""
        self._threads = settings.threads
        self._server: Server | None = None

    @property
    def statistics(self) -> Counts:
        """Replies signed, requests verified, requests refused and signed faults given so far."""
        return self._statistics.counts

    def undelivered(self) -> list[Undelivered]:
        """What no handler has taken yet, the oldest first."""
        return self._inbox.undelivered()

    def serve(self, host: str = "127.0.0.1", port: int = 8080) -> None:
        """Listen until interrupted. Without TLS: from other machines, a proxy with https stands in front."""
        Server(self.application, host, port, self._threads).run()

    def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen in threads of this process; the URL to push to. Port 0 takes any that is free."""
        self._server = Server(self.application, host, port, self._threads)
        self._server.start()
        return f"http://{host}:{self._server.port}/v1/services/{MARKET_PLAYER}"

    def stop(self) -> None:
        """Stop what `start` started, and close the inbox."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        self._inbox.close()


def _operations(handlers: Handlers) -> dict[str, Callable[[Call, Any], Any]]:
    pushes: dict[str, Callable[[Call, Any], Any]] = {
        "ReceiveCustomerConsentDescription": _push(
            handlers.consent_given, lambda _, found: reading.consent(found.CustomerConsentDescription)
        ),
        "ReceiveCustomerConsentAcknowledgement": _push(
            handlers.consent_acknowledged,
            lambda _, found: reading.consent_acknowledgement(found.CustomerConsentAcknowledgement),
        ),
        "ReceiveCustomerConsentRevocation": _push(
            handlers.consent_revoked, lambda _, found: reading.consent_revocation(found.CustomerConsentRevocation)
        ),
        "ReceiveDsoServiceActivationConfirmation": _push(
            handlers.activation_confirmed,
            lambda _, found: reading.confirmation(found.DsoServiceActivationConfirmation),
        ),
        "ReceiveUnregulatedServiceActivationConfirmation": _push(
            handlers.unregulated_activation_confirmed,
            lambda _, found: reading.unregulated_confirmation(found.UnregulatedServiceActivationConfirmation),
        ),
        "ReceiveIndividualDataSelection": _push(
            handlers.selection_narrowed, lambda _, found: reading.selection(found.IndividualDataSelection)
        ),
        "ReceiveAggregatedDataSelection": _push(
            handlers.selection_narrowed, lambda _, found: reading.aggregated_selection(found.AggregatedDataSelection)
        ),
        "ReceiveServiceActivationAgreement": _push(
            handlers.agreement_changed, lambda _, found: reading.agreement(found.ServiceActivationAgreement)
        ),
        "ReceiveIndividualDataValue": _push(
            handlers.values_arrived, lambda call, _: read_values(call.message.body, call.message.canonical_body)
        ),
        "ReceiveAggregatedDataValue": _push(
            handlers.aggregates_arrived, lambda call, _: read_aggregates(call.message.body, call.message.canonical_body)
        ),
        "ReceiveTechnicalValidationResponse": _push(
            handlers.validation_answered,
            lambda _, found: reading.technical_validation(found.TechnicalValidationResponse),
        ),
        "ReceiveTechnicalValidationRequest": _validation(handlers.validation_requested),
        "ReceiveB2BServiceSubscription": _push(
            handlers.subscription_matched,
            lambda _, found: market_reading.b2b_subscription(found.B2BServiceSubscription),
        ),
        "ReceiveDirectoryChanges": _push(
            handlers.directory_changed, lambda _, found: market_reading.directory_changes(found)
        ),
    }
    return {"Ping": _ping, **pushes}


def _ping(call: Call, _: Any) -> Any:
    return _TYPES.PingResponse(Time=call.now.replace(microsecond=0), Version=version("flexiciency"))


def _push(handler: Handler[T] | None, read: Callable[[Call, Any], T]) -> Callable[[Call, Any], Any]:
    """The operation that hands what `read` finds in a push to a handler, and gives a receipt."""

    def operation(call: Call, found: Any) -> Any:
        _handled(handler, call, read(call, found))
        receipt = _TYPES.Receipt(
            MessageId=call.message.addressing.message_id, StoredAt=call.now.replace(microsecond=0)
        )  # fmt: skip
        return getattr(_TYPES, f"{call.operation.name}Response")(Receipt=receipt)

    return operation


def _validation(handler: Answering | None) -> Callable[[Call, Any], Any]:
    """The operation whose reply has the handler's answer, or none yet."""

    def operation(call: Call, found: Any) -> Any:
        request = reading.validation_request(found.TechnicalValidationRequest)
        return _handled(None if handler is None else lambda one: _validated(one, handler(one)), call, request)

    return operation


def _validated(received: Received[ValidationRequest], answer: ValidationAnswer | None) -> Any:
    """The reply with TECH-FLEX-RESP, whose Id is the same when the handler is called again.

    Raises ValueError or SchemaInvalid for an answer that cannot be sent.
    """
    reply = _TYPES.ReceiveTechnicalValidationRequestResponse()
    if answer is not None:
        fields = writing.validation_response(derived_id(received.message_id, "response"), received.content.id, answer)
        why = fields.pop("Reason")
        reply.TechnicalValidationResponse = _TYPES.TechnicalValidationResponse(
            **fields, Reason=why and _TYPES.Reason(**why)
        )  # fmt: skip
        validate(BodyXml().element(reply), _NAMESPACE)
    return reply


def _handled(handler: Callable[[Received[T]], R] | None, call: Call, content: T) -> R:
    """What a handler gives for a push. Raises Unavailable when there is none, or when it fails."""
    message_id = call.message.addressing.message_id
    if handler is None:
        raise Unavailable(f"Nothing here takes {call.operation.name} now. Send the same message again later.")
    try:
        return handler(Received(message_id, call.speaker.id, call.now, content))
    except Exception as error:
        log.exception("handler failed", operation=call.operation.name, message_id=message_id)
        raise Unavailable("The receiver could not take the message. Send the same message again later.") from error

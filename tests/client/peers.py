"""Real partners on loopback: a DSO with canned answers, a listener, and one that says what it is told to."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from flexiciency.client.inbox import Inbox, Sender
from flexiciency.client.serving import Application, Server
from flexiciency.client.statistics import Statistics
from flexiciency.contract.codec import AGGREGATES_REPLY, REPLY, Aggregate, AggregatesHeader, ValuesHeader, Wrapper
from flexiciency.contract.codec_write import write_aggregates, write_values
from flexiciency.contract.series import Encoding, Quantity, Series, TimeStep
from flexiciency.soap.endpoint import Call, Endpoint, Host
from flexiciency.soap.outgoing import Content, Outgoing, seal
from flexiciency.soap.spyne_service import Handler, SpyneService
from flexiciency.soap.spyne_types import classes
from flexiciency.soap.wsgi import Environ, Site, StartResponse
from flexiciency.wire.addressing import CUSTOMER_CHANNEL_URN, MARKET_PLAYER_URN, Addressing, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import DEFAULT
from flexiciency.wire.verify import Policy
from tests.wire.parties import NOW, anchors, identity

DSO_ID = "urn:uuid:7d9d0f0a-6f3e-4a52-9d1c-0d6a4a1f5b02"
PLAYER_ID = "urn:uuid:7d9d0f0a-6f3e-4a52-9d1c-0d6a4a1f5b01"
CHANNEL_ID = "portal"
SERVICE_ID = "urn:uuid:00000000-0000-4000-8000-000000000001"
SUBSCRIPTION_ID = "urn:uuid:00000000-0000-4000-8000-000000000002"
AGREEMENT_ID = "urn:uuid:00000000-0000-4000-8000-000000000003"
CONSENT_ID = "urn:uuid:00000000-0000-4000-8000-000000000004"
VALUES_ID = "urn:uuid:00000000-0000-4000-8000-000000000005"
WAITING_ID = "urn:uuid:00000000-0000-4000-8000-000000000006"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
B2B = classes("urn:flexiciency:b2b-operations:1")
B2C = classes("urn:flexiciency:b2c-operations:1")


def clock() -> datetime:
    return NOW


def dso() -> Identity:
    return identity(name="Grid operator")


def player() -> Identity:
    return identity(name="Retailer")


@contextmanager
def served(application: Application, path: str = "") -> Iterator[str]:
    """The URL of an application that answers on loopback."""
    server = Server(application, "127.0.0.1", 0, 4)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}{path}"
    finally:
        server.stop()


def header(encoding: Encoding = Encoding.EXPLICIT) -> ValuesHeader:
    return ValuesHeader(
        id=VALUES_ID,
        agreement=AGREEMENT_ID,
        selection=None,
        quantity=Quantity.ENERGY_CONSUMPTION,
        time_step=TimeStep.PT15M,
        period_start=MIDNIGHT,
        period_end=MIDNIGHT + DAY,
        version=1,
        encoding=encoding,
    )


def curves(pods: int) -> list[Series]:
    """A day of quarter hours for each PoD, no two alike."""
    return [
        Series(f"POD{n:04}", MIDNIGHT, TimeStep.PT15M, np.arange(n, n + 96, dtype=np.int32)) for n in range(1, pods + 1)
    ]


def values(wrapper: Wrapper, pods: int = 2) -> bytes:
    """Canonical content of a message of values."""
    return b"".join(write_values(header(), curves(pods), wrapper))


def aggregates(wrapper: Wrapper | None = None) -> bytes:
    """Canonical content of a message of aggregates: a portfolio of 7 PoDs and a sum beyond int32."""
    fields = {name: getattr(header(), name) for name in ValuesHeader.__slots__}
    about = AggregatesHeader(**fields, aggregation_level="Portfolio", aggregation_method="Sum")
    curve = Series("portfolio:1", MIDNIGHT, TimeStep.PT15M, np.arange(96, dtype=np.int64) + 2**40)
    return b"".join(write_aggregates(about, [Aggregate(7, curve)], wrapper))


@dataclass
class Dso:
    """A DSO that takes everything, and remembers what it was called with."""

    folder: Path
    calls: list[tuple[Call, Any]] = field(default_factory=list)
    replies: dict[str, Callable[[Call, Any], Any]] = field(default_factory=dict)
    ledgers: list[Inbox] = field(default_factory=list)

    @property
    def application(self) -> Site:
        """Its B2B and B2C interfaces."""
        senders = {
            PLAYER_ID: Sender("UnregulatedDataRequester"),
            CUSTOMER_CHANNEL_URN + CHANNEL_ID: Sender("CustomerChannel"),
        }
        ledger = Inbox(self.folder / "dso.sqlite", senders, Statistics())
        self.ledgers.append(ledger)
        host = Host(dso(), MARKET_PLAYER_URN + DSO_ID, anchors(), clock, DEFAULT, Policy())
        services = {"b2b": _B2B, "b2c": _B2C}
        endpoints = [
            Endpoint(name, host, ledger, SpyneService(name, {o: self._recorded(o, h) for o, h in handlers.items()}))
            for name, handlers in services.items()
        ]
        return Site(endpoints, "http://localhost", DEFAULT.message_bytes, ledger.check)

    def close(self) -> None:
        """Close what its applications keep."""
        for ledger in self.ledgers:
            ledger.close()

    def _recorded(self, operation: str, handler: Handler) -> Handler:
        def run(call: Call, message: Any) -> Any:
            self.calls.append((call, message))
            return self.replies.get(operation, handler)(call, message)

        return run


def _receipt(types: Any, call: Call) -> Any:
    receipt = types.Receipt(MessageId=call.message.addressing.message_id, StoredAt=call.now)
    return getattr(types, f"{call.operation.name}Response")(Receipt=receipt)


def _agreement(call: Call, message: Any) -> Any:  # noqa: ARG001
    agreement = B2B.ServiceActivationAgreement(
        Id=AGREEMENT_ID, PoD=["POD0001"], DataDetails="load curve", ProcessingDetails="advice",
        StartDate=date(2026, 1, 1), EndDate=date(2027, 1, 1), MarketPlaceServiceDescriptionRef=SERVICE_ID,
        CustomerConsentDescriptionRef=[CONSENT_ID], B2BServiceSubscriptionRef=SUBSCRIPTION_ID, Status="Validated",
        ValidationDate=MIDNIGHT, Version=2,
    )  # fmt: skip
    return getattr(B2B, f"{call.operation.name}Response")(ServiceActivationAgreement=agreement)


def _activation(_: Call, message: Any) -> Any:
    request = message.DsoServiceActivationRequest
    refused = B2B.RefusedPoD(PoD=request.PoD[-1], Reason=B2B.Reason(Code="NoConsent", Text="No consent covers it."))
    confirmation = B2B.DsoServiceActivationConfirmation(
        Id="urn:uuid:00000000-0000-4000-8000-000000000007", DsoServiceActivationRequestRef=request.Id,
        Status="Partial", PoD=request.PoD[:-1], RefusedPoD=[refused],
    )  # fmt: skip
    return B2B.RequestDsoServiceActivationResponse(DsoServiceActivationConfirmation=confirmation)


def _values(call: Call, _: Any) -> Any:
    return iter(write_values(header(), curves(2), REPLY)) if call else None


def _aggregates(_: Call, __: Any) -> Any:
    return iter([aggregates(AGGREGATES_REPLY)])


def _mailbox(_: Call, __: Any) -> bytes:
    content = b"".join(write_values(header(), curves(1)))
    return (
        b'<b2bo:PeekMailboxResponse xmlns:b2bo="urn:flexiciency:b2b-operations:1"><b2bo:MailboxItem><b2bo:MessageId>'
        b"%s</b2bo:MessageId><b2bo:Action>urn:flexiciency:market-player:1:ReceiveIndividualDataValue</b2bo:Action>"
        b"<b2bo:Content>%s</b2bo:Content></b2bo:MailboxItem><b2bo:Waiting>3</b2bo:Waiting></b2bo:PeekMailboxResponse>"
    ) % (WAITING_ID.encode(), content)


def _gaps(_: Call, message: Any) -> Any:
    """Of two values the second has not been acknowledged."""
    half = MIDNIGHT + DAY / 2
    gap = B2B.Gap(Source="POD0001", Period=B2B.Period(Start=half, End=MIDNIGHT + DAY), Cause="NotAcknowledged")
    return B2B.ReadGapReportResponse(
        GapReport=B2B.GapReport(
            ServiceActivationAgreementRef=message.AgreementId, Period=message.Period, Expected=3, Sent=2,
            Acknowledged=1, Gap=[gap], Reason=B2B.Reason(Code="GapsCut", Text="Ask for less."),
        )
    )  # fmt: skip


def _status(_: Call, message: Any) -> Any:
    status = B2B.MessageStatus(MessageId=message.MessageId, Status="Retrying", ErrorCode="PartnerUnreachable", At=NOW)
    return B2B.ReadMessageStatusResponse(MessageStatus=status)


def _acknowledgement(_: Call, message: Any) -> Any:
    consent = message.CustomerConsentDescription
    refused = B2C.RefusedPoD(PoD=consent.PoD[-1], Reason=B2C.Reason(Code="NotHolder"))
    return B2C.GiveCustomerConsentResponse(
        CustomerConsentAcknowledgement=B2C.CustomerConsentAcknowledgement(
            Id="urn:uuid:00000000-0000-4000-8000-000000000008", CustomerId=consent.CustomerId, PoD=consent.PoD[:-1],
            RefusedPoD=[refused], AcknowledgementDate=NOW, CustomerConsentDescriptionRef=consent.Id,
            StartDate=consent.StartDate, EndDate=consent.EndDate, Scope=consent.Scope,
            DataDetails=consent.DataDetails, ProcessingDetails=consent.ProcessingDetails,
        )
    )  # fmt: skip


def _consents(_: Call, message: Any) -> Any:
    given = B2C.CustomerConsentDescription(
        Id=CONSENT_ID, CustomerId=message.CustomerId, PoD=["POD0001"], DataDetails="load curve",
        Scope=[B2C.ConsentScope(Quantity="EnergyConsumption", FinestTimeStep="PT15M")], ProcessingDetails="advice",
        ValidationDate=MIDNIGHT, StartDate=date(2026, 1, 1), EndDate=date(2027, 1, 1), Dso=DSO_ID, Eso=PLAYER_ID,
    )  # fmt: skip
    state = B2C.PodConsent(PoD="POD0001", State="Acknowledged", Since=NOW)
    consents = [B2C.CustomerConsent(CustomerConsentDescription=given, PodConsent=[state])]
    found = B2C.CustomerConsents(CustomerId=message.CustomerId, CustomerConsent=consents)
    return B2C.ReadCustomerConsentsResponse(CustomerConsents=found)


_B2B: dict[str, Handler] = {
    "Ping": lambda call, _: B2B.PingResponse(Time=call.now, Version="1.0"),
    "RequestDsoServiceActivation": _activation,
    "RequestUnregulatedServiceActivation": lambda _, __: B2B.RequestUnregulatedServiceActivationResponse(),
    "StopServiceActivation": lambda call, _: _receipt(B2B, call),
    "SelectIndividualData": lambda _, __: B2B.SelectIndividualDataResponse(),
    "SelectAggregatedData": lambda _, __: B2B.SelectAggregatedDataResponse(),
    "ProposeServiceActivationAgreement": _agreement,
    "CounterServiceActivationAgreement": _agreement,
    "EndServiceActivationAgreement": _agreement,
    "ValidateServiceActivationAgreement": _agreement,
    "ReadServiceActivationAgreement": _agreement,
    "RequestIndividualDataValues": _values,
    "AcknowledgeIndividualData": lambda call, _: _receipt(B2B, call),
    "RequestAggregatedDataValues": _aggregates,
    "AcknowledgeAggregatedData": lambda call, _: _receipt(B2B, call),
    "ReadGapReport": _gaps,
    "RequestMissingValues": lambda call, _: _receipt(B2B, call),
    "RequestTechnicalValidation": lambda _, __: B2B.RequestTechnicalValidationResponse(),
    "AnswerTechnicalValidation": lambda call, _: _receipt(B2B, call),
    "PeekMailbox": _mailbox,
    "ConfirmMailbox": lambda call, _: _receipt(B2B, call),
    "ReadMessageStatus": _status,
}
_B2C: dict[str, Handler] = {
    "GiveCustomerConsent": _acknowledgement,
    "RevokeCustomerConsent": lambda call, _: _receipt(B2C, call),
    "ReadCustomerConsents": _consents,
}


def changed(application: Application, change: Callable[[bytes], bytes]) -> Application:
    """The application with what it answers changed on its way."""

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        answer = change(b"".join(application(environ, lambda status, headers: started.append((status, headers)))))
        ((status, headers),) = started
        start_response(status, [(k, str(len(answer)) if k == "Content-Length" else v) for k, v in headers])
        return [answer]

    return run


def answering(status: str, answer: bytes, *headers: tuple[str, str]) -> Application:
    """An application that always answers the same."""

    def run(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        start_response(status, list(headers))
        return [answer]

    return run


def push(content: Content, operation: str, signer: Identity | None = None, **changes: Any) -> Outgoing:
    """A message to the player's listener; `changes` go to its addressing."""
    addressing = {
        "message_id": new_message_id(),
        "action": f"urn:flexiciency:market-player:1:{operation}",
        "to": MARKET_PLAYER_URN + PLAYER_ID,
        "from_": MARKET_PLAYER_URN + DSO_ID,
    }
    return seal(content, Addressing(**addressing | changes), signer or dso(), NOW)

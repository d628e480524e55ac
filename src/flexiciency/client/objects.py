"""The objects of D2.3 as a Market Player's program sees them: frozen, plain, in the domain's words.

Instants are aware datetimes in UTC, days are the PoD's local days with the end exclusive (contract, decision 8).
An `id` that is None is minted when the object is sent.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from flexiciency.client.market_objects import B2BSubscription, DirectoryChanges
from flexiciency.contract.codec import AggregatesMessage, ValuesMessage
from flexiciency.contract.series import Encoding, Quantity, TimeStep


class Reason(NamedTuple):
    """Why something was refused: a code to act on and perhaps a text to read."""

    code: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The partner has stored the message with this MessageID."""

    message_id: str
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class PingReply:
    """Time and software version of a host."""

    time: datetime
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """IndividualDataSelection (IND-DAT-SEL): which values are wanted, [start, end) in UTC (D2.3, 2.5).

    `service_description_id` is set in what comes from a provider.
    """

    quantity: Quantity
    start: datetime
    end: datetime
    time_step: TimeStep
    pods: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    encoding: Encoding | None = None
    id: str | None = None
    service_description_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatedSelection(Selection):
    """AggregatedDataSelection (AGG-DAT-SEL): which aggregates are wanted, of PoDs, customers or places (D2.3, 2.5)."""

    level: Literal["None", "Country", "City", "Street", "Portfolio"]
    method: Literal["Sum", "Mean"]
    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()


class ServedSelection(NamedTuple):
    """A selection as the provider serves it, None where it refuses it; the reason where that is not what was asked."""

    selection: Selection | None
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """DsoServiceActivationConfirmation (DSO-CNF): status OK, KO or Partial (D2.3, 2.5).

    `confirmed` may be empty when all PoDs are; `refused` gives the reason of each refused PoD; `selection` is the
    request's as it is served. Received: the DSO has no answer yet (`id` is None); it comes by push or mailbox.
    """

    id: str | None
    request_id: str
    status: Literal["OK", "KO", "Partial", "Received"]
    confirmed: tuple[str, ...] = ()
    refused: dict[str, Reason] = field(default_factory=dict)
    reason: Reason | None = None
    selection: Selection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnregulatedConfirmation:
    """UnregulatedServiceActivationConfirmation (USP-CNF); `reason` says why KO, or the limits of Partial (D2.3, 2.5).

    Received: the provider has no answer yet (`id` is None); it comes by push or mailbox.
    """

    id: str | None
    request_id: str
    status: Literal["OK", "KO", "Partial", "Received"]
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a Market Player says of an agreement it proposes (SRV-ACT-AGR, D2.3, 2.5)."""

    pods: tuple[str, ...]
    data_details: str
    processing_details: str
    start: date
    end: date
    service_description_id: str
    subscription_id: str
    consents: tuple[str, ...] = ()
    selections: tuple[str, ...] = ()
    request_id: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """ServiceActivationAgreement (SRV-ACT-AGR). `validated_at` is None until both parties have validated it.

    `refused` are PoDs that the provider leaves out of what was proposed; `reason` says why nothing can be agreed to.
    """

    id: str
    pods: tuple[str, ...]
    data_details: str
    processing_details: str
    validated_at: datetime | None
    start: date
    end: date
    service_description_id: str
    consents: tuple[str, ...]
    subscription_id: str
    selections: tuple[str, ...]
    request_id: str | None
    status: Literal["Proposed", "Countered", "Validated", "Suspended", "Ended"]
    version: int
    refused: dict[str, Reason] = field(default_factory=dict)
    reason: Reason | None = None


class PodStatus(NamedTuple):
    """What became of the values of one PoD: OK or KO, of which period [start, end) (None: of all), and why."""

    status: Literal["OK", "KO"]
    period: tuple[datetime, datetime] | None = None
    reason: Reason | None = None


class Scope(NamedTuple):
    """What a consent allows: a quantity, and the finest time step of it."""

    quantity: Quantity
    finest_time_step: TimeStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """CustomerConsentDescription (CUS-CON-DES), to a DSO or from it; `third_party` is the MPL-REG id of Eso."""

    customer_id: str
    pods: tuple[str, ...]
    data_details: str
    scopes: tuple[Scope, ...]
    processing_details: str
    validated_at: datetime
    start: date
    end: date
    third_party: str
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAcknowledgement:
    """CustomerConsentAcknowledgement (CUS-CON-ACK): which PoDs the DSO accepted, and what was consented to."""

    id: str
    consent_id: str
    customer_id: str
    pods: tuple[str, ...]
    refused: dict[str, Reason]
    acknowledged_at: datetime
    start: date
    end: date
    scopes: tuple[Scope, ...]
    data_details: str
    processing_details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRevocation:
    """CustomerConsentRevocation (CUS-CON-REV) of these PoDs."""

    id: str
    consent_id: str
    customer_id: str
    pods: tuple[str, ...]
    revoked_at: datetime


class PodConsent(NamedTuple):
    """State of a consent for one PoD: Given, Acknowledged, Rejected, Revoked or Expired."""

    pod: str
    state: str
    since: datetime
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """A consent of a customer and its state for each PoD."""

    consent: Consent
    pods: tuple[PodConsent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicalValidation:
    """TechnicalValidationResponse (TECH-FLEX-RESP): allowed is `factor` times what was proposed (D2.3, 2.6).

    `factor` is the lesser of `dso_factor` and `tso_factor`; `limiting_element` is None where nothing limits.
    """

    id: str
    request_id: str
    factor: Decimal
    dso_factor: Decimal
    tso_factor: Decimal
    limiting_element: str | None
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRequest:
    """TechnicalValidationRequest (TECH-FLEX-REQ) of a DSO to us: times and powers in kW, each held to the next."""

    id: str
    load_area: str
    start: datetime
    curve: tuple[tuple[datetime, Decimal], ...]
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationAnswer:
    """What part of it we take, as factors of 0 to 1 with at most 6 decimal places; the lesser of the two counts."""

    dso_factor: Decimal
    tso_factor: Decimal = Decimal(1)
    limiting_element: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Authentication:
    """How and when a customer proved to the channel who he or she is."""

    method: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OtherContent:
    """An object that this release has no class for: its element's name and its canonical XML."""

    name: str
    xml: bytes


Content: TypeAlias = (
    Consent
    | ConsentAcknowledgement
    | ConsentRevocation
    | Confirmation
    | UnregulatedConfirmation
    | Selection
    | Agreement
    | TechnicalValidation
    | ValidationRequest
    | ValuesMessage
    | AggregatesMessage
    | B2BSubscription
    | DirectoryChanges
    | OtherContent
)
"""What a provider or the Market Place sends of its own accord."""


@dataclass(frozen=True, slots=True)
class MailboxItem:
    """The oldest message that waits. `message_id` confirms it; `action` is that of the push it stands for."""

    message_id: str
    action: str
    content: Content


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The oldest waiting message, if any, and how many wait."""

    item: MailboxItem | None
    waiting: int


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """What became of a message: a DeliveryStatus of the B2B WSDL, the last error's code, and when."""

    message_id: str
    status: str
    error_code: str | None
    at: datetime | None


class Gap(NamedTuple):
    """Values of one PoD or aggregate, [start, end) UTC, that we have not acknowledged, and why (a GapCause)."""

    source: str
    start: datetime
    end: datetime
    cause: Literal["NotAvailable", "NotReleased", "NotSent", "NotAcknowledged", "RefusedByReceiver"]


@dataclass(frozen=True, slots=True)
class GapReport:
    """How many values of an agreement were expected in [start, end) by now, sent, and acknowledged with OK.

    `gaps` are what is not acknowledged; `reason` is given where there are more than are listed.
    """

    agreement_id: str
    start: datetime
    end: datetime
    expected: int
    sent: int
    acknowledged: int
    gaps: tuple[Gap, ...]
    reason: Reason | None = None

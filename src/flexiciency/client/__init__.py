"""The client: what a Market Player, or a customer's front end, imports to speak with a gateway.

    MarketPlace      calls the Market Place                  Listener   receives what providers and the
    MarketPlayer     calls a provider's B2B service                     Market Place push
    CustomerChannel  calls a DSO's B2C service for customers

Identity and TrustAnchors hold keys and trusted CAs; the exceptions below are all that a call raises, besides ValueError
for arguments that make no sense.
"""

from flexiciency.client.customer_channel import CustomerChannel
from flexiciency.client.inbox import Sender, Undelivered
from flexiciency.client.listener import Handlers, Listener, ListenerSettings, Received
from flexiciency.client.market_objects import (
    Account,
    B2BSubscription,
    Company,
    ContactDetails,
    ContactPoint,
    Criteria,
    DirectoryChanges,
    Dso,
    Enrolment,
    FoundDso,
    Location,
    MarketPlaceInfo,
    MarketPlaceLocation,
    Page,
    Registration,
    ServiceDescription,
    ServiceLocalization,
    ServiceOffer,
    ServiceSubscription,
    Territory,
)
from flexiciency.client.market_place import MarketPlace, pages
from flexiciency.client.market_player import MarketPlayer
from flexiciency.client.objects import (
    AggregatedSelection,
    Agreement,
    Authentication,
    Confirmation,
    Consent,
    ConsentAcknowledgement,
    ConsentRevocation,
    GivenConsent,
    Mailbox,
    MailboxItem,
    MessageStatus,
    OtherContent,
    PingReply,
    PodConsent,
    PodStatus,
    Proposal,
    Reason,
    Receipt,
    Scope,
    Selection,
    ServedSelection,
    TechnicalValidation,
    UnregulatedConfirmation,
    ValidationAnswer,
    ValidationRequest,
)
from flexiciency.client.statistics import Counts
from flexiciency.client.transport import ClientSettings
from flexiciency.contract.codec import Aggregate, AggregatesHeader, AggregatesMessage, ValuesHeader, ValuesMessage
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Encoding, Quality, Quantity, Series, TimeStep
from flexiciency.errors import (
    GatewayError,
    PartnerError,
    PartnerFault,
    PartnerUnreachable,
    SchemaInvalid,
    UntrustedFault,
    UntrustedReply,
    ValuesInvalid,
)
from flexiciency.soap.posting import Terms
from flexiciency.wire.addressing import MARKET_PLACE_URN, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors

__all__ = [
    "MARKET_PLACE_URN",
    "Account",
    "Aggregate",
    "AggregatedSelection",
    "AggregatesHeader",
    "AggregatesMessage",
    "Agreement",
    "Authentication",
    "B2BSubscription",
    "ClientSettings",
    "Company",
    "Confirmation",
    "Consent",
    "ConsentAcknowledgement",
    "ConsentRevocation",
    "ContactDetails",
    "ContactPoint",
    "Counts",
    "Criteria",
    "CustomerChannel",
    "DirectoryChanges",
    "Dso",
    "Encoding",
    "Enrolment",
    "FoundDso",
    "GatewayError",
    "GivenConsent",
    "Handlers",
    "Identity",
    "Listener",
    "ListenerSettings",
    "Location",
    "Mailbox",
    "MailboxItem",
    "MarketPlace",
    "MarketPlaceInfo",
    "MarketPlaceLocation",
    "MarketPlayer",
    "MessageStatus",
    "OtherContent",
    "Page",
    "PartnerError",
    "PartnerFault",
    "PartnerUnreachable",
    "PingReply",
    "PodConsent",
    "PodStatus",
    "Proposal",
    "Quality",
    "Quantity",
    "Reason",
    "Receipt",
    "Received",
    "Registration",
    "SchemaInvalid",
    "Scope",
    "Selection",
    "Sender",
    "Series",
    "ServedSelection",
    "ServiceDescription",
    "ServiceLocalization",
    "ServiceOffer",
    "ServiceSubscription",
    "TechnicalValidation",
    "Terms",
    "Territory",
    "TimeStep",
    "TrustAnchors",
    "Undelivered",
    "UnregulatedConfirmation",
    "UntrustedFault",
    "UntrustedReply",
    "ValidationAnswer",
    "ValidationRequest",
    "ValuesHeader",
    "ValuesInvalid",
    "ValuesMessage",
    "new_id",
    "new_message_id",
    "pages",
]

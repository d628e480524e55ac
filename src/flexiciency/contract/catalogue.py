"""The catalogue: one row per business object of D2.3 and one per operation of the four interfaces.

It drives dispatch, access control and the tests that hold XSDs, WSDLs and code to each other.
What each operation does is said in its WSDL; what each object means, in its XSD.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Party(Enum):
    """Who hosts or calls an interface."""

    MARKET_PLACE = "MarketPlace"
    MARKET_PLAYER = "MarketPlayer"
    CUSTOMER_CHANNEL = "CustomerChannel"
    DSO = "DSO"
    """A Market Player registered as RegulatedDataProvider, acting as host."""


@dataclass(frozen=True)
class BusinessObject:
    """One of the 26 objects of D2.3: `name` is its element and type, in `namespace`."""

    bo_id: str
    name: str
    namespace: str
    data_set: str
    section: str


@dataclass(frozen=True)
class Operation:
    """One operation of one WSDL.

    `request` and `reply` are the ids of the business objects that may travel in its wrappers, in order; `callers` are
    the roles of registrations that may call it, or "CustomerChannel" or "MarketPlace". `reads_only`: it changes nothing
    and releases no value, so neither its MessageID nor evidence of it is kept. `offered`: this release answers it; the
    others answer NotOfferedYet. `while_inactive`: a Pending or Suspended registration may call it too.
    """

    name: str
    interface: str
    request: tuple[str, ...]
    reply: tuple[str, ...]
    callers: frozenset[str]
    reads_only: bool = False
    offered: bool = False
    while_inactive: bool = False

    @property
    def action(self) -> str:
        """WS-Addressing Action of the request, which is its SOAPAction too."""
        return f"urn:flexiciency:{self.interface}:1:{self.name}"

    @property
    def reply_action(self) -> str:
        """WS-Addressing Action of the reply; a fault has `FAULT_ACTION`."""
        return f"{self.action}Response"

    @property
    def of_market_place(self) -> bool:
        """Whether the Market Place alone calls it: then it goes out in the Market Place's name."""
        return self.callers == _PLACE

    @property
    def namespace(self) -> str:
        """Namespace of its two wrappers, `name` and `name`Response."""
        return f"urn:flexiciency:{self.interface}-operations:1"


FAULT_ACTION = "urn:flexiciency:envelope:1:Fault"

MARKET_PLACE, B2B, B2C, MARKET_PLAYER = "market-place", "b2b", "b2c", "market-player"

HOSTS: Mapping[str, Party] = MappingProxyType(
    {MARKET_PLACE: Party.MARKET_PLACE, B2B: Party.DSO, B2C: Party.DSO, MARKET_PLAYER: Party.MARKET_PLAYER}
)
"""Who hosts each interface. B2B is hosted by whoever provides the service: the DSO in all of D2.3's Table 5."""

_SETS = (
    ("market-place", "Market Place and Market Players", "2.2"),
    ("service", "Service Offer and Subscription", "2.3"),
    ("consent", "Customer Consent", "2.4"),
    ("activation", "Service Activation", "2.5"),
    ("provision", "Service Provision", "2.6"),
)
_NAMES = (
    (
        ("MKP-ADD", "MarketPlaceLocation"),
        ("MKP-DES", "MarketPlaceDescription"),
        ("MPL-REG", "MarketPlayerRegistration"),
        ("MPL-ADD", "MarketPlayerLocation"),
        ("MPL-DES", "MarketPlayerDescription"),
        ("MPL-AUT", "MarketPlayerAuthentication"),
    ),
    (
        ("MKP-SRV-OFF", "MarketPlaceServiceOffer"),
        ("MKP-SRV-SUB", "MarketPlaceServiceSubscription"),
        ("B2B-SRV-SUB", "B2BServiceSubscription"),
        ("MKP-SRV-DES", "MarketPlaceServiceDescription"),
    ),
    (
        ("CUS-CON-DES", "CustomerConsentDescription"),
        ("CUS-CON-ACK", "CustomerConsentAcknowledgement"),
        ("CUS-CON-REV", "CustomerConsentRevocation"),
    ),
    (
        ("DSO-REQ", "DsoServiceActivationRequest"),
        ("DSO-CNF", "DsoServiceActivationConfirmation"),
        ("USP-REQ", "UnregulatedServiceActivationRequest"),
        ("USP-CNF", "UnregulatedServiceActivationConfirmation"),
        ("IND-DAT-SEL", "IndividualDataSelection"),
        ("AGG-DAT-SEL", "AggregatedDataSelection"),
        ("SRV-ACT-AGR", "ServiceActivationAgreement"),
    ),
    (
        ("IND-DAT-VAL", "IndividualDataValue"),
        ("IND-DAT-ACK", "IndividualDataAcknowledgement"),
        ("AGG-DAT-VAL", "AggregatedDataValue"),
        ("AGG-DAT-ACK", "AggregatedDataAcknowledgement"),
        ("TECH-FLEX-REQ", "TechnicalValidationRequest"),
        ("TECH-FLEX-RESP", "TechnicalValidationResponse"),
    ),
)
BUSINESS_OBJECTS: tuple[BusinessObject, ...] = tuple(
    BusinessObject(bo_id, name, f"urn:flexiciency:{file}:1", data_set, section)
    for (file, data_set, section), names in zip(_SETS, _NAMES, strict=True)
    for bo_id, name in names
)
"""The 26 objects, in the order of D2.3's Table 2."""

_REGULATED = frozenset({"RegulatedDataProvider"})
_DATA_PROVIDERS = _REGULATED | {"UnregulatedDataProvider"}
_PROVIDERS = _DATA_PROVIDERS | {"UnregulatedServiceProvider"}
_REQUESTERS = frozenset({"UnregulatedDataRequester"})
_ROLES = _PROVIDERS | _REQUESTERS
_FLEXIBILITY = _REQUESTERS | {"UnregulatedServiceProvider"}
_CHANNEL = frozenset({Party.CUSTOMER_CHANNEL.value})
_PLACE = frozenset({Party.MARKET_PLACE.value})

_REGISTRATION = ("MPL-REG",)
_OFFER, _SUBSCRIPTION, _SERVICE = ("MKP-SRV-OFF",), ("MKP-SRV-SUB",), ("MKP-SRV-DES",)
_B2B_SUBSCRIPTION = ("B2B-SRV-SUB",)
_AGREEMENT = ("SRV-ACT-AGR",)
_MEMBER = ("MPL-REG", "MPL-DES", "MPL-ADD", "MPL-AUT")
_DIRECTORY = (*_MEMBER, "MKP-SRV-DES", "B2B-SRV-SUB")
_PUSHED_BY_DSO = (
    "CUS-CON-DES", "CUS-CON-ACK", "CUS-CON-REV", "DSO-CNF", "USP-CNF", "IND-DAT-SEL", "AGG-DAT-SEL", "SRV-ACT-AGR",
    "IND-DAT-VAL", "AGG-DAT-VAL", "TECH-FLEX-REQ", "TECH-FLEX-RESP",
)  # fmt: skip


def _offered(
    name: str, request: tuple[str, ...], reply: tuple[str, ...], callers: frozenset[str], **options: bool
) -> Operation:
    """An operation of the Market Place; this release offers them all."""
    return Operation(name, MARKET_PLACE, request, reply, callers, offered=True, **options)


_MARKET_PLACE_OPERATIONS = (
    _offered("Ping", (), (), _ROLES, reads_only=True, while_inactive=True),
    _offered("ReadMarketPlace", (), ("MKP-DES", "MKP-ADD"), _ROLES, reads_only=True),
    _offered("EnrolMarketPlayer", ("MPL-REG", "MPL-DES", "MPL-AUT", "MPL-ADD"), _REGISTRATION, _ROLES),
    _offered("ReadRegistration", (), _MEMBER, _ROLES, reads_only=True, while_inactive=True),
    _offered("FindRegistrations", (), _REGISTRATION, _ROLES, reads_only=True),
    _offered("SuspendRegistration", (), _REGISTRATION, _ROLES),
    _offered("ReactivateRegistration", (), _REGISTRATION, _ROLES, while_inactive=True),
    _offered("WithdrawRegistration", (), _REGISTRATION, _ROLES, while_inactive=True),
    _offered("UpdateMarketPlayerLocation", ("MPL-ADD",), (), _ROLES),
    _offered("UpdateMarketPlayerDescription", ("MPL-DES",), (), _ROLES),
    _offered("AddMarketPlayerAuthentication", ("MPL-AUT",), (), _ROLES),
    _offered("WithdrawMarketPlayerAuthentication", (), (), _ROLES),
    _offered("PublishServiceOffer", _OFFER, _OFFER, _PROVIDERS),
    _offered("FindServiceOffers", (), _OFFER, _ROLES, reads_only=True),
    _offered("WithdrawServiceOffer", (), _OFFER, _PROVIDERS),
    _offered("PublishServiceSubscription", _SUBSCRIPTION, _SUBSCRIPTION, _REQUESTERS),
    _offered("FindServiceSubscriptions", (), _SUBSCRIPTION, _ROLES, reads_only=True),
    _offered("WithdrawServiceSubscription", (), _SUBSCRIPTION, _REQUESTERS),
    _offered("PublishServiceDescription", _SERVICE, _SERVICE, _ROLES),
    _offered("WithdrawServiceDescription", (), _SERVICE, _ROLES),
    _offered("ReadServiceDescription", (), _SERVICE, _ROLES, reads_only=True),
    _offered("FindServiceDescriptions", (), _SERVICE, _ROLES, reads_only=True),
    _offered("FindB2BServiceSubscriptions", (), _B2B_SUBSCRIPTION, _ROLES, reads_only=True),
    _offered("ReadB2BServiceSubscription", (), _B2B_SUBSCRIPTION, _ROLES, reads_only=True),
    _offered("ValidateB2BServiceSubscription", (), _B2B_SUBSCRIPTION, _ROLES),
    _offered("DeclineB2BServiceSubscription", (), _B2B_SUBSCRIPTION, _ROLES),
    _offered("FindDso", (), ("MPL-REG", "MPL-DES"), _ROLES, reads_only=True),
    _offered("ReadDirectoryChanges", (), _DIRECTORY, _ROLES, reads_only=True),
    _offered("PeekMailbox", (), _DIRECTORY, _ROLES),
    _offered("ConfirmMailbox", (), (), _ROLES),
)
_B2B_OPERATIONS = (
    Operation("Ping", B2B, (), (), _ROLES, reads_only=True, offered=True),
    Operation("RequestDsoServiceActivation", B2B, ("DSO-REQ",), ("DSO-CNF",), _REQUESTERS, offered=True),
    Operation("RequestUnregulatedServiceActivation", B2B, ("USP-REQ",), ("USP-CNF",), _REQUESTERS, offered=True),
    Operation("StopServiceActivation", B2B, (), (), _REQUESTERS, offered=True),
    Operation("SelectIndividualData", B2B, ("IND-DAT-SEL",), ("IND-DAT-SEL",), _REQUESTERS, offered=True),
    Operation("SelectAggregatedData", B2B, ("AGG-DAT-SEL",), ("AGG-DAT-SEL",), _REQUESTERS, offered=True),
    Operation("ProposeServiceActivationAgreement", B2B, _AGREEMENT, _AGREEMENT, _REQUESTERS, offered=True),
    Operation("CounterServiceActivationAgreement", B2B, _AGREEMENT, _AGREEMENT, _REQUESTERS, offered=True),
    Operation("ValidateServiceActivationAgreement", B2B, (), _AGREEMENT, _REQUESTERS, offered=True),
    Operation("ReadServiceActivationAgreement", B2B, (), _AGREEMENT, _REQUESTERS, reads_only=True, offered=True),
    Operation("EndServiceActivationAgreement", B2B, (), _AGREEMENT, _REQUESTERS, offered=True),
    Operation("RequestIndividualDataValues", B2B, ("IND-DAT-SEL",), ("IND-DAT-VAL",), _REQUESTERS, offered=True),
    Operation("RequestAggregatedDataValues", B2B, ("AGG-DAT-SEL",), ("AGG-DAT-VAL",), _REQUESTERS, offered=True),
    Operation("AcknowledgeIndividualData", B2B, ("IND-DAT-ACK",), (), _REQUESTERS, offered=True),
    Operation("AcknowledgeAggregatedData", B2B, ("AGG-DAT-ACK",), (), _REQUESTERS, offered=True),
    Operation("ReadGapReport", B2B, (), (), _REQUESTERS, reads_only=True, offered=True),
    Operation("RequestMissingValues", B2B, (), (), _REQUESTERS, offered=True),
    Operation("RequestTechnicalValidation", B2B, ("TECH-FLEX-REQ",), ("TECH-FLEX-RESP",), _FLEXIBILITY, offered=True),
    Operation("AnswerTechnicalValidation", B2B, ("TECH-FLEX-RESP",), (), _FLEXIBILITY, offered=True),
    Operation("PeekMailbox", B2B, (), _PUSHED_BY_DSO, _ROLES, offered=True),
    Operation("ConfirmMailbox", B2B, (), (), _ROLES, offered=True),
    Operation("ReadMessageStatus", B2B, (), (), _ROLES, reads_only=True, offered=True),
)
_B2C_OPERATIONS = (
    Operation("GiveCustomerConsent", B2C, ("CUS-CON-DES",), ("CUS-CON-ACK",), _CHANNEL, offered=True),
    Operation("RevokeCustomerConsent", B2C, ("CUS-CON-REV",), (), _CHANNEL, offered=True),
    Operation("ReadCustomerConsents", B2C, (), ("CUS-CON-DES",), _CHANNEL, reads_only=True, offered=True),
)
_MARKET_PLAYER_OPERATIONS = (
    Operation("Ping", MARKET_PLAYER, (), (), _PROVIDERS | _PLACE, reads_only=True, offered=True),
    Operation("ReceiveCustomerConsentDescription", MARKET_PLAYER, ("CUS-CON-DES",), (), _REGULATED, offered=True),
    Operation("ReceiveCustomerConsentAcknowledgement", MARKET_PLAYER, ("CUS-CON-ACK",), (), _REGULATED, offered=True),
    Operation("ReceiveCustomerConsentRevocation", MARKET_PLAYER, ("CUS-CON-REV",), (), _REGULATED, offered=True),
    Operation("ReceiveDsoServiceActivationConfirmation", MARKET_PLAYER, ("DSO-CNF",), (), _REGULATED, offered=True),
    Operation(
        "ReceiveUnregulatedServiceActivationConfirmation", MARKET_PLAYER, ("USP-CNF",), (), _PROVIDERS, offered=True
    ),
    Operation("ReceiveIndividualDataSelection", MARKET_PLAYER, ("IND-DAT-SEL",), (), _DATA_PROVIDERS, offered=True),
    Operation("ReceiveAggregatedDataSelection", MARKET_PLAYER, ("AGG-DAT-SEL",), (), _DATA_PROVIDERS, offered=True),
    Operation("ReceiveServiceActivationAgreement", MARKET_PLAYER, _AGREEMENT, (), _PROVIDERS, offered=True),
    Operation("ReceiveIndividualDataValue", MARKET_PLAYER, ("IND-DAT-VAL",), (), _DATA_PROVIDERS, offered=True),
    Operation("ReceiveAggregatedDataValue", MARKET_PLAYER, ("AGG-DAT-VAL",), (), _DATA_PROVIDERS, offered=True),
    Operation(
        "ReceiveTechnicalValidationRequest", MARKET_PLAYER, ("TECH-FLEX-REQ",), ("TECH-FLEX-RESP",), _REGULATED,
        offered=True,
    ),
    Operation("ReceiveTechnicalValidationResponse", MARKET_PLAYER, ("TECH-FLEX-RESP",), (), _REGULATED, offered=True),
    Operation("ReceiveB2BServiceSubscription", MARKET_PLAYER, _B2B_SUBSCRIPTION, (), _PLACE, offered=True),
    Operation("ReceiveDirectoryChanges", MARKET_PLAYER, _DIRECTORY, (), _PLACE, offered=True),
)  # fmt: skip
OPERATIONS: tuple[Operation, ...] = (
    *_MARKET_PLACE_OPERATIONS,
    *_B2B_OPERATIONS,
    *_B2C_OPERATIONS,
    *_MARKET_PLAYER_OPERATIONS,
)
"""Every operation, in the order of its WSDL."""

_OBJECTS_BY_ID = {row.bo_id: row for row in BUSINESS_OBJECTS}
_OPERATIONS_BY_ACTION = {row.action: row for row in OPERATIONS}


def object_of(bo_id: str) -> BusinessObject:
    """The business object with this id of D2.3's Table 3. KeyError if there is none."""
    return _OBJECTS_BY_ID[bo_id]


def operation_of(action: str) -> Operation | None:
    """The operation that a request with this Action calls, or None."""
    return _OPERATIONS_BY_ACTION.get(action)


def operations(interface: str) -> tuple[Operation, ...]:
    """The operations of one interface (a key of `HOSTS`), in the order of its WSDL; none for an unknown name."""
    return tuple(row for row in OPERATIONS if row.interface == interface)

"""What a Market Player asks of a provider: the B2B interface (D2.3, 4.2)."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from lxml import etree

from flexiciency.client import reading, writing
from flexiciency.client.caller import Caller
from flexiciency.client.ids import derived_id
from flexiciency.client.objects import (
    Agreement,
    Confirmation,
    Content,
    Mailbox,
    MailboxItem,
    MessageStatus,
    OtherContent,
    PingReply,
    PodStatus,
    Proposal,
    Receipt,
    Selection,
)
from flexiciency.client.transport import DEFAULT_SETTINGS, ClientSettings
from flexiciency.contract.catalogue import B2B
from flexiciency.contract.codec import ValuesMessage
from flexiciency.contract.codec_read import read_values
from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.soap.posting import Partner
from flexiciency.wire.addressing import MARKET_PLAYER_URN, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.sign import canonical
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Verified

_OPERATIONS = "{urn:flexiciency:b2b-operations:1}"
_REMEMBERED = 1000
_READERS: Mapping[str, Callable[[Any], Content]] = MappingProxyType(
    {
        "{urn:flexiciency:consent:1}CustomerConsentAcknowledgement": reading.consent_acknowledgement,
        "{urn:flexiciency:consent:1}CustomerConsentRevocation": reading.consent_revocation,
        "{urn:flexiciency:activation:1}DsoServiceActivationConfirmation": reading.confirmation,
        "{urn:flexiciency:activation:1}ServiceActivationAgreement": reading.agreement,
    }
)


class MarketPlayer(Caller):
    """A registration of a Market Player as a client of one provider's B2B service.

    Each method that changes something takes a `message_id` (from `new_message_id()`). Calling again with the same one
    and the same arguments sends the same message, whose stored reply the provider repeats: after PartnerUnreachable
    that tells whether the first attempt had arrived, and never does anything twice.
    """

    def __init__(
        self,
        identity: Identity,
        registration_id: str,
        provider_id: str,
        url: str,
        anchors: TrustAnchors,
        *,
        provider_fingerprints: Iterable[str] | None = None,
        settings: ClientSettings = DEFAULT_SETTINGS,
    ) -> None:
        """Ids are MPL-REG ids; `url` is the endpoint, with or without `?wsdl`. ValueError for plain http off loopback.

        `provider_fingerprints` (SHA-256, hex) pin its certificates; the anchors alone take any that their CAs issued.
        """
        pinned = None if provider_fingerprints is None else frozenset(provider_fingerprints)
        partner = Partner(url.removesuffix("?wsdl"), MARKET_PLAYER_URN + provider_id, anchors, pinned)
        super().__init__(B2B, identity, MARKET_PLAYER_URN + registration_id, partner, settings)
        self.registration_id = registration_id
        self._services: dict[str, str] = {}
        self._fetched: OrderedDict[str, str] = OrderedDict()
        self._fetching = threading.Lock()

    def ping(self) -> PingReply:
        """Whether the provider answers."""
        return reading.ping_reply(self._object("Ping", {}, new_message_id()))

    def request_activation(
        self,
        service_description_id: str,
        pods: Sequence[str],
        selection: Selection | None = None,
        *,
        message_id: str | None = None,
    ) -> Confirmation:
        """DSO-REQ → DSO-CNF: ask the DSO to activate a service of the Market Place for these PoDs (D2.3, 2.5)."""
        message_id = message_id or new_message_id()
        request: dict[str, Any] = {
            "Id": derived_id(message_id, "request"),
            "MarketPlaceServiceDescriptionRef": service_description_id,
            "Requester": self.registration_id,
            "PoD": list(pods),
        }
        if selection is not None:
            wanted = writing.selection(selection, derived_id(message_id, "selection"), service_description_id)
            request["Selection"] = {"IndividualDataSelection": wanted}
        arguments = {"DsoServiceActivationRequest": request}
        return reading.confirmation(self._object("RequestDsoServiceActivation", arguments, message_id))

    def propose_agreement(self, proposal: Proposal, *, message_id: str | None = None) -> Agreement:
        """SRV-ACT-AGR out and back: the agreement as the provider has it now (D2.3, 2.5)."""
        message_id = message_id or new_message_id()
        arguments = {
            "ServiceActivationAgreement": writing.proposed_agreement(proposal, derived_id(message_id, "agreement"))
        }
        return reading.agreement(self._object("ProposeServiceActivationAgreement", arguments, message_id))

    def validate_agreement(self, agreement_id: str, version: int, *, message_id: str | None = None) -> Agreement:
        """Validate exactly this version of an agreement."""
        arguments = {"AgreementId": agreement_id, "Version": version}
        message_id = message_id or new_message_id()
        return reading.agreement(self._object("ValidateServiceActivationAgreement", arguments, message_id))

    def read_agreement(self, agreement_id: str) -> Agreement:
        """The agreement as the provider has it."""
        arguments = {"AgreementId": agreement_id}
        return reading.agreement(self._object("ReadServiceActivationAgreement", arguments, new_message_id()))

    def request_values(
        self,
        agreement_id: str,
        quantity: Quantity,
        start: datetime,
        end: datetime,
        step: TimeStep,
        pods: Sequence[str] = (),
        *,
        encoding: Encoding | None = None,
        message_id: str | None = None,
    ) -> ValuesMessage:
        """IND-DAT-VAL under an agreement, [start, end) in UTC, of some PoDs or of all (D2.3, 2.6).

        The values are numpy arrays, read from the very bytes whose signature was verified. Raises ValuesInvalid.
        """
        message_id = message_id or new_message_id()
        selection = Selection(
            quantity=quantity, start=start, end=end, time_step=step, pods=tuple(pods), encoding=encoding
        )
        wanted = writing.selection(selection, derived_id(message_id, "selection"), self._service_of(agreement_id))
        arguments = {"AgreementId": agreement_id, "IndividualDataSelection": wanted}
        reply = self.call("RequestIndividualDataValues", arguments, message_id=message_id)
        values = read_values(reply.body, reply.canonical_body)
        self._remember(values.header.id, reply.addressing.message_id)
        return values

    def acknowledge_values(
        self,
        values_id: str,
        pods: Mapping[str, PodStatus | Sequence[PodStatus]],
        *,
        relates_to: str | None = None,
        at: datetime | None = None,
        message_id: str | None = None,
    ) -> Receipt:
        """IND-DAT-ACK: what became of the values of each PoD (D2.3, 2.6).

        `relates_to` is the MessageID that brought the values (of values fetched with this object it is known); `at` is
        when the status was reached, now if not given. To repeat an acknowledgement, repeat its `at` too.
        """
        message_id = message_id or new_message_id()
        with self._fetching:
            relates_to = relates_to or self._fetched.get(values_id)
        acknowledgement = writing.values_acknowledgement(
            derived_id(message_id, "acknowledgement"), values_id, pods, at or self._line.settings.clock()
        )
        arguments = {"IndividualDataAcknowledgement": acknowledgement}
        found = self._object("AcknowledgeIndividualData", arguments, message_id, relates_to=relates_to)
        return reading.receipt(found)

    def peek_mailbox(self) -> Mailbox:
        """The oldest message that waits for us, which stays until it is confirmed. Raises ValuesInvalid."""
        reply = self.call("PeekMailbox", {})
        item = reply.body.find(f"{_OPERATIONS}MailboxItem")
        waiting = int(reply.body.findtext(f"{_OPERATIONS}Waiting", "0"))
        return Mailbox(None if item is None else self._mailbox_item(item, reply), waiting)

    def confirm_mailbox(self, message_id: str) -> Receipt:
        """The message with this id has been dealt with; the next one comes up."""
        return reading.receipt(self._object("ConfirmMailbox", {"MessageId": message_id}, new_message_id()))

    def message_status(self, message_id: str) -> MessageStatus:
        """What became of a message, ours or the provider's to us."""
        return reading.message_status(self._object("ReadMessageStatus", {"MessageId": message_id}, new_message_id()))

    def _mailbox_item(self, item: etree._Element, reply: Verified) -> MailboxItem:
        message_id, action = item.findtext(f"{_OPERATIONS}MessageId", ""), item.findtext(f"{_OPERATIONS}Action", "")
        (found,) = item.iterfind(f"{_OPERATIONS}Content/*")
        content = self._content(found, reply)
        if isinstance(content, ValuesMessage):
            self._remember(content.header.id, message_id)
        return MailboxItem(message_id, action, content)

    def _content(self, found: etree._Element, reply: Verified) -> Content:
        name = etree.QName(found)
        if name.localname == "IndividualDataValue":
            return read_values(reply.body, reply.canonical_body)
        read = _READERS.get(name.text)
        return OtherContent(name.localname, canonical(found)) if read is None else read(self._read(found))

    def _service_of(self, agreement_id: str) -> str:
        """The service description of an agreement, which never changes."""
        service = self._services.get(agreement_id)
        if service is None:
            service = self._services[agreement_id] = self.read_agreement(agreement_id).service_description_id
        return service

    def _remember(self, values_id: str, message_id: str) -> None:
        """Which message brought values, of the latest thousand."""
        with self._fetching:
            self._fetched[values_id] = message_id
            while len(self._fetched) > _REMEMBERED:
                self._fetched.popitem(last=False)

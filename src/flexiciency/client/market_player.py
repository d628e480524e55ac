"""What a Market Player asks of a provider: the B2B interface (D2.3, 4.2)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from lxml import etree

from flexiciency.client import reading
from flexiciency.client.objects import (
    Content,
    Mailbox,
    MailboxItem,
    MessageStatus,
    OtherContent,
    PingReply,
    Receipt,
)
from flexiciency.client.player_activation import ActivationCalls
from flexiciency.client.player_aggregates import AggregateCalls
from flexiciency.client.player_flexibility import FlexibilityCalls
from flexiciency.client.player_gaps import GapCalls
from flexiciency.contract.codec import AggregatesMessage, ValuesMessage
from flexiciency.contract.codec_read import read_aggregates, read_values
from flexiciency.wire.addressing import new_message_id
from flexiciency.wire.sign import canonical
from flexiciency.wire.verify import Verified

_OPERATIONS = "{urn:flexiciency:b2b-operations:1}"
_READERS: Mapping[str, Callable[[Any], Content]] = MappingProxyType(
    {
        "{urn:flexiciency:consent:1}CustomerConsentDescription": reading.consent,
        "{urn:flexiciency:consent:1}CustomerConsentAcknowledgement": reading.consent_acknowledgement,
        "{urn:flexiciency:consent:1}CustomerConsentRevocation": reading.consent_revocation,
        "{urn:flexiciency:activation:1}DsoServiceActivationConfirmation": reading.confirmation,
        "{urn:flexiciency:activation:1}UnregulatedServiceActivationConfirmation": reading.unregulated_confirmation,
        "{urn:flexiciency:activation:1}IndividualDataSelection": reading.selection,
        "{urn:flexiciency:activation:1}AggregatedDataSelection": reading.aggregated_selection,
        "{urn:flexiciency:activation:1}ServiceActivationAgreement": reading.agreement,
        "{urn:flexiciency:provision:1}TechnicalValidationResponse": reading.technical_validation,
        "{urn:flexiciency:provision:1}TechnicalValidationRequest": reading.validation_request,
    }
)


class MarketPlayer(ActivationCalls, FlexibilityCalls, AggregateCalls, GapCalls):
    """A registration of a Market Player as a client of one provider's B2B service.

    Each method that changes something takes a `message_id` (from `new_message_id()`). Calling again with the same one
    and the same arguments sends the same message, whose stored reply the provider repeats: after PartnerUnreachable
    that tells whether the first attempt had arrived, and never does anything twice.
    """

    def ping(self) -> PingReply:
        """Whether the provider answers."""
        return reading.ping_reply(self._object("Ping", {}, new_message_id()))

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
        if isinstance(content, ValuesMessage | AggregatesMessage):
            self._remember(content.header.id, message_id)
        return MailboxItem(message_id, action, content)

    def _content(self, found: etree._Element, reply: Verified) -> Content:
        name = etree.QName(found)
        if name.localname == "IndividualDataValue":
            return read_values(reply.body, reply.canonical_body)
        if name.localname == "AggregatedDataValue":
            return read_aggregates(reply.body, reply.canonical_body)
        read = _READERS.get(name.text)
        return OtherContent(name.localname, canonical(found)) if read is None else read(self._read(found))

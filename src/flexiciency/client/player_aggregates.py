"""A Market Player's calls about aggregated values (D2.3, 2.6)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from flexiciency.client import reading, writing
from flexiciency.client.objects import AggregatedSelection, PodStatus, Receipt
from flexiciency.client.player_values import ValueCalls
from flexiciency.contract.codec import AggregatesMessage
from flexiciency.contract.codec_read import read_aggregates
from flexiciency.contract.ids import derived_id
from flexiciency.wire.addressing import new_message_id


class AggregateCalls(ValueCalls):
    """AGG-DAT-VAL on request, and AGG-DAT-ACK."""

    def request_aggregates(
        self, agreement_id: str, selection: AggregatedSelection, *, message_id: str | None = None
    ) -> AggregatesMessage:
        """AGG-DAT-VAL under an agreement on aggregated data (D2.3, 2.6).

        Values are numpy arrays of int64, read from the very bytes whose signature was verified. PartnerFault where a
        group is too small or overlaps: its text begins with the reason code. Raises ValuesInvalid.
        """
        message_id = message_id or new_message_id()
        identifier = derived_id(message_id, "selection")
        wanted = writing.aggregated_selection(selection, identifier, self._service_of(agreement_id))
        arguments = {"AgreementId": agreement_id, "AggregatedDataSelection": wanted}
        reply = self.call("RequestAggregatedDataValues", arguments, message_id=message_id)
        found = read_aggregates(reply.body, reply.canonical_body)
        self._remember(found.header.id, reply.addressing.message_id)
        return found

    def acknowledge_aggregates(
        self,
        values_id: str,
        aggregates: Mapping[str, PodStatus | Sequence[PodStatus]],
        *,
        relates_to: str | None = None,
        at: datetime | None = None,
        message_id: str | None = None,
    ) -> Receipt:
        """AGG-DAT-ACK: what became of each aggregate, by AggregationId (D2.3, 2.6); else as `acknowledge_values`."""
        message_id = message_id or new_message_id()
        acknowledgement = writing.aggregates_acknowledgement(
            derived_id(message_id, "acknowledgement"), values_id, aggregates, at or self._line.settings.clock()
        )
        found = self._object(
            "AcknowledgeAggregatedData", {"AggregatedDataAcknowledgement": acknowledgement}, message_id,
            relates_to=relates_to or self._brought(values_id),
        )  # fmt: skip
        return reading.receipt(found)

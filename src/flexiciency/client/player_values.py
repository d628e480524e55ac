"""A Market Player's calls about meter values (D2.3, 2.6)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from flexiciency.client import reading, writing
from flexiciency.client.objects import PodStatus, Receipt, Selection
from flexiciency.client.player_agreement import AgreementCalls
from flexiciency.contract.codec import ValuesMessage
from flexiciency.contract.codec_read import read_values
from flexiciency.contract.ids import derived_id
from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.wire.addressing import new_message_id


class ValueCalls(AgreementCalls):
    """IND-DAT-VAL on request, and IND-DAT-ACK."""

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
        relates_to = relates_to or self._brought(values_id)
        acknowledgement = writing.values_acknowledgement(
            derived_id(message_id, "acknowledgement"), values_id, pods, at or self._line.settings.clock()
        )
        arguments = {"IndividualDataAcknowledgement": acknowledgement}
        found = self._object("AcknowledgeIndividualData", arguments, message_id, relates_to=relates_to)
        return reading.receipt(found)

    def _service_of(self, agreement_id: str) -> str:
        """The service description of an agreement, which never changes."""
        service = self._services.get(agreement_id)
        if service is None:
            service = self._services[agreement_id] = self.read_agreement(agreement_id).service_description_id
        return service

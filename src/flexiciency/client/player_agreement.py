"""A Market Player's calls about agreements (D2.3, 2.5)."""

from dataclasses import replace
from datetime import date

from flexiciency.client import reading, writing
from flexiciency.client.objects import Agreement, Proposal
from flexiciency.client.player_caller import PlayerCaller
from flexiciency.contract.ids import derived_id
from flexiciency.wire.addressing import new_message_id


class AgreementCalls(PlayerCaller):
    """SRV-ACT-AGR, both ways."""

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

    def counter_agreement(
        self, agreement_id: str, version: int, proposal: Proposal, *, message_id: str | None = None
    ) -> Agreement:
        """Answer a version of an agreement by the next one. Its activation, service and subscription stay the same.

        Where nothing of it can be agreed to, the agreement comes back as it stands, with the reason.
        """
        message_id = message_id or new_message_id()
        proposed = writing.proposed_agreement(replace(proposal, id=agreement_id), agreement_id)
        arguments = {"ServiceActivationAgreement": proposed | {"Version": version + 1}}
        return reading.agreement(self._object("CounterServiceActivationAgreement", arguments, message_id))

    def end_agreement(self, agreement_id: str, end: date | None = None, *, message_id: str | None = None) -> Agreement:
        """End an agreement: the local day `end` (today, UTC) is no longer covered."""
        arguments = {"AgreementId": agreement_id, "EndDate": end}
        message_id = message_id or new_message_id()
        return reading.agreement(self._object("EndServiceActivationAgreement", arguments, message_id))

"""A Market Player's calls about agreements (D2.3, 2.5)."""

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

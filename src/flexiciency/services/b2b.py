"""The B2B interface as this gateway hosts it: which handler answers which operation."""

from functools import partial

from flexiciency.services import activation, agreement, provision
from flexiciency.soap.spyne_service import Handler


def handlers(provider_id: str) -> dict[str, Handler]:
    """The offered operations of b2b.wsdl for the provider with this MPL-REG id."""
    return {
        "Ping": provision.ping,
        "RequestDsoServiceActivation": partial(activation.request_dso_service_activation, provider_id),
        "ProposeServiceActivationAgreement": agreement.propose,
        "ValidateServiceActivationAgreement": agreement.validate,
        "ReadServiceActivationAgreement": agreement.read,
        "RequestIndividualDataValues": provision.request_values,
        "AcknowledgeIndividualData": provision.acknowledge,
        "PeekMailbox": provision.peek,
        "ConfirmMailbox": provision.confirm,
        "ReadMessageStatus": provision.status,
    }

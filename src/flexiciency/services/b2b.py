"""The B2B interface as this gateway hosts it: which handler answers which operation."""

from functools import partial

from flexiciency.contract.catalogue import B2B as INTERFACE
from flexiciency.contract.catalogue import MARKET_PLAYER, operations
from flexiciency.domain.portions import Caps
from flexiciency.services import (
    acknowledgement,
    activation,
    aggregates,
    agreement,
    flexibility,
    gaps,
    missing,
    provision,
    selection,
)
from flexiciency.services.mailbox import Mailbox
from flexiciency.services.replies import B2B
from flexiciency.soap.spyne_service import Handler

_PUSHES = frozenset(row.name for row in operations(MARKET_PLAYER) if not row.of_market_place)


def handlers(provider_id: str, aggregate_minimum: int, caps: Caps) -> dict[str, Handler]:
    """The offered operations of b2b.wsdl for the provider with this MPL-REG id.

    `aggregate_minimum` PoDs at least stand behind an aggregate (decision 10); an answer of values holds `caps` at most.
    """
    namespace = f"urn:flexiciency:{INTERFACE}-operations:1"
    return {
        "Ping": provision.ping,
        "RequestDsoServiceActivation": partial(activation.request_dso_service_activation, provider_id),
        "RequestUnregulatedServiceActivation": partial(activation.request_unregulated_service_activation, provider_id),
        "StopServiceActivation": activation.stop,
        "SelectIndividualData": partial(selection.select, provider_id),
        "SelectAggregatedData": partial(selection.select, provider_id),
        "ProposeServiceActivationAgreement": agreement.propose,
        "CounterServiceActivationAgreement": agreement.counter,
        "ValidateServiceActivationAgreement": agreement.validate,
        "ReadServiceActivationAgreement": agreement.read,
        "EndServiceActivationAgreement": agreement.end,
        "RequestIndividualDataValues": partial(provision.request_values, caps),
        "AcknowledgeIndividualData": acknowledgement.individual,
        "RequestAggregatedDataValues": partial(aggregates.request_values, aggregate_minimum, caps),
        "AcknowledgeAggregatedData": acknowledgement.aggregated,
        "ReadGapReport": gaps.read_gap_report,
        "RequestMissingValues": partial(missing.request_missing_values, caps),
        "RequestTechnicalValidation": partial(flexibility.request_technical_validation, provider_id),
        "AnswerTechnicalValidation": flexibility.answer_technical_validation,
        "ReadMessageStatus": provision.status,
        **Mailbox(B2B, "b2bo", namespace, _PUSHES, aggregate_minimum).handlers,
    }

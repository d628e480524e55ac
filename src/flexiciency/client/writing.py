"""From our objects to the arguments that Zeep writes, by the names of the XSDs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from flexiciency.client.objects import (
    AggregatedSelection,
    Authentication,
    Consent,
    PodStatus,
    Proposal,
    Reason,
    Selection,
    ValidationAnswer,
)
from flexiciency.contract.series import timestamp

Arguments = dict[str, Any]

_MILLI = Decimal("0.001")
_MOST = Decimal(10) ** 15
_MILLIONTH = Decimal("0.000001")


def instant(value: datetime) -> str:
    """com:Timestamp; ValueError for a datetime without a zone."""
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone. Give aware datetimes, UTC best.")
    return timestamp(value)


def period(start: datetime, end: datetime) -> Arguments:
    """com:Period."""
    return {"Start": instant(start), "End": instant(end)}


def selection(wanted: Selection, identifier: str, service_description_id: str) -> Arguments:
    """IND-DAT-SEL."""
    return {
        "Id": wanted.id or identifier,
        "Quantity": wanted.quantity,
        "Period": period(wanted.start, wanted.end),
        "Localization": {"CustomerId": list(wanted.customers), "PoD": list(wanted.pods)},
        "TimeStep": wanted.time_step,
        "Encoding": wanted.encoding,
        "MarketPlaceServiceDescriptionRef": service_description_id,
    }


def aggregated_selection(wanted: AggregatedSelection, identifier: str, service_description_id: str) -> Arguments:
    """AGG-DAT-SEL."""
    written = selection(wanted, identifier, service_description_id)
    places = {"Country": list(wanted.countries), "City": list(wanted.cities), "Street": list(wanted.streets)}
    return written | {
        "AggregationLevel": wanted.level,
        "AggregationMethod": wanted.method,
        "Localization": written["Localization"] | places,
    }


def proposed_agreement(proposal: Proposal, identifier: str) -> Arguments:
    """SRV-ACT-AGR, version 1, as proposed."""
    return {
        "Id": proposal.id or identifier,
        "PoD": list(proposal.pods),
        "DataDetails": proposal.data_details,
        "ProcessingDetails": proposal.processing_details,
        "StartDate": proposal.start,
        "EndDate": proposal.end,
        "MarketPlaceServiceDescriptionRef": proposal.service_description_id,
        "CustomerConsentDescriptionRef": list(proposal.consents),
        "B2BServiceSubscriptionRef": proposal.subscription_id,
        "SelectionRef": list(proposal.selections),
        "DsoServiceActivationRequestRef": proposal.request_id,
        "Status": "Proposed",
        "Version": 1,
    }


def values_acknowledgement(
    identifier: str, values_id: str, pods: Mapping[str, PodStatus | Sequence[PodStatus]], at: datetime
) -> Arguments:
    """IND-DAT-ACK, every status as of one instant."""
    return {
        "Id": identifier,
        "IndividualDataValueRef": values_id,
        "PodAcknowledgement": [
            {"PoD": pod, "Acknowledgement": [_pod_status(one, at) for one in _statuses(of_pod)]}
            for pod, of_pod in pods.items()
        ],
    }


def aggregates_acknowledgement(
    identifier: str, values_id: str, aggregates: Mapping[str, PodStatus | Sequence[PodStatus]], at: datetime
) -> Arguments:
    """AGG-DAT-ACK, every status as of one instant."""
    return {
        "Id": identifier,
        "AggregatedDataValueRef": values_id,
        "AggregateAcknowledgement": [
            {"AggregationId": name, "Acknowledgement": [_pod_status(one, at) for one in _statuses(of_aggregate)]}
            for name, of_aggregate in aggregates.items()
        ],
    }


def validation_request(
    identifier: str, load_area: str, curve: Sequence[tuple[datetime, Decimal]], end: datetime
) -> Arguments:
    """TECH-FLEX-REQ. ValueError for an empty curve, a time without zone or a power that com:DataValue has not."""
    if not curve:
        raise ValueError("The power curve has no point. Give at least the power at its start.")
    points = [{"Time": instant(time), "Power": _power(power)} for time, power in curve]
    return {
        "Id": identifier,
        "StartTime": points[0]["Time"],
        "PowerCurve": {"Point": points},
        "EndTime": instant(end),
        "LoadArea": load_area,
    }


def validation_response(identifier: str, request_id: str, answer: ValidationAnswer) -> Arguments:
    """TECH-FLEX-RESP. ValueError for a factor that is none."""
    dso, tso = _factor(answer.dso_factor), _factor(answer.tso_factor)
    return {
        "Id": identifier,
        "TechnicalValidationRequestRef": request_id,
        "CurtailmentFactor": min(dso, tso),
        "DsoFactor": dso,
        "TsoFactor": tso,
        "LimitingElement": answer.limiting_element,
        "Reason": None if answer.reason is None else _reason(answer.reason),
    }


def consent(given: Consent, identifier: str, dso_id: str) -> Arguments:
    """CUS-CON-DES."""
    return {
        "Id": given.id or identifier,
        "CustomerId": given.customer_id,
        "PoD": list(given.pods),
        "DataDetails": given.data_details,
        "Scope": [{"Quantity": one.quantity, "FinestTimeStep": one.finest_time_step} for one in given.scopes],
        "ProcessingDetails": given.processing_details,
        "ValidationDate": instant(given.validated_at),
        "StartDate": given.start,
        "EndDate": given.end,
        "Dso": dso_id,
        "Eso": given.third_party,
    }


def authentication(proof: Authentication) -> Arguments:
    """b2co:CustomerAuthentication."""
    return {"Method": proof.method, "AuthenticatedAt": instant(proof.at)}


def _power(power: Decimal) -> str:
    """A power in kW as com:DataValue writes it."""
    if not power.is_finite() or abs(power) >= _MOST or power % _MILLI != 0:
        raise ValueError(f"{power} is no power in kW with at most 15 digits and 3 decimal places.")
    return f"{power:.3f}"


def _factor(factor: Decimal) -> Decimal:
    """A factor with the six decimal places that prv:CurtailmentFactor has."""
    if not factor.is_finite() or not 0 <= factor <= 1 or factor % _MILLIONTH != 0:
        raise ValueError(f"{factor} is no factor of 0 to 1 with at most 6 decimal places.")
    return factor.quantize(_MILLIONTH)


def _statuses(of_pod: PodStatus | Sequence[PodStatus]) -> Sequence[PodStatus]:
    return [of_pod] if isinstance(of_pod, PodStatus) else of_pod


def _pod_status(status: PodStatus, at: datetime) -> Arguments:
    return {
        "Timestamp": instant(at),
        "Status": status.status,
        "ValuePeriod": None if status.period is None else period(*status.period),
        "Reason": None if status.reason is None else _reason(status.reason),
    }


def _reason(reason: Reason) -> Arguments:
    return {"Code": reason.code, "Text": reason.text}

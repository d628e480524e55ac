"""From Zeep's and Spyne's objects, which name their parts alike, to ours."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flexiciency.client.objects import (
    AggregatedSelection,
    Agreement,
    Confirmation,
    Consent,
    ConsentAcknowledgement,
    ConsentRevocation,
    Gap,
    GapReport,
    GivenConsent,
    MessageStatus,
    PingReply,
    PodConsent,
    Reason,
    Receipt,
    Scope,
    Selection,
    ServedSelection,
    TechnicalValidation,
    UnregulatedConfirmation,
    ValidationRequest,
)
from flexiciency.contract.series import Encoding, Quantity, TimeStep


def every(items: Iterable[Any] | None) -> tuple[Any, ...]:
    """A list, which Zeep gives empty and Spyne as None where no element is."""
    return tuple(items or ())


def instant(found: datetime) -> datetime:
    """com:Timestamp, UTC."""
    return found.astimezone(UTC)


def ping_reply(found: Any) -> PingReply:
    """PingResponse."""
    return PingReply(instant(found.Time), found.Version)


def receipt(found: Any) -> Receipt:
    """env:Receipt."""
    return Receipt(found.MessageId, instant(found.StoredAt))


def confirmation(found: Any) -> Confirmation:
    """DSO-CNF."""
    return Confirmation(
        id=found.Id,
        request_id=found.DsoServiceActivationRequestRef,
        status=found.Status,
        confirmed=every(found.PoD),
        refused=_refused(found.RefusedPoD),
        reason=None if found.Reason is None else _reason(found.Reason),
        selection=None if found.Selection is None else _chosen(found.Selection),
    )


def unregulated_confirmation(found: Any) -> UnregulatedConfirmation:
    """USP-CNF."""
    return UnregulatedConfirmation(
        id=found.Id,
        request_id=found.UnregulatedServiceActivationRequestRef,
        status=found.Status,
        reason=None if found.Reason is None else _reason(found.Reason),
    )


def selection(found: Any) -> Selection:
    """IND-DAT-SEL."""
    return Selection(**_selection(found))


def aggregated_selection(found: Any) -> AggregatedSelection:
    """AGG-DAT-SEL."""
    return AggregatedSelection(
        level=found.AggregationLevel,
        method=found.AggregationMethod,
        countries=_places(found, "Country"),
        cities=_places(found, "City"),
        streets=_places(found, "Street"),
        **_selection(found),
    )


def served_selection(found: Selection | None, why: Any) -> ServedSelection:
    """What the reply to a selection says."""
    return ServedSelection(found, None if why is None else _reason(why))


def agreement(found: Any) -> Agreement:
    """SRV-ACT-AGR."""
    return Agreement(
        id=found.Id,
        pods=every(found.PoD),
        data_details=found.DataDetails,
        processing_details=found.ProcessingDetails,
        validated_at=None if found.ValidationDate is None else instant(found.ValidationDate),
        start=found.StartDate,
        end=found.EndDate,
        service_description_id=found.MarketPlaceServiceDescriptionRef,
        consents=every(found.CustomerConsentDescriptionRef),
        subscription_id=found.B2BServiceSubscriptionRef,
        selections=every(found.SelectionRef),
        request_id=found.DsoServiceActivationRequestRef,
        status=found.Status,
        version=found.Version,
        refused=_refused(found.RefusedPoD),
        reason=found.Reason and _reason(found.Reason),
    )


def consent(found: Any) -> Consent:
    """CUS-CON-DES."""
    return Consent(
        id=found.Id,
        customer_id=found.CustomerId,
        pods=every(found.PoD),
        data_details=found.DataDetails,
        scopes=_scopes(found.Scope),
        processing_details=found.ProcessingDetails,
        validated_at=instant(found.ValidationDate),
        start=found.StartDate,
        end=found.EndDate,
        third_party=found.Eso,
    )


def consent_acknowledgement(found: Any) -> ConsentAcknowledgement:
    """CUS-CON-ACK."""
    return ConsentAcknowledgement(
        id=found.Id,
        consent_id=found.CustomerConsentDescriptionRef,
        customer_id=found.CustomerId,
        pods=every(found.PoD),
        refused=_refused(found.RefusedPoD),
        acknowledged_at=instant(found.AcknowledgementDate),
        start=found.StartDate,
        end=found.EndDate,
        scopes=_scopes(found.Scope),
        data_details=found.DataDetails,
        processing_details=found.ProcessingDetails,
    )


def consent_revocation(found: Any) -> ConsentRevocation:
    """CUS-CON-REV."""
    return ConsentRevocation(
        id=found.Id,
        consent_id=found.CustomerConsentDescriptionRef,
        customer_id=found.CustomerId,
        pods=every(found.PoD),
        revoked_at=instant(found.RevocationDate),
    )


def given_consents(found: Any) -> tuple[GivenConsent, ...]:
    """b2co:CustomerConsents."""
    return tuple(
        GivenConsent(
            consent(one.CustomerConsentDescription),
            tuple(
                PodConsent(pod.PoD, pod.State, instant(pod.Since), pod.Reason and _reason(pod.Reason))
                for pod in one.PodConsent
            ),
        )
        for one in every(found.CustomerConsent)
    )


def message_status(found: Any) -> MessageStatus:
    """b2bo:MessageStatus."""
    at = None if found.At is None else instant(found.At)
    return MessageStatus(found.MessageId, found.Status, found.ErrorCode, at)


def technical_validation(found: Any) -> TechnicalValidation:
    """TECH-FLEX-RESP."""
    return TechnicalValidation(
        id=found.Id,
        request_id=found.TechnicalValidationRequestRef,
        factor=found.CurtailmentFactor,
        dso_factor=found.DsoFactor,
        tso_factor=found.TsoFactor,
        limiting_element=found.LimitingElement,
        reason=None if found.Reason is None else _reason(found.Reason),
    )


def validation_request(found: Any) -> ValidationRequest:
    """TECH-FLEX-REQ."""
    return ValidationRequest(
        id=found.Id,
        load_area=found.LoadArea,
        start=instant(found.StartTime),
        curve=tuple((instant(point.Time), point.Power) for point in found.PowerCurve.Point),
        end=instant(found.EndTime),
    )


def gap_report(found: Any) -> GapReport:
    """GapReport."""
    return GapReport(
        found.ServiceActivationAgreementRef, instant(found.Period.Start), instant(found.Period.End), found.Expected,
        found.Sent, found.Acknowledged, tuple(_gap(one) for one in every(found.Gap)),
        None if found.Reason is None else _reason(found.Reason),
    )  # fmt: skip


def _gap(found: Any) -> Gap:
    return Gap(found.Source, instant(found.Period.Start), instant(found.Period.End), found.Cause)


def _chosen(choice: Any) -> Selection:
    if choice.IndividualDataSelection is None:
        return aggregated_selection(choice.AggregatedDataSelection)
    return selection(choice.IndividualDataSelection)


def _selection(found: Any) -> dict[str, Any]:
    """What both kinds of selection have."""
    return {
        "id": found.Id,
        "quantity": Quantity(found.Quantity),
        "start": instant(found.Period.Start),
        "end": instant(found.Period.End),
        "time_step": TimeStep(found.TimeStep),
        "pods": _places(found, "PoD"),
        "customers": _places(found, "CustomerId"),
        "encoding": None if found.Encoding is None else Encoding(found.Encoding),
        "service_description_id": found.MarketPlaceServiceDescriptionRef,
    }


def _places(found: Any, name: str) -> tuple[str, ...]:
    """What a selection's Localization names; Zeep gives None for one that is empty."""
    return () if found.Localization is None else every(getattr(found.Localization, name))


def _refused(items: Iterable[Any] | None) -> dict[str, Reason]:
    return {one.PoD: _reason(one.Reason) for one in every(items)}


def _reason(found: Any) -> Reason:
    return Reason(found.Code, found.Text)


def _scopes(items: Iterable[Any]) -> tuple[Scope, ...]:
    return tuple(Scope(Quantity(one.Quantity), TimeStep(one.FinestTimeStep)) for one in items)

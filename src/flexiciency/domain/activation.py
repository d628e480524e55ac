"""Service activation (D2.3, 2.5): the answer to a DSO-REQ, PoD by PoD.

Received ──► OK | Partial | KO ──► Stopped
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from flexiciency.domain.reasons import Reason, ReasonCode, RefusedPod, reason


class Status(StrEnum):
    """Activation status (D2.3, 2.5 and Table 3)."""

    OK = "OK"
    KO = "KO"
    PARTIAL = "Partial"


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of an IND-DAT-SEL or AGG-DAT-SEL that an activation checks. Time step in seconds (a day: 86400)."""

    aggregated: bool
    quantity: str
    time_step: int


@dataclass(frozen=True, slots=True)
class Service:
    """MKP-SRV-DES as the provider knows it, with whether a validated B2B-SRV-SUB covers the requester."""

    service_type: str
    quantity: str | None
    time_step: int | None
    customer_consent_mandatory: bool
    subscribed: bool


@dataclass(frozen=True, slots=True)
class PodConsent:
    """What is known of one requested PoD: a consent to this requester at all, and one whose scope fits."""

    pod_id: int
    consented: bool
    in_scope: bool


@dataclass(frozen=True, slots=True)
class ActivationDecision:
    """DSO-CNF without its identifiers. `reason` is set for a KO of the whole request."""

    status: Status
    confirmed: tuple[str, ...]
    refused: tuple[RefusedPod, ...]
    reason: Reason | None


def decide(
    pods: tuple[str, ...], selection: Selection | None, service: Service | None, facts: Mapping[str, PodConsent]
) -> ActivationDecision:
    """Confirm or refuse an activation.

    Partial is a non-empty proper subset of the requested PoDs; a request without PoDs and any aggregate gets OK or KO.
    """
    whole = _reason_against_all(selection, service)
    if whole is not None or service is None:
        return ActivationDecision(Status.KO, (), (), reason(whole or ReasonCode.SERVICE_UNKNOWN))
    confirmed: list[str] = []
    refused: list[RefusedPod] = []
    times = Counter(pods)
    for pod in times:
        code = _reason_against(times[pod], facts.get(pod), service)
        if code is None:
            confirmed.append(pod)
        else:
            refused.append(RefusedPod(pod, reason(code)))
    all_or_nothing = service.service_type == "AggregatedDataProvision"
    if not refused:
        return ActivationDecision(Status.OK, tuple(confirmed), (), None)
    if confirmed and not all_or_nothing:
        return ActivationDecision(Status.PARTIAL, tuple(confirmed), tuple(refused), None)
    return ActivationDecision(Status.KO, (), tuple(refused), refused[0].reason)


def _reason_against_all(selection: Selection | None, service: Service | None) -> ReasonCode | None:
    if service is None:
        return ReasonCode.SERVICE_UNKNOWN
    if service.service_type not in ("IndividualDataProvision", "AggregatedDataProvision"):
        return ReasonCode.SERVICE_TYPE_MISMATCH
    if not service.subscribed:
        return ReasonCode.SERVICE_NOT_SUBSCRIBED
    if selection is None:
        return None
    if selection.aggregated != (service.service_type == "AggregatedDataProvision"):
        return ReasonCode.SERVICE_TYPE_MISMATCH
    if selection.quantity != service.quantity or selection.time_step != service.time_step:
        return ReasonCode.SELECTION_NOT_SERVED
    return None


def _reason_against(times: int, facts: PodConsent | None, service: Service) -> ReasonCode | None:
    if times > 1:
        return ReasonCode.POD_REPEATED
    if facts is None:
        return ReasonCode.POD_UNKNOWN
    if not service.customer_consent_mandatory or (facts.consented and facts.in_scope):
        return None
    return ReasonCode.CONSENT_SCOPE if facts.consented else ReasonCode.NO_CONSENT

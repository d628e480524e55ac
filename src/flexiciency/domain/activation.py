"""Service activation (D2.3, 2.5): the answer to a DSO-REQ, PoD by PoD, and to a USP-REQ.

Received ──► OK | Partial | KO
Received, OK, Partial ──► Stopped

Received: the provider decides by hand. It may refuse more than the rules do, never less.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from flexiciency.domain.reasons import Reason, ReasonCode, RefusedPod, reason
from flexiciency.domain.selection import AGGREGATED, INDIVIDUAL, Selection, Service, serve


class Status(StrEnum):
    """Activation status (D2.3, 2.5 and Table 3); Received and Stopped are no answers."""

    RECEIVED = "Received"
    OK = "OK"
    KO = "KO"
    PARTIAL = "Partial"
    STOPPED = "Stopped"


class ActivationMoveRefused(Exception):  # noqa: N818  a refusal, as in the other state machines
    """The activation's state does not allow the move; the message says why."""


@dataclass(frozen=True, slots=True)
class PodConsent:
    """What is known of one requested PoD: a consent to this requester at all, and one whose scope fits."""

    consented: bool
    in_scope: bool


@dataclass(frozen=True, slots=True)
class ActivationDecision:
    """DSO-CNF or USP-CNF without its identifiers. `reason` is set for a KO of the whole, and for a USP-CNF's limits.

    `selection` is the request's as it is served, None where nothing is confirmed.
    """

    status: Status
    confirmed: tuple[str, ...] = ()
    refused: tuple[RefusedPod, ...] = ()
    reason: Reason | None = None
    selection: Selection | None = None


def decide(
    pods: tuple[str, ...], selection: Selection | None, service: Service | None, facts: Mapping[str, PodConsent]
) -> ActivationDecision:
    """The answer to a DSO-REQ.

    Partial is a non-empty proper subset of the requested PoDs; a request without PoDs and any aggregate gets OK or KO.
    """
    whole = _reason_against_all(service)
    if whole is not None or service is None:
        return _ko(reason(whole or ReasonCode.SERVICE_UNKNOWN))
    served = None
    if selection is not None:
        answer = serve(selection, service, facts)
        if answer.selection is None:
            return ActivationDecision(Status.KO, reason=answer.reason)
        served = answer.selection
    confirmed: list[str] = []
    refused: list[RefusedPod] = []
    times = Counter(pods)
    for pod in times:
        code = _reason_against(times[pod], facts.get(pod), service)
        if code is None:
            confirmed.append(pod)
        else:
            refused.append(RefusedPod(pod, reason(code)))
    return _by_pod(confirmed, refused, service, served)


def decide_unregulated(service: Service | None) -> ActivationDecision:
    """The answer to a USP-REQ."""
    if service is None:
        return _ko(reason(ReasonCode.SERVICE_UNKNOWN))
    if service.regulated:
        return _ko(reason(ReasonCode.USE_DSO_REQUEST))
    if not service.subscribed:
        return _ko(reason(ReasonCode.SERVICE_NOT_SUBSCRIBED))
    return ActivationDecision(Status.OK)


def refuse_more(
    decision: ActivationDecision, service: Service, leave_out: frozenset[str], text: str | None
) -> ActivationDecision:
    """A DSO-REQ's answer when the provider refuses PoDs of its own accord; `text` is for the requester to read.

    Raises ActivationMoveRefused for a PoD that the rules do not confirm.
    """
    if strangers := leave_out - set(decision.confirmed):
        raise ActivationMoveRefused(f"PoD {min(strangers)} is not among those that could be confirmed.")
    if not leave_out:
        return decision
    why = reason(ReasonCode.REFUSED_BY_PROVIDER, text)
    confirmed = [pod for pod in decision.confirmed if pod not in leave_out]
    refused = [RefusedPod(pod, why) for pod in decision.confirmed if pod in leave_out]
    return _by_pod(confirmed, [*decision.refused, *refused], service, decision.selection)


def refuse_all(decision: ActivationDecision, text: str) -> ActivationDecision:
    """The answer when the provider refuses the whole of its own accord."""
    why = reason(ReasonCode.REFUSED_BY_PROVIDER, text)
    refused = tuple(RefusedPod(pod, why) for pod in decision.confirmed)
    return ActivationDecision(Status.KO, (), decision.refused + refused, why)


def limited(decision: ActivationDecision, limits: str) -> ActivationDecision:
    """A USP-REQ's answer when the provider activates within limits that it states."""
    if decision.status is not Status.OK:
        return decision
    return replace(decision, status=Status.PARTIAL, reason=reason(ReasonCode.SERVICE_LIMITED, limits))


def must_be_received(status: Status) -> None:
    """Raises ActivationMoveRefused where nothing waits to be decided."""
    if status is not Status.RECEIVED:
        raise ActivationMoveRefused(f"It is {status}; only one that is Received waits to be decided.")


def stopped(status: Status) -> Status:
    """The state after either party stops it. Raises ActivationMoveRefused."""
    if status not in (Status.RECEIVED, Status.OK, Status.PARTIAL):
        raise ActivationMoveRefused(f"It is {status}; only one that is Received, OK or Partial can be stopped.")
    return Status.STOPPED


def _by_pod(
    confirmed: list[str], refused: list[RefusedPod], service: Service, selection: Selection | None
) -> ActivationDecision:
    if not refused:
        return ActivationDecision(Status.OK, tuple(confirmed), selection=selection)
    if confirmed and service.service_type != AGGREGATED:
        return ActivationDecision(Status.PARTIAL, tuple(confirmed), tuple(refused), selection=selection)
    return ActivationDecision(Status.KO, (), tuple(refused), refused[0].reason)


def _ko(why: Reason) -> ActivationDecision:
    return ActivationDecision(Status.KO, reason=why)


def _reason_against_all(service: Service | None) -> ReasonCode | None:
    if service is None:
        return ReasonCode.SERVICE_UNKNOWN
    if not service.regulated:
        return ReasonCode.USE_UNREGULATED_REQUEST
    if service.service_type not in (INDIVIDUAL, AGGREGATED):
        return ReasonCode.SERVICE_TYPE_MISMATCH
    return None if service.subscribed else ReasonCode.SERVICE_NOT_SUBSCRIBED


def _reason_against(times: int, facts: PodConsent | None, service: Service) -> ReasonCode | None:
    if times > 1:
        return ReasonCode.POD_REPEATED
    if facts is None:
        return ReasonCode.POD_UNKNOWN
    if not service.customer_consent_mandatory or (facts.consented and facts.in_scope):
        return None
    return ReasonCode.CONSENT_SCOPE if facts.consented else ReasonCode.NO_CONSENT

"""Service activation agreement (D2.3, 2.5): what a provider answers to a proposed SRV-ACT-AGR.

Proposed ◄──► Countered ──► Validated ◄──► Suspended (consent gone)
                                └──► Ended
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from flexiciency.domain.reasons import Reason, ReasonCode, RefusedPod, reason


class AgreementStatus(StrEnum):
    """State of an agreement."""

    PROPOSED = "Proposed"
    COUNTERED = "Countered"
    VALIDATED = "Validated"
    SUSPENDED = "Suspended"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True)
class Proposal:
    """SRV-ACT-AGR as proposed. Dates are local days of each PoD, the end exclusive."""

    id: str
    version: int
    pods: tuple[str, ...]
    start_date: date
    end_date: date


@dataclass(frozen=True, slots=True)
class ConfirmedPod:
    """A PoD confirmed in the activation, with the local days its consents cover (None where there is no consent)."""

    pod_id: int
    consented_from: date | None
    consented_until: date | None
    consent_mandatory: bool


@dataclass(frozen=True, slots=True)
class AgreementDecision:
    """Validated as proposed, or Countered with what the provider can agree to."""

    status: AgreementStatus
    pods: tuple[str, ...]
    start_date: date
    end_date: date
    refused: tuple[RefusedPod, ...]
    reason: Reason | None


def decide(proposal: Proposal, confirmed: dict[str, ConfirmedPod]) -> AgreementDecision:
    """Validate a proposal of PoDs within confirmed ∩ consented and dates within the consents.

    Else counter with the PoDs that are, and the dates that all of these allow.
    """
    if proposal.end_date <= proposal.start_date:
        return _refused(proposal, reason(ReasonCode.PERIOD_EMPTY))
    kept: list[str] = []
    refused: list[RefusedPod] = []
    start, end = proposal.start_date, proposal.end_date
    for pod in dict.fromkeys(proposal.pods):
        facts = confirmed.get(pod)
        if facts is None:
            refused.append(RefusedPod(pod, reason(ReasonCode.POD_NOT_CONFIRMED)))
        elif not facts.consent_mandatory:
            kept.append(pod)
        elif facts.consented_from is None or facts.consented_until is None:
            refused.append(RefusedPod(pod, reason(ReasonCode.NO_CONSENT)))
        elif facts.consented_from >= proposal.end_date or facts.consented_until <= proposal.start_date:
            refused.append(RefusedPod(pod, reason(ReasonCode.CONSENT_SCOPE)))
        else:
            kept.append(pod)
            start, end = max(start, facts.consented_from), min(end, facts.consented_until)
    if not kept or end <= start:
        return _refused(proposal, reason(ReasonCode.NO_CONSENT), tuple(refused))
    same = not refused and (start, end) == (proposal.start_date, proposal.end_date)
    status = AgreementStatus.VALIDATED if same else AgreementStatus.COUNTERED
    return AgreementDecision(status, tuple(kept), start, end, tuple(refused), None)


def _refused(proposal: Proposal, why: Reason, refused: tuple[RefusedPod, ...] = ()) -> AgreementDecision:
    """Nothing can be agreed to: the proposal stands as Ended, with the reason."""
    return AgreementDecision(AgreementStatus.ENDED, proposal.pods, proposal.start_date, proposal.end_date, refused, why)

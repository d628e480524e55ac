"""Service activation agreement (D2.3, 2.5): what a provider answers to an SRV-ACT-AGR, and how an agreement moves on.

Proposed ◄──► Countered ──► Validated ◄──► Suspended (nothing may leave: its consents are gone)
    └───────────┴───────────────┴──────────────┴──► Ended (by a party)

Its dates limit the data, not the sending moment: their end changes no state, and what an Ended one had covered until
its end may still leave (contract, decision 9).
"""

from collections import Counter
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


class AgreementMoveRefused(Exception):  # noqa: N818  named like the coded errors
    """A move that the state of an agreement does not allow; the message says why."""


OPEN = frozenset({AgreementStatus.PROPOSED, AgreementStatus.COUNTERED})
"""Not agreed yet."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """SRV-ACT-AGR as proposed or countered. Dates are local days of each PoD, the end exclusive."""

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

    Else counter with the PoDs that are, and the dates that all of these allow; Ended where nothing is left.
    """
    if proposal.end_date <= proposal.start_date:
        return _refused(proposal, reason(ReasonCode.PERIOD_EMPTY))
    kept: list[str] = []
    refused: list[RefusedPod] = []
    start, end = proposal.start_date, proposal.end_date
    for pod, times in Counter(proposal.pods).items():
        facts = confirmed.get(pod)
        if times > 1:
            refused.append(RefusedPod(pod, reason(ReasonCode.POD_REPEATED)))
        elif facts is None:
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


def narrowed(proposal: Proposal, *, start: date | None, end: date | None, leave_out: frozenset[str]) -> Proposal:
    """What a provider that decides by hand offers instead of a proposal. Raises AgreementMoveRefused for more."""
    if strangers := leave_out - set(proposal.pods):
        raise AgreementMoveRefused(f"PoD {min(strangers)} is not in it.")
    first, last = start or proposal.start_date, end or proposal.end_date
    if first < proposal.start_date or last > proposal.end_date:
        raise AgreementMoveRefused(
            f"It was proposed from {proposal.start_date} to {proposal.end_date}; only less can be offered."
        )
    pods = tuple(pod for pod in proposal.pods if pod not in leave_out)
    return Proposal(proposal.id, proposal.version, pods, first, last)


def must_be_open(status: AgreementStatus) -> None:
    """Raises AgreementMoveRefused unless it can still be countered."""
    if status not in OPEN:
        raise AgreementMoveRefused(f"It is {status}; only one that is Proposed or Countered can be countered.")


def validated(status: AgreementStatus, *, by_provider: bool) -> AgreementStatus:
    """The provider validates what was Proposed, the requester what was Countered; again is no move.

    Raises AgreementMoveRefused.
    """
    wanted = AgreementStatus.PROPOSED if by_provider else AgreementStatus.COUNTERED
    if status not in (wanted, AgreementStatus.VALIDATED):
        raise AgreementMoveRefused(f"It is {status}; only one that is {wanted} can be validated.")
    return AgreementStatus.VALIDATED


def standing(status: AgreementStatus, *, covered: bool) -> AgreementStatus:
    """What an agreement is once consents or holders changed; `covered`: anything at all may leave by its consents."""
    if status is AgreementStatus.VALIDATED and not covered:
        return AgreementStatus.SUSPENDED
    if status is AgreementStatus.SUSPENDED and covered:
        return AgreementStatus.VALIDATED
    return status


def ended(
    status: AgreementStatus, start: date, end: date, *, on: date | None, today: date
) -> tuple[AgreementStatus, date]:
    """State and EndDate after a party ends it: `on` (None: today) is the first local day that it no longer covers.

    An end in the future shortens it and changes no state; one that is not agreed yet ends at once. Raises
    AgreementMoveRefused.
    """
    if status is AgreementStatus.ENDED:
        raise AgreementMoveRefused("It is Ended already.")
    if status in OPEN:
        return AgreementStatus.ENDED, end
    last = min(today, end) if on is None else on
    if last > end:
        raise AgreementMoveRefused(f"It ends on {end} already; an end can only be brought forward.")
    return (AgreementStatus.ENDED if last <= today else status), max(last, start)


def _refused(proposal: Proposal, why: Reason, refused: tuple[RefusedPod, ...] = ()) -> AgreementDecision:
    """Nothing can be agreed to: the proposal stands as Ended, with the reason."""
    return AgreementDecision(AgreementStatus.ENDED, proposal.pods, proposal.start_date, proposal.end_date, refused, why)

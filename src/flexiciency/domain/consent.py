"""Customer consent (D2.3, 2.4): what a data custodian accepts of a CUS-CON-DES, PoD by PoD, and what becomes of it.

Given ──► Acknowledged ──► Revoked | Expired (by its dates, or since the customer no longer holds the PoD)
  └─────► Rejected
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from flexiciency.domain.reasons import Reason, ReasonCode, RefusedPod, reason
from flexiciency.domain.values import local_days_period


@dataclass(frozen=True, slots=True)
class Scope:
    """What DataDetails says, machine-readable: a quantity and its finest time step in seconds (a day: 86400)."""

    quantity: str
    finest_step: int


@dataclass(frozen=True, slots=True)
class Consent:
    """CUS-CON-DES as received. Dates are local days of each PoD, the end exclusive; instants are UTC."""

    id: str
    customer_id: str
    pods: tuple[str, ...]
    data_details: str
    processing_details: str
    scopes: tuple[Scope, ...]
    validation_date: datetime
    start_date: date
    end_date: date
    dso: str
    eso: str


@dataclass(frozen=True, slots=True)
class HeldPod:
    """Master data of a PoD: when this customer held it, as UTC [start, end) with None for an open end."""

    pod_id: int
    pod: str
    time_zone: str
    held: tuple[tuple[datetime, datetime | None], ...]


@dataclass(frozen=True, slots=True)
class ThirdParty:
    """The registration that Eso names."""

    role: str
    active: bool


@dataclass(frozen=True, slots=True)
class AcceptedPod:
    """A PoD whose consent is acknowledged, with the UTC period that the consent's local days cover."""

    pod_id: int
    pod: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ConsentDecision:
    """What becomes of each PoD of a consent; together all of them, each once."""

    accepted: tuple[AcceptedPod, ...]
    refused: tuple[RefusedPod, ...]


@dataclass(frozen=True, slots=True)
class StoredPod:
    """A PoD of a stored consent. Instants are UTC.

    `covered_until` is where its local days end, `held_until` where the part of them ends in which the customer holds
    the PoD by what is known now (None: there is no such part any more).
    """

    status: str
    acknowledged_at: datetime
    revoked_at: datetime | None
    rejected_for: Reason | None
    covered_until: datetime | None
    held_until: datetime | None


@dataclass(frozen=True, slots=True)
class PodState:
    """Of ConsentState: what a consent is for one PoD, since when, and why it was rejected or is over early."""

    state: str
    since: datetime
    reason: Reason | None


def state_of(pod: StoredPod, now: datetime) -> PodState:
    """What a consent is for a PoD now. Its end limits the data; values of before may still leave."""
    if pod.status == "Rejected":
        return PodState("Rejected", pod.acknowledged_at, pod.rejected_for)
    if pod.revoked_at is not None:
        return PodState("Revoked", pod.revoked_at, None)
    until = pod.acknowledged_at if pod.held_until is None else pod.held_until
    if until > now:
        return PodState("Acknowledged", pod.acknowledged_at, None)
    early = pod.covered_until is not None and until < pod.covered_until
    return PodState("Expired", until, reason(ReasonCode.OCCUPANT_CHANGED) if early else None)


RECEIVING_ROLES = frozenset({"UnregulatedDataRequester", "UnregulatedServiceProvider", "UnregulatedDataProvider"})
"""Roles that may be the third party of a consent: every one but the regulated data custodian itself."""


def decide(
    consent: Consent, own_id: str, third_party: ThirdParty | None, pods: Mapping[str, HeldPod]
) -> ConsentDecision:
    """Accept or refuse each PoD of a consent given to the data custodian `own_id` (an MPL-REG id)."""
    whole = _reason_against_all(consent, own_id, third_party)
    if whole is not None:
        return ConsentDecision((), tuple(RefusedPod(pod, reason(whole)) for pod in dict.fromkeys(consent.pods)))
    repeated = {pod for pod, times in Counter(consent.pods).items() if times > 1}
    accepted: list[AcceptedPod] = []
    refused: list[RefusedPod] = []
    for pod in dict.fromkeys(consent.pods):
        facts = pods.get(pod)
        if pod in repeated:
            refused.append(RefusedPod(pod, reason(ReasonCode.POD_REPEATED)))
        elif facts is None:
            refused.append(RefusedPod(pod, reason(ReasonCode.POD_UNKNOWN)))
        else:
            start, end = local_days_period(consent.start_date, consent.end_date, facts.time_zone)
            if _overlaps(start, end, facts.held):
                accepted.append(AcceptedPod(facts.pod_id, pod, start, end))
            else:
                refused.append(RefusedPod(pod, reason(ReasonCode.POD_NOT_HELD)))
    return ConsentDecision(tuple(accepted), tuple(refused))


def _reason_against_all(consent: Consent, own_id: str, third_party: ThirdParty | None) -> ReasonCode | None:
    if consent.dso != own_id:
        return ReasonCode.DSO_NOT_HERE
    if consent.end_date <= consent.start_date:
        return ReasonCode.PERIOD_EMPTY
    if third_party is None:
        return ReasonCode.THIRD_PARTY_UNKNOWN
    if not third_party.active:
        return ReasonCode.THIRD_PARTY_NOT_ACTIVE
    if third_party.role not in RECEIVING_ROLES:
        return ReasonCode.THIRD_PARTY_NOT_ELIGIBLE
    return None


def _overlaps(start: datetime, end: datetime, held: Iterable[tuple[datetime, datetime | None]]) -> bool:
    """Whether the customer held the PoD for any part of [start, end): the release rule clips values to that part."""
    return any(since < end and (until is None or until > start) for since, until in held)

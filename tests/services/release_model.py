"""An independent model of consent, activation, agreement and release, day by day, in plain sets (decision 9).

Nothing of `flexiciency` is used: days are numbers, a PoD has one holder a day, and what may leave is a set of
(PoD, day).
"""

from dataclasses import dataclass, field

LAST = 6
"""Days with values are 0 … LAST - 1; consents and agreements may reach a few days further on both sides."""
AROUND = range(-3, LAST + 4)


@dataclass
class ModelConsent:
    """`fine`: its scope allows the service's time step."""

    customer: str
    requester: str
    start: int
    end: int
    fine: bool
    pods: set[str]


@dataclass
class ModelAgreement:
    """`agreed`: it has been validated once."""

    requester: str
    activation: str
    pods: set[str]
    start: int
    end: int
    status: str
    version: int
    agreed: bool = False


@dataclass
class Model:
    """What should be; ids are those of the system."""

    holders: dict[str, list[str]]
    consents: dict[str, ModelConsent] = field(default_factory=dict)
    activations: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    agreements: dict[str, ModelAgreement] = field(default_factory=dict)

    def holder(self, pod: str, day: int) -> str:
        """Who holds a PoD on a day; the first and the last holder do so for ever."""
        return self.holders[pod][min(max(day, 0), LAST - 1)]

    def give(self, identifier: str, consent: ModelConsent) -> set[str]:
        """A consent for its PoDs; those that are accepted: held by the customer on any of its days."""
        days = range(consent.start, consent.end)
        accepted = {pod for pod in consent.pods if any(self.holder(pod, day) == consent.customer for day in days)}
        consent.pods = accepted
        self.consents[identifier] = consent
        self._settle()
        return set(accepted)

    def revoke(self, identifier: str, pods: set[str]) -> bool:
        """Whether it can be: all of these PoDs are in force."""
        consent = self.consents[identifier]
        if not pods <= consent.pods:
            return False
        consent.pods = consent.pods - pods
        self._settle()
        return True

    def move_in(self, pod: str, day: int, customer: str) -> None:
        """Another customer from this day on."""
        self.holders[pod][day:] = [customer] * (LAST - day)
        self._settle()

    def activate(self, identifier: str, requester: str, pods: set[str]) -> set[str]:
        """The PoDs that are confirmed."""
        confirmed = {pod for pod in pods if self._consents(pod, requester)}
        self.activations[identifier] = requester, confirmed
        return confirmed

    def offer(self, activation: str, pods: set[str], start: int, end: int) -> tuple[set[str], int, int] | None:
        """What of a proposal can be agreed to, or nothing."""
        requester, confirmed = self.activations[activation]
        kept, first, last = set(), start, end
        for pod in pods & confirmed:
            consents = self._consents(pod, requester)
            if not consents:
                continue
            since, until = min(one.start for one in consents), max(one.end for one in consents)
            if since < end and until > start:
                kept.add(pod)
                first, last = max(first, since), min(last, until)
        return (kept, first, last) if kept and first < last else None

    def agree(self, identifier: str, activation: str, pods: set[str], start: int, end: int, version: int) -> str:
        """A proposal, or the next version of one; its state after it ("Ended": nothing can be agreed to)."""
        offer = self.offer(activation, pods, start, end)
        if offer is None:
            return "Ended"
        same = offer == (pods, start, end)
        requester, _ = self.activations[activation]
        self.agreements[identifier] = ModelAgreement(
            requester, activation, *offer, "Validated" if same else "Countered", version + (not same), agreed=same
        )
        self._settle()
        return self.agreements[identifier].status

    def validate(self, identifier: str) -> bool:
        """Whether it can be."""
        agreement = self.agreements[identifier]
        if agreement.status not in ("Countered", "Validated"):
            return False
        agreement.status, agreement.agreed = "Validated", True
        self._settle()
        return True

    def end(self, identifier: str, day: int) -> bool:
        """Whether it can be, from a day on (long past)."""
        agreement = self.agreements[identifier]
        agreed = agreement.status in ("Validated", "Suspended")
        if agreement.status == "Ended" or (agreed and day > agreement.end):
            return False
        if agreed:
            agreement.end = max(day, agreement.start)
        agreement.status = "Ended"
        agreement.version += 1
        return True

    def may_leave(self, identifier: str) -> set[tuple[str, int]]:
        """PoD and day of each block of values that may leave under an agreement."""
        agreement = self.agreements[identifier]
        if not agreement.agreed or agreement.status not in ("Validated", "Ended"):
            return set()
        return {(pod, day) for pod, day in self._covered(agreement) if 0 <= day < LAST}

    def _covered(self, agreement: ModelAgreement) -> set[tuple[str, int]]:
        return {
            (pod, day)
            for pod in agreement.pods
            for one in self._consents(pod, agreement.requester)
            for day in AROUND
            if agreement.start <= day < agreement.end and one.start <= day < one.end
            and self.holder(pod, day) == one.customer
        }  # fmt: skip

    def _consents(self, pod: str, requester: str) -> list[ModelConsent]:
        return [one for one in self.consents.values() if one.requester == requester and one.fine and pod in one.pods]

    def _settle(self) -> None:
        for agreement in self.agreements.values():
            if agreement.status in ("Validated", "Suspended"):
                agreement.status = "Validated" if self._covered(agreement) else "Suspended"

"""The figures of what consents, selections and the grid allow, from the second country's player."""

from dataclasses import dataclass

from flexiciency.demo import books
from flexiciency.demo.plan import Plan

# Of a PoD, after the first revocation of another.
_AFTER = (
    "SELECT coalesce(sum(s.count), 0) FROM series s JOIN message m ON m.id = s.message "
    "WHERE s.source = ? AND m.received_at > (SELECT min(revoked_at) FROM consent WHERE pod = ?)"
)


_STATES = "SELECT status FROM agreement_state ORDER BY rowid"


@dataclass(frozen=True, slots=True)
class RightsFigures:
    """`partly_revoked`: values after it of the PoD that was revoked, and of the one that was kept in that consent."""

    partly_revoked_values_after: int
    partly_revoked_values_kept: int
    narrowed_time_step: str
    agreement_states: list[str]
    curtailment_factor: float
    limiting_element: str

    def must_be(self) -> dict[str, bool]:
        """Whether each thing is right, by what would be wrong otherwise."""
        return {
            "a PoD that was revoked still gave values": self.partly_revoked_values_after == 0,
            "a revocation in part took the whole consent": self.partly_revoked_values_kept > 0,
            "a selection was not narrowed": self.narrowed_time_step == "PT10M to PT15M",
            "the agreement was not suspended and resumed": self.agreement_states == ["Suspended", "Validated"],
            "the flexibility request was not curtailed": 0 < self.curtailment_factor < 1,
        }


def rights_figures(plan: Plan) -> RightsFigures:
    """Read the player's books after the last message."""
    region = plan.spring
    file = plan.books(region.player)
    kept, revoked = (pod.pod for pod in region.town.pods[: region.place.pods_of_first])
    ((asked, served),) = books.read(file, "SELECT asked, served FROM narrowed")
    ((factor, element),) = books.read(file, "SELECT factor, element FROM validation")
    return RightsFigures(
        partly_revoked_values_after=books.number(file, _AFTER, revoked, revoked),
        partly_revoked_values_kept=books.number(file, _AFTER, kept, revoked),
        narrowed_time_step=f"{asked} to {served}",
        agreement_states=[status for (status,) in books.read(file, _STATES)],
        curtailment_factor=float(factor),
        limiting_element=element,
    )

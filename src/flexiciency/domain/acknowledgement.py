"""Acknowledgements (D2.3, 2.6: IND-DAT-ACK, AGG-DAT-ACK): what is said of the values of a PoD or aggregate.

    Sent ──► AcknowledgedOK | AcknowledgedPartly | AcknowledgedKO

Of each value the latest statement counts, by the time at which it was so and then by arrival.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from flexiciency.domain.periods import Part, common, without
from flexiciency.domain.values import union

OK, KO, PARTLY = "OK", "KO", "Partly"
"""Of a PoD or aggregate: all OK, all KO, or some of it refused or not spoken of."""


@dataclass(frozen=True, slots=True)
class Statement:
    """OK or KO, with the reason code of a KO, of the values of a period, or of all."""

    accepted: bool
    period: Part | None = None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What was sent of a PoD or aggregate, by what has been said of it; `reason_code` is of the last KO that stands."""

    accepted: list[Part]
    refused: list[Part]
    open: list[Part]
    reason_code: str | None = None

    @property
    def status(self) -> str | None:
        """OK, KO or Partly; None while nothing of it has been spoken of."""
        if not self.accepted and not self.refused:
            return None
        if self.open or (self.accepted and self.refused):
            return PARTLY
        return OK if self.accepted else KO


def standing(sent: Sequence[Part], statements: Sequence[Statement]) -> Standing:
    """What stands of the parts sent, each value being a part's or wholly outside; the later of `statements` counts."""
    accepted: list[Part] = []
    refused: list[Part] = []
    for is_ok, run in groupby(statements, key=lambda one: one.accepted):
        of_it = _spoken_of(sent, run)
        accepted, refused = without(accepted, of_it), without(refused, of_it)
        if is_ok:
            accepted = union([*accepted, *of_it])
        else:
            refused = union([*refused, *of_it])
    codes = (s.reason_code for s in reversed(statements) if not s.accepted and common(_spoken_of(sent, [s]), refused))
    return Standing(accepted, refused, without(sent, union([*accepted, *refused])), next(codes, None))


def state(statuses: Collection[str | None]) -> str:
    """The state of a delivery from the status of each PoD or aggregate in it."""
    said = set(statuses)
    if said <= {None}:
        return "Sent"
    if said == {OK}:
        return "AcknowledgedOK"
    return "AcknowledgedKO" if said == {KO} else "AcknowledgedPartly"


def objection(statements: Sequence[Statement], period: Part) -> tuple[int, str] | None:
    """What is wrong in one acknowledgement's statements on one PoD of a message of `period`: which of them, and why."""
    for number, one in enumerate(statements):
        if one.period is None:
            continue
        if one.period[1] <= one.period[0]:
            return number, "ends before it begins: End must be later than Start."
        if one.period[0] < period[0] or one.period[1] > period[1]:
            return number, f"reaches out of the message, which is of {_told(period)}. Acknowledge what was received."
    said = {is_ok: _spoken_of([period], (s for s in statements if s.accepted is is_ok)) for is_ok in (True, False)}
    if not common(said[True], said[False]):
        return None
    contradicted = (
        n for n, one in enumerate(statements) if common(_spoken_of([period], [one]), said[not one.accepted])
    )
    return next(contradicted), "is OK and KO at once. Give each value one status."


def _spoken_of(sent: Sequence[Part], statements: Iterable[Statement]) -> list[Part]:
    """What of the parts sent the statements are about."""
    periods = [one.period for one in statements]
    return union(sent) if None in periods else common(sent, (period for period in periods if period is not None))


def _told(period: Part) -> str:
    return "/".join(f"{instant:%Y-%m-%dT%H:%M:%SZ}" for instant in period)

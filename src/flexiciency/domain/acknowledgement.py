"""Acknowledgements (D2.3, 2.6: IND-DAT-ACK, AGG-DAT-ACK): what is said of the values of a PoD or aggregate.

    Sent ──► AcknowledgedOK | AcknowledgedPartly | AcknowledgedKO

Of each value the latest statement counts, by the time at which it was so and then by arrival.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from flexiciency.domain.periods import Part, common
from flexiciency.domain.values import union

OK, KO, PARTLY = "OK", "KO", "Partly"
"""Of a PoD or aggregate: all OK, all KO, or some of it refused or not spoken of."""
_NOT_SENT, _OPEN = -2, -1
"""In place of the number of the statement that counts."""


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
    periods = [one.period for one in statements if one.period is not None]
    edges = sorted({instant for part in (*sent, *periods) for instant in part})
    place = {instant: number for number, instant in enumerate(edges)}
    latest = np.full(max(len(edges) - 1, 0), _NOT_SENT)
    for start, end in sent:
        latest[place[start] : place[end]] = _OPEN
    of_sent = latest == _OPEN
    for number, one in enumerate(statements):
        between = slice(None) if one.period is None else slice(place[one.period[0]], place[one.period[1]])
        latest[between][of_sent[between]] = number
    is_ok = np.array([one.accepted for one in statements], dtype=np.bool_)
    spoken_of = latest >= 0
    accepted = spoken_of.copy()
    accepted[spoken_of] = is_ok[latest[spoken_of]]
    refused = spoken_of & ~accepted
    code = statements[latest[refused].max()].reason_code if refused.any() else None
    return Standing(_parts(edges, accepted), _parts(edges, refused), _parts(edges, latest == _OPEN), code)


def _parts(edges: list[datetime], which: NDArray[np.bool_]) -> list[Part]:
    return union((edges[number], edges[number + 1]) for number in np.flatnonzero(which).tolist())


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

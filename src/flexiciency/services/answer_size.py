"""Answers of values that would be larger than one message are refused before any value is read (D2.3, 2.6)."""

from math import ceil

from flexiciency.contract.series import TimeStep
from flexiciency.domain.portions import Caps, aggregates_at_once, days_at_once, fits, pods_at_once
from flexiciency.errors import AnswerTooLarge
from flexiciency.store import estimate
from flexiciency.store.release import Asked
from flexiciency.store.transaction import Transaction

_DAY, _HOUR = 86_400, 3_600


def must_fit(tx: Transaction, asked: Asked, caps: Caps, path: str) -> None:
    """Raises AnswerTooLarge when the values stored of what is asked for are more than one message holds."""
    step = asked.step.seconds
    ((covered,),) = tx.look_up(estimate.covered(asked.agreement_id, asked.start, asked.end, asked.pods))
    most = covered.seconds // _shortest(asked.step)
    if not covered.pods or fits(caps, covered.pods, most):
        return
    days = ceil(caps.values * step / _DAY) + covered.pods
    found = estimate.stored(asked.agreement_id, asked.quantity, asked.start, asked.end, asked.pods, days)
    ((stored,),) = tx.look_up(found)
    # A day of 25 hours may be among those of each PoD.
    if not fits(caps, stored.pods, min(most, (stored.days * _DAY + stored.pods * _HOUR) // step)):
        _refuse(caps, covered.pods, asked.step, path, aggregated=False)


def aggregates_must_fit(groups: int, seconds: float, step: TimeStep, caps: Caps, path: str) -> None:
    """Raises AnswerTooLarge when so many groups have more values in so many seconds than one message holds."""
    if groups and not fits(caps, groups, groups * (int(seconds) // _shortest(step)), aggregated=True):
        _refuse(caps, groups, step, path, aggregated=True)


def _shortest(step: TimeStep) -> int:
    """Seconds of the shortest interval of a step: a day of 23 hours."""
    return _DAY - _HOUR if step is TimeStep.P1D else step.seconds


def _refuse(caps: Caps, series: int, step: TimeStep, path: str, *, aggregated: bool) -> None:
    a_day = _DAY // step.seconds
    days = days_at_once(caps, series, a_day, aggregated=aggregated)
    at_once = aggregates_at_once if aggregated else pods_at_once
    named = "aggregates" if aggregated else "PoDs"
    less = (
        f"{days} days of these {series:,} {named}, or for fewer of them"
        if days
        else f"{at_once(caps, a_day):,} {named} of a day"
    )
    raise AnswerTooLarge(
        f"One message holds at most {caps.values:,} values and {caps.size:,} bytes. Ask for at most {less}; "
        "RequestMissingValues has all of them pushed, in parts.",
        path=path,
    )

from contextlib import nullcontext
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.agreement import (
    OPEN,
    AgreementMoveRefused,
    AgreementStatus,
    ConfirmedPod,
    Proposal,
    decide,
    ended,
    must_be_open,
    narrowed,
    standing,
    validated,
)
from flexiciency.domain.reasons import ReasonCode

JANUARY, FEBRUARY, MARCH = date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)


def confirmed(since: date | None = JANUARY, until: date | None = FEBRUARY, *, mandatory: bool = True) -> ConfirmedPod:
    return ConfirmedPod(1, since, until, mandatory)


def proposal(*pods: str, start: date = JANUARY, end: date = FEBRUARY) -> Proposal:
    return Proposal("urn:agreement", 1, pods, start, end)


def test_a_proposal_within_activation_and_consents_is_validated_as_it_is() -> None:
    decision = decide(proposal("AT1", "AT2"), {"AT1": confirmed(), "AT2": confirmed(date(2024, 1, 1), MARCH)})
    assert (decision.status, decision.pods) == (AgreementStatus.VALIDATED, ("AT1", "AT2"))
    assert (decision.start_date, decision.end_date, decision.refused) == (JANUARY, FEBRUARY, ())


def test_a_pod_that_was_not_confirmed_is_countered_without_it() -> None:
    decision = decide(proposal("AT1", "AT2"), {"AT1": confirmed()})
    assert (decision.status, decision.pods) == (AgreementStatus.COUNTERED, ("AT1",))
    assert [(one.pod, one.reason.code) for one in decision.refused] == [("AT2", ReasonCode.POD_NOT_CONFIRMED)]


def test_a_pod_whose_consent_is_gone_is_countered_without_it() -> None:
    decision = decide(proposal("AT1", "AT2"), {"AT1": confirmed(), "AT2": confirmed(None, None)})
    assert decision.pods == ("AT1",)
    assert [one.reason.code for one in decision.refused] == [ReasonCode.NO_CONSENT]


def test_a_pod_whose_consent_is_of_another_time_is_countered_without_it() -> None:
    decision = decide(proposal("AT1", "AT2"), {"AT1": confirmed(), "AT2": confirmed(FEBRUARY, MARCH)})
    assert decision.pods == ("AT1",)
    assert [one.reason.code for one in decision.refused] == [ReasonCode.CONSENT_SCOPE]


def test_dates_wider_than_the_consents_are_countered_with_the_consents_dates() -> None:
    decision = decide(proposal("AT1", start=date(2024, 1, 1), end=MARCH), {"AT1": confirmed()})
    assert decision.status is AgreementStatus.COUNTERED
    assert (decision.start_date, decision.end_date) == (JANUARY, FEBRUARY)


def test_where_no_consent_is_needed_none_is_looked_at() -> None:
    facts = {"AT1": confirmed(None, None, mandatory=False), "AT2": confirmed(FEBRUARY, MARCH, mandatory=False)}
    decision = decide(proposal("AT1", "AT2"), facts)
    assert (decision.status, decision.pods) == (AgreementStatus.VALIDATED, ("AT1", "AT2"))
    assert (decision.start_date, decision.end_date) == (JANUARY, FEBRUARY)


def test_an_empty_period_cannot_be_agreed_to() -> None:
    decision = decide(proposal("AT1", end=JANUARY), {"AT1": confirmed()})
    assert decision.status is AgreementStatus.ENDED
    assert decision.reason is not None
    assert decision.reason.code == ReasonCode.PERIOD_EMPTY


def test_no_pod_left_cannot_be_agreed_to() -> None:
    for asked in (proposal(), proposal("AT2")):
        decision = decide(asked, {"AT1": confirmed()})
        assert decision.status is AgreementStatus.ENDED
        assert decision.reason is not None
        assert decision.reason.code == ReasonCode.NO_CONSENT


def test_consents_without_a_common_day_cannot_be_agreed_to_together() -> None:
    facts = {"AT1": confirmed(JANUARY, FEBRUARY), "AT2": confirmed(FEBRUARY, MARCH)}
    decision = decide(proposal("AT1", "AT2", end=MARCH), facts)
    assert decision.status is AgreementStatus.ENDED


names = st.sampled_from([f"AT{number}" for number in range(5)])
days = st.dates(date(2024, 12, 1), date(2025, 3, 1))
some_days = st.none() | st.tuples(days, days)


@given(
    pods=st.lists(names, max_size=6),
    start=days,
    end=days,
    facts=st.dictionaries(names, st.tuples(some_days, st.booleans())),
)
def test_an_agreement_is_never_wider_than_what_is_confirmed_and_consented(
    pods: list[str], start: date, end: date, facts: dict[str, tuple[tuple[date, date] | None, bool]]
) -> None:
    known = {
        pod: ConfirmedPod(1, min(span) if span else None, max(span) if span else None, mandatory)
        for pod, (span, mandatory) in facts.items()
    }
    asked = proposal(*pods, start=start, end=end)
    decision = decide(asked, known)
    if decision.status is AgreementStatus.ENDED:
        assert decision.reason is not None
        return
    assert decision.pods
    assert set(decision.pods) <= set(pods) & set(known)
    assert len(set(decision.pods)) == len(decision.pods)
    assert set(decision.pods) | {one.pod for one in decision.refused} == set(pods)
    assert start <= decision.start_date < decision.end_date <= end
    for pod in decision.pods:
        of_pod = known[pod]
        if of_pod.consent_mandatory:
            assert of_pod.consented_from is not None
            assert of_pod.consented_until is not None
            assert of_pod.consented_from <= decision.start_date
            assert decision.end_date <= of_pod.consented_until
    same = (decision.start_date, decision.end_date) == (start, end) and not decision.refused
    assert (decision.status is AgreementStatus.VALIDATED) == same


S = AgreementStatus
TODAY = date(2025, 1, 15)


@pytest.mark.parametrize(("status", "allowed"), [(status, status in OPEN) for status in S])
def test_only_what_is_not_agreed_yet_can_be_countered(status: AgreementStatus, *, allowed: bool) -> None:
    with nullcontext() if allowed else pytest.raises(AgreementMoveRefused, match="Proposed or Countered"):
        must_be_open(status)


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("by_provider", [True, False])
def test_each_party_validates_what_the_other_said_last(status: AgreementStatus, *, by_provider: bool) -> None:
    others = S.PROPOSED if by_provider else S.COUNTERED
    if status in (others, S.VALIDATED):
        assert validated(status, by_provider=by_provider) is S.VALIDATED
    else:
        with pytest.raises(AgreementMoveRefused, match=others):
            validated(status, by_provider=by_provider)


@pytest.mark.parametrize("status", list(S))
@pytest.mark.parametrize("covered", [True, False])
def test_what_is_agreed_stands_as_long_as_anything_may_leave(status: AgreementStatus, *, covered: bool) -> None:
    in_force = S.VALIDATED if covered else S.SUSPENDED
    expected = in_force if status in (S.VALIDATED, S.SUSPENDED) else status
    assert standing(status, covered=covered) is expected


@pytest.mark.parametrize(
    ("status", "on", "expected"),
    [
        (S.PROPOSED, None, (S.ENDED, FEBRUARY)),
        (S.COUNTERED, TODAY, (S.ENDED, FEBRUARY)),
        (S.VALIDATED, None, (S.ENDED, TODAY)),
        (S.SUSPENDED, None, (S.ENDED, TODAY)),
        (S.VALIDATED, date(2024, 1, 1), (S.ENDED, JANUARY)),
        (S.VALIDATED, date(2025, 1, 16), (S.VALIDATED, date(2025, 1, 16))),
        (S.SUSPENDED, FEBRUARY, (S.SUSPENDED, FEBRUARY)),
    ],
)
def test_an_end_takes_the_days_from_it_on(
    status: AgreementStatus, on: date | None, expected: tuple[AgreementStatus, date]
) -> None:
    assert ended(status, JANUARY, FEBRUARY, on=on, today=TODAY) == expected


def test_an_agreement_of_days_long_past_can_be_ended_as_it_is() -> None:
    assert ended(S.VALIDATED, JANUARY, FEBRUARY, on=None, today=MARCH) == (S.ENDED, FEBRUARY)


@pytest.mark.parametrize(("status", "on"), [(S.ENDED, None), (S.VALIDATED, MARCH), (S.SUSPENDED, MARCH)])
def test_an_end_that_would_lengthen_or_repeat_is_refused(status: AgreementStatus, on: date | None) -> None:
    with pytest.raises(AgreementMoveRefused):
        ended(status, JANUARY, FEBRUARY, on=on, today=TODAY)


def test_by_hand_a_provider_offers_less_and_never_more() -> None:
    asked = proposal("AT1", "AT2")
    less = narrowed(asked, start=date(2025, 1, 2), end=None, leave_out=frozenset({"AT2"}))
    assert (less.pods, less.start_date, less.end_date) == (("AT1",), date(2025, 1, 2), FEBRUARY)
    for wider in ({"start": date(2024, 1, 1), "end": None}, {"start": None, "end": MARCH}):
        with pytest.raises(AgreementMoveRefused, match="only less"):
            narrowed(asked, leave_out=frozenset(), **wider)
    with pytest.raises(AgreementMoveRefused, match="AT9"):
        narrowed(asked, start=None, end=None, leave_out=frozenset({"AT9"}))

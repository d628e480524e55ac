from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.agreement import AgreementStatus, ConfirmedPod, Proposal, decide
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

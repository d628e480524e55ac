from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.contract.series import TimeStep
from flexiciency.domain.activation import (
    ActivationMoveRefused,
    PodConsent,
    Status,
    decide,
    decide_unregulated,
    limited,
    must_be_received,
    refuse_all,
    refuse_more,
    stopped,
)
from flexiciency.domain.reasons import ReasonCode
from flexiciency.domain.selection import Selection, Service

SERVICE = Service(
    service_type="IndividualDataProvision", quantity="EnergyConsumption", time_step=TimeStep.PT15M,
    customer_consent_mandatory=True, subscribed=True,
)  # fmt: skip
AGGREGATES = Service(
    service_type="AggregatedDataProvision", quantity="EnergyConsumption", time_step=TimeStep.PT15M,
    customer_consent_mandatory=False, subscribed=True, level="Portfolio", method="Sum",
)  # fmt: skip
ENERGY_SERVICE = Service(
    service_type="EnergyServiceProvision", customer_consent_mandatory=False, subscribed=True, regulated=False
)
SELECTION = Selection(
    aggregated=False, quantity="EnergyConsumption", time_step=TimeStep.PT15M,
    start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2025, 2, 1, tzinfo=UTC),
)  # fmt: skip
OF_AGGREGATES = replace(SELECTION, aggregated=True, level="Portfolio", method="Sum", customers=("C-1",))
CONSENTED = PodConsent(consented=True, in_scope=True)
COARSE = PodConsent(consented=True, in_scope=False)
NOT_ASKED = PodConsent(consented=False, in_scope=False)
FACTS = {"AT1": CONSENTED, "AT2": CONSENTED, "AT3": NOT_ASKED, "AT4": COARSE}


def test_all_pods_consented_is_ok() -> None:
    decision = decide(("AT1", "AT2"), SELECTION, SERVICE, FACTS)
    assert (decision.status, decision.confirmed, decision.refused) == (Status.OK, ("AT1", "AT2"), ())
    assert decision.reason is None


def test_some_pods_consented_is_partial_with_a_reason_for_each_other() -> None:
    decision = decide(("AT1", "AT3", "AT4", "AT9", "AT2", "AT2"), None, SERVICE, FACTS)
    assert decision.status is Status.PARTIAL
    assert decision.confirmed == ("AT1",)
    assert [(one.pod, one.reason.code) for one in decision.refused] == [
        ("AT3", ReasonCode.NO_CONSENT),
        ("AT4", ReasonCode.CONSENT_SCOPE),
        ("AT9", ReasonCode.POD_UNKNOWN),
        ("AT2", ReasonCode.POD_REPEATED),
    ]


def test_no_pod_consented_is_ko_with_the_first_reason() -> None:
    decision = decide(("AT4", "AT3"), SELECTION, SERVICE, FACTS)
    assert (decision.status, decision.confirmed) == (Status.KO, ())
    assert decision.reason is not None
    assert decision.reason.code == ReasonCode.CONSENT_SCOPE
    assert len(decision.refused) == 2


def test_a_request_without_pods_is_ok_or_ko_but_never_partial() -> None:
    assert decide((), SELECTION, SERVICE, {}).status is Status.OK
    assert decide((), replace(SELECTION, quantity="Power"), SERVICE, {}).status is Status.KO


def test_where_consent_is_not_mandatory_any_known_pod_is_confirmed() -> None:
    service = replace(SERVICE, customer_consent_mandatory=False)
    assert decide(("AT3", "AT4"), None, service, FACTS).status is Status.OK
    assert decide(("AT9",), None, service, FACTS).status is Status.KO


def test_an_aggregate_is_confirmed_whole_or_not_at_all() -> None:
    assert decide(("AT1", "AT3"), OF_AGGREGATES, AGGREGATES, FACTS).status is Status.OK
    decision = decide(("AT1", "AT9"), OF_AGGREGATES, AGGREGATES, FACTS)
    assert (decision.status, decision.confirmed) == (Status.KO, ())


@pytest.mark.parametrize(
    ("service", "selection", "code"),
    [
        (None, SELECTION, ReasonCode.SERVICE_UNKNOWN),
        (replace(SERVICE, service_type="EnergyServiceProvision"), None, ReasonCode.SERVICE_TYPE_MISMATCH),
        (replace(SERVICE, subscribed=False), SELECTION, ReasonCode.SERVICE_NOT_SUBSCRIBED),
        (replace(SERVICE, regulated=False), SELECTION, ReasonCode.USE_UNREGULATED_REQUEST),
        (SERVICE, OF_AGGREGATES, ReasonCode.SERVICE_TYPE_MISMATCH),
        (AGGREGATES, SELECTION, ReasonCode.SERVICE_TYPE_MISMATCH),
        (SERVICE, replace(SELECTION, quantity="Power"), ReasonCode.SELECTION_NOT_SERVED),
        (replace(SERVICE, time_step=TimeStep.PT10M), SELECTION, ReasonCode.SELECTION_NOT_SERVED),
        (SERVICE, replace(SELECTION, pods=("AT9",)), ReasonCode.POD_UNKNOWN),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_request_refuses_all_of_it(
    service: Service | None, selection: Selection | None, code: ReasonCode
) -> None:
    decision = decide(("AT1",), selection, service, FACTS)
    assert (decision.status, decision.confirmed, decision.refused) == (Status.KO, (), ())
    assert decision.reason is not None
    assert decision.reason.code == code


@given(
    pods=st.lists(st.sampled_from(["AT1", "AT2", "AT3", "AT4", "AT9"]), max_size=8),
    selection=st.none() | st.just(SELECTION),
    service=st.sampled_from([SERVICE, AGGREGATES]),
)
def test_partial_is_a_non_empty_proper_subset_of_the_pods_asked_for(
    pods: list[str], selection: Selection | None, service: Service
) -> None:
    decision = decide(tuple(pods), selection, service, FACTS)
    confirmed, asked = set(decision.confirmed), set(pods)
    proper = bool(confirmed) and confirmed < asked
    assert (decision.status is Status.PARTIAL) == proper
    assert (decision.status is Status.OK) == (confirmed == asked and not decision.refused and decision.reason is None)
    assert (decision.status is Status.KO) == (decision.reason is not None)
    assert len(decision.confirmed) == len(confirmed)
    assert confirmed.isdisjoint(one.pod for one in decision.refused)
    if service is SERVICE:
        assert confirmed | {one.pod for one in decision.refused} == asked
        assert all(FACTS[pod].in_scope for pod in confirmed)


def test_the_selection_is_answered_as_it_is_served_and_not_at_all_where_nothing_is_confirmed() -> None:
    finer = replace(SELECTION, time_step=TimeStep.PT10M)
    assert decide(("AT1", "AT3"), finer, SERVICE, FACTS).selection == SELECTION
    assert decide(("AT3",), finer, SERVICE, FACTS).selection is None


@pytest.mark.parametrize(
    ("service", "status", "code"),
    [
        (ENERGY_SERVICE, Status.OK, None),
        (None, Status.KO, ReasonCode.SERVICE_UNKNOWN),
        (replace(ENERGY_SERVICE, subscribed=False), Status.KO, ReasonCode.SERVICE_NOT_SUBSCRIBED),
        (SERVICE, Status.KO, ReasonCode.USE_DSO_REQUEST),
    ],
)
def test_an_unregulated_request_is_for_subscribed_services_of_unregulated_registrations(
    service: Service | None, status: Status, code: ReasonCode | None
) -> None:
    decision = decide_unregulated(service)
    assert (decision.status, decision.reason and decision.reason.code) == (status, code)


def test_limits_make_an_ok_partial_and_leave_a_ko() -> None:
    found = limited(decide_unregulated(ENERGY_SERVICE), "Weekdays only.")
    assert (found.status, found.reason and found.reason.text) == (Status.PARTIAL, "Weekdays only.")
    assert limited(decide_unregulated(None), "Weekdays only.") == decide_unregulated(None)


def test_the_provider_refuses_more_than_the_rules_and_never_less() -> None:
    decision = decide(("AT1", "AT2", "AT3"), SELECTION, SERVICE, FACTS)
    assert refuse_more(decision, SERVICE, frozenset(), None) == decision
    less = refuse_more(decision, SERVICE, frozenset({"AT2"}), "Meter broken.")
    assert (less.status, less.confirmed) == (Status.PARTIAL, ("AT1",))
    assert [(one.pod, one.reason.code) for one in less.refused] == [
        ("AT3", ReasonCode.NO_CONSENT),
        ("AT2", ReasonCode.REFUSED_BY_PROVIDER),
    ]
    assert refuse_more(decision, SERVICE, frozenset({"AT1", "AT2"}), None).status is Status.KO
    with pytest.raises(ActivationMoveRefused, match="AT3"):
        refuse_more(decision, SERVICE, frozenset({"AT3"}), None)


def test_a_whole_refusal_confirms_nothing() -> None:
    decision = refuse_all(decide(("AT1", "AT3"), SELECTION, SERVICE, FACTS), "No capacity.")
    assert (decision.status, decision.confirmed, decision.selection) == (Status.KO, (), None)
    assert decision.reason is not None
    assert (decision.reason.code, decision.reason.text) == (ReasonCode.REFUSED_BY_PROVIDER, "No capacity.")
    assert {one.pod for one in decision.refused} == {"AT1", "AT3"}


@pytest.mark.parametrize("status", Status)
def test_what_is_received_or_active_can_be_stopped_once(status: Status) -> None:
    if status in (Status.KO, Status.STOPPED):
        with pytest.raises(ActivationMoveRefused, match=f"It is {status}"):
            stopped(status)
    else:
        assert stopped(status) is Status.STOPPED


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.RECEIVED])
def test_only_what_is_received_is_decided(status: Status) -> None:
    must_be_received(Status.RECEIVED)
    with pytest.raises(ActivationMoveRefused, match=f"It is {status}"):
        must_be_received(status)

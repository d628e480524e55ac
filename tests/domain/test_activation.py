import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.activation import PodConsent, Selection, Service, Status, decide
from flexiciency.domain.reasons import ReasonCode

SERVICE = Service("IndividualDataProvision", "EnergyConsumption", 900, customer_consent_mandatory=True, subscribed=True)
AGGREGATES = Service(
    "AggregatedDataProvision", "EnergyConsumption", 900, customer_consent_mandatory=False, subscribed=True
)
SELECTION = Selection(aggregated=False, quantity="EnergyConsumption", time_step=900)
CONSENTED = PodConsent(1, consented=True, in_scope=True)
COARSE = PodConsent(2, consented=True, in_scope=False)
NOT_ASKED = PodConsent(3, consented=False, in_scope=False)
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
    assert decide((), Selection(aggregated=False, quantity="Power", time_step=900), SERVICE, {}).status is Status.KO


def test_where_consent_is_not_mandatory_any_known_pod_is_confirmed() -> None:
    service = Service("IndividualDataProvision", "Power", 900, customer_consent_mandatory=False, subscribed=True)
    assert decide(("AT3", "AT4"), None, service, FACTS).status is Status.OK
    assert decide(("AT9",), None, service, FACTS).status is Status.KO


def test_an_aggregate_is_confirmed_whole_or_not_at_all() -> None:
    selection = Selection(aggregated=True, quantity="EnergyConsumption", time_step=900)
    assert decide(("AT1", "AT3"), selection, AGGREGATES, FACTS).status is Status.OK
    decision = decide(("AT1", "AT9"), selection, AGGREGATES, FACTS)
    assert (decision.status, decision.confirmed) == (Status.KO, ())


@pytest.mark.parametrize(
    ("service", "selection", "code"),
    [
        (None, SELECTION, ReasonCode.SERVICE_UNKNOWN),
        (Service("EnergyServiceProvision", None, None, customer_consent_mandatory=False, subscribed=True), None,
         ReasonCode.SERVICE_TYPE_MISMATCH),
        (Service("IndividualDataProvision", "EnergyConsumption", 900, customer_consent_mandatory=True,
                 subscribed=False), SELECTION, ReasonCode.SERVICE_NOT_SUBSCRIBED),
        (SERVICE, Selection(aggregated=True, quantity="EnergyConsumption", time_step=900),
         ReasonCode.SERVICE_TYPE_MISMATCH),
        (SERVICE, Selection(aggregated=False, quantity="Power", time_step=900), ReasonCode.SELECTION_NOT_SERVED),
        (SERVICE, Selection(aggregated=False, quantity="EnergyConsumption", time_step=600),
         ReasonCode.SELECTION_NOT_SERVED),
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

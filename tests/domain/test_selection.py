from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.contract.series import TimeStep
from flexiciency.domain.reasons import ReasonCode
from flexiciency.domain.selection import Selection, SelectionMoveRefused, Service, narrow, serve

START, END = datetime(2025, 3, 29, 23, tzinfo=UTC), datetime(2025, 3, 30, 22, tzinfo=UTC)
"""The day of 23 hours in Vienna."""
SERVICE = Service(
    service_type="IndividualDataProvision", quantity="EnergyConsumption", time_step=TimeStep.PT15M,
    customer_consent_mandatory=True, subscribed=True, level="None",
)  # fmt: skip
AGGREGATES = replace(
    SERVICE, service_type="AggregatedDataProvision", level="City", method="Sum", countries=("AT",),
    cities=("Linz", "Wels"),
)  # fmt: skip
ASKED = Selection(
    aggregated=False, quantity="EnergyConsumption", time_step=TimeStep.PT15M, start=START, end=END, pods=("AT1", "AT2"),
    encoding="Compact",
)  # fmt: skip
OF_AGGREGATES = replace(ASKED, aggregated=True, level="City", method="Sum", pods=(), cities=("Linz",))
KNOWN = frozenset({"AT1", "AT2"})


@pytest.mark.parametrize(
    ("asked", "service"),
    [
        (ASKED, SERVICE),
        (replace(ASKED, pods=()), SERVICE),
        (ASKED, replace(SERVICE, start=START, end=END)),
        (replace(ASKED, time_step=TimeStep.PT1H), SERVICE),
        (replace(OF_AGGREGATES, time_step=TimeStep.P1D), AGGREGATES),
        (OF_AGGREGATES, AGGREGATES),
        (replace(OF_AGGREGATES, countries=("AT",), streets=("Landstraße",)), AGGREGATES),
        (replace(OF_AGGREGATES, cities=("Graz",)), replace(AGGREGATES, cities=())),
        (replace(OF_AGGREGATES, level="Portfolio", customers=("C-1",)), replace(AGGREGATES, level="Portfolio")),
    ],
)
def test_what_the_service_has_is_served_as_asked(asked: Selection, service: Service) -> None:
    answer = serve(asked, service, KNOWN)
    assert (answer.selection, answer.reason) == (asked, None)


@pytest.mark.parametrize(
    ("asked", "service", "served", "why"),
    [
        (replace(ASKED, time_step=TimeStep.PT10M), SERVICE, ASKED, "the time step is PT15M"),
        (replace(ASKED, pods=("AT1", "AT9")), SERVICE, replace(ASKED, pods=("AT1",)), "1 PoDs"),
        (ASKED, replace(SERVICE, start=START + timedelta(hours=1)), replace(ASKED, start=START + timedelta(hours=1)),
         "Period is cut"),
        (ASKED, replace(SERVICE, end=END - timedelta(hours=1)), replace(ASKED, end=END - timedelta(hours=1)),
         "Period is cut"),
        (replace(OF_AGGREGATES, cities=("Linz", "Graz")), AGGREGATES, OF_AGGREGATES, "each City"),
        (replace(OF_AGGREGATES, countries=("AT", "IT")), AGGREGATES, replace(OF_AGGREGATES, countries=("AT",)),
         "each Country"),
    ],
)  # fmt: skip
def test_more_than_the_service_has_is_narrowed_with_the_reason(
    asked: Selection, service: Service, served: Selection, why: str
) -> None:
    answer = serve(asked, service, KNOWN)
    assert answer.selection == served
    assert answer.reason is not None
    assert answer.reason.code is ReasonCode.SELECTION_NARROWED
    assert why in answer.reason.text


@pytest.mark.parametrize(
    ("asked", "service", "code"),
    [
        (ASKED, None, ReasonCode.SERVICE_UNKNOWN),
        (ASKED, replace(SERVICE, subscribed=False), ReasonCode.SERVICE_NOT_SUBSCRIBED),
        (ASKED, AGGREGATES, ReasonCode.SERVICE_TYPE_MISMATCH),
        (OF_AGGREGATES, SERVICE, ReasonCode.SERVICE_TYPE_MISMATCH),
        (replace(ASKED, quantity="Power"), SERVICE, ReasonCode.SELECTION_NOT_SERVED),
        (ASKED, replace(SERVICE, time_step=TimeStep.PT10M), ReasonCode.SELECTION_NOT_SERVED),
        (replace(OF_AGGREGATES, level="Street"), AGGREGATES, ReasonCode.SELECTION_NOT_SERVED),
        (replace(OF_AGGREGATES, method="Mean"), AGGREGATES, ReasonCode.SELECTION_NOT_SERVED),
        (replace(OF_AGGREGATES, cities=("Graz",)), AGGREGATES, ReasonCode.SELECTION_NOT_SERVED),
        (replace(OF_AGGREGATES, level="Portfolio"), replace(AGGREGATES, level="Portfolio"),
         ReasonCode.SELECTION_NOT_SERVED),
        (replace(ASKED, end=START), SERVICE, ReasonCode.PERIOD_EMPTY),
        (replace(ASKED, start=END, end=START), SERVICE, ReasonCode.PERIOD_EMPTY),
        (ASKED, replace(SERVICE, start=END), ReasonCode.PERIOD_EMPTY),
        (ASKED, replace(SERVICE, end=START), ReasonCode.PERIOD_EMPTY),
        (replace(ASKED, pods=("AT1", "AT2", "AT1")), SERVICE, ReasonCode.POD_REPEATED),
        (replace(ASKED, pods=("AT8", "AT9")), SERVICE, ReasonCode.POD_UNKNOWN),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_refused(asked: Selection, service: Service | None, code: ReasonCode) -> None:
    answer = serve(asked, service, KNOWN)
    assert answer.selection is None
    assert answer.reason is not None
    assert answer.reason.code is code


@given(
    pods=st.lists(st.sampled_from(["AT1", "AT2", "AT8", "AT9"]), unique=True).map(tuple),
    step=st.sampled_from(TimeStep), of_service=st.sampled_from(TimeStep),
    hours=st.tuples(*[st.integers(0, 48)] * 4),
)  # fmt: skip
def test_what_is_served_is_never_more_than_was_asked_or_the_service_has(
    pods: tuple[str, ...], step: TimeStep, of_service: TimeStep, hours: tuple[int, int, int, int]
) -> None:
    first, last, since, until = (START + timedelta(hours=hour) for hour in hours)
    asked = replace(ASKED, pods=pods, time_step=step, start=first, end=last)
    service = replace(SERVICE, time_step=of_service, start=since, end=until)
    answer = serve(asked, service, KNOWN)
    served = answer.selection
    if served is None:
        assert answer.reason is not None
        return
    assert max(first, since) == served.start < served.end == min(last, until)
    assert set(served.pods) == set(pods) & KNOWN
    assert served.time_step is (step if step.seconds > of_service.seconds else of_service)
    assert served.time_step.seconds % of_service.seconds == 0
    assert (answer.reason is None) == (served == asked)
    assert serve(served, service, KNOWN).selection == served


def test_the_provider_narrows_what_it_serves() -> None:
    later = START + timedelta(hours=2)
    assert narrow(ASKED, start=later, end=None) == replace(ASKED, start=later)
    assert narrow(ASKED, start=None, end=later) == replace(ASKED, end=later)


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (START - timedelta(hours=1), None, "only be narrowed"),
        (None, END + timedelta(hours=1), "only be narrowed"),
        (END, None, "No instant"),
        (END, START, "No instant"),
        (None, None, "served already"),
        (START, END, "served already"),
    ],
)
def test_it_serves_neither_more_nor_nothing(start: datetime | None, end: datetime | None, why: str) -> None:
    with pytest.raises(SelectionMoveRefused, match=why):
        narrow(ASKED, start=start, end=end)

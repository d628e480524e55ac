"""Aggregated services of the world's DSO, agreements on them, and the selections that ask for their values."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import insert

from flexiciency.contract.codec import AggregatesMessage
from flexiciency.contract.codec_read import read_aggregates
from flexiciency.services.replies import B2B
from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.gateway import Sender
from tests.messages import ACT, END, START, activation, new_id, proposal
from tests.world import DSO, END_DAY, FIRST_DAY, SUBSCRIPTION, pod_name


def add_service(database: Database, *, mandatory: bool = False, **changes: Any) -> str:
    """An aggregated service of the DSO that the player has subscribed to; its Id."""
    identifier = new_id()
    fields = {
        "service_type": "AggregatedDataProvision", "short_description": "Sums", "usage_details": "Planning",
        "aggregation_level": "Portfolio", "aggregation_method": "Sum", "quantity": "EnergyConsumption",
        "time_step": "PT15M",
    }  # fmt: skip
    with database.begin() as connection:
        connection.execute(
            insert(tables.service_description).values(
                id=identifier, owner_id=DSO, customer_consent_mandatory=mandatory, **(fields | changes)
            )
        )
        connection.execute(
            insert(tables.b2b_service_subscription_description).values(
                subscription_id=SUBSCRIPTION, service_description_id=identifier
            )
        )
    return identifier


def agree_on_pods(player: Sender, service: str, pods: list[str], start: date = FIRST_DAY, end: date = END_DAY) -> str:
    """Activation of an aggregated service and an agreement on it, over HTTP; the agreement's Id."""
    request, agreement = new_id(), new_id()
    named = {"MarketPlaceServiceDescriptionRef": service}
    assert player.send(activation(request, pods, **named)).body.findtext(f".//{ACT}Status") == "OK"
    agreed = player.send(proposal(agreement, request, pods, StartDate=start, EndDate=end, **named)).body
    assert agreed.findtext(f".//{ACT}Status") == "Validated"
    return agreement


def agree_on_aggregates(player: Sender, service: str, numbers: list[int]) -> str:
    """An agreement on the PoDs of these customers for January 2025; its Id."""
    return agree_on_pods(player, service, [pod_name(number) for number in numbers])


def aggregates(agreement: str, start: datetime = START, end: datetime = END, /, **changes: Any) -> Any:
    """RequestAggregatedDataValues; of the localization, what is named as in AGG-DAT-SEL."""
    places = {name: changes.pop(name) for name in ("CustomerId", "PoD", "Country", "City", "Street") if name in changes}
    fields = {
        "Id": new_id(), "AggregationLevel": "Portfolio", "AggregationMethod": "Sum", "Quantity": "EnergyConsumption",
        "Period": B2B.Period(Start=start, End=end), "Localization": B2B.AggregatedLocalization(**places),
        "TimeStep": "PT15M", "MarketPlaceServiceDescriptionRef": new_id(),
    }  # fmt: skip
    return B2B.RequestAggregatedDataValues(
        AgreementId=agreement, AggregatedDataSelection=B2B.AggregatedDataSelection(**(fields | changes))
    )


def aggregates_of(player: Sender, request: Any) -> AggregatesMessage:
    """The aggregates that a request gets."""
    answer = player.send(request)
    return read_aggregates(answer.body, answer.canonical_body)

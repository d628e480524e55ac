"""Aggregated services of the world's DSO, agreements on them, and the selections that ask for their values."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import insert, update

from flexiciency.contract.codec import AggregatesMessage
from flexiciency.contract.codec_read import read_aggregates
from flexiciency.services.replies import B2B
from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.gateway import Sender
from tests.messages import ACT, END, START, activation, consent, new_id, proposal
from tests.services.zones import add_pod
from tests.world import DSO, END_DAY, FIRST_DAY, SUBSCRIPTION, ZONE, pod_name

DAY = date(2025, 1, 5)


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


def add_pods(database: Database, prefix: str, count: int, **options: Any) -> list[str]:
    """PoDs of customers `C-<PoD>`, with days of values 0, 1, 2 … each; `options` of `add_pod`, and city."""
    city = options.pop("city", "City")
    options = {"zone": ZONE, "days": [DAY]} | options
    pods = [f"{prefix}-{number}" for number in range(count)]
    for pod in pods:
        add_pod(database, pod, customer=f"C-{pod}", **options)
    with database.begin() as connection:
        connection.execute(update(tables.pod).where(tables.pod.c.pod.in_(pods)).values(city=city))
    return pods


def give_consent(channel: Sender, pod: str, **changes: Any) -> str:
    """Consent of the customer of a PoD of `add_pods`; its Id."""
    identifier = new_id()
    channel.send(consent(0, identifier, CustomerId=f"C-{pod}", PoD=[pod], **changes))
    return identifier


def acknowledged(values_id: str, statuses: dict[str, str]) -> Any:
    """AcknowledgeAggregatedData with one status an aggregate."""
    at = datetime(2025, 6, 1, tzinfo=UTC)
    return B2B.AcknowledgeAggregatedData(
        AggregatedDataAcknowledgement=B2B.AggregatedDataAcknowledgement(
            Id=new_id(),
            AggregatedDataValueRef=values_id,
            AggregateAcknowledgement=[
                B2B.AggregateAcknowledgement(
                    AggregationId=name, Acknowledgement=[B2B.Acknowledgement(Timestamp=at, Status=status)]
                )
                for name, status in statuses.items()
            ],
        )
    )


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

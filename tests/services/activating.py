"""What tests of activations and selections share: services besides the world's, messages, what waits in a mailbox."""

from datetime import UTC, datetime
from typing import Any

from lxml import etree
from sqlalchemy import insert, update

from flexiciency.services.replies import B2B
from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.gateway import Sender
from tests.messages import B2BO, COM, new_id, selection
from tests.world import DSO, PLAYER, SERVICE


def add_service(database: Database, owner: str = DSO, *, subscribed: bool = True, **changes: Any) -> str:
    """A service of the owner that the player is subscribed to; individual data of quarter hours unless changed."""
    identifier, subscription = new_id(), new_id()
    fields = {
        "service_type": "IndividualDataProvision", "short_description": "Load curves", "usage_details": "Consent",
        "aggregation_level": "None", "quantity": "EnergyConsumption", "time_step": "PT15M",
        "customer_consent_mandatory": True,
    }  # fmt: skip
    with database.begin() as connection:
        connection.execute(
            insert(tables.service_description).values(id=identifier, owner_id=owner, **(fields | changes))
        )
        connection.execute(
            insert(tables.b2b_service_subscription).values(
                id=subscription, provider_id=owner, requester_id=PLAYER, data_details="Load curves",
                processing_details="Advice", version=1, status="Validated" if subscribed else "Proposed",
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.b2b_service_subscription_description).values(
                subscription_id=subscription, service_description_id=identifier
            )
        )
    return identifier


def add_registration(database: Database, role: str, company: str = DSO) -> str:
    """Another registration of a company."""
    identifier = new_id()
    with database.begin() as connection:
        connection.execute(
            insert(tables.market_player_registration).values(
                id=identifier, description_id=f"{company}:des", role=role, status="Active", since=datetime.now(UTC)
            )
        )
    return identifier


def decide_by_hand(database: Database, service: str = SERVICE, *, by_hand: bool = True) -> None:
    """Whether the operator decides on a service."""
    description = tables.service_description
    with database.begin() as connection:
        connection.execute(update(description).where(description.c.id == service).values(by_hand=by_hand))


def select(**changes: Any) -> Any:
    """SelectIndividualData of the world's service in January 2025."""
    return B2B.SelectIndividualData(IndividualDataSelection=selection(**changes))


def select_aggregates(service: str, place: dict[str, list[str]], **changes: Any) -> Any:
    """SelectAggregatedData of sums by city in January 2025."""
    individual = selection()
    fields = {
        "Id": new_id(), "AggregationLevel": "City", "AggregationMethod": "Sum", "Quantity": "EnergyConsumption",
        "Period": individual.Period, "Localization": B2B.AggregatedLocalization(**place), "TimeStep": "PT15M",
        "MarketPlaceServiceDescriptionRef": service,
    }  # fmt: skip
    return B2B.SelectAggregatedData(AggregatedDataSelection=B2B.AggregatedDataSelection(**(fields | changes)))


def unregulated(identifier: str, service: str, **changes: Any) -> Any:
    """RequestUnregulatedServiceActivation of the player."""
    fields = {"Id": identifier, "MarketPlaceServiceDescriptionRef": service, "Requester": PLAYER}
    return B2B.RequestUnregulatedServiceActivation(
        UnregulatedServiceActivationRequest=B2B.UnregulatedServiceActivationRequest(**(fields | changes))
    )


def stop(request_id: str, **changes: Any) -> Any:
    """StopServiceActivation."""
    return B2B.StopServiceActivation(RequestId=request_id, **changes)


def codes(reply: etree._Element) -> list[str | None]:
    """The reason codes of a reply."""
    return [code.text for code in reply.iter(f"{COM}Code")]


def told(player: Sender) -> list[etree._Element]:
    """The objects in the mailbox, which is emptied."""
    found = []
    while message := (reply := player.send(B2B.PeekMailbox()).body).findtext(f".//{B2BO}MessageId"):
        found += list(reply.iterfind(f".//{B2BO}Content/*"))
        player.send(B2B.ConfirmMailbox(MessageId=message))
    return found

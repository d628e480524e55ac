"""Providers and requesters at the Market Place of a test, and what they offer and want.

Each party is a registration of its own, so that tests of one module do not match each other's publications.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert

from flexiciency.client.market_objects import (
    B2BStatus,
    B2BSubscription,
    Criteria,
    Role,
    ServiceDescription,
    ServiceLocalization,
    ServiceOffer,
    ServiceSubscription,
)
from flexiciency.client.market_place import MarketPlace
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.errors import PartnerFault
from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.gateway import added, rows
from tests.services.enrolling import calling
from tests.world import DSO, PLAYER, World

YEAR = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
SPRING = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Market:
    """The Market Place of a world, and newcomers who call it."""

    world: World
    url: str
    database: Database
    open: ExitStack

    def party(self, role: Role) -> MarketPlace:
        """A new registration in this role: of the DSO's company, or of the player's where it requests."""
        requests = role == "UnregulatedDataRequester"
        company, identity = (PLAYER, self.world.player) if requests else (DSO, self.world.dso)
        identifier = new_id()
        with self.database.begin() as connection:
            connection.execute(
                insert(tables.market_player_registration).values(
                    id=identifier, description_id=f"{company}:des", role=role, status="Active", since=datetime.now(UTC)
                )
            )
        return self.open.enter_context(calling(self.world, self.url, identity, identifier))

    def provider(self, role: Role = "RegulatedDataProvider") -> MarketPlace:
        """A new provider."""
        return self.party(role)

    def requester(self) -> MarketPlace:
        """A new requester."""
        return self.party("UnregulatedDataRequester")

    def refused(self, call: Callable[[], object]) -> PartnerFault:
        """The fault that a call gets, after which there is nothing more than its evidence."""
        before = rows(self.database)
        with pytest.raises(PartnerFault) as caught:
            call()
        assert added(before, self.database) == {"message": 2}
        return caught.value


def individual(**changes: Any) -> ServiceDescription:
    """Quarter hours of consumption in Linz, or something else of the kind; each with an Id of its own."""
    return replace(
        ServiceDescription(
            short_description="Load curves", usage_details="The customer has consented.",
            customer_consent_mandatory=True, aggregation_level="None", quantity=Quantity.ENERGY_CONSUMPTION,
            period=YEAR, localization=ServiceLocalization(countries=("AT",), cities=("Linz",)),
            time_step=TimeStep.PT15M,
        ),
        **({"id": new_id()} | changes),
    )  # fmt: skip


def aggregated(**changes: Any) -> ServiceDescription:
    """Hourly sums over a city."""
    kind = {"aggregation_level": "City", "aggregation_method": "Sum", "time_step": TimeStep.PT1H}
    return individual(**(kind | changes))


def offer_of(provider: MarketPlace, *details: ServiceDescription | str, **changes: Any) -> ServiceOffer:
    """An offer of individual data."""
    offer = ServiceOffer(
        service_type="IndividualDataProvision", supplier=provider.registration_id, details=details or (individual(),)
    )
    return replace(offer, **changes)


def wish_of(requester: MarketPlace, *details: ServiceDescription | str, **changes: Any) -> ServiceSubscription:
    """A subscription to individual data."""
    subscription = ServiceSubscription(
        service_type="IndividualDataProvision", requester=requester.registration_id, details=details or (individual(),)
    )
    return replace(subscription, **changes)


def place(city: str, **changes: Any) -> ServiceLocalization:
    """A city in Austria."""
    return replace(ServiceLocalization(countries=("AT",), cities=(city,)), **changes)


def matched(party: MarketPlace, status: B2BStatus | None = None) -> list[B2BSubscription]:
    """The B2B service subscriptions of a party."""
    return list(party.find_b2b_subscriptions(status=status).items)


def the_only(party: MarketPlace, status: B2BStatus | None = None) -> B2BSubscription:
    """The B2B service subscription of a party that has one."""
    (one,) = matched(party, status)
    return one


def consumption_in(city: str, **changes: Any) -> Criteria:
    """Consumption in a city: without the quantity, services that apply everywhere are found too."""
    return Criteria(quantity=Quantity.ENERGY_CONSUMPTION, localization=place(city, **changes))

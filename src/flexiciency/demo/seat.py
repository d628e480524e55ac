"""The seat of the demo's market player at the Market Place: what it says there, and what it learns."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from flexiciency.client import (
    Account,
    Company,
    ContactDetails,
    ContactPoint,
    Enrolment,
    Location,
    MarketPlace,
    PartnerUnreachable,
    Registration,
    ServiceDescription,
    ServiceLocalization,
    ServiceSubscription,
    TimeStep,
    new_id,
    new_message_id,
)
from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.demo.books import Books
from flexiciency.demo.parties import ACCESS_POINT, Region, Wish
from flexiciency.demo.plan import Plan
from flexiciency.errors import GatewayError
from flexiciency.wire.identity import valid_between

_YEAR = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
_AGAIN = 1.0
"""Seconds between questions whether we are approved, and between attempts to reach a Market Place that is away."""


class NoDso(GatewayError):  # noqa: N818  named like the coded errors
    """The Market Place did not name one DSO for a point of delivery."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A B2B-SRV-SUB that both have validated, and its services: load curves, and their sum."""

    subscription: str
    curves: str
    sums: str


class Seat:
    """One market player as a client of the Market Place."""

    def __init__(self, plan: Plan, region: Region, place: MarketPlace, books: Books) -> None:
        self._plan = plan
        self._region = region
        self._place = place
        self._books = books
        self._late = [(_subscription(region, wish), new_message_id()) for wish in region.wishes if wish.late]
        self._next_attempt = 0.0

    def enrol(self) -> None:
        """MPL-REG with all that belongs to it; returns once the operator has approved it. Raises Stopped."""
        registration = self._place.enrol(_enrolment(self._plan, self._region))
        while registration.status != "Active":
            self._books.wait(_AGAIN)
            registration = self._place.read_registration(registration.id).registration
        self._place.read_market_place()
        self._books.write("INSERT INTO read_object VALUES ('MKP-DES', ?)", time.time())

    def find_dso(self) -> Enrolment:
        """Whose network a customer's PoD is in, with its address and certificates. Raises NoDso."""
        pod = self._region.town.pods[0].pod
        found = self._place.find_dso(pod=pod)
        if found.outcome != "Unique":
            raise NoDso(f"The DSO of {pod} is {found.outcome} at the Market Place.")
        return self._place.read_registration(found.dsos[0].registration.id)

    def subscribe(self) -> None:
        """MKP-SRV-SUB for each wish that is not late."""
        for wish in self._region.wishes:
            if not wish.late:
                subscription = self._place.publish_subscription(_subscription(self._region, wish))
                self._books.write("INSERT INTO attempt VALUES (?, ?, 1)", subscription.id, time.time())

    def validated(self, provider: str) -> Agreed:
        """Validate what the Market Place matched with this provider; what it is once both have."""
        ours: set[tuple[str, str]] = set()
        of_provider = "SELECT id, version, status FROM b2b WHERE provider = ?"
        while True:
            for identifier, version, status in self._books.rows(of_provider, provider):
                if status == "Validated":
                    return self._agreed(identifier)
                if status == "Proposed" and (identifier, version) not in ours:
                    ours.add((identifier, version))
                    self._books.store_b2b(self._place.validate_b2b_subscription(identifier))
            self._books.wait()

    def _agreed(self, identifier: str) -> Agreed:
        descriptions = self._place.read_b2b_subscription(identifier).descriptions
        services = {self._place.read_description(one).aggregation_level: one for one in descriptions}
        return Agreed(identifier, services["None"], services["City"])

    def subscribe_late(self) -> None:
        """Try to publish what is late: the same message again and again, until the Market Place is back."""
        if not self._late or time.monotonic() < self._next_attempt:
            return
        self._next_attempt = time.monotonic() + _AGAIN
        subscription, message_id = self._late[0]
        try:
            self._place.publish_subscription(subscription, message_id=message_id)
        except PartnerUnreachable:
            self._books.write("INSERT INTO attempt VALUES (?, ?, 0)", subscription.id, time.time())
        else:
            self._books.write("INSERT INTO attempt VALUES (?, ?, 1)", subscription.id, time.time())
            del self._late[0]


def _enrolment(plan: Plan, region: Region) -> Enrolment:
    player, certificate = region.player, plan.identity(region.player.name).certificate
    company, account, location = new_id(), new_id(), new_id()
    contact = ContactDetails(name=player.company, email=player.email, city=player.city, country=player.country)
    return Enrolment(
        registration=Registration(
            id=player.id, role="UnregulatedDataRequester", company=company, accounts=(account,), locations=(location,)
        ),
        company=Company(
            id=company, information=player.company, contact_details=contact, company_type="EnergyUnregulatedPlayer",
            company_subtype="Other", registrations=(player.id,),
        ),
        accounts=(
            Account(
                id=account, contact_point=ContactPoint(name=player.company, email=player.email),
                certificate=certificate, validity=valid_between(certificate), registration=player.id,
                market_place_location=ACCESS_POINT,
            ),
        ),
        locations=(Location(id=location, uri=plan.url(player.name, MARKET_PLAYER), registrations=(player.id,)),),
    )  # fmt: skip


def _subscription(region: Region, wish: Wish) -> ServiceSubscription:
    return ServiceSubscription(
        service_type="AggregatedDataProvision" if wish.summed else "IndividualDataProvision",
        requester=region.player.id,
        details=(
            ServiceDescription(
                short_description=f"{wish.quantity} in {wish.place.city}, every quarter of an hour",
                usage_details="Energy advice",
                customer_consent_mandatory=not wish.summed,
                aggregation_level="City" if wish.summed else "None",
                aggregation_method="Sum" if wish.summed else None,
                quantity=wish.quantity,
                period=_YEAR,
                localization=ServiceLocalization(countries=(wish.place.country,), cities=(wish.place.city,)),
                time_step=TimeStep.PT15M,
            ),
        ),
    )

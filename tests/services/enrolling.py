"""Newcomers at the Market Place: what they enrol with, how they call, and the operator who approves them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from flexiciency.client.market_objects import (
    Account,
    Company,
    ContactDetails,
    ContactPoint,
    Enrolment,
    Location,
    Registration,
    Role,
    Territory,
)
from flexiciency.client.market_place import MarketPlace
from flexiciency.contract.ids import new_id
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.registration import Move
from flexiciency.services.matching import Matching
from flexiciency.services.registration import operator_move
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from flexiciency.wire.authority import Authority
from flexiciency.wire.identity import Identity, valid_between
from tests.world import World

ACCESS_POINT = "urn:uuid:00000000-0000-4000-8000-0000000acce5"
REQUESTER: Role = "UnregulatedDataRequester"
PROVIDER: Role = "RegulatedDataProvider"


def add_access_point(database: Database) -> None:
    """The MKP-ADD that every account names."""
    with database.begin() as connection:
        values = {"id": ACCESS_POINT, "uri": "https://market.example/v1/services/market-place"}
        connection.execute(insert(tables.market_place_location).values(values))


def issued(authority: Authority, name: str = "newcomer", *, days: int = 30) -> Identity:
    """A new key with a certificate of this CA, valid since yesterday."""
    now = datetime.now(UTC)
    validity = {"valid_from": now - timedelta(days=1), "valid_until": now + timedelta(days=days)}
    return authority.issue(name, "ec", **validity).identity


def account_of(identity: Identity, registration_id: str, **changes: Any) -> Account:
    """MPL-AUT that binds the certificate for as long as it is valid."""
    account = Account(
        contact_point=ContactPoint(name="Operations", email="ops@example.org"), certificate=identity.certificate,
        validity=valid_between(identity.certificate), registration=registration_id, market_place_location=ACCESS_POINT,
    )  # fmt: skip
    return replace(account, **changes)


def enrolment_of(
    identity: Identity, *, role: Role = REQUESTER, name: str = "Energy Advice", uri: str = ""
) -> Enrolment:
    """A new company in one role, with an address for pushes where `uri` is given."""
    registration_id, company_id = new_id(), new_id()
    account = account_of(identity, registration_id)
    locations = (Location(uri=uri, registrations=(registration_id,)),) if uri else ()
    contact = ContactDetails(name=name, email="info@example.org", city="Linz", country="AT")
    return Enrolment(
        registration=Registration(
            id=registration_id, role=role, company=company_id, accounts=(account.id,),
            locations=tuple(one.id for one in locations),
        ),
        company=Company(
            id=company_id, information="Advice for households", contact_details=contact,
            company_type="EnergyUnregulatedPlayer", company_subtype="ESCO", registrations=(registration_id,),
            territories=(Territory(country="AT", city="Linz", pod_prefix="AT003"), Territory(country="AT")),
        ),
        accounts=(account,),
        locations=locations,
    )  # fmt: skip


def joining(company: Company, identity: Identity, role: Role) -> Enrolment:
    """Another role of a company that is enrolled already."""
    registration_id = new_id()
    account = account_of(identity, registration_id)
    return Enrolment(
        registration=Registration(id=registration_id, role=role, company=company.id, accounts=(account.id,)),
        company=replace(company, registrations=(*company.registrations, registration_id)),
        accounts=(account,),
    )


def calling(world: World, url: str, identity: Identity, registration_id: str) -> MarketPlace:
    """A registration as a client of the Market Place at a gateway."""
    return MarketPlace(identity, registration_id, f"{url}/v1/services/market-place", world.anchors)


def enrolled(world: World, url: str, database: Database, identity: Identity, **wanted: Any) -> Enrolment:
    """A newcomer that the operator has approved."""
    enrolment = enrolment_of(identity, **wanted)
    enrol(world, url, identity, enrolment)
    operate(database, enrolment.registration.id, Move.APPROVE)
    return enrolment


def enrol(world: World, url: str, identity: Identity, enrolment: Enrolment, *, sender: str = "") -> Registration:
    """Send an enrolment in its own name, or that of `sender`; raises PartnerFault."""
    with calling(world, url, identity, sender or enrolment.registration.id) as caller:
        return caller.enrol(enrolment)


def operate(database: Database, registration_id: str, move: Move) -> str:
    """A move by the operator of the Market Place; the new status."""
    with transaction(database) as tx:
        return operator_move(tx, Matching(Outbox()), registration_id, move, datetime.now(UTC))

"""Enrolment over HTTP: proof of possession, objects that agree, and nothing half stored (D2.3, 2.2)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from flexiciency.client.market_objects import Company, Enrolment, Location
from flexiciency.client.market_writing import enrolment as written_enrolment
from flexiciency.contract.ids import new_id
from flexiciency.domain.registration import Move
from flexiciency.errors import PartnerFault, StateConflict
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.wire.addressing import new_message_id
from flexiciency.wire.authority import Authority
from flexiciency.wire.identity import Identity, valid_between
from tests.gateway import added, rows
from tests.services.enrolling import (
    PROVIDER,
    REQUESTER,
    account_of,
    calling,
    enrol,
    enrolled,
    enrolment_of,
    issued,
    joining,
    operate,
)
from tests.world import PLAYER, World

pytestmark = pytest.mark.usefixtures("access_point")

EVIDENCE = {"message", "message_chunk"}
URI = "https://player.example/v1/services/market-player"
Change = Callable[[Enrolment], Enrolment]


@pytest.fixture
def newcomer(world: World) -> Identity:
    return issued(world.authority)


def registration(enrolment: Enrolment, **changes: object) -> Enrolment:
    return replace(enrolment, registration=replace(enrolment.registration, **changes))  # type: ignore[arg-type]


def company(enrolment: Enrolment, **changes: object) -> Enrolment:
    return replace(enrolment, company=replace(enrolment.company, **changes))  # type: ignore[arg-type]


def account(enrolment: Enrolment, **changes: object) -> Enrolment:
    return replace(enrolment, accounts=(replace(enrolment.accounts[0], **changes),))  # type: ignore[arg-type]


def location(enrolment: Enrolment, **changes: object) -> Enrolment:
    return replace(enrolment, locations=(replace(enrolment.locations[0], **changes),))  # type: ignore[arg-type]


def refused(world: World, url: str, database: Database, identity: Identity, wanted: Enrolment) -> PartnerFault:
    """The fault that an enrolment gets; nothing but evidence is stored."""
    before = rows(database)
    with pytest.raises(PartnerFault) as caught:
        enrol(world, url, identity, wanted)
    assert set(added(before, database)) <= EVIDENCE
    return caught.value


def test_whoever_enrols_is_pending_and_reads_what_it_sent(world: World, url: str, newcomer: Identity) -> None:
    wanted = enrolment_of(newcomer, uri=URI)
    assert enrol(world, url, newcomer, wanted) == wanted.registration
    with calling(world, url, newcomer, wanted.registration.id) as caller:
        assert caller.read_registration(wanted.registration.id) == wanted


def test_a_pending_one_may_ping_and_read_only(world: World, url: str, newcomer: Identity) -> None:
    wanted = enrolment_of(newcomer)
    enrol(world, url, newcomer, wanted)
    with calling(world, url, newcomer, wanted.registration.id) as caller:
        caller.ping()
        with pytest.raises(PartnerFault) as caught:
            caller.find_registrations()
    assert caught.value.partner_code == "SenderInactive"


def test_once_approved_it_is_active(world: World, url: str, database: Database, newcomer: Identity) -> None:
    wanted = enrolled(world, url, database, newcomer, role=PROVIDER)
    with calling(world, url, newcomer, wanted.registration.id) as caller:
        found = caller.read_registration(wanted.registration.id)
    assert (found.registration.status, found.registration.role) == ("Active", PROVIDER)


def test_nothing_pending_is_part_of_the_directory(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    wanted = enrolment_of(newcomer, uri=URI)
    enrol(world, url, newcomer, wanted)
    assert _changes(database, wanted) == set()
    operate(database, wanted.registration.id, Move.APPROVE)
    assert _changes(database, wanted) == {"MPL-REG", "MPL-DES", "MPL-AUT", "MPL-ADD"}


def test_the_same_message_again_is_answered_as_before(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    wanted, message_id = enrolment_of(newcomer), new_message_id()
    with calling(world, url, newcomer, wanted.registration.id) as caller:
        first = caller.enrol(wanted, message_id=message_id)
        before = rows(database)
        assert caller.enrol(wanted, message_id=message_id) == first
        assert "market_player_registration" not in added(before, database)


AGREEING: dict[str, tuple[Change, str, str]] = {
    "the registration is not that in From": (
        lambda one: registration(one, id=PLAYER), "RequesterMismatch", "MarketPlayerRegistration/Id"
    ),
    "active at once": (
        lambda one: registration(one, status="Active"), "StateConflict", "MarketPlayerRegistration/Status"
    ),
    "with an offer": (
        lambda one: registration(one, offers=(new_id(),)), "ReferenceUnknown",
        "MarketPlayerRegistration/MarketPlaceServiceOfferRef",
    ),
    "with a subscription": (
        lambda one: registration(one, subscriptions=(new_id(),)), "ReferenceUnknown",
        "MarketPlayerRegistration/MarketPlaceServiceSubscriptionRef",
    ),
    "of another company": (
        lambda one: registration(one, company=new_id()), "ReferenceUnknown",
        "MarketPlayerRegistration/MarketPlayerDescriptionRef",
    ),
    "with an account that is not there": (
        lambda one: registration(one, accounts=(new_id(),)), "ReferenceUnknown",
        "MarketPlayerRegistration/MarketPlayerAuthenticationRef",
    ),
    "the same account twice": (
        lambda one: registration(one, accounts=one.registration.accounts * 2), "ReferenceUnknown",
        "MarketPlayerRegistration/MarketPlayerAuthenticationRef",
    ),
    "an address that it does not name": (
        lambda one: registration(one, locations=()), "ReferenceUnknown",
        "MarketPlayerRegistration/MarketPlayerLocationRef",
    ),
    "a company that does not name it": (
        lambda one: company(one, registrations=(new_id(),)), "ReferenceUnknown",
        "MarketPlayerDescription/MarketPlayerRegistrationRef",
    ),
    "a company that names another company's": (
        lambda one: company(one, registrations=(one.registration.id, PLAYER)), "ReferenceUnknown",
        "MarketPlayerDescription/MarketPlayerRegistrationRef",
    ),
    "an account of another registration": (
        lambda one: account(one, registration=PLAYER), "ReferenceUnknown",
        "MarketPlayerAuthentication/MarketPlayerRegistrationRef",
    ),
    "an account at an unknown access point": (
        lambda one: account(one, market_place_location=new_id()), "ReferenceUnknown",
        "MarketPlayerAuthentication/MarketPlaceLocationRef",
    ),
    "an address that serves somebody else": (
        lambda one: location(one, registrations=(one.registration.id, PLAYER)), "ReferenceUnknown",
        "MarketPlayerLocation/MarketPlayerRegistrationRef",
    ),
    "an address that does not serve it": (
        lambda one: location(one, registrations=(PLAYER,)), "ReferenceUnknown",
        "MarketPlayerLocation/MarketPlayerRegistrationRef",
    ),
    "an address without https": (
        lambda one: location(one, uri="http://player.example/push"), "SchemaInvalid", "MarketPlayerLocation/Uri"
    ),
    "an address without a host": (
        lambda one: location(one, uri="https://[player"), "SchemaInvalid", "MarketPlayerLocation/Uri"
    ),
    "a validity turned round": (
        lambda one: account(one, validity=one.accounts[0].validity[::-1]), "SchemaInvalid",
        "MarketPlayerAuthentication/Validity",
    ),
    "a validity beyond the certificate's": (
        lambda one: account(
            one, validity=(one.accounts[0].validity[0], one.accounts[0].validity[1] + timedelta(seconds=1))
        ),
        "SchemaInvalid", "MarketPlayerAuthentication/Validity",
    ),
    "a validity that has not begun": (
        lambda one: account(one, validity=(datetime.now(UTC) + timedelta(days=1), one.accounts[0].validity[1])),
        "CertificateNotBound", "MarketPlayerAuthentication",
    ),
    "two objects with one Id": (
        lambda one: company(registration(one, company=one.registration.id), id=one.registration.id),
        "IdentifierTaken", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", AGREEING)
def test_what_does_not_agree_is_refused_and_nothing_is_stored(
    world: World, url: str, database: Database, newcomer: Identity, case: str
) -> None:
    change, code, path = AGREEING[case]
    wanted = enrolment_of(newcomer, uri=URI)
    before = rows(database)
    with pytest.raises(PartnerFault) as caught:
        enrol(world, url, newcomer, change(wanted), sender=wanted.registration.id)
    fault = caught.value
    assert (fault.partner_code, fault.path) == (code, f"EnrolMarketPlayer/{path}".rstrip("/"))
    assert set(added(before, database)) <= EVIDENCE


def test_every_id_that_is_stored_already_is_taken(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    known = enrolment_of(newcomer, uri=URI)
    enrol(world, url, newcomer, known)
    another = issued(world.authority)
    for taken in (known.registration.id, known.accounts[0].id, known.locations[0].id):
        wanted = enrolment_of(another, uri=URI)
        named = registration(wanted, accounts=(taken,))
        fault = refused(world, url, database, another, account(named, id=taken))
        assert fault.partner_code == "IdentifierTaken"
        assert taken in fault.message


def test_a_registration_enrols_once(world: World, url: str, database: Database, newcomer: Identity) -> None:
    wanted = enrolment_of(newcomer)
    enrol(world, url, newcomer, wanted)
    assert refused(world, url, database, newcomer, wanted).partner_code == "IdentifierTaken"


def test_the_key_of_an_enrolled_certificate_must_have_signed(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    fault = refused(world, url, database, newcomer, enrolment_of(issued(world.authority)))
    assert fault.partner_code == "CertificateNotBound"


def test_of_several_certificates_each_must_be_trusted(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    wanted = enrolment_of(newcomer)
    untrusted = account_of(issued(_another_authority()), wanted.registration.id)
    both = registration(wanted, accounts=(*wanted.registration.accounts, untrusted.id))
    fault = refused(world, url, database, newcomer, replace(both, accounts=(*wanted.accounts, untrusted)))
    assert fault.partner_code == "CertificateUntrusted"
    assert fault.path == "EnrolMarketPlayer/MarketPlayerAuthentication[2]/Certificate"


def test_a_certificate_of_another_company_is_refused(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    enrolled(world, url, database, newcomer)
    fault = refused(world, url, database, newcomer, enrolment_of(newcomer))
    assert fault.partner_code == "IdentifierTaken"
    assert fault.path == "EnrolMarketPlayer/MarketPlayerAuthentication/Certificate"


def test_of_companies_that_enrol_one_certificate_at_once_one_is_approved(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    wanted = [enrolment_of(newcomer) for _ in range(4)]

    def outcome(one: Enrolment) -> str:
        try:
            return operate(database, one.registration.id, Move.APPROVE)
        except StateConflict as conflict:
            return conflict.code

    with ThreadPoolExecutor(4) as pool:
        stored = [one.status for one in pool.map(lambda one: enrol(world, url, newcomer, one), wanted)]
        outcomes = sorted(pool.map(outcome, wanted))
    assert stored == ["Pending"] * 4
    assert outcomes == ["Active"] + ["StateConflict"] * 3


def test_a_certificate_is_free_again_once_its_company_has_withdrawn(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    first, second = enrolment_of(newcomer), enrolment_of(newcomer)
    enrol(world, url, newcomer, first)
    operate(database, first.registration.id, Move.WITHDRAW)
    assert enrol(world, url, newcomer, second).status == "Pending"


@pytest.mark.parametrize("der", [b"\0", b"-----BEGIN CERTIFICATE-----", b"0" * 16_384])
def test_what_is_no_certificate_is_refused(
    world: World, url: str, database: Database, newcomer: Identity, der: bytes
) -> None:
    wanted, before = enrolment_of(newcomer), rows(database)
    arguments = written_enrolment(wanted)
    arguments["MarketPlayerAuthentication"][0]["Certificate"] = der
    with calling(world, url, newcomer, wanted.registration.id) as caller, pytest.raises(PartnerFault) as caught:
        caller.call("EnrolMarketPlayer", arguments)
    assert caught.value.partner_code == "SchemaInvalid"
    assert caught.value.path == "EnrolMarketPlayer/MarketPlayerAuthentication/Certificate"
    assert set(added(before, database)) <= EVIDENCE


def test_a_company_joins_in_another_role(world: World, url: str, database: Database, newcomer: Identity) -> None:
    known = enrolled(world, url, database, newcomer)
    second = joining(known.company, newcomer, PROVIDER)
    assert enrol(world, url, newcomer, second).company == known.company.id
    with calling(world, url, newcomer, known.registration.id) as caller:
        assert caller.read_registration(known.registration.id).company == known.company
        operate(database, second.registration.id, Move.APPROVE)
        found = caller.read_registration(known.registration.id).company
    assert set(found.registrations) == set(second.company.registrations)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda one: company(one, information="Something else"), "StateConflict"),
        (lambda one: company(one, company_subtype="DSO"), "StateConflict"),
        (lambda one: company(one, territories=()), "StateConflict"),
        (lambda one: company(one, registrations=(one.registration.id,)), "ReferenceUnknown"),
    ],
)
def test_a_company_that_is_joined_stays_as_it_is(
    world: World, url: str, database: Database, newcomer: Identity, change: Change, code: str
) -> None:
    known = enrolled(world, url, database, newcomer)
    wanted = change(joining(known.company, newcomer, PROVIDER))
    assert refused(world, url, database, newcomer, wanted).partner_code == code


def test_nobody_joins_the_company_of_somebody_else(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    known: Company = enrolled(world, url, database, newcomer).company
    intruder = issued(world.authority)
    fault = refused(world, url, database, intruder, joining(known, intruder, REQUESTER))
    assert (fault.partner_code, fault.path) == ("IdentifierTaken", "EnrolMarketPlayer/MarketPlayerDescription/Id")


def test_an_address_that_is_enrolled_serves_nobody_who_is_active_already(
    world: World, url: str, database: Database, newcomer: Identity
) -> None:
    known = enrolled(world, url, database, newcomer)
    second = joining(known.company, newcomer, PROVIDER)
    shared = Location(uri=URI, registrations=(known.registration.id, second.registration.id))
    wanted = replace(registration(second, locations=(shared.id,)), locations=(shared,))
    fault = refused(world, url, database, newcomer, wanted)
    assert (fault.partner_code, fault.path) == (
        "ReferenceUnknown",
        "EnrolMarketPlayer/MarketPlayerLocation/MarketPlayerRegistrationRef",
    )


def test_the_certificate_is_kept_to_the_byte(world: World, url: str, database: Database, newcomer: Identity) -> None:
    wanted = enrolment_of(newcomer)
    enrol(world, url, newcomer, wanted)
    table = tables.market_player_authentication
    with database.begin() as connection:
        row = connection.execute(select(table).where(table.c.id == wanted.accounts[0].id)).one()
    assert row.fingerprint == newcomer.fingerprint
    assert (row.valid_from, row.valid_until) == valid_between(newcomer.certificate)


def _changes(database: Database, enrolment: Enrolment) -> set[str]:
    """Kinds of the objects of an enrolment that are part of the directory."""
    change = tables.directory_change
    ids = [enrolment.registration.id, enrolment.company.id, enrolment.accounts[0].id, enrolment.locations[0].id]
    with database.begin() as connection:
        return set(connection.execute(select(change.c.kind).where(change.c.object_id.in_(ids))).scalars())


def _another_authority() -> Authority:
    now = datetime.now(UTC)
    return Authority.create(
        "Another CA", "ec", valid_from=now - timedelta(days=1), valid_until=now + timedelta(days=30)
    )

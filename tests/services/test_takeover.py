"""Nobody speaks for a company that has not let it: neither before approval, nor by guessing what an operator enters."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flexiciency.client.market_objects import Enrolment, Location
from flexiciency.contract.ids import new_id
from flexiciency.domain.registration import Move
from flexiciency.errors import IdentifierTaken, PartnerFault, StateConflict
from flexiciency.store import directory
from flexiciency.store.database import Database
from flexiciency.store.directory import CompanyType, Registration, Role
from flexiciency.wire.identity import Identity
from tests.services.enrolling import (
    PROVIDER,
    account_of,
    calling,
    enrol,
    enrolled,
    enrolment_of,
    issued,
    joining,
    operate,
)
from tests.world import World

pytestmark = pytest.mark.usefixtures("access_point")


def speaks(world: World, url: str, identity: Identity, registration_id: str) -> str:
    """The status of a registration as it is told with this key, or why it is not told."""
    with calling(world, url, identity, registration_id) as caller:
        try:
            return caller.read_registration(registration_id).registration.status
        except PartnerFault as fault:
            return fault.partner_code


def with_certificate(enrolment: Enrolment, other: Identity) -> Enrolment:
    """The enrolment with one more certificate, which does not sign it."""
    accounts = (*enrolment.accounts, account_of(other, enrolment.registration.id))
    registration = replace(enrolment.registration, accounts=tuple(one.id for one in accounts))
    return replace(enrolment, registration=registration, accounts=accounts)


def test_what_a_pending_registration_brings_along_signs_for_nobody_else(
    world: World, url: str, database: Database
) -> None:
    own, other = issued(world.authority), issued(world.authority)
    known = enrolled(world, url, database, own)
    second = with_certificate(joining(known.company, own, PROVIDER), other)
    enrol(world, url, own, second)
    assert speaks(world, url, other, known.registration.id) == "CertificateNotBound"
    assert speaks(world, url, other, second.registration.id) == "Pending"
    operate(database, second.registration.id, Move.WITHDRAW)
    assert speaks(world, url, other, known.registration.id) == "CertificateNotBound"


def test_what_an_approved_registration_brings_along_signs_for_its_company(
    world: World, url: str, database: Database
) -> None:
    own, other = issued(world.authority), issued(world.authority)
    known = enrolled(world, url, database, own)
    second = with_certificate(joining(known.company, own, PROVIDER), other)
    enrol(world, url, own, second)
    operate(database, second.registration.id, Move.APPROVE)
    assert speaks(world, url, other, known.registration.id) == "Active"


def test_a_company_that_is_suspended_is_not_joined(world: World, url: str, database: Database) -> None:
    own = issued(world.authority)
    known = enrolled(world, url, database, own)
    operate(database, known.registration.id, Move.SUSPEND)
    with pytest.raises(PartnerFault) as caught:
        enrol(world, url, own, joining(known.company, own, PROVIDER))
    assert caught.value.partner_code == "IdentifierTaken"


def test_a_certificate_that_somebody_else_has_asked_for_is_not_lost(world: World, url: str, database: Database) -> None:
    victim, thief = issued(world.authority), issued(world.authority)
    squat = with_certificate(enrolment_of(thief), victim)
    enrol(world, url, thief, squat)
    known = enrolled(world, url, database, victim)
    assert speaks(world, url, victim, known.registration.id) == "Active"
    with pytest.raises(StateConflict, match="is bound to the company"):
        operate(database, squat.registration.id, Move.APPROVE)


@pytest.mark.parametrize("element", ["registration", "company", "account", "location"])
def test_ids_of_what_an_operator_enters_cannot_be_taken(world: World, url: str, element: str) -> None:
    identity = issued(world.authority)
    names = ("registration", "company", "account", "location")
    ids = {name: f"{directory.ENTERED}{new_id()}" if name == element else new_id() for name in names}
    plain = enrolment_of(identity)
    registration, account = ids["registration"], ids["account"]
    taken = Enrolment(
        registration=replace(
            plain.registration, id=registration, company=ids["company"], accounts=(account,),
            locations=(ids["location"],),
        ),
        company=replace(plain.company, id=ids["company"], registrations=(registration,)),
        accounts=(replace(plain.accounts[0], id=account, registration=registration),),
        locations=(Location(id=ids["location"], uri="https://a.example/", registrations=(registration,)),),
    )  # fmt: skip
    with pytest.raises(PartnerFault) as caught:
        enrol(world, url, identity, taken)
    assert caught.value.partner_code == "IdentifierTaken"


def test_a_player_does_not_undo_what_the_operator_did_by_hand(world: World, url: str, database: Database) -> None:
    identity = issued(world.authority)
    known = enrolled(world, url, database, identity)
    with calling(world, url, identity, known.registration.id) as caller:
        caller.suspend(known.registration.id)
        with database.begin() as connection:
            directory.set_status(connection, known.registration.id, "Suspended", datetime.now(UTC))
        with pytest.raises(PartnerFault) as caught:
            caller.reactivate(known.registration.id)
    assert caught.value.partner_code == "StateConflict"


def test_what_is_entered_by_hand_is_shown_to_others_as_the_contract_wants(
    world: World, url: str, database: Database
) -> None:
    """Whatever the length of its id, and the letters of its name."""
    identity, reader = issued(world.authority), issued(world.authority)
    entered = Registration(
        "urn:x:" + "i" * 194, "Größe & Söhne", CompanyType.PUBLIC_BODY, Role.UNREGULATED_DATA_REQUESTER,
        identity.certificate, "https://hand.example/",
    )  # fmt: skip
    with database.begin() as connection:
        directory.add_registration(connection, entered, datetime.now(UTC))
    known = enrolled(world, url, database, reader)
    with calling(world, url, reader, known.registration.id) as caller:
        (found,) = caller.find_registrations(name="größe").items
        assert caller.read_registration(found.id).locations[0].uri == "https://hand.example/"


def test_an_operator_does_not_enter_somebody_over_who_has_enrolled(world: World, url: str, database: Database) -> None:
    """Whoever enrols chooses its Id, perhaps the one that somebody else is going to be entered with."""
    thief, own = issued(world.authority), issued(world.authority)
    squat = enrolment_of(thief)
    enrol(world, url, thief, squat)
    entered = Registration(
        squat.registration.id, "Own", CompanyType.PUBLIC_BODY, Role.UNREGULATED_DATA_REQUESTER, own.certificate
    )
    with database.begin() as connection, pytest.raises(IdentifierTaken, match="has enrolled"):
        directory.add_registration(connection, entered, datetime.now(UTC))
    assert speaks(world, url, thief, squat.registration.id) == "Pending"
    assert speaks(world, url, own, squat.registration.id) == "CertificateNotBound"


@pytest.mark.parametrize("status", ["Pending", "Withdrawn"])
@pytest.mark.parametrize("asked", ["Active", "Suspended"])
def test_by_hand_nothing_is_activated_that_was_not_approved(
    world: World, url: str, database: Database, status: str, asked: str
) -> None:
    identity = issued(world.authority)
    known = enrolment_of(identity)
    enrol(world, url, identity, known)
    if status == "Withdrawn":
        operate(database, known.registration.id, Move.WITHDRAW)
    with database.begin() as connection, pytest.raises(StateConflict, match=f"is {status}; expected one that is"):
        directory.set_status(connection, known.registration.id, asked, datetime.now(UTC))
    assert speaks(world, url, identity, known.registration.id) == {"Withdrawn": "SenderInactive"}.get(status, status)


def test_a_certificate_that_only_a_pending_registration_brought_is_not_the_one_left(
    world: World, url: str, database: Database
) -> None:
    own, other = issued(world.authority), issued(world.authority)
    known = enrolled(world, url, database, own)
    enrol(world, url, own, with_certificate(joining(known.company, own, PROVIDER), other))
    with calling(world, url, own, known.registration.id) as caller:
        with pytest.raises(PartnerFault) as caught:
            caller.withdraw_authentication(known.accounts[0].id)
        assert caught.value.partner_code == "StateConflict"
        assert caller.read_registration(known.registration.id).registration.status == "Active"


def test_a_role_that_is_withdrawn_does_not_lock_the_others_of_its_company_out(
    world: World, url: str, database: Database
) -> None:
    old, new = issued(world.authority), issued(world.authority)
    known = enrolled(world, url, database, old)
    second = joining(known.company, old, PROVIDER)
    enrol(world, url, old, second)
    operate(database, second.registration.id, Move.APPROVE)
    with calling(world, url, old, known.registration.id) as caller:
        caller.add_authentication(account_of(new, second.registration.id))
    with calling(world, url, new, known.registration.id) as caller:
        caller.withdraw_authentication(known.accounts[0].id)
        with pytest.raises(PartnerFault) as caught:
            caller.withdraw(second.registration.id)
        assert caught.value.partner_code == "StateConflict"
        caller.add_authentication(account_of(new, known.registration.id))
        assert caller.withdraw(second.registration.id).status == "Withdrawn"
    assert speaks(world, url, new, known.registration.id) == "Active"
    with calling(world, url, new, known.registration.id) as caller:
        assert caller.withdraw(known.registration.id).status == "Withdrawn"

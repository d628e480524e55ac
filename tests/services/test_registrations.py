"""Registrations over HTTP: read, found, moved, and what belongs to them changed (D2.3, 2.2)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from flexiciency.client.market_objects import Company, Enrolment, Location
from flexiciency.client.market_place import MarketPlace
from flexiciency.contract.ids import new_id
from flexiciency.domain.registration import Move
from flexiciency.errors import PartnerFault, ReferenceUnknown, StateConflict
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.directory import CompanyType as EnteredType
from flexiciency.store.directory import Registration as Entered
from flexiciency.store.directory import Role as EnteredRole
from flexiciency.store.directory import add_registration
from flexiciency.wire.identity import Identity, valid_between
from tests.gateway import added, rows
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

EVIDENCE = {"message", "message_chunk"}
URI = "https://player.example/v1/services/market-player"


@pytest.fixture
def identity(world: World) -> Identity:
    return issued(world.authority)


@pytest.fixture
def own(world: World, url: str, database: Database, identity: Identity) -> Enrolment:
    """A Market Player that the operator has approved."""
    return enrolled(world, url, database, identity, uri=URI)


@pytest.fixture
def caller(world: World, url: str, identity: Identity, own: Enrolment) -> Iterator[MarketPlace]:
    with calling(world, url, identity, own.registration.id) as market_place:
        yield market_place


@pytest.fixture
def other(world: World, url: str, database: Database) -> Enrolment:
    """Another one."""
    return enrolled(world, url, database, issued(world.authority), uri=URI)


def number_of(database: Database, kind: str, object_id: str) -> int:
    """Number of the latest change of an object of the directory; 0 where it is no part of it."""
    change = tables.directory_change
    asked = select(change.c.number).where(change.c.kind == kind, change.c.object_id == object_id)
    with database.begin() as connection:
        return connection.execute(asked).scalar_one_or_none() or 0


class TestRead:
    def test_everybody_reads_an_active_one_with_all_that_belongs_to_it(
        self, caller: MarketPlace, other: Enrolment
    ) -> None:
        found = caller.read_registration(other.registration.id)
        assert found == replace(other, registration=replace(other.registration, status="Active"))

    def test_a_pending_one_is_unknown_to_others(
        self, world: World, url: str, caller: MarketPlace, own: Enrolment, identity: Identity
    ) -> None:
        newcomer = issued(world.authority)
        pending, second = enrolment_of(newcomer), joining(own.company, identity, PROVIDER)
        enrol(world, url, newcomer, pending)
        enrol(world, url, identity, second)
        with pytest.raises(PartnerFault) as caught:
            caller.read_registration(pending.registration.id)
        assert (caught.value.partner_code, caught.value.path) == ("ReferenceUnknown", "ReadRegistration/RegistrationId")
        assert caller.read_registration(second.registration.id).registration.status == "Pending"


class TestMove:
    def test_a_player_suspends_and_reactivates_itself(
        self, database: Database, caller: MarketPlace, own: Enrolment
    ) -> None:
        before = number_of(database, "MPL-REG", own.registration.id)
        assert caller.suspend(own.registration.id).status == "Suspended"
        assert number_of(database, "MPL-REG", own.registration.id) > before
        with pytest.raises(PartnerFault) as caught:
            caller.find_registrations()
        assert caught.value.partner_code == "SenderInactive"
        assert caller.reactivate(own.registration.id).status == "Active"
        caller.find_registrations()

    def test_what_the_operator_suspended_only_the_operator_reactivates(
        self, database: Database, caller: MarketPlace, own: Enrolment
    ) -> None:
        operate(database, own.registration.id, Move.SUSPEND)
        before = rows(database)
        with pytest.raises(PartnerFault) as caught:
            caller.reactivate(own.registration.id)
        assert caught.value.partner_code == "StateConflict"
        assert set(added(before, database)) <= EVIDENCE
        assert operate(database, own.registration.id, Move.REACTIVATE) == "Active"

    def test_another_registration_of_the_company_does_not_help_it(
        self, world: World, url: str, database: Database, identity: Identity, caller: MarketPlace, own: Enrolment
    ) -> None:
        second = joining(own.company, identity, PROVIDER)
        enrol(world, url, identity, second)
        operate(database, second.registration.id, Move.APPROVE)
        operate(database, own.registration.id, Move.SUSPEND)
        with calling(world, url, identity, second.registration.id) as colleague:
            with pytest.raises(PartnerFault) as caught:
                colleague.reactivate(own.registration.id)
            assert caught.value.partner_code == "StateConflict"
            assert colleague.withdraw(own.registration.id).status == "Withdrawn"
            colleague.find_registrations()
        with pytest.raises(PartnerFault) as refusal:
            caller.read_registration(own.registration.id)
        assert refusal.value.partner_code == "SenderInactive"

    def test_withdrawn_is_final(self, database: Database, caller: MarketPlace, own: Enrolment) -> None:
        assert caller.withdraw(own.registration.id).status == "Withdrawn"
        for move in Move:
            with pytest.raises(StateConflict):
                operate(database, own.registration.id, move)

    def test_a_pending_one_may_withdraw_and_never_was_in_the_directory(
        self, world: World, url: str, database: Database, identity: Identity
    ) -> None:
        wanted = enrolment_of(identity, uri=URI)
        enrol(world, url, identity, wanted)
        with calling(world, url, identity, wanted.registration.id) as caller:
            for refused in (caller.suspend, caller.reactivate):
                with pytest.raises(PartnerFault):
                    refused(wanted.registration.id)
            withdrawn = caller.withdraw(wanted.registration.id)
        assert (withdrawn.status, withdrawn.locations) == ("Withdrawn", ())
        assert number_of(database, "MPL-REG", wanted.registration.id) == 0

    def test_nobody_moves_the_registration_of_another_company(
        self, database: Database, caller: MarketPlace, other: Enrolment
    ) -> None:
        before = rows(database)
        for move in (caller.suspend, caller.reactivate, caller.withdraw):
            with pytest.raises(PartnerFault) as caught:
                move(other.registration.id)
            assert caught.value.partner_code == "OperationNotAllowed"
        assert set(added(before, database)) <= EVIDENCE
        assert caller.read_registration(other.registration.id).registration.status == "Active"

    def test_an_unknown_one_is_moved_by_nobody(self, database: Database, caller: MarketPlace) -> None:
        with pytest.raises(PartnerFault) as caught:
            caller.suspend(new_id())
        assert caught.value.partner_code == "ReferenceUnknown"
        with pytest.raises(ReferenceUnknown):
            operate(database, new_id(), Move.APPROVE)


class TestLocation:
    def test_an_address_is_added_and_changed(self, database: Database, caller: MarketPlace, own: Enrolment) -> None:
        added_one = Location(uri="https://second.example/push", registrations=(own.registration.id,))
        caller.update_location(added_one)
        changed = replace(own.locations[0], uri="https://moved.example/push")
        before = number_of(database, "MPL-REG", own.registration.id)
        caller.update_location(changed)
        found = caller.read_registration(own.registration.id)
        assert set(found.locations) == {added_one, changed}
        assert set(found.registration.locations) == {added_one.id, changed.id}
        assert number_of(database, "MPL-ADD", changed.id) > number_of(database, "MPL-ADD", added_one.id) > 0
        assert number_of(database, "MPL-REG", own.registration.id) == before

    @pytest.mark.parametrize("case", ["unknown", "foreign", "pending", "taken", "no https"])
    def test_what_is_wrong_with_it_is_said_and_nothing_stored(
        self, world: World, url: str, database: Database, identity: Identity, caller: MarketPlace, own: Enrolment,
        other: Enrolment, case: str,
    ) -> None:  # fmt: skip
        second = joining(own.company, identity, PROVIDER)
        enrol(world, url, identity, second)
        mine = Location(uri=URI, registrations=(own.registration.id,))
        wrong, code = {
            "unknown": (replace(mine, registrations=(own.registration.id, new_id())), "ReferenceUnknown"),
            "foreign": (
                replace(mine, registrations=(own.registration.id, other.registration.id)),
                "OperationNotAllowed",
            ),
            "pending": (replace(mine, registrations=(second.registration.id,)), "StateConflict"),
            "taken": (replace(mine, id=other.locations[0].id), "IdentifierTaken"),
            "no https": (replace(mine, uri="http://player.example/push"), "SchemaInvalid"),
        }[case]
        before = rows(database)
        with pytest.raises(PartnerFault) as caught:
            caller.update_location(wrong)
        assert caught.value.partner_code == code
        assert set(added(before, database)) <= EVIDENCE
        assert caller.read_registration(other.registration.id).locations == other.locations


class TestDescription:
    def test_contact_details_and_territories_are_replaced(
        self, database: Database, caller: MarketPlace, own: Enrolment
    ) -> None:
        contact = replace(own.company.contact_details, name="Neue Energie", city="Wels", telephone="+43 1 234")
        changed = replace(own.company, information="New", contact_details=contact, territories=())
        before = number_of(database, "MPL-DES", own.company.id)
        caller.update_description(changed)
        assert caller.read_registration(own.registration.id).company == changed
        assert number_of(database, "MPL-DES", own.company.id) > before
        assert own.registration.id in {one.id for one in caller.find_registrations(name="neue energie").items}
        old = caller.find_registrations(name=own.company.contact_details.name, page_size=1000)
        assert own.registration.id not in {one.id for one in old.items}

    def test_what_may_not_change_is_refused(
        self, database: Database, caller: MarketPlace, own: Enrolment, other: Enrolment
    ) -> None:
        wrong: dict[str, Company] = {
            "ReferenceUnknown": replace(own.company, registrations=(own.registration.id, other.registration.id)),
            "OperationNotAllowed": replace(own.company, id=other.company.id, registrations=other.company.registrations),
            "StateConflict": replace(own.company, company_subtype="DSO"),
        }
        before = rows(database)
        for code, company in wrong.items():
            with pytest.raises(PartnerFault) as caught:
                caller.update_description(company)
            assert caught.value.partner_code == code
        with pytest.raises(PartnerFault) as unknown:
            caller.update_description(replace(own.company, id=new_id()))
        assert unknown.value.partner_code == "ReferenceUnknown"
        assert set(added(before, database)) <= EVIDENCE
        assert caller.read_registration(other.registration.id).company == other.company


class TestCertificates:
    def test_old_and_new_are_valid_together_until_the_old_one_is_withdrawn(
        self, world: World, url: str, database: Database, caller: MarketPlace, own: Enrolment
    ) -> None:
        new = issued(world.authority, "rotated")
        account = account_of(new, own.registration.id)
        caller.add_authentication(account)
        with calling(world, url, new, own.registration.id) as renewed:
            assert set(renewed.read_registration(own.registration.id).accounts) == {*own.accounts, account}
            caller.find_registrations()
            renewed.withdraw_authentication(own.accounts[0].id)
            assert renewed.read_registration(own.registration.id).accounts == (account,)
        with pytest.raises(PartnerFault) as caught:
            caller.find_registrations()
        assert caught.value.partner_code == "CertificateNotBound"
        assert number_of(database, "MPL-AUT", own.accounts[0].id) > number_of(database, "MPL-AUT", account.id) > 0

    def test_the_last_valid_one_stays(
        self, world: World, database: Database, caller: MarketPlace, own: Enrolment
    ) -> None:
        later = issued(world.authority)
        first, last = valid_between(later.certificate)
        begins = first + timedelta(days=10)
        caller.add_authentication(account_of(later, own.registration.id, validity=(begins, last)))
        before = rows(database)
        with pytest.raises(PartnerFault) as caught:
            caller.withdraw_authentication(own.accounts[0].id)
        assert (caught.value.partner_code, caught.value.path) == (
            "StateConflict",
            "WithdrawMarketPlayerAuthentication/AuthenticationId",
        )
        assert set(added(before, database)) <= EVIDENCE
        caller.find_registrations()

    def test_a_certificate_is_withdrawn_from_every_registration_of_its_company(
        self, world: World, url: str, database: Database, identity: Identity, caller: MarketPlace, own: Enrolment
    ) -> None:
        second = joining(own.company, identity, PROVIDER)
        enrol(world, url, identity, second)
        operate(database, second.registration.id, Move.APPROVE)
        new = issued(world.authority)
        caller.add_authentication(account_of(new, own.registration.id))
        caller.withdraw_authentication(own.accounts[0].id)
        with calling(world, url, identity, second.registration.id) as old, pytest.raises(PartnerFault) as caught:
            old.ping()
        assert caught.value.partner_code == "CertificateNotBound"
        with calling(world, url, new, second.registration.id) as renewed:
            found = renewed.read_registration(second.registration.id)
        (ended,) = found.accounts
        assert ended.id == second.accounts[0].id
        assert ended.validity[1] < second.accounts[0].validity[1]

    @pytest.mark.parametrize("case", ["taken", "foreign certificate", "foreign registration", "unknown access point"])
    def test_what_is_wrong_with_one_is_said_and_nothing_stored(
        self, world: World, database: Database, caller: MarketPlace, own: Enrolment, other: Enrolment, case: str
    ) -> None:
        mine = account_of(issued(world.authority), own.registration.id)
        wrong, code = {
            "taken": (replace(mine, id=other.accounts[0].id), "IdentifierTaken"),
            "foreign certificate": (replace(mine, certificate=other.accounts[0].certificate,
                                            validity=other.accounts[0].validity), "IdentifierTaken"),
            "foreign registration": (replace(mine, registration=other.registration.id), "OperationNotAllowed"),
            "unknown access point": (replace(mine, market_place_location=new_id()), "ReferenceUnknown"),
        }[case]  # fmt: skip
        before = rows(database)
        with pytest.raises(PartnerFault) as caught:
            caller.add_authentication(wrong)
        assert caught.value.partner_code == code
        assert set(added(before, database)) <= EVIDENCE

    def test_nobody_withdraws_that_of_another_company(self, caller: MarketPlace, other: Enrolment) -> None:
        for account_id, code in ((other.accounts[0].id, "OperationNotAllowed"), (new_id(), "ReferenceUnknown")):
            with pytest.raises(PartnerFault) as caught:
                caller.withdraw_authentication(account_id)
            assert caught.value.partner_code == code
        assert caller.read_registration(other.registration.id).accounts == other.accounts

    def test_one_is_withdrawn_once(self, world: World, caller: MarketPlace, own: Enrolment) -> None:
        account = account_of(issued(world.authority), own.registration.id)
        caller.add_authentication(account)
        caller.withdraw_authentication(account.id)
        with pytest.raises(PartnerFault) as caught:
            caller.withdraw_authentication(account.id)
        assert caught.value.partner_code == "StateConflict"


def test_what_the_operator_entered_by_hand_is_read_too(
    world: World, url: str, database: Database, caller: MarketPlace
) -> None:
    identity, entered = issued(world.authority), new_id()
    with database.begin() as connection:
        add_registration(
            connection,
            Entered(
                entered, "Von-Hand", EnteredType.PUBLIC_BODY, EnteredRole.REGULATED_DATA_PROVIDER, identity.certificate
            ),
            datetime.now(UTC),
        )
    assert [one.id for one in caller.find_registrations(name="von-hand").items] == [entered]
    found = caller.read_registration(entered)
    assert (found.company.contact_details.name, found.accounts[0].certificate) == ("Von-Hand", identity.certificate)
    with calling(world, url, identity, entered) as itself:
        itself.update_description(replace(found.company, information="Of the operator's"))
        assert itself.read_registration(entered).company.information == "Of the operator's"

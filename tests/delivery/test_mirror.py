"""A DSO's copy of the directory of a Market Place elsewhere: what takes effect, what fails, what crosses."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text, update

from flexiciency import app
from flexiciency.client import B2BSubscription, Location, MarketPlace, ServiceDescription
from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.delivery import mirror
from flexiciency.delivery.directory import changes_after
from flexiciency.delivery.mirror import age, catch_up
from flexiciency.domain.registration import Move
from flexiciency.errors import ReferenceUnknown
from flexiciency.services.replies import PLAYER as PLAYER_TYPES
from flexiciency.store import directory, migrate, tables
from flexiciency.store import mirror as copy
from flexiciency.store.database import Database
from flexiciency.store.directory import CompanyType, Role
from flexiciency.store.directory import Registration as Entered
from flexiciency.store.transaction import transaction
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN
from tests.delivery.copies import Dso, Place, Player, Slow, serving_dso, serving_place, validated
from tests.gateway import Sender
from tests.messages import new_id
from tests.services.enrolling import (
    PROVIDER,
    account_of,
    enrol,
    enrolment_of,
    issued,
    operate,
)
from tests.services.publishing import aggregated, individual, offer_of, wish_of
from tests.world import PLAYER, World


@pytest.fixture(scope="module")
def place(world: World, empty_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    database = Database(empty_url)
    migrate.upgrade(database)
    with serving_place(world, database, tmp_path_factory.mktemp("place")) as served_place:
        yield served_place
    database.close()


@pytest.fixture(scope="module")
def dso(world: World, database: Database, place: Place) -> Iterator[Dso]:
    with serving_dso(world, database, place) as served_dso:
        yield served_dso


@pytest.fixture
def player(place: Place) -> Player:
    """A requester that the DSO has not heard of."""
    return place.newcomer()


@pytest.fixture
def known(dso: Dso, player: Player) -> Player:
    """A requester that the DSO knows."""
    dso.read()
    return player


def test_who_enrolled_elsewhere_may_call_once_the_directory_is_read(dso: Dso, player: Player) -> None:
    assert dso.refusal(player) == "SenderUnknown"
    dso.read()
    assert dso.refusal(player) is None


def test_a_suspension_and_its_end_take_effect(place: Place, dso: Dso, known: Player) -> None:
    operate(place.database, known.id, Move.SUSPEND)
    dso.read()
    assert dso.refusal(known) == "SenderInactive"
    operate(place.database, known.id, Move.REACTIVATE)
    dso.read()
    assert dso.refusal(known) is None
    known.calls.withdraw(known.id)
    dso.read()
    assert dso.refusal(known) == "SenderInactive"


def test_certificates_rotate_with_overlap_and_are_withdrawn(place: Place, dso: Dso, known: Player) -> None:
    following = issued(place.world.authority, "following")
    assert dso.refusal(known, following) == "CertificateNotBound"
    known.calls.add_authentication(account_of(following, known.id))
    dso.read()
    assert (dso.refusal(known), dso.refusal(known, following)) == (None, None)
    place.calls(following, known.id).withdraw_authentication(known.enrolment.accounts[0].id)
    dso.read()
    assert (dso.refusal(known), dso.refusal(known, following)) == ("CertificateNotBound", None)


def test_a_service_is_activated_once_both_have_validated_its_subscription(dso: Dso, player: Player) -> None:
    service = individual(customer_consent_mandatory=False)
    dso.calls.publish_offer(offer_of(dso.calls, service))
    player.calls.publish_subscription(wish_of(player.calls, service.id))
    dso.read()
    assert dso.activation(player, service.id) == "ServiceNotSubscribed"
    (found,) = player.calls.find_b2b_subscriptions().items
    for party in (dso, player):
        party.calls.validate_b2b_subscription(found.id)
    dso.read()
    assert dso.activation(player, service.id) is None
    stored = dso.row(tables.b2b_service_subscription, found.id)
    assert (stored.provider_id, stored.requester_id, stored.status) == (dso.id, player.id, "Validated")
    assert stored.validation_date is not None


def test_what_a_company_says_of_itself_is_copied_as_it_is_now(dso: Dso, known: Player) -> None:
    company = known.enrolment.company
    contact = replace(company.contact_details, name="Ενέργεια", telephone="+43 1 2345")
    known.calls.update_description(replace(company, contact_details=contact, territories=company.territories[:1]))
    dso.read()
    assert dso.row(tables.market_player_description, company.id).contact == {
        "Name": "Ενέργεια", "Email": "info@example.org", "Telephone": "+43 1 2345", "City": "Linz", "Country": "AT",
    }  # fmt: skip
    territory = tables.market_player_territory
    with dso.database.begin() as connection:
        found = connection.execute(select(territory).where(territory.c.description_id == company.id)).all()
    assert [(row.country, row.city, row.pod_prefix) for row in found] == [("AT", "Linz", "AT003")]


def test_an_address_moves(place: Place, dso: Dso) -> None:
    player = place.newcomer(uri="https://old.example.org/")
    dso.read()
    (location,) = player.enrolment.locations
    assert dso.row(tables.market_player_location, location.id).uri == "https://old.example.org/"
    player.calls.update_location(replace(location, uri="https://new.example.org/"))
    dso.read()
    assert dso.row(tables.market_player_location, location.id).uri == "https://new.example.org/"


def test_a_service_has_the_type_of_the_offer_that_holds_it(dso: Dso) -> None:
    alone, sums, curtailment = individual(), aggregated(), aggregated()
    for service in (alone, sums, curtailment):
        dso.calls.publish_description(service)
    dso.read()
    types = {one.id: dso.row(tables.service_description, one.id).service_type for one in (alone, sums, curtailment)}
    assert list(types.values()) == ["IndividualDataProvision", "AggregatedDataProvision", "AggregatedDataProvision"]
    dso.calls.publish_offer(offer_of(dso.calls, curtailment.id, service_type="EnergyServiceProvision"))
    dso.calls.publish_description(replace(alone, usage_details="Changed"))
    dso.read()
    assert dso.row(tables.service_description, curtailment.id).service_type == "EnergyServiceProvision"
    stored = dso.row(tables.service_description, alone.id)
    assert (stored.usage_details, stored.owner_id, stored.time_step) == ("Changed", dso.id, "PT15M")


def test_a_service_that_says_nothing_of_data_is_an_energy_service(dso: Dso) -> None:
    service = ServiceDescription(short_description="Advice", usage_details="Ask", customer_consent_mandatory=False)
    dso.calls.publish_description(service)
    dso.read()
    assert dso.row(tables.service_description, service.id).service_type == "EnergyServiceProvision"


def test_what_was_entered_by_hand_stays_beside_the_copy(dso: Dso, known: Player) -> None:
    by_hand = replace(known.enrolment, registration=replace(known.enrolment.registration, id=PLAYER))
    assert dso.refusal(Player(by_hand, dso.world.player, known.calls)) is None


def test_of_a_registration_entered_by_hand_the_operators_word_holds_until_the_market_places_is_adopted(
    world: World, dso: Dso, player: Player
) -> None:
    """Whoever enrols chooses its own Id, perhaps that of somebody whom only this DSO knows."""
    by_hand = issued(world.authority, "by hand")
    entered = Entered(
        player.id, "By hand", CompanyType.PUBLIC_BODY, Role.UNREGULATED_DATA_REQUESTER, by_hand.certificate,
        "https://hand.example.org/",
    )  # fmt: skip
    with dso.database.begin() as connection:
        directory.add_registration(connection, entered, datetime.now(UTC))
    dso.read()
    assert (dso.refusal(player), dso.refusal(player, by_hand)) == ("CertificateNotBound", None)
    with transaction(dso.database) as tx:
        copy.adopt(tx, player.id)
    dso.read()
    assert (dso.refusal(player), dso.refusal(player, by_hand)) == (None, "CertificateNotBound")
    assert dso.row(tables.market_player_registration, player.id).description_id == player.enrolment.company.id
    with transaction(dso.database) as tx, pytest.raises(ReferenceUnknown):
        copy.adopt(tx, player.id)


def test_a_certificate_that_the_dsos_operator_refuses_does_not_come_back_under_another_id(
    dso: Dso, known: Player
) -> None:
    with dso.database.begin() as connection:
        directory.withdraw_certificate(connection, known.identity.fingerprint, datetime.now(UTC))
    known.calls.add_authentication(account_of(known.identity, known.id))
    dso.read()
    assert dso.refusal(known) == "CertificateNotBound"


def test_a_registration_that_the_dsos_operator_suspended_stays_so(dso: Dso, known: Player) -> None:
    with dso.database.begin() as connection:
        directory.set_status(connection, known.id, "Suspended", datetime.now(UTC))
    known.calls.add_authentication(account_of(issued(dso.world.authority), known.id))
    dso.read()
    assert dso.refusal(known) == "SenderInactive"


def test_a_certificate_that_the_dsos_operator_withdrew_stays_so(dso: Dso, known: Player) -> None:
    table, (account,) = tables.market_player_authentication, known.enrolment.accounts
    with dso.database.begin() as connection:
        connection.execute(update(table).where(table.c.id == account.id).values(withdrawn_at=datetime.now(UTC)))
    dso.forget_cursor()
    dso.read()
    assert dso.refusal(known) == "CertificateNotBound"


def test_the_market_place_being_down_changes_nothing_and_is_told(
    world: World, place: Place, dso: Dso, known: Player, player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    before, since = dso.rows(), age(dso.database)
    assert since.read_at is not None
    operate(place.database, player.id, Move.SUSPEND)
    capsys.readouterr()
    with MarketPlace(world.dso, dso.id, "http://127.0.0.1:9/v1/services/market-place", world.anchors) as down:
        dso.catch_up(down)
    failed = age(dso.database)
    assert failed.read_at == since.read_at
    assert failed.failed_at is not None
    assert failed.failed_at > since.read_at
    assert (failed.failure or "").startswith("PartnerUnreachable: ")
    assert capsys.readouterr().out.count("directory not read") == 1
    assert dso.rows() == before
    assert dso.refusal(known) is None
    dso.catch_up()
    caught_up = age(dso.database)
    assert (caught_up.failed_at, caught_up.failure) == (None, None)
    assert caught_up.read_at is not None
    assert caught_up.read_at > since.read_at
    assert dso.refusal(known) == "SenderInactive"


def test_a_registration_that_waits_for_approval_is_told_why_it_has_no_copy(
    world: World, place: Place, empty_copy: Database
) -> None:
    identity = issued(world.authority)
    enrolment = enrolment_of(identity, role=PROVIDER)
    enrol(world, place.url, identity, enrolment)
    assert (age(empty_copy).read_at, age(empty_copy).failure) == (None, None)
    own_id = enrolment.registration.id
    catch_up(empty_copy, place.calls(identity, own_id), own_id, datetime.now(UTC))
    found = age(empty_copy)
    assert (found.read_at, (found.failure or "").partition(":")[0]) == (None, "SenderInactive")


@pytest.fixture
def empty_copy(dso: Dso) -> Iterator[Database]:
    """As if the directory had never been read, or tried to be."""
    with dso.database.begin() as connection:
        connection.execute(text("DELETE FROM market_place_mirror"))
    yield dso.database
    dso.read()


def test_reading_all_of_it_again_changes_nothing(dso: Dso, player: Player) -> None:
    validated(dso, player, individual())
    dso.read()
    before = dso.rows()
    dso.forget_cursor()
    dso.read()
    assert dso.rows() == before


def test_what_refers_to_a_later_page_waits_for_it(
    place: Place, dso: Dso, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = individual(customer_consent_mandatory=False)
    found = validated(dso, player, service)
    both, enrolment = (dso.id, player.id), player.enrolment
    place.changed("B2B-SRV-SUB", found.id, *both)
    place.changed("MKP-SRV-DES", service.id, *both)
    place.changed("MPL-AUT", enrolment.accounts[0].id)
    place.changed("MPL-REG", player.id)
    place.changed("MPL-DES", enrolment.company.id)
    monkeypatch.setattr(mirror, "_PAGE", 1)
    dso.read()
    assert dso.activation(player, service.id) is None


def test_kinds_in_any_order_within_a_page_are_stored(place: Place, dso: Dso) -> None:
    player = place.newcomer(uri="https://player.example.org/")
    enrolment = player.enrolment
    place.changed("MPL-ADD", enrolment.locations[0].id)
    place.changed("MPL-AUT", enrolment.accounts[0].id)
    place.changed("MPL-REG", player.id)
    place.changed("MPL-DES", enrolment.company.id)
    dso.read()
    assert dso.refusal(player) is None
    assert dso.row(tables.market_player_location, enrolment.locations[0].id) is not None


def test_what_refers_to_nothing_in_the_directory_is_told_and_keeps_nothing_else_up(
    place: Place, dso: Dso, player: Player
) -> None:
    with place.database.begin() as connection:
        connection.execute(
            text("DELETE FROM directory_change WHERE object_id = :id"), {"id": player.enrolment.company.id}
        )
    later = place.newcomer()
    dso.catch_up()
    assert (age(dso.database).failure or "").startswith(f"ReferenceUnknown: MPL-REG {player.id} refers to what is not")
    assert (dso.refusal(player), dso.refusal(later)) == ("SenderUnknown", None)
    place.changed("MPL-DES", player.enrolment.company.id)
    dso.read()
    assert dso.refusal(player) is None


def test_a_subscription_whose_description_is_missing_is_not_half_stored(place: Place, dso: Dso, player: Player) -> None:
    service = individual(customer_consent_mandatory=False)
    found = validated(dso, player, service)
    delete = text("DELETE FROM directory_change WHERE object_id = :id")
    with place.database.begin() as connection:
        connection.execute(delete, {"id": service.id})
    dso.catch_up()
    assert (age(dso.database).failure or "").startswith(f"ReferenceUnknown: B2B-SRV-SUB {found.id}")
    assert dso.row(tables.b2b_service_subscription, found.id) is None
    place.changed("MKP-SRV-DES", service.id, dso.id)
    dso.read()
    assert dso.activation(player, service.id) is None


def test_a_page_that_another_worker_has_overtaken_is_dropped(place: Place, dso: Dso, player: Player) -> None:
    def suspended_and_read() -> None:
        operate(place.database, player.id, Move.SUSPEND)
        dso.read()

    seen: list[str | None] = []
    with Slow(dso, place, suspended_and_read, lambda: seen.append(dso.refusal(player))) as slow:
        dso.catch_up(slow)
    assert age(dso.database).failure is None
    assert seen == ["SenderInactive"]
    assert dso.refusal(player) == "SenderInactive"


def test_a_proposal_that_is_newer_supersedes_one_of_which_the_end_is_not_read_yet(dso: Dso, known: Player) -> None:
    service = individual()
    proposed = [
        B2BSubscription(
            id=new_id(), validated_at=None, provider=dso.id, requester=known.id, data_details="D",
            processing_details="P", descriptions=(service.id,), offers=(), subscriptions=(), status="Proposed",
            version=1,
        )
        for _ in range(2)
    ]  # fmt: skip
    for one in proposed:
        with transaction(dso.database) as tx:
            copy.apply(tx, [service, one], dso.id, {service.id: "IndividualDataProvision"}, datetime.now(UTC))
    states = [dso.row(tables.b2b_service_subscription, one.id).status for one in proposed]
    assert states == ["Declined", "Proposed"]


def test_a_push_has_the_copy_brought_up_to_date(place: Place, dso: Dso, known: Player) -> None:
    dso.calls.update_location(Location(uri=f"{dso.url}/v1/services/market-player", registrations=(dso.id,)))
    operate(place.database, known.id, Move.SUSPEND)
    dso.drop_jobs()
    place.work()
    with dso.database.begin() as connection:
        waiting = connection.execute(
            text(
                "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'flexiciency.directory' AND status = 'todo'"
            )
        ).scalar_one()
    assert waiting == 1
    assert dso.refusal(known) is None
    dso.work()
    assert dso.refusal(known) == "SenderInactive"


def test_a_push_that_comes_late_undoes_nothing(world: World, place: Place, dso: Dso, known: Player) -> None:
    with transaction(place.database) as tx:
        objects, last = changes_after(tx, PLAYER_TYPES, dso.id, 0, 1000)
    pushed = PLAYER_TYPES.ReceiveDirectoryChanges(DirectoryChange=objects, NextCursor=str(last))
    operate(place.database, known.id, Move.SUSPEND)
    dso.read()
    dso.drop_jobs()
    to = MARKET_PLAYER_URN + dso.id
    Sender(dso.url, world.anchors, place.identity, MARKET_PLACE_URN, MARKET_PLAYER, to).send(pushed)
    dso.work()
    assert dso.refusal(known) == "SenderInactive"


def test_a_worker_reads_the_directory_when_it_starts(dso: Dso, player: Player) -> None:
    dso.drop_jobs()
    dso.work()
    assert dso.refusal(player) is None


def test_a_dso_that_has_no_market_place_reads_none(dso: Dso) -> None:
    alone = dso.settings.model_copy(update={"market_place_url": None})
    assert app.directory(alone, dso.database) is None

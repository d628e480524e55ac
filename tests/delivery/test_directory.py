"""The directory on its way to the providers that keep a copy: which changes are pushed to whom, and once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text

from flexiciency import app
from flexiciency.client import (
    MARKET_PLACE_URN,
    Account,
    Company,
    DirectoryChanges,
    Handlers,
    Listener,
    Location,
    MarketPlace,
    Received,
    Registration,
)
from flexiciency.delivery.directory import announce, push_changes
from flexiciency.delivery.push import Pusher
from flexiciency.delivery.worker import run
from flexiciency.domain.registration import Move
from flexiciency.errors import PartnerFault
from flexiciency.store import market, readers, tables
from flexiciency.store.database import Database, driver
from flexiciency.store.market import Kind
from flexiciency.store.transaction import Transaction, transaction
from tests.gateway import added, rows
from tests.messages import new_id
from tests.services.enrolling import PROVIDER, add_access_point, calling, enrolled, issued, operate
from tests.services.waiting import blocked
from tests.world import DSO, PLAYER, World

PUSH = "ReceiveDirectoryChanges"


@dataclass(frozen=True)
class Provider:
    """An enrolled provider with an address, its calls to the Market Place, and what its program was pushed."""

    id: str
    company: Company
    location: Location
    calls: MarketPlace
    taken: list[Received[DirectoryChanges]]

    def ids(self) -> list[list[str]]:
        """The objects of each push."""
        return [[one.id for one in received.content.changes] for received in self.taken]


@pytest.fixture(scope="module")
def place(world: World, database: Database) -> None:
    """The Market Place has an access point."""
    assert world
    add_access_point(database)


@pytest.fixture
def provider(world: World, url: str, place: None, database: Database, tmp_path: Path) -> Iterator[Provider]:
    """Another provider than the DSO of the gateway, to whom nothing is to be pushed yet."""
    assert place is None
    identity = issued(world.authority, "provider")
    enrolment = enrolled(world, url, database, identity, role=PROVIDER)
    registration_id, taken = enrolment.registration.id, list[Received[DirectoryChanges]]()
    handlers, senders = Handlers(directory_changed=taken.append), {MARKET_PLACE_URN: "MarketPlace"}
    listener = Listener(identity, registration_id, world.anchors, tmp_path / "inbox.sqlite", handlers, senders)
    with calling(world, url, identity, registration_id) as calls:
        location = Location(uri=listener.start(), registrations=(registration_id,))
        calls.update_location(location)
        push_changes(database, DSO, datetime.now(UTC))
        clear(database)
        yield Provider(registration_id, enrolment.company, location, calls, taken)
    listener.stop()
    operate(database, registration_id, Move.WITHDRAW)


def clear(database: Database) -> None:
    """No delivery and no job is left."""
    with database.begin() as connection:
        connection.execute(delete(tables.delivery))
        connection.execute(text("DELETE FROM procrastinate_jobs"))


def change(database: Database, kind: Kind, object_id: str, *readers: str) -> None:
    with transaction(database) as tx:
        market.lock(tx)
        market.changed(tx, kind, object_id, readers or (market.EVERYBODY,))


def queued(database: Database) -> list[str]:
    """Recipients of the pushes of the directory."""
    delivery = tables.delivery
    with database.begin() as connection:
        found = connection.execute(select(delivery.c.recipient_id).where(delivery.c.operation == PUSH))
        return list(found.scalars())


def jobs(database: Database) -> int:
    """How many looks at the directory wait."""
    sql = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'flexiciency.directory' AND status = 'todo'"
    with database.begin() as connection:
        number: int = connection.execute(text(sql)).scalar_one()
    return number


def work(world: World, database: Database, pusher: Pusher) -> None:
    """Look at the directory, then push: a worker that does not wait may end while a look still queues."""
    for _ in range(2):
        run(database, pusher, concurrency=2, directory=app.directory(world.settings, database), wait=False)


def test_what_changes_is_pushed_to_a_provider_with_an_address_once(
    world: World, database: Database, pusher: Pusher, provider: Provider
) -> None:
    changed = provider.company
    provider.calls.update_description(changed)
    assert jobs(database) == 1
    work(world, database, pusher)
    (received,) = provider.taken
    assert received.sender == MARKET_PLACE_URN
    assert [type(one) for one in received.content.changes] == [Company]
    assert provider.ids() == [[changed.id]]
    read_on = provider.calls.directory_changes(received.content.next_cursor)
    assert (read_on.changes, read_on.next_cursor) == ((), received.content.next_cursor)
    work(world, database, pusher)
    assert len(provider.taken) == 1


def test_one_look_is_enough_for_any_number_of_changes(database: Database, provider: Provider) -> None:
    for _ in range(3):
        provider.calls.update_description(provider.company)
    assert jobs(database) == 1


@pytest.mark.usefixtures("provider")
def test_a_change_that_is_rolled_back_has_no_job(database: Database) -> None:
    before = rows(database)
    with database.autocommit() as core:
        tx = Transaction(driver(core))
        market.lock(tx)
        announce(tx)
        tx.driver.rollback()
    assert added(before, database) == {}


def test_a_refused_operation_announces_nothing(world: World, url: str, database: Database, provider: Provider) -> None:
    with calling(world, url, world.player, PLAYER) as stranger, pytest.raises(PartnerFault):
        stranger.update_location(Location(uri="https://a.example", registrations=(provider.id,)))
    assert jobs(database) == 0


def test_neither_requesters_nor_those_without_an_address_nor_the_gateways_own_dso_are_pushed_to(
    world: World, url: str, database: Database, provider: Provider
) -> None:
    enrolled(world, url, database, issued(world.authority), uri="https://requester.example.org/")
    enrolled(world, url, database, issued(world.authority), role=PROVIDER)
    with calling(world, url, world.dso, DSO) as dso:
        dso.update_location(Location(uri="https://dso.example.org/", registrations=(DSO,)))
    push_changes(database, DSO, datetime.now(UTC))
    assert queued(database) == [provider.id]
    push_changes(database, None, datetime.now(UTC))
    assert sorted(queued(database)) == sorted([provider.id, DSO])


def test_a_suspended_provider_is_pushed_what_it_missed_once_it_is_active_again(
    database: Database, provider: Provider
) -> None:
    operate(database, provider.id, Move.SUSPEND)
    push_changes(database, DSO, datetime.now(UTC))
    assert queued(database) == []
    operate(database, provider.id, Move.REACTIVATE)
    push_changes(database, DSO, datetime.now(UTC))
    assert queued(database) == [provider.id]


def test_what_is_for_others_is_not_pushed(database: Database, provider: Provider) -> None:
    change(database, "MKP-SRV-DES", new_id(), PLAYER)
    push_changes(database, DSO, datetime.now(UTC))
    assert queued(database) == []
    assert provider.taken == []


def test_a_new_provider_is_pushed_its_own_registration_and_what_comes_later(
    world: World, url: str, database: Database, provider: Provider, pusher: Pusher
) -> None:
    other = enrolled(world, url, database, issued(world.authority), role=PROVIDER, uri="https://other.example.org/")
    provider.taken.clear()
    work(world, database, pusher)
    pushed = provider.taken[0].content.changes
    assert [type(one) for one in pushed if one.id == other.registration.id] == [Registration]
    with database.begin() as connection:
        contents = connection.execute(
            select(tables.delivery.c.content).where(tables.delivery.c.recipient_id == other.registration.id)
        ).scalars()
        own = b"".join(map(bytes, contents)).decode()
    assert other.registration.id in own
    assert provider.company.id not in own
    operate(database, other.registration.id, Move.WITHDRAW)


def test_changes_of_what_is_not_shown_are_passed_over(
    world: World, database: Database, pusher: Pusher, provider: Provider
) -> None:
    with transaction(database) as tx:
        market.lock(tx)
        for _ in range(1000):
            market.changed(tx, "MPL-REG", new_id())  # there is no such object, so that only its number counts
    provider.calls.update_description(provider.company)
    change(database, "MPL-REG", PLAYER)
    work(world, database, pusher)
    assert provider.ids() == [[provider.company.id, PLAYER]]


def test_a_push_holds_a_thousand_changes_at_most(
    world: World, database: Database, pusher: Pusher, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexiciency.delivery.directory.MOST", 2)
    for object_id in (PLAYER, DSO, provider.id):
        change(database, "MPL-REG", object_id)
    work(world, database, pusher)
    assert sorted(provider.ids()) == sorted([[PLAYER, DSO], [provider.id]])
    cursors = [received.content.next_cursor for received in provider.taken]
    read_on = provider.calls.directory_changes(min(cursors, key=int))
    assert [one.id for one in read_on.changes] == [provider.id]


def test_nothing_is_added_while_a_push_is_being_retried(
    world: World, database: Database, pusher: Pusher, provider: Provider
) -> None:
    provider.calls.update_location(replace(provider.location, uri="http://127.0.0.1:9/"))
    work(world, database, pusher)
    provider.calls.update_description(provider.company)
    push_changes(database, DSO, datetime.now(UTC))
    assert len(queued(database)) == 1
    with database.begin() as connection:
        connection.execute(text("UPDATE delivery SET received_at = now()"))
    push_changes(database, DSO, datetime.now(UTC))
    assert len(queued(database)) == 2


def test_a_look_waits_for_who_found_it_still_waiting(database: Database, provider: Provider) -> None:
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            market.lock(tx)
            (looking,) = blocked(database, pool, lambda: push_changes(database, DSO, datetime.now(UTC)))
            market.changed(tx, "MPL-REG", PLAYER)
        looking.result()
    assert queued(database) == [provider.id]


def test_workers_that_look_at_once_push_nothing_twice(database: Database, provider: Provider) -> None:
    change(database, "MPL-REG", PLAYER)
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            until = readers.claim(tx, provider.id)
            (looking,) = blocked(database, pool, lambda: push_changes(database, DSO, datetime.now(UTC)))
            (changes,) = tx.look_up(market.changes(provider.id, until, 1000))
            readers.move(tx, provider.id, changes[-1].number)
        looking.result()
    assert queued(database) == []


def test_certificates_are_pushed_as_they_were_enrolled(
    world: World, database: Database, pusher: Pusher, provider: Provider
) -> None:
    (own,) = provider.calls.read_registration(provider.id).accounts
    change(database, "MPL-AUT", own.id)
    work(world, database, pusher)
    (received,) = provider.taken
    (pushed,) = received.content.changes
    assert isinstance(pushed, Account)
    assert pushed == own

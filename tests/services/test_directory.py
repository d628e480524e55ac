"""What the Market Place says of itself, DSO mapping and the directory since a cursor, over HTTP (D2.3, 2.2)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import delete, insert, update

from flexiciency.client import (
    Account,
    B2BSubscription,
    Company,
    FoundDso,
    Location,
    MarketPlace,
    Registration,
    ServiceDescription,
)
from flexiciency.errors import PartnerFault, ReferenceUnknown, StateConflict
from flexiciency.services.replies import MARKET_PLACE
from flexiciency.store import market, market_place, tables
from flexiciency.store.database import Database
from flexiciency.store.market import Kind
from flexiciency.store.market_place import Description
from flexiciency.store.transaction import transaction
from tests.gateway import market_place_of
from tests.messages import new_id
from tests.world import DSO, PLAYER, SERVICE, STRANGER, SUBSCRIPTION, World

TEXTS = Description(
    purpose="Data for everybody — Δεδομένα",
    legal_information="None",
    contact_details="operator@example.org",
    stakeholder_and_community="DSOs",
    help="Ask",
    usage_condition="Be kind",
)


def client_of(world: World, url: str, registration_id: str = PLAYER) -> MarketPlace:
    identity = {PLAYER: world.player, STRANGER: world.stranger, DSO: world.dso}[registration_id]
    return MarketPlace(identity, registration_id, f"{url}/v1/services/market-place", world.anchors)


@pytest.fixture(scope="module")
def place(world: World, url: str) -> Iterator[MarketPlace]:
    """The Market Place as the player calls it."""
    with client_of(world, url) as client:
        yield client


@pytest.fixture
def described(database: Database) -> str:
    """The Market Place has a description and one location, whose id this is."""
    with transaction(database) as tx:
        market_place.set_description(tx, TEXTS)
        market_place.set_location(tx, "urn:place", "https://market.example.org/v1/services/market-place")
    return "urn:place"


def connect(database: Database, account: str, location: str | None) -> None:
    """The account of a registration names a location of the Market Place."""
    table = tables.market_player_authentication
    with database.begin() as connection:
        connection.execute(update(table).where(table.c.id == account).values(market_place_location_id=location))


def test_a_market_place_that_is_not_described_says_what_its_operator_must_do(
    place: MarketPlace, database: Database
) -> None:
    with pytest.raises(PartnerFault, match=r"no description \(MKP-DES\) yet") as caught:
        place.read_market_place()
    assert caught.value.partner_code == "StateConflict"
    with transaction(database) as tx:
        market_place.set_description(tx, TEXTS)
    with pytest.raises(PartnerFault, match=r"no location \(MKP-ADD\) yet"):
        place.read_market_place()


def test_description_and_locations_are_read_as_the_operator_entered_them(
    place: MarketPlace, database: Database, described: str
) -> None:
    found = place.read_market_place()
    assert (found.purpose, found.help, found.usage_condition) == (TEXTS.purpose, "Ask", "Be kind")
    assert [(one.id, one.uri) for one in found.locations] == [
        (described, "https://market.example.org/v1/services/market-place")
    ]
    with transaction(database) as tx:
        market_place.set_description(tx, replace(TEXTS, purpose="new"))
        market_place.set_location(tx, described, "https://elsewhere.example.org/")
        market_place.set_location(tx, "urn:second", "https://second.example.org/")
    changed = place.read_market_place()
    assert (changed.id, changed.purpose) == (found.id, "new")
    assert [one.uri for one in changed.locations] == ["https://elsewhere.example.org/", "https://second.example.org/"]
    with transaction(database) as tx:
        market_place.remove_location(tx, "urn:second")
    assert [one.id for one in place.read_market_place().locations] == [described]


def test_of_the_accounts_at_a_location_a_player_sees_its_own_companys_only(
    world: World, url: str, place: MarketPlace, database: Database, described: str
) -> None:
    for party in (PLAYER, STRANGER):
        connect(database, f"{party}:aut", described)
    assert [one.users for one in place.read_market_place().locations] == [(f"{PLAYER}:aut",)]
    with client_of(world, url, DSO) as dso:
        assert [one.users for one in dso.read_market_place().locations] == [()]
    for party in (PLAYER, STRANGER):
        connect(database, f"{party}:aut", None)


def test_a_location_that_an_account_names_stays(database: Database, described: str) -> None:
    connect(database, f"{PLAYER}:aut", described)
    with pytest.raises(StateConflict, match=f"named by MPL-AUT {PLAYER}:aut"), transaction(database) as tx:
        market_place.remove_location(tx, described)
    connect(database, f"{PLAYER}:aut", None)
    with pytest.raises(ReferenceUnknown, match="no MKP-ADD urn:nowhere"), transaction(database) as tx:
        market_place.remove_location(tx, "urn:nowhere")


Territory = tuple[str, str | None, str | None]


def enter(
    database: Database, name: str, *territories: Territory, subtype: str = "DSO", status: str = "Active",
    role: str = "RegulatedDataProvider",
) -> None:  # fmt: skip
    """A company that serves these territories (country, city, prefix of PoDs), with one registration and account."""
    company = f"{name}:des"
    with database.begin() as connection:
        connection.execute(
            insert(tables.market_player_description).values(
                id=company, company_information=name, company_type="EnergyRegulatedPlayer", company_subtype=subtype,
                contact={"Name": name, "Email": "a@b", "City": "Linz", "Country": "AT"},
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.market_player_registration).values(
                id=name, description_id=company, role=role, status=status, since=datetime.now(UTC)
            )
        )
        connection.execute(
            insert(tables.market_player_authentication).values(
                id=f"{name}:aut", registration_id=name, contact_point={"Name": name}, fingerprint=name,
                certificate=b"", valid_from=datetime.now(UTC), valid_until=datetime.now(UTC),
            )
        )  # fmt: skip
        for number, (country, city, prefix) in enumerate(territories):
            connection.execute(
                insert(tables.market_player_territory).values(
                    description_id=company, number=number, country=country, city=city, pod_prefix=prefix
                )
            )


@pytest.fixture(scope="module")
def dsos(world: World, database: Database) -> None:
    """DSOs of two countries, and companies that are asked for nothing."""
    assert world
    enter(database, "urn:upper", ("AT", "Linz", "AT001"), ("AT", "Łódź", "AT0_%"))
    enter(database, "urn:inner", ("AT", "Linz", "AT00123"), ("AT", "Wels", "AT00123"))
    enter(database, "urn:all", ("AT", None, None), ("SI", None, "SI"))
    enter(database, "urn:gone", ("AT", "Linz", "AT0012345"), ("HR", None, "HR"), status="Withdrawn")
    enter(database, "urn:waiting", ("AT", "Linz", "AT0012345"), status="Pending")
    enter(database, "urn:tso", ("AT", "Linz", "AT0012345"), subtype="TSO")
    enter(database, "urn:unregulated", ("AT", "Linz", "AT0012345"), role="UnregulatedDataProvider")


def named(found: FoundDso) -> tuple[str, list[str]]:
    return found.outcome, [dso.registration.id for dso in found.dsos]


@pytest.mark.usefixtures("dsos")
@pytest.mark.parametrize(
    ("pod", "outcome", "expected"),
    [
        ("AT00199999", "Unique", ["urn:upper"]),
        ("AT001", "Ambiguous", ["urn:inner", "urn:upper"]),  # a PoD that begins so may be of either
        ("AT0012345678", "Unique", ["urn:inner"]),  # the longest prefix of an Active DSO
        ("AT00123", "Unique", ["urn:inner"]),
        ("AT", "Ambiguous", ["urn:inner", "urn:upper"]),  # shorter than the prefixes
        ("A", "Ambiguous", ["urn:inner", "urn:upper"]),
        ("S", "Unique", ["urn:all"]),
        ("AT0_", "Unique", ["urn:upper"]),  # no patterns
        ("AT0%", "Unknown", []),
        ("AT0\\", "Unknown", []),
        ("at001", "Unknown", []),
        ("HR123", "Unknown", []),
        ("XX", "Unknown", []),
        ("~", "Unknown", []),
    ],
)
def test_a_dso_is_found_by_the_longest_prefix_of_the_pod(
    place: MarketPlace, pod: str, outcome: str, expected: list[str]
) -> None:
    assert named(place.find_dso(pod=pod)) == (outcome, expected)


@pytest.mark.usefixtures("dsos")
@pytest.mark.parametrize(
    ("country", "city", "outcome", "expected"),
    [
        ("AT", None, "Ambiguous", ["urn:all", "urn:inner", "urn:upper"]),
        ("AT", "Linz", "Ambiguous", ["urn:inner", "urn:upper", "urn:all"]),  # the more exact answers first
        ("AT", "WELS", "Ambiguous", ["urn:inner", "urn:all"]),
        ("AT", "łódź", "Ambiguous", ["urn:upper", "urn:all"]),
        ("AT", "Graz", "Unique", ["urn:all"]),
        ("SI", "Ljubljana", "Unique", ["urn:all"]),
        ("SI", None, "Unique", ["urn:all"]),
        ("HR", None, "Unknown", []),
        ("DE", "Linz", "Unknown", []),
    ],
)
def test_a_dso_is_found_by_country_and_city(
    place: MarketPlace, country: str, city: str | None, outcome: str, expected: list[str]
) -> None:
    assert named(place.find_dso(country=country, city=city)) == (outcome, expected)


@pytest.mark.usefixtures("dsos")
def test_a_dso_that_is_found_comes_with_its_company_and_territories(place: MarketPlace) -> None:
    (found,) = place.find_dso(pod="AT001239").dsos
    assert (found.registration.id, found.registration.company) == ("urn:inner", found.company.id)
    assert [(one.city, one.pod_prefix) for one in found.company.territories] == [
        ("Linz", "AT00123"),
        ("Wels", "AT00123"),
    ]


@pytest.mark.usefixtures("dsos")
def test_at_most_a_hundred_dsos_are_answered(place: MarketPlace, database: Database) -> None:
    for number in range(101):
        enter(database, f"urn:many:{number:03}", ("IT", None, None))
    outcome, ids = named(place.find_dso(country="IT"))
    assert (outcome, ids) == ("Ambiguous", [f"urn:many:{number:03}" for number in range(100)])


def change(database: Database, kind: Kind, object_id: str, *readers: str) -> None:
    with transaction(database) as tx:
        market.lock(tx)
        market.changed(tx, kind, object_id, readers or (market.EVERYBODY,))


@pytest.fixture
def quiet(database: Database) -> Iterator[None]:
    """Nothing has changed yet."""
    with database.begin() as connection:
        connection.execute(delete(tables.directory_change))
    yield
    with database.begin() as connection:
        connection.execute(delete(tables.directory_change))


@pytest.mark.usefixtures("quiet")
def test_an_empty_directory_begins_at_0_and_keeps_the_cursor_of_the_caller(place: MarketPlace) -> None:
    assert place.directory_changes().next_cursor == "0"
    again = place.directory_changes("17")
    assert (again.changes, again.next_cursor) == ((), "17")


@pytest.mark.usefixtures("dsos", "quiet")
def test_the_directory_is_read_in_pages_in_the_order_of_the_latest_changes(
    place: MarketPlace, database: Database
) -> None:
    for name in ("urn:upper", "urn:inner", "urn:all", "urn:upper"):
        change(database, "MPL-DES", f"{name}:des")
    first = place.directory_changes(page_size=2)
    assert [one.id for one in first.changes] == ["urn:inner:des", "urn:all:des"]
    second = place.directory_changes(first.next_cursor, page_size=2)
    assert [one.id for one in second.changes] == ["urn:upper:des"]
    assert place.directory_changes(second.next_cursor).changes == ()
    change(database, "MPL-DES", "urn:inner:des")
    assert [one.id for one in place.directory_changes(second.next_cursor).changes] == ["urn:inner:des"]


@pytest.mark.usefixtures("dsos", "quiet")
@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "0x10", "9" * 19])
def test_a_cursor_that_is_none_of_ours_is_refused(place: MarketPlace, cursor: str) -> None:
    with pytest.raises(PartnerFault, match="is no cursor of this directory") as caught:
        place.directory_changes(cursor)
    assert (caught.value.partner_code, caught.value.path) == ("ReferenceUnknown", "ReadDirectoryChanges/Cursor")


@pytest.mark.usefixtures("dsos", "quiet")
def test_what_is_pending_is_not_shown_and_passed_over(place: MarketPlace, database: Database) -> None:
    change(database, "MPL-REG", "urn:waiting")
    found = place.directory_changes()
    assert found.changes == ()
    assert found.next_cursor != "0"


@pytest.mark.usefixtures("dsos", "quiet")
def test_what_concerns_a_few_is_shown_to_them_only(
    world: World, url: str, place: MarketPlace, database: Database
) -> None:
    change(database, "MKP-SRV-DES", SERVICE, DSO, STRANGER)
    assert place.directory_changes().changes == ()
    with client_of(world, url, STRANGER) as stranger:
        assert [one.id for one in stranger.directory_changes().changes] == [SERVICE]


@pytest.fixture
def matched(database: Database) -> Iterator[None]:
    """The world's subscription, as if the Market Place had matched it."""
    published = {
        "service_type": "IndividualDataProvision", "status": "Published", "version": 1,
        "published_at": datetime.now(UTC),
    }  # fmt: skip
    with database.begin() as connection:
        for identifier, kind, party in (("urn:offer", "Offer", DSO), ("urn:wish", "Subscription", PLAYER)):
            connection.execute(insert(tables.publication).values(id=identifier, kind=kind, party_id=party, **published))
        connection.execute(
            insert(tables.b2b_service_subscription_match).values(
                b2b_id=SUBSCRIPTION, offer_id="urn:offer", offered_id=SERVICE, subscription_id="urn:wish",
                wanted_id=SERVICE, offer_version=1, subscription_version=1,
            )
        )  # fmt: skip
    yield
    with database.begin() as connection:
        connection.execute(delete(tables.b2b_service_subscription_match))
        connection.execute(delete(tables.publication))


@pytest.mark.usefixtures("dsos", "quiet", "matched")
def test_each_kind_of_object_travels_as_it_is_now(world: World, place: MarketPlace, database: Database) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    account, address = new_id(), new_id()
    with database.begin() as connection:
        connection.execute(
            insert(tables.market_player_authentication).values(
                id=account, registration_id=PLAYER, contact_point={"Name": "Ops", "Email": "ops@example.org"},
                fingerprint=world.player.fingerprint, certificate=world.player.certificate.public_bytes(Encoding.DER),
                valid_from=now, valid_until=now + timedelta(days=1), withdrawn_at=now + timedelta(hours=1),
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.market_player_location).values(id=address, registration_id=PLAYER, uri="https://a.example")
        )
    objects: tuple[tuple[Kind, str, tuple[str, ...]], ...] = (
        ("MPL-REG", PLAYER, ()), ("MPL-DES", f"{PLAYER}:des", ()), ("MPL-ADD", address, ()), ("MPL-AUT", account, ()),
        ("MKP-SRV-DES", SERVICE, (PLAYER,)), ("B2B-SRV-SUB", SUBSCRIPTION, (DSO, PLAYER)),
    )  # fmt: skip
    for kind, object_id, readers in objects:
        change(database, kind, object_id, *readers)
    registration, company, location, own, service, b2b = place.directory_changes().changes
    assert isinstance(registration, Registration)
    assert (registration.id, registration.status, registration.locations) == (PLAYER, "Active", (address,))
    assert isinstance(company, Company)
    assert company.registrations == (PLAYER,)
    assert location == Location(id=address, uri="https://a.example", registrations=(PLAYER,))
    assert isinstance(own, Account)
    assert (own.certificate, own.validity) == (world.player.certificate, (now, now + timedelta(hours=1)))
    assert isinstance(service, ServiceDescription)
    assert (service.id, service.aggregation_level) == (SERVICE, "None")
    assert isinstance(b2b, B2BSubscription)
    assert (b2b.id, b2b.descriptions, b2b.offers, b2b.subscriptions) == (
        SUBSCRIPTION, (SERVICE,), ("urn:offer",), ("urn:wish",),
    )  # fmt: skip


def test_a_location_must_be_a_pod_or_a_place(world: World, url: str) -> None:
    asked = MARKET_PLACE.FindDso(Location=MARKET_PLACE.CustomerLocation())
    assert market_place_of(world, url).refused(asked).partner_code == "SchemaInvalid"

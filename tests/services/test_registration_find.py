"""Registrations found over HTTP: by every criterion, in pages, in every script (D2.3, 2.2)."""

from collections.abc import Iterator

import pytest

from flexiciency.client.market_objects import Registration
from flexiciency.client.market_place import MarketPlace, pages
from flexiciency.domain.registration import Move
from flexiciency.services.replies import MARKET_PLACE as TYPES
from flexiciency.store.database import Database
from tests.gateway import market_place_of
from tests.services.enrolling import (
    PROVIDER,
    calling,
    enrol,
    enrolled,
    enrolment_of,
    issued,
    operate,
)
from tests.world import PLAYER, World

pytestmark = pytest.mark.usefixtures("access_point")


@pytest.fixture(scope="module")
def caller(world: World, url: str) -> Iterator[MarketPlace]:
    with calling(world, url, world.player, PLAYER) as market_place:
        yield market_place


@pytest.fixture(scope="module")
def crowd(world: World, url: str, database: Database) -> dict[str, Registration]:
    """Registrations by the name of their company."""
    names = (
        "Straße Süd",
        "100% Strom",
        "1000 Watt",
        "under_score",
        "underXscore",
        "国家电网公司",
        "ΣΊΣΥΦΟΣ",
        "Cafe\u0301",
    )
    return {name: enrolled(world, url, database, issued(world.authority), name=name).registration for name in names}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("STRASSE", ["Straße Süd"]),
        ("süd", ["Straße Süd"]),
        ("0% S", ["100% Strom"]),
        ("%", ["100% Strom"]),
        ("R_S", ["under_score"]),
        ("电网", ["国家电网公司"]),
        ("σίσυφος", ["ΣΊΣΥΦΟΣ"]),
        ("café", ["Cafe\u0301"]),
        ("\\", []),
        ("100", ["100% Strom", "1000 Watt"]),
    ],
)
def test_by_a_part_of_the_name(
    caller: MarketPlace, crowd: dict[str, Registration], part: str, expected: list[str]
) -> None:
    found = {one.id for one in caller.find_registrations(name=part).items}
    assert found == {crowd[name].id for name in expected}


def test_by_all_criteria_together(world: World, url: str, database: Database, caller: MarketPlace) -> None:
    wanted = enrolled(world, url, database, issued(world.authority), role=PROVIDER, name="Netz Linz")
    asked = {"role": PROVIDER, "company_type": "EnergyUnregulatedPlayer", "name": "netz", "country": "AT"}
    (found,) = caller.find_registrations(**asked).items  # type: ignore[arg-type]
    assert found.id == wanted.registration.id
    for other in ({"role": "UnregulatedDataProvider"}, {"company_type": "PublicBody"}, {"country": "DE"}):
        assert caller.find_registrations(**(asked | other)).items == ()  # type: ignore[arg-type]


def test_pages_hold_each_once_and_in_order(caller: MarketPlace, crowd: dict[str, Registration]) -> None:
    every = caller.find_registrations(page_size=1000)
    walked = list(pages(lambda cursor: caller.find_registrations(page_size=3, cursor=cursor)))
    assert [one for page in walked for one in page.items] == list(every.items)
    assert {len(page.items) for page in walked[:-1]} == {3}
    assert {one.id for one in crowd.values()} <= {one.id for one in every.items}
    assert every.next_cursor is None


def test_only_active_and_suspended_ones(world: World, url: str, database: Database, caller: MarketPlace) -> None:
    states = {}
    for moves in ((), (Move.APPROVE,), (Move.APPROVE, Move.SUSPEND), (Move.APPROVE, Move.WITHDRAW)):
        newcomer = issued(world.authority)
        wanted = enrolment_of(newcomer, name="In every state")
        enrol(world, url, newcomer, wanted)
        status = "Pending"
        for move in moves:
            status = operate(database, wanted.registration.id, move)
        states[wanted.registration.id] = status
    found = {one.id: one.status for one in caller.find_registrations(name="in every state").items}
    assert found == {one: status for one, status in states.items() if status in ("Active", "Suspended")}


def test_a_page_of_ten_thousand_is_refused(world: World, url: str) -> None:
    fault = market_place_of(world, url).refused(TYPES.FindRegistrations(PageSize=10_000))
    assert (fault.partner_code, fault.path) == ("SchemaInvalid", "FindRegistrations/PageSize")

"""One gateway over HTTP a test module, with the parties that call it; each test takes customers of its own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from flexiciency.client import MarketPlayer
from flexiciency.store.database import Database
from tests.gateway import Sender, channel_of, gateway, player_of, stranger_of
from tests.messages import Agreed, agree
from tests.services.enrolling import add_access_point
from tests.services.publishing import Market
from tests.world import DSO, PLAYER, World, make_world

_PODS = 60


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"), pods=_PODS)


@pytest.fixture(scope="module")
def url(world: World, database: Database) -> Iterator[str]:
    with gateway(world, database) as address:
        yield address


@pytest.fixture(scope="module")
def player(world: World, url: str) -> Sender:
    return player_of(world, url)


@pytest.fixture(scope="module")
def stranger(world: World, url: str) -> Sender:
    return stranger_of(world, url)


@pytest.fixture(scope="module")
def channel(world: World, url: str) -> Sender:
    return channel_of(world, url)


@pytest.fixture(scope="module")
def customers() -> Iterator[int]:
    """Numbers of customers that no other test has used."""
    return iter(range(_PODS))


@pytest.fixture(scope="module")
def client(world: World, url: str) -> Iterator[MarketPlayer]:
    """The player's own library."""
    with MarketPlayer(world.player, PLAYER, DSO, f"{url}/v1/services/b2b", world.anchors) as one:
        yield one


@pytest.fixture
def two(player: Sender, channel: Sender, customers: Iterator[int]) -> tuple[Agreed, list[int]]:
    """An agreement on two PoDs."""
    numbers = [next(customers), next(customers)]
    return agree(player, channel, numbers), numbers


@pytest.fixture(scope="module")
def access_point(database: Database) -> None:
    """Where newcomers enrol."""
    add_access_point(database)


@pytest.fixture(scope="module")
def market(world: World, url: str, database: Database) -> Iterator[Market]:
    """The Market Place of the world, and those who publish there."""
    with ExitStack() as clients:
        yield Market(world, url, database, clients)

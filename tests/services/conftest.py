"""One gateway over HTTP a test module, with the parties that call it; each test takes customers of its own."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from flexiciency.store.database import Database
from tests.gateway import Sender, channel_of, gateway, player_of, stranger_of
from tests.services.enrolling import add_access_point
from tests.services.publishing import Market
from tests.world import World, make_world

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
def access_point(database: Database) -> None:
    """Where newcomers enrol."""
    add_access_point(database)


@pytest.fixture(scope="module")
def market(world: World, url: str, database: Database) -> Iterator[Market]:
    """The Market Place of the world, and those who publish there."""
    with ExitStack() as clients:
        yield Market(world, url, database, clients)

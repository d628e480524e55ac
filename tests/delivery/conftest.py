"""A gateway, a player's listener that is pushed to over HTTP, and what queues and pushes deliveries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select, text, update

from flexiciency import app
from flexiciency.client import Handlers, Listener, Received, ValidationAnswer, ValidationRequest
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.push import Pusher
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import transaction
from tests.delivery.due import agree_on_curves
from tests.gateway import Sender, channel_of, gateway, player_of
from tests.messages import Agreed, new_id
from tests.services.aggregating import add_pods
from tests.world import DSO, PLAYER, World, make_world, set_address

_PODS = 40
DAY = datetime(2025, 1, 9, 23, tzinfo=UTC), datetime(2025, 1, 10, 23, tzinfo=UTC)


@dataclass
class Program:
    """The player's program: takes everything, or fails as long as it is told to; answers validations with `answer`."""

    failing: bool = False
    answer: ValidationAnswer | None = None
    taken: list[Received[Any]] = field(default_factory=list)

    def take(self, received: Received[Any]) -> None:
        if self.failing:
            raise RuntimeError("disk full")
        self.taken.append(received)

    def validate(self, received: Received[ValidationRequest]) -> ValidationAnswer | None:
        self.take(received)
        return self.answer

    def pods(self) -> list[list[str]]:
        """PoDs of each message of values."""
        return [[series.pod for series in one.content.series] for one in self.taken]


@dataclass(frozen=True)
class Queue:
    """Deliveries in the database."""

    database: Database

    def day(self, agreed: Agreed) -> UUID:
        """Queue a day of values of an agreement; the delivery's id."""
        object_id = new_id()
        with transaction(self.database) as tx:
            Outbox().push_values(tx, PLAYER, Values(agreed.id, *DAY), object_id, datetime.now(UTC))
        with self.database.begin() as connection:
            found = connection.execute(select(tables.delivery.c.id).where(tables.delivery.c.object_id == object_id))
            delivery: UUID = found.scalar_one()
        return delivery

    def of(self, delivery_id: UUID) -> Row[Any]:
        """The delivery as it stands."""
        with self.database.begin() as connection:
            return connection.execute(select(tables.delivery).where(tables.delivery.c.id == delivery_id)).one()

    def evidence(self, message_id: str) -> list[tuple[str, str]]:
        """Direction and last part of the Action of what was kept of a message and its replies."""
        sql = "SELECT direction, action FROM message WHERE message_id = :id OR relates_to = :id ORDER BY id"
        with self.database.begin() as connection:
            found = connection.execute(text(sql), {"id": message_id}).all()
        return [(row.direction, row.action.rpartition(":")[2]) for row in found]


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
def channel(world: World, url: str) -> Sender:
    return channel_of(world, url)


@pytest.fixture(scope="module")
def customers() -> Iterator[int]:
    """Numbers of customers that no other test has used."""
    return iter(range(_PODS))


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def listener(world: World, program: Program, tmp_path: Path) -> Iterator[str]:
    """The URL at which the player's program is pushed to."""
    handlers = Handlers(
        consent_given=program.take, consent_acknowledged=program.take, consent_revoked=program.take,
        activation_confirmed=program.take,
        agreement_changed=program.take, values_arrived=program.take, validation_answered=program.take,
        validation_requested=program.validate,
        aggregates_arrived=program.take,
    )  # fmt: skip
    senders = {DSO: "RegulatedDataProvider"}
    one = Listener(world.player, PLAYER, world.anchors, tmp_path / "inbox.sqlite", handlers, senders)
    yield one.start()
    one.stop()


@pytest.fixture
def address(database: Database, listener: str) -> Iterator[str]:
    """The player is pushed to at its listener during the test, and to nothing that came before."""
    with database.begin() as connection:
        connection.execute(update(tables.delivery).values(received_at=datetime.now(UTC)))
        connection.execute(text("DELETE FROM procrastinate_jobs"))
    set_address(database, listener)
    yield listener
    set_address(database, None)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


@pytest.fixture
def pusher(world: World, database: Database) -> Pusher:
    """Gives up after two attempts."""
    return app.pusher(world.settings.model_copy(update={"push_attempts": 2}), database)


@pytest.fixture
def pods(database: Database, request: pytest.FixtureRequest) -> list[str]:
    """Three PoDs without values, of this test's own."""
    return add_pods(database, request.node.name[:40], 3, days=[])


@pytest.fixture
def agreement(player: Sender, channel: Sender, pods: list[str]) -> str:
    return agree_on_curves(player, channel, pods)


@pytest.fixture
def streets(database: Database, request: pytest.FixtureRequest) -> list[list[str]]:
    """The PoDs of three cities, five each, without values."""
    return [add_pods(database, f"{request.node.name[:30]}-{i}", 5, days=[], city=f"City {i}") for i in range(3)]

"""Large values travel in gzip, to a Market Player's own listener too."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import select

from flexiciency.client import Handlers, Listener
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.push import Pusher
from flexiciency.soap.wsgi import Environ, StartResponse
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import transaction
from tests.delivery.conftest import Program
from tests.gateway import Sender, served
from tests.messages import END, START, agree, new_id
from tests.world import DSO, PLAYER, World, set_address


def push(database: Database, pusher: Pusher, values: Values) -> None:
    object_id = new_id()
    with transaction(database) as tx:
        Outbox().push_values(tx, PLAYER, values, object_id, datetime.now(UTC))
    with database.begin() as connection:
        found = select(tables.delivery.c.id).where(tables.delivery.c.object_id == object_id)
        delivery = connection.execute(found).scalar_one()
    pusher.push(delivery)


def test_values_are_pushed_in_gzip_to_a_listener_once_it_has_answered(
    world: World, database: Database, tmp_path: Path, player: Sender, channel: Sender, pusher: Pusher, program: Program
) -> None:
    agreed = agree(player, channel, [0, 1])
    handlers, senders = Handlers(values_arrived=program.take), {DSO: "RegulatedDataProvider"}
    listener = Listener(world.player, PLAYER, world.anchors, tmp_path / "inbox.sqlite", handlers, senders)
    heard: list[tuple[str, int]] = []

    def listening(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        heard.append((environ.get("HTTP_CONTENT_ENCODING", "identity"), int(environ["CONTENT_LENGTH"])))
        return listener.application(environ, start_response)

    with served(listening) as url:
        set_address(database, f"{url}/v1/services/market-player")
        for _ in range(2):
            push(database, pusher, Values(agreed.id, START, END))
    set_address(database, None)
    listener.stop()
    assert [encoding for encoding, _ in heard] == ["identity", "gzip"]
    assert heard[1][1] * 4 < heard[0][1]
    first, second = (received.content.series for received in program.taken)
    for plain, packed in zip(first, second, strict=True):
        assert plain.pod == packed.pod
        assert np.array_equal(plain.values, packed.values)

"""Evidence over HTTP: each message byte for byte as on the wire, in the transaction of what it caused."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Row, text

from flexiciency import app
from flexiciency.contract.catalogue import B2C
from flexiciency.services import b2c
from flexiciency.services.exchange import GatewayLedger, transaction_of
from flexiciency.soap.endpoint import Call, Endpoint
from flexiciency.soap.spyne_service import SpyneService
from flexiciency.soap.wsgi import Site
from flexiciency.store import evidence
from flexiciency.store.database import Database, driver
from flexiciency.store.transaction import transaction
from tests.gateway import Sender, added, bytes_of, channel_of, refusal, rows, served
from tests.messages import activation, agree, consent, new_id, values
from tests.world import DSO, World, pod_name


def kept(database: Database, message_id: str) -> list[Row[Any]]:
    """The rows of a request and its replies, in order."""
    sql = "SELECT * FROM message WHERE message_id = :id OR relates_to = :id ORDER BY id"
    with database.begin() as connection:
        return list(connection.execute(text(sql), {"id": message_id}).all())


def content(database: Database, row: Row[Any]) -> bytes:
    with database.begin() as connection:
        return b"".join(evidence.read(driver(connection), row.id))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_request_and_reply_are_kept_as_they_were_sent(
    player: Sender, database: Database, pack: Callable[[bytes], bytes]
) -> None:
    message = player.seal(activation(new_id(), [pod_name(0), "AT-unknown"]))
    data = bytes_of(message)
    headers = {"Content_Encoding": "gzip"} if pack is gzip.compress else {}
    heard = player.post_bytes(pack(data), **headers)
    request, reply = kept(database, message.addressing.message_id)
    assert (content(database, request), content(database, reply)) == (data, heard.data)
    assert (request.direction, request.peer, request.action) == ("in", player.urn, message.addressing.action)
    assert (request.fingerprint, request.body_digest) == (player.identity.fingerprint, message.signed.body_digest)
    assert (reply.direction, reply.peer, reply.request_row) == ("out", player.urn, request.id)
    assert (request.size, reply.size) == (len(data), len(heard.data))


def test_a_reply_of_more_than_a_chunk_is_kept_as_it_was_sent(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, [next(customers) for _ in range(8)])
    message = player.seal(values(agreed.id))
    heard = player.post_bytes(bytes_of(message))
    request, reply = kept(database, message.addressing.message_id)
    assert len(heard.data) > evidence.CHUNK_BYTES
    assert reply.chunks == len(heard.data) // evidence.CHUNK_BYTES + 1
    assert content(database, reply) == heard.data
    assert zlib.decompress(request.content) == bytes_of(message)


def test_each_repetition_is_kept_with_its_own_reply(player: Sender, database: Database) -> None:
    message = player.seal(activation(new_id(), [pod_name(0)]))
    first, second = player.post_bytes(bytes_of(message)), player.post_bytes(bytes_of(message))
    found = kept(database, message.addressing.message_id)
    assert [row.direction for row in found] == ["in", "out", "in", "out"]
    assert [content(database, row) for row in found[1::2]] == [first.data, second.data]


class Killed(Exception):  # noqa: N818  not of the gateway's own errors
    """What a handler dies of."""


def dies(_: Call) -> None:
    raise Killed


def loses_its_database(call: Call) -> None:
    """The session ends before its commit, as when the server goes down."""
    backend = transaction_of(call).driver.info.backend_pid
    with transaction(DATABASES[0]) as other:
        other.driver.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))


DATABASES: list[Database] = []


@pytest.mark.parametrize(
    ("how", "code", "retriable"), [(dies, "InternalError", False), (loses_its_database, "Unavailable", True)]
)
def test_a_handler_that_dies_after_its_writes_leaves_nothing_but_the_refusal(
    world: World,
    database: Database,
    customers: Iterator[int],
    how: Callable[[Call], None],
    code: str,
    *,
    retriable: bool,
) -> None:
    DATABASES[:] = [database]
    number = next(customers)
    with served(dying_site(world, database, how)) as url:
        channel = channel_of(world, url)
        message = channel.seal(consent(number, new_id()))
        before = rows(database)
        refused = refusal(channel.post_bytes(bytes_of(message)), world.anchors, bytes_of(message))
        assert (refused.code, refused.signed) == (code, True)
        assert refused.error.partner_says_retriable is retriable
        assert added(before, database) == {"message": 2}
    with served(app.site(world.settings, database)) as url:
        assert channel_of(world, url).post(message)
        assert added(before, database)["consent"] == 1


def dying_site(world: World, database: Database, how: Callable[[Call], None]) -> Site:
    """The B2C interface of the world's DSO, whose handlers die when all they write has been written."""

    def dying(handler: Callable[[Call, Any], Any]) -> Callable[[Call, Any], Any]:
        def run(call: Call, message: Any) -> Any:
            reply = handler(call, message)
            transaction_of(call).flush()
            how(call)
            return reply

        return run

    handlers = {name: dying(handler) for name, handler in b2c.handlers(DSO).items()}
    endpoint = Endpoint(B2C, app._host(world.settings), GatewayLedger(database), SpyneService(B2C, handlers))
    return Site([endpoint], world.settings.published_url, world.settings.message_bytes, database.ping)

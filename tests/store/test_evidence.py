"""Evidence is kept verbatim, with the business change or not at all."""

import hashlib
import random
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, text

from flexiciency.store import evidence, tables
from flexiciency.store.database import Database, driver
from flexiciency.store.evidence import Evidence
from flexiciency.store.transaction import is_taken, transaction

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
SENDER = "urn:flexiciency:market-player:urn:uuid:1"
SIZES = (0, 10, 4_000, evidence.CHUNK_BYTES, evidence.CHUNK_BYTES + 1, 5_000_000)


def _bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - the same at each run


def _request(message_id: str, content: bytes = b"<request/>", body_digest: bytes = b"d" * 32) -> Evidence:
    return Evidence(
        "in", SENDER, content, NOW, message_id=message_id, action="urn:a", fingerprint="f" * 64, body_digest=body_digest
    )


def _reply(message_id: str, content: bytes = b"<reply/>") -> Evidence:
    return Evidence("out", SENDER, content, NOW, message_id=f"re:{message_id}", relates_to=message_id)


def _read(database: Database, row: int) -> bytes:
    with database.begin() as connection:
        return b"".join(evidence.read(driver(connection), row))


def _record(database: Database, message: Evidence) -> int:
    with transaction(database) as tx:
        return evidence.record(tx, message)


def _keep(database: Database, request: Evidence, reply: Evidence) -> Any:
    """The exchange row of what was kept."""
    with transaction(database) as tx:
        evidence.keep(tx, request, reply)
    return _exchange(database, request)


def _exchange(database: Database, request: Evidence) -> Any:
    exchange = tables.exchange
    with database.begin() as connection:
        of_request = (exchange.c.sender == request.peer) & (exchange.c.message_id == request.message_id)
        return connection.execute(select(exchange).where(of_request)).one()


def _count(database: Database, table: str) -> int:
    with database.begin() as connection:
        return connection.scalars(select(func.count()).select_from(tables.metadata.tables[table])).one()


@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_any_size_is_kept_verbatim(database: Database, size: int) -> None:
    content = _bytes(size)
    row = _record(database, _request("m", content))
    assert _read(database, row) == content
    with database.begin() as connection:
        kept = connection.execute(select(tables.message).where(tables.message.c.id == row)).one()
    assert (kept.size, kept.sha256) == (size, hashlib.sha256(content).digest())
    assert (kept.direction, kept.peer, kept.message_id, kept.at, kept.verified) == ("in", SENDER, "m", NOW, True)


@pytest.mark.parametrize("size", SIZES)
def test_a_message_in_pieces_is_kept_verbatim(database: Database, size: int) -> None:
    content = _bytes(size)
    pieces = (content[start : start + 300_000] for start in range(0, size, 300_000))
    row = _record(database, Evidence("out", SENDER, pieces, NOW))
    assert _read(database, row) == content


@pytest.mark.parametrize(("asked", "answered"), [(10, 10), (10, 5_000_000), (5_000_000, 10), (3_000_000, 2_000_000)])
def test_request_and_reply_are_kept_together_whatever_their_size(database: Database, asked: int, answered: int) -> None:
    message_id = f"pair {asked} {answered}"
    known = _keep(database, _request(message_id, _bytes(asked)), _reply(message_id, _bytes(answered)))
    assert (known.body_digest, known.at) == (b"d" * 32, NOW)
    assert _read(database, known.reply_row) == _bytes(answered)
    with database.begin() as connection:
        linked = select(tables.message.c.request_row).where(tables.message.c.id == known.reply_row)
        request_row = connection.scalars(linked).one()
    assert request_row < known.reply_row
    assert _read(database, request_row) == _bytes(asked)


def test_an_exchange_takes_one_statement_with_what_is_inserted_beside_it(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE business (id text PRIMARY KEY, transaction bigint)"))
    with transaction(database) as tx:
        tx.insert("business", "INSERT INTO business VALUES (%(id)s, txid_current())", id="b")
        evidence.keep(tx, _request("beside"), _reply("beside"))
    with database.begin() as connection:
        written = select(text("transaction, message.xmin::text::bigint")).select_from(text("business, message"))
        one, other = connection.execute(written.where(text("message_id = 'beside'"))).one()
    assert one == other


def test_a_repeated_exchange_is_kept_without_claiming_its_message_id_again(database: Database) -> None:
    first = _keep(database, _request("again"), _reply("again"))
    with transaction(database) as tx:
        evidence.keep(tx, _request("again"), _reply("again"), claim=False)
    assert _exchange(database, _request("again")) == first


def _keep_and_fail(database: Database, request: Evidence, reply: Evidence) -> None:
    with transaction(database) as tx:
        evidence.keep(tx, request, reply)
        tx.flush()
        raise ZeroDivisionError


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_rollback_leaves_nothing(database: Database, size: int) -> None:
    before = [_count(database, table) for table in ("message", "message_chunk", "exchange")]
    with pytest.raises(ZeroDivisionError):
        _keep_and_fail(database, _request("rolled", _bytes(size)), _reply("rolled", _bytes(size)))
    assert [_count(database, table) for table in ("message", "message_chunk", "exchange")] == before


def test_of_concurrent_twins_one_is_kept(database: Database) -> None:
    together = Barrier(6)

    def answer(number: int) -> bool:
        together.wait()
        try:
            _keep(database, _request("twin"), _reply("twin", b"%d" % number))
        except psycopg.errors.UniqueViolation as error:
            return not is_taken(error)
        return True

    with ThreadPoolExecutor(6) as threads:
        kept = list(threads.map(answer, range(6)))
    assert kept.count(True) == 1
    assert _read(database, _exchange(database, _request("twin")).reply_row) == b"%d" % kept.index(True)


def test_two_senders_may_use_the_same_message_id(database: Database) -> None:
    other = Evidence("in", "urn:other", b"", NOW, message_id="shared", body_digest=b"")
    mine, theirs = _keep(database, _request("shared"), _reply("shared")), _keep(database, other, _reply("shared"))
    assert mine.reply_row != theirs.reply_row


def test_of_an_unverified_message_only_digest_size_address_and_code_are_kept(database: Database) -> None:
    with database.autocommit() as connection:
        row = evidence.refused(connection, b"<forged/>", peer="192.0.2.7", code="SignatureInvalid", at=NOW)
    with database.begin() as connection:
        kept = connection.execute(select(tables.message).where(tables.message.c.id == row)).one()
        with pytest.raises(LookupError, match="only the digest"):
            evidence.read(driver(connection), row)
    assert (kept.sha256, kept.size) == (hashlib.sha256(b"<forged/>").digest(), 9)
    assert (kept.peer, kept.code, kept.verified, kept.content) == ("192.0.2.7", "SignatureInvalid", False, None)


def test_a_large_message_is_written_and_read_in_flat_memory(database: Database) -> None:
    size = 40

    def pieces() -> Iterator[bytes]:
        for number in range(size):
            yield _bytes(1_000_000 + number)

    tracemalloc.start()
    try:
        row = _record(database, Evidence("out", SENDER, pieces(), NOW))
        with database.begin() as connection:
            read = sum(len(piece) for piece in evidence.read(driver(connection), row))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == sum(1_000_000 + number for number in range(size))
    assert peak < 12_000_000

"""Evidence: each message as it travelled, byte for byte, in the transaction of the business change it caused.

A message of up to 1 MB is one row. A larger one is kept in chunks of 1 MB, so that memory stays flat.
Who sent an unverified message is unknown: of it only digest, size, network address and fault code are kept.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, Literal, TypeGuard

import psycopg
from sqlalchemy import Connection

from flexiciency.soap.outgoing import Outgoing
from flexiciency.store.database import driver
from flexiciency.store.transaction import Transaction
from flexiciency.wire.verify import Verified

CHUNK_BYTES = 1_000_000
"""Of a message, before compression."""

LEVEL, WINDOW_BITS, MEMORY_LEVEL = 1, 14, 6
"""Of zlib: XML shrinks to a fifth, in a third of the time of level 6. To clear the window and tables that zlib takes
unless told otherwise costs four times what it costs to compress a message of 6 kB."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One verified message, or one of ours. `peer` is the other party's URN; `code` the fault code where refused.

    `content` is the whole envelope: bytes, or an iterable of bytes for what is not held in memory.
    """

    direction: Literal["in", "out"]
    peer: str
    content: bytes | Iterable[bytes]
    at: datetime
    message_id: str | None = None
    relates_to: str | None = None
    action: str | None = None
    fingerprint: str | None = None
    body_digest: bytes | None = None
    code: str | None = None


def received(content: bytes, message: Verified, now: datetime, code: str | None = None) -> Evidence:
    """Evidence of a verified message that came in; `code` is the fault's where it was refused."""
    addressing = message.addressing
    return Evidence(
        "in", addressing.from_ or "", content, now, addressing.message_id, addressing.relates_to, addressing.action,
        message.fingerprint, message.body_digest, code,
    )  # fmt: skip


def sent(message: Outgoing, now: datetime, code: str | None = None) -> Evidence:
    """Evidence of a message of ours, by its own chunks when it is large; `code` is the fault's where it is one."""
    addressing = message.addressing
    content = b"".join(message.chunks()) if message.size <= CHUNK_BYTES else message.chunks()
    return Evidence(
        "out", addressing.to, content, now, addressing.message_id, addressing.relates_to, addressing.action, None,
        message.body.digest, code,
    )  # fmt: skip


def record(tx: Transaction, evidence: Evidence, *, request_row: int | None = None) -> int:
    """Keeps one message now, as the reply to another where `request_row` is given. Gives its row number."""
    tx.begin()
    content = evidence.content
    if _is_small(content):
        values = _small(evidence, content) | {"request_row": request_row}
        return _number(tx.driver.execute(_insert(tuple(values)), values, prepare=True))
    return _record_large(tx.driver, evidence, _pieces(content), request_row)


def keep(tx: Transaction, request: Evidence, reply: Evidence, *, claim: bool = True) -> None:
    """Keeps a request with its reply and, to `claim` it, the request's MessageID for this sender.

    They travel with the COMMIT, except large messages, which are written at once and chunk by chunk. When the MessageID
    is taken already, an error that `transaction.is_taken` knows is raised.
    """
    if _is_small(request.content) and _is_small(reply.content):
        values = _small(request, request.content)
        tx.insert("request", _insert(tuple(values)), **values)
        values = _small(reply, reply.content)
        tx.insert("reply", _insert(tuple(values), reply=True), **values)
    else:
        tx.insert("reply", "SELECT %(id)s::bigint AS id", id=record(tx, reply, request_row=record(tx, request)))
    if claim:
        claimed = {"sender": request.peer, "message_id": request.message_id, "digest": request.body_digest}
        tx.insert("claim", _CLAIM, **claimed, at=request.at)


def refused(connection: Connection, content: bytes, *, peer: str, code: str, at: datetime) -> int:
    """Notes a message that failed verification; `peer` is the network address. Gives its row number."""
    values = {"direction": "in", "peer": peer, "sha256": sha256(content).digest(), "size": len(content)}
    values |= {"code": code, "verified": False, "at": at}
    return _number(driver(connection).execute(_insert(tuple(values)), values, prepare=True))


def read(below: psycopg.Connection[Any], row: int) -> Iterator[bytes]:
    """The message as it travelled, in pieces of at most 1 MB. LookupError when its content was never kept."""
    found = below.execute("SELECT content, chunks FROM message WHERE id = %s", (row,), binary=True).fetchone()
    if found is None:
        raise LookupError(f"no message has the row {row}")
    content, chunks = found
    if content is not None:
        return iter((zlib.decompress(content),))
    if not chunks:
        raise LookupError(f"of the message in row {row} only the digest was kept")
    return _chunks(below, row, chunks)


def _chunks(below: psycopg.Connection[Any], row: int, count: int) -> Iterator[bytes]:
    for number in range(count):
        cursor = below.execute(
            "SELECT content FROM message_chunk WHERE message_id = %s AND number = %s", (row, number), binary=True
        )
        for (content,) in cursor:
            yield zlib.decompress(content)


def _is_small(content: bytes | Iterable[bytes]) -> TypeGuard[bytes]:
    return isinstance(content, bytes) and len(content) <= CHUNK_BYTES


def _header(evidence: Evidence) -> dict[str, Any]:
    """The columns that are not null."""
    values = {
        "direction": evidence.direction,
        "peer": evidence.peer,
        "message_id": evidence.message_id,
        "relates_to": evidence.relates_to,
        "action": evidence.action,
        "fingerprint": evidence.fingerprint,
        "body_digest": evidence.body_digest,
        "code": evidence.code,
        "verified": True,
        "at": evidence.at,
    }
    return {name: value for name, value in values.items() if value is not None}


def _small(evidence: Evidence, content: bytes) -> dict[str, Any]:
    kept = {"sha256": sha256(content).digest(), "size": len(content), "content": _compressed(content)}
    return _header(evidence) | kept


def _compressed(content: bytes) -> bytes:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL)
    return compressor.compress(content) + compressor.flush()


def _pieces(content: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return (content,) if isinstance(content, bytes) else content


def _record_large(
    below: psycopg.Connection[Any], evidence: Evidence, pieces: Iterable[bytes], request_row: int | None
) -> int:
    """The chunks first, then the row with what is only known after the last: digest, size and count."""
    row = _number(below.execute("SELECT nextval(pg_get_serial_sequence('message', 'id'))"))
    digest, size, number = sha256(), 0, -1
    for number, chunk in enumerate(_rechunked(pieces)):
        digest.update(chunk)
        size += len(chunk)
        below.execute("INSERT INTO message_chunk VALUES (%s, %s, %s)", (row, number, _compressed(chunk)))
    values = _header(evidence) | {"id": row, "sha256": digest.digest(), "size": size, "chunks": number + 1}
    values |= {"request_row": request_row}
    return _number(below.execute(_insert(tuple(values)), values))


def _rechunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        for start in range(0, len(piece), CHUNK_BYTES):
            waiting += piece[start : start + CHUNK_BYTES]
            if len(waiting) >= CHUNK_BYTES:
                yield bytes(waiting[:CHUNK_BYTES])
                del waiting[:CHUNK_BYTES]
    yield bytes(waiting)


def _row(cursor: psycopg.Cursor[Any]) -> Any:
    """The one row that a statement always gives."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the statement gave no row")
    return row


def _number(cursor: psycopg.Cursor[Any]) -> int:
    return int(_row(cursor)[0])


@cache
def _insert(names: tuple[str, ...], *, reply: bool = False) -> str:
    """INSERT of one message from the values with these names; of a `reply` to what the insert "request" returns."""
    columns, places = ", ".join(names), ", ".join(f"%({name})s" for name in names)
    if reply:
        return f"INSERT INTO message ({columns}, request_row) SELECT {places}, id FROM request RETURNING id"  # noqa: S608 - constants
    return f"INSERT INTO message ({columns}) VALUES ({places}) RETURNING id"  # noqa: S608 - constants


_CLAIM = """
INSERT INTO exchange (sender, message_id, body_digest, at, reply_row)
SELECT %(sender)s, %(message_id)s, %(digest)s, %(at)s, id FROM reply
"""

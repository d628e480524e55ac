"""Evidence: each message as it travelled, byte for byte, in the transaction of the business change it caused.

A message of up to 1 MB is one row. A larger one is kept in chunks of 1 MB, so that memory stays flat. A request, its
reply and the record of its MessageID are one statement, since on the message path round trips cost most.
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
from flexiciency.store.transaction import Query
from flexiciency.wire.verify import Verified

CHUNK_BYTES = 1_000_000
"""Of a message, before compression."""

LEVEL = 1
"""Of zlib: XML shrinks to a fifth, in a third of the time of level 6."""

COLUMNS = (
    "direction",
    "peer",
    "message_id",
    "relates_to",
    "action",
    "fingerprint",
    "body_digest",
    "sha256",
    "size",
    "code",
    "verified",
    "at",
    "content",
)


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


def record(connection: Connection, evidence: Evidence, *, request_row: int | None = None) -> int:
    """Keeps one message, as the reply to another where `request_row` is given. Gives its row number."""
    content = evidence.content
    if _is_small(content):
        values = {**_small(evidence, content), "request_row": request_row}
        return _number(driver(connection).execute(_INSERT, values, prepare=True))
    return _record_large(driver(connection), evidence, _pieces(content), request_row)


def exchange(connection: Connection, request: Evidence, reply: Evidence, *, claim: bool = True) -> Query:
    """The statement that keeps a request with its reply and, to `claim` it, the request's MessageID for this sender.

    It gives one row, request_row and reply_row. Large messages are written before, at once and chunk by chunk. When the
    MessageID is taken already, running the statement raises an error that `transaction.is_taken` knows.
    """
    values: dict[str, Any] = {}
    if claim:
        values |= {"sender": request.peer, "claimed": request.message_id, "digest": request.body_digest}
        values["claimed_at"] = request.at
    if _is_small(request.content) and _is_small(reply.content):
        values |= _prefixed("request", _small(request, request.content))
    else:
        values["request_row"] = record(connection, request)
    if _is_small(reply.content):
        values |= _prefixed("reply", _small(reply, reply.content))
    else:
        values["reply_row"] = record(connection, reply, request_row=values["request_row"])
    sql = _exchange_sql(request_kept="request_row" in values, reply_kept="reply_row" in values, claim=claim)
    return Query(sql, values)


def record_exchange(
    connection: Connection, request: Evidence, reply: Evidence, *, claim: bool = True
) -> tuple[int, int]:
    """Runs `exchange` now. Gives the row numbers of request and reply."""
    query = exchange(connection, request, reply, claim=claim)
    row = _row(driver(connection).execute(query.sql, query.values, prepare=True))
    return row[0], row[1]


def earlier(sender: str, message_id: str) -> Query:
    """What is known of a sender's MessageID: a row of body_digest, at and reply_row, or none."""
    return Query(
        "SELECT body_digest, at, reply_row FROM exchange WHERE sender = %(sender)s AND message_id = %(message_id)s",
        {"sender": sender, "message_id": message_id},
    )


def refused(connection: Connection, content: bytes, *, peer: str, code: str, at: datetime) -> int:
    """Notes a message that failed verification; `peer` is the network address. Gives its row number."""
    values: dict[str, Any] = dict.fromkeys((*COLUMNS, "request_row"))
    values |= {"direction": "in", "peer": peer, "sha256": sha256(content).digest(), "size": len(content)}
    values |= {"code": code, "verified": False, "at": at}
    return _number(driver(connection).execute(_INSERT, values, prepare=True))


def read(connection: Connection, row: int) -> Iterator[bytes]:
    """The message as it travelled, in pieces of at most 1 MB. LookupError when its content was never kept."""
    below = driver(connection)
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
    return {
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


def _small(evidence: Evidence, content: bytes) -> dict[str, Any]:
    kept = {"sha256": sha256(content).digest(), "size": len(content), "content": zlib.compress(content, LEVEL)}
    return _header(evidence) | kept


def _prefixed(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}_{name}": value for name, value in values.items()}


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
        below.execute("INSERT INTO message_chunk VALUES (%s, %s, %s)", (row, number, zlib.compress(chunk, LEVEL)))
    values = _header(evidence) | {"sha256": digest.digest(), "size": size, "content": None}
    return _number(below.execute(_INSERT_LARGE, values | {"id": row, "chunks": number + 1, "request_row": request_row}))


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


def _insert(prefix: str = "", *, request_row: str = "%(request_row)s", more: tuple[str, ...] = ()) -> str:
    """INSERT of one message from the values with this prefix, `request_row` as the SQL that gives it."""
    names = (*COLUMNS, *more)
    places = ", ".join(f"%({prefix}{name})s" for name in names)
    return f"INSERT INTO message ({', '.join(names)}, request_row) VALUES ({places}, {request_row}) RETURNING id"  # noqa: S608 - constants


_INSERT = _insert()
_INSERT_LARGE = _insert(more=("id", "chunks"))

_CLAIM = """
claim AS (
    INSERT INTO exchange (sender, message_id, body_digest, at, reply_row)
    VALUES (%(sender)s, %(claimed)s, %(digest)s, %(claimed_at)s, (SELECT id FROM reply))
)
"""


@cache
def _exchange_sql(*, request_kept: bool, reply_kept: bool, claim: bool) -> str:
    """One statement for what remains to be kept of an exchange."""
    request = "SELECT %(request_row)s::bigint AS id" if request_kept else _insert("request_", request_row="NULL")
    reply = "(SELECT id FROM request)"
    reply = "SELECT %(reply_row)s::bigint AS id" if reply_kept else _insert("reply_", request_row=reply)
    parts = [f"request AS ({request})", f"reply AS ({reply})", *([_CLAIM] if claim else [])]
    return f"WITH {', '.join(parts)} SELECT request.id AS request_row, reply.id AS reply_row FROM request, reply"  # noqa: S608 - constants

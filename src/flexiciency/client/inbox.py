"""The listener's memory: one SQLite file with every message received, its reply, and what was refused.

A message is in one of two states: answered (its reply is kept, and repeated to whoever sends it again), or undelivered
(the program that should take it could not; the sender was told to try again).
"""

import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from flexiciency.client.statistics import Statistics
from flexiciency.contract.catalogue import Operation
from flexiciency.errors import CertificateNotBound, MessageIdReused, SenderUnknown, Unavailable
from flexiciency.soap.endpoint import Speaker
from flexiciency.soap.outgoing import Outgoing
from flexiciency.wire.addressing import registration_of
from flexiciency.wire.sign import content_of
from flexiciency.wire.verify import Verified

log = structlog.get_logger()

_TABLES = """
CREATE TABLE IF NOT EXISTS message (
    sender TEXT NOT NULL,
    message_id TEXT NOT NULL,
    action TEXT NOT NULL,
    received_at TEXT NOT NULL,
    body_digest BLOB NOT NULL,
    request BLOB NOT NULL,
    reply BLOB,
    PRIMARY KEY (sender, message_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusal (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    code TEXT NOT NULL,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    peer TEXT,
    sender TEXT,
    message_id TEXT,
    request BLOB
);
"""
_KEEP = """
INSERT INTO message (sender, message_id, action, received_at, body_digest, request, reply) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (sender, message_id) DO UPDATE SET request = excluded.request, reply = excluded.reply WHERE reply IS NULL
"""
_REFUSED = """
INSERT INTO refusal (at, code, digest, size, peer, sender, message_id, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_FORGET = "DELETE FROM refusal WHERE id <= (SELECT max(id) FROM refusal) - ?"
_MOST_REFUSALS = 10_000
_SOON = 10.0
"""Seconds to wait for another process that writes."""
_FAST = 1

_Who = tuple[str | None, str | None, str | None]
"""Peer, sender and MessageID, as far as known."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may push: its role, and its certificates (SHA-256, hex), or None for any that the anchors accept."""

    role: str
    fingerprints: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message that is kept, because its handler failed; `sender` is a URN."""

    sender: str
    message_id: str
    action: str
    received_at: datetime


class Inbox:
    """The ledger of a `soap.endpoint.Endpoint` in a file. `senders` by MPL-REG id, the Market Place by its URN."""

    def __init__(self, path: Path, senders: Mapping[str, Sender], statistics: Statistics) -> None:
        """Raises sqlite3.Error when the file cannot be used. A new file can be read by its owner only."""
        path.touch(mode=0o600)
        self._senders = dict(senders)
        self._statistics = statistics
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=_SOON, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_TABLES)
        self._under_way: set[tuple[str, str]] = set()
        self._one_done = threading.Condition()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def check(self) -> None:
        """Raises Unavailable when the file cannot be read."""
        self._run("SELECT count(*) FROM refusal WHERE id = 0")

    def undelivered(self) -> list[Undelivered]:
        """What waits for its sender to try again, the oldest first."""
        rows = self._run(
            "SELECT sender, message_id, action, received_at FROM message WHERE reply IS NULL ORDER BY received_at"
        )
        return [Undelivered(sender, name, action, datetime.fromisoformat(at)) for sender, name, action, at in rows]

    def speaker(self, message: Verified) -> Speaker:
        """Who speaks; raises SenderUnknown or CertificateNotBound."""
        urn = message.addressing.from_ or ""
        name = registration_of(urn) or urn
        sender = self._senders.get(name)
        if sender is None:
            raise SenderUnknown(f"wsa:From is {urn[:200]!r}, who may not push messages here. Ask to be admitted first.")
        if sender.fingerprints is not None and message.fingerprint not in sender.fingerprints:
            raise CertificateNotBound(
                f"The certificate {message.fingerprint} is not among those that {name} may push messages with."
            )
        return Speaker(name, sender.role)

    @contextmanager
    def exchange(self, operation: Operation, message: Verified, now: datetime) -> Iterator["InboxExchange"]:
        """One message at a time per MessageID: a repetition waits for the first to be answered."""
        key = message.addressing.from_ or "", message.addressing.message_id
        with self._one_done:
            self._one_done.wait_for(lambda: key not in self._under_way)
            self._under_way.add(key)
        try:
            yield InboxExchange(self, operation, message, now)
        finally:
            with self._one_done:
                self._under_way.discard(key)
                self._one_done.notify_all()

    def repeat(self, error: Exception) -> bool:  # noqa: ARG002
        """Never: `exchange` lets no two of the same message in."""
        return False

    def refuse_verified(self, request: bytes, message: Verified, fault: Outgoing, code: str, now: datetime) -> None:  # noqa: ARG002
        """The verbatim message: as undelivered when it may come again, else as evidence of refusal."""
        self._statistics.add(signed=1, verified=1, faults=1)
        addressing = message.addressing
        try:
            if code == Unavailable.__name__:
                self.keep(request, message, None, now)
            else:
                self._refused(request, code, now, (None, addressing.from_, addressing.message_id), verbatim=True)
        except Unavailable:
            log.exception("refusal not kept", code=code, message_id=addressing.message_id)

    def refuse_unverified(self, request: bytes, peer: str, code: str, now: datetime) -> None:
        """Digest, size, peer and code only."""
        self._statistics.add(refused=1)
        try:
            self._refused(request, code, now, (peer, None, None), verbatim=False)
        except Unavailable:
            log.exception("refusal not kept", code=code, peer=peer)

    def keep(self, request: bytes, message: Verified, reply: bytes | None, now: datetime) -> None:
        """Keep a message, answered or (`reply` None) undelivered; an answered one stays as it is."""
        self._run(
            _KEEP,
            message.addressing.from_,
            message.addressing.message_id,
            message.addressing.action,
            now.isoformat(),
            message.body_digest,
            zlib.compress(request, _FAST),
            None if reply is None else zlib.compress(reply, _FAST),
        )

    def kept(self, message: Verified) -> tuple[bytes, bytes | None] | None:
        """Body digest and reply of a message with this MessageID of this sender, if there was one."""
        rows = self._run(
            "SELECT body_digest, reply FROM message WHERE sender = ? AND message_id = ?",
            message.addressing.from_,
            message.addressing.message_id,
        )
        return next(((digest, None if reply is None else zlib.decompress(reply)) for digest, reply in rows), None)

    def answered(self) -> None:
        """Count a message that was verified and answered with a signed reply."""
        self._statistics.add(signed=1, verified=1)

    def _refused(self, request: bytes, code: str, now: datetime, who: _Who, *, verbatim: bool) -> None:
        kept = zlib.compress(request, _FAST) if verbatim else None
        self._run(_REFUSED, now.isoformat(), code, hashlib.sha256(request).digest(), len(request), *who, kept)
        self._run(_FORGET, _MOST_REFUSALS)

    def _run(self, statement: str, *values: object) -> list[Any]:
        """One statement, committed. Raises Unavailable."""
        try:
            with self._lock:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise Unavailable("The receiver's inbox cannot be used now. Send the same message again later.") from error


class InboxExchange:
    """One request and its reply; kept, and so committed, as the last thing before the answer."""

    def __init__(self, inbox: Inbox, operation: Operation, message: Verified, now: datetime) -> None:
        self._inbox = inbox
        self._operation = operation
        self._message = message
        self._now = now

    def speaker(self) -> Speaker:
        """Who speaks; raises SenderUnknown or CertificateNotBound."""
        return self._inbox.speaker(self._message)

    def earlier_reply(self) -> bytes | None:
        """Content of the reply given before, None for a message that is new or undelivered. Raises MessageIdReused."""
        kept = None if self._operation.reads_only else self._inbox.kept(self._message)
        if kept is None:
            return None
        digest, reply = kept
        if digest != self._message.body_digest:
            raise MessageIdReused(
                f"wsa:MessageID {self._message.addressing.message_id} came before with another Body. Give each new "
                "message a new one; a retry keeps both."
            )
        return None if reply is None else content_of(reply)

    def keep(self, request: bytes, reply: Outgoing) -> None:
        """Keep both verbatim, unless the operation only reads."""
        if not self._operation.reads_only:
            self._inbox.keep(request, self._message, b"".join(reply.chunks()), self._now)
        self._inbox.answered()

"""The books of a market player of the demo: an SQLite file, and whoever waits for something to be written there."""

import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flexiciency.client import AggregatesMessage, B2BSubscription, Received, Series, ValuesMessage
from flexiciency.contract.series import epoch

_TABLES = """
CREATE TABLE read_object (object TEXT, at REAL);
CREATE TABLE attempt (subscription TEXT, at REAL, published INTEGER);
CREATE TABLE b2b (id TEXT PRIMARY KEY, status TEXT, version INTEGER, provider TEXT);
CREATE TABLE consent (id TEXT, pod TEXT, revoked_at REAL, PRIMARY KEY (id, pod));
CREATE TABLE activation (pod TEXT PRIMARY KEY, confirmed INTEGER, code TEXT);
CREATE TABLE agreement (id TEXT, status TEXT);
CREATE TABLE agreement_state (status TEXT);
CREATE TABLE narrowed (asked TEXT, served TEXT);
CREATE TABLE validation (factor TEXT, element TEXT);
CREATE TABLE message (id TEXT PRIMARY KEY, summed INTEGER, version INTEGER, message_id TEXT, received_at REAL,
    acknowledged INTEGER DEFAULT 0);
CREATE TABLE series (message TEXT, source TEXT, pods INTEGER, start INTEGER, count INTEGER, wh BLOB,
    PRIMARY KEY (message, source, start));
CREATE TABLE gap (source TEXT, day TEXT);
CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER);
"""
# Pushes come in any order: what is decided stays, and of what is proposed the latest version.
_B2B = """
INSERT INTO b2b VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status,
version = excluded.version WHERE status = 'Proposed' AND version <= excluded.version
"""


class Stopped(Exception):  # noqa: N818  nothing went wrong
    """The player was told to end."""


class Books:
    """One market player's file, written by the threads of its process and read by the demo's."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._file.parent.mkdir(mode=0o700)
        self._written = threading.Condition()
        self._stopping = threading.Event()
        with closing(sqlite3.connect(file)) as database:
            database.executescript("PRAGMA journal_mode=WAL;" + _TABLES)

    def stop(self) -> None:
        """Have `wait` raise Stopped from now on."""
        self._stopping.set()

    def wait(self, seconds: float = 0.1) -> None:
        """Until something is written, or so long. Raises Stopped."""
        with self._written:
            self._written.wait(seconds)
        if self._stopping.is_set():
            raise Stopped

    def write(self, statement: str, *values: object) -> None:
        """One statement, committed."""
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
            database.execute(statement, values)
        self._tell()

    def rows(self, query: str, *values: object) -> list[tuple[str, ...]]:
        """What a query finds."""
        return read(self._file, query, *values)

    def store_b2b(self, subscription: B2BSubscription) -> None:
        """A B2B-SRV-SUB as it is now."""
        self.write(_B2B, subscription.id, subscription.status, subscription.version, subscription.provider)

    def store_values(self, received: Received[ValuesMessage]) -> None:
        """All of an IND-DAT-VAL, or none: the sender gets its receipt afterwards."""
        self._store(received, summed=False, series=((1, one) for one in received.content.series))

    def store_sums(self, received: Received[AggregatesMessage]) -> None:
        """All of an AGG-DAT-VAL, or none."""
        self._store(received, summed=True, series=((one.pods, one.series) for one in received.content.aggregates))

    def _store(
        self,
        received: Received[ValuesMessage] | Received[AggregatesMessage],
        *,
        summed: bool,
        series: Iterable[tuple[int, Series]],
    ) -> None:
        header = received.content.header
        rows = [
            (header.id, one.pod, pods, epoch(one.start), len(one.values), one.values.astype("<i8").tobytes())
            for pods, one in series
        ]
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
            inserted = database.execute(
                "INSERT OR IGNORE INTO message (id, summed, version, message_id, received_at) VALUES (?, ?, ?, ?, ?)",
                (header.id, summed, header.version, received.message_id, received.received_at.timestamp()),
            )
            if inserted.rowcount:
                database.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._tell()

    def _tell(self) -> None:
        with self._written:
            self._written.notify_all()


def read(file: Path, query: str, *values: object) -> list[tuple[str, ...]]:
    """What a query finds in an SQLite file, which it leaves as it is."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(query, values).fetchall()


def number(file: Path, query: str, *values: object) -> int:
    """The one number that a query gives; 0 as long as there is no such file or table."""
    try:
        ((found,),) = read(file, query, *values)
    except sqlite3.OperationalError:
        return 0
    return int(found)


_LATEST = """
SELECT source, start, wh FROM series s JOIN message m ON m.id = s.message WHERE m.summed = ? ORDER BY m.version
"""


def received_series(file: Path, *, summed: bool = False) -> dict[str, dict[int, NDArray[np.int64]]]:
    """What a player stored last, by PoD or AggregationId and start (seconds since 1970): values in Wh."""
    found: dict[str, dict[int, NDArray[np.int64]]] = {}
    with closing(sqlite3.connect(file)) as database:
        for source, start, content in database.execute(_LATEST, (summed,)):
            found.setdefault(source, {})[start] = np.frombuffer(content, "<i8")
    return found

"""The market player of the demo, a process of its own: `python -m flexiciency.demo.player PLAN.json`.

It has the base install's client and an SQLite file, nothing of the gateway: it takes pushes, asks for activation and
an agreement once all consents have been acknowledged, stores values and acknowledges them. Ends on SIGTERM.
"""

import signal
import sqlite3
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flexiciency.client import (
    ConsentAcknowledgement,
    ConsentRevocation,
    Handlers,
    Listener,
    ListenerSettings,
    MarketPlayer,
    PodStatus,
    Proposal,
    Received,
    ValuesMessage,
)
from flexiciency.contract.series import epoch
from flexiciency.demo.plan import DSO, PLAYER, SERVICE, SUBSCRIPTION, Plan
from flexiciency.demo.town import Town

_TABLES = """
CREATE TABLE consent (id TEXT PRIMARY KEY, pod TEXT, revoked_at REAL);
CREATE TABLE activation (pod TEXT PRIMARY KEY, confirmed INTEGER, code TEXT);
CREATE TABLE agreement (id TEXT, status TEXT);
CREATE TABLE message (id TEXT PRIMARY KEY, message_id TEXT, received_at REAL, acknowledged INTEGER DEFAULT 0);
CREATE TABLE series (message TEXT, pod TEXT, start INTEGER, count INTEGER, wh BLOB, PRIMARY KEY (message, pod, start));
CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER);
"""


class Player:
    """What the player does with each message, and what it sends."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._file = plan.player_file
        self._file.parent.mkdir(mode=0o700)
        with closing(sqlite3.connect(self._file)) as database:
            database.executescript("PRAGMA journal_mode=WAL;" + _TABLES)
        self._arrived = threading.Condition()
        self._stopping = threading.Event()

    def run(self) -> None:
        """Until SIGTERM."""
        plan, identity = self._plan, self._plan.identity("player")
        listener = Listener(
            identity, PLAYER, plan.anchors, self._file.with_name("inbox.sqlite"),
            Handlers(
                consent_acknowledged=self._consented, consent_revoked=self._revoked, values_arrived=self._values_arrived
            ),
            {DSO: "RegulatedDataProvider"},
            settings=ListenerSettings(public_url=f"http://127.0.0.1:{plan.player_port}"),
        )  # fmt: skip
        signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())
        listener.start("127.0.0.1", plan.player_port)
        with MarketPlayer(identity, PLAYER, DSO, f"{plan.dso_url}/v1/services/b2b", plan.anchors) as dso:
            try:
                self._activate(dso)
                self._acknowledge(dso)
            finally:
                listener.stop()
                self._count(signed=dso.statistics.signed + listener.statistics.signed)
                self._count(verified=dso.statistics.verified + listener.statistics.verified)
                self._count(refused=dso.statistics.refused + listener.statistics.refused)

    def _consented(self, received: Received[ConsentAcknowledgement]) -> None:
        consent = received.content
        self._write("INSERT OR IGNORE INTO consent VALUES (?, ?, NULL)", (consent.consent_id, consent.pods[0]))

    def _revoked(self, received: Received[ConsentRevocation]) -> None:
        at = received.received_at.timestamp()
        self._write("UPDATE consent SET revoked_at = ? WHERE id = ?", (at, received.content.consent_id))

    def _values_arrived(self, received: Received[ValuesMessage]) -> None:
        """Store all of a message, or none: the sender gets its receipt afterwards."""
        values = received.content
        rows = [
            (values.header.id, s.pod, epoch(s.start), len(s.values), s.values.astype("<i8").tobytes())
            for s in values.series
        ]
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
            inserted = database.execute(
                "INSERT OR IGNORE INTO message (id, message_id, received_at) VALUES (?, ?, ?)",
                (values.header.id, received.message_id, received.received_at.timestamp()),
            )
            if inserted.rowcount:
                database.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", rows)
        self._tell()

    def _activate(self, dso: MarketPlayer) -> None:
        """When every consent has been acknowledged: DSO-REQ for all PoDs, SRV-ACT-AGR for those confirmed."""
        plan = self._plan
        while self._number("SELECT count(*) FROM consent") < plan.consenting:
            if self._wait():
                return
        pods = [pod.pod for pod in Town.make(plan.pods).pods]
        confirmation = dso.request_activation(SERVICE, pods)
        for pod in confirmation.confirmed:
            self._write("INSERT INTO activation VALUES (?, 1, NULL)", (pod,))
        for pod, reason in confirmation.refused.items():
            self._write("INSERT INTO activation VALUES (?, 0, ?)", (pod, reason.code))
        agreement = dso.propose_agreement(
            Proposal(
                pods=confirmation.confirmed,
                data_details="Quarter-hour consumption",
                processing_details="Energy advice",
                start=plan.start,
                end=plan.end,
                service_description_id=SERVICE,
                subscription_id=SUBSCRIPTION,
                request_id=confirmation.request_id,
            )
        )
        self._write("INSERT INTO agreement VALUES (?, ?)", (agreement.id, agreement.status))

    def _acknowledge(self, dso: MarketPlayer) -> None:
        """IND-DAT-ACK for each stored message, until told to stop."""
        while not self._wait():
            for identifier, message_id, pods in self._unacknowledged():
                dso.acknowledge_values(
                    identifier, {pod: PodStatus("OK") for pod in pods}, relates_to=message_id, at=datetime.now(UTC)
                )
                self._write("UPDATE message SET acknowledged = 1 WHERE id = ?", (identifier,))

    def _unacknowledged(self) -> list[tuple[str, str, list[str]]]:
        with closing(sqlite3.connect(self._file, timeout=30)) as database:
            waiting = database.execute("SELECT id, message_id FROM message WHERE NOT acknowledged").fetchall()
            pods = "SELECT DISTINCT pod FROM series WHERE message = ?"
            return [
                (identifier, message_id, [pod for (pod,) in database.execute(pods, (identifier,))])
                for identifier, message_id in waiting
            ]

    def _number(self, query: str) -> int:
        with closing(sqlite3.connect(self._file, timeout=30)) as database:
            return int(database.execute(query).fetchone()[0])

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        with closing(sqlite3.connect(self._file, timeout=30)) as database, database:
            database.execute(statement, values)
        self._tell()

    def _count(self, **counts: int) -> None:
        for name, value in counts.items():
            self._write("INSERT OR REPLACE INTO counts VALUES (?, ?)", (name, value))

    def _tell(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    def _wait(self) -> bool:
        """Until something arrived, or a moment; whether it is time to stop."""
        with self._arrived:
            self._arrived.wait(0.1)
        return self._stopping.is_set()


def received_series(file: Path) -> dict[str, dict[int, NDArray[np.int64]]]:
    """What a player stored, by PoD and start (seconds since 1970): values in Wh."""
    found: dict[str, dict[int, NDArray[np.int64]]] = {}
    with closing(sqlite3.connect(file)) as database:
        for pod, start, content in database.execute("SELECT pod, start, wh FROM series ORDER BY pod, start"):
            found.setdefault(pod, {})[start] = np.frombuffer(content, "<i8")
    return found


if __name__ == "__main__":
    Player(Plan.read(Path(sys.argv[1]))).run()

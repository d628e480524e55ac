"""The demo: consent to acknowledged load curve between separate processes on this machine.

this process: operator and customers' channel ── B2C ──► DSO gateway (serve, its delivery worker, PostgreSQL)
market player's process: client and listener ── B2B ──► DSO gateway ── pushes ──► market player's listener
"""

import csv
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import text

from flexiciency.client import Authentication, Consent, CustomerChannel, Quantity, Scope, TimeStep
from flexiciency.demo.figures import Figures, Revocation, draw, figures
from flexiciency.demo.plan import CHANNEL, DSO, PLAYER, SERVICE, SUBSCRIPTION, Plan, make_keys
from flexiciency.demo.stage import DemoFailed, Stage
from flexiciency.demo.town import CITY, COUNTRY, ZONE, Town
from flexiciency.store.database import Database
from flexiciency.store.embedded import EmbeddedServer
from flexiciency.store.values import write_blocks


def play(json_file: Path | None, picture: Path, **size: int | str) -> Figures:
    """Play the whole story, show it, and leave nothing running or lying about. Raises DemoFailed."""
    console, began = Console(), time.monotonic()
    with _folder() as folder:
        plan = Plan.make(folder, **size)
        with _progress(console) as progress:
            told = _Story(plan, progress).tell(began)
        draw(plan, told.town.pods[0].pod, picture)
    _show(console, told.figures, picture)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(told.figures.as_json(), indent=2) + "\n", encoding="utf-8")
    if wrong := told.figures.contradictions():
        raise DemoFailed(f"The figures above are not what they must be: {'; '.join(wrong)}.")
    return told.figures


@dataclass(frozen=True, slots=True)
class _Told:
    town: Town
    figures: Figures


class _Story:
    """The acts, each a step with its progress bar."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._stage = Stage(plan)
        self._town = Town.make(plan.pods)
        self._consents: dict[str, str] = {}
        self._since = datetime.now(UTC)

    def tell(self, began: float) -> _Told:
        """All acts; the players have left the stage when it returns."""
        plan, stage = self._plan, self._stage
        make_keys(plan)
        plan_file = Path(plan.folder) / "plan.json"
        plan.write(plan_file)
        with EmbeddedServer(Path(plan.folder) / "postgresql") as url, closing(Database(url)) as database:
            self._enter_facts()
            self._import_values(database)
            with stage.running("gateway", "-m", "flexiciency.cli.main", "serve"):
                stage.wait_until_served(f"{plan.dso_url}/healthz")
                with self._channel() as channel:
                    with stage.running("player", "-m", "flexiciency.demo.player", str(plan_file)):
                        self._give_consents(channel)
                        self._agree()
                        self._deliver(database, plan.first_day, plan.revocation_day)
                        revocation = self._revoke(channel, database)
                        self._deliver(database, plan.revocation_day, plan.end_day)
                    counts = channel.statistics
            seconds = time.monotonic() - began
            return _Told(self._town, figures(plan, self._town, database, counts, revocation, seconds))

    def _enter_facts(self) -> None:
        """The operator enters by CLI what a Market Place will know later."""
        plan, run = self._plan, self._stage.command
        keys, services = plan.keys, ("--service", SERVICE)
        push = f"http://127.0.0.1:{plan.player_port}/v1/services/market-player"
        pods_file = Path(plan.folder) / "pods.csv"
        self._write_pods(pods_file)
        commands = (
            ("registration", "add", DSO, "--company", "Netz Lindenau", "--role", "RegulatedDataProvider",
             "--company-type", "EnergyRegulatedPlayer", "--certificate", str(keys / "dso.pem")),
            ("registration", "add", PLAYER, "--company", "Energy Advice", "--role", "UnregulatedDataRequester",
             "--certificate", str(keys / "player.pem"), "--uri", push),
            ("channel", "bind", CHANNEL, "--certificate", str(keys / "channel.pem"), "--name", "Town portal"),
            ("service", "add", SERVICE, "--description", "Quarter-hour load curves of consumption"),
            ("subscription", "add", SUBSCRIPTION, "--requester", PLAYER, *services),
            ("pods", "import", str(pods_file)),
        )  # fmt: skip
        step = self._progress.add_task("Operator's facts, by CLI", total=len(commands))
        for command in commands:
            run(*command)
            self._progress.advance(step)

    def _write_pods(self, file: Path) -> None:
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(
                ("pod", "country", "city", "street", "load_area", "time_zone", "customer_id", "held_from", "held_until")
            )
            for pod in self._town.pods:
                since = "2019-06-01T00:00:00+02:00"
                writer.writerow((pod.pod, COUNTRY, CITY, pod.street, "", ZONE, pod.customer_id, since, ""))

    def _import_values(self, database: Database) -> None:
        step = self._progress.add_task("Load curves of a year imported, PoDs", total=self._plan.pods)
        with database.begin() as connection:
            for pod in self._town.pods:
                write_blocks(connection, self._town.blocks(pod))
                self._progress.advance(step)

    @contextmanager
    def _channel(self) -> Iterator[CustomerChannel]:
        plan = self._plan
        with CustomerChannel(
            plan.identity("channel"), CHANNEL, DSO, f"{plan.dso_url}/v1/services/b2c", plan.anchors
        ) as channel:
            yield channel

    def _give_consents(self, channel: CustomerChannel) -> None:
        """100 of 120 customers consent (CUS-CON-DES → CUS-CON-ACK), and the player is told of each."""
        plan, now = self._plan, datetime.now(UTC)
        step = self._progress.add_task("Consents given and acknowledged", total=plan.consenting)
        for pod in self._town.pods[: plan.consenting]:
            acknowledgement = channel.give_consent(
                Consent(
                    customer_id=pod.customer_id,
                    pods=(pod.pod,),
                    data_details="Quarter-hour consumption",
                    scopes=(Scope(Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M),),
                    processing_details="Energy advice",
                    validated_at=now,
                    start=plan.start,
                    end=plan.end,
                    third_party=PLAYER,
                ),
                Authentication("eID", now),
            )  # fmt: skip
            self._consents[pod.pod] = acknowledgement.consent_id
            self._progress.advance(step)

    def _agree(self) -> None:
        """The player asks for all PoDs (DSO-REQ → DSO-CNF) and agrees on those confirmed (SRV-ACT-AGR)."""
        query = "SELECT (SELECT count(*) FROM activation) + (SELECT count(*) FROM agreement)"
        self._wait("Activation and agreement, PoDs", lambda: self._of_player(query), self._plan.pods + 1)

    def _deliver(self, database: Database, first: str, end: str) -> None:
        """A message a day, pushed and acknowledged (IND-DAT-VAL → IND-DAT-ACK)."""
        self._stage.command("deliver", "--from", first, "--until", end)
        query = text(
            "SELECT count(*) FILTER (WHERE state = 'AcknowledgedOK') AS done, count(*) AS queued FROM delivery "
            "WHERE operation = 'ReceiveIndividualDataValue' AND created_at > :since"
        )
        since = self._since

        def acknowledged() -> float:
            with database.begin() as connection:
                return float(connection.execute(query, {"since": since}).one().done)

        days = (datetime.fromisoformat(end) - datetime.fromisoformat(first)).days
        self._wait(f"Days from {first} delivered and acknowledged", acknowledged, days)
        self._since = datetime.now(UTC)

    def _revoke(self, channel: CustomerChannel, database: Database) -> Revocation:
        """One customer revokes half way (CUS-CON-REV), and the player is told."""
        pod, now = self._town.pods[self._plan.consenting // 2], datetime.now(UTC)
        step = self._progress.add_task("One customer revokes", total=1)
        channel.revoke(self._consents[pod.pod], pod.customer_id, (pod.pod,), now, Authentication("eID", now))
        query = "SELECT count(*) FROM consent WHERE revoked_at IS NOT NULL"
        self._stage.wait(
            "the player's notice of the revocation", lambda: self._of_player(query), 1,
            lambda n: self._progress.update(step, completed=n),
        )  # fmt: skip
        with database.begin() as connection:
            at = connection.execute(text("SELECT max(revoked_at) FROM consent_pod")).scalar_one()
        return Revocation(pod, at)

    def _wait(self, title: str, reached: Callable[[], float], wanted: float) -> None:
        step = self._progress.add_task(title, total=wanted)
        self._stage.wait(title, reached, wanted, lambda now: self._progress.update(step, completed=now))

    def _of_player(self, query: str) -> float:
        """A number from the player's own database, once there is one."""
        try:
            with closing(sqlite3.connect(f"file:{self._plan.player_file}?mode=ro", uri=True, timeout=30)) as database:
                return float(database.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0.0


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for everything, gone at the end. As root PostgreSQL runs as another user, who must reach it."""
    folder = Path(tempfile.mkdtemp(prefix="flexiciency-demo-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def _show(console: Console, told: Figures, picture: Path) -> None:
    reasons = ", ".join(f"{code} {count}" for code, count in told.refusal_reasons.items())
    table = Table(title="What happened", title_justify="left", show_header=False)
    for name, value in (
        ("PoDs confirmed", told.pods_confirmed),
        ("PoDs refused", f"{told.pods_refused} ({reasons})"),
        ("messages, each way", told.messages),
        ("signatures verified", told.signatures_verified),
        ("signatures refused", told.signatures_refused),
        ("values acknowledged by the player", f"{told.values_acknowledged_by_player:,}"),
        ("values acknowledged at the DSO", f"{told.values_acknowledged_at_dso:,}"),
        ("values stopped by the revocation", f"{told.values_stopped:,}"),
        ("values sent after the revocation", told.values_after_revocation),
        ("largest difference per PoD", f"{told.kwh_difference:g} kWh"),
        ("seconds", told.seconds),
        ("picture of a load curve", picture),
    ):
        table.add_row(name, str(value))
    console.print(table)

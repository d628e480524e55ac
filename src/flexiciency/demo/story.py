"""The demo: from enrolment at the Market Place to acknowledged load curves, between five parties on this machine.

Market Place: a gateway, its delivery worker, its database ◄── calls of all; pushes to all
DSO, twice: a gateway, its delivery worker, its database ── pushes ──► market player, twice: client, listener, SQLite
this process: the operators, by CLI, and the customers' channels ── B2C ──► DSOs
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import make_url, text

from flexiciency.client import Counts
from flexiciency.demo.act import Act, Revocation
from flexiciency.demo.figures import Figures
from flexiciency.demo.figures_clock import clock_figures
from flexiciency.demo.figures_january import Stop, draw, january_figures
from flexiciency.demo.figures_market import market_figures
from flexiciency.demo.figures_rights import rights_figures
from flexiciency.demo.market import Market
from flexiciency.demo.parties import MARKET_PLACE
from flexiciency.demo.plan import Plan, make_keys
from flexiciency.demo.show import show
from flexiciency.demo.stage import DemoFailed, Stage
from flexiciency.store import migrate
from flexiciency.store.database import Database
from flexiciency.store.embedded import EmbeddedServer


def play(json_file: Path | None, picture: Path, **size: int | str) -> Figures:
    """Play the whole story, show it, and leave nothing running or lying about. Raises DemoFailed."""
    console, began = Console(), time.monotonic()
    with _folder() as folder:
        plan = Plan.make(folder, **size)
        with _progress(console) as progress, EmbeddedServer(folder / "postgresql") as url, ExitStack() as stack:
            databases = {name: stack.enter_context(closing(_database(url, name))) for name in plan.gateways}
            told = _Story(plan, progress, databases).tell(began)
        draw(plan, picture)
    show(console, told, picture)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(told.as_json(), indent=2) + "\n", encoding="utf-8")
    if wrong := told.contradictions():
        raise DemoFailed(f"The figures above are not what they must be: {'; '.join(wrong)}.")
    return told


class _Story:
    """The acts, in their order. `databases` are those of the gateways, by the party's name."""

    def __init__(self, plan: Plan, progress: Progress, databases: dict[str, Database]) -> None:
        self._plan = plan
        self._databases = databases
        self._stage = Stage(plan, {name: database.url for name, database in databases.items()}, progress)
        self._market = Market(plan, self._stage, databases)
        self._january, self._spring = (
            Act(plan, region, self._stage, databases[region.dso.name]) for region in plan.regions
        )

    def tell(self, began: float) -> Figures:
        """All acts; the players have left the stage when it returns."""
        plan, stage = self._plan, self._stage
        make_keys(plan)
        plan.write()
        with ExitStack() as dsos, ExitStack() as place, stage.ending_together(), ExitStack() as players:
            place.enter_context(stage.serving(MARKET_PLACE))
            for region in plan.regions:
                dsos.enter_context(stage.serving(region.dso.name))
            self._prepare()
            stage.wait_until_served("Market Place and DSOs started", plan.gateways)
            self._market.describe()
            self._market.enrol_dsos()
            for region in plan.regions:
                name = region.player.name
                players.enter_context(stage.running(name, "-m", "flexiciency.demo.player", str(plan.file), name))
            self._market.approve_players()
            self._market.offer()
            self._market.match()
            place.close()
            stopped_at = datetime.now(UTC)
            counts, revocation = self._play_january()
            self._play_spring()
            started_at = datetime.now(UTC)
            place.enter_context(stage.serving(MARKET_PLACE))
            self._market.wait_for_late_matches()
            players.close()
            stop = Stop(stopped_at, started_at)
            return Figures(
                january_figures(plan, self._databases[plan.january.dso.name], counts, revocation, stop),
                market_figures(plan, self._databases, stop),
                rights_figures(plan),
                clock_figures(plan, self._databases),
                round(time.monotonic() - began, 1),
            )

    def _prepare(self) -> None:
        """What the DSOs' operators enter of their own: PoDs, headroom, channels."""
        acts = self._january, self._spring
        commands = [command for act in acts for command in act.preparations()]
        self._stage.commands("PoDs and customers' channels, by CLI", commands)

    def _play_january(self) -> tuple[Counts, Revocation]:
        """31 days, and one customer who revokes half way; then both clock changes, and a correction."""
        plan, act = self._plan, self._january
        with act.channel() as channel:
            act.give_consents(channel)
            act.agree()
            act.deliver(plan.first_day, plan.revocation_day)
            revocation = act.revoke(channel)
            act.deliver(plan.revocation_day, plan.end_day)
            act.change_clocks()
            act.correct()
            return channel.statistics, revocation

    def _play_spring(self) -> None:
        """Two days in another country, and both clock changes; consents go, first in part, and one comes back."""
        act, region = self._spring, self._plan.spring
        with act.channel() as channel:
            act.give_consents(channel)
            act.agree()
            act.deliver(region.first_day, region.revocation_day)
            act.revoke(channel)
            act.deliver(region.revocation_day, region.end_day)
            act.change_clocks()
            act.lose_and_regain_consents(channel)


def _database(url: str, name: str) -> Database:
    """A new database of a party on the embedded server, at the schema of this release."""
    with closing(Database(url)) as server, server.autocommit() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    database = Database(make_url(url).set(database=name).render_as_string(hide_password=False))
    migrate.upgrade(database)
    return database


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

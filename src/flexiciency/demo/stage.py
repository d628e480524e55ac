"""The processes of the demo: started, waited for, and all ended whatever happens; a progress bar for each step."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

from rich.progress import Progress

from flexiciency.contract.catalogue import MARKET_PLACE as INTERFACE
from flexiciency.demo.parties import MARKET_PLACE, Party
from flexiciency.demo.plan import Plan
from flexiciency.errors import GatewayError

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds without progress after which the demo gives up."""


class DemoFailed(GatewayError):  # noqa: N818  named like the other coded errors
    """The demo could not go on; the message says where, and shows the end of the log of the process concerned."""


class Stage:
    """Programs, each started with the environment of its party and with its log in the demo's folder.

    `databases` has the URL of the database of each party that runs a gateway, by name.
    """

    def __init__(self, plan: Plan, databases: Mapping[str, str], progress: Progress) -> None:
        self._plan = plan
        self._folder = Path(plan.folder)
        self._progress = progress
        # A gateway that is set up on this machine must not lend the demo its settings.
        self._outside = {name: value for name, value in os.environ.items() if not name.startswith("FLEXICIENCY_")}
        self._settings = {MARKET_PLACE: self._gateway(MARKET_PLACE) | {"HOSTS_MARKET_PLACE": "true"}}
        for region in plan.regions:
            self._settings[region.dso.name] = self._gateway(region.dso.name) | self._member(region.dso)
        self._databases = databases
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._told_to_end = False

    @contextmanager
    def running(self, name: str, *arguments: str) -> Iterator[None]:
        """A party's Python program (`-m …`) while the block runs; ended by SIGTERM."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], env=self._environment(name), cwd=self._folder, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            self._running[name] = process
            try:
                yield
            finally:
                if not self._told_to_end:
                    process.terminate()
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)  # with the processes it has started
                    process.wait()
                del self._running[name]

    @contextmanager
    def serving(self, name: str) -> Iterator[None]:
        """A party's gateway while the block runs."""
        with self.running(name, "-m", "flexiciency.cli.start", "serve"):
            yield

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """After the block, tell all that still run to end, so that they do so side by side."""
        try:
            yield
        finally:
            self._told_to_end = True
            for process in self._running.values():
                process.terminate()

    def command(self, name: str, *arguments: str) -> None:
        """Run an operator's command of a party to its end. Raises DemoFailed with what it said."""
        with self._commanded(name, arguments) as process:
            self._said(process, name, arguments)

    def commands(self, title: str, commands: Sequence[tuple[str, ...]]) -> list[str]:
        """A step of operators' commands, each the party's name and arguments, side by side; what they printed."""
        with ExitStack() as stack:
            started = [
                (stack.enter_context(self._commanded(name, arguments)), name, arguments)
                for name, *arguments in commands
            ]
            return [self._said(*one) for one in self.each(title, started, len(started))]

    def each(self, title: str, things: Iterable[T], total: int) -> Iterator[T]:
        """Things one by one, as a step of so many."""
        step = self._progress.add_task(title, total=total)
        for thing in things:
            yield thing
            self._progress.advance(step)

    def wait(self, title: str, reached: Callable[[], float], wanted: float) -> None:
        """A step that has ended when `reached` gives `wanted`. Raises DemoFailed after 90 s without progress."""
        step = self._progress.add_task(title, total=wanted)
        last, since = -1.0, time.monotonic()
        while last < wanted:
            now = reached()
            if now > last:
                last, since = now, time.monotonic()
                self._progress.update(step, completed=now)
            self._check_alive()
            if time.monotonic() - since > PATIENCE:
                raise DemoFailed(
                    f"{title}: {last:g} of {wanted:g} after {PATIENCE:g} s without progress.{self._logs()}"
                )
            time.sleep(0.05)

    def wait_until_served(self, title: str, names: Sequence[str]) -> None:
        """Until the gateways of these parties say that they are healthy."""
        self.wait(title, lambda: sum(_healthy(self._plan.base_url(name)) for name in names), len(names))

    @contextmanager
    def _commanded(self, name: str, arguments: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
        """An operator's command, ended with the block at the latest."""
        with subprocess.Popen(
            [sys.executable, "-m", "flexiciency.cli.start", *arguments], env=self._environment(name), cwd=self._folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def _said(self, process: "subprocess.Popen[str]", name: str, arguments: Sequence[str]) -> str:
        """What a command printed. Raises DemoFailed with what it said when it failed."""
        printed, complained = process.communicate()
        if process.returncode:
            said = (complained or printed).strip()[-2000:]
            raise DemoFailed(f"flexiciency {' '.join(arguments[:2])} of {name}: {said}{self._logs()}")
        return printed

    def _gateway(self, name: str) -> dict[str, str]:
        keys, url = self._plan.keys, self._plan.base_url(name)
        return {
            "KEY_FILE": str(keys / f"{name}.key"),
            "CERTIFICATE_FILE": str(keys / f"{name}.pem"),
            "TRUST_FILE": str(keys / "ca.pem"),
            "PORT": str(self._plan.ports[name]),
            "PUBLIC_URL": url,
            "WORKERS": "1",
            "PUSH_HOSTS": '["127.0.0.1"]',
        }

    def _member(self, party: Party) -> dict[str, str]:
        return {
            "REGISTRATION_ID": party.id,
            "MARKET_PLACE_URL": self._plan.url(MARKET_PLACE, INTERFACE),
            "MARKET_PLACE_CERTIFICATE_FILE": str(self._plan.keys / f"{MARKET_PLACE}.pem"),
        }

    def _environment(self, name: str) -> dict[str, str]:
        settings = {"CONFIG": os.devnull, **self._settings.get(name, {})}
        if name in self._databases:
            settings["DATABASE_URL"] = self._databases[name]
        return self._outside | {f"FLEXICIENCY_{setting}": value for setting, value in settings.items()}

    def _check_alive(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise DemoFailed(f"The process of {name} ended by itself.{self._logs()}")

    def _logs(self) -> str:
        ends = []
        for name in self._running:
            text = (self._folder / f"{name}.log").read_text(errors="replace").strip()
            ends.append(f"\n--- {name}:\n{text[-1500:]}")
        return "".join(ends)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310  our own loopback address
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False

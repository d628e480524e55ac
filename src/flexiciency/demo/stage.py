"""The processes of the demo: started, waited for, and all ended whatever happens."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from flexiciency.demo.plan import DSO, Plan
from flexiciency.errors import GatewayError

PATIENCE = 90.0
"""Seconds without progress after which the demo gives up."""


class DemoFailed(GatewayError):  # noqa: N818  named like the other coded errors
    """The demo could not go on; the message says where, and shows the end of the log of the process concerned."""


class Stage:
    """Programs started with one environment, each with its log in the demo's folder."""

    def __init__(self, plan: Plan) -> None:
        self._folder = Path(plan.folder)
        # A gateway that is set up on this machine must not lend the demo its settings.
        own = {name: value for name, value in os.environ.items() if not name.startswith("FLEXICIENCY_")}
        self._environment = {
            **own,
            "FLEXICIENCY_CONFIG": os.devnull,
            "FLEXICIENCY_DATA": str(self._folder / "postgresql"),
            "FLEXICIENCY_REGISTRATION_ID": DSO,
            "FLEXICIENCY_KEY_FILE": str(plan.keys / "dso.key"),
            "FLEXICIENCY_CERTIFICATE_FILE": str(plan.keys / "dso.pem"),
            "FLEXICIENCY_TRUST_FILE": str(plan.keys / "ca.pem"),
            "FLEXICIENCY_PORT": str(plan.dso_port),
            "FLEXICIENCY_PUBLIC_URL": plan.dso_url,
            "FLEXICIENCY_WORKERS": "1",
            "FLEXICIENCY_PUSH_HOSTS": '["127.0.0.1"]',
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def running(self, name: str, *arguments: str) -> Iterator[None]:
        """A Python program (`-m …`) while the block runs; ended by SIGTERM."""
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], env=self._environment, cwd=self._folder, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            self._running[name] = process
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)  # with the processes it has started
                    process.wait()
                del self._running[name]

    def command(self, *arguments: str) -> None:
        """Run an operator's command to its end. Raises DemoFailed with what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "flexiciency.cli.main", *arguments], env=self._environment, cwd=self._folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise DemoFailed(f"flexiciency {' '.join(arguments[:2])}: {(done.stderr or done.stdout).strip()[-2000:]}")

    def wait(self, what: str, reached: Callable[[], float], wanted: float, show: Callable[[float], None]) -> None:
        """Until `reached` gives `wanted`, showing it as it grows. Raises DemoFailed after 90 s without progress."""
        last, since = -1.0, time.monotonic()
        while last < wanted:
            now = reached()
            if now > last:
                last, since = now, time.monotonic()
                show(now)
            self._check_alive()
            if time.monotonic() - since > PATIENCE:
                raise DemoFailed(f"{what}: {last:g} of {wanted:g} after {PATIENCE:g} s without progress.{self._logs()}")
            time.sleep(0.05)

    def wait_until_served(self, url: str) -> None:
        """Until the gateway says that it is healthy."""

        def healthy() -> float:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own loopback address
                    return float(answer.status == HTTPStatus.OK)
            except (urllib.error.URLError, OSError):
                return 0.0

        self.wait("start of the gateway", healthy, 1, lambda _: None)

    def _check_alive(self) -> None:
        for name, process in self._running.items():
            if process.poll() is not None:
                raise DemoFailed(f"The {name} process ended by itself.{self._logs()}")

    def _logs(self) -> str:
        ends = []
        for name in self._running:
            text = (self._folder / f"{name}.log").read_text(errors="replace").strip()
            ends.append(f"\n--- {name}:\n{text[-1500:]}")
        return "".join(ends)

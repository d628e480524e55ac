"""Beside the gateway's processes: one that keeps the delivery workers and the embedded database running.

`serve` runs `python -m flexiciency.cli.supervise PID`. It is a process of its own because granian forks: what a thread
starts around a fork hangs (the child keeps the pipe on which Popen waits for its own child).
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

import structlog

from flexiciency.cli.output import log_to_stderr
from flexiciency.config import Settings
from flexiciency.errors import Unavailable
from flexiciency.serving import DATABASE_VARIABLE, KILLED_AFTER, end_with_parent
from flexiciency.store.database import Database
from flexiciency.store.embedded import EmbeddedServer, EmbeddedServerError

log = structlog.get_logger()

LOOK_SECONDS = 0.2
"""Between two looks at workers, parent and what was told."""
RESTART_SECONDS = 2.0
"""Before a delivery worker that ended by itself is started again, and between two looks at the embedded database."""


class Workers:
    """Delivery workers, each a process that delivers to the database at `url`; one thread only."""

    def __init__(self, number: int, url: str) -> None:
        self._environment = {**os.environ, DATABASE_VARIABLE: url}
        self._running: list[subprocess.Popen[bytes] | None] = [None] * number
        self._due = [0.0] * number

    def keep(self) -> None:
        """Start the workers that do not run; one that ended by itself after RESTART_SECONDS."""
        for place, process in enumerate(self._running):
            if process is None:
                if time.monotonic() >= self._due[place]:
                    self._running[place] = self._started()
            elif process.poll() is not None:
                log.error("delivery worker ended", code=process.returncode, again_in=RESTART_SECONDS)
                self._running[place] = None
                self._due[place] = time.monotonic() + RESTART_SECONDS

    def stop(self) -> None:
        """Give each time to finish its push, then end it: what it had not finished is delivered later."""
        running = [process for process in self._running if process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + KILLED_AFTER
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        here = os.getpid()
        return subprocess.Popen(
            [sys.executable, "-m", "flexiciency.cli.start", "work"],
            env=self._environment,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(here, signal.SIGTERM),  # noqa: PLW1509  this process has one thread
        )


class Kept:
    """The embedded server, used by this process too: it runs as long as one of those that use it."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self.url = server.start()
        self._database = Database(self.url, pool_size=1)
        self._due = 0.0

    def keep(self) -> None:
        """Start the server again when it is gone. Raises EmbeddedServerError when it is back at another address."""
        if time.monotonic() < self._due:
            return
        try:
            self._database.ping()
        except Unavailable:
            self._revive()
        self._due = time.monotonic() + RESTART_SECONDS

    def close(self) -> None:
        """Shut the server down, unless another process still uses it."""
        self._database.close()
        self._server.stop()

    def _revive(self) -> None:
        log.error("the embedded database does not answer", doing="starting it unless it runs")
        try:
            url = self._server.start()
        except EmbeddedServerError as error:
            log.error("the embedded database cannot be started", error=str(error), again_in=RESTART_SECONDS)  # noqa: TRY400
            return
        if url != self.url:  # its socket is in a new temporary folder, as the path of the usual one is too long
            raise EmbeddedServerError("the embedded PostgreSQL is back at another address")


def supervise(settings: Settings, parent: int) -> None:
    """Keep workers and embedded database running until SIGTERM, or until the process `parent` is gone."""
    told: list[int] = []

    def tell(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, tell)
    embedded = Kept(EmbeddedServer(settings.data)) if settings.url is None else None
    workers = Workers(settings.delivery_workers, embedded.url if embedded else settings.url or "")
    try:
        while not told and os.getppid() == parent:
            if embedded:
                embedded.keep()
            workers.keep()
            time.sleep(LOOK_SECONDS)
    finally:
        workers.stop()
        if embedded:
            embedded.close()


if __name__ == "__main__":
    log_to_stderr()
    try:
        supervise(Settings(), int(sys.argv[1]))
    except EmbeddedServerError as error:
        log.error("supervision ends", error=str(error))  # noqa: TRY400  the message says all
        sys.exit(1)

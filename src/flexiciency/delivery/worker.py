"""The delivery worker: runs the jobs of one database, on any number of hosts at once."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import procrastinate
import structlog
from procrastinate import JobContext, RetryStrategy
from procrastinate.exceptions import AlreadyEnqueued

from flexiciency.delivery.flexibility import Grid, answer_late
from flexiciency.delivery.jobs import DIRECTORY, PUSH, QUEUE, VALIDATION
from flexiciency.delivery.outbox import push_stranded
from flexiciency.delivery.push import Pusher, PushFailed
from flexiciency.delivery.resend import Patience, resend
from flexiciency.errors import Unavailable
from flexiciency.store.database import Database

log = structlog.get_logger()

RESUME = "flexiciency.resume"
RESEND = "flexiciency.resend"
SETTLED = timedelta(minutes=1)
"""What is younger may be in a transaction that has yet to defer its job."""
EVERY_MINUTE = "* * * * *"

Duty = Callable[[], None]
"""What this gateway does about the directory: the Market Place pushes it, a DSO elsewhere reads it."""


def worker_app(
    database: Database, pusher: Pusher, directory: Duty | None = None, grid: Grid | None = None,
    patience: Patience | None = None,
) -> procrastinate.App:  # fmt: skip
    """Procrastinate on this database. Between its attempts, which the pusher counts, a push waits 2, 4, 8, … s."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database.url))
    retry = RetryStrategy(exponential_wait=2, retry_exceptions=[PushFailed, Unavailable])

    @app.task(name=PUSH, queue=QUEUE, retry=retry)
    def push(delivery_id: str) -> None:
        """Push one delivery."""
        pusher.push(UUID(delivery_id))

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name=RESUME, queue=QUEUE, queueing_lock=RESUME, pass_context=True)
    async def resume(context: JobContext, timestamp: int) -> None:  # noqa: ARG001  periodic tasks get it
        """Give the jobs of workers that died back to those that live, and a job to what has none."""
        manager = context.app.job_manager
        for job in await manager.get_stalled_jobs(queue=QUEUE):
            await manager.retry_job(job)
        await asyncio.to_thread(push_stranded, database, datetime.now(UTC) - SETTLED)

    if patience is not None:
        _send_again(app, database, patience)

    if grid is not None:

        @app.task(name=VALIDATION, queue=QUEUE, retry=RetryStrategy(exponential_wait=2), pass_context=True)
        def validate(context: JobContext, request_id: str) -> None:
            """Answer one TECH-FLEX-REQ late; tried until it is answered."""
            answer_late(database, grid, request_id, context.job.attempts + 1, lambda: datetime.now(UTC))

    if directory is not None:

        @app.periodic(cron=EVERY_MINUTE)
        @app.task(name=DIRECTORY, queue=QUEUE, queueing_lock=DIRECTORY)
        def look(timestamp: int = 0) -> None:  # noqa: ARG001  periodic tasks get it
            """Push the directory, or read it. A failure is logged here: Procrastinate's log is off."""
            try:
                directory()
            except Exception:
                log.exception("directory neither pushed nor read")
                raise

    return app


def _send_again(app: procrastinate.App, database: Database, patience: Patience) -> None:
    """Add the task that sends again what was not acknowledged."""

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name=RESEND, queue=QUEUE, queueing_lock=RESEND)
    def send_again(timestamp: int) -> None:  # noqa: ARG001  periodic tasks get it
        """A failure is logged here: Procrastinate's log is off."""
        try:
            resend(database, patience, datetime.now(UTC))
        except Exception:
            log.exception("values not sent again")
            raise


def run(
    database: Database, pusher: Pusher, *, concurrency: int, directory: Duty | None = None, grid: Grid | None = None,
    patience: Patience | None = None, wait: bool = True,
) -> None:  # fmt: skip
    """Work until told to stop (SIGINT, SIGTERM); without `wait`, until no job is left."""
    # The pusher logs each failed attempt in a line; Procrastinate would add a stack trace.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    app = worker_app(database, pusher, directory, grid, patience)
    with app.open():
        if directory is not None:
            with suppress(AlreadyEnqueued):  # by another worker that has just started
                app.tasks[DIRECTORY].defer()
        app.run_worker(queues=[QUEUE], concurrency=concurrency, wait=wait)

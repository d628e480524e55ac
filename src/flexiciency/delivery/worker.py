"""The delivery worker: runs the jobs of one database, on any number of hosts at once."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
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

SCHEDULE = "flexiciency.schedule"

Duty = Callable[[], object]
"""What this gateway does about the directory: the Market Place pushes it, a DSO elsewhere reads it."""


class Schedule(NamedTuple):
    """What queues the values that are due, and every how many minutes it does."""

    queue: Duty
    minutes: int


def worker_app(
    database: Database, pusher: Pusher, directory: Duty | None = None, grid: Grid | None = None,
    schedule: Schedule | None = None, patience: Patience | None = None,
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

    if grid is not None:

        @app.task(name=VALIDATION, queue=QUEUE, retry=RetryStrategy(exponential_wait=2), pass_context=True)
        def validate(context: JobContext, request_id: str) -> None:
            """Answer one TECH-FLEX-REQ late; tried until it is answered."""
            answer_late(database, grid, request_id, context.job.attempts + 1, lambda: datetime.now(UTC))

    if directory is not None:
        _periodically(app, DIRECTORY, EVERY_MINUTE, directory, "directory neither pushed nor read")
    if schedule is not None:
        _periodically(
            app, SCHEDULE, f"*/{schedule.minutes} * * * *", schedule.queue, "values not queued", lock=SCHEDULE
        )
    if patience is not None:
        _periodically(
            app, RESEND, EVERY_MINUTE, lambda: resend(database, patience, datetime.now(UTC)), "values not sent again"
        )
    return app


def _periodically(
    app: procrastinate.App, name: str, cron: str, duty: Duty, failed: str, lock: str | None = None
) -> None:  # fmt: skip
    """A task that does a duty by the clock. A failure is logged here, as `failed`: Procrastinate's log is off."""

    @app.periodic(cron=cron)
    @app.task(name=name, queue=QUEUE, queueing_lock=name, lock=lock)
    def perform(timestamp: int = 0) -> None:  # noqa: ARG001  periodic tasks get it
        try:
            duty()
        except Exception:
            log.exception(failed)
            raise


def run(
    database: Database, pusher: Pusher, *, concurrency: int, directory: Duty | None = None, grid: Grid | None = None,
    schedule: Schedule | None = None, patience: Patience | None = None, wait: bool = True,
) -> None:  # fmt: skip
    """Work until told to stop (SIGINT, SIGTERM); without `wait`, until no job is left."""
    # The pusher logs each failed attempt in a line; Procrastinate would add a stack trace.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    app = worker_app(database, pusher, directory, grid, schedule, patience)
    with app.open():
        for task in (DIRECTORY, SCHEDULE):
            if task in app.tasks:
                with suppress(AlreadyEnqueued):  # by another worker that has just started
                    app.tasks[task].defer()
        app.run_worker(queues=[QUEUE], concurrency=concurrency, wait=wait)

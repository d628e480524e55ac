"""The delivery worker: runs the push jobs of one database, on any number of hosts at once."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

import procrastinate
from procrastinate import JobContext, RetryStrategy

from flexiciency.delivery.jobs import PUSH, QUEUE
from flexiciency.delivery.outbox import push_stranded
from flexiciency.delivery.push import Pusher, PushFailed
from flexiciency.errors import Unavailable
from flexiciency.store.database import Database

RESUME = "flexiciency.resume"
SETTLED = timedelta(minutes=1)
"""What is younger may be in a transaction that has yet to defer its job."""


def worker_app(database: Database, pusher: Pusher) -> procrastinate.App:
    """Procrastinate on this database. Between its attempts, which the pusher counts, a push waits 2, 4, 8, … s."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database.url))
    retry = RetryStrategy(exponential_wait=2, retry_exceptions=[PushFailed, Unavailable])

    @app.task(name=PUSH, queue=QUEUE, retry=retry)
    def push(delivery_id: str) -> None:
        """Push one delivery."""
        pusher.push(UUID(delivery_id))

    @app.periodic(cron="* * * * *")
    @app.task(name=RESUME, queue=QUEUE, queueing_lock=RESUME, pass_context=True)
    async def resume(context: JobContext, timestamp: int) -> None:  # noqa: ARG001  periodic tasks get it
        """Give the jobs of workers that died back to those that live, and a job to what has none."""
        manager = context.app.job_manager
        for job in await manager.get_stalled_jobs(queue=QUEUE):
            await manager.retry_job(job)
        await asyncio.to_thread(push_stranded, database, datetime.now(UTC) - SETTLED)

    return app


def run(database: Database, pusher: Pusher, *, concurrency: int, wait: bool = True) -> None:
    """Work until told to stop (SIGINT, SIGTERM); without `wait`, until no job is left."""
    # The pusher logs each failed attempt in a line; Procrastinate would add a stack trace.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    app = worker_app(database, pusher)
    with app.open():
        app.run_worker(queues=[QUEUE], concurrency=concurrency, wait=wait)

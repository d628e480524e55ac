"""Two sessions at once: threads that must wait for a lock in the database, and the wait for that."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import text

from flexiciency.store.database import Database

T = TypeVar("T")

_PATIENCE = 10.0
_BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
"""


def wait_for_blocked(database: Database, number: int) -> None:
    """Return as soon as so many sessions of this database wait for a lock."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with database.autocommit() as connection:
            if connection.execute(text(_BLOCKED)).scalar_one() == number:
                return
        time.sleep(0.01)
    raise TimeoutError(f"no {number} sessions came to wait for a lock")


def blocked(database: Database, pool: ThreadPoolExecutor, *calls: Callable[[], T]) -> list[Future[T]]:
    """Start the calls, each in a thread, and return once every one of them waits for a lock."""
    running = [pool.submit(one) for one in calls]
    wait_for_blocked(database, len(calls))
    return running

"""One transaction in few round trips: facts looked up, locks taken, then every write with the COMMIT.

On the message path statements cost more than anything else, so it works on psycopg below SQLAlchemy. A call that looks
facts up and inserts what follows from them takes two statements and no BEGIN.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from flexiciency.store.database import Database, driver

_PLACE = re.compile(r"%\((\w+)\)")
_LOCKING = re.compile(r"\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b")

Row = Any
"""A psycopg named tuple: columns are attributes."""


@dataclass(frozen=True, slots=True)
class Query:
    """SQL with %(name)s places, and what to put there."""

    sql: str
    values: Mapping[str, Any]


@dataclass(slots=True)
class Transaction:
    """Begins with the first `read`; writes wait until the end and travel with the COMMIT, in the order given.

    `driver` is in autocommit, so that what is looked up before costs neither BEGIN nor COMMIT.
    """

    driver: psycopg.Connection[Any]
    _writes: list[Query] = field(default_factory=list)
    _inserts: dict[str, Query] = field(default_factory=dict)
    _begun: bool = False

    def look_up(self, *queries: Query) -> list[list[Row]]:
        """The rows of each query, as they are by now; none may be locked: what is locked must be `read`."""
        if any(_locks(query.sql) for query in queries):
            raise ValueError("rows are locked in a transaction only: read them")
        if len(queries) == 1:
            return [self._cursor(queries[0]).fetchall()]
        with self.driver.pipeline():
            cursors = [self._cursor(query) for query in queries]
        return [cursor.fetchall() for cursor in cursors]

    def read(self, *queries: Query) -> list[list[Row]]:
        """The rows of each query, all asked in one round trip; rows locked stay so until the end."""
        with self.driver.pipeline():
            self.begin()
            cursors = [self._cursor(query) for query in queries]
        return [cursor.fetchall() for cursor in cursors]

    def begin(self) -> None:
        """From here on nothing is committed before the end."""
        if not self._begun:
            self._begun = True
            self.driver.execute("BEGIN")

    def write(self, sql: str, **values: object) -> None:
        """Queue a statement; its errors appear when the transaction commits."""
        self._writes.append(Query(sql, values))

    def insert(self, name: str, sql: str, **values: object) -> None:
        """Queue an INSERT, to go last and together with the others as one statement: WITH name AS (sql), … SELECT.

        It sees the table that it writes, and what the transaction wrote otherwise, but of the other inserts only what
        they return, by name.
        """
        if name in self._inserts:
            raise ValueError(f"there is an insert {name!r} already")
        self._inserts[name] = Query(sql, values)

    def flush(self) -> None:
        """Send what is queued now: for what must follow in the same transaction."""
        with self.driver.pipeline():
            self.begin()
            self._send()

    def commit(self) -> None:
        """Send what is queued and commit, in one round trip."""
        if self._begun or self._writes:
            with self.driver.pipeline():
                self.begin()
                self._send()
                # As a statement it travels with the others; psycopg's own commit() waits for them first.
                self.driver.execute("COMMIT")
        elif self._inserts:
            self._send()

    def _cursor(self, query: Query) -> psycopg.Cursor[Any]:
        return self.driver.cursor(row_factory=namedtuple_row).execute(query.sql, query.values)

    def _send(self) -> None:
        writes, inserts, self._writes, self._inserts = self._writes, self._inserts, [], {}
        for query in writes:
            self.driver.execute(query.sql, query.values)
        if inserts:
            sql = _together(tuple((name, query.sql) for name, query in inserts.items()))
            values = {f"{name}_{key}": v for name, query in inserts.items() for key, v in query.values.items()}
            self.driver.execute(sql, values, prepare=True)


@lru_cache(maxsize=1024)
def _locks(sql: str) -> bool:
    return _LOCKING.search(sql) is not None


@lru_cache
def _together(inserts: tuple[tuple[str, str], ...]) -> str:
    """One statement of several, the places of each told apart by its name."""
    parts = [f"{name} AS ({_renamed(name, sql)})" for name, sql in inserts]
    return f"WITH {', '.join(parts)} SELECT"


def _renamed(name: str, sql: str) -> str:
    return _PLACE.sub(rf"%({name}_\1)", sql)


def is_taken(error: BaseException) -> bool:
    """Whether the transaction failed because another one has just stored a row with the same key.

    What to do then: answer the message again, which finds that row.
    """
    return isinstance(error, psycopg.errors.UniqueViolation)


def is_contention(error: BaseException) -> bool:
    """Whether Unavailable means a lock that others held for too long, and not the database."""
    return isinstance(error.__cause__, (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected))


@contextmanager
def transaction(database: Database) -> Iterator[Transaction]:
    """Commit at the end; an exception rolls everything back. Raises Unavailable when the database is out of reach."""
    with database.autocommit() as connection:
        tx = Transaction(driver(connection))
        try:
            yield tx
            tx.commit()
        except BaseException:
            tx.driver.rollback()
            raise

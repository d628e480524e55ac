"""One transaction in few round trips: reads that go together, then every write with the COMMIT.

On the message path round trips cost more than anything else, so it works on psycopg's pipeline; what is off that
path uses SQLAlchemy on the same connection (`Transaction.core`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection

from flexiciency.store.database import Database, driver, unavailable

Row = Any
"""A psycopg named tuple: columns are attributes."""


@dataclass(frozen=True, slots=True)
class Query:
    """SQL with %(name)s places, and what to put there."""

    sql: str
    values: Mapping[str, Any]


@dataclass(slots=True)
class Transaction:
    """Reads run at once; writes wait until the end and travel with the COMMIT, in the order given."""

    core: Connection
    driver: psycopg.Connection[Any]
    _writes: list[Query] = field(default_factory=list)

    def read(self, *queries: Query) -> list[list[Row]]:
        """The rows of each query, all asked in one round trip."""
        if len(queries) == 1 and self.driver.autocommit:
            return [self._rows(queries[0])]
        cursors = []
        with self.driver.pipeline():
            for query in queries:
                cursor = self.driver.cursor(row_factory=namedtuple_row)
                cursor.execute(query.sql, query.values)
                cursors.append(cursor)
        return [cursor.fetchall() for cursor in cursors]

    def _rows(self, query: Query) -> list[Row]:
        """One query without BEGIN: a pipeline would gain nothing."""
        return self.driver.cursor(row_factory=namedtuple_row).execute(query.sql, query.values).fetchall()

    def write(self, sql: str, **values: object) -> None:
        """Queue a statement; its errors appear when the transaction commits."""
        self._writes.append(Query(sql, values))

    def flush(self) -> None:
        """Send what is queued now: for what must follow in the same transaction."""
        with self.driver.pipeline():
            self._send()

    def commit(self) -> None:
        """Send what is queued and commit, in one round trip."""
        with self.driver.pipeline():
            self._send()
            # As a statement it travels with the others; psycopg's own commit() waits for them first.
            self.driver.execute("COMMIT")

    def _send(self) -> None:
        writes, self._writes = self._writes, []
        for query in writes:
            self.driver.execute(query.sql, query.values)


def is_taken(error: BaseException) -> bool:
    """Whether the transaction failed because another one has just stored a row with the same key.

    What to do then: answer the message again, which finds that row.
    """
    return isinstance(error, psycopg.errors.UniqueViolation)


@contextmanager
def transaction(database: Database) -> Iterator[Transaction]:
    """Commit at the end; an exception rolls everything back. Raises Unavailable when the database is out of reach."""
    with unavailable(), database.engine.connect() as core:
        tx = Transaction(core, driver(core))
        try:
            yield tx
            tx.commit()
        except BaseException:
            tx.driver.rollback()
            raise


@contextmanager
def reading(database: Database) -> Iterator[Transaction]:
    """For operations that only read: each query on its own, without the round trips of BEGIN and COMMIT."""
    with database.autocommit() as core:
        yield Transaction(core, driver(core))

"""The connection pool on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from flexiciency.errors import Unavailable

OUT_OF_REACH = "The database is out of reach. Send the same message again later."


class Database:
    """One PostgreSQL database; threads share it, processes open their own.

    `url` is libpq's (`postgresql://user:password@host/name`) or SQLAlchemy's. Sessions run in UTC and READ COMMITTED;
    statements are prepared on the server once they repeat. Connections are opened when first used.
    """

    def __init__(self, url: str, *, pool_size: int = 8, pool_timeout: float = 10) -> None:
        parsed = make_url(url)
        self._url = parsed.set(drivername="postgresql+psycopg")
        # No plan without an index where there is one: what is prepared while a table is small would read all of it, for
        # as long as the statistics are old. A gateway that starts empty slowed down with each call of its first minute.
        # Neither liveness test nor "SET": the message path cannot afford the round trips. A broken connection makes
        # one call Unavailable, and the pool is renewed.
        self.engine = create_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout,
            pool_use_lifo=True,
            # `begin` asks for a transaction; the message path has its own way (`store.transaction`).
            isolation_level="AUTOCOMMIT",
            connect_args={
                "prepare_threshold": 2,
                "options": "-c timezone=UTC -c enable_seqscan=off",
                "application_name": "flexiciency",
                "connect_timeout": 10,
            },
        )

    @property
    def url(self) -> str:
        """The URL as libpq reads it, password included: for parts with connections of their own."""
        return self._url.set(drivername="postgresql").render_as_string(hide_password=False)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: commits at the end, rolls back on any exception.

        Raises Unavailable when the database is out of reach, chose this transaction to end a deadlock, or is full.
        """
        with unavailable(), self.engine.connect() as connection:
            connection.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                yield connection

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Every statement its own transaction: for a single statement, without the round trips of BEGIN and COMMIT."""
        with unavailable(), self.engine.connect() as connection:
            yield connection

    def ping(self) -> None:
        """Raises Unavailable unless the database answers."""
        with self.autocommit() as connection:
            connection.exec_driver_sql("SELECT 1")

    def close(self) -> None:
        """Closes every idle connection."""
        self.engine.dispose()


def driver(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection below, in the same transaction: for COPY, binary rows and pipelines."""
    below = connection.connection.driver_connection
    if not isinstance(below, psycopg.Connection):
        raise TypeError("the database driver must be psycopg 3")
    return below


@contextmanager
def unavailable() -> Iterator[None]:
    """Turns operational errors, the driver's own or SQLAlchemy's, and a pool that stays empty into Unavailable."""
    try:
        yield
    except (psycopg.OperationalError, PoolTimeout) as error:
        raise Unavailable(OUT_OF_REACH) from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.OperationalError):
            raise Unavailable(OUT_OF_REACH) from error
        raise

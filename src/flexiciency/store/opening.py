"""The database of a gateway: the one that is set or the embedded one, at the schema of this release."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from flexiciency.store import migrate
from flexiciency.store.database import Database
from flexiciency.store.embedded import EmbeddedServer

log = structlog.get_logger()


@contextmanager
def opened(url: str | None, folder: Path | None) -> Iterator[Database]:
    """The database at `url`, or the embedded one in `folder` (None: its usual place), which runs meanwhile.

    Raises Unavailable, EmbeddedServerError.
    """
    if url is not None:
        with _ready(url) as database:
            yield database
        return
    server = EmbeddedServer(folder)
    log.info("embedded PostgreSQL", folder=str(server.folder), hint="set FLEXICIENCY_DATABASE_URL to use another")
    with server as own, _ready(own) as database:
        yield database


@contextmanager
def _ready(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        migrate.upgrade(database)
        yield database
    finally:
        database.close()

"""Brings a database to the schema of this release, and tells when it is not there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from flexiciency.store.database import Database

LOCK = 0x464C4558
"""Of the advisory lock under which one process migrates ("FLEX")."""


class SchemaMismatch(Exception):  # noqa: N818 - named like the coded errors
    """The database has the schema of another release; the message names both revisions."""


def upgrade(database: Database) -> None:
    """Applies what is missing, all in one transaction; processes that come at once wait for the first."""
    with database.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        command.upgrade(_config(connection), "head")


def check(database: Database) -> None:
    """Raises SchemaMismatch unless the database has the schema of this release."""
    with database.begin() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
        wanted = ScriptDirectory.from_config(_config(connection)).get_current_head()
    if found != wanted:
        raise SchemaMismatch(f"the database is at revision {found or 'none'}, this release needs {wanted}")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config

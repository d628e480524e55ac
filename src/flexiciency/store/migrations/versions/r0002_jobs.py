"""Procrastinate's tables and functions, from its own schema file; one revision of ours per schema of theirs."""

from importlib.resources import files

from alembic import op

from flexiciency.store.database import driver

revision = "0002"
down_revision = "0001"

NEWEST = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
"""The last change in the schema file that this revision stands for: that of releases 3.4 to 3.10."""


def upgrade() -> None:
    """Applies the schema; refuses one that has moved on, since the next revision could not know of it."""
    sql = files("procrastinate") / "sql"
    newest = max(file.name for file in (sql / "migrations").iterdir() if file.name.endswith(".sql"))
    if newest != NEWEST:
        raise RuntimeError(f"this release of procrastinate has a schema of its own ({newest}): install 3.10")
    driver(op.get_bind()).execute((sql / "schema.sql").read_bytes())

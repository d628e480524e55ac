"""Every table of the first release, as r0001_tables.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

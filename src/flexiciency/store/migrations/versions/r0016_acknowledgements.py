"""Acknowledgements range by range, and messages sent again, as r0016_acknowledgements.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Changes the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

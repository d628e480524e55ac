"""Versions of values, and messages of some PoDs, as r0012_corrections.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Changes the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

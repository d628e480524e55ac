"""Imports of values and how far each has come, as r0013_value_imports.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Changes the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

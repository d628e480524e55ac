"""Activations that wait, are limited and stopped; selections of data, as r0011_activation.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Changes the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

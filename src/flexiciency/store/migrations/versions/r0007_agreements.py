"""Agreements that are countered, suspended and ended; services decided by hand, as r0007_agreements.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Changes the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

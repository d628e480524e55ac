"""Flexibility: load areas, their headroom and technical validations, as r0008_flexibility.sql has them."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Creates the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

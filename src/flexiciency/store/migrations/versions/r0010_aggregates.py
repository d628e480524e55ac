"""Aggregates: those of a delivery and the groups that a requester was served, as r0010_aggregates.sql has them."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Creates the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

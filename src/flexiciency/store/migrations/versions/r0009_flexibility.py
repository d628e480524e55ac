"""Flexibility: load areas, their headroom and technical validations, as r0009_flexibility.sql has them."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0009"
down_revision = "0005"


def upgrade() -> None:
    """Creates the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

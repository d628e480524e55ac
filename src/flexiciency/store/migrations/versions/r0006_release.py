"""Consents with their refusals and proof, and the release rule as a view, as r0006_release.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Changes the tables, and makes the views and the role that may read them."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

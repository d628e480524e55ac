"""The Market Place: what is published, matched and changed, as r0005_market_place.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Creates the tables, and changes those of the directory."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

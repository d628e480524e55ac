"""What is to be delivered when, as r0015_schedule.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Changes the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

"""Values released at coarser steps than they are stored in, as r0014_release.sql has it."""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Changes the tables and the view."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

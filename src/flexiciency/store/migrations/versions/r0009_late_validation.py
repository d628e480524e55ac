"""Network models of load areas, and technical validations answered later or asked of Market Players.

As r0009_late_validation.sql has them.
"""

from pathlib import Path

from alembic import op

from flexiciency.store.database import driver

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Changes the tables."""
    driver(op.get_bind()).execute(Path(__file__).with_suffix(".sql").read_bytes())

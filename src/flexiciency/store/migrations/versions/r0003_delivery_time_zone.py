"""A delivery of values may be of the PoDs in one time zone: local days begin at different instants."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the column; deliveries without it are of all PoDs."""
    op.execute("ALTER TABLE delivery ADD COLUMN time_zone TEXT")

"""Alembic's entry: `migrate` hands over the connection, and each revision runs in its transaction."""

from alembic import context

from flexiciency.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()

"""Everything kept in PostgreSQL: tables, migrations, evidence, meter values, and the embedded server."""

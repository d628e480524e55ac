"""What the migrations build is what the tables say."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, make_url, text

from flexiciency.store import migrate
from flexiciency.store.database import Database
from flexiciency.store.tables import metadata

# What PostgreSQL itself says of tables, constraints and indexes: more than Alembic compares (checks, exclusions).
# That a column is not null is said with it; as a constraint (since PostgreSQL 18) it keeps a renamed column's old name.
_CATALOGUE = """
SELECT rel.relname, 'column', a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
    a.attidentity, pg_get_expr(d.adbin, d.adrelid))
FROM pg_class rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = rel.oid AND d.adnum = a.attnum
WHERE rel.relnamespace = 'public'::regnamespace AND rel.relkind IN ('r', 'p')
UNION ALL
SELECT conrelid::regclass::text, 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
UNION ALL
SELECT tablename, 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT relname, 'table', relkind::text, concat_ws(' ', pg_get_partkeydef(oid), obj_description(oid)) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""
OTHERS = ("alembic_version", "procrastinate_")


def _catalogue(connection: Connection) -> set[tuple[str, ...]]:
    return {tuple(row) for row in connection.execute(text(_CATALOGUE)) if not row[0].startswith(OTHERS)}


def test_the_migrated_database_is_what_the_tables_say(database: Database) -> None:
    with database.begin() as connection:
        migrated = _catalogue(connection)
    with database.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        metadata.create_all(connection)
        created = _catalogue(connection)
        connection.rollback()
    assert migrated - created == set()
    assert created - migrated == set()
    assert len({row[0] for row in created}) == len(metadata.tables)


def test_alembic_finds_nothing_to_migrate(database: Database) -> None:
    def ours(_schema_item: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:  # noqa: FBT001
        return kind != "table" or name in metadata.tables

    with database.begin() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_an_empty_database_is_named_and_then_upgraded_once(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(migrate.SchemaMismatch, match="at revision none"):
        migrate.check(database)
    migrate.upgrade(database)
    migrate.upgrade(database)
    migrate.check(database)
    database.close()


def test_the_job_tables_are_there(database: Database) -> None:
    with database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one() == 0


def test_who_may_not_make_the_role_of_the_release_rule_is_told_what_an_administrator_does(server_url: str) -> None:
    server = Database(server_url)
    with server.autocommit() as connection:
        connection.execute(text("CREATE ROLE limited LOGIN PASSWORD 'limited'"))
        connection.execute(text("CREATE DATABASE limited OWNER limited"))
    own = make_url(server_url).set(username="limited", password="limited", database="limited")
    limited = Database(own.render_as_string(hide_password=False))
    with pytest.raises(psycopg.errors.RaiseException, match="As an administrator: CREATE ROLE flexiciency_release"):
        migrate.upgrade(limited)
    with server.autocommit() as connection:
        connection.execute(text("GRANT flexiciency_release TO limited"))
    migrate.upgrade(limited)
    migrate.check(limited)
    limited.close()
    server.close()

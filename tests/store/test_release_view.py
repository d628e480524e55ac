"""The release rule is the one way out, by the code's own text and by what the database lets its role do."""

import ast
from datetime import date
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

import flexiciency
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.store.database import Database, driver
from flexiciency.store.release import ROLE
from flexiciency.store.transaction import transaction
from flexiciency.store.values import QUANTITY_CODES, stored_days

SOURCE = Path(flexiciency.__file__).parent
VIEW, VERSIONS = "released_value_block", "released_value_version"
RELATIONS = """
SELECT c.relname, p.privilege FROM pg_class c
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p(privilege)
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND has_table_privilege(:role, c.oid, p.privilege)
"""


def naming(name: str) -> set[str]:
    """Modules in whose code, docstrings apart, a name or a string holds this word."""
    found = set()
    for file in SOURCE.rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        words = [
            node.value if isinstance(node, ast.Constant) else getattr(node, "attr", None) or getattr(node, "id", None)
            for node in ast.walk(tree)
            if id(node) not in docstrings
        ] + [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names]
        if any(isinstance(word, str) and name in word for word in words):
            found.add(str(file.relative_to(SOURCE)))
    return found


def test_only_the_import_names_the_table_of_values() -> None:
    assert naming("meter_value_block") == {"store/tables.py", "store/tables_message.py", "store/values.py"}


def test_only_schedule_and_estimate_ask_which_blocks_are_there_and_are_told_no_value(database: Database) -> None:
    assert naming("stored_block") == {"store/schedule.py", "store/estimate.py"}
    with database.begin() as connection:
        columns = text("SELECT column_name FROM information_schema.columns WHERE table_name = 'stored_block'")
        found = set(connection.execute(columns).scalars())
    assert found == {"pod_id", "quantity", "day", "version", "step", "whole", "partly"}


def test_values_are_read_by_the_view_and_in_one_place() -> None:
    assert naming(VIEW) == naming(VERSIONS) == naming("arrays_of") == {"store/release.py"}


def test_what_tells_which_intervals_are_stored_tells_no_values(database: Database) -> None:
    """`stored_days` is read beside the release rule, by the gap report alone: intervals, versions, Missing."""
    assert naming("stored_days") == {"services/gaps.py"}
    asked = stored_days([], Quantity.POWER, TimeStep.PT15M, date(2025, 1, 1), date(2025, 2, 1))
    with transaction(database) as tx:
        columns = [column.name for column in tx.driver.execute(asked.sql, asked.values).description or ()]
    assert columns == ["pod_id", "start", "step", "count", "version", "missing"]
    assert "values" not in asked.sql


def test_values_and_aggregates_become_a_message_in_one_place_each_which_asks_the_release_rule() -> None:
    assert naming("write_values") == {"delivery/build.py"}
    assert naming("write_aggregates") == {"delivery/aggregates.py"}
    asking = {module for module in naming("release") if _imports(module, "store.release", "release")}
    assert asking == {"delivery/build.py", "delivery/day_totals.py"}


def test_what_is_kept_of_aggregates_is_read_in_one_place_which_asks_the_release_rule_first() -> None:
    assert naming("aggregate_total") == {"store/tables.py", "store/tables_message.py", "store/aggregate_totals.py"}
    importing = {module for module in naming("Kept") if _imports(module, "store.aggregate_totals", "Kept")}
    assert importing == {"delivery/day_totals.py"}
    assert {module for module in importing if _imports(module, "store.release", "permitted")} == importing


def _imports(module: str, source: str, name: str) -> bool:
    tree = ast.parse((SOURCE / module).read_text("utf-8"))
    return any(
        isinstance(node, ast.ImportFrom) and node.module == f"flexiciency.{source}"
        and any(alias.name == name for alias in node.names)
        for node in ast.walk(tree)
    )  # fmt: skip


def test_the_role_that_values_leave_as_may_read_the_views_of_the_rule_days_of_corrections_and_nothing_else(
    database: Database,
) -> None:
    with database.begin() as connection:
        rights = {tuple(row) for row in connection.execute(text(RELATIONS), {"role": ROLE})}
        attributes = connection.execute(
            text("SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles "
                 "WHERE rolname = :role"), {"role": ROLE},
        ).one()  # fmt: skip
    assert rights == {(VIEW, "SELECT"), (VERSIONS, "SELECT"), ("corrected_day", "SELECT")}
    assert not any(attributes)


def test_days_of_corrections_have_neither_pods_nor_values(database: Database) -> None:
    with database.begin() as connection:
        columns = connection.execute(
            text("SELECT attname FROM pg_attribute WHERE attrelid = 'corrected_day'::regclass AND attnum > 0")
        )
        assert set(columns.scalars()) == {"quantity", "day", "version"}


@pytest.mark.parametrize(
    "relation",
    ["meter_value_block", "aggregate_total", "stored_block", "releasable", "consent", "pod", "message"],
)
def test_the_database_refuses_the_role_whatever_else_it_asks_for(database: Database, relation: str) -> None:
    asked = f"SELECT FROM {relation}"
    with database.begin() as connection:
        driver(connection).execute(f"SET LOCAL ROLE {ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            driver(connection).execute(asked)
        connection.rollback()


@pytest.mark.parametrize("quantity", Quantity)
def test_the_view_knows_each_quantity_by_the_code_it_is_stored_with(database: Database, quantity: Quantity) -> None:
    for name in (VIEW, VERSIONS):
        with database.begin() as connection:
            view = connection.execute(text("SELECT pg_get_viewdef(to_regclass(:name))"), {"name": name}).scalar_one()
        assert f"WHEN '{quantity.value}'::text THEN {QUANTITY_CODES[quantity]}" in view

"""Facts are looked up outside a transaction, locks are taken inside one, inserts travel together."""

import psycopg
import pytest
from sqlalchemy import text

from flexiciency.store.database import Database
from flexiciency.store.transaction import Query, transaction

_BOTH = Query("SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM b) AS b", {})


@pytest.fixture(scope="module", autouse=True)
def _tables(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE a (id int PRIMARY KEY, at bigint DEFAULT txid_current())"))
        connection.execute(text("CREATE TABLE b (id int PRIMARY KEY REFERENCES a, at bigint DEFAULT txid_current())"))


def _counted(database: Database) -> tuple[int, int]:
    with transaction(database) as tx:
        ((row,),) = tx.look_up(_BOTH)
    return row.a, row.b


@pytest.mark.parametrize("lock", ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR KEY SHARE OF a"])
def test_rows_cannot_be_locked_outside_a_transaction(database: Database, lock: str) -> None:
    query = Query(f"SELECT id FROM a {lock}", {})  # noqa: S608  constants
    with transaction(database) as tx:
        with pytest.raises(ValueError, match="read them"):
            tx.look_up(query)
        assert tx.read(query) == [[]]
        assert tx.driver.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def test_what_is_looked_up_begins_no_transaction(database: Database) -> None:
    with transaction(database) as tx:
        tx.look_up(_BOTH, _BOTH)
        tx.look_up(_BOTH)
        assert tx.driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_an_insert_may_use_what_another_returns(database: Database) -> None:
    before = _counted(database)
    with transaction(database) as tx:
        tx.insert("first", "INSERT INTO a (id) VALUES (%(id)s) RETURNING id", id=1)
        tx.insert("second", "INSERT INTO b (id) SELECT id FROM first WHERE %(id)s = 2", id=2)
    assert _counted(database) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("begun", [False, True])
def test_inserts_and_writes_are_one_transaction(database: Database, *, begun: bool) -> None:
    number = 10 + begun
    with transaction(database) as tx:
        if begun:
            tx.read(_BOTH)
        tx.insert("first", "INSERT INTO a (id) VALUES (%(id)s) RETURNING id", id=number)
        tx.write("INSERT INTO a (id) VALUES (%(id)s)", id=number + 10)
    with transaction(database) as tx:
        (rows,) = tx.look_up(
            Query("SELECT DISTINCT at FROM a WHERE id IN (%(one)s, %(two)s)", {"one": number, "two": number + 10})
        )
    assert len(rows) == 1


@pytest.mark.parametrize("flushed", [False, True])
def test_of_inserts_one_of_which_fails_none_is_stored(database: Database, *, flushed: bool) -> None:
    before = _counted(database)

    def fail() -> None:
        with transaction(database) as tx:
            tx.insert("first", "INSERT INTO a (id) VALUES (%(id)s)", id=30)
            if flushed:
                tx.flush()
            tx.insert("second", "INSERT INTO b (id) VALUES (%(id)s)", id=999)

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        fail()
    assert _counted(database) == before


def test_an_exception_after_a_flush_rolls_back(database: Database) -> None:
    before = _counted(database)

    def fail() -> None:
        with transaction(database) as tx:
            tx.insert("first", "INSERT INTO a (id) VALUES (%(id)s)", id=40)
            tx.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _counted(database) == before


def test_a_statement_prepared_while_its_table_is_small_uses_the_index(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(text("ANALYZE a"))
    with database.autocommit() as connection:
        plan = connection.execute(text("EXPLAIN SELECT FROM a WHERE id = 1")).scalars().all()
    assert any("Index" in line for line in plan)

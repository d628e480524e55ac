"""Transactions, sessions, and a database that is not there."""

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from flexiciency.errors import Unavailable
from flexiciency.store import tables
from flexiciency.store.database import Database


def _customer(database: Database, name: str) -> str | None:
    channel = tables.customer_channel
    with database.begin() as connection:
        return connection.scalars(select(channel.c.name).where(channel.c.id == name)).one_or_none()


def _add_customer_channel(database: Database, name: str, *, fail: bool) -> None:
    values = {"id": name, "name": name, "fingerprint": name, "certificate": b"", "bound_at": text("now()")}
    with database.begin() as connection:
        connection.execute(insert(tables.customer_channel).values(values))
        if fail:
            raise ZeroDivisionError


def test_a_transaction_commits_whole_or_not_at_all(database: Database) -> None:
    _add_customer_channel(database, "kept", fail=False)
    with pytest.raises(ZeroDivisionError):
        _add_customer_channel(database, "gone", fail=True)
    assert _customer(database, "kept") == "kept"
    assert _customer(database, "gone") is None


def test_sessions_are_in_utc_and_read_committed(database: Database) -> None:
    with database.begin() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"


def test_statements_that_repeat_are_prepared_on_the_server(database: Database) -> None:
    with database.begin() as connection:
        for number in range(4):
            connection.execute(select(tables.pod.c.id).where(tables.pod.c.pod == str(number)))
        prepared = connection.execute(text("SELECT statement FROM pg_prepared_statements")).scalars().all()
    assert any("FROM pod" in statement for statement in prepared)


def test_a_database_out_of_reach_is_unavailable() -> None:
    database = Database("postgresql://nobody@/nothing?host=/nonexistent")
    with pytest.raises(Unavailable) as raised:
        database.ping()
    assert raised.value.retriable
    database.close()


def test_a_pool_that_stays_empty_is_unavailable(database_url: str) -> None:
    database = Database(database_url, pool_size=1, pool_timeout=0.05)
    with database.begin(), pytest.raises(Unavailable):
        database.ping()
    database.close()


def test_the_pool_is_renewed_after_a_lost_connection(database_url: str) -> None:
    database, other = Database(database_url), Database(database_url)
    with database.begin() as connection:
        session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with other.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:session, 5000)"), {"session": session})
    with pytest.raises(Unavailable):
        database.ping()
    database.ping()
    database.close()
    other.close()


def test_one_customer_holds_a_pod_at_a_time(database: Database) -> None:
    def held(start: str, end: str | None) -> dict[str, object]:
        return {
            "pod_id": pod_id,
            "customer_id": f"from {start}",
            "held": text(f"tstzrange('{start}', {end or 'NULL'})"),
        }

    place = {"country": "IT", "city": "Milano", "street": "Via Dante", "time_zone": "Europe/Rome"}
    with database.begin() as connection:
        pod_id = connection.execute(
            insert(tables.pod).values(pod="IT001", **place).returning(tables.pod.c.id)
        ).scalar_one()
        connection.execute(insert(tables.pod_holder).values(held("2025-01-01Z", "'2026-01-01Z'")))
        connection.execute(insert(tables.pod_holder).values(held("2026-01-01Z", None)))
    with pytest.raises(IntegrityError, match="ex_pod_holder_held"), database.begin() as connection:
        connection.execute(insert(tables.pod_holder).values(held("2025-12-31Z", "'2026-01-01Z'")))
    with database.begin() as connection:
        ranges = connection.scalars(select(tables.pod_holder.c.held).order_by(tables.pod_holder.c.held)).all()
    assert [found.upper is None for found in ranges] == [False, True]

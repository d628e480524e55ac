"""Databases for tests: one embedded server a test run, one migrated database a test module."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from flexiciency.store import migrate
from flexiciency.store.database import Database
from flexiciency.store.embedded import EmbeddedServer

TEMPLATE = "template_migrated"
NO_SYNC = {"fsync": "off"}
"""Tests need not survive a power cut."""

_numbers = count(1)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for an embedded server. Not pytest's own: root's tests run the server as another user, who must pass."""
    folder = Path(tempfile.mkdtemp(prefix="flexiciency-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server_url(server_folder: Path) -> Iterator[str]:
    """The test run's server, with a migrated database to copy from."""
    with EmbeddedServer(server_folder, settings=NO_SYNC) as url:
        _create(url, TEMPLATE)
        template = Database(_named(url, TEMPLATE))
        migrate.upgrade(template)
        template.close()
        yield url


@pytest.fixture(scope="module")
def database_url(server_url: str) -> str:
    """A fresh migrated database for this module."""
    name = f"module_{next(_numbers)}"
    _create(server_url, f"{name} TEMPLATE {TEMPLATE}")
    return _named(server_url, name)


@pytest.fixture(scope="module")
def empty_url(server_url: str) -> str:
    """A fresh database without any table, for this module."""
    name = f"empty_{next(_numbers)}"
    _create(server_url, name)
    return _named(server_url, name)


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    """The pool on this module's database."""
    pool = Database(database_url)
    yield pool
    pool.close()


def _create(url: str, what: str) -> None:
    server = Database(url)
    with server.autocommit() as connection:
        connection.execute(text(f"CREATE DATABASE {what}"))
    server.close()


def _named(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)

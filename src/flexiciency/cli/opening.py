"""The database that an operator's command works on."""

from contextlib import AbstractContextManager

from flexiciency.config import DatabaseSettings
from flexiciency.store.database import Database
from flexiciency.store.embedded import default_folder
from flexiciency.store.opening import opened


def database(settings: DatabaseSettings | None = None) -> AbstractContextManager[Database]:
    """The database that is set, or the embedded one, while the block runs."""
    settings = settings or DatabaseSettings()
    return opened(settings.url, settings.data)


def has_database() -> bool:
    """Whether a database is set, or the embedded one has been used before."""
    settings = DatabaseSettings()
    return settings.database_url is not None or ((settings.data or default_folder()) / "data").exists()

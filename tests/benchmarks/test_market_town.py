"""The town that the benchmark of the Market Place measures in."""

from sqlalchemy import func, select

from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.benchmarks.market_town import SMALL, fill


def test_the_town_has_the_columns_of_this_release(database: Database) -> None:
    fill(database, SMALL)
    with database.begin() as connection:
        for table, expected in (
            (tables.publication, 2 * SMALL.publications),
            (tables.service_description, 2 * SMALL.publications),
            (tables.b2b_service_subscription, SMALL.publications),
        ):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == expected

"""A synthetic DSO: a country of PoDs, a consent each, and an agreement with one of 20 market players for each PoD."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import text

from flexiciency.store import directory, migrate
from flexiciency.store.database import Database, driver
from flexiciency.store.directory import CompanyType, Registration, Role
from tests.benchmarks.machine import free_port
from tests.benchmarks.town import server
from tests.world import CHANNEL, DSO, PLAYER, SERVICE, SUBSCRIPTION, World, make_world

PLAYERS = 20
DAY = date(2025, 1, 15)
VALUES_A_DAY = 96
CITIES = 2_000
AGGREGATED_SERVICE = "urn:uuid:00000000-0000-4000-8000-0000000a9900"
NATIONAL = "urn:uuid:00000000-0000-4000-8000-0000000a9901"
"""The agreement on the country's aggregate; its requester is the world's player."""

PLAYER_IDS = "urn:uuid:00000000-0000-4000-8000-0000000f"
"""Of the market players; four digits follow."""
_PLAYER = f"'{PLAYER_IDS}' || lpad(({{}} % {PLAYERS})::text, 4, '0')"

_ROWS = 50_000
"""Of a row group of the file."""
_PERIOD = "tstzrange('2024-12-31T23:00Z', '2025-01-31T23:00Z')"

# What the services would store, for many PoDs at once.
_PODS = f"""
INSERT INTO pod (pod, country, city, street, time_zone)
SELECT 'AT' || lpad(n::text, 31, '0'), 'AT', 'City ' || n % {CITIES}, 'Street ' || n % 100, 'Europe/Vienna'
FROM generate_series(0, :pods - 1) n;
INSERT INTO pod_holder SELECT id, 'C-' || id, tstzrange('2020-01-01T00:00Z', NULL) FROM pod;
INSERT INTO consent SELECT 'urn:uuid:consent-' || id, 'C-' || id, '{DSO}', {_PLAYER.format("id")},
    '2025-01-01', '2025-02-01', now(), 'Load curves', 'Advice', '{CHANNEL}', 'eID', now(), now(), 'urn:uuid:ack-' || id,
    now() FROM pod;
INSERT INTO consent_scope SELECT id, 'EnergyConsumption', 900 FROM consent;
INSERT INTO consent_pod (consent_id, pod, pod_id, customer_id, eso_id, status, covered)
SELECT 'urn:uuid:consent-' || id, pod, id, 'C-' || id, {_PLAYER.format("id")}, 'Acknowledged', {_PERIOD}
FROM pod;
"""  # noqa: S608  constants
_AGREEMENTS = f"""
INSERT INTO activation SELECT 'urn:uuid:activation-' || n, 'urn:uuid:confirmation-' || n, {_PLAYER.format("n")},
    '{SERVICE}', 'OK', NULL, now() FROM generate_series(0, {PLAYERS} - 1) n;
INSERT INTO agreement SELECT 'urn:uuid:agreement-' || n, 1, 'Validated', {_PLAYER.format("n")}, '{SERVICE}',
    '{SUBSCRIPTION}', 'urn:uuid:activation-' || n, 'Load curves', 'Advice', '2025-01-01', '2025-02-01', now(),
    'EnergyConsumption', 900 FROM generate_series(0, {PLAYERS} - 1) n;
INSERT INTO agreement_pod SELECT 'urn:uuid:agreement-' || id % {PLAYERS}, id, {_PERIOD} FROM pod;
"""  # noqa: S608  constants
_NATIONAL = f"""
INSERT INTO service_description (id, owner_id, service_type, short_description, usage_details, aggregation_level,
    aggregation_method, quantity, time_step, customer_consent_mandatory)
VALUES ('{AGGREGATED_SERVICE}', '{DSO}', 'AggregatedDataProvision', 'Sums', 'Planning', 'Country', 'Sum',
    'EnergyConsumption', 'PT15M', false);
INSERT INTO activation
VALUES ('{NATIONAL}-req', '{NATIONAL}-cnf', '{PLAYER}', '{AGGREGATED_SERVICE}', 'OK', NULL, now());
INSERT INTO agreement VALUES ('{NATIONAL}', 1, 'Validated', '{PLAYER}', '{AGGREGATED_SERVICE}', '{SUBSCRIPTION}',
    '{NATIONAL}-req', 'Sums', 'Planning', '2025-01-01', '2025-02-01', now(), 'EnergyConsumption', 900);
INSERT INTO agreement_pod SELECT '{NATIONAL}', id, {_PERIOD} FROM pod;
ANALYZE;
"""  # noqa: S608  constants
_SIZES = """
SELECT sum(pg_total_relation_size(inhrelid)) FILTER (WHERE inhparent = 'meter_value_block'::regclass) AS values,
    pg_database_size(current_database()) AS database
FROM pg_inherits
"""


@dataclass(frozen=True)
class Country:
    """The DSO's database without values yet, its world, and the file of a day's values to import."""

    url: str
    world: World
    keys: Path
    pods: int
    file: Path
    ports: dict[str, int]
    """Of the market players' listeners, by MPL-REG id."""

    @property
    def environment(self) -> dict[str, str]:
        """Settings of the DSO's processes."""
        settings = self.world.settings
        return {
            "FLEXICIENCY_CONFIG": "/dev/null",
            "FLEXICIENCY_DATABASE_URL": self.url,
            "FLEXICIENCY_REGISTRATION_ID": settings.provider_id,
            "FLEXICIENCY_KEY_FILE": str(settings.key_file),
            "FLEXICIENCY_CERTIFICATE_FILE": str(settings.certificate_file),
            "FLEXICIENCY_TRUST_FILE": str(settings.trust_file),
            "FLEXICIENCY_PUSH_HOSTS": '["127.0.0.1"]',
        }

    def sizes(self) -> tuple[int, int]:
        """Bytes of the values, indexes included, and of the whole database."""
        with _opened(self.url) as database, database.begin() as connection:
            row = connection.execute(text(_SIZES)).one()
        return int(row.values), int(row.database)

    def add_national_agreement(self) -> None:
        """The world's player may have the aggregate of all PoDs from now on."""
        with _opened(self.url) as database, database.begin() as connection:
            connection.execute(text(_NATIONAL))


@contextmanager
def country(pods: int) -> Iterator[Country]:
    """So many PoDs, and the market players with the addresses at which they are pushed to."""
    ports = {f"{PLAYER_IDS}{number:04d}": free_port() for number in range(PLAYERS)}
    with server() as (url, keys):
        with _opened(url) as database:
            migrate.upgrade(database)
            world = make_world(database, keys, pods=0, key_type="rsa")
            with database.begin() as connection:
                for player, port in ports.items():
                    directory.add_registration(connection, _player(world, keys, player, port), datetime.now(UTC))
                driver(connection).execute(_PODS.replace(":pods", str(pods)))
                driver(connection).execute(_AGREEMENTS + "ANALYZE;")
        file = keys / "day.parquet"
        write_day(file, pods)
        yield Country(url, world, keys, pods, file, ports)


def _player(world: World, keys: Path, player: str, port: int) -> Registration:
    """A market player with a key of its own, whose listener will be on this port."""
    now = datetime.now(UTC)
    issued = world.authority.issue(
        player, "ec", valid_from=now - timedelta(days=1), valid_until=now + timedelta(days=9)
    )
    name = player.rpartition(":")[2]
    issued.write(keys / f"{name}.pem", keys / f"{name}.key")
    return Registration(
        player, player, CompanyType.ENERGY_UNREGULATED_PLAYER, Role.UNREGULATED_DATA_REQUESTER,
        issued.identity.certificate, f"http://127.0.0.1:{port}/v1/services/market-player",
    )  # fmt: skip


def write_day(file: Path, pods: int) -> None:
    """One day of quarter hours of each PoD in Wh: a row a PoD, its values in a list."""
    schema = pa.schema([("pod", pa.string()), ("day", pa.date32()), ("values", pa.list_(pa.int32(), VALUES_A_DAY))])
    shape = 20 + 80 * np.sin(np.linspace(0, np.pi, VALUES_A_DAY)) ** 2
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for first in range(0, pods, _ROWS):
            numbers = range(first, min(first + _ROWS, pods))
            made = np.random.default_rng(first).gamma(2.5, shape / 2.5, (len(numbers), VALUES_A_DAY))
            values = pa.array(np.rint(made).astype(np.int32).ravel())
            writer.write_table(
                pa.table(
                    [
                        pa.array([f"AT{number:031d}" for number in numbers]),
                        pa.array([DAY] * len(numbers), pa.date32()),
                        pa.FixedSizeListArray.from_arrays(values, VALUES_A_DAY),
                    ],
                    schema=schema,
                )
            )


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()

"""The database of the benchmarks: a world with consents and an agreement for all of its PoDs, on the load core."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from flexiciency.store import migrate
from flexiciency.store.database import Database
from flexiciency.store.embedded import EmbeddedServer
from tests.world import CHANNEL, DSO, PLAYER, SERVICE, SUBSCRIPTION, World, make_world

AGREEMENT = "urn:uuid:00000000-0000-4000-8000-000000000a92"
ACTIVATION = "urn:uuid:00000000-0000-4000-8000-000000000ac7"

# What the services would store, for many PoDs at once.
CONSENTED = f"""
INSERT INTO consent SELECT 'urn:uuid:consent-' || h.pod_id, h.customer_id, '{DSO}', '{PLAYER}', '2025-01-01',
    '2025-02-01', now(), 'Load curves', 'Advice', '{CHANNEL}', 'eID', now(), now(), 'urn:uuid:ack-' || h.pod_id, now()
FROM pod_holder h;
INSERT INTO consent_scope SELECT id, 'EnergyConsumption', 900 FROM consent;
INSERT INTO consent_pod (consent_id, pod, pod_id, customer_id, eso_id, status, covered)
SELECT 'urn:uuid:consent-' || p.id, p.pod, p.id, h.customer_id, '{PLAYER}', 'Acknowledged',
    tstzrange('2024-12-31T23:00Z', '2025-01-31T23:00Z') FROM pod p JOIN pod_holder h ON h.pod_id = p.id;
ANALYZE;
"""  # noqa: S608  constants
_AGREED = f"""
INSERT INTO activation VALUES ('{ACTIVATION}', '{ACTIVATION}-cnf', '{PLAYER}', '{SERVICE}', 'OK', NULL, now());
INSERT INTO agreement VALUES ('{AGREEMENT}', 1, 'Validated', '{PLAYER}', '{SERVICE}', '{SUBSCRIPTION}',
    '{ACTIVATION}', 'Load curves', 'Advice', '2025-01-01', '2025-02-01', now(), 'EnergyConsumption', 900);
INSERT INTO agreement_pod SELECT '{AGREEMENT}', id, tstzrange('2024-12-31T23:00Z', '2025-01-31T23:00Z') FROM pod;
ANALYZE;
"""  # noqa: S608  constants


@dataclass(frozen=True)
class Town:
    """A gateway's database with everything agreed, and the settings of its processes."""

    url: str
    world: World
    keys: Path

    @property
    def environment(self) -> dict[str, str]:
        """Settings of a gateway process."""
        settings = self.world.settings
        return {
            "FLEXICIENCY_DATABASE_URL": self.url,
            "FLEXICIENCY_REGISTRATION_ID": settings.provider_id,
            "FLEXICIENCY_HOSTS_MARKET_PLACE": str(settings.hosts_market_place),
            "FLEXICIENCY_KEY_FILE": str(settings.key_file),
            "FLEXICIENCY_CERTIFICATE_FILE": str(settings.certificate_file),
            "FLEXICIENCY_TRUST_FILE": str(settings.trust_file),
        }


@contextlib.contextmanager
def server() -> Iterator[tuple[str, Path]]:
    """A server of its own that syncs to disk as in production, and a folder for keys; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="flexiciency-bench-"))
    folder.chmod(0o755)  # as root the server is another user, who must pass
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    try:
        with EmbeddedServer(folder / "data") as url:
            yield url, keys
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def town(pods: int) -> Iterator[Town]:
    """A town of so many PoDs with January 2025 each."""
    with server() as (url, keys):
        database = Database(url)
        try:
            migrate.upgrade(database)
            world = make_world(database, keys, pods=pods, key_type="rsa")
            with database.begin() as connection:
                connection.execute(text(CONSENTED + _AGREED))
            yield Town(url, world, keys)
        finally:
            database.close()

"""A Market Place over HTTP, its operator, and two companies that work with it by commands alone."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flexiciency.cli import main
from flexiciency.store.database import Database
from flexiciency.wire.identity import Identity
from tests.cli.conftest import Ran
from tests.gateway import gateway
from tests.world import World, make_world

ACCESS = "urn:uuid:00000000-0000-4000-8000-0000000acc55"
NETZ = "urn:uuid:00000000-0000-4000-8000-0000000e72e7"
ADVICE = "urn:uuid:00000000-0000-4000-8000-0000000adf1c"
DESCRIBED = (
    "--purpose", "Trade", "--legal-information", "Law", "--contact-details", "desk@mp.example",
    "--stakeholder-and-community", "All", "--help-text", "Ask", "--usage-condition", "Fair use",
)  # fmt: skip
COMPANY = (
    "--company-type", "EnergyUnregulatedPlayer", "--subtype", "ESCO", "--email", "desk@advice.example",
    "--city", "Wien", "--country", "AT", "--market-place-location", ACCESS,
)  # fmt: skip
DSO_COMPANY = (
    "--company-type", "EnergyRegulatedPlayer", "--subtype", "DSO", "--email", "desk@netz.example",
    "--city", "Linz", "--country", "AT", "--market-place-location", ACCESS,
)  # fmt: skip
LOAD_CURVES = (
    "--type", "IndividualDataProvision", "--level", "None", "--quantity", "EnergyConsumption", "--step", "PT15M",
    "--from", "2025-01-01", "--until", "2026-01-01", "--country", "AT",
)  # fmt: skip


@dataclass(frozen=True)
class Party:
    """Whoever runs commands with settings of its own."""

    settings: Mapping[str, object]
    identity: Identity | None = field(default=None, repr=False)

    def __call__(self, *arguments: object) -> Ran:
        """What a command leaves."""
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(io.StringIO()) as out,
            redirect_stderr(io.StringIO()) as err,
        ):
            for name, value in {"COLUMNS": 300, **self.settings}.items():
                patch.setenv(name if name == "COLUMNS" else f"FLEXICIENCY_{name}", str(value))
            code = main.run([str(argument) for argument in arguments])
        return Ran(code, out.getvalue(), err.getvalue())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate."""
        assert self.identity is not None
        return self.identity.fingerprint


@dataclass(frozen=True)
class Market:
    """The operator and its world."""

    world: World
    folder: Path
    url: str
    operator: Party

    def party(self, name: str, registration_id: str | None = None) -> Party:
        """A company with a key of its own, not yet enrolled."""
        now = datetime.now(UTC)
        issued = self.world.authority.issue(
            name, "ec", valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=9)
        )
        issued.write(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        known = {} if registration_id is None else {"REGISTRATION_ID": registration_id}
        return Party({**known, **self.files(name)}, issued.identity)

    def files(self, name: str) -> dict[str, object]:
        """The settings of whoever has the key of this name."""
        return {
            "CONFIG": self.folder / "empty.toml", "KEY_FILE": self.folder / f"{name}.key",
            "CERTIFICATE_FILE": self.folder / f"{name}.pem", "TRUST_FILE": self.folder / "ca.pem",
            "MARKET_PLACE_URL": f"{self.url}/v1/services/market-place",
            "MARKET_PLACE_CERTIFICATE_FILE": self.folder / "dso.pem",
        }  # fmt: skip

    def approved(self, name: str, registration_id: str, *options: str) -> Party:
        """A company that has enrolled and was approved."""
        party = self.party(name, registration_id)
        enrolled = party("player", "enrol", "--company", name, *options)
        assert enrolled.code == 0, enrolled.err
        approved = self.operator("market-place", "approve", registration_id, "--fingerprint", party.fingerprint)
        assert approved.code == 0, approved.err
        return party


@contextmanager
def market(database: Database, folder: Path) -> Iterator[Market]:
    """A Market Place that is described and can be enrolled at."""
    world = make_world(database, folder, pods=1)
    (folder / "empty.toml").touch()
    operator = Party({"CONFIG": folder / "empty.toml", "DATABASE_URL": database.url, "HOSTS_MARKET_PLACE": "true"})
    with capture_logs(), gateway(world, database) as url:  # the gateway's log is not what commands say
        assert operator("market-place", "describe", *DESCRIBED).code == 0
        assert operator("market-place", "location", "set", ACCESS, f"{url}/v1/services/market-place").code == 0
        yield Market(world, folder, url, operator)

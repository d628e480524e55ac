"""Who takes part in the demo, and where each of them keeps its files."""

import json
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

from flexiciency.wire.authority import Authority
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors

DSO = "urn:uuid:5f1e0a52-5a2b-4d0e-9c53-0d50d50d50d5"
PLAYER = "urn:uuid:e50e50e5-0e50-4e50-8e50-e50e50e50e50"
SERVICE = "urn:uuid:5e271ce0-0000-4000-8000-000000000015"
SUBSCRIPTION = "urn:uuid:b2b05b5c-0000-4000-8000-000000000001"
CHANNEL = "town-portal"


@dataclass(frozen=True, slots=True)
class Plan:
    """How big the demo is: the issue's January by default. Local days, the end exclusive."""

    folder: str
    dso_port: int
    player_port: int
    pods: int = 120
    consenting: int = 100
    first_day: str = "2025-01-01"
    revocation_day: str = "2025-01-17"
    end_day: str = "2025-02-01"

    @classmethod
    def make(cls, folder: Path, **size: int | str) -> Self:
        """A plan on two free ports of loopback."""
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            return cls(str(folder), one.getsockname()[1], other.getsockname()[1], **size)  # type: ignore[arg-type]

    @classmethod
    def read(cls, file: Path) -> Self:
        """The plan that `write` left."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self, file: Path) -> None:
        """Leave the plan for the market player's process."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @property
    def keys(self) -> Path:
        """Folder of certificates and keys."""
        return Path(self.folder) / "keys"

    @property
    def player_file(self) -> Path:
        """The market player's own database."""
        return Path(self.folder) / "player" / "player.sqlite"

    @property
    def dso_url(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self.dso_port}"

    @property
    def start(self) -> date:
        """First local day of the values."""
        return date.fromisoformat(self.first_day)

    @property
    def revoked(self) -> date:
        """The local day before which one customer revokes: its values from here on stay where they are."""
        return date.fromisoformat(self.revocation_day)

    @property
    def end(self) -> date:
        """Day after the last."""
        return date.fromisoformat(self.end_day)

    def identity(self, name: str) -> Identity:
        """Key and certificate of dso, player or channel."""
        return Identity.from_pem((self.keys / f"{name}.key").read_bytes(), (self.keys / f"{name}.pem").read_bytes())

    @property
    def anchors(self) -> TrustAnchors:
        """The demo's CA."""
        return TrustAnchors.from_pem((self.keys / "ca.pem").read_bytes())


def make_keys(plan: Plan) -> None:
    """A test CA, and a certificate for each party: RSA for two, EC for the customers' channel."""
    plan.keys.mkdir(mode=0o700)
    now = datetime.now(UTC)
    validity = {"valid_from": now - timedelta(minutes=5), "valid_until": now + timedelta(days=1)}
    authority = Authority.create("Demo CA", "rsa", **validity)
    authority.issued.write(plan.keys / "ca.pem", plan.keys / "ca.key")
    authority.issue("dso", "rsa", **validity).write(plan.keys / "dso.pem", plan.keys / "dso.key")
    authority.issue("player", "rsa", **validity).write(plan.keys / "player.pem", plan.keys / "player.key")
    authority.issue("channel", "ec", **validity).write(plan.keys / "channel.pem", plan.keys / "channel.key")

"""How big the demo is, and where each of its parties listens and keeps its files."""

import json
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from flexiciency.contract.series import Quantity
from flexiciency.demo.parties import CLOCK_CHANGES, MARKET_PLACE, Party, Region, Wish
from flexiciency.demo.town import LINDENAU, MONTE_CLARO
from flexiciency.wire.authority import Authority
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors

DSO_AT = Party("dso-at", "urn:uuid:5f1e0a52-5a2b-4d0e-9c53-0d50d50d50d5", "Netz Lindenau", "Lindenau", "AT")
DSO_PT = Party("dso-pt", "urn:uuid:5f1e0a52-5a2b-4d0e-9c53-0d50d50d0f17", "Rede Monte Claro", "Monte Claro", "PT")
PLAYER_AT = Party("player-at", "urn:uuid:e50e50e5-0e50-4e50-8e50-e50e50e50e50", "Energy Advice", "Wien", "AT")
PLAYER_PT = Party("player-pt", "urn:uuid:e50e50e5-0e50-4e50-8e50-e50e50e50f17", "Luz Partilhada", "Lisboa", "PT")
NAMES = (MARKET_PLACE, DSO_AT.name, DSO_PT.name, PLAYER_AT.name, PLAYER_PT.name)


@dataclass(frozen=True, slots=True)
class Plan:
    """How big the demo is: the issue's January by default. Local days, the end exclusive."""

    folder: str
    ports: dict[str, int]
    pods: int = 120
    consenting: int = 100
    first_day: str = "2025-01-01"
    revocation_day: str = "2025-01-17"
    end_day: str = "2025-02-01"

    @classmethod
    def make(cls, folder: Path, **size: int | str) -> Self:
        """A plan with a free port of loopback for each party."""
        with ExitStack() as stack:
            free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in NAMES]
            ports = {name: one.getsockname()[1] for name, one in zip(NAMES, free, strict=True)}
        return cls(str(folder), ports, **size)  # type: ignore[arg-type]

    @classmethod
    def read(cls, file: Path) -> Self:
        """The plan that `write` left."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self) -> None:
        """Leave the plan for the market players' processes."""
        self.file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @property
    def january(self) -> Region:
        """The January act in Austria; its player wants generation too, which nobody offers."""
        return Region(
            LINDENAU, DSO_AT, PLAYER_AT, "portal-at",
            (
                Wish(Quantity.ENERGY_CONSUMPTION, LINDENAU),
                Wish(Quantity.ENERGY_CONSUMPTION, LINDENAU, summed=True),
                Wish(Quantity.ENERGY_GENERATION, LINDENAU),
            ),
            self.pods, self.consenting, self.first_day, self.revocation_day, self.end_day,
            corrected_day=CLOCK_CHANGES[1][1],
        )  # fmt: skip

    @property
    def spring(self) -> Region:
        """The short act in Portugal, just before the clocks change; its player wants Austrian data later."""
        return Region(
            MONTE_CLARO, DSO_PT, PLAYER_PT, "portal-pt",
            (
                Wish(Quantity.ENERGY_CONSUMPTION, MONTE_CLARO),
                Wish(Quantity.ENERGY_CONSUMPTION, MONTE_CLARO, summed=True),
                Wish(Quantity.ENERGY_CONSUMPTION, LINDENAU, late=True),
            ),
            6, 6, "2025-03-27", "2025-03-28", "2025-03-29",
            refused_day=CLOCK_CHANGES[1][1],
        )  # fmt: skip

    @property
    def regions(self) -> tuple[Region, Region]:
        """Both, in the order of their acts."""
        return self.january, self.spring

    @property
    def gateways(self) -> tuple[str, ...]:
        """Names of the parties that run one."""
        return MARKET_PLACE, *(region.dso.name for region in self.regions)

    @property
    def file(self) -> Path:
        """This plan."""
        return Path(self.folder) / "plan.json"

    @property
    def keys(self) -> Path:
        """Folder of certificates and keys."""
        return Path(self.folder) / "keys"

    def books(self, player: Party) -> Path:
        """A market player's own database."""
        return Path(self.folder) / player.name / "player.sqlite"

    def inbox(self, player: Party) -> Path:
        """Its listener's file."""
        return self.books(player).with_name("inbox.sqlite")

    def url(self, name: str, interface: str) -> str:
        """Where a party answers on one interface."""
        return f"{self.base_url(name)}/v1/services/{interface}"

    def base_url(self, name: str) -> str:
        """Where a party answers."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def identity(self, name: str) -> Identity:
        """Key and certificate of a party or channel."""
        return Identity.from_pem((self.keys / f"{name}.key").read_bytes(), (self.keys / f"{name}.pem").read_bytes())

    @property
    def anchors(self) -> TrustAnchors:
        """The demo's CA."""
        return TrustAnchors.from_pem((self.keys / "ca.pem").read_bytes())


def make_keys(plan: Plan) -> None:
    """A test CA, and a certificate for each party: RSA for all but the customers' channels, which have EC."""
    plan.keys.mkdir(mode=0o700)
    now = datetime.now(UTC)
    validity = {"valid_from": now - timedelta(minutes=5), "valid_until": now + timedelta(days=1)}
    authority = Authority.create("Demo CA", "rsa", **validity)
    authority.issued.write(plan.keys / "ca.pem", plan.keys / "ca.key")
    for name in NAMES:
        authority.issue(name, "rsa", **validity).write(plan.keys / f"{name}.pem", plan.keys / f"{name}.key")
    for region in plan.regions:
        channel = authority.issue(region.channel, "ec", **validity)
        channel.write(plan.keys / f"{region.channel}.pem", plan.keys / f"{region.channel}.key")

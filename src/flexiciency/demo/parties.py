"""The five parties of the demo: a Market Place, and in each of two countries a DSO and a market player.

Each is a process, or processes, of its own with a database of its own. What they know of each other they learn from the
Market Place; before they are enrolled they know its address and certificate, as its operator gives them away.
"""

from dataclasses import dataclass
from datetime import date, datetime

from flexiciency.contract.series import Quantity
from flexiciency.demo.town import Place, Town, TownPod
from flexiciency.domain.values import local_days_period

MARKET_PLACE = "market-place"
"""Name of the Market Place's files."""
AGREED_UNTIL = date(2026, 1, 1)
"""End of all consents and agreements."""
CLOCK_CHANGES = (
    (date(2025, 3, 29), date(2025, 3, 30), date(2025, 3, 31)),
    (date(2025, 10, 25), date(2025, 10, 26), date(2025, 10, 27)),
)
"""The day on which the clocks change, in spring and in autumn, between the days before and after."""
ACCESS_POINT = "urn:uuid:ac0e5500-0000-4000-8000-000000000001"
"""MKP-ADD."""


@dataclass(frozen=True, slots=True)
class Party:
    """A Market Player: its MPL-REG id and company; `name` names its files."""

    name: str
    id: str
    company: str
    city: str
    country: str

    @property
    def email(self) -> str:
        """Of its contact point."""
        return f"office@{self.name}.example"


@dataclass(frozen=True, slots=True)
class Wish:
    """Quarter-hour values that a market player subscribes to: of each customer who consents, or the sum of a city.

    A `late` wish comes when the Market Place is stopped.
    """

    quantity: Quantity
    place: Place
    late: bool = False
    summed: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """A DSO with its town, load area and customers' channel, and the market player that wants its data.

    So many of the PoDs' customers consent; values of local days from `first_day` are delivered, `end_day` exclusive;
    some are revoked before `revocation_day`. Then the clock changes are played: the player refuses the values of the
    first PoD on `refused_day` once, and the DSO corrects them on `corrected_day`, where there is one.
    """

    place: Place
    dso: Party
    player: Party
    channel: str
    wishes: tuple[Wish, ...]
    pods: int
    consenting: int
    first_day: str
    revocation_day: str
    end_day: str
    refused_day: date | None = None
    corrected_day: date | None = None

    @property
    def town(self) -> Town:
        """The PoDs with their customers."""
        return Town.make(self.pods, place=self.place)

    @property
    def revoked_pod(self) -> TownPod:
        """The PoD whose consent is revoked: the last of a customer with several, or one half way through the town."""
        several = self.place.pods_of_first
        return self.town.pods[several - 1 if several > 1 else self.consenting // 2]

    @property
    def load_area(self) -> str:
        """Of the grid below the town's substation."""
        return f"LA-{self.place.country}-1"

    @property
    def revoked(self) -> date:
        """The local day from which on what was revoked stays where it is."""
        return date.fromisoformat(self.revocation_day)

    @property
    def period(self) -> tuple[datetime, datetime]:
        """[start, end) in UTC of the days that are delivered before the clock changes."""
        return local_days_period(self.start, self.end, self.place.zone)

    @property
    def start(self) -> date:
        """First local day of the values."""
        return date.fromisoformat(self.first_day)

    @property
    def end(self) -> date:
        """Day after the last."""
        return date.fromisoformat(self.end_day)

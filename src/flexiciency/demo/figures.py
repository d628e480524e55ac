"""What the demo counts, each figure by the party that knows it, and none of them from another figure."""

from dataclasses import asdict, dataclass

from flexiciency.demo.figures_clock import ClockFigures
from flexiciency.demo.figures_january import JanuaryFigures
from flexiciency.demo.figures_market import MarketFigures
from flexiciency.demo.figures_rights import RightsFigures


@dataclass(frozen=True, slots=True)
class Figures:
    """What `flexiciency demo --json` writes: all of these side by side, and how long the demo took."""

    january: JanuaryFigures
    market: MarketFigures
    rights: RightsFigures
    clock: ClockFigures
    seconds: float

    def as_json(self) -> dict[str, object]:
        """By name."""
        parts = self.january, self.market, self.rights, self.clock
        return {name: value for part in parts for name, value in asdict(part).items()} | {"seconds": self.seconds}

    def contradictions(self) -> list[str]:
        """What is not as it must be, whatever the size of the demo."""
        must_be = self.january.must_be() | self.market.must_be() | self.rights.must_be() | self.clock.must_be()
        return [what for what, holds in must_be.items() if not holds]

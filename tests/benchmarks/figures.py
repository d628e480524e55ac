"""The measured figures: shown as a table, kept in build/bench.json as name → value, unit, against."""

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured figure; `against` says what it was compared with, or under what it was measured."""

    value: float
    unit: str
    against: str


@dataclass(frozen=True)
class Paired:
    """Two things measured in turn: the median of each and the median of the ratios first to second, pair by pair."""

    first: float
    second: float
    ratio: float


def paired(first: Callable[[], float], second: Callable[[], float], pairs: int = 3) -> Paired:
    """Measure A B A B …, so that what slows the machine for a while slows both sides of a pair."""
    measured = [(first(), second()) for _ in range(pairs)]
    return Paired(
        statistics.median(a for a, _ in measured),
        statistics.median(b for _, b in measured),
        statistics.median(a / b for a, b in measured),
    )


@dataclass
class Report:
    """The figures of one run, in the order of measuring."""

    figures: dict[str, Figure] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str, against: str) -> None:
        self.figures[name] = Figure(value, unit, against)

    def show(self, console: Console) -> None:
        table = Table(title="Benchmarks", title_justify="left")
        table.add_column("figure")
        table.add_column("value", justify="right")
        table.add_column("unit")
        table.add_column("against, or measured under", overflow="fold")
        for name, figure in self.figures.items():
            table.add_row(name, f"{figure.value:,.{2 if figure.value < 100 else 0}f}", figure.unit, figure.against)
        console.print(table)

    def write(self, file: Path, *, keep: bool = False) -> None:
        """Write the figures as JSON; those of an earlier run that were not measured now stay only where `keep`."""
        file.parent.mkdir(parents=True, exist_ok=True)
        content = json.loads(file.read_text(encoding="utf-8")) if keep and file.exists() else {}
        content |= {name: asdict(figure) for name, figure in self.figures.items()}
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

"""A national DSO on the embedded database: `python -m tests.benchmarks.fleet`; figures go into build/bench.json too.

A day of a million PoDs is imported by command, delivered to 20 market players over HTTP, each PoD to one, and summed up
for the country; and the same with ten thousand PoDs, to see whether the time per PoD grows.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from tests.benchmarks import child, figures, machine
from tests.benchmarks.fleet_country import VALUES_A_DAY, Country, country
from tests.benchmarks.run import OUTPUT
from tests.world import DSO

FEW, MANY = 10_000, 1_000_000
_WORK = "tests.benchmarks.fleet_work"


@dataclass(frozen=True)
class Phases:
    """What each phase took, and what the values take on disk, indexes included."""

    pods: int
    imported: child.Measured
    queued: child.Measured
    pushed: child.Measured
    national: child.Measured
    value_bytes: int
    database_bytes: int

    @property
    def seconds_per_pod(self) -> float:
        """Of all phases together."""
        phases = self.imported, self.queued, self.pushed, self.national
        return sum(phase.seconds for phase in phases) / self.pods


def play(pods: int, console: Console) -> Phases:
    """A country of so many PoDs, from nothing to the national aggregate."""
    with console.status(f"{pods:,} PoDs …") as status, country(pods) as setting:
        environment = json.dumps(setting.environment)

        def phase(name: str, work: str, *arguments: str | int) -> child.Measured:
            status.update(f"{pods:,} PoDs: {name} …")
            measured = child.measure(f"{_WORK}:{work}", *arguments)
            console.print(f"{pods:,} PoDs: {name} {measured.seconds:.1f} s, {measured.peak_bytes / 1e6:.0f} MB")
            return measured

        imported = phase("import", "command", environment, *_import(setting))
        with _players(setting) as received:
            queued = phase("queue", "command", environment, "deliver")
            pushed = phase("delivery", "pushed", environment, setting.url)
        if received != [pods * VALUES_A_DAY]:
            raise RuntimeError(f"{received} values arrived; {pods * VALUES_A_DAY} were expected")
        value_bytes, database_bytes = setting.sizes()
        setting.add_national_agreement()
        national = phase("national aggregate", "national", setting.url, str(setting.keys), pods)
        return Phases(pods, imported, queued, pushed, national, value_bytes, database_bytes)


def _import(setting: Country) -> tuple[str, ...]:
    """The command."""
    return (
        "values",
        "import",
        str(setting.file),
        "--quantity",
        "EnergyConsumption",
        "--time-step",
        "PT15M",
        "--unit",
        "Wh",
    )


@contextlib.contextmanager
def _players(setting: Country) -> Iterator[list[int]]:
    """The market players listen while the block runs; afterwards the list has the number of values that arrived."""
    arguments = [str(setting.keys), DSO, json.dumps(setting.ports)]
    received: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.fleet_players", *arguments], cwd=machine.ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        if process.stdout is None or process.stdout.readline() != "listening\n":
            raise RuntimeError("the market players do not listen")
        try:
            yield received
        finally:
            said, _ = process.communicate()
        received.append(int(said))


def add(report: figures.Report, large: Phases, small: Phases) -> None:
    """The figures of the large country, and its time per PoD over that of the small one."""
    values, what = large.pods * VALUES_A_DAY, f"{large.pods:,} PoDs for a day"
    report.add(
        "fleet_import_rate", values / large.imported.seconds, "values/s", f"{what}, Parquet to blocks, by command"
    )
    report.add("fleet_queue", large.queued.seconds, "s", f"{what}, what is complete queued for 20 market players")
    report.add(
        "fleet_delivery_rate", values / large.pushed.seconds, "values/s", f"{what}, signed, pushed, receipts kept"
    )
    report.add("fleet_national_aggregate", large.national.seconds, "s", f"{what}, database to signed AGG-DAT-VAL")
    for name in ("imported", "queued", "pushed", "national"):
        peak = getattr(large, name).peak_bytes / 1e6
        report.add(f"fleet_{name}_memory", peak, "MB", f"{what}, peak of its process")
    report.add("fleet_bytes_per_value", large.value_bytes / values, "bytes", "values on disk, index included")
    report.add(
        "fleet_database_bytes_per_value", large.database_bytes / values, "bytes",
        "everything: values, PoDs, consents, deliveries, and each message as evidence",
    )  # fmt: skip
    report.add(
        "fleet_time_growth", large.seconds_per_pod / small.seconds_per_pod, "ratio",
        f"time per PoD at {large.pods:,} over that at {small.pods:,}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=MANY, help=f"PoDs of the large country ({MANY:,})")
    given = parser.parse_args()
    machine.pin_to_load_core()
    console, report = Console(), figures.Report()
    small = play(FEW, console)
    add(report, play(given.pods, console), small)
    report.show(console)
    report.write(OUTPUT, keep=True)
    console.print(f"Added to {OUTPUT.relative_to(machine.ROOT)}")


if __name__ == "__main__":
    main()

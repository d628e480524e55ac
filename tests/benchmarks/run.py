"""Runs the benchmarks: `python -m tests.benchmarks.run [scenario …]`, all without a name; figures in build/bench.json.

The server is pinned to core 0; load generator, database and this process to core 1.
"""

import argparse
from collections.abc import Callable

from rich.console import Console

from tests.benchmarks import activation, bulk_values, calls, figures, gateway_calls, machine, market, release

SCENARIOS: dict[str, Callable[[figures.Report, int], None]] = {
    "rsa": bulk_values.rsa_signatures,
    "yardstick-calls": calls.yardstick_calls,
    "yardstick-bulk": bulk_values.yardstick_bulk,
    "bulk-out": bulk_values.bulk_out,
    "bulk-in": bulk_values.bulk_in,
    "compact": bulk_values.compact,
    "signed-calls": gateway_calls.signed_calls,
    "market": market.market,
    "release": release.release_growth,
    "activation": activation.activations,
}
OUTPUT = machine.ROOT / "build" / "bench.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(SCENARIOS))
    parser.add_argument("--pairs", type=int, default=3, help="measurements of each side of a comparison (3)")
    given = parser.parse_args()
    if unknown := set(given.scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    machine.pin_to_load_core()
    console, report = Console(), figures.Report()
    for name in given.scenarios or SCENARIOS:
        with console.status(f"{name} …"):
            SCENARIOS[name](report, given.pairs)
    report.show(console)
    report.write(OUTPUT)
    console.print(f"Written to {OUTPUT.relative_to(machine.ROOT)}")


if __name__ == "__main__":
    main()

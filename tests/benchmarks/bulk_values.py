"""Bulk values: the yardsticks, each in a process of its own."""

from functools import partial

from tests.benchmarks import child, figures
from tests.benchmarks.town import town

PODS, STEPS = 100, 2976
"""A January of quarter hours for each of 100 points of delivery: 297,600 values."""
SIGNATURES = 4000
_WORK = "tests.benchmarks.bulk_work"


def rsa_signatures(report: figures.Report, _pairs: int) -> None:
    """The bound for signed calls on one core."""
    measured = child.measure(f"{_WORK}:rsa_signatures", SIGNATURES)
    report.add("rsa_2048_signatures", SIGNATURES / measured.seconds, "1/s", "cryptography alone, one core")


def yardstick_bulk(report: figures.Report, _pairs: int) -> None:
    """Seconds and peak memory of each way to handle 297,600 values."""
    for name, what in {
        "spyne_typed_out": "Spyne's typed objects to unsigned bytes",
        "zeep_in": "Zeep's objects from bytes",
        "join_out": "string join, SHA-256, zlib level 1",
    }.items():
        measured = child.measure(f"{_WORK}:{name}", PODS, STEPS)
        report.add(f"bulk_{name}", measured.seconds, "s", f"{what}, {PODS * STEPS:,} values")
        report.add(f"bulk_{name}_memory", measured.peak_bytes / 1e6, "MB", f"{what}, peak of its process")


def bulk_out(report: figures.Report, pairs: int) -> None:
    """Database to signed XML bytes, against Spyne's typed objects; and the peak of ten times as many values."""
    with town(PODS) as setting:
        run = partial(child.measure, f"{_WORK}:gateway_out", setting.url, str(setting.keys), PODS * STEPS)
        small = run()
        measured = figures.paired(
            lambda: child.measure(f"{_WORK}:spyne_typed_out", PODS, STEPS).seconds, lambda: run().seconds, pairs
        )
    with town(10 * PODS) as setting:
        large = child.measure(f"{_WORK}:gateway_out", setting.url, str(setting.keys), 10 * PODS * STEPS)
    report.add("bulk_out", measured.second, "s", f"gateway, database to signed bytes, {PODS * STEPS:,} values")
    report.add("bulk_out_vs_spyne_typed", measured.ratio, "ratio", "Spyne's typed objects to unsigned bytes, paired")
    report.add(
        "bulk_out_memory", small.peak_bytes / 1e6, "MB", f"gateway, peak of its process, {PODS * STEPS:,} values"
    )
    report.add(
        "bulk_out_memory_growth",
        large.peak_bytes / small.peak_bytes,
        "ratio",
        f"peak of {10 * PODS * STEPS:,} values over that of {PODS * STEPS:,}",
    )

"""Bulk values: the yardsticks, each in a process of its own."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from flexiciency.contract.series import Encoding
from tests.benchmarks import bulk_in_work, child, figures
from tests.benchmarks.town import town

PODS, STEPS = 100, 2976
"""A January of quarter hours for each of 100 points of delivery: 297,600 values."""
VALUES = PODS * STEPS
SIGNATURES = 4000
QUICK = 7
"""Pairs where each side takes a fraction of a second."""
TIMES = 5
"""What takes milliseconds is done so often in one measurement."""
_WORK = "tests.benchmarks.bulk_work"
_IN = "tests.benchmarks.bulk_in_work"


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
    """Database to signed, gzipped XML bytes, against Spyne's typed objects and a string join; and its memory."""
    values = f"{VALUES:,} values"
    with town(PODS) as setting:
        run = partial(child.measure, f"{_WORK}:gateway_out", setting.url, str(setting.keys), VALUES)
        small = run()
        objects = figures.paired(
            lambda: child.measure(f"{_WORK}:spyne_typed_out", PODS, STEPS).seconds, lambda: run().seconds, pairs
        )
        joined = figures.paired(
            lambda: child.measure(f"{_WORK}:join_out", PODS, STEPS).seconds, lambda: run().seconds, max(pairs, QUICK)
        )
    with town(10 * PODS) as setting:
        large = child.measure(f"{_WORK}:gateway_out", setting.url, str(setting.keys), 10 * VALUES)
    report.add("bulk_out", joined.second, "s", f"gateway, database to signed, gzipped bytes, {values}")
    report.add("bulk_out_vs_spyne_typed", objects.ratio, "ratio", "Spyne's typed objects to unsigned bytes, paired")
    report.add("bulk_out_vs_yardstick", joined.ratio, "ratio", "string join, SHA-256, zlib level 1, paired")
    report.add("bulk_out_memory", small.peak_bytes / 1e6, "MB", f"gateway, peak of its process, {values}")
    report.add(
        "bulk_out_memory_growth",
        large.peak_bytes / small.peak_bytes,
        "ratio",
        f"peak of {10 * VALUES:,} values over that of {values}, in messages of at most 150,000",
    )


def bulk_in(report: figures.Report, pairs: int) -> None:
    """Gzipped bytes to verified, XSD-checked arrays, against Zeep's objects; and the memory of the largest message."""
    run = partial(child.measure, f"{_IN}:message_in", Encoding.EXPLICIT, PODS)
    measured = figures.paired(
        lambda: child.measure(f"{_WORK}:zeep_in", PODS, STEPS).seconds, lambda: run().seconds, pairs
    )
    report.add("bulk_in", measured.second, "s", f"client, gzipped bytes to verified arrays, {VALUES:,} values")
    report.add("bulk_in_vs_zeep", measured.ratio, "ratio", "Zeep's objects from unsigned bytes, paired")
    with tempfile.TemporaryDirectory() as folder:
        size = bulk_in_work.write_largest(Path(folder))
        largest = child.measure(f"{_IN}:largest_in", folder)
    report.add("bulk_in_largest", largest.seconds, "s", f"client, a message of {size / 1e6:.1f} MB")
    report.add("bulk_in_memory_factor", largest.peak_bytes / size, "ratio", "peak of its process over that message")


def compact(report: figures.Report, pairs: int) -> None:
    """The Compact encoding against the Explicit one, the same values, each way."""
    with town(PODS) as setting:
        given = setting.url, str(setting.keys), VALUES
        _compare(
            report, "compact_out", "released values to signed, gzipped bytes", pairs,
            lambda encoding: child.measure(f"{_WORK}:values_out", *given, TIMES, encoding).seconds / TIMES,
        )  # fmt: skip
        _compare(
            report, "compact_out_from_database", "database to signed, gzipped bytes", pairs,
            lambda encoding: child.measure(f"{_WORK}:gateway_out", *given, encoding).seconds,
        )  # fmt: skip
    _compare(
        report, "compact_in", "gzipped bytes to verified arrays", pairs,
        lambda encoding: child.measure(f"{_IN}:message_in", encoding, PODS).seconds,
    )  # fmt: skip


def _compare(report: figures.Report, name: str, what: str, pairs: int, seconds: Callable[[Encoding], float]) -> None:
    measured = figures.paired(lambda: seconds(Encoding.EXPLICIT), lambda: seconds(Encoding.COMPACT), max(pairs, QUICK))
    report.add(name, measured.second, "s", f"Compact, {what}, {VALUES:,} values")
    report.add(f"{name}_vs_explicit", measured.ratio, "ratio", f"Explicit, {what}, paired")

"""Signed calls over HTTP: the yardstick, under its own server and under the gateway's."""

import flexiciency.soap.spyne_compat

import contextlib
import sys
from collections.abc import Iterator, Sequence

from tests.benchmarks import figures, load, machine
from tests.benchmarks.yardsticks import plain_soap

CALLS = 1000
"""Measured calls of one run."""
WARM_UP = 64
"""Calls before the measured ones; a thread or a cache may be made in them."""
THREADS = (1, 2, 3, 4)
"""Numbers of blocking threads that are tried under granian."""


def yardstick_requests() -> list[bytes]:
    """Enough for one run; the yardstick accepts the same signed request any number of times."""
    return [load.http_request("/", plain_soap.request())] * (WARM_UP + CALLS)


@contextlib.contextmanager
def yardstick_under_gunicorn() -> Iterator[load.Address]:
    """The yardstick as its own documentation serves it: one worker."""
    port = machine.free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}",
        "tests.benchmarks.served:yardstick",
    ]  # fmt: skip
    with machine.running(command, port) as address:
        yield address


@contextlib.contextmanager
def yardstick_under_granian(threads: int) -> Iterator[load.Address]:
    """The yardstick under the gateway's HTTP server: one worker with so many blocking threads."""
    port = machine.free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", str(threads), "--no-log", "tests.benchmarks.served:yardstick",
    ]  # fmt: skip
    with machine.running(command, port) as address:
        yield address


def rate(address: load.Address, requests: Sequence[bytes]) -> float:
    """Calls per second over all the requests but the first few, which warm the server up."""
    load.run(address, requests[:WARM_UP])
    return load.run(address, requests[WARM_UP:]).calls_per_second


def best_threads(requests: Sequence[bytes]) -> int:
    """The number of blocking threads with which the yardstick is fastest under granian."""
    rates = {}
    for threads in THREADS:
        with yardstick_under_granian(threads) as address:
            rates[threads] = rate(address, requests)
    return max(rates, key=rates.__getitem__)


def yardstick_calls(report: figures.Report, pairs: int) -> None:
    """The yardstick under both servers, in turn."""
    requests = yardstick_requests()
    threads = best_threads(requests)
    with yardstick_under_gunicorn() as one, yardstick_under_granian(threads) as other:
        measured = figures.paired(lambda: rate(one, requests), lambda: rate(other, requests), pairs)
        generator = load.run(other, requests)
    report.add("spyne_xmlsec_under_gunicorn", measured.first, "calls/s", "yardstick, gunicorn -w 1, 16 connections")
    report.add(
        "spyne_xmlsec_under_granian",
        measured.second,
        "calls/s",
        f"yardstick, granian with 1 worker and {threads} blocking thread(s), 16 connections",
    )
    report.add("load_generator_cpu", generator.cpu_per_call * 1e6, "µs/call", "its share of the load core")

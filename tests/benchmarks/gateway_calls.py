"""Signed calls to the gateway, against the yardstick under its own server and under the gateway's."""

import contextlib
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from flexiciency.services.replies import B2B
from flexiciency.serving import RECEIVING
from tests.benchmarks import calls, figures, load, machine
from tests.benchmarks.town import Town, town
from tests.gateway import player_of
from tests.world import PLAYER, SERVICE, pod_name

PODS = 10
"""Requested in each DSO-REQ."""
YARDSTICK_THREADS = 3
"""Of the yardstick under granian: with more it is no faster (`best_threads`)."""


def read_requests(setting: Town) -> list[bytes]:
    """ReadMessageStatus: only reads; XSD, trust and signatures both ways are on."""
    return _requests(setting, lambda: B2B.ReadMessageStatus(MessageId=_new_id()))


def durable_requests(setting: Town) -> list[bytes]:
    """DSO-REQ with 10 PoDs: replay check, consent check, commit and evidence are on too."""
    pods = [pod_name(number) for number in range(PODS)]
    return _requests(
        setting,
        lambda: B2B.RequestDsoServiceActivation(
            DsoServiceActivationRequest=B2B.DsoServiceActivationRequest(
                Id=_new_id(), MarketPlaceServiceDescriptionRef=SERVICE, Requester=PLAYER, PoD=pods
            )
        ),
    )


@contextlib.contextmanager
def gateway_under_granian(setting: Town) -> Iterator[load.Address]:
    """The gateway with one worker."""
    port = machine.free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", str(RECEIVING), "--no-log", "--factory",
        "flexiciency.serving:wsgi",
    ]  # fmt: skip
    with machine.running(command, port, setting.environment) as address:
        yield address


def signed_calls(report: figures.Report, pairs: int) -> None:
    """Reading and durable calls, each paired with the yardstick under both servers."""
    plain = calls.yardstick_requests()
    with (
        town(PODS) as setting,
        gateway_under_granian(setting) as gateway,
        calls.yardstick_under_gunicorn() as usual,
        calls.yardstick_under_granian(YARDSTICK_THREADS) as ours,
    ):
        for name, prepare in (("read", read_requests), ("durable", durable_requests)):
            for server, address in (("", usual), ("_under_granian", ours)):
                # Made just before they are sent, and anew for each run: a Timestamp lives five minutes.
                measured = figures.paired(
                    lambda prepare=prepare: calls.rate(gateway, prepare(setting)),  # type: ignore[misc]
                    lambda address=address: calls.rate(address, plain),  # type: ignore[misc]
                    pairs,
                )
                against = f"Spyne + python-xmlsec {'under granian' if server else 'under gunicorn -w 1'}, paired"
                report.add(f"signed_call_{name}_vs_spyne_xmlsec{server}", measured.ratio, "ratio", against)
                report.add(f"signed_call_{name}{server}_rate", measured.first, "calls/s", "gateway, one core")
                report.add(f"spyne_xmlsec{server}_rate", measured.second, "calls/s", against)


def _requests(setting: Town, make: Callable[[], Any]) -> list[bytes]:
    player = player_of(setting.world, "")
    sealed = [player.seal(make()) for _ in range(calls.WARM_UP + calls.CALLS)]
    return [load.http_request("/v1/services/b2b", b"".join(one.chunks()), one.addressing.action) for one in sealed]


def _new_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"

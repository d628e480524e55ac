"""The listener's HTTP server ends in good order."""

import os
import time
from collections.abc import Iterable

import pytest

from flexiciency.client.serving import Server
from flexiciency.soap.wsgi import Environ, StartResponse


def _nothing(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []


def test_a_loop_that_is_awake_when_it_is_told_to_end_ends_too(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(_nothing, "127.0.0.1", 0, threads=1)
    server.start()
    trigger = server._server.trigger
    pull = trigger._physical_pull

    def woken_before() -> None:
        os.write(trigger.trigger, b"x")  # as a call that has just ended does
        time.sleep(0.2)
        pull()

    monkeypatch.setattr(trigger, "_physical_pull", woken_before)
    server.stop()
    assert not server._thread.is_alive()

"""Bodies are received before a request takes its turn."""

import io
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from flexiciency.soap.receiving import Receiving
from flexiciency.soap.wsgi import DRAIN_BYTES, Environ, StartResponse

CAP = 1_000_000


class Slow:
    """A body whose end is held back."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)
        self.goes_on = threading.Event()
        self.asked = threading.Event()

    def read(self, size: int) -> bytes:
        self.asked.set()
        assert self.goes_on.wait(10)
        return self._content.read(size)


def length_of(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [str(len(environ["wsgi.input"].read())).encode()]


def call(application: Receiving, stream: Any, length: int | None = None) -> bytes:
    environ = {"REQUEST_METHOD": "POST", "wsgi.input": stream, "CONTENT_LENGTH": "" if length is None else str(length)}
    return b"".join(application(environ, lambda *_: None))


def test_a_slow_sender_holds_no_turn() -> None:
    application, slow = Receiving(length_of, CAP, turns=1), Slow(b"x" * 10)
    answers: list[bytes] = []
    sender = threading.Thread(target=lambda: answers.append(call(application, slow, 10)))
    sender.start()
    assert slow.asked.wait(10)
    assert call(application, io.BytesIO(b"abc"), 3) == b"3"
    assert answers == []
    slow.goes_on.set()
    sender.join(10)
    assert answers == [b"10"]


def test_only_so_many_calls_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def application(_: Environ, __: StartResponse) -> Iterable[bytes]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1
        return []

    receiving = Receiving(application, CAP, turns=2)
    senders = [threading.Thread(target=call, args=(receiving, io.BytesIO(b"x"), 1)) for _ in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(10)
    assert most == 2


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("size", [0, 10, CAP])
def test_a_body_up_to_the_cap_is_received_whole(size: int, announced: bool) -> None:  # noqa: FBT001
    assert (
        call(Receiving(length_of, CAP, 1), io.BytesIO(b"x" * size), size if announced else None) == str(size).encode()
    )


def test_what_follows_a_body_on_its_connection_is_not_read() -> None:
    stream = io.BytesIO(b"abcPOST")
    assert call(Receiving(length_of, CAP, 1), stream, 3) == b"3"
    assert stream.read() == b"POST"


def test_of_an_oversized_body_a_little_more_than_the_cap_is_kept_and_the_rest_is_read() -> None:
    stream = io.BytesIO(b"x" * 5_000_000)
    kept = int(call(Receiving(length_of, CAP, 1), stream, 5_000_000))
    assert CAP < kept <= CAP + 300_000
    assert stream.read() == b""


def test_reading_an_oversized_body_has_an_end() -> None:
    class Endless:
        given = 0

        def read(self, size: int) -> bytes:
            self.given += size
            return b"x" * size

    endless = Endless()
    call(Receiving(length_of, CAP, 1), endless)
    assert endless.given == DRAIN_BYTES

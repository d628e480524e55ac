"""Slow senders hold no turn: a request's body is received whole before the application gets to it.

Many threads receive, few work: as many as there are database connections.
"""

import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import IO, Any

from flexiciency.soap.outgoing import SPOOL_BYTES
from flexiciency.soap.wsgi import DRAIN_BYTES, Environ, StartResponse

Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_PIECE = 262_144


class Receiving:
    """A WSGI application around another one, of which at most `turns` calls run at once.

    Of a body, `message_bytes` and one piece are kept, on disk above 1 MB; the rest is read and thrown away up to a
    bound, so that the application finds it too large and its sender reads the fault.
    """

    def __init__(self, application: Application, message_bytes: int, turns: int) -> None:
        self._application = application
        self._message_bytes = message_bytes
        self._turns = threading.BoundedSemaphore(turns)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI entry."""
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as body:
            self._receive(environ, body)
            with self._turns:
                return self._application({**environ, "wsgi.input": body}, start_response)

    def _receive(self, environ: Environ, body: IO[bytes]) -> None:
        stream: Any = environ["wsgi.input"]
        announced = str(environ.get("CONTENT_LENGTH") or "")
        left, size = min(DRAIN_BYTES, int(announced) if announced.isdigit() else DRAIN_BYTES), 0
        while left > 0 and (piece := stream.read(min(_PIECE, left))):
            if size <= self._message_bytes:
                body.write(piece)
            size += len(piece)
            left -= len(piece)
        body.seek(0)

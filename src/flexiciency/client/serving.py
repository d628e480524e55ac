"""A WSGI application behind waitress, in threads of this process."""

import threading
from collections.abc import Callable, Iterable

from waitress import create_server, wasyncore  # type: ignore[import-untyped]

from flexiciency.soap.wsgi import DRAIN_BYTES, Environ, StartResponse

Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_SECONDS = 30.0


class Server:
    """Listens from the moment it is made; answers while `run` runs, or from `start` to `stop`."""

    def __init__(self, application: Application, host: str, port: int, threads: int) -> None:
        """One address, v4 or v6; OSError when it is taken. Port 0 takes any that is free."""
        self._sockets: dict[int, object] = {}
        self._server = create_server(
            application, map=self._sockets, host=host, port=port, threads=threads, ident=None,
            max_request_body_size=DRAIN_BYTES, ipv4=":" not in host, ipv6=":" in host,
        )  # fmt: skip
        self._thread = threading.Thread(target=self.run, name="flexiciency-listener", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.effective_port)

    def run(self) -> None:
        """Answer until `stop` is called or the program is interrupted."""
        self._server.run()

    def start(self) -> None:
        """Answer in threads of their own."""
        self._thread.start()

    def stop(self) -> None:
        """Let running calls end, close every connection, and wait for the threads."""
        self._server.task_dispatcher.shutdown()
        pulled = threading.Event()

        def close() -> None:
            """By the loop, which would trip over sockets that others close; not before the trigger is pulled."""
            pulled.wait(_SECONDS)
            wasyncore.close_all(self._sockets)

        self._server.trigger.pull_trigger(close)
        pulled.set()
        self._thread.join(_SECONDS)

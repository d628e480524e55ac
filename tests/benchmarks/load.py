"""Load: ready-made HTTP requests over keep-alive connections, from one process and one thread.

It waits on all connections at once and looks at nothing of a reply but status and length, so that it takes little
of the core that it shares with the database.
"""

import gc
import re
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

Address = tuple[str, int]
"""Host and port."""
CONNECTIONS = 16
PATIENCE = 30.0
"""Seconds without any reply after which a run is given up."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


@dataclass(frozen=True)
class Load:
    """What one run measured."""

    calls_per_second: float
    cpu_per_call: float
    """Seconds of CPU that the generator itself used per call."""


def http_request(path: str, body: bytes, action: str = "") -> bytes:
    """The bytes of one POST of a SOAP 1.1 message."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\n"
        f'SOAPAction: "{action}"\r\nContent-Length: {len(body)}\r\n\r\n'
    )
    return head.encode("ascii") + body


class _Connection:
    """One connection: a request out, its reply in, then the next."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._end: int | None = None
        self.received = bytearray()
        self.socket = self._open()

    def _open(self) -> socket.socket:
        opened = socket.create_connection(self._address, timeout=PATIENCE)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def send(self, request: bytes) -> None:
        self.received.clear()
        self._end = None
        self.socket.sendall(request)

    def reply_is_complete(self) -> bool:
        """Read what has come; true at the end of the reply. ConnectionError if the server hung up before."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError(f"the server hung up after {bytes(self.received[:200])!r}")
        self.received += data
        if self._end is None:
            head = self.received.find(b"\r\n\r\n")
            if head < 0:
                return False
            length = _LENGTH.search(self.received, 0, head)
            if length is None and _CHUNKED.search(self.received, 0, head + 2):
                return self.received.endswith(b"0\r\n\r\n")
            self._end = head + 4 + int(length[1] if length else 0)
        return len(self.received) >= self._end

    def server_closes(self) -> bool:
        return _CLOSE.search(self.received, 0, self.received.find(b"\r\n\r\n") + 2) is not None

    def renew(self) -> None:
        self.socket.close()
        self.socket = self._open()


def call(address: Address, request: bytes) -> bytes:
    """The reply to one request, headers included, whatever its status."""
    connection = _Connection(address)
    try:
        connection.send(request)
        while not connection.reply_is_complete():
            pass
        return bytes(connection.received)
    finally:
        connection.socket.close()


def run(address: Address, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Load:
    """Send each request once and wait for all replies. RuntimeError at the first reply that is not a 200."""
    gc.collect()
    gc.disable()
    try:
        used, began = time.process_time(), time.perf_counter()
        _send_all(address, requests, connections)
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
    finally:
        gc.enable()
    return Load(len(requests) / seconds, cpu / len(requests))


def _send_all(address: Address, requests: Sequence[bytes], connections: int) -> None:
    waiting = iter(requests)
    with selectors.DefaultSelector() as selector:
        for _, request in zip(range(connections), waiting, strict=False):
            connection = _Connection(address)
            connection.send(request)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                raise RuntimeError(f"no reply for {PATIENCE} s")
            for key, _ in ready:
                if key.data.reply_is_complete():
                    _go_on(key.data, next(waiting, None), selector)


def _go_on(connection: _Connection, request: bytes | None, selector: selectors.BaseSelector) -> None:
    """Check the reply just received and send the next request, if there is one, on a new connection if need be."""
    if not connection.received.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"refused: {connection.received.decode('utf-8', 'replace')[:2000]}")
    closes = connection.server_closes()
    if request is None or closes:
        selector.unregister(connection.socket)
    if request is None:
        connection.socket.close()
        return
    if closes:
        connection.renew()
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.send(request)

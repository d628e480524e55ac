"""HTTP as WSGI: one POST is one message; GET serves the published WSDLs and XSDs, byte for byte, address apart.

POST /v1/services/<interface>            a SOAP message, gzip allowed; a large answer comes in gzip to who takes it
GET  /v1/services/<interface>?wsdl       its WSDL; relative imports resolve to /v1/xsd/…
GET  /v1/wsdl/… and /v1/xsd/…            the same files
GET  /healthz                            200 when the host can answer
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import structlog

from flexiciency.contract.schemas import files
from flexiciency.errors import CompressionInvalid, GatewayError, NotSoap, Unavailable
from flexiciency.soap.compression import accepts_gzip, gunzip, gzip_chunks, too_large
from flexiciency.soap.endpoint import Endpoint, pieces
from flexiciency.soap.faults import internal_error, unsigned_fault

log = structlog.get_logger()

SERVICES = "/v1/services/"
DRAIN_BYTES = 200_000_000
"""How much of an oversized body is read and thrown away, so that the client gets to read its fault."""
GZIP_ABOVE = 8_192
"""Bytes of an answer: a smaller one is sent as it is, however much its caller takes."""
_PIECE = 262_144
_NEGOTIATED = ("Vary", "Accept-Encoding"), ("Accept-Encoding", "gzip")
"""That answers differ by what is taken, and that requests may come in gzip (RFC 7694)."""
_COMMITTED_ADDRESS = b"http://localhost:8080"

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Environ = Mapping[str, Any]


class Site:
    """The WSGI application of one host: its endpoints by interface, and the files that describe them."""

    def __init__(
        self, endpoints: Iterable[Endpoint], public_url: str, message_bytes: int, healthy: Callable[[], None]
    ) -> None:
        self._endpoints = {endpoint.interface: endpoint for endpoint in endpoints}
        self._message_bytes = message_bytes
        self._healthy = healthy
        self._files = {
            "/v1/" + name: content.replace(_COMMITTED_ADDRESS, public_url.rstrip("/").encode())
            if name.endswith(".wsdl")
            else content
            for name, content in files().items()
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI entry: nothing that happens inside reaches a partner but as a coded fault."""
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        interface = path.removeprefix(SERVICES) if path.startswith(SERVICES) else None
        try:
            if interface in self._endpoints and method == "POST":
                return self._post(self._endpoints[interface], environ, start_response)
            if method in ("GET", "HEAD"):
                return self._get(path, interface, environ.get("QUERY_STRING", ""), start_response)
            _drain(environ["wsgi.input"], _length(environ))
            wrong = NotSoap(f"{method} is not answered here. POST a message to {SERVICES}<interface>.")
            return _plain(start_response, "405 Method Not Allowed", wrong.message)
        except Exception:
            log.exception("request failed", path=path)
            return _xml(start_response, 500, unsigned_fault(internal_error()))

    def _post(self, endpoint: Endpoint, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        try:
            data = self._body(environ)
        except GatewayError as error:
            answer = endpoint.refuse(b"", peer, error)
        else:
            answer = endpoint.answer(data, peer)
        if answer.size > GZIP_ABOVE and accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            # Its length is not known before it is sent, which HTTP does without.
            _start(start_response, answer.status, ("Content-Encoding", "gzip"), *_NEGOTIATED)
            return pieces(replace(answer, chunks=gzip_chunks(answer.chunks)))
        _start(start_response, answer.status, ("Content-Length", str(answer.size)), *_NEGOTIATED)
        return pieces(answer)

    def _body(self, environ: Environ) -> bytes:
        """The message, unpacked; raises NotSoap, MessageTooLarge or CompressionInvalid after draining."""
        stream, length = environ["wsgi.input"], _length(environ)
        kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if kind != "text/xml":
            _drain(stream, length)
            raise NotSoap(f"Content-Type is {kind[:80]!r}; SOAP 1.1 wants text/xml.")
        data = _read(stream, length, self._message_bytes)
        encoding = environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
        if encoding == "identity":
            return data
        if encoding != "gzip":
            raise CompressionInvalid(f"Content-Encoding {encoding[:40]!r} is unknown; send identity or gzip.")
        return gunzip(data, self._message_bytes)

    def _get(self, path: str, interface: str | None, query: str, start_response: StartResponse) -> Iterable[bytes]:
        if path == "/healthz":
            return self._health(start_response)
        if interface in self._endpoints and query.lower() == "wsdl":
            path = f"/v1/wsdl/{interface}.wsdl"
        content = self._files.get(path)
        if content is None:
            known = ", ".join(f"{SERVICES}{name}?wsdl" for name in self._endpoints)
            return _plain(start_response, "404 Not Found", f"Nothing here. Known: {known}")
        return _xml(start_response, 200, content)

    def _health(self, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._healthy()
        except Unavailable as error:
            return _plain(start_response, "503 Service Unavailable", error.message)
        return _plain(start_response, "200 OK", "ok")


def _length(environ: Environ) -> int | None:
    length = environ.get("CONTENT_LENGTH") or ""
    return int(length) if length.isdigit() else None


def _read(stream: Any, length: int | None, most: int) -> bytes:
    if length is not None and length > most:
        _drain(stream, length)
        raise too_large(length, most)
    read: list[bytes] = []
    size = 0
    while piece := stream.read(_PIECE if length is None else min(_PIECE, length - size)):
        size += len(piece)
        if size > most:
            read.clear()
            _drain(stream, None if length is None else length - size)
            raise too_large(size, most)
        read.append(piece)
        if size == length:
            break
    return b"".join(read)


def _drain(stream: Any, length: int | None) -> None:
    left = min(DRAIN_BYTES, DRAIN_BYTES if length is None else length)
    while left > 0 and (piece := stream.read(min(_PIECE, left))):
        left -= len(piece)


def _start(start_response: StartResponse, status: int, *headers: tuple[str, str]) -> None:
    line = "200 OK" if status == HTTPStatus.OK else "500 Internal Server Error"
    start_response(line, [("Content-Type", "text/xml; charset=utf-8"), *headers])


def _xml(start_response: StartResponse, status: int, content: bytes) -> Iterable[bytes]:
    _start(start_response, status, ("Content-Length", str(len(content))))
    return [content]


def _plain(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    content = text.encode() + b"\n"
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))])
    return [content]

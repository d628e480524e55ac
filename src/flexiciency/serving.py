"""The processes of a gateway: granian's workers, the supervisor beside them, and the embedded database below."""

import ctypes
import gc
import ipaddress
import multiprocessing
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import structlog
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.server.mp import MPServer

from flexiciency import app
from flexiciency.config import Settings
from flexiciency.delivery import worker
from flexiciency.errors import GatewayError
from flexiciency.soap.receiving import Receiving
from flexiciency.store.database import Database
from flexiciency.store.opening import opened
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors

log = structlog.get_logger()

DATABASE_VARIABLE = "FLEXICIENCY_DATABASE_URL"
KILLED_AFTER = 10
"""Seconds that a process which was told to stop may take to finish what it is at."""
RECEIVING = 128
"""Requests that a gateway process receives at once; slow ones wait here, not in the turns of those that work."""


class NotServed(GatewayError):  # noqa: N818  named like the coded errors
    """The gateway cannot be served as set; the message says why and what to change."""


def wsgi() -> Receiving:
    """What each granian worker serves; the database is in the environment, set by `serve`."""
    granian = multiprocessing.parent_process()
    if granian is not None and granian.pid is not None:
        end_with_parent(granian.pid, signal.SIGKILL)
    settings = Settings()
    site = app.site(settings, Database(os.environ[DATABASE_VARIABLE], pool_size=settings.threads))
    # Measured: one durable call in ten was spent looking for garbage among the classes and schemas, which stay.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    return Receiving(site, settings.message_bytes, settings.threads)


def serve(settings: Settings, *, behind_proxy: bool = False) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); leaves nothing running. Raises NotServed."""
    server = _granian(settings, _address(settings, behind_proxy=behind_proxy))
    _check_keys(settings)
    with _opened(settings) as database, _supervised():
        os.environ[DATABASE_VARIABLE] = database.url
        database.close()  # each process has its own connections
        listening = f"{settings.host}:{settings.port}"
        log.info("serving", url=settings.published_url, listening=listening, hint="Ctrl-C stops")
        try:
            server.serve()
        except SystemExit as ended:
            if ended.code == 1:  # granian's, which says nothing
                raise NotServed(
                    "Gateway processes ended by themselves, again and again. Look what killed them (memory?)."
                ) from None
            raise


def work(settings: Settings) -> None:
    """Deliver until told to stop (SIGINT, SIGTERM). Raises NotServed."""
    _check_keys(settings)
    with _opened(settings) as database:
        worker.run(
            database,
            app.pusher(settings, database),
            concurrency=settings.threads,
            directory=app.directory(settings, database),
            grid=app.grid,
            schedule=app.schedule(settings, database),
            patience=app.patience(settings),
        )


def end_with_parent(parent: int, number: signal.Signals) -> None:
    """Have the kernel send this process `number` once its parent, the process `parent`, is gone, even by SIGKILL.

    Linux only, elsewhere nothing. Python has no call of its own for it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it was gone before we asked
            os.kill(os.getpid(), number)


def _opened(settings: Settings) -> AbstractContextManager[Database]:
    return opened(settings.url, settings.data)


def _address(settings: Settings, *, behind_proxy: bool) -> str:
    """The IP address to listen on. Raises NotServed unless it is safe and free."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(place)
    except OSError as error:
        raise NotServed(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}). Stop what listens there, or "
            "set another host or port."
        ) from error
    address = str(place[0])
    if not ipaddress.ip_address(address).is_loopback and settings.tls_certificate_file is None and not behind_proxy:
        raise NotServed(
            f"{settings.host} is not loopback, so HTTPS is needed: set tls_certificate_file and tls_key_file, or say "
            "--behind-proxy when a proxy in front ends TLS."
        )
    return address


def _granian(settings: Settings, address: str) -> MPServer:
    """The HTTP server. Raises NotServed when its TLS files are no good."""
    if (settings.tls_certificate_file is None) != (settings.tls_key_file is None):
        raise NotServed("HTTPS needs two files: set both tls_certificate_file and tls_key_file.")
    try:
        return MPServer(
            "flexiciency.serving:wsgi",
            address=address,
            port=settings.port,
            interface=Interfaces.WSGI,
            factory=True,
            http=HTTPModes.http1,
            websockets=False,
            workers=settings.workers,
            blocking_threads=RECEIVING,
            backpressure=RECEIVING,  # beyond it clients wait in the listen queue
            ssl_cert=settings.tls_certificate_file,
            ssl_key=settings.tls_key_file,
            ssl_protocol_min=SSLProtocols.tls12,
            respawn_failed_workers=True,
            workers_kill_timeout=KILLED_AFTER,
            # lxml keeps every element name it has seen for as long as a process lives.
            workers_max_rss=settings.worker_megabytes,
            log_enabled=False,
        )
    except (OSError, ssl.SSLError) as error:
        raise NotServed(f"The TLS files cannot be used ({error}). Give a PEM certificate and its key.") from error


def _check_keys(settings: Settings) -> None:
    """Raises NotServed unless key, certificate and trust file can be used: here once, not in every process."""
    key, certificate = _read("key_file", settings.key_file), _read("certificate_file", settings.certificate_file)
    trust = _read("trust_file", settings.trust_file)
    try:
        Identity.from_pem(key, certificate)
    except (ValueError, GatewayError) as error:
        files = f"key_file {settings.key_file} and certificate_file {settings.certificate_file}"
        raise NotServed(f"{files} cannot be used: {_line(error)}") from error
    try:
        TrustAnchors.from_pem(trust)
    except (ValueError, GatewayError) as error:
        raise NotServed(f"trust_file {settings.trust_file} cannot be used: {_line(error)}") from error


def _read(name: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotServed(f"{name} {file} cannot be read ({error.strerror}).") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextmanager
def _supervised() -> Iterator[None]:
    """The supervisor runs meanwhile. If it ends by itself so does the block, by SIGTERM; then raises NotServed."""
    supervisor = subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "flexiciency.cli.supervise", str(os.getpid())],
        start_new_session=True,  # Ctrl-C is for us
    )
    stopping, alone = threading.Event(), threading.Event()

    def watch() -> None:
        supervisor.wait()
        if not stopping.is_set():
            alone.set()
            os.kill(os.getpid(), signal.SIGTERM)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stopping.set()
        if not alone.is_set():
            supervisor.terminate()
        watcher.join(2 * KILLED_AFTER)
        if watcher.is_alive():
            supervisor.kill()
    if alone.is_set():
        raise NotServed(
            f"What keeps delivery workers and the embedded database running has ended (exit code "
            f"{supervisor.returncode}); the log says why. Start `serve` again."
        )

"""The processes of a gateway: granian's workers, delivery workers beside them, and the embedded database below."""

import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import AbstractContextManager

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

log = structlog.get_logger()

DATABASE_VARIABLE = "FLEXICIENCY_DATABASE_URL"
RESTART_SECONDS = 2.0
"""Before a delivery worker that ended by itself is started again."""
KILLED_AFTER = 10
"""Seconds that a process which was told to stop may take to finish what it is at."""
RECEIVING = 128
"""Requests that a gateway process receives at once; slow ones wait here, not in the turns of those that work."""


class NotServed(GatewayError):  # noqa: N818  named like the coded errors
    """The gateway cannot be served as set; the message says why and what to change."""


def wsgi() -> Receiving:
    """What each granian worker serves; the database is in the environment, set by `serve`."""
    settings = Settings()
    site = app.site(settings, Database(os.environ[DATABASE_VARIABLE], pool_size=settings.threads))
    return Receiving(site, settings.message_bytes, settings.threads)


def serve(settings: Settings, *, behind_proxy: bool = False) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); leaves nothing running. Raises NotServed."""
    server = _granian(settings, _address(settings, behind_proxy=behind_proxy))
    with _opened(settings) as database:
        os.environ[DATABASE_VARIABLE] = database.url
        database.close()  # each process has its own connections
        log.info("serving", url=settings.public_url, listening=f"{settings.host}:{settings.port}", hint="Ctrl-C stops")
        stopping = threading.Event()
        watchers = [
            threading.Thread(target=_keep_working, args=(stopping,), daemon=True)
            for _ in range(settings.delivery_workers)
        ]
        for watcher in watchers:
            watcher.start()
        try:
            server.serve()
        finally:
            stopping.set()
            for watcher in watchers:
                watcher.join()


def work(settings: Settings) -> None:
    """Deliver until told to stop (SIGINT, SIGTERM)."""
    with _opened(settings) as database:
        worker.run(database, app.pusher(settings, database), concurrency=settings.threads)


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


def _keep_working(stopping: threading.Event) -> None:
    """One delivery worker in a process of its own, started again if it ends by itself."""
    while not stopping.is_set():
        process = subprocess.Popen([sys.executable, "-m", "flexiciency.cli.main", "work"], start_new_session=True)
        while process.poll() is None and not stopping.wait(0.2):
            pass
        if stopping.is_set():
            process.send_signal(signal.SIGTERM)
            _wait(process)
            return
        log.error("delivery worker ended", code=process.returncode, again_in=RESTART_SECONDS)
        stopping.wait(RESTART_SECONDS)


def _wait(process: "subprocess.Popen[bytes]") -> None:
    """Give a worker time to finish its push, then end it: what it had not finished is delivered later."""
    try:
        process.wait(KILLED_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

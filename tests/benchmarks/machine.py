"""The machine as the benchmarks use it: the server has one core, load generator and database have another."""

import contextlib
import os
import re
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


SERVER_CORE, LOAD_CORE = 0, 1


def pin_to_load_core() -> None:
    """Leave the server's core to the server; what is started from here on inherits this unless pinned itself."""
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("The benchmarks need cores 0 and 1: one for the server, one for load and database.")
    os.sched_setaffinity(0, {LOAD_CORE})


def on_server_core(command: list[str]) -> list[str]:
    """The command, pinned to the server's core with all its children."""
    return ["taskset", "--cpu-list", str(SERVER_CORE), *command]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def peak_memory() -> int:
    """Peak resident set of this process in bytes.

    Not `ru_maxrss`: that counts the parent's memory in, which a process has for a moment before it is replaced.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    if found is None:
        raise OSError("/proc/self/status has no VmHWM")
    return int(found[1]) * 1024


@contextlib.contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """A server on the server's core while the block runs; gives its address once it accepts connections.

    `environment` is added to this process's own.
    """
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            on_server_core(command), cwd=ROOT, stdout=said, stderr=said, env={**os.environ, **(environment or {})}
        )
        try:
            if not _listens(port, server):
                said.seek(0)
                raise RuntimeError(f"{shlex.join(command)} does not listen:\n{said.read().decode()[-2000:]}")
            yield "127.0.0.1", port
        finally:
            _stop(server)


def _listens(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Whether the server accepts connections within half a minute."""
    for _ in range(300):
        if server.poll() is not None:
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.1)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()

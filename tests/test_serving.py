"""`flexiciency serve` as a process: it starts with nothing there, answers, and leaves nothing running."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flexiciency.wire.authority import Authority

PATIENCE = 60.0
WORKER = "-m flexiciency.cli.start work"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own: as root PostgreSQL runs as another user, who must get there."""
    made = Path(tempfile.mkdtemp(prefix="flexiciency-serve-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def environment(folder: Path, port: int) -> dict[str, str]:
    now = datetime.now(UTC)
    validity = {"valid_from": now - timedelta(minutes=5), "valid_until": now + timedelta(days=1)}
    authority = Authority.create("Test CA", "ec", **validity)
    authority.issued.write(folder / "ca.pem", folder / "ca.key")
    authority.issue("dso", "ec", **validity).write(folder / "dso.pem", folder / "dso.key")
    own = {name: value for name, value in os.environ.items() if not name.startswith("FLEXICIENCY_")}
    settings = {
        "CONFIG": os.devnull, "DATA": folder / "postgresql", "REGISTRATION_ID": "urn:uuid:1", "PORT": port,
        "KEY_FILE": folder / "dso.key", "CERTIFICATE_FILE": folder / "dso.pem", "TRUST_FILE": folder / "ca.pem",
    }  # fmt: skip
    return own | {f"FLEXICIENCY_{name}": str(value) for name, value in settings.items()}


def started(environment: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flexiciency.cli.start", "serve"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def wait_until_healthy(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while not healthy(port):
        assert time.monotonic() < until
        time.sleep(0.1)


def members(process: "subprocess.Popen[str]", folder: Path) -> dict[int, str]:
    """Commands of living processes that are of this server or its database: they name its folder, or its settings."""
    found = {}
    for one in Path("/proc").glob("[0-9]*"):
        try:
            command = (one / "cmdline").read_bytes()
            settings = (one / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if command and str(folder).encode() in command + settings and int(one.name) != process.pid:
            found[int(one.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def group_of(process: "subprocess.Popen[str]", folder: Path) -> list[str]:
    return list(members(process, folder).values())


def wait_for(process: "subprocess.Popen[str]", folder: Path, ending: str, *, besides: int = 0) -> int:
    """The number of the process whose command ends so, once there is one besides that one."""
    until = time.monotonic() + PATIENCE
    while True:
        for number, command in members(process, folder).items():
            if command.endswith(ending) and number != besides:
                return number
        assert time.monotonic() < until
        time.sleep(0.1)


def postmaster(folder: Path) -> int:
    return int((folder / "postgresql" / "data" / "postmaster.pid").read_text().split()[0])


def test_it_starts_from_nothing_withstands_slow_senders_and_leaves_nothing_running(
    environment: dict[str, str], folder: Path, port: int
) -> None:
    process = started(environment)
    slow: list[socket.socket] = []
    try:
        wait_until_healthy(port)
        wait_for(process, folder, WORKER)
        for _ in range(20):  # more than all its processes have turns
            slow.append(socket.create_connection(("127.0.0.1", port)))
            slow[-1].sendall(b"POST /v1/services/b2b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        time.sleep(0.3)
        assert healthy(port)
        second = subprocess.run(
            [sys.executable, "-m", "flexiciency.cli.start", "serve"], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert second.stderr.startswith("NotServed: ")
        assert second.stderr.count("\n") == 1
    finally:
        for one in slow:
            one.close()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert said.count("embedded PostgreSQL") == 1
    assert group_of(process, folder) == []


@pytest.mark.parametrize(("number", "after"), [(signal.SIGTERM, 1.2), (signal.SIGINT, 1.8), (signal.SIGTERM, 2.5)])
def test_it_may_be_stopped_while_it_starts(
    number: signal.Signals, after: float, environment: dict[str, str], folder: Path
) -> None:
    process = started(environment)
    time.sleep(after)
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    assert group_of(process, folder) == []


def test_what_dies_beside_it_is_started_again_and_what_it_leaves_when_killed_ends_by_itself(
    environment: dict[str, str], folder: Path, port: int
) -> None:
    process = started(environment)
    try:
        wait_until_healthy(port)
        worker = 0
        for _ in range(3):
            worker = wait_for(process, folder, WORKER, besides=worker)
            os.kill(worker, signal.SIGKILL)
        wait_for(process, folder, WORKER, besides=worker)
        old = postmaster(folder)
        os.kill(old, signal.SIGKILL)
        wait_until_healthy_on_another(port, folder, old)
    finally:
        process.kill()
        process.communicate()
    until = time.monotonic() + PATIENCE
    while group_of(process, folder):
        assert time.monotonic() < until, group_of(process, folder)
        time.sleep(0.1)


def wait_until_healthy_on_another(port: int, folder: Path, old: int) -> None:
    until = time.monotonic() + PATIENCE
    while not (healthy(port) and postmaster(folder) != old):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_without_its_supervisor_it_ends_and_says_so(environment: dict[str, str], folder: Path, port: int) -> None:
    process = started(environment)
    try:
        wait_until_healthy(port)
        supervisor = wait_for(process, folder, f"-m flexiciency.cli.supervise {process.pid}")
        os.kill(supervisor, signal.SIGKILL)
    except BaseException:
        process.kill()
        raise
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith("NotServed: ")
    assert "Traceback" not in said
    assert group_of(process, folder) == []

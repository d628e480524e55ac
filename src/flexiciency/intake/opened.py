"""A file of the DSO's: opened once, unpacked while it is read, and told when it changes meanwhile."""

import gzip
import hashlib
import io
import os
import stat
import zlib
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flexiciency.errors import FileBroken, FileChanged, FileInvalid
from flexiciency.store.value_imports import Named

UNPACKED_BYTES = 100_000_000_000
"""Cap on what a packed file becomes."""

RATIO, RATIO_FROM = 250, 16_000_000
"""Above so many bytes unpacked, so many times its size is what no file of values becomes."""

_GZIP = b"\x1f\x8b"


class OpenedFile:
    """A file and what it is read from: `raw` as it is on disk, `unpacked` behind gzip, if any."""

    def __init__(self, path: Path, unpacked_bytes: int = UNPACKED_BYTES) -> None:
        self.path = path
        try:
            self.raw = open(path, "rb", opener=_at_once)  # noqa: SIM115  closed on exit
        except OSError as error:
            raise FileInvalid(f"{path} cannot be read ({error.strerror}).") from None
        found = os.fstat(self.raw.fileno())
        if not stat.S_ISREG(found.st_mode):
            self.raw.close()
            raise FileInvalid(f"{path} is no file that can be read twice. Write it to a file first.")
        self._status = _status(found)
        self.size = self._status[1]
        self.is_packed = self.raw.read(2) == _GZIP
        self.raw.seek(0)
        self.unpacked: io.BufferedReader = self.raw
        self._text: io.TextIOWrapper | None = None
        if self.is_packed:
            self.unpacked = io.BufferedReader(_Unpacked(path, self.raw, unpacked_bytes), 262_144)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._text is not None:
            self._text.detach()
        self.raw.close()

    def named(self, how: str) -> Named:
        """The file by name, and by the digest of its content and how it is read. Before anything is read."""
        digest = hashlib.file_digest(self.raw, "sha256")
        digest.update(how.encode())
        self.raw.seek(0)
        _, size, modified = self._status
        return Named(self.path.name, digest.digest(), size, datetime.fromtimestamp(modified / 10**9, UTC))

    def text(self) -> io.TextIOWrapper:
        """It as text in UTF-8, with or without BOM; what is not UTF-8 becomes surrogates, so that it can be found."""
        self._text = io.TextIOWrapper(self.unpacked, encoding="utf-8-sig", errors="surrogateescape", newline="")
        return self._text

    def check(self) -> None:
        """Raises FileChanged unless the file at this path is still the one that was opened, and no longer or newer."""
        try:
            now = _status(self.path.stat())
        except OSError:
            now = None
        if now != self._status:
            raise FileChanged(f"{self.path} changed while it was read.")

    @property
    def done(self) -> int:
        """Bytes read so far, as they are on disk."""
        return 0 if self.raw.closed else self.raw.tell()

    def start(self) -> bytes:
        """Its first bytes, unpacked; they are read again. Raises FileBroken."""
        return self.unpacked.peek(4096)[:4096]


class _Unpacked(io.RawIOBase):
    """What gzip unpacks, up to a cap."""

    def __init__(self, path: Path, raw: io.BufferedReader, cap: int) -> None:
        self._path = path
        self._raw = raw
        self._gzip = gzip.GzipFile(fileobj=raw)
        self._left = cap
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes. Raises FileBroken."""
        try:
            # One read below at a time: of two, an error in the second would lose what the first gave.
            data = self._gzip.read1(len(buffer))
        except (EOFError, OSError, zlib.error) as error:
            raise FileBroken(
                f"{self._path} is broken after {self._given:,} bytes unpacked ({error}). Get the file again."
            ) from None
        self._given += len(data)
        if self._given > self._left or self._given > max(RATIO_FROM, RATIO * self._raw.tell()):
            raise FileBroken(
                f"{self._path} unpacks to more than {self._given - len(data):,} bytes, which no file of values of "
                f"{self._raw.tell():,} bytes should. If it is right, unpack it first."
            )
        buffer[: len(data)] = data
        return len(data)


def _at_once(path: str, flags: int) -> int:
    """A pipe that nobody writes to is opened too, and then refused, instead of waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _status(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns

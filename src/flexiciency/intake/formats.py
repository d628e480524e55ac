"""Files of meter values as sources: which format a file has, and what reads it."""

from collections.abc import Callable, Iterator
from enum import StrEnum

from flexiciency.errors import FileInvalid
from flexiciency.intake import csv_values, green_button, parquet_values
from flexiciency.intake.cells import Options
from flexiciency.intake.csv_file import CsvFile
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.parquet_file import ParquetFile
from flexiciency.intake.rejected import Rejected
from flexiciency.intake.source import LoadCurve
from flexiciency.store.value_imports import Named


class Format(StrEnum):
    """What a file of values is written in."""

    CSV = "csv"
    PARQUET = "parquet"
    GREEN_BUTTON = "green-button"


Curves = Iterator[LoadCurve | Rejected]


class FileSource:
    """A file of meter values (`source.MeterDataSource`)."""

    def __init__(self, opened: OpenedFile, options: Options, kind: Format | None = None) -> None:
        """Raises FileInvalid, FileBroken, NotInstalled."""
        self._opened = opened
        self.named: Named = opened.named(f"{options} {kind}")
        """Named by content and options: with other options the same file says something else."""
        self._read: Callable[[int], Curves] = _reader(opened, options, kind or recognised(opened))

    def curves(self, after: int) -> Curves:
        """The records behind this line."""
        return self._read(after)

    def check(self) -> None:
        """Raises FileChanged."""
        self._opened.check()


def recognised(opened: OpenedFile) -> Format:
    """The format of a file by its first bytes. Raises FileInvalid for an empty file."""
    start = opened.start()
    if start.startswith(b"PAR1"):
        return Format.PARQUET
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise FileInvalid(f"{opened.path} is empty.")
    return Format.GREEN_BUTTON if text.startswith(b"<") else Format.CSV


def _reader(opened: OpenedFile, options: Options, kind: Format) -> Callable[[int], Curves]:
    if kind is Format.GREEN_BUTTON:
        feed = green_button.Feed(opened, options)
        return lambda after: green_button.curves(feed, after)
    if kind is Format.PARQUET:
        parquet = ParquetFile(opened)
        wide = "timestamp" not in parquet.names
        parquet_values.check_columns(parquet, options, wide=wide)
        return lambda after: (parquet_values.wide_curves if wide else parquet_values.long_curves)(
            parquet, options, after
        )
    text = CsvFile(opened, options.delimiter)
    wide = "timestamp" not in text.header and "day" in text.header
    text.need(csv_values.WIDE if wide else csv_values.LONG)
    return lambda after: (csv_values.wide_curves if wide else csv_values.long_curves)(text, options, after)

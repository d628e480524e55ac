"""PoD master data in CSV or Parquet as a source: a line for each PoD and holder, in the columns of docs/run.md."""

from collections.abc import Iterator
from functools import lru_cache
from zoneinfo import available_timezones

from flexiciency.contract.kinds import COUNTRY, IDENTIFIER, PLACE_NAME, POD
from flexiciency.intake import cells
from flexiciency.intake.csv_file import CsvFile
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.parquet_file import ParquetFile
from flexiciency.intake.rejected import Code, Rejected, Unusable
from flexiciency.intake.source import PodLine, RejectedPod
from flexiciency.store.pods import PodRecord

KINDS = {
    "pod": POD, "country": COUNTRY, "city": PLACE_NAME, "street": PLACE_NAME, "load_area": IDENTIFIER,
    "customer_id": POD,
}  # fmt: skip
"""What cells hold; a load area has the characters of an identifier, and a customer's id those of a PoD."""

COLUMNS = ("pod", "country", "city", "street", "load_area", "time_zone", "customer_id", "held_from", "held_until")
_MAY_BE_EMPTY = ("load_area", "held_until")
_Cells = dict[str, str]


class PodFile:
    """A file of PoDs and holders (`source.PodSource`)."""

    def __init__(self, opened: OpenedFile, delimiter: str = ",") -> None:
        """Raises FileInvalid, FileBroken, NotInstalled."""
        self._opened = opened
        self._rows = _parquet_rows(opened) if opened.start().startswith(b"PAR1") else _csv_rows(opened, delimiter)

    def records(self) -> Iterator[PodLine | RejectedPod]:
        """A record for each line. Raises FileInvalid, FileBroken."""
        for row in self._rows:
            if isinstance(row, RejectedPod):
                yield row
                continue
            line, found, columns = row
            try:
                yield PodLine(line, _record(found))
            except _WrongCell as wrong:
                yield RejectedPod(found["pod"], wrong.cause.at(line, columns[wrong.name] + 1))

    def check(self) -> None:
        """Raises FileChanged."""
        self._opened.check()


_Row = tuple[int, _Cells, dict[str, int]] | RejectedPod
"""Line, cells by column, and where each column is."""


class _WrongCell(Exception):  # noqa: N818  a finding, not yet an error
    def __init__(self, name: str, cause: Unusable) -> None:
        super().__init__(name)
        self.name = name
        self.cause = cause


def _csv_rows(opened: OpenedFile, delimiter: str) -> Iterator[_Row]:
    file = CsvFile(opened, delimiter)
    file.need(set(COLUMNS))
    columns = {name: file.place(name) for name in COLUMNS}
    for row in file.rows(0):
        if isinstance(row, Rejected):
            yield RejectedPod(file.cell_of("pod"), row)
        elif len(row[1]) != len(file.header):
            reason = f"{len(row[1])} cells, where the header has {len(file.header)}"
            yield RejectedPod(file.cell_of("pod"), Rejected(row[0], None, Code.CELL_COUNT, reason))
        else:
            line, found = row
            yield line, {name: found[place].strip() for name, place in columns.items()}, columns


def _parquet_rows(opened: OpenedFile) -> Iterator[_Row]:
    file = ParquetFile(opened)
    file.need(set(COLUMNS))
    columns = {name: file.names.index(name) for name in COLUMNS}
    for first_row, batch in file.batches(0):
        texts = [file.texts(batch, name) for name in COLUMNS]
        for number, found in enumerate(zip(*texts, strict=True), start=first_row):
            yield number, {name: cell.strip() for name, cell in zip(COLUMNS, found, strict=True)}, columns


def _record(found: _Cells) -> PodRecord:
    """Raises _WrongCell."""
    for name, cell in found.items():
        try:
            _check(name, cell)
        except Unusable as wrong:
            raise _WrongCell(name, wrong) from None
    held_from = cells.instant(found["held_from"])
    held_until = cells.instant(found["held_until"]) if found["held_until"] else None
    if held_until is not None and held_until <= held_from:
        reason = f"held_until {found['held_until']} is not later than held_from {found['held_from']}"
        raise _WrongCell("held_until", Unusable(Code.HELD_PERIOD_INVALID, reason))
    return PodRecord(
        pod=found["pod"], country=found["country"], city=found["city"], street=found["street"],
        load_area=found["load_area"] or None, time_zone=found["time_zone"], customer_id=found["customer_id"],
        held_from=held_from, held_until=held_until,
    )  # fmt: skip


def _check(name: str, cell: str) -> None:
    if not cell:
        if name not in _MAY_BE_EMPTY:
            raise Unusable(Code.CELL_EMPTY, f"{name} is empty")
    elif name in KINDS:
        try:
            KINDS[name].check(cell)
        except ValueError as error:
            raise Unusable(Code.CELL_INVALID, f"{name}: {error}") from None
    elif name == "time_zone":
        if cell not in _time_zones():
            raise Unusable(Code.TIME_ZONE_UNKNOWN, f"{cell[:40]!r} is no IANA time zone")
    else:
        cells.instant(cell)


@lru_cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())

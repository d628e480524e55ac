"""Meter values of a source are checked and stored in portions of one transaction each; a stopped import goes on.

With each portion the line is stored up to which all is; what is read again then is known, and not stored twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flexiciency.contract.kinds import POD
from flexiciency.errors import FileChanged, IntakeError, StateConflict
from flexiciency.intake.collect import Collected, Collector
from flexiciency.intake.rejected import Code, Rejected, Report
from flexiciency.intake.source import LoadCurve, MeterDataSource
from flexiciency.store import value_imports
from flexiciency.store.database import Database
from flexiciency.store.pods import zones
from flexiciency.store.transaction import Row, transaction
from flexiciency.store.values import Refused, Stored, store_blocks

PORTION = 5_000
"""Blocks of one transaction."""

OPEN_DAYS = 30_000
"""Days that may wait for the rest of their values: more are stored as they are, and completed by corrections."""

_WAITING_REJECTED = 10_000
_RECORDS, _VALUES = 5_000, 500_000
"""Whose PoDs are looked up at once."""

_NOTHING = Stored(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Imported:
    """The import as it is stored; `before`: the same content had been imported already, and nothing was read."""

    row: Row
    before: bool


def import_values(
    database: Database, source: MeterDataSource, report: Report, watch: Callable[[Row], None], *, again: bool = False
) -> Imported:
    """Store a source's values; `watch` gets the import's row after each portion.

    An import that was stopped goes on where it was. One that ended and rejected nothing is not done `again` unless
    that is wanted. Raises IntakeError when the source cannot be used (any more), saying what is stored, and
    StateConflict when another process imports it.
    """
    named = source.named
    with transaction(database) as tx:
        (known,) = tx.look_up(value_imports.latest(named.digest))
        ended = bool(known) and known[0].ended_at is not None
        if ended and known[0].rejected == 0 and not again:
            return Imported(known[0], before=True)
        row = value_imports.begin(tx, named) if ended or not known else known[0]
    report.keep(row.rejected)
    running = _Import(database, source, report, watch, row)
    try:
        running.run()
    except IntakeError as error:
        if running.row.position == 0 and not isinstance(error, FileChanged):
            raise  # nothing could be read
        raise type(error)(f"{error.message} {running.so_far()}") from None
    return Imported(running.row, before=False)


class _Import:
    """One import while it runs."""

    def __init__(
        self, database: Database, source: MeterDataSource, report: Report, watch: Callable[[Row], None], row: Row
    ) -> None:
        self.row = row
        self._database = database
        self._source = source
        self._report = report
        self._watch = watch
        self._collector = Collector()
        self._rejected: list[Rejected] = []
        self._line = int(row.position)
        self._broken: IntakeError | None = None

    def run(self) -> None:
        """Read and store everything. Raises IntakeError."""
        for records in self._records():
            self._take(records)
            waiting = len(self._rejected) + len(self._collector.rejected)
            if self._collector.open > OPEN_DAYS or waiting > _WAITING_REJECTED:
                self._store(everything=True)
        self._line = max((self._line, *(one.line for one in self._rejected)))
        self._store(everything=True, ended=self._broken is None)
        if self._broken is not None:
            raise self._broken

    def so_far(self) -> str:
        """What is stored, and what to do."""
        row = self.row
        return (
            f"Stored are {row.new} new days, {row.corrected} corrected and {row.known} known ones, all up to line "
            f"{row.position}; {row.rejected} rows rejected. Import the file again when it is whole and no longer "
            "written: what is stored is not stored twice."
        )

    def _records(self) -> Iterator[list[LoadCurve | Rejected]]:
        """The source's records, some thousands at a time; the error that ends them, if any, is kept for later."""
        records: list[LoadCurve | Rejected] = []
        values = 0
        try:
            for record in self._source.curves(self._line):
                records.append(record)
                values += len(record.values) if isinstance(record, LoadCurve) else 0
                if len(records) >= _RECORDS or values >= _VALUES:
                    yield records
                    records, values = [], 0
        except IntakeError as error:
            self._broken = error
        yield records

    def _take(self, records: list[LoadCurve | Rejected]) -> None:
        named = {record.pod for record in records if isinstance(record, LoadCurve) and POD.fits(record.pod)}
        zone_of = zones(self._database, named)
        for record in records:
            if isinstance(record, Rejected):
                self._rejected.append(record)
                # Of the same line there may be a record to come: of a wide file, the cells that are right.
                self._line = max(self._line, record.line - 1)
                continue
            zone = zone_of.get(record.pod)
            if zone is None:
                self._collector.reject(record, Code.POD_UNKNOWN, f"no PoD {record.pod[:64]!r} is known here")
            else:
                self._collector.add(record, zone)
            self._line = max(self._line, record.last_line)
            if self._collector.complete >= PORTION:
                self._store()

    def _store(self, *, everything: bool = False, ended: bool = False) -> None:
        """Store what is complete, or everything."""
        collected = list(self._collector.take(everything=everything))
        position = min((self._collector.first_open_line or self._line + 1) - 1, self._line)
        position = max(position, self.row.position)
        for first in range(PORTION, len(collected), PORTION):
            self._store_portion(collected[first - PORTION : first], self.row.position, ended=False)
        rest = len(collected) % PORTION or PORTION
        self._store_portion(collected[-rest:], position, ended=ended)
        self._watch(self.row)

    def _store_portion(self, collected: list[Collected], position: int, *, ended: bool) -> None:
        self._source.check()
        with transaction(self._database) as tx:
            blocks = [one.block for one in collected]
            stored = store_blocks(tx, blocks, since=self.row.started_at) if blocks else _NOTHING
            for number, refused in stored.refused.items():
                self._rejected += _refused(collected[number], refused)
            # Rows of days that are still open are read, and rejected, again by whoever goes on from this position.
            reported, waiting = self._reported(position)
            self._report.add(reported)
            row = value_imports.advance(tx, self.row, position, stored, len(reported), ended=ended)
            if row is None:
                raise StateConflict(f"Another process is importing {self.row.name}. Let it end, or stop it.")
        self.row, self._rejected = row, waiting

    def _reported(self, position: int) -> tuple[list[Rejected], list[Rejected]]:
        """Rejected rows up to a line, and the others."""
        self._rejected = sorted(self._rejected + self._collector.rejected, key=lambda one: one.line)
        self._collector.rejected = []
        return (
            [one for one in self._rejected if one.line <= position],
            [one for one in self._rejected if one.line > position],
        )


def _refused(collected: Collected, refused: Refused) -> Iterator[Rejected]:
    """Values that the store did not take."""
    block = collected.block
    for place in refused.places.tolist():
        if refused.step is not block.step:
            reason = f"PoD {block.pod} has values every {refused.step} on {block.day}, and here some are missing"
            yield collected.rejected(place, Code.STEPS_OVERLAP, reason)
        else:
            reason = f"PoD {block.pod} on {block.day}: another value was stored since this import began"
            yield collected.rejected(place, Code.DUPLICATE_CONTRADICTS, reason)

"""PoD master data of a source is checked and stored, in one transaction: what is stopped has stored nothing.

What a source says of a PoD replaces what was known of it, so that a PoD of which one line is wrong is left out whole.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flexiciency.contract.kinds import POD
from flexiciency.errors import IntakeError
from flexiciency.intake.rejected import Code, Rejected, Report
from flexiciency.intake.source import PodLine, PodSource
from flexiciency.store import agreement_standing
from flexiciency.store import pods as store
from flexiciency.store.database import Database
from flexiciency.store.pods import PodRecord
from flexiciency.store.transaction import Row, Transaction, transaction

_WATCHED = 5_000
"""Records from one call of `watch` to the next."""


@dataclass(frozen=True, slots=True)
class ImportedPods:
    """How many records of how many PoDs were stored, and how many lines rejected."""

    records: int
    pods: int
    rejected: int


def import_pods(
    database: Database,
    source: PodSource,
    report: Report,
    settle: Callable[[Transaction, list[Row]], None],
    watch: Callable[[], None],
) -> ImportedPods:
    """Store PoDs and holders. In the same transaction `settle` gets the agreements, locked, whose state may follow.

    Raises IntakeError when the source cannot be used, or not to its end: nothing is stored then.
    """
    report.keep(0)
    try:
        with transaction(database) as tx:
            reading = _Reading(source, watch)
            store.stage(tx, reading.records())
            rejected = reading.rejected + _without_faults(tx, reading.pods)
            source.check()
            stored = store.store_staged(tx)
            (concerned,) = tx.read(agreement_standing.lock_imported())
            settle(tx, concerned)
            report.add(sorted(rejected, key=lambda one: one.line))
    except IntakeError as error:
        raise type(error)(f"{error.message} Nothing was imported.") from None
    return ImportedPods(stored.lines, stored.pods, len(rejected))


class _Reading:
    """A source while it is read; `pods` are those of rejected lines, each with the first such line."""

    def __init__(self, source: PodSource, watch: Callable[[], None]) -> None:
        self.rejected: list[Rejected] = []
        self.pods: dict[str, int] = {}
        self._source = source
        self._watch = watch

    def records(self) -> Iterator[tuple[int, PodRecord]]:
        for number, one in enumerate(self._source.records()):
            if number % _WATCHED == 0:
                self._watch()
            if isinstance(one, PodLine):
                yield one.line, one.record
            else:
                self.rejected.append(one.rejected)
                if POD.fits(one.pod):
                    self.pods.setdefault(one.pod, one.rejected.line)


def _without_faults(tx: Transaction, pods: dict[str, int]) -> list[Rejected]:
    """Leave staged PoDs out of which a line is wrong, or lines contradict each other; all their lines."""
    holders, places = tx.read(store.two_holders(), store.two_places())
    rejected = [
        Rejected(row.line, None, Code.TWO_HOLDERS, f"PoD {row.pod} has another holder at once in line {row.before}")
        for row in holders
    ]
    rejected += [
        Rejected(row.line, None, Code.PLACES_DIFFER, f"PoD {row.pod} is elsewhere than in line {row.before}")
        for row in places
    ]
    wrong = pods | {row.pod: row.line for row in reversed([*holders, *places])}
    (left_out,) = tx.read(store.leave_out(wrong)) if wrong else ([],)
    told = {one.line for one in rejected}
    rejected += [
        Rejected(row.line, None, Code.POD_REJECTED, f"line {wrong[row.pod]} of PoD {row.pod} is rejected")
        for row in left_out
        if row.line not in told
    ]
    return rejected

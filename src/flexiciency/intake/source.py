"""Where meter values and PoD master data come from: the protocols that a DSO's own systems can fill (docs/extend.md).

Files are sources too (`intake.formats`, `intake.pod_files`). A record names its place in the source, so that a
rejection can name it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.intake.rejected import Rejected
from flexiciency.store.pods import PodRecord
from flexiciency.store.value_imports import Named


@dataclass(frozen=True, slots=True, eq=False)
class LoadCurve:
    """Consecutive values of one PoD, whole Wh or W, any number of days.

    `start` is the start of the first interval (aware), or a local day of the PoD, whose first value comes first.
    `qualities` are codes of `contract.series.Quality` (None: all Measured).

    `line` says where the record is in its source, from 1; it grows from record to record. `lines` are those of each
    value, if each has one of its own; else the values stand side by side from `column` on.
    """

    line: int
    pod: str
    quantity: Quantity
    step: TimeStep
    start: datetime | date
    values: NDArray[np.signedinteger[Any]]
    qualities: NDArray[np.uint8] | None = None
    lines: NDArray[np.int64] | None = None
    column: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what a source must never give."""
        count = len(self.values)
        if not count or any(other is not None and len(other) != count for other in (self.qualities, self.lines)):
            raise ValueError(f"line {self.line}: values, qualities and lines are not equally many, or there are none")
        if isinstance(self.start, datetime) and self.start.tzinfo is None:
            raise ValueError(f"line {self.line}: start has no time zone")

    @property
    def last_line(self) -> int:
        """Where it ends."""
        return self.line if self.lines is None else int(self.lines[-1])


class MeterDataSource(Protocol):
    """A DSO's meter data system, or a file from it."""

    @property
    def named(self) -> Named:
        """Its name, and a digest of its content: what is stored already of the same content is not read again."""

    def curves(self, after: int) -> Iterator[LoadCurve | Rejected]:
        """The records whose line is after this one, in order; those that cannot be read as Rejected.

        An error that it raises ends the import; what came before is stored.
        """

    def check(self) -> None:
        """Called before each portion is stored. Raises FileChanged if the content is not what it was."""


@dataclass(frozen=True, slots=True)
class PodLine:
    """A PoD and one holder, and where that stands."""

    line: int
    record: PodRecord


@dataclass(frozen=True, slots=True)
class RejectedPod:
    """A record that cannot be used, of the PoD of that name, if it has one: its other records are left out too."""

    pod: str
    rejected: Rejected


class PodSource(Protocol):
    """A DSO's customer system, or a file from it."""

    def records(self) -> Iterator[PodLine | RejectedPod]:
        """A record for each PoD and holder, in any order."""

    def check(self) -> None:
        """Called before anything is stored. Raises FileChanged if the content is not what it was."""

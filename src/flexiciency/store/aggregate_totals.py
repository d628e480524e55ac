"""Aggregates of one local day as last added up (D2.3, 2.6; contract, decision 10): what a correction is applied to.

`sums` are int64 and `counts` int32, one row a quality, little endian, in zlib; see `domain.aggregation.Totals`.
"""

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np

from flexiciency.contract.series import Quality, TimeStep
from flexiciency.domain.aggregation import Totals
from flexiciency.store.aggregates import pods_hash
from flexiciency.store.transaction import Query, Row, Transaction

_KEPT = """
SELECT aggregation_id, members, absent, sums, counts, latest, seen FROM aggregate_total
WHERE agreement_id = %(agreement_id)s AND time_zone = %(time_zone)s AND step = %(step)s AND day = %(day)s
"""
_KEEP = """
INSERT INTO aggregate_total (agreement_id, time_zone, step, day, aggregation_id, members, absent, sums, counts, latest,
    seen)
VALUES (%(agreement_id)s, %(time_zone)s, %(step)s, %(day)s, %(aggregation_id)s, %(members)s, %(absent)s, %(sums)s,
    %(counts)s, %(latest)s, %(seen)s)
ON CONFLICT (agreement_id, time_zone, step, day, aggregation_id) DO UPDATE SET members = EXCLUDED.members,
    absent = EXCLUDED.absent, sums = EXCLUDED.sums, counts = EXCLUDED.counts, latest = EXCLUDED.latest,
    seen = EXCLUDED.seen
"""
_WHERE = "WHERE agreement_id = %(agreement_id)s AND time_zone = %(time_zone)s AND step = %(step)s AND day = %(day)s"
_SEEN = f"UPDATE aggregate_total SET seen = %(seen)s {_WHERE}"  # noqa: S608  a constant
_FORGET = f"DELETE FROM aggregate_total {_WHERE}"  # noqa: S608  a constant


@dataclass(frozen=True, slots=True)
class Day:
    """A local day of an agreement's PoDs of one zone, at a step."""

    agreement_id: str
    time_zone: str
    step: TimeStep
    day: date

    @property
    def _values(self) -> dict[str, object]:
        return {
            "agreement_id": self.agreement_id, "time_zone": self.time_zone, "step": self.step.seconds, "day": self.day
        }  # fmt: skip

    def kept(self) -> Query:
        """Rows for `Kept.of`."""
        return Query(_KEPT, self._values)

    def keep(self, tx: Transaction, aggregation_id: str, members: Collection[str], kept: "Kept") -> None:
        """Remember one group's totals in place of earlier ones."""
        tx.write(
            _KEEP, aggregation_id=aggregation_id, members=pods_hash(members),
            absent=sorted(set(members) - kept.totals.pods), sums=zlib.compress(kept.totals.sums.tobytes(), 1),
            counts=zlib.compress(kept.totals.counts.tobytes(), 1), latest=kept.latest, seen=kept.seen, **self._values,
        )  # fmt: skip

    def has_seen(self, tx: Transaction, version: int) -> None:
        """Corrections up to this version are in all of its totals."""
        tx.write(_SEEN, seen=version, **self._values)

    def forget(self, tx: Transaction) -> None:
        """No totals of it hold any more."""
        tx.write(_FORGET, **self._values)


@dataclass(slots=True)
class Kept:
    """Totals, the latest version of blocks that are or were in them, and that up to which corrections are in them."""

    totals: Totals
    latest: int
    seen: int

    @classmethod
    def of(cls, row: Row, members: Collection[str]) -> "Kept":
        """From a row of a group of these PoDs."""
        sums = np.frombuffer(zlib.decompress(row.sums), dtype=np.int64).copy()
        counts = np.frombuffer(zlib.decompress(row.counts), dtype=np.int32).copy().reshape(int(Quality.MISSING), -1)
        return cls(Totals(sums, counts, set(members) - set(row.absent)), row.latest, row.seen)

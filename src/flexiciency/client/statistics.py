"""What a client or a listener has counted."""

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages so far: signed by us; verified; refused because nothing in them could be trusted; signed faults."""

    signed: int
    verified: int
    refused: int
    faults: int


class Statistics:
    """Counters that threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts(0, 0, 0, 0)

    @property
    def counts(self) -> Counts:
        """The counters at one moment."""
        with self._lock:
            return self._counts

    def add(self, *, signed: int = 0, verified: int = 0, refused: int = 0, faults: int = 0) -> None:
        """Count."""
        with self._lock:
            old = self._counts
            self._counts = Counts(
                old.signed + signed, old.verified + verified, old.refused + refused, old.faults + faults
            )

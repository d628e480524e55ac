"""How much fits into one message of values: caps on its values and bytes, held by bounds known beforehand (D2.3, 2.6).

The bounds are of the longest writing that there can be: every value at its longest and with a quality, every second one
in a series of its own, in either encoding. A test holds them against what is written.
"""

from dataclasses import dataclass

FRAME = 20_000
"""Bytes of a message around its series: envelope, signature, certificate, header."""

_EXPLICIT_VALUE = 100
"""`<prv:Value quality="Incomplete" timestamp="…">-9223372036854775.808</prv:Value>`."""
_COMPACT_VALUE = 34
_POD_SERIES, _AGGREGATE_SERIES = 400, 350
"""Around a series with a name at its longest: 64 characters, any of which may be escaped; 200, percent-encoded where
there are several, and a PodCount."""
_COMPACT_SERIES = 190
"""More around a Compact series."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What one message may hold: values, and bytes as it is signed, before gzip."""

    values: int = 150_000
    size: int = 50_000_000


DEFAULT_CAPS = Caps()


def pods_at_once(caps: Caps, values: int) -> int:
    """How many PoDs of so many values each fit into a message; at least one, which the caps allow for a day."""
    return _at_once(caps, values, _POD_SERIES)


def aggregates_at_once(caps: Caps, values: int) -> int:
    """How many aggregates of so many values each fit into a message; at least one, which the caps allow for a day."""
    return _at_once(caps, values, _AGGREGATE_SERIES)


def fits(caps: Caps, series: int, values: int, *, aggregated: bool = False) -> bool:
    """Whether so many PoDs (or aggregates) with so many values in all fit into one message."""
    around = _AGGREGATE_SERIES if aggregated else _POD_SERIES
    return values <= caps.values and FRAME + _size(series, values, around) <= caps.size


def days_at_once(caps: Caps, series: int, values: int, *, aggregated: bool = False) -> int:
    """How many days of so many PoDs (or aggregates), with so many values each a day, fit into a message; perhaps 0."""
    days = caps.values // (series * values)
    while days and not fits(caps, series, days * series * values, aggregated=aggregated):
        days -= 1
    return days


def _at_once(caps: Caps, values: int, around: int) -> int:
    return max(1, min(caps.values // values, (caps.size - FRAME) // _size(1, values, around)))


def _size(series: int, values: int, around: int) -> int:
    """Bytes of so many PoDs or aggregates at most, with so many values in all."""
    runs = (values + series) // 2
    return max(values * _EXPLICIT_VALUE + runs * around, values * _COMPACT_VALUE + runs * (around + _COMPACT_SERIES))

"""What a load curve is made of: quantities, time steps, quality codes and a series of values in numpy arrays.

Values are whole Wh (energy) or W (power); in XML they are kWh and kW with exactly three decimal places (D2.3, 2.6).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray


class Quantity(StrEnum):
    """Kind of numerical value (D2.3, 2.3)."""

    ENERGY_CONSUMPTION = "EnergyConsumption"
    ENERGY_GENERATION = "EnergyGeneration"
    POWER = "Power"

    @property
    def unit(self) -> str:
        """Unit in XML: kWh or kW (D2.3, Table 3)."""
        return "kW" if self is Quantity.POWER else "kWh"


class TimeStep(StrEnum):
    """Time interval between two values (D2.3, 2.3). P1D is a local day of the PoD, so 23, 24 or 25 hours."""

    PT10M = "PT10M"
    PT15M = "PT15M"
    PT30M = "PT30M"
    PT1H = "PT1H"
    P1D = "P1D"

    @property
    def seconds(self) -> int:
        """Length in seconds; for P1D that of a day without clock change."""
        return _SECONDS[self]


_SECONDS = {
    TimeStep.PT10M: 600,
    TimeStep.PT15M: 900,
    TimeStep.PT30M: 1800,
    TimeStep.PT1H: 3600,
    TimeStep.P1D: 86400,
}


class Encoding(StrEnum):
    """How values are written in XML (contract, decision 15)."""

    EXPLICIT = "Explicit"
    COMPACT = "Compact"


class Quality(IntEnum):
    """Quality of one value, as kept in uint8 arrays."""

    MEASURED = 0
    ESTIMATED = 1
    CALCULATED = 2
    INCOMPLETE = 3
    MISSING = 4

    @property
    def word(self) -> str:
        """The quality in XML: Measured, Estimated and so on."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Consecutive values of one PoD, without a gap.

    `values` are Wh or W, `qualities` codes of `Quality` (None: all Measured). Value i starts at `start` + i * `step`
    (UTC); local days (P1D) are not equally long, so `starts` names the start of each in seconds since 1970 UTC.
    Without `starts` (as the Compact encoding sends it) only a zone can tell: `domain.values.day_starts`.
    """

    pod: str
    start: datetime
    step: TimeStep
    values: NDArray[np.int32] | NDArray[np.int64]
    qualities: NDArray[np.uint8] | None = None
    starts: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not len(self.values):
            raise ValueError(f"series of PoD {self.pod} has no value")
        for companion in (self.qualities, self.starts):
            if companion is not None and len(companion) != len(self.values):
                raise ValueError(f"series of PoD {self.pod} has {len(self.values)} values, but {len(companion)} others")

    def instants(self) -> NDArray[np.int64]:
        """Start of each value in seconds since 1970 UTC. ValueError for local days whose `starts` are not known."""
        if self.starts is not None:
            return self.starts
        if self.step is TimeStep.P1D:
            raise ValueError(f"local days of PoD {self.pod} need their starts")
        return epoch(self.start) + self.step.seconds * np.arange(len(self.values), dtype=np.int64)


def narrowed(values: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.int32] | NDArray[np.int64]:
    """The values as int32 where all of them fit."""
    most = np.iinfo(np.int32).max
    if values.dtype == np.int32 or not len(values) or values.max() > most or values.min() < -most:
        return values
    return values.astype(np.int32)


def kilo_text(value: int) -> str:
    """Wh as kWh (W as kW) with exactly three decimal places: -5 → "-0.005"."""
    whole, rest = divmod(abs(value), 1000)
    return f"{'-' if value < 0 else ''}{whole}.{rest:03d}"


def epoch(instant: datetime) -> int:
    """Whole seconds since 1970 UTC of an aware datetime."""
    return int(instant.timestamp())


def instant_of(seconds: int) -> datetime:
    """UTC datetime of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def timestamp(instant: datetime) -> str:
    """com:Timestamp of an aware datetime, with six decimals only if it needs them."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"

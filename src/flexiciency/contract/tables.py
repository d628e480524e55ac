"""Values as tables of pandas, polars or Arrow, one row a value, without an object per value (D2.3, 2.6).

The libraries are extras, imported when a table is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.series import Quality, Quantity, Series, TimeStep

_WORDS = [quality.word for quality in Quality]
_DIGITS, _PLACES = 18, 3
_MICRO = 1_000_000
"""Timestamps count microseconds: all three libraries know them."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The rows of a message: `runs` follow each other; `counts` has the number of PoDs behind each, of aggregates."""

    name: str
    quantity: Quantity
    version: int
    runs: Sequence[Series]
    counts: Sequence[int] | None = None

    def names(self) -> tuple[list[str], NDArray[np.int32]]:
        """The PoDs or aggregates that occur, and of each row which of them it is of."""
        places: dict[str, int] = {}
        of_runs = np.array([places.setdefault(run.pod, len(places)) for run in self.runs], dtype=np.int32)
        return list(places), np.repeat(of_runs, self._lengths())

    def pods(self) -> NDArray[np.int32] | None:
        """Of each row the number of PoDs behind it, None of individual data."""
        return None if self.counts is None else np.repeat(np.array(self.counts, dtype=np.int32), self._lengths())

    def timestamps(self) -> NDArray[np.int64]:
        """Starts in microseconds since 1970 UTC. Raises ValueError for local days whose starts did not come along."""
        if any(run.step is TimeStep.P1D and run.starts is None for run in self.runs):
            raise ValueError("local days in the Compact encoding have no timestamps; request them Explicit")
        return np.concatenate([run.instants() for run in self.runs]) * _MICRO

    def thousandths(self) -> NDArray[np.int64]:
        """Wh or W."""
        return np.concatenate([run.values for run in self.runs]).astype(np.int64)

    def qualities(self) -> NDArray[np.uint8]:
        """Codes of `Quality`."""
        measured = Quality.MEASURED
        return np.concatenate([
            np.full(len(run.values), measured, dtype=np.uint8) if run.qualities is None else run.qualities
            for run in self.runs
        ])  # fmt: skip

    def _lengths(self) -> list[int]:
        return [len(run.values) for run in self.runs]


class Tables:
    """A message of values that gives tables in long form, the rows in the order of the message.

    Columns: pod (of aggregates aggregation_id, then pods: how many are behind the value), timestamp (start of the
    interval, UTC, microseconds), value (kWh or kW), quality (Measured, Estimated, …) and version. Where quality is
    Missing, value is null: a gap known as gap. Texts are categories. Raises ModuleNotFoundError, naming the extra, and
    ValueError for local days in the Compact encoding, whose starts only the PoD's zone tells.
    """

    __slots__ = ()

    def columns(self) -> Columns:
        """The rows."""
        raise NotImplementedError

    def to_pandas(self) -> Any:
        """A pandas DataFrame; value is float64, the double nearest to the three decimal places. Extra `pandas`.

        `attrs` has quantity and unit.
        """
        pandas, columns = _library("pandas"), self.columns()
        names, codes = columns.names()
        qualities = columns.qualities()
        found = {columns.name: pandas.Categorical.from_codes(codes, names)}
        if (pods := columns.pods()) is not None:
            found["pods"] = pods
        moments = pandas.Series(columns.timestamps().view("datetime64[us]"))
        found["timestamp"] = moments.dt.tz_localize("UTC")
        found["value"] = _doubles(columns, qualities)
        found["quality"] = pandas.Categorical.from_codes(qualities, _WORDS)
        found["version"] = np.full(len(codes), columns.version, dtype=np.int32)
        table = pandas.DataFrame(found)
        table.attrs.update(quantity=columns.quantity.value, unit=columns.quantity.unit)
        return table

    def to_polars(self) -> Any:
        """A polars DataFrame; value is Float64, the double nearest to the three decimal places. Extra `polars`."""
        polars, columns = _library("polars"), self.columns()
        names, codes = columns.names()
        qualities = columns.qualities()
        found = {columns.name: polars.Series(names, dtype=polars.String).gather(codes).cast(polars.Categorical)}
        if (pods := columns.pods()) is not None:
            found["pods"] = polars.Series(pods)
        found["timestamp"] = polars.Series(columns.timestamps()).cast(polars.Datetime("us", "UTC"))
        found["value"] = polars.Series(_doubles(columns, qualities)).fill_nan(None)
        found["quality"] = polars.Series(_WORDS).gather(qualities).cast(polars.Enum(_WORDS))
        found["version"] = polars.Series(np.full(len(codes), columns.version, dtype=np.int32))
        return polars.DataFrame(found)

    def to_arrow(self) -> Any:
        """A pyarrow Table; value is decimal128(18, 3), exact. Extra `arrow`. Its metadata has quantity and unit."""
        arrow, columns = _library("pyarrow", "arrow"), self.columns()
        names, codes = columns.names()
        qualities = columns.qualities()
        found = {columns.name: arrow.DictionaryArray.from_arrays(codes, names)}
        if (pods := columns.pods()) is not None:
            found["pods"] = arrow.array(pods)
        found["timestamp"] = arrow.array(columns.timestamps()).cast(arrow.timestamp("us", "UTC"))
        found["value"] = _decimals(arrow, columns.thousandths(), qualities != Quality.MISSING)
        found["quality"] = arrow.DictionaryArray.from_arrays(qualities.astype(np.int8), _WORDS)
        found["version"] = arrow.array(np.full(len(codes), columns.version, dtype=np.int32))
        told = {"quantity": columns.quantity.value, "unit": columns.quantity.unit}
        return arrow.table(found).replace_schema_metadata(told)


def _doubles(columns: Columns, qualities: NDArray[np.uint8]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = columns.thousandths() / 1000
    values[qualities == Quality.MISSING] = np.nan
    return values


def _decimals(arrow: Any, thousandths: NDArray[np.int64], known: NDArray[np.bool_]) -> Any:
    """Decimals as Arrow keeps them: 16 bytes each, little endian, of which the upper eight repeat the sign."""
    wide = np.stack((thousandths, thousandths >> 63), axis=1).astype("<i8")
    bits = arrow.py_buffer(np.packbits(known, bitorder="little"))
    kind = arrow.decimal128(_DIGITS, _PLACES)
    return arrow.Array.from_buffers(kind, len(thousandths), [bits, arrow.py_buffer(wide)])


def _library(name: str, extra: str | None = None) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"{name} is missing: pip install 'flexiciency[{extra or name}]'", name=name) from None

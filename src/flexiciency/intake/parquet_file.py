"""A Parquet file in batches of rows, its numbers as exact integers in numpy, no object a value (extra `parquet`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexiciency.errors import FileInvalid, NotInstalled
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.rejected import Code

ROWS_AT_ONCE = 5_000
_MOST = 10**15
"""Beyond any value; integers up to it times 1,000 are exact in int64."""


def arrow() -> Any:
    """The package pyarrow, with its parts that read Parquet. Raises NotInstalled."""
    try:
        # An extra, and slow to import: other commands do without.
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.compute  # noqa: PLC0415  a part of it
        import pyarrow.parquet  # noqa: PLC0415  a part of it
    except ModuleNotFoundError as missing:
        raise NotInstalled(f"{missing.name} is missing: pip install 'flexiciency[arrow]'.") from None
    return pa


class ParquetFile:
    """A Parquet file; `names` are its columns, in order."""

    def __init__(self, opened: OpenedFile) -> None:
        self.path = opened.path
        self.arrow = arrow()
        if opened.is_packed:
            raise FileInvalid(f"{opened.path}: Parquet is packed inside already. Unpack the file.")
        try:
            self._file = self.arrow.parquet.ParquetFile(opened.raw)
        except (self.arrow.ArrowException, OSError, ValueError) as error:
            raise FileInvalid(f"{opened.path} is no Parquet file that can be read: {_line(error)}.") from None
        self.schema = self._file.schema_arrow
        self.names = list(self.schema.names)
        self.row_count = int(self._file.metadata.num_rows)

    def need(self, names: set[str]) -> None:
        """Raises FileInvalid unless it has these columns."""
        if missing := sorted(names - set(self.names)):
            raise FileInvalid(f"{self.path}: columns {missing} are missing; it has {', '.join(self.names)[:500]}.")

    def batches(self, after: int) -> Iterator[tuple[int, Any]]:
        """Number of the first row, from 1, and a batch of rows, of the rows after this one. Raises FileInvalid."""
        groups, before = [], 0
        skipped = 0
        for group in range(self._file.metadata.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if before + rows > after:
                groups.append(group)
            else:
                skipped += rows
            before += rows
        first = skipped + 1
        try:
            for batch in self._file.iter_batches(ROWS_AT_ONCE, row_groups=groups, use_threads=False):
                beyond = min(max(0, after + 1 - first), batch.num_rows)
                if beyond < batch.num_rows:
                    yield first + beyond, batch.slice(beyond)
                first += batch.num_rows
        except (self.arrow.ArrowException, OSError) as error:
            raise FileInvalid(f"{self.path} cannot be read after row {first - 1:,}: {_line(error)}.") from None

    def texts(self, batch: Any, name: str) -> list[str]:
        """A column of text; empty where there is none, or nothing in it."""
        if name not in self.names:
            return [""] * batch.num_rows
        column = batch.column(self.names.index(name))
        try:
            return column.cast(self.arrow.string()).fill_null("").to_pylist()  # type: ignore[no-any-return]
        except (self.arrow.ArrowException, UnicodeDecodeError) as error:
            raise FileInvalid(f"{self.path}: column {name} is no text ({_line(error)}).") from None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Whole Wh or W. `missing` and `wrong` (by code) are where there is none; None: nowhere."""

    values: NDArray[np.signedinteger[Any]]
    missing: NDArray[np.bool_] | None
    wrong: dict[Code, NDArray[np.bool_]]


def numbers(pa: Any, column: Any, places: int) -> Numbers:
    """The numbers of an Arrow array, of which so many decimal places are whole. Raises TypeError for other types."""
    kind = column.type
    if pa.types.is_null(kind):
        return Numbers(np.zeros(len(column), np.int64), np.ones(len(column), np.bool_), {})
    missing = None
    if column.null_count:
        missing = column.is_null().to_numpy(zero_copy_only=False)
        if not pa.types.is_decimal(kind):
            column = column.fill_null(0)
    if pa.types.is_integer(kind):
        whole = column.to_numpy(zero_copy_only=False)
        if places or whole.dtype != np.int32:
            whole = np.clip(whole, -_MOST if whole.dtype.kind == "i" else 0, _MOST, dtype=_wide(whole.dtype))
            whole = whole.astype(np.int64) * 10**places
        return Numbers(whole, missing, {})
    if pa.types.is_floating(kind):
        return _of_floats(column.to_numpy(zero_copy_only=False), missing, places)
    if pa.types.is_decimal(kind):
        return _of_decimals(pa, column, missing, places)
    raise TypeError(f"{kind}")


def _of_floats(floats: NDArray[Any], missing: NDArray[np.bool_] | None, places: int) -> Numbers:
    """A float says the decimal it is the nearest to, if that has few enough places; NaN is missing."""
    scale = 10.0**places
    exact = floats.astype(np.float64)
    if np.isnan(exact).any():
        missing = np.isnan(exact) if missing is None else missing | np.isnan(exact)
        exact = np.where(missing, 0, exact)
    invalid = np.isinf(exact)
    exact = np.clip(np.where(invalid, 0, exact), -float(_MOST), float(_MOST))
    whole = np.rint(exact * scale)
    # As the writer would have made it: in its own precision.
    more = ((whole / scale).astype(floats.dtype).astype(np.float64) != exact) & (np.abs(exact) < _MOST)
    return Numbers(whole.astype(np.int64), missing, _found({Code.NUMBER_INVALID: invalid, Code.TOO_MANY_PLACES: more}))


def _of_decimals(pa: Any, column: Any, missing: NDArray[np.bool_] | None, places: int) -> Numbers:
    """Decimals are 128 bits, of which 64 hold any value that is not too large."""
    scale, more = column.type.scale, None
    column = column.cast(pa.decimal128(38, scale))
    if scale > places:
        # In 128 bits: a decimal of 18 places, as Spark writes them, would not fit into 64.
        rounded = column.cast(pa.decimal128(38, places), safe=False)
        same = pa.compute.equal(rounded.cast(pa.decimal128(38, scale)), column)
        more = ~same.fill_null(fill_value=True).to_numpy(zero_copy_only=False)
        column = rounded
    halves = np.frombuffer(column.buffers()[1], np.int64).reshape(-1, 2)[column.offset : column.offset + len(column)]
    low, high = halves[:, 0].copy(), halves[:, 1]
    there = np.ones(len(low), np.bool_) if missing is None else ~missing
    large = there & ((high != (low >> 63)) | (np.abs(low) > _MOST * 1000))
    low[~there | large] = 0
    if more is not None:
        return Numbers(low, missing, _found({Code.TOO_MANY_PLACES: more & ~large, Code.VALUE_TOO_LARGE: large}))
    whole = np.clip(low, -_MOST, _MOST) * 10 ** min(places - scale, 3)
    return Numbers(whole, missing, _found({Code.VALUE_TOO_LARGE: large}))


def _found(wrong: dict[Code, NDArray[np.bool_]]) -> dict[Code, NDArray[np.bool_]]:
    return {code: where for code, where in wrong.items() if where.any()}


def _wide(kind: np.dtype[Any]) -> type[np.generic]:
    return np.int64 if kind.kind == "i" else np.uint64


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")

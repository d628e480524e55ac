"""Writes IND-DAT-VAL and AGG-DAT-VAL as exclusive C14N bytes straight from numpy arrays, in chunks of about 1 MB.

Texts of timestamps and values are made once and then joined by reference, so that there is no object per value.
"""

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexiciency.contract.codec import COMMON, PROVISION, Aggregate, AggregatesHeader, ValuesHeader, Wrapper
from flexiciency.contract.series import Encoding, Quality, Series, TimeStep, epoch, kilo_text, timestamp

Texts = NDArray[Any]
"""Array of str objects."""

_CHUNK = 1_000_000
_ROWS = 16_384
"""Values written at a time; about 1 MB."""
_KNOWN = 10_000
"""Values below this (10 kWh) have their text ready: nearly all quarter hours of homes and small firms."""


def write_values(header: ValuesHeader, series: Iterable[Series], wrapper: Wrapper | None = None) -> Iterator[bytes]:
    """The canonical bytes of an IndividualDataValue, inside `wrapper` if given, in chunks of about 1 MB.

    Series of one PoD may come as several; each becomes a PodValues. ValueError if there is none, or one is not of the
    header's time step.
    """
    return _written(header, ((_element("PoD", one.pod), one) for one in series), wrapper)


def write_aggregates(
    header: AggregatesHeader, aggregates: Iterable[Aggregate], wrapper: Wrapper | None = None
) -> Iterator[bytes]:
    """The canonical bytes of an AggregatedDataValue, as `write_values` gives those of an IndividualDataValue."""
    named = (
        (_element("AggregationId", one.id) + _element("PodCount", str(one.pods)), one.series) for one in aggregates
    )
    return _written(header, named, wrapper)


def _written(header: ValuesHeader, named: Iterable[tuple[str, Series]], wrapper: Wrapper | None) -> Iterator[bytes]:
    """The object around series, each with what stands before it."""
    before, after = _frame(header, wrapper)
    item = header.kind.item
    write = _compact if header.encoding is Encoding.COMPACT else _explicit
    pending, size, empty = [before], len(before), True
    for name, one in named:
        if one.step is not header.time_step:
            raise ValueError(f"series of {header.kind.name} {one.pod} is {one.step}, the message {header.time_step}")
        empty = False
        for part in chain((f"<prv:{item}>{name}<prv:Series>",), write(one), (f"</prv:Series></prv:{item}>",)):
            pending.append(part)
            size += len(part)
            if size >= _CHUNK:
                yield "".join(pending).encode()
                pending, size = [], 0
    if empty:
        raise ValueError("a message of values needs at least one series")
    yield "".join([*pending, after]).encode()


def _frame(header: ValuesHeader, wrapper: Wrapper | None) -> tuple[str, str]:
    """What stands before the first and after the last series."""
    kind = header.kind
    selection = _element(kind.selection, header.selection) if header.selection is not None else ""
    before = (
        f'<prv:{kind.element} xmlns:prv="{PROVISION}">'
        + _element("Id", header.id)
        + _element("ServiceActivationAgreementRef", header.agreement)
        + selection
        + _aggregation(header)
        + _element("Quantity", header.quantity)
        + _element("Unit", header.unit)
        + _element("TimeStep", header.time_step)
        # Period is of a common type: exclusive C14N declares its prefix where it is first used, on each child.
        + f'<prv:Period><com:Start xmlns:com="{COMMON}">{timestamp(header.period_start)}</com:Start>'
        + f'<com:End xmlns:com="{COMMON}">{timestamp(header.period_end)}</com:End></prv:Period>'
        + _element("Version", str(header.version))
    )
    after = f"</prv:{kind.element}>"
    if wrapper is None:
        return before, after
    name = f"{wrapper.prefix}:{wrapper.name}"
    return f'<{name} xmlns:{wrapper.prefix}="{wrapper.namespace}">{before}', f"{after}</{name}>"


def _aggregation(header: ValuesHeader) -> str:
    if not isinstance(header, AggregatesHeader):
        return ""
    return _element("AggregationLevel", header.aggregation_level) + _element(
        "AggregationMethod", header.aggregation_method
    )


def _explicit(series: Series) -> Iterator[str]:
    """A time-stamped Value each, in parts of `_ROWS` values."""
    for first in range(0, len(series.values), _ROWS):
        rows = slice(first, first + _ROWS)
        values = series.values[rows]
        row = np.empty((len(values), 2), dtype=object)
        row[:, 0] = _openings(series, rows)
        row[:, 1] = _value_texts(values, "</prv:Value>")
        if series.qualities is not None:
            _name_qualities(row[:, 0], series.qualities[rows])
        yield "".join(row.ravel().tolist())


def _compact(series: Series) -> Iterator[str]:
    """A start and a list of values."""
    yield (
        "<prv:CompactValues>"
        + _element("Start", timestamp(series.start))
        + _element("TimeStep", series.step)
        + _element("Values", " ".join(_value_texts(series.values, "").tolist()))
    )
    if series.qualities is not None and series.qualities.any():
        yield _element("Qualities", " ".join(_QUALITY_WORDS[series.qualities].tolist()))
    yield "</prv:CompactValues>"


def _openings(series: Series, rows: slice) -> Texts:
    """Opening tags with their timestamps."""
    if series.step is TimeStep.P1D:
        return _opening_tags(series.instants()[rows])
    start = epoch(series.start) + rows.start * series.step.seconds
    count = min(rows.stop, len(series.values)) - rows.start
    return _grid_openings(start, series.step.seconds, count)


@lru_cache(maxsize=8)
def _grid_openings(start: int, seconds: int, count: int) -> Texts:
    """Opening tags of equal steps: the same for all PoDs of a message, so made once."""
    return _opening_tags(start + seconds * np.arange(count, dtype=np.int64))


def _opening_tags(instants: NDArray[np.int64]) -> Texts:
    stamps = np.datetime_as_string(instants.astype("datetime64[s]")).tolist()
    return np.array([f'<prv:Value timestamp="{stamp}Z">' for stamp in stamps], dtype=object)


def _name_qualities(openings: Texts, qualities: NDArray[np.uint8]) -> None:
    """Put the quality into the opening tags, in place, except where it is Measured. C14N sorts it before timestamp."""
    for row in np.flatnonzero(qualities).tolist():
        openings[row] = openings[row].replace(" ", f' quality="{_QUALITY_WORDS[qualities[row]]}" ', 1)


def _value_texts(values: NDArray[Any], ending: str) -> Texts:
    """Each value in kWh or kW, followed by `ending`."""
    if values.min() >= 0 and values.max() < _KNOWN:
        texts: Texts = _known_texts(ending)[values]
        return texts
    return np.array([kilo_text(value) + ending for value in values.tolist()], dtype=object)


@cache
def _known_texts(ending: str) -> Texts:
    return np.array([kilo_text(value) + ending for value in range(_KNOWN)], dtype=object)


_QUALITY_WORDS: Texts = np.array([quality.word for quality in Quality], dtype=object)


def _element(name: str, text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
    return f"<prv:{name}>{escaped}</prv:{name}>"

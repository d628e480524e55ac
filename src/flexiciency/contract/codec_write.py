"""Writes IND-DAT-VAL and AGG-DAT-VAL as exclusive C14N bytes straight from numpy arrays, in chunks of 250 kB.

No object is made per value: Explicit joins, by reference, texts that were made once (timestamps, whole kWh, fractions);
Compact makes rows of bytes, of all values at once.
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

_CHUNK = 250_000
"""What is written is hashed and stored while it is still in the processor's cache."""
_ROWS = 16_384
"""Values written at a time; about 1 MB."""
_KNOWN = 10_000
"""Whole kWh or kW below this have their text ready; of larger ones it is made once a part."""
_THOUSAND = 1000


def write_values(header: ValuesHeader, series: Iterable[Series], wrapper: Wrapper | None = None) -> Iterator[bytes]:
    """The canonical bytes of an IndividualDataValue, inside `wrapper` if given, in chunks of about 250 kB.

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
        opening, closing = f"<prv:{item}>{name}<prv:Series>".encode(), f"</prv:Series></prv:{item}>".encode()
        for part in chain((opening,), write(one), (closing,)):
            pending.append(part)
            size += len(part)
            if size >= _CHUNK:
                yield b"".join(pending)
                pending, size = [], 0
    if empty:
        raise ValueError("a message of values needs at least one series")
    yield b"".join([*pending, after])


def _frame(header: ValuesHeader, wrapper: Wrapper | None) -> tuple[bytes, bytes]:
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
    if wrapper is not None:
        name = f"{wrapper.prefix}:{wrapper.name}"
        before, after = f'<{name} xmlns:{wrapper.prefix}="{wrapper.namespace}">{before}', f"{after}</{name}>"
    return before.encode(), after.encode()


def _aggregation(header: ValuesHeader) -> str:
    if not isinstance(header, AggregatesHeader):
        return ""
    return _element("AggregationLevel", header.aggregation_level) + _element(
        "AggregationMethod", header.aggregation_method
    )


def _explicit(series: Series) -> Iterator[bytes]:
    """A time-stamped Value each, in parts of `_ROWS` values."""
    for first in range(0, len(series.values), _ROWS):
        rows = slice(first, first + _ROWS)
        values = series.values[rows]
        magnitudes = _magnitudes(values)
        row = np.empty((len(values), 3), dtype=object)
        row[:, 0] = _openings(series, rows)
        row[:, 1] = _whole_texts(magnitudes // _THOUSAND, values < 0)
        row[:, 2] = _fraction_texts()[magnitudes % _THOUSAND]
        if series.qualities is not None:
            _name_qualities(row[:, 0], series.qualities[rows])
        yield "".join(row.ravel().tolist()).encode()


def _compact(series: Series) -> Iterator[bytes]:
    """A start and a list of values."""
    head = _element("Start", timestamp(series.start)) + _element("TimeStep", series.step)
    yield f"<prv:CompactValues>{head}<prv:Values>".encode()
    for first in range(0, len(series.values), _ROWS):
        if first:
            yield b" "
        yield _list(series.values[first : first + _ROWS])
    yield b"</prv:Values>"
    if series.qualities is not None and series.qualities.any():
        yield _element("Qualities", " ".join(_QUALITY_WORDS[series.qualities].tolist())).encode()
    yield b"</prv:CompactValues>"


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


def _magnitudes(values: NDArray[Any]) -> NDArray[Any]:
    """Absolute values, unsigned so that the smallest integer has one too."""
    magnitudes: NDArray[Any] = np.abs(values).view(f"u{values.itemsize}")
    return magnitudes


def _whole_texts(whole: NDArray[Any], negative: NDArray[np.bool_]) -> Texts:
    """Whole kWh or kW with their sign and a point."""
    if whole.max() < _KNOWN:
        plain, below, places = *_known_texts(), whole
    else:
        different, places = np.unique(whole, return_inverse=True)
        plain, below = _signed(different.tolist())
    texts: Texts = plain[places]
    if negative.any():
        texts = np.where(negative, below[places], texts)
    return texts


@cache
def _known_texts() -> tuple[Texts, Texts]:
    return _signed(range(_KNOWN))


def _signed(whole: Iterable[int]) -> tuple[Texts, Texts]:
    """The texts of whole numbers with a point, without and with a minus."""
    plain = [f"{number}." for number in whole]
    return np.array(plain, dtype=object), np.array([f"-{text}" for text in plain], dtype=object)


@cache
def _fraction_texts() -> Texts:
    """Thousandths and the closing tag."""
    return np.array([f"{fraction:03d}</prv:Value>" for fraction in range(_THOUSAND)], dtype=object)


def _list(values: NDArray[Any]) -> bytes:
    """The values in kWh or kW parted by blanks.

    A row of bytes has room for the longest; what it leaves free is a zero byte, which no text has, and is taken out at
    the end.
    """
    small = values.min() >= 0 and values.max() < _THOUSAND * _THOUSAND
    rows = _small_rows(values) if small else _any_rows(_magnitudes(values), values < 0)
    return rows.tobytes().translate(None, b"\0")[:-1]


def _small_rows(values: NDArray[Any]) -> NDArray[Any]:
    """Rows of values below 1,000 kWh, looked up: the whole number in the first bytes, the rest in the others."""
    whole_bytes, fraction_bytes = _small_bytes()
    whole = values // _THOUSAND
    rows: NDArray[Any] = whole_bytes.take(whole) | fraction_bytes.take(values - whole * _THOUSAND)
    return rows


@cache
def _small_bytes() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    numbers = range(_THOUSAND)
    whole = b"".join([f"{number}".encode().rjust(3, b"\0").ljust(8, b"\0") for number in numbers])
    fractions = b"".join([f".{fraction:03d} ".encode().rjust(8, b"\0") for fraction in numbers])
    return np.frombuffer(whole, dtype=np.uint64), np.frombuffer(fractions, dtype=np.uint64)


def _any_rows(magnitudes: NDArray[Any], negative: NDArray[np.bool_]) -> NDArray[Any]:
    """Bytes of a sign, of the digits of each place, computed for all values at once, and of a blank."""
    rest, width = magnitudes, len(kilo_text(int(magnitudes.max())))
    rows = np.zeros((len(rest), width + 2), dtype=np.uint8)
    rows[negative, 0] = ord("-")
    rows[:, -1] = ord(" ")
    point = width - 3
    rows[:, point] = ord(".")
    for place in range(width, 0, -1):
        if place == point:
            continue
        left = rest // 10
        digits = (rest - left * 10 + ord("0")).astype(np.uint8)
        if place < point - 1:
            digits[rest == 0] = 0
        rows[:, place] = digits
        rest = left
    return rows


_QUALITY_WORDS: Texts = np.array([quality.word for quality in Quality], dtype=object)


def _element(name: str, text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
    return f"<prv:{name}>{escaped}</prv:{name}>"

"""Reads IND-DAT-VAL and AGG-DAT-VAL into numpy arrays, each series held against its header (D2.3, 2.6).

Two ways to the same result: `scan` takes the usual form of both encodings straight from the canonical bytes; any other
form that the XSD allows (line breaks, fewer decimals) is read here, element by element.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from flexiciency.contract.codec import (
    AGGREGATED,
    INDIVIDUAL,
    PROVISION,
    Aggregate,
    AggregatesHeader,
    AggregatesMessage,
    Kind,
    ValuesHeader,
    ValuesMessage,
)
from flexiciency.contract.codec_check import check_compact, check_overlaps, explicit_series
from flexiciency.contract.codec_scan import Columns, CompactColumns
from flexiciency.contract.codec_scan_compact import scan
from flexiciency.contract.series import Encoding, Quality, Quantity, Series, TimeStep, epoch, kilo_text, narrowed
from flexiciency.errors import ValuesInvalid

_PRV = f"{{{PROVISION}}}"
_QUALITY_CODES = {quality.word: int(quality) for quality in Quality}


def read_values(body: etree._Element, canonical: bytes) -> ValuesMessage:
    """The IndividualDataValue in `body`, an element that follows the XSD; `canonical` is its exclusive C14N.

    A PoD whose values have gaps, or that comes in several PodValues, gets several Series. Raises ValuesInvalid, naming
    PoD and place, for a value off the grid, out of order, repeated, outside the period or of 10^15 Wh and more.
    """
    found, path = _find(body, INDIVIDUAL)
    header = ValuesHeader(**_attributes(found, INDIVIDUAL, path))
    return ValuesMessage(header, [series for series, _ in _read(found, canonical, header, path)])


def read_aggregates(body: etree._Element, canonical: bytes) -> AggregatesMessage:
    """The AggregatedDataValue in `body`, as `read_values` reads an IndividualDataValue; values are below 10^15 Wh."""
    found, path = _find(body, AGGREGATED)
    header = AggregatesHeader(
        **_attributes(found, AGGREGATED, path),
        aggregation_level=_text(found, "AggregationLevel"),
        aggregation_method=_text(found, "AggregationMethod"),
    )
    return AggregatesMessage(header, [Aggregate(pods, one) for one, pods in _read(found, canonical, header, path)])


def _find(body: etree._Element, kind: Kind) -> tuple[etree._Element, str]:
    """The object of values in a Body's child, and its path."""
    found = next(body.iter(f"{_PRV}{kind.element}"), None)
    if found is None:
        raise ValuesInvalid(f"expected an {kind.element}", path=_name(body))
    return found, _path(body, found)


def _read(found: etree._Element, canonical: bytes, header: ValuesHeader, path: str) -> list[tuple[Series, int]]:
    """Each run of values, with the number of PoDs behind it."""
    columns = scan(canonical, found.prefix, header.kind)
    if columns is None:
        runs = list(_read_elements(found, header, path))
    else:
        runs = [
            (one, each.count)
            for place, each in enumerate(columns, 1)
            for one in _scanned(each, header, f"{path}/{header.kind.item}[{place}]/Series")
        ]
    check_overlaps([series for series, _ in runs], header, path)
    return runs


def _scanned(columns: Columns | CompactColumns, header: ValuesHeader, path: str) -> list[Series]:
    if isinstance(columns, Columns):
        return explicit_series(columns, header, path)
    return [_compact_series(columns, header, f"{path}/CompactValues")]


def _attributes(found: etree._Element, kind: Kind, path: str) -> dict[str, Any]:
    """What both objects have in their header, by the names of `ValuesHeader`."""
    start, end = (_instant(limit.text or "", f"{path}/Period") for limit in _child(found, "Period"))
    quantity, unit = Quantity(_text(found, "Quantity")), _text(found, "Unit")
    if unit != quantity.unit:
        raise ValuesInvalid(f"{quantity} is in {quantity.unit}, not {unit}", path=f"{path}/Unit")
    if end <= start:
        raise ValuesInvalid("the period ends before it has started", path=f"{path}/Period")
    first_series = _child(_child(found, kind.item), "Series")
    return {
        "id": _text(found, "Id"),
        "agreement": _text(found, "ServiceActivationAgreementRef"),
        "selection": found.findtext(f"{_PRV}{kind.selection}"),
        "quantity": quantity,
        "time_step": TimeStep(_text(found, "TimeStep")),
        "period_start": start,
        "period_end": end,
        "version": int(_text(found, "Version")),
        "encoding": Encoding.COMPACT if first_series[0].tag == f"{_PRV}CompactValues" else Encoding.EXPLICIT,
    }


def _read_elements(found: etree._Element, header: ValuesHeader, path: str) -> Iterator[tuple[Series, int]]:
    kind = header.kind
    for place, item in enumerate(found.iterchildren(f"{_PRV}{kind.item}"), 1):
        name, series = _text(item, kind.name), _child(item, "Series")
        count = int(item.findtext(f"{_PRV}PodCount", "1"))
        series_path = f"{path}/{kind.item}[{place}]/Series"
        compact = series.find(f"{_PRV}CompactValues")
        if compact is not None:
            yield _compact(name, compact, header, f"{series_path}/CompactValues"), count
        else:
            for one in explicit_series(_columns(name, series, kind, series_path), header, series_path):
                yield one, count


def _columns(pod: str, series: etree._Element, kind: Kind, path: str) -> Columns:
    """Columns of the Values of a Series element."""
    values = list(series.iterchildren(f"{_PRV}Value"))
    return Columns(
        pod,
        _seconds(f"{kind.name} {pod}", [value.get("timestamp", "") for value in values], path),
        _thousandths(pod, " ".join(value.text or "" for value in values), kind, path),
        np.array([_QUALITY_CODES[value.get("quality", "Measured")] for value in values], dtype=np.uint8),
    )


def _compact(pod: str, compact: etree._Element, header: ValuesHeader, path: str) -> Series:
    words = (compact.findtext(f"{_PRV}Qualities") or "").split()
    columns = CompactColumns(
        pod,
        _text(compact, "Start"),
        _text(compact, "TimeStep"),
        _thousandths(pod, _text(compact, "Values"), header.kind, f"{path}/Values"),
        np.array([_QUALITY_CODES[word] for word in words], dtype=np.uint8),
    )
    return _compact_series(columns, header, path)


def _compact_series(columns: CompactColumns, header: ValuesHeader, path: str) -> Series:
    pod, values, qualities = columns.pod, columns.values, columns.qualities
    if not len(values) or len(qualities) not in (0, len(values)):
        raise ValuesInvalid(
            f"{header.kind.name} {pod}: {len(values)} values with {len(qualities)} qualities", path=path
        )
    series = Series(
        pod=pod,
        start=_instant(columns.start, f"{path}/Start"),
        step=TimeStep(columns.step),
        values=values,
        qualities=qualities if qualities.any() else None,
    )
    check_compact(series, header, path)
    return series


def _thousandths(pod: str, texts: str, kind: Kind, path: str) -> NDArray[np.int32] | NDArray[np.int64]:
    """Wh or W of decimals parted by white space.

    Exact: of a decimal with three places, the nearest double times 1000 rounds to the right integer up to 10^15.
    """
    values = np.rint(np.fromstring(texts, dtype=np.float64, sep=" ") * 1000)
    beyond = np.abs(values) > kind.most
    if beyond.any():
        row = int(beyond.argmax())
        raise ValuesInvalid(f"{kind.name} {pod}: value {row + 1} is beyond ±{kilo_text(kind.most)}", path=path)
    exact = values.astype(np.int64)
    return exact if kind is AGGREGATED else narrowed(exact)


def _seconds(named: str, stamps: Sequence[str], path: str) -> NDArray[np.int64]:
    """Seconds since 1970 UTC of timestamps; ValuesInvalid for one that is not at a full second."""
    instants = [_instant(stamp, f"{path}/Value[{row}]") for row, stamp in enumerate(stamps, 1)]
    for row, instant in enumerate(instants, 1):
        if instant.microsecond:
            place = f"{path}/Value[{row}]"
            raise ValuesInvalid(f"{named}: the value at {stamps[row - 1]} is not on the grid", path=place)
    return np.array([epoch(instant) for instant in instants], dtype=np.int64)


def _instant(text: str, path: str) -> datetime:
    """UTC datetime of a com:Timestamp. xs:dateTime allows 24:00:00, the next day's 00:00:00. Raises ValuesInvalid."""
    stamp = text.strip()
    if stamp[11:13] != "24":
        return datetime.fromisoformat(stamp)
    try:
        return datetime.fromisoformat(f"{stamp[:11]}00{stamp[13:]}") + timedelta(days=1)
    except OverflowError:
        raise ValuesInvalid(f"{stamp} is after the last day of the calendar", path=path) from None


def _child(parent: etree._Element, name: str) -> etree._Element:
    """The first child of a name that the XSD guarantees."""
    return next(parent.iterchildren(_PRV + name))


def _text(parent: etree._Element, name: str) -> str:
    return _child(parent, name).text or ""


def _path(body: etree._Element, found: etree._Element) -> str:
    """Local names from `body` down to an element in it."""
    names = [_name(found)]
    while found is not body and (parent := found.getparent()) is not None:
        found = parent
        names.append(_name(found))
    return "/".join(reversed(names))


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname

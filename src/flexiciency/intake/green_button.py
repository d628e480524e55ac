"""Green Button: NAESB ESPI in an Atom feed. UsagePoint is the PoD, ReadingType says quantity, unit and step.

Entries refer to each other by links: MeterReading's `up` is below its UsagePoint, a `related` names its ReadingType,
and IntervalBlock's `up` is below its MeterReading. What there is one of in the feed needs no link; a link that leads to
nothing is rejected all the same, or the readings of another PoD would be taken for its own. The PoD is the name of the
serviceDeliveryPoint, else the last part of the UsagePoint's own link.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from flexiciency.contract.series import Quality, Quantity, TimeStep, instant_of
from flexiciency.errors import FileInvalid, TransportError
from flexiciency.intake.cells import Options
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.rejected import Code, Rejected, Unusable
from flexiciency.intake.runs import Reading, runs
from flexiciency.intake.source import LoadCurve
from flexiciency.store.values import STEPS
from flexiciency.wire.parse import DEFAULT, parse

_UNLINKED = "entry "
ESPI, ATOM = "{http://naesb.org/espi}", "{http://www.w3.org/2005/Atom}"
_WATT_HOURS, _WATTS = "72", "38"
_FORWARD, _REVERSE = "1", "19"
_ELECTRICITY = ("", "0", "1", "2")
_INTERVALS = ("", "0", "4", "12")
"""AccumulationBehaviour: none said, deltaData, indicating (power); others are registers, which only grow."""

_DAYS = (82_800, 86_400, 90_000)
_QUALITIES = {
    "0": Quality.MEASURED, "7": Quality.ESTIMATED, "8": Quality.ESTIMATED, "9": Quality.ESTIMATED,
    "10": Quality.INCOMPLETE, "11": Quality.CALCULATED, "13": Quality.ESTIMATED, "14": Quality.MEASURED,
    "17": Quality.MEASURED, "18": Quality.MEASURED, "19": Quality.MEASURED,
}  # fmt: skip
"""QualityOfReading: valid, edited, estimated (2), questionable, derived, mixed, raw, validated, verified, for billing.

Projected (12), normalized for weather (15) and other (16) are no readings.
"""


@dataclass(frozen=True, slots=True)
class _Type:
    """What a ReadingType says: a value times 10 to the `power`, and the sign, is Wh or W."""

    quantity: Quantity
    step: TimeStep
    power: int
    sign: int
    quality: str


def curves(feed: "Feed", after: int) -> Iterator[LoadCurve | Rejected]:
    """The readings of a feed; the line of each is its number among the feed's IntervalReadings."""
    before = 0
    for entry, block in feed.entries("IntervalBlock"):
        readings = block.findall(f"{ESPI}IntervalReading")
        first, before = before + 1, before + len(readings)
        if before <= after:
            continue
        try:
            pod, kind = feed.what(entry)
        except Unusable as wrong:
            yield from (wrong.at(number) for number in range(max(first, after + 1), before + 1))
            continue
        numbered = enumerate(readings, start=first)
        yield from runs(_readings(pod, kind, [(number, one) for number, one in numbered if number > after]))


class Feed:
    """The entries of a feed by their links. It is parsed whole, and may be as large as a message (50 MB)."""

    def __init__(self, opened: OpenedFile, options: Options) -> None:
        """Raises FileInvalid, FileBroken."""
        self._pod = options.pod
        self._root = _root(opened)
        self._points = {_self(entry, n): content for n, (entry, content) in enumerate(self.entries("UsagePoint"))}
        self._types = {_self(entry, n): content for n, (entry, content) in enumerate(self.entries("ReadingType"))}
        self._readings = {_self(entry, n): entry for n, (entry, _) in enumerate(self.entries("MeterReading"))}
        if options.pod is not None and len(self._points) > 1:
            raise FileInvalid(f"{opened.path} has {len(self._points)} usage points; --pod is for a feed of one.")

    def entries(self, name: str) -> Iterator[tuple[etree._Element, etree._Element]]:
        """Entries with content of this name."""
        for entry in self._root.iter(f"{ATOM}entry"):
            for content in entry.iterfind(f"{ATOM}content/{ESPI}{name}"):
                yield entry, content

    def what(self, block: etree._Element) -> tuple[str, _Type]:
        """PoD and type of an entry with an IntervalBlock. Raises Unusable."""
        reading = _one(self._readings, [link.removesuffix("/IntervalBlock") for link in _links(block, "up")])
        related = _links(reading, "related")
        kind = _type(_one(self._types, related))
        if self._pod is not None and not self._points:
            return self._pod, kind
        link = [link.removesuffix("/MeterReading") for link in _links(reading, "up")]
        point = _one(self._points, link)
        if self._pod is not None:
            return self._pod, kind
        name = _text(point, "serviceDeliveryPoint/name") or _text(point, "ServiceDeliveryPoint/name")
        own = next(own for own, content in self._points.items() if content is point)
        pod = name or own.rpartition("/")[2]
        if not name and own.startswith(_UNLINKED):
            raise Unusable(Code.CELL_EMPTY, "the UsagePoint names no PoD; say --pod")
        return pod, kind


def _root(opened: OpenedFile) -> etree._Element:
    content = opened.unpacked.read(DEFAULT.message_bytes + 1)
    try:
        root = parse(content)
    except TransportError as error:
        line = "" if error.line is None else f", line {error.line}"
        raise FileInvalid(f"{opened.path}{line}: {error.message}") from None
    if root.tag not in (f"{ATOM}feed", f"{ATOM}entry"):
        raise FileInvalid(f"{opened.path} is {root.tag!r}, no Atom feed of Green Button.")
    return root


def _readings(pod: str, kind: _Type, found: list[tuple[int, etree._Element]]) -> Iterator[Reading | Rejected]:
    for number, reading in found:
        try:
            start, value, quality = _reading(reading, kind)
        except Unusable as wrong:
            yield wrong.at(number)
        else:
            yield Reading(number, pod, kind.quantity, kind.step, instant_of(start), value, quality)


def _reading(reading: etree._Element, kind: _Type) -> tuple[int, int, int]:
    """Start, value in Wh or W, and quality."""
    start, duration = _integer(reading, "timePeriod/start"), _integer(reading, "timePeriod/duration")
    lengths = _DAYS if kind.step is TimeStep.P1D else (kind.step.seconds,)
    if duration not in lengths or not 0 <= start < 2**33:
        raise Unusable(Code.OFF_GRID, f"{duration} s from {start} on is no interval of {kind.step}")
    value = _integer(reading, "value") * kind.sign
    if kind.power >= 0:
        value *= 10**kind.power
    else:
        value, rest = divmod(value, 10**-kind.power)
        if rest:
            raise Unusable(Code.TOO_MANY_PLACES, f"{_text(reading, 'value')} times 10 to the {kind.power} is not whole")
    if abs(value) >= 2**62:
        raise Unusable(Code.VALUE_TOO_LARGE, f"{value}")
    codes = [_text(one, "quality") for one in reading.findall(f"{ESPI}ReadingQuality")] or [kind.quality]
    if unknown := [code for code in codes if code not in _QUALITIES]:
        raise Unusable(Code.QUALITY_UNKNOWN, f"QualityOfReading {unknown[0][:40]!r}")
    return start, value, max(int(_QUALITIES[code]) for code in codes)


def _type(found: etree._Element) -> _Type:
    uom, direction = _text(found, "uom"), _text(found, "flowDirection") or _FORWARD
    if uom not in (_WATT_HOURS, _WATTS) or _text(found, "commodity") not in _ELECTRICITY:
        raise Unusable(Code.READING_TYPE_UNSUPPORTED, f"uom {uom or 'none'} of commodity {_text(found, 'commodity')!r}")
    if _text(found, "accumulationBehaviour") not in _INTERVALS:
        behaviour = _text(found, "accumulationBehaviour")
        raise Unusable(Code.READING_TYPE_UNSUPPORTED, f"accumulationBehaviour {behaviour}: a register, no intervals")
    if direction not in (_FORWARD, _REVERSE):
        raise Unusable(Code.READING_TYPE_UNSUPPORTED, f"flowDirection {direction}")
    step = STEPS.get(_integer(found, "intervalLength"))
    power = _integer(found, "powerOfTenMultiplier") if _text(found, "powerOfTenMultiplier") else 0
    if step is None or not -12 <= power <= 12:  # noqa: PLR2004  the multipliers of ESPI
        length = _text(found, "intervalLength")
        raise Unusable(Code.READING_TYPE_UNSUPPORTED, f"intervalLength {length}, powerOfTenMultiplier {power}")
    quality = _text(found, "defaultQuality") or "0"
    if uom == _WATTS:
        return _Type(Quantity.POWER, step, power, 1 if direction == _FORWARD else -1, quality)
    energy = Quantity.ENERGY_CONSUMPTION if direction == _FORWARD else Quantity.ENERGY_GENERATION
    return _Type(energy, step, power, 1, quality)


def _one(entries: dict[str, etree._Element], links: list[str]) -> etree._Element:
    """What one of the links leads to; the only one there is, if it has no link or needs none. Raises Unusable."""
    for link in links:
        if link in entries:
            return entries[link]
    if len(entries) == 1:
        ((own, only),) = entries.items()
        if not links or own.startswith(_UNLINKED):
            return only
    raise Unusable(Code.READING_TYPE_UNSUPPORTED, f"links {links} lead to none of {len(entries)} entries")


def _self(entry: etree._Element, number: int) -> str:
    """An entry's own link; where it has none, a name that no link has, so that it is not taken for another one."""
    return next(iter(_links(entry, "self")), f"{_UNLINKED}{number}")


def _links(entry: etree._Element, kind: str) -> list[str]:
    return [str(link.get("href", "")).rstrip("/") for link in entry.findall(f"{ATOM}link") if link.get("rel") == kind]


def _text(element: etree._Element, path: str) -> str:
    return (element.findtext("/".join(f"{ESPI}{name}" for name in path.split("/"))) or "").strip()


def _integer(element: etree._Element, path: str) -> int:
    text = _text(element, path)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):  # noqa: PLR2004  Int48 has 15
        raise Unusable(Code.NUMBER_INVALID, f"{path} is {text[:40]!r}, no whole number")
    return int(text)

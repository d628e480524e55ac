"""Cells of text become values: exact numbers, instants, days, and the words of the contract. All raise Unusable."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.intake.rejected import Code, Unusable

_NUMBERS = {
    ".": re.compile(r"([+-]?[0-9]+)(?:\.([0-9]*))?", re.ASCII),
    ",": re.compile(r"([+-]?[0-9]+)(?:,([0-9]*))?", re.ASCII),
}
_MOST_DIGITS = 15
_QUALITIES = {quality.word: int(quality) for quality in Quality}


class Unit(StrEnum):
    """What numbers count."""

    WH = "Wh"
    KWH = "kWh"
    W = "W"
    KW = "kW"

    @property
    def places(self) -> int:
        """Decimal places that are whole Wh or W: 3 of kWh and kW."""
        return 3 if self in (Unit.KWH, Unit.KW) else 0


@dataclass(frozen=True, slots=True)
class Options:
    """What a file does not say itself. `unit` None: kWh or kW; `pod`: of a Green Button file of one usage point."""

    quantity: Quantity = Quantity.ENERGY_CONSUMPTION
    step: TimeStep = TimeStep.PT15M
    unit: Unit | None = None
    delimiter: str = ","
    decimal: Literal[".", ","] = "."
    pod: str | None = None

    @property
    def all_places(self) -> int:
        """Decimal places of a value that are whole Wh or W."""
        return 3 if self.unit is None else self.unit.places

    def places(self, quantity: Quantity) -> int:
        """The same. Raises Unusable where the unit is not the quantity's."""
        if self.unit is not None and (self.unit in (Unit.W, Unit.KW)) != (quantity is Quantity.POWER):
            raise Unusable(Code.UNIT_INVALID, f"{quantity} in {self.unit}")
        return self.all_places


def number(text: str, places: int, decimal: Literal[".", ","] = ".") -> int:
    """A decimal with at most so many places, as an integer of its last place: "1.5" of 3 places is 1500."""
    match = _NUMBERS[decimal].fullmatch(text.strip())
    if match is None:
        raise Unusable(Code.NUMBER_INVALID, f"{text[:40]!r} is no decimal with the sign {decimal!r}")
    whole, fraction = match.group(1), (match.group(2) or "").rstrip("0")
    if len(fraction) > places:
        unit = "three decimal places" if places else "a whole number"
        raise Unusable(Code.TOO_MANY_PLACES, f"{text[:40]!r} has more than {unit}")
    if len(whole) > _MOST_DIGITS:
        raise Unusable(Code.VALUE_TOO_LARGE, f"{text[:40]!r} has more than {_MOST_DIGITS} digits")
    return int(whole + fraction.ljust(places, "0"))


@lru_cache(maxsize=50_000)
def instant(text: str) -> datetime:
    """A time with offset, in UTC."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Unusable(Code.TIMESTAMP_INVALID, f"{text[:40]!r} is no time in ISO 8601") from None
    if found.tzinfo is None:
        raise Unusable(Code.TIMESTAMP_INVALID, f"{text[:40]!r} has no offset")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise Unusable(Code.TIMESTAMP_INVALID, f"{text[:40]!r} is beyond the calendar") from None


@lru_cache(maxsize=50_000)
def day(text: str) -> date:
    """A local day."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Unusable(Code.DAY_INVALID, f"{text[:40]!r} is no day") from None


def quality(text: str) -> int:
    """A code of `Quality`; an empty cell is Measured."""
    word = text.strip()
    if word and word not in _QUALITIES:
        raise Unusable(Code.QUALITY_UNKNOWN, f"{word[:40]!r}")
    return _QUALITIES[word] if word else int(Quality.MEASURED)


def quantity(text: str, otherwise: Quantity) -> Quantity:
    """A quantity; that of the options where the cell is empty."""
    try:
        return Quantity(text.strip()) if text.strip() else otherwise
    except ValueError:
        raise Unusable(Code.QUANTITY_UNKNOWN, f"{text[:40]!r}") from None


def time_step(text: str, otherwise: TimeStep) -> TimeStep:
    """A time step; that of the options where the cell is empty."""
    try:
        return TimeStep(text.strip()) if text.strip() else otherwise
    except ValueError:
        raise Unusable(Code.TIME_STEP_UNKNOWN, f"{text[:40]!r}") from None

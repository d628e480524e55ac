"""Power curves from CSV, for technical validation: times with an offset, kW, consumption positive (D2.3, 2.6)."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from flexiciency.errors import FileInvalid

COLUMNS = ("time", "power_kw")
_END = "the last line has the end of the curve, and no power"

File = Annotated[
    Path, typer.Option("--curve", exists=True, dir_okay=False, help=f"CSV with the header time,power_kw; {_END}.")
]


def read(file: Path, until: datetime | None = None) -> tuple[list[tuple[datetime, Decimal]], datetime]:
    """Points and end of a curve; `until` ends it where no line does. Raises FileInvalid, with the line."""
    try:
        return _curve(list(_lines(file)), until)
    except ValueError as error:
        raise FileInvalid(f"{file}: {error}. Nothing was sent.") from None


def time_of(text: str) -> datetime:
    """A time with an offset. Raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write 2025-01-15T00:00:00+01:00")
    return time.astimezone(UTC)


def _curve(
    lines: list[tuple[datetime, Decimal | None]], until: datetime | None
) -> tuple[list[tuple[datetime, Decimal]], datetime]:
    points = [(time, power) for time, power in lines if power is not None]
    ends = [time for time, power in lines if power is None]
    if ends and until is not None:
        raise ValueError("--until is given, and the last line is an end too; leave one of them out")
    end = ends[0] if ends else until
    if not points or end is None:
        raise ValueError(f"there is no end or no point; {_END}")
    return points, end


def _lines(file: Path) -> Iterator[tuple[datetime, Decimal | None]]:
    """Times with their powers in kW; only the last, which ends the curve, has none. ValueError names a bad line."""
    with file.open(encoding="utf-8", newline="") as opened:
        lines = csv.DictReader(opened)
        if set(COLUMNS) - set(lines.fieldnames or ()):
            raise ValueError(f"expected the header {','.join(COLUMNS)}")
        ended = False
        for line in lines:
            if ended:
                raise ValueError(f"line {lines.line_num}: comes after the end; {_END}")
            try:
                time, power = time_of(line["time"] or ""), _power(line["power_kw"])
            except (ValueError, OverflowError) as error:
                raise ValueError(f"line {lines.line_num}: {error}") from None
            ended = power is None
            yield time, power


def _power(text: str | None) -> Decimal | None:
    if not text:
        return None
    try:
        power = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"power_kw: {text!r} is no number") from None
    if not power.is_finite() or abs(power) >= Decimal(10) ** 15 or power % Decimal("0.001"):
        raise ValueError(f"power_kw: {text!r} is no power in kW with at most 15 digits and 3 decimal places")
    return power

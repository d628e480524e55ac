"""`flexiciency player flexibility`: what part of an exchange a DSO's grid takes (D2.3, 2.6)."""

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from flexiciency.cli.calling import provider
from flexiciency.cli.entered import ADDRESS, IDENTIFIER
from flexiciency.cli.output import FileInvalid, Json, done, show

flexibility = typer.Typer(no_args_is_help=True, help="Technical validation of flexibility exchanges (TECH-FLEX-REQ).")

COLUMNS = ("time", "power_kw")
FOUND = ("id", "request", "factor", "dso_factor", "tso_factor", "limiting_element", "reason", "text")
_END = "the last line has the end of the curve, and no power"

Provider = Annotated[str, typer.Option("--provider", help="The DSO's MPL-REG id.", callback=IDENTIFIER.option)]
Url = Annotated[str, typer.Option("--url", help="Where its B2B interface is.", callback=ADDRESS.option)]
Pinned = Annotated[
    Path | None,
    typer.Option("--provider-certificate", exists=True, dir_okay=False, help="PEM of what alone may sign its replies."),
]
LoadArea = Annotated[str, typer.Option("--load-area", help="Its load area.", callback=IDENTIFIER.option)]
CurveFile = Annotated[
    Path, typer.Option("--curve", exists=True, dir_okay=False, help=f"CSV with the header time,power_kw; {_END}.")
]


@flexibility.command()
def ask(
    provider_id: Provider, url: Url, load_area: LoadArea, curve: CurveFile, certificate: Pinned = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Ask a DSO for the curtailment factor of a power curve; consumption is positive, times have an offset."""
    try:
        *points, end = _lines(curve)
    except ValueError as error:
        raise FileInvalid(f"{curve}: {error}. Nothing was sent.") from None
    powers = [(time, power) for time, power in points if power is not None]
    with provider(provider_id, url, certificate) as client:
        found = client.request_validation(load_area, powers, end[0])
    if found is None:
        done("The DSO answers later: by a push, or in the mailbox.")
        return
    code, text = found.reason or (None, None)
    row = (
        found.id, found.request_id, found.factor, found.dso_factor, found.tso_factor, found.limiting_element, code,
        text,
    )  # fmt: skip
    show("Technical validation", [row], FOUND, as_json=as_json)


def _lines(file: Path) -> Iterator[tuple[datetime, Decimal | None]]:
    """Times with their powers in kW; only the last, which ends the curve, has none. ValueError names a bad line."""
    with file.open(encoding="utf-8", newline="") as opened:
        lines = csv.DictReader(opened)
        if set(COLUMNS) - set(lines.fieldnames or ()):
            raise ValueError(f"expected the header {','.join(COLUMNS)}")
        ended, points = False, 0
        for line in lines:
            if ended:
                raise ValueError(f"line {lines.line_num}: comes after the end; {_END}")
            try:
                time, power = _time(line["time"] or ""), _power(line["power_kw"])
            except ValueError as error:
                raise ValueError(f"line {lines.line_num}: {error}") from None
            ended = power is None
            points += not ended
            yield time, power
    if not (ended and points):
        raise ValueError(f"there is no end or no point; {_END}")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write 2025-01-15T00:00:00+01:00")
    return time


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

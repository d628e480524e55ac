"""`flexiciency flexibility`: technical validations, those of Market Players and the DSO's own (TECH-FLEX-REQ)."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer

from flexiciency.cli import curve as curves
from flexiciency.cli import opening
from flexiciency.cli.entered import IDENTIFIER
from flexiciency.cli.output import Json, Limit, done, show
from flexiciency.config import Settings
from flexiciency.domain.flexibility import Curve, fault_of
from flexiciency.errors import FileInvalid, ReferenceUnknown
from flexiciency.store import validations
from flexiciency.store.transaction import transaction

flexibility = typer.Typer(no_args_is_help=True, help="Technical validations (TECH-FLEX-REQ, TECH-FLEX-RESP).")
PARTS = {"flexibility": flexibility}

COLUMNS = (
    "id", "direction", "status", "player", "load_area", "start", "end", "asked_at", "answered_at", "factor",
    "dso_factor", "tso_factor", "limiting_element", "reason",
)  # fmt: skip
DETAILS = (*COLUMNS, "text", "response", "curve")

Player = Annotated[str, typer.Argument(metavar="PLAYER", help="Its MPL-REG id.", callback=IDENTIFIER.option)]
LoadArea = Annotated[str, typer.Option("--load-area", help="A load area of ours.", callback=IDENTIFIER.option)]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="End of the curve, where its last line is not that.")]


@flexibility.command()
def ask(player: Player, load_area: LoadArea, curve: curves.File, until: Until = None) -> None:
    """Ask a Market Player what part of a power curve it takes; the answer is in `flexibility show`."""
    from flexiciency.services import flexibility as service  # noqa: PLC0415  slow to import

    points, end = curves.read(curve, None if until is None else _time(until))
    asked = Curve(points[0][0], tuple((time, _watts(power)) for time, power in points), end)
    wrong = fault_of(asked)
    if wrong is not None:
        raise FileInvalid(f"{curve}: {wrong} Nothing was sent.")
    with opening.database() as base, transaction(base) as tx:
        request_id = service.ask(tx, Settings().provider_id, player, load_area, asked, datetime.now(UTC))
    done(f"{request_id} is asked.")


@flexibility.command("list")
def list_validations(limit: Limit = 100, as_json: Json = False) -> None:
    """Technical validations, those of Market Players and ours to them, the latest first."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(validations.listed(limit))
    show("Technical validations", [row[: len(COLUMNS)] for row in rows], COLUMNS, as_json=as_json)


@flexibility.command("show")
def show_validation(identifier: str, as_json: Json = False) -> None:
    """One technical validation with its power curve and all that was answered."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(validations.stored(identifier))
    if not rows:
        raise ReferenceUnknown(f"There is no TECH-FLEX-REQ {identifier} here. `flexibility list` shows what there is.")
    (row,) = rows
    points = zip(row.times, row.powers_kw, strict=True)
    curve = ", ".join(f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {power}" for time, power in points)
    show(f"TECH-FLEX-REQ {identifier}", [(*row[: len(DETAILS) - 1], curve)], DETAILS, as_json=as_json)


def _time(text: str) -> datetime:
    try:
        return curves.time_of(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None


def _watts(power: Decimal) -> int:
    return int(power * 1000)

"""`flexiciency player flexibility`: what part of an exchange a DSO's grid takes (D2.3, 2.6)."""

from typing import Annotated

import typer

from flexiciency.cli import curve as curves
from flexiciency.cli.entered import IDENTIFIER
from flexiciency.cli.options import expanded
from flexiciency.cli.output import Json, done, show
from flexiciency.cli.providers import ProviderOptions

flexibility = typer.Typer(no_args_is_help=True, help="Technical validation of flexibility exchanges (TECH-FLEX-REQ).")

FOUND = ("id", "request", "factor", "dso_factor", "tso_factor", "limiting_element", "reason", "text")

LoadArea = Annotated[str, typer.Option("--load-area", help="Its load area.", callback=IDENTIFIER.option)]


@flexibility.command()
@expanded
def ask(asked: ProviderOptions, load_area: LoadArea, curve: curves.File, as_json: Json = False) -> None:
    """Ask a DSO for the curtailment factor of a power curve; consumption is positive, times have an offset."""
    powers, end = curves.read(curve)
    with asked.client() as client:
        found = client.request_validation(load_area, powers, end)
    if found is None:
        done("The DSO answers later: by a push, or in the mailbox.")
        return
    code, text = found.reason or (None, None)
    row = (
        found.id, found.request_id, found.factor, found.dso_factor, found.tso_factor, found.limiting_element, code,
        text,
    )  # fmt: skip
    show("Technical validation", [row], FOUND, as_json=as_json)

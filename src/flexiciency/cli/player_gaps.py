"""`flexiciency player gaps` and `player missing`: values that have not come (D2.3, 2.6)."""

from datetime import datetime
from typing import Annotated

import typer

from flexiciency.cli.entered import IDENTIFIER, POD
from flexiciency.cli.options import expanded, instant
from flexiciency.cli.output import Json, done, show
from flexiciency.cli.providers import ProviderOptions

COLUMNS = ("source", "start", "end", "cause", "expected", "sent", "acknowledged", "reason")
"""The first row is of the whole report."""

Agreement = Annotated[str, typer.Argument(help="SRV-ACT-AGR id.", callback=IDENTIFIER.option)]
Start = Annotated[datetime, typer.Option("--from", parser=instant, metavar="TIME", help="A date or instant, UTC.")]
End = Annotated[datetime, typer.Option("--until", parser=instant, metavar="TIME", help="Its end, not included.")]
Pods = Annotated[list[str] | None, typer.Option(help="A PoD; repeatable. By default all.", callback=POD.option)]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    cli.command()(gaps)
    cli.command()(missing)


@expanded
def gaps(agreement: Agreement, start: Start, end: End, asked: ProviderOptions, as_json: Json = False) -> None:
    """What of an agreement we have not got or not acknowledged, and why."""
    with asked.client() as client:
        found = client.read_gap_report(agreement, start, end)
    whole = (
        found.agreement_id, found.start, found.end, None, found.expected, found.sent, found.acknowledged,
        found.reason and found.reason.code,
    )  # fmt: skip
    rows = [(one.source, one.start, one.end, one.cause, None, None, None, None) for one in found.gaps]
    show("Gap report", [whole, *rows], COLUMNS, as_json=as_json)


@expanded
def missing(agreement: Agreement, start: Start, end: End, asked: ProviderOptions, pod: Pods = None) -> None:
    """Ask for what was not delivered, was refused or not acknowledged to be sent once more."""
    with asked.client() as client:
        client.request_missing_values(agreement, start, end, tuple(pod or ()))
    done("What is missing and may leave is on its way: by a push, or in the mailbox.")

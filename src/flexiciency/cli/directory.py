"""`flexiciency directory`: this DSO's copy of the directory of a Market Place elsewhere."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from flexiciency.cli import opening
from flexiciency.cli.entered import IDENTIFIER
from flexiciency.cli.output import Json, done, show
from flexiciency.errors import GatewayError
from flexiciency.store import market_records
from flexiciency.store.transaction import transaction

cli = typer.Typer(no_args_is_help=True, help="This DSO's copy of the Market Place's directory.")
PARTS = {"directory": cli}


class DirectoryNotRead(GatewayError):  # noqa: N818  named like the coded errors
    """The directory could not be read to its end; the message says why. The copy is as old as it was."""


@cli.command("show")
def show_directory(as_json: Json = False) -> None:
    """How old the copy is, why reading it failed since, and how many objects of each kind it holds."""
    from flexiciency.delivery.mirror import age  # noqa: PLC0415  slow to import: other commands do without

    with opening.database() as base, transaction(base) as tx:
        (counts,) = tx.look_up(market_records.directory())
        copy = age(base)
    old = None if copy.read_at is None else datetime.now(UTC) - copy.read_at
    rows = [
        ("read", "never" if old is None else f"{timedelta(seconds=int(old.total_seconds()))} ago", copy.read_at),
        ("failed", copy.failure, copy.failed_at),
        *counts,
    ]
    show("Directory", rows, ("kind", "status", "value"), as_json=as_json)


@cli.command()
def adopt(identifier: Annotated[str, typer.Argument(callback=IDENTIFIER.option)]) -> None:
    """Take the Market Place's word for a registration that was entered by hand; until then the entry holds."""
    from flexiciency.store import mirror  # noqa: PLC0415  slow to import: other commands do without

    with opening.database() as base, transaction(base) as tx:
        mirror.adopt(tx, identifier)
    done(f"{identifier} will be as the Market Place says, once the directory has been read again.")


@cli.command()
def read() -> None:
    """Read now what changed at the Market Place; delivery workers do every minute."""
    from flexiciency.cli.calling import market_place  # noqa: PLC0415  slow to import: other commands do without
    from flexiciency.delivery.mirror import age, catch_up  # noqa: PLC0415  likewise

    with market_place() as client, opening.database() as base:
        catch_up(base, client, client.registration_id, datetime.now(UTC))
        copy = age(base)
    if copy.failure is not None:
        raise DirectoryNotRead(copy.failure)
    done("The copy of the directory is up to date.")

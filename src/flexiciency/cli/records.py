"""What happened: `flexiciency evidence` and `flexiciency deliveries`."""

import sys
from typing import Annotated
from uuid import UUID

import typer

from flexiciency.cli import opening
from flexiciency.cli.output import Json, Limit, done, show
from flexiciency.errors import ReferenceUnknown
from flexiciency.store import evidence as kept
from flexiciency.store import records
from flexiciency.store.database import driver

evidence = typer.Typer(no_args_is_help=True, help="Messages as they travelled.")
deliveries = typer.Typer(no_args_is_help=True, help="What goes to market players.")
PARTS = {"evidence": evidence, "deliveries": deliveries}


@evidence.command("list")
def list_evidence(
    message_id: str | None = None, peer: str | None = None, limit: Limit = 50, as_json: Json = False
) -> None:
    """Messages, the latest first; --message-id finds a message and its reply."""
    with opening.database() as base, base.begin() as connection:
        rows = records.evidence(connection, message_id=message_id, peer=peer, limit=limit)
    columns = ("row", "at", "direction", "peer", "action", "message_id", "code", "verified", "size")
    show("Evidence", rows, columns, as_json=as_json)


@evidence.command("show")
def show_evidence(row: int) -> None:
    """One message, byte for byte, to standard output."""
    with opening.database() as base, base.begin() as connection:
        try:
            for piece in kept.read(driver(connection), row):
                sys.stdout.buffer.write(piece)
        except LookupError as error:
            raise ReferenceUnknown(f"{error}. `evidence list` shows what there is.") from None
    sys.stdout.buffer.flush()


@deliveries.command("list")
def list_deliveries(
    state: str | None = None,
    escalated: Annotated[bool, typer.Option("--escalated", help="Sent again and again, never acknowledged.")] = False,
    limit: Limit = 50, as_json: Json = False,
) -> None:  # fmt: skip
    """Deliveries, the latest first."""
    with opening.database() as base, base.begin() as connection:
        rows = records.deliveries(connection, state=state, escalated=escalated, limit=limit)
        count = records.count_escalated(connection)
    columns = (
        "id", "created_at", "recipient", "operation", "state", "cause", "from", "until", "pods", "attempts", "sent_at",
        "received_at", "resends", "escalated_at", "last_error",
    )  # fmt: skip
    show(f"Deliveries ({count} escalated in all)" if count else "Deliveries", rows, columns, as_json=as_json)


@deliveries.command()
def resend(
    delivery_ids: Annotated[list[UUID] | None, typer.Argument(help="Ids that `deliveries list` shows.")] = None,
    to: Annotated[str | None, typer.Option(help="All Dead deliveries to this registration.")] = None,
) -> None:
    """Push Dead deliveries again."""
    from flexiciency.delivery.jobs import defer_push  # noqa: PLC0415  slow to import: other commands do without

    with opening.database() as base, base.begin() as connection:
        chosen = [*(delivery_ids or []), *(records.dead(connection, to) if to else [])]
        for delivery_id in chosen:
            records.reopen(connection, delivery_id)
            defer_push(driver(connection), delivery_id)
    done(f"{len(chosen)} deliveries are queued again.")

"""`flexiciency activation` and `flexiciency selection`: what market players asked this provider for (D2.3, 2.5)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from flexiciency.cli import opening
from flexiciency.cli.entered import POD, TEXT
from flexiciency.cli.output import Json, Limit, done, show
from flexiciency.domain.activation import Status
from flexiciency.errors import ReferenceUnknown
from flexiciency.store import activations, selections
from flexiciency.store.transaction import Transaction, transaction

cli = typer.Typer(no_args_is_help=True, help="Activations of services; what is decided by hand.")
selection = typer.Typer(no_args_is_help=True, help="Selections of data.")
PARTS = {"activation": cli, "selection": selection}

COLUMNS = (
    "id", "kind", "status", "received_at", "requester", "service", "confirmed_pods", "refused_pods", "reason",
)  # fmt: skip
DETAILS = (
    "id", "kind", "status", "received_at", "stopped_at", "requester", "service", "confirmation", "selection", "reason",
    "text", "confirmed_pods", "refused_pods",
)  # fmt: skip
SELECTIONS = (
    "id", "requester", "service", "aggregated", "quantity", "time_step", "start", "end", "narrowed", "selected_at",
)  # fmt: skip
OF_SELECTION = (
    "id", "requester", "service", "aggregated", "quantity", "time_step", "start", "end", "aggregation_level",
    "aggregation_method", "localization", "encoding", "asked", "selected_at",
)  # fmt: skip
INSTANTS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]

Text = Annotated[str, typer.Option("--reason", help="What the market player reads.", callback=TEXT.option)]

Pods = Annotated[list[str] | None, typer.Option(metavar="POD", help="Any number of times.", callback=POD.option)]
Why = Annotated[str | None, typer.Option(help="Why these PoDs are refused.", callback=TEXT.option)]
Limits = Annotated[str | None, typer.Option(help="Of a USP-REQ: the limits of the service.", callback=TEXT.option)]


@cli.command("list")
def list_activations(
    status: Status | None = None, requester: str | None = None, limit: Limit = 100, as_json: Json = False
) -> None:
    """Activations, the latest first; with --status Received, what waits to be decided."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(activations.listed(status, requester, limit))
    show("Activations", rows, COLUMNS, as_json=as_json)


@cli.command("show")
def show_activation(identifier: str, as_json: Json = False) -> None:
    """One activation with all it says. While it is Received, PoDs are as the rules had them when it came."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(activations.stored(identifier))
    if not rows:
        raise ReferenceUnknown(f"There is no activation {identifier} here. `activation list` shows what there is.")
    (row,) = rows
    details = (
        row.id, row.kind, row.status, row.received_at, row.stopped_at, row.requester_id, row.service_description_id,
        row.confirmation_id, row.selection_id, row.reason_code, row.reason_text, ", ".join(row.confirmed or ()),
        ", ".join(row.refused or ()),
    )  # fmt: skip
    show(f"Activation {identifier}", [details], DETAILS, as_json=as_json)


@cli.command()
def confirm(identifier: str, refuse_pod: Pods = None, reason: Why = None, limits: Limits = None) -> None:
    """Confirm what the rules still allow of a request, except PoDs that are refused."""
    from flexiciency.services import activation_by_hand  # noqa: PLC0415  slow to import

    out = frozenset(refuse_pod or ())
    _move(
        identifier,
        lambda tx, now: activation_by_hand.confirm(tx, identifier, now, leave_out=out, text=reason, limits=limits),
    )


@cli.command()
def refuse(identifier: str, text: Text) -> None:
    """Refuse a request."""
    from flexiciency.services import activation_by_hand  # noqa: PLC0415  slow to import

    _move(identifier, lambda tx, now: activation_by_hand.refuse(tx, identifier, now, text=text))


@cli.command()
def stop(identifier: str, text: Text) -> None:
    """Stop an activation; the agreements made on its grounds end today (UTC)."""
    from flexiciency.services import activation_by_hand  # noqa: PLC0415  slow to import

    _move(identifier, lambda tx, now: activation_by_hand.stop(tx, identifier, now, text=text))


@selection.command("list")
def list_selections(requester: str | None = None, limit: Limit = 100, as_json: Json = False) -> None:
    """Selections as they are served, the latest first."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(selections.listed(requester, limit))
    show("Selections", rows, SELECTIONS, as_json=as_json)


@selection.command("show")
def show_selection(identifier: str, as_json: Json = False) -> None:
    """One selection as it is served, and what was asked for instead."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(selections.selection_of(identifier))
    if not rows:
        raise ReferenceUnknown(f"There is no selection {identifier} here. `selection list` shows what there is.")
    (row,) = rows
    details = (
        row.id, row.requester_id, row.service_description_id, row.aggregated, row.quantity, row.time_step, row.since,
        row.until, row.aggregation_level, row.aggregation_method, row.localization, row.encoding, row.asked,
        row.selected_at,
    )  # fmt: skip
    show(f"Selection {identifier}", [details], OF_SELECTION, as_json=as_json)


@selection.command()
def narrow(
    identifier: str,
    start: Annotated[datetime | None, typer.Option("--from", formats=INSTANTS, help="First instant, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--until", formats=INSTANTS, help="End, exclusive, UTC.")] = None,
) -> None:  # fmt: skip
    """Serve a shorter period of a selection, and tell the market player."""
    from flexiciency.services import selection as served  # noqa: PLC0415  slow to import

    first, last = (None if instant is None else instant.replace(tzinfo=UTC) for instant in (start, end))
    with opening.database() as base, transaction(base) as tx:
        served.narrow_stored(tx, identifier, datetime.now(UTC), start=first, end=last)
    done(f"{identifier} is narrowed.")


def _move(identifier: str, move: Callable[[Transaction, datetime], None]) -> None:
    """Make a move, and say what the activation is now."""
    with opening.database() as base:
        with transaction(base) as tx:
            move(tx, datetime.now(UTC))
        with transaction(base) as tx:
            ((row,),) = tx.look_up(activations.stored(identifier))
    why = f": {row.reason_text}" if row.reason_text else ""
    done(f"{row.id} is {row.status}{why}")

"""`flexiciency agreement`: service activation agreements of this provider (SRV-ACT-AGR)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from flexiciency.cli import opening
from flexiciency.cli.options import instant
from flexiciency.cli.output import Json, Limit, done, show
from flexiciency.domain.agreement import AgreementStatus
from flexiciency.errors import ReferenceUnknown
from flexiciency.store import agreements
from flexiciency.store.transaction import Transaction, transaction

cli = typer.Typer(no_args_is_help=True, help="Agreements with market players; what is decided by hand.")
PARTS = {"agreement": cli}

FORMATS = ["%Y-%m-%d"]
GAPS = ("source", "start", "end", "cause", "expected", "sent", "acknowledged", "reason")
COLUMNS = ("id", "version", "status", "requester", "service", "start", "end", "pods")
DETAILS = (
    *COLUMNS[:-1], "subscription", "activation", "validated_at", "data_details", "processing_details", "consents",
    "selections", "pods",
)  # fmt: skip


@cli.command("list")
def list_agreements(
    status: AgreementStatus | None = None, requester: str | None = None, limit: Limit = 100, as_json: Json = False
) -> None:
    """Agreements, the latest days first; with --status Proposed, what waits to be decided."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(agreements.listed(status, requester, limit))
    show("Agreements", rows, COLUMNS, as_json=as_json)


@cli.command("show")
def show_agreement(identifier: str, as_json: Json = False) -> None:
    """One agreement with all it says."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(agreements.stored(identifier))
    if not rows:
        raise ReferenceUnknown(f"There is no agreement {identifier} here. `agreement list` shows what there is.")
    (row,) = rows
    lists = (", ".join(row.consents or ()), ", ".join(row.selections or ()), ", ".join(row.pods or ()))
    details = (row.id, row.version, row.status, row.requester_id, row.service_description_id, row.start_date,
               row.end_date, row.subscription_id, row.activation_id, row.validation_date, row.data_details,
               row.processing_details, *lists)  # fmt: skip
    show(f"Agreement {identifier}", [details], DETAILS, as_json=as_json)


@cli.command()
def gaps(
    identifier: str,
    start: Annotated[datetime, typer.Option("--from", parser=instant, metavar="TIME", help="A date or instant, UTC.")],
    end: Annotated[datetime, typer.Option("--until", parser=instant, metavar="TIME", help="Its end, not included.")],
    as_json: Json = False,
) -> None:  # fmt: skip
    """What the gap report tells the market player: a row of the whole, then what is not acknowledged, and why."""
    from flexiciency.contract.series import instant_of  # noqa: PLC0415  slow to import
    from flexiciency.services.gaps import Asked, report  # noqa: PLC0415  likewise

    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(agreements.stored(identifier))
        if not rows:
            raise ReferenceUnknown(f"There is no agreement {identifier} here. `agreement list` shows what there is.")
        found = report(tx, Asked(rows[0], start, end, datetime.now(UTC)))
    whole = (
        identifier, start, end, None, found.expected, found.sent, found.acknowledged,
        found.reason and found.reason.code.value,
    )  # fmt: skip
    listed = [
        (one.source, instant_of(one.start), instant_of(one.end), one.cause.value, None, None, None, None)
        for one in found.gaps
    ]
    show("Gap report", [whole, *listed], GAPS, as_json=as_json)


@cli.command()
def validate(identifier: str) -> None:
    """Validate what a market player proposed."""
    from flexiciency.services import agreement_by_hand  # noqa: PLC0415  slow to import

    _move(identifier, lambda tx, now: agreement_by_hand.validate(tx, identifier, now))


@cli.command()
def counter(
    identifier: str,
    start: Annotated[datetime | None, typer.Option("--from", formats=FORMATS, help="First local day.")] = None,
    end: Annotated[datetime | None, typer.Option("--until", formats=FORMATS, help="Day after the last.")] = None,
    leave_out: Annotated[list[str] | None, typer.Option(metavar="POD", help="Any number of times.")] = None,
) -> None:  # fmt: skip
    """Offer less than a market player proposed: fewer days, fewer PoDs."""
    from flexiciency.services import agreement_by_hand  # noqa: PLC0415  slow to import

    first, last, out = start and start.date(), end and end.date(), frozenset(leave_out or ())
    _move(
        identifier,
        lambda tx, now: agreement_by_hand.counter(tx, identifier, now, start=first, end=last, leave_out=out),
    )


@cli.command()
def end(
    identifier: str, on: Annotated[datetime | None, typer.Option(formats=FORMATS, help="First day not covered.")] = None
) -> None:
    """End an agreement: nothing is covered from a local day (today, UTC) on."""
    from flexiciency.services import agreement_by_hand  # noqa: PLC0415  slow to import

    _move(identifier, lambda tx, now: agreement_by_hand.end(tx, identifier, now, on=on and on.date()))


def _move(identifier: str, move: Callable[[Transaction, datetime], None]) -> None:
    """Make a move, and say what the agreement is now."""
    with opening.database() as base:
        with transaction(base) as tx:
            move(tx, datetime.now(UTC))
        with transaction(base) as tx:
            ((row,),) = tx.look_up(agreements.stored(identifier))
    done(f"{row.id} is {row.status}, version {row.version}, from {row.start_date} to {row.end_date} (exclusive).")

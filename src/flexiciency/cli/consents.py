"""`flexiciency consent`: what an operator looks up of customers' consents (CUS-CON-*)."""

from datetime import UTC, datetime

import typer

from flexiciency.cli import opening
from flexiciency.cli.output import Json, Limit, show
from flexiciency.domain.consent import state_of
from flexiciency.domain.consent_history import sentence
from flexiciency.errors import ReferenceUnknown
from flexiciency.store import consent_history, consents
from flexiciency.store.transaction import transaction

cli = typer.Typer(no_args_is_help=True, help="Consents of customers, and what became of them.")
PARTS = {"consent": cli}

COLUMNS = ("id", "pod", "customer", "third_party", "start", "end", "state", "since", "reason")
HISTORY = ("at", "what", "message_id", "evidence_row")


@cli.command("list")
def list_consents(
    customer: str | None = None, third_party: str | None = None, pod: str | None = None, limit: Limit = 100,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Consents by PoD with their state now, the latest first."""
    now = datetime.now(UTC)
    with opening.database() as base, transaction(base) as tx:
        (found,) = tx.look_up(consents.listed(customer, third_party, pod, limit))
    rows = []
    for row in found:
        state = state_of(consents.listed_pod(row), now)
        rows.append((row.id, row.pod, row.customer_id, row.eso_id, row.start_date, row.end_date, state.state,
                     state.since, state.reason and state.reason.code.value))  # fmt: skip
    show("Consents", rows, COLUMNS, as_json=as_json)


@cli.command()
def history(identifier: str, as_json: Json = False) -> None:
    """Everything that happened to a consent, a sentence each; `evidence show ROW` prints the message that proves it."""
    with opening.database() as base, transaction(base) as tx:
        events = consent_history.history(tx, identifier, datetime.now(UTC))
    if not events:
        raise ReferenceUnknown(f"There is no consent {identifier} here. `consent list` shows what there is.")
    rows = [(event.at, sentence(event), event.message_id, event.evidence_row) for event in events]
    show(f"History of {identifier}", rows, HISTORY, as_json=as_json)

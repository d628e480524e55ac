"""`flexiciency player activate`, `use`, `select`, `stop`, `mailbox`: services of a provider (D2.3, 2.5)."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from flexiciency.cli.entered import COUNTRY, IDENTIFIER, PLACE_NAME, POD, TEXT
from flexiciency.cli.options import expanded, instant
from flexiciency.cli.output import Json, done, show
from flexiciency.cli.providers import ProviderOptions
from flexiciency.client import AggregatedSelection, Reason, Selection
from flexiciency.client.market_objects import AggregationLevel, AggregationMethod
from flexiciency.contract.series import Encoding, Quantity, TimeStep

Service = Annotated[str, typer.Argument(help="MKP-SRV-DES id of the service.", callback=IDENTIFIER.option)]
Request = Annotated[str, typer.Argument(help="Id of the request that activated it.", callback=IDENTIFIER.option)]
Pods = Annotated[list[str] | None, typer.Option(help="A PoD; repeatable.", callback=POD.option)]
Why = Annotated[str | None, typer.Option("--reason", help="What the provider reads.", callback=TEXT.option)]

CONFIRMATION = ("request", "status", "pod", "confirmed", "selection", "reason", "text")
UNREGULATED = ("request", "status", "reason", "text")
SELECTION = ("id", "quantity", "time_step", "start", "end", "pods", "encoding", "reason", "text")
WAITING = ("message", "action", "content", "waiting")
_STOPPED = "NoLongerNeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionOptions:
    """Which values are wanted. With a level, aggregates."""

    quantity: Annotated[Quantity | None, typer.Option(help="Quantity.")] = None
    step: Annotated[TimeStep | None, typer.Option(help="TimeStep.")] = None
    start: Annotated[
        datetime | None, typer.Option("--from", parser=instant, metavar="TIME", help="Period: a date or instant, UTC.")
    ] = None
    end: Annotated[
        datetime | None, typer.Option("--until", parser=instant, metavar="TIME", help="Its end, not included.")
    ] = None
    encoding: Annotated[Encoding | None, typer.Option(help="How values are written.")] = None
    customer: Annotated[list[str] | None, typer.Option(help="A customer; repeatable.", callback=IDENTIFIER.option)] = (
        None
    )
    level: Annotated[AggregationLevel | None, typer.Option(help="AggregationLevel of aggregated data.")] = None
    method: Annotated[AggregationMethod | None, typer.Option(help="AggregationMethod of aggregated data.")] = None
    country: Annotated[list[str] | None, typer.Option(help="Of aggregates.", callback=COUNTRY.option)] = None
    city: Annotated[list[str] | None, typer.Option(help="Of aggregates.", callback=PLACE_NAME.option)] = None
    street: Annotated[list[str] | None, typer.Option(help="Of aggregates.", callback=PLACE_NAME.option)] = None

    def selection(self, pods: tuple[str, ...]) -> Selection | None:
        """The selection, None where no option was given. Raises BadParameter for half of one."""
        if not any(asdict(self).values()):
            return None
        if self.quantity is None or self.step is None or self.start is None or self.end is None:
            raise typer.BadParameter("a selection has --quantity, --step, --from and --until")
        fields: dict[str, Any] = {
            "quantity": self.quantity, "time_step": self.step, "start": self.start, "end": self.end, "pods": pods,
            "customers": tuple(self.customer or ()), "encoding": self.encoding,
        }  # fmt: skip
        places = {"countries": self.country, "cities": self.city, "streets": self.street}
        if self.level is None and self.method is None and not any(places.values()):
            return Selection(**fields)
        if self.level is None or self.method is None:
            raise typer.BadParameter("a selection of aggregates has --level and --method")
        named: dict[str, Any] = {name: tuple(values or ()) for name, values in places.items()}
        return AggregatedSelection(level=self.level, method=self.method, **named, **fields)


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    for command in (activate, use, select, stop, mailbox):
        cli.command()(command)


@expanded
def activate(
    service: Service, asked: ProviderOptions, options: SelectionOptions, pod: Pods = None, as_json: Json = False
) -> None:
    """Activate a DSO's service for PoDs (DSO-REQ), perhaps with a selection of data; a line for each PoD."""
    selection = options.selection(())
    with asked.client() as client:
        found = client.request_activation(service, pod or (), selection)
    head, chosen = (found.request_id, found.status), found.selection and found.selection.id
    rows: list[Any] = [(*head, one, True, chosen, None, None) for one in found.confirmed]
    rows += [(*head, one, False, chosen, *why) for one, why in found.refused.items()]
    if not rows or (found.reason and not found.refused):
        rows.append((*head, None, None, chosen, *(found.reason or (None, None))))
    show("Activation", rows, CONFIRMATION, as_json=as_json)


@expanded
def use(service: Service, asked: ProviderOptions, as_json: Json = False) -> None:
    """Activate a service of an unregulated provider (USP-REQ)."""
    with asked.client() as client:
        found = client.request_unregulated_activation(service)
    row = (found.request_id, found.status, *(found.reason or (None, None)))
    show("Activation", [row], UNREGULATED, as_json=as_json)


@expanded
def select(
    service: Service, asked: ProviderOptions, options: SelectionOptions, pod: Pods = None, as_json: Json = False
) -> None:
    """Select data of a service (IND-DAT-SEL, AGG-DAT-SEL); shown is what the provider serves of it."""
    selection = options.selection(tuple(pod or ()))
    if selection is None:
        raise typer.BadParameter("a selection has --quantity, --step, --from and --until")
    with asked.client() as client:
        served, why = client.select(service, selection)
    shown: tuple[Any, ...] = (None,) * 7
    if served is not None:
        shown = (
            served.id, served.quantity.value, served.time_step.value, served.start, served.end,
            ", ".join(served.pods), served.encoding and served.encoding.value,
        )  # fmt: skip
    show("Selection", [(*shown, *(why or (None, None)))], SELECTION, as_json=as_json)


@expanded
def stop(request: Request, asked: ProviderOptions, why: Why = None) -> None:
    """Stop an activation; what was agreed on its grounds ends today (UTC)."""
    reason = None if why is None else Reason(_STOPPED, why)
    with asked.client() as client:
        client.stop_activation(request, reason)
    done(f"{request} is stopped.")


@expanded
def mailbox(
    asked: ProviderOptions,
    confirm: Annotated[bool, typer.Option("--confirm", help="It has been dealt with; the next one comes up.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """The oldest message that waits at a provider."""
    with asked.client() as client:
        found = client.peek_mailbox()
        if confirm and found.item is not None:
            client.confirm_mailbox(found.item.message_id)
    item = found.item
    shown = [] if item is None else [(item.message_id, item.action, item.content, found.waiting)]
    show("Mailbox", shown, WAITING, as_json=as_json)

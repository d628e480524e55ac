"""`flexiciency customer`: a customers' channel at a DSO, from the command line (D2.3, 2.4 and 4.3; CUS-CON-*)."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flexiciency.cli.calling import channel
from flexiciency.cli.entered import ADDRESS, IDENTIFIER, POD, TEXT
from flexiciency.cli.options import expanded
from flexiciency.cli.output import Json, done, show
from flexiciency.client import Authentication, Consent, CustomerChannel, Scope
from flexiciency.contract.series import Quantity, TimeStep

cli = typer.Typer(no_args_is_help=True, help="A customers' channel: consents given, revoked and read for a customer.")

FORMATS = ["%Y-%m-%d"]
COLUMNS = ("id", "pod", "third_party", "start", "end", "state", "since", "reason")

Customer = Annotated[str, typer.Argument(help="The customer's id at the DSO.", callback=POD.option)]
Pods = Annotated[list[str], typer.Option("--pod", help="Any number of times.", callback=POD.option)]


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """Who asks, of which DSO, and how the channel knows the customer."""

    channel: Annotated[str, typer.Option(help="The channel's id at the DSO.", callback=IDENTIFIER.option)]
    dso: Annotated[str, typer.Option(help="The DSO's MPL-REG id.", callback=IDENTIFIER.option)]
    url: Annotated[str, typer.Option(help="Where its B2C interface is.", callback=ADDRESS.option)]
    authenticated_by: Annotated[str, typer.Option(help="How the customer is known: eID.", callback=TEXT.option)]
    dso_certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="PEM of what alone may sign its replies.")
    ] = None

    def client(self) -> AbstractContextManager[CustomerChannel]:
        """The DSO's B2C interface for the channel."""
        return channel(self.channel, self.dso, self.url, self.dso_certificate)

    def authentication(self, now: datetime) -> Authentication:
        """How the customer is known, as of now."""
        return Authentication(self.authenticated_by, now)


@dataclass(frozen=True, slots=True)
class ConsentOptions:
    """What a consent says (CUS-CON-DES)."""

    pod: Pods
    third_party: Annotated[str, typer.Option(help="MPL-REG id of who may get it.", callback=IDENTIFIER.option)]
    start: Annotated[datetime, typer.Option("--from", formats=FORMATS, help="First local day.")]
    end: Annotated[datetime, typer.Option("--until", formats=FORMATS, help="Day after the last.")]
    purpose: Annotated[str, typer.Option(help="What the values are for.", callback=TEXT.option)]
    details: Annotated[str, typer.Option(help="Which values.", callback=TEXT.option)] = "Load curve"
    quantity: Annotated[Quantity, typer.Option()] = Quantity.ENERGY_CONSUMPTION
    finest_time_step: Annotated[TimeStep, typer.Option()] = TimeStep.PT15M

    def consent(self, customer: str, now: datetime) -> Consent:
        """The consent of a customer, who says so now."""
        return Consent(
            customer_id=customer, pods=tuple(self.pod), data_details=self.details, processing_details=self.purpose,
            scopes=(Scope(self.quantity, self.finest_time_step),), validated_at=now, start=self.start.date(),
            end=self.end.date(), third_party=self.third_party,
        )  # fmt: skip


@cli.command()
@expanded
def consent(customer: Customer, said: ConsentOptions, asking: ChannelOptions, as_json: Json = False) -> None:
    """Give a customer's consent: which PoDs the DSO accepts, and why not the others."""
    now = datetime.now(UTC)
    with asking.client() as client:
        found = client.give_consent(said.consent(customer, now), asking.authentication(now))
    accepted = [(found.consent_id, pod, "Acknowledged", None, None) for pod in found.pods]
    rejected = [(found.consent_id, pod, "Rejected", why.code, why.text) for pod, why in found.refused.items()]
    show("Consent", [*accepted, *rejected], ("id", "pod", "state", "reason", "text"), as_json=as_json)


@cli.command()
@expanded
def revoke(
    customer: Customer, consent_id: Annotated[str, typer.Argument(callback=IDENTIFIER.option)], pod: Pods,
    asking: ChannelOptions,
) -> None:  # fmt: skip
    """Revoke a consent for some of its PoDs, or all: nothing leaves by it from the DSO's answer on."""
    now = datetime.now(UTC)
    with asking.client() as client:
        client.revoke(consent_id, customer, pod, now, asking.authentication(now))
    done(f"{consent_id} is revoked for {len(pod)} PoD(s).")


@cli.command()
@expanded
def consents(customer: Customer, asking: ChannelOptions, as_json: Json = False) -> None:
    """A customer's consents by PoD, the latest first, with what each is now."""
    with asking.client() as client:
        found = client.consents(customer, asking.authentication(datetime.now(UTC)))
    rows = [
        (one.consent.id, pod.pod, one.consent.third_party, one.consent.start, one.consent.end, pod.state, pod.since,
         pod.reason and pod.reason.code)
        for one in found for pod in one.pods
    ]  # fmt: skip
    show(f"Consents of {customer}", rows, COLUMNS, as_json=as_json)

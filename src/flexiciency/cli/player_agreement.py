"""`flexiciency player agreement`: service activation agreements of a Market Player (SRV-ACT-AGR; D2.3, 2.5)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from flexiciency.cli.entered import IDENTIFIER, POD, TEXT
from flexiciency.cli.options import expanded
from flexiciency.cli.output import Json, show
from flexiciency.cli.providers import ProviderOptions
from flexiciency.client import Agreement, Proposal

agreement = typer.Typer(no_args_is_help=True, help="Agreements with a provider (SRV-ACT-AGR).")

FORMATS = ["%Y-%m-%d"]
COLUMNS = ("id", "version", "status", "start", "end", "service", "pods", "refused", "reason")

Id = Annotated[str, typer.Argument(help="The agreement's id.", callback=IDENTIFIER.option)]
Version = Annotated[int, typer.Argument(min=1, help="The version that the provider gave last.")]


@dataclass(frozen=True, slots=True)
class ProposalOptions:
    """What a proposal says. Days are local days of the PoDs."""

    pod: Annotated[list[str], typer.Option(help="Any number of times.", callback=POD.option)]
    start: Annotated[datetime, typer.Option("--from", formats=FORMATS, help="First local day.")]
    end: Annotated[datetime, typer.Option("--until", formats=FORMATS, help="Day after the last.")]
    service: Annotated[str, typer.Option(help="MKP-SRV-DES id.", callback=IDENTIFIER.option)]
    subscription: Annotated[str, typer.Option(help="B2B-SRV-SUB id.", callback=IDENTIFIER.option)]
    request: Annotated[str, typer.Option(help="Id of the DSO-REQ that activated it.", callback=IDENTIFIER.option)]
    details: Annotated[str, typer.Option(help="Which values.", callback=TEXT.option)] = "As the service describes"
    purpose: Annotated[str, typer.Option(help="What they are for.", callback=TEXT.option)] = "As agreed"

    def proposal(self) -> Proposal:
        """SRV-ACT-AGR as proposed."""
        return Proposal(
            pods=tuple(self.pod), data_details=self.details, processing_details=self.purpose, start=self.start.date(),
            end=self.end.date(), service_description_id=self.service, subscription_id=self.subscription,
            request_id=self.request,
        )  # fmt: skip


@agreement.command()
@expanded
def propose(said: ProposalOptions, asked: ProviderOptions, as_json: Json = False) -> None:
    """Propose an agreement: Validated as it is, Countered with less, or Ended where nothing can be agreed to."""
    with asked.client() as client:
        _show(client.propose_agreement(said.proposal()), as_json=as_json)


@agreement.command()
@expanded
def counter(
    identifier: Id, version: Version, said: ProposalOptions, asked: ProviderOptions, as_json: Json = False
) -> None:
    """Answer a version of an agreement by the next one."""
    with asked.client() as client:
        _show(client.counter_agreement(identifier, version, said.proposal()), as_json=as_json)


@agreement.command()
@expanded
def validate(identifier: Id, version: Version, asked: ProviderOptions, as_json: Json = False) -> None:
    """Validate the version that the provider countered with."""
    with asked.client() as client:
        _show(client.validate_agreement(identifier, version), as_json=as_json)


@agreement.command("show")
@expanded
def show_agreement(identifier: Id, asked: ProviderOptions, as_json: Json = False) -> None:
    """An agreement as the provider has it."""
    with asked.client() as client:
        _show(client.read_agreement(identifier), as_json=as_json)


@agreement.command()
@expanded
def end(
    identifier: Id, asked: ProviderOptions,
    on: Annotated[datetime | None, typer.Option(formats=FORMATS, help="First day not covered.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """End an agreement from a local day on."""
    with asked.client() as client:
        _show(client.end_agreement(identifier, on and on.date()), as_json=as_json)


def _show(found: Agreement, *, as_json: bool) -> None:
    refused = ", ".join(f"{pod} ({why.code})" for pod, why in found.refused.items())
    row = (found.id, found.version, found.status, found.start, found.end, found.service_description_id,
           ", ".join(found.pods), refused, found.reason and found.reason.code)  # fmt: skip
    show("Agreement", [row], COLUMNS, as_json=as_json)

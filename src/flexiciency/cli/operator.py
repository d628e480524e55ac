"""The operator's facts: `flexiciency database | registration | channel | service | subscription | pods`."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

import typer
from sqlalchemy import Connection

from flexiciency.cli import opening
from flexiciency.cli.certificates import describe, load
from flexiciency.cli.entered import ADDRESS, COUNTRY, IDENTIFIER, PLACE_NAME, POD, TEXT, Kind
from flexiciency.cli.output import FileInvalid, Json, done, show
from flexiciency.config import Settings
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.registration import IN_DIRECTORY
from flexiciency.errors import IdentifierTaken
from flexiciency.store import agreement_standing, directory
from flexiciency.store.directory import CompanyType, Registration, Role, Service, Subscription
from flexiciency.store.pods import PodRecord, import_pods
from flexiciency.store.transaction import transaction
from flexiciency.wire.identity import fingerprint_of

database = typer.Typer(no_args_is_help=True, help="The database.")
registration = typer.Typer(no_args_is_help=True, help="Registrations (MPL-REG) with certificate and push address.")
channel = typer.Typer(no_args_is_help=True, help="Customers' channels that may use B2C.")
service = typer.Typer(no_args_is_help=True, help="Services of this provider (MKP-SRV-DES).")
subscription = typer.Typer(no_args_is_help=True, help="B2B service subscriptions (B2B-SRV-SUB).")
pods = typer.Typer(no_args_is_help=True, help="Points of delivery and who holds them.")
PARTS = {
    "database": database,
    "registration": registration,
    "channel": channel,
    "service": service,
    "subscription": subscription,
    "pods": pods,
}

Identifier = Annotated[str, typer.Argument(callback=IDENTIFIER.option)]
Name = Annotated[str, typer.Option(callback=PLACE_NAME.option)]
Text = Annotated[str, typer.Option(callback=TEXT.option)]
Level = Literal["None", "Country", "City", "Street", "Portfolio"]
Method = Literal["Sum", "Mean"]
Certificate = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="PEM certificate to bind.")]
COLUMNS = ("pod", "country", "city", "street", "load_area", "time_zone", "customer_id", "held_from", "held_until")
REQUIRED = tuple(name for name in COLUMNS if name not in ("load_area", "held_until"))
KINDS = {
    "pod": POD, "country": COUNTRY, "city": PLACE_NAME, "street": PLACE_NAME, "load_area": IDENTIFIER,
    "customer_id": POD,
}  # fmt: skip
"""What cells hold; a load area has the characters of an identifier, and a customer's id those of a PoD."""


@database.command()
def upgrade() -> None:
    """Bring the database to the schema of this release."""
    with opening.database():
        done("The database has the schema of this release.")


@registration.command("add")
def add_registration(
    identifier: Identifier, company: Name, role: Annotated[Role, typer.Option()],
    certificate: Certificate, company_type: CompanyType = CompanyType.ENERGY_UNREGULATED_PLAYER,
    uri: Annotated[
        str | None,
        typer.Option(help="Where to push to; without it, messages wait in the mailbox.", callback=ADDRESS.option),
    ] = None,
) -> None:  # fmt: skip
    """Enter a registration as Active, with the certificate it signs with and the address it is pushed to."""
    loaded = load(certificate)
    entered = Registration(identifier, company, company_type, role, loaded, uri)
    with opening.database() as base, base.begin() as connection:
        _refuse_foreign(connection, fingerprint_of(loaded), company, identifier)
        directory.add_registration(connection, entered, datetime.now(UTC))
    done(f"{identifier} ({role}) of {company}, signed by {describe(loaded)}")


@registration.command("bind")
def bind_certificate(identifier: Identifier, certificate: Certificate) -> None:
    """Bind one more certificate to the company of a registration; the old ones stay valid."""
    loaded = load(certificate)
    with opening.database() as base, base.begin() as connection:
        own = {row.company for row in directory.registrations(connection) if row.id == identifier}
        _refuse_foreign(connection, fingerprint_of(loaded), next(iter(own), None), identifier)
        directory.add_certificate(connection, identifier, loaded)
    done(f"{identifier} may sign with {describe(loaded)}")


@registration.command("unbind")
def withdraw_certificate(fingerprint: str) -> None:
    """Refuse a certificate from now on: the one with this SHA-256 fingerprint, of a registration or a channel."""
    digits = fingerprint.replace(":", "").replace(" ", "").lower()  # as OpenSSL prints it
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise typer.BadParameter("a SHA-256 fingerprint has 64 hexadecimal digits; `certificate show FILE` prints it")
    with opening.database() as base, base.begin() as connection:
        number = directory.withdraw_certificate(connection, digits, datetime.now(UTC))
    done(f"{fingerprint} is refused from now on ({number} bindings ended).")


@registration.command()
def suspend(identifier: Identifier) -> None:
    """Refuse what a registration sends, until it is activated."""
    _set_status(identifier, "Suspended")


@registration.command()
def activate(identifier: Identifier) -> None:
    """Take what a registration sends."""
    _set_status(identifier, "Active")


@registration.command("list")
def list_registrations(as_json: Json = False) -> None:
    """Registrations, a row for each certificate."""
    with opening.database() as base, base.begin() as connection:
        rows = directory.registrations(connection)
    columns = ("id", "company", "role", "status", "sha256_fingerprint", "certificate_until", "uri")
    show("Registrations", rows, columns, as_json=as_json)


@channel.command("bind")
def bind_channel(identifier: Identifier, certificate: Certificate, name: Text = "customer channel") -> None:
    """Let a front end of customers sign as urn:flexiciency:customer-channel:IDENTIFIER."""
    loaded = load(certificate)
    with opening.database() as base, base.begin() as connection:
        directory.bind_channel(connection, identifier, name, loaded, datetime.now(UTC))
    done(f"urn:flexiciency:customer-channel:{identifier} signs with {describe(loaded)}")


@channel.command("list")
def list_channels(as_json: Json = False) -> None:
    """Customers' channels."""
    with opening.database() as base, base.begin() as connection:
        rows = directory.channels(connection)
    show("Customers' channels", rows, ("id", "name", "sha256_fingerprint", "bound_at"), as_json=as_json)


@service.command("add")
def add_service(
    identifier: Identifier, description: Text,
    quantity: Quantity = Quantity.ENERGY_CONSUMPTION, time_step: TimeStep = TimeStep.PT15M,
    aggregation_level: Level = "None", aggregation_method: Method | None = None,
    consent: Annotated[bool, typer.Option(help="CustomerConsentMandatory.")] = True,
) -> None:  # fmt: skip
    """Enter a data service that this DSO provides."""
    settings = Settings()
    entered = Service(
        identifier, settings.provider_id, description, aggregation_level, aggregation_method, quantity, time_step,
        customer_consent_mandatory=consent,
    )  # fmt: skip
    with opening.database(settings) as base, base.begin() as connection:
        directory.add_service(connection, entered)
    done(f"{identifier}: {quantity} every {time_step}, consent {'mandatory' if consent else 'not needed'}")


@service.command("decide")
def decide_service(
    identifier: Identifier, by_hand: Annotated[bool, typer.Option("--by-hand/--by-rule")] = True
) -> None:  # fmt: skip
    """Decide on a service's activations and agreements by hand, or by rule as a new service does."""
    with opening.database() as base, base.begin() as connection:
        directory.set_by_hand(connection, identifier, by_hand=by_hand)
    done(f"{identifier}: decided {'by hand: `activation list` and `agreement list`' if by_hand else 'by rule'}")


@service.command("list")
def list_services(as_json: Json = False) -> None:
    """Services."""
    with opening.database() as base, base.begin() as connection:
        rows = directory.services(connection)
    columns = ("id", "provider", "service_type", "quantity", "time_step", "consent_mandatory", "by_hand")
    show("Services", rows, columns, as_json=as_json)


@subscription.command("add")
def add_subscription(
    identifier: Identifier, requester: Annotated[str, typer.Option(callback=IDENTIFIER.option)],
    services: Annotated[list[str], typer.Option("--service", callback=IDENTIFIER.option)],
    data_details: Text = "As the service describes", processing_details: Text = "As agreed",
) -> None:  # fmt: skip
    """Enter a subscription of a requester to services of this DSO, as Validated."""
    settings = Settings()
    entered = Subscription(
        identifier, settings.provider_id, requester, data_details, processing_details, tuple(services)
    )
    with opening.database(settings) as base, base.begin() as connection:
        directory.add_subscription(connection, entered, datetime.now(UTC))
    done(f"{identifier}: {requester} may ask for {len(services)} service(s)")


@subscription.command("list")
def list_subscriptions(as_json: Json = False) -> None:
    """B2B service subscriptions."""
    with opening.database() as base, base.begin() as connection:
        rows = directory.subscriptions(connection)
    show("Subscriptions", rows, ("id", "provider", "requester", "status", "validated"), as_json=as_json)


@pods.command("import")
def import_file(file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)]) -> None:
    """Import PoDs and holders from CSV with a header line; all lines or none. Times are ISO 8601 with offset.

    Agreements under which nothing may leave any more are Suspended, and their requesters told.
    """
    from flexiciency.services.agreement_standing import settle  # noqa: PLC0415  slow to import

    try:
        with opening.database() as base, transaction(base) as tx:
            count = import_pods(tx, _records(file))
            (concerned,) = tx.read(agreement_standing.lock_imported())
            settle(tx, concerned, datetime.now(UTC))
    except ValueError as error:
        raise FileInvalid(f"{file}: {error}. Nothing was imported.") from None
    done(f"{count} records imported.")


def _records(file: Path) -> Iterator[PodRecord]:
    with file.open(encoding="utf-8", newline="") as opened:
        lines = csv.DictReader(opened)
        missing = set(COLUMNS) - set(lines.fieldnames or ())
        if missing:
            raise ValueError(f"columns {sorted(missing)} are missing; expected {', '.join(COLUMNS)}")
        for line in lines:
            try:
                yield _record(line)
            except ValueError as error:
                raise ValueError(f"line {lines.line_num}: {error}") from None


def _record(line: dict[str, str]) -> PodRecord:
    if None in line or None in line.values():
        raise ValueError("more or fewer cells than the header has")
    if empty := [name for name in REQUIRED if not line[name].strip()]:
        raise ValueError(f"{empty[0]} is empty")
    for name, kind in KINDS.items():
        _check_cell(name, line[name], kind)
    if line["time_zone"] not in available_timezones():
        raise ValueError(f"{line['time_zone']!r} is no IANA time zone; write Europe/Vienna or the like")
    held_from = _instant(line["held_from"])
    held_until = _instant(line["held_until"]) if line["held_until"] else None
    if held_until is not None and held_until <= held_from:
        raise ValueError("held_until is not later than held_from")
    return PodRecord(
        pod=line["pod"], country=line["country"], city=line["city"], street=line["street"],
        load_area=line["load_area"] or None, time_zone=line["time_zone"], customer_id=line["customer_id"],
        held_from=held_from, held_until=held_until,
    )  # fmt: skip


def _check_cell(name: str, cell: str, kind: Kind) -> None:
    try:
        if cell:
            kind.check(cell)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write 2020-01-01T00:00:00+01:00")
    return instant


def _refuse_foreign(connection: Connection, fingerprint: str, company: str | None, identifier: str) -> None:
    """Raises IdentifierTaken when a certificate signs for another company: whose word it is must be certain."""
    for row in directory.registrations(connection):
        counts = row.fingerprint == fingerprint and row.status in IN_DIRECTORY
        if counts and row.id != identifier and company not in (None, row.company):
            raise IdentifierTaken(
                f"The certificate {fingerprint} is bound to {row.id} of {row.company} already. Give each company its "
                "own, or `registration unbind` it first."
            )


def _set_status(identifier: Identifier, status: str) -> None:
    with opening.database() as base, base.begin() as connection:
        directory.set_status(connection, identifier, status, datetime.now(UTC))
    done(f"{identifier} is {status}.")

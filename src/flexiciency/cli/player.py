"""`flexiciency player`: a Market Player, or a DSO, at the Market Place."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from flexiciency.cli import (
    player_activation,
    player_agreement,
    player_find,
    player_flexibility,
    player_gaps,
    player_services,
    player_values,
)
from flexiciency.cli.calling import market_place, own_certificate
from flexiciency.cli.certificates import describe, load
from flexiciency.cli.entered import EMAIL, IDENTIFIER, PLACE_NAME, URI
from flexiciency.cli.options import CompanyOptions, expanded
from flexiciency.cli.output import Json, done, show
from flexiciency.client import Account, Company, ContactPoint, Enrolment, Location, MarketPlace, Registration, new_id
from flexiciency.client.market_objects import Role
from flexiciency.config import PlayerSettings
from flexiciency.wire.identity import valid_between

cli = typer.Typer()
certificate = typer.Typer(no_args_is_help=True, help="Certificates (MPL-AUT) of our company.")
cli.add_typer(certificate, name="certificate")
cli.add_typer(player_find.find, name="find")
cli.add_typer(player_flexibility.flexibility, name="flexibility")
cli.add_typer(player_agreement.agreement, name="agreement")

Address = Annotated[
    str | None,
    typer.Option("--uri", help="Where pushes go (MPL-ADD); without it they wait.", callback=URI.option),
]
RegistrationId = Annotated[str | None, typer.Argument(help="MPL-REG id; by default ours.", callback=IDENTIFIER.option)]


@cli.command()
@expanded
def enrol(
    role: Annotated[Role, typer.Option(help="Role; `add-role` enrols for another.")],
    company: CompanyOptions,
    market_place_location: Annotated[
        str,
        typer.Option(help="MKP-ADD id of the access point; its operator tells it.", callback=IDENTIFIER.option),
    ],
    uri: Address = None,
    contact: Annotated[
        str | None,
        typer.Option(help="Name of the contact point; by default the company.", callback=PLACE_NAME.option),
    ] = None,
) -> None:
    """Enrol in one role, with the certificate that signs; the operator of the Market Place then approves it."""
    set_already = PlayerSettings().registration_id
    registration_id = set_already or new_id()
    point = ContactPoint(name=contact or company.company, email=company.email, telephone=company.telephone)
    with market_place(registration_id) as client:
        _enrol(client, role, company.of(registration_id), point, market_place_location, uri)
    if set_already is None:
        done(f'Set registration_id = "{registration_id}"')


@cli.command("add-role")
def add_role(role: Annotated[Role, typer.Argument(help="Role.")], uri: Address = None) -> None:
    """Enrol our company in another role, as a registration of its own; its contact point is that of this one."""
    with market_place() as client:
        known = client.read_registration(client.registration_id)
    registration_id = new_id()
    company = replace(known.company, registrations=(*known.company.registrations, registration_id))
    account = known.accounts[0]
    with market_place(registration_id) as client:
        _enrol(client, role, company, account.contact_point, account.market_place_location, uri)


@cli.command("show")
def show_registration(registration_id: RegistrationId = None, as_json: Json = False) -> None:
    """A registration with its company, certificates and addresses, and what it has published."""
    with market_place() as client:
        found = client.read_registration(registration_id or client.registration_id)
    registration, company = found.registration, found.company
    contact = company.contact_details
    rows = [
        ("MPL-REG", registration.id, registration.status, registration.role),
        ("MPL-DES", company.id, None, f"{contact.name}, {contact.city}, {contact.country}: {company.company_subtype}"),
        *(("MPL-AUT", one.id, None, _bound(one)) for one in found.accounts),
        *(("MPL-ADD", one.id, None, one.uri) for one in found.locations),
        *(("MKP-SRV-OFF", one, None, None) for one in registration.offers),
        *(("MKP-SRV-SUB", one, None, None) for one in registration.subscriptions),
    ]
    show("Registration", rows, ("object", "id", "status", "text"), as_json=as_json)


@cli.command()
def suspend(registration_id: RegistrationId = None) -> None:
    """Take a registration of our company out of use, until it is reactivated."""
    with market_place() as client:
        _tell(client.suspend(registration_id or client.registration_id))


@cli.command()
def reactivate(registration_id: RegistrationId = None) -> None:
    """Take a registration of our company into use again."""
    with market_place() as client:
        _tell(client.reactivate(registration_id or client.registration_id))


@cli.command()
def leave(
    registration_id: RegistrationId = None, yes: Annotated[bool, typer.Option("--yes", help="It is meant.")] = False
) -> None:
    """Withdraw a registration of our company, with all that it has published, for good."""
    if not yes:
        raise typer.BadParameter("a registration that has left does not come back; say --yes if it is meant")
    with market_place() as client:
        _tell(client.withdraw(registration_id or client.registration_id))


@cli.command()
def address(uri: Annotated[str, typer.Argument(help="URL that pushes go to.", callback=URI.option)]) -> None:
    """Have pushes sent to this address (MPL-ADD): the first one that we have changes, else it is a new one."""
    with market_place() as client:
        known = client.read_registration(client.registration_id).locations
        new = Location(uri=uri, registrations=(client.registration_id,))
        location = replace(known[0], uri=uri) if known else new
        client.update_location(location)
    done(f"{location.id}: pushes go to {uri}")


@certificate.command("add")
def add_certificate(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="PEM certificate.")],
    contact: Annotated[
        str | None, typer.Option(help="Name of its contact point; by default as now.", callback=PLACE_NAME.option)
    ] = None,
    email: Annotated[
        str | None, typer.Option(help="E-mail address of it; by default as now.", callback=EMAIL.option)
    ] = None,
) -> None:
    """Bind one more certificate to our company; those that we have stay valid."""
    added = load(file)
    with market_place() as client:
        known = client.read_registration(client.registration_id).accounts[0]
        point = known.contact_point
        account = Account(
            contact_point=replace(point, name=contact or point.name, email=email or point.email),
            certificate=added,
            validity=valid_between(added),
            registration=client.registration_id,
            market_place_location=known.market_place_location,
        )
        client.add_authentication(account)
    done(f"{account.id}: we may sign with {describe(added)}")


@certificate.command("withdraw")
def withdraw_certificate(
    account_id: Annotated[str, typer.Argument(help="MPL-AUT id, as `show` lists it.", callback=IDENTIFIER.option)],
) -> None:
    """Have a certificate of our company refused from now on; never the last one."""
    with market_place() as client:
        client.withdraw_authentication(account_id)
    done(f"{account_id} is refused from now on.")


def _enrol(
    client: MarketPlace, role: Role, company: Company, point: ContactPoint, market_place_location: str, uri: str | None
) -> None:
    """Enrol the client's registration, with the certificate that signs."""
    bound = own_certificate()
    account = Account(
        contact_point=point,
        certificate=bound,
        validity=valid_between(bound),
        registration=client.registration_id,
        market_place_location=market_place_location,
    )
    locations = () if uri is None else (Location(uri=uri, registrations=(client.registration_id,)),)
    registration = Registration(
        id=client.registration_id,
        role=role,
        company=company.id,
        accounts=(account.id,),
        locations=tuple(location.id for location in locations),
    )
    stored = client.enrol(
        Enrolment(registration=registration, company=company, accounts=(account,), locations=locations)
    )
    done(f"{stored.id} ({stored.role}) is {stored.status}. Tell the operator: {describe(bound)}")


def _tell(registration: Registration) -> None:
    done(f"{registration.id} is {registration.status}.")


def _bound(account: Account) -> str:
    return f"{describe(account.certificate)}, accepted until {account.validity[1]:%Y-%m-%d %H:%M} UTC"


# Here, so that `--help` begins with enrolment.
player_services.register(cli)
player_find.register(cli)
player_activation.register(cli)
player_gaps.register(cli)
player_values.register(cli)

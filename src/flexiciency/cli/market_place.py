"""`flexiciency market-place`: what the operator of the Market Place enters, decides and looks up."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Annotated

import typer
from cryptography import x509

from flexiciency.cli import opening
from flexiciency.cli.certificates import describe as in_one_line
from flexiciency.cli.entered import ADDRESS, TEXT
from flexiciency.cli.findings import show_findings
from flexiciency.cli.operator import Identifier, Text
from flexiciency.cli.output import Json, Limit, done, show
from flexiciency.config import HostSettings, SettingMissing
from flexiciency.domain.registration import Move
from flexiciency.domain.subscription import SubscriptionStatus
from flexiciency.errors import GatewayError
from flexiciency.store import market, market_place, market_records
from flexiciency.store.database import Database
from flexiciency.store.market_place import Description
from flexiciency.store.transaction import Query, Transaction, transaction

cli = typer.Typer(no_args_is_help=True, help="The Market Place that this gateway hosts.")
location = typer.Typer(no_args_is_help=True, help="Its access points (MKP-ADD).")
cli.add_typer(location, name="location")
PARTS = {"market-place": cli}

Party = Annotated[str | None, typer.Option(help="Of this registration only.")]

PUBLICATIONS = ("id", "party", "company", "service_type", "status", "version", "published_at")
MATCHES = (
    "id", "status", "version", "provider", "requester", "validated_by_provider", "validated_by_requester", "validated"
)  # fmt: skip


class NotConfirmed(GatewayError):  # noqa: N818  named like the coded errors
    """Whose certificate a registration signs with has not been confirmed; the message says which one it is."""


def _hosted() -> AbstractContextManager[Database]:
    """The Market Place's database. Raises SettingMissing elsewhere: nobody would see what is entered there."""
    if not HostSettings().hosts_market_place:
        raise SettingMissing(
            "This gateway hosts no Market Place: hosts_market_place is not set in flexiciency.toml, nor as "
            "FLEXICIENCY_HOSTS_MARKET_PLACE. Run the command where the Market Place is, or set it."
        )
    return opening.database()


@cli.command()
def describe(
    purpose: Text, legal_information: Text, contact_details: Text, stakeholder_and_community: Text,
    help_text: Annotated[str, typer.Option("--help-text", callback=TEXT.option)], usage_condition: Text,
) -> None:  # fmt: skip
    """Say what this Market Place is (MKP-DES), or change what was said."""
    said = Description(
        purpose=purpose,
        legal_information=legal_information,
        contact_details=contact_details,
        stakeholder_and_community=stakeholder_and_community,
        help=help_text,
        usage_condition=usage_condition,
    )
    with _hosted() as base, transaction(base) as tx:
        market_place.set_description(tx, said)
    done("The Market Place is described.")


@location.command("set")
def set_location(
    identifier: Identifier, uri: Annotated[str, typer.Argument(help="URL of the service.", callback=ADDRESS.option)]
) -> None:
    """Enter an access point (MKP-ADD), or change its address; who enrols names it."""
    with _hosted() as base, transaction(base) as tx:
        market_place.set_location(tx, identifier, uri)
    done(f"{identifier} is {uri}")


@location.command("list")
def list_locations(as_json: Json = False) -> None:
    """Access points; a newcomer is told the id of one to enrol at."""
    _list("Access points", market_records.locations(), ("id", "uri"), as_json=as_json)


@location.command("remove")
def remove_location(identifier: Identifier) -> None:
    """Take away an access point that no certificate is enrolled at."""
    with _hosted() as base, transaction(base) as tx:
        market_place.remove_location(tx, identifier)
    done(f"{identifier} is gone.")


@cli.command()
def pending(as_json: Json = False) -> None:
    """Registrations that wait for approval, a row for each certificate."""
    columns = ("id", "company", "role", "since", "sha256_fingerprint", "certificate_until")
    _list("Pending registrations", market_records.pending(), columns, as_json=as_json)


@cli.command()
def approve(
    identifier: Identifier,
    fingerprints: Annotated[
        list[str] | None,
        typer.Option("--fingerprint", help="SHA-256 that the player told; of each certificate, if there are more."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Whose the certificates are is known.")] = False,
) -> None:
    """Make a Pending registration Active, once it is certain whose certificate it signs with."""
    told = {fingerprint.replace(":", "").replace(" ", "").lower() for fingerprint in fingerprints or ()}
    with _hosted() as base, transaction(base) as tx:
        market.lock(tx)  # so that no certificate comes between the look and the approval
        (bound,) = tx.read(market_records.certificates(identifier))
        shown = "; ".join(in_one_line(x509.load_der_x509_certificate(one.certificate)) for one in bound)
        wrong = told - {one.fingerprint for one in bound}
        if wrong:
            raise NotConfirmed(
                f"{min(wrong)} is no certificate of {identifier}, which signs with {shown}. Do not approve it: ask the "
                "player, by another channel than this registration, what it has enrolled."
            )
        if bound and told != {one.fingerprint for one in bound} and (told or not yes):
            raise NotConfirmed(
                f"{identifier} signs with {shown}. Compare with what the player says, by another channel than this "
                "registration, then repeat with --fingerprint, or with --yes."
            )
        _move(tx, identifier, Move.APPROVE)
    done(f"{identifier} is Active and signs with {shown}")


@cli.command()
def suspend(identifier: Identifier) -> None:
    """Refuse what a registration sends, until the operator reactivates it."""
    with _hosted() as base, transaction(base) as tx:
        _move(tx, identifier, Move.SUSPEND)
    done(f"{identifier} is Suspended.")


@cli.command()
def reactivate(identifier: Identifier) -> None:
    """Take what a suspended registration sends again."""
    with _hosted() as base, transaction(base) as tx:
        _move(tx, identifier, Move.REACTIVATE)
    done(f"{identifier} is Active.")


@cli.command()
def withdraw(identifier: Identifier) -> None:
    """Refuse what a registration sends, for good, and withdraw what it has published."""
    with _hosted() as base, transaction(base) as tx:
        _move(tx, identifier, Move.WITHDRAW)
    done(f"{identifier} is Withdrawn.")


@cli.command()
def offers(party: Party = None, limit: Limit = 100, as_json: Json = False) -> None:
    """Offers (MKP-SRV-OFF), the latest first."""
    _list("Offers", market_records.publications("Offer", party=party, limit=limit), PUBLICATIONS, as_json=as_json)


@cli.command()
def subscriptions(party: Party = None, limit: Limit = 100, as_json: Json = False) -> None:
    """Subscriptions (MKP-SRV-SUB), the latest first."""
    found = market_records.publications("Subscription", party=party, limit=limit)
    _list("Subscriptions", found, PUBLICATIONS, as_json=as_json)


@cli.command()
def matches(
    status: Annotated[SubscriptionStatus | None, typer.Option(help="Of this status only.")] = None,
    limit: Limit = 100, as_json: Json = False,
) -> None:  # fmt: skip
    """B2B service subscriptions (B2B-SRV-SUB), and which party has validated them when."""
    _list("Matches", market_records.matches(status=status, limit=limit), MATCHES, as_json=as_json)


@cli.command()
def why(
    offer: Annotated[str, typer.Argument(help="MKP-SRV-OFF id.")],
    subscription: Annotated[str, typer.Argument(help="MKP-SRV-SUB id.")],
    as_json: Json = False,
) -> None:
    """Why an offer and a subscription match or do not: every attribute of each pair of their descriptions."""
    from flexiciency.services.matching import why as findings_of  # noqa: PLC0415  slow to import: others do without

    with _hosted() as base, transaction(base) as tx:
        pairs = findings_of(tx, offer, subscription)
    show_findings([(one.offered_id, one.wanted_id, one.findings) for one in pairs], as_json=as_json)


def _move(tx: Transaction, identifier: str, move: Move) -> None:
    from flexiciency.delivery.directory import announce  # noqa: PLC0415  slow to import: other commands do without
    from flexiciency.delivery.outbox import Outbox  # noqa: PLC0415  likewise
    from flexiciency.services.matching import Matching  # noqa: PLC0415  likewise
    from flexiciency.services.registration import operator_move  # noqa: PLC0415  likewise

    operator_move(tx, Matching(Outbox()), identifier, move, datetime.now(UTC))
    announce(tx)


def _list(title: str, query: Query, columns: tuple[str, ...], *, as_json: bool) -> None:
    with _hosted() as base, transaction(base) as tx:
        (rows,) = tx.look_up(query)
    show(title, rows, columns, as_json=as_json)

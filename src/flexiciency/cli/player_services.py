"""`flexiciency player offer`, `subscribe`, `describe`, `matches` …: what a Market Player publishes and agrees to."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import typer

from flexiciency.cli.calling import MOST_ON_A_PAGE, every, market_place, offers_of, subscriptions_of
from flexiciency.cli.entered import IDENTIFIER, TEXT
from flexiciency.cli.options import ServiceOptions, expanded
from flexiciency.cli.output import Json, Limit, done, show
from flexiciency.client import B2BSubscription, ServiceDescription, ServiceOffer, ServiceSubscription, new_id
from flexiciency.client.market_objects import B2BStatus, ServiceType

Id = Annotated[
    str | None,
    typer.Option(
        "--id", help="Its id; one that is published already gets its next version.", callback=IDENTIFIER.option
    ),
]
Type = Annotated[ServiceType, typer.Option("--type", help="Service type.")]
Description = Annotated[
    str | None, typer.Option(help="ShortDescription: what the service is about.", callback=TEXT.option)
]
Usage = Annotated[
    str | None,
    typer.Option(help="UsageDetails: what its user must have; by default --description.", callback=TEXT.option),
]
Services = Annotated[
    list[str] | None,
    typer.Option("--service", help="MKP-SRV-DES id that exists already; repeatable.", callback=IDENTIFIER.option),
]
Match = Annotated[str, typer.Argument(help="B2B-SRV-SUB id.", callback=IDENTIFIER.option)]

MATCHES = (
    "id", "status", "version", "provider", "requester", "validated_at", "data_details", "services", "offers",
    "subscriptions",
)  # fmt: skip


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    for command in (offer, subscribe, describe, withdraw, matches, validate, decline):
        cli.command()(command)


@expanded
def offer(
    service_type: Type, services: ServiceOptions, description: Description = None, usage: Usage = None,
    references: Services = None, identifier: Id = None,
) -> None:  # fmt: skip
    """Publish an offer (MKP-SRV-OFF) of a service that is described here, or of descriptions that exist already."""
    details = _details(services, description, usage, references)
    with market_place() as client:
        stored = client.publish_offer(
            ServiceOffer(
                service_type=service_type,
                supplier=client.registration_id,
                details=details,
                version=_next_version(offers_of(client, client.registration_id), identifier),
                id=identifier or new_id(),
            )
        )
    _tell(stored)


@expanded
def subscribe(
    service_type: Type, services: ServiceOptions, description: Description = None, usage: Usage = None,
    references: Services = None, identifier: Id = None,
) -> None:  # fmt: skip
    """Publish a subscription (MKP-SRV-SUB) to a service that is described here, or to descriptions in offers."""
    details = _details(services, description, usage, references)
    with market_place() as client:
        stored = client.publish_subscription(
            ServiceSubscription(
                service_type=service_type,
                requester=client.registration_id,
                details=details,
                version=_next_version(subscriptions_of(client, client.registration_id), identifier),
                id=identifier or new_id(),
            )
        )
    _tell(stored)


@expanded
def describe(
    services: ServiceOptions, description: Annotated[str, typer.Option(help="ShortDescription.", callback=TEXT.option)],
    usage: Usage = None,
    identifier: Annotated[
        str | None, typer.Option("--id", help="Its id; one of ours that is known changes.", callback=IDENTIFIER.option)
    ] = None,
) -> None:  # fmt: skip
    """Publish a service description (MKP-SRV-DES) alone, for offers to refer to."""
    with market_place() as client:
        stored = client.publish_description(services.description(description, usage or description, identifier))
    done(f"{stored.id} is described.")


def withdraw(
    identifier: Annotated[
        str, typer.Argument(help="MKP-SRV-OFF, MKP-SRV-SUB or MKP-SRV-DES id.", callback=IDENTIFIER.option)
    ],
) -> None:
    """Withdraw an offer, a subscription or a service description of ours, for good."""
    with market_place() as client:
        own = client.read_registration(client.registration_id).registration
        if identifier in own.offers:
            _tell(client.withdraw_offer(identifier))
        elif identifier in own.subscriptions:
            _tell(client.withdraw_subscription(identifier))
        else:
            client.withdraw_description(identifier)
            done(f"{identifier} is withdrawn.")


def matches(
    status: Annotated[B2BStatus | None, typer.Option(help="Of this status only.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """B2B service subscriptions (B2B-SRV-SUB) of ours: what the Market Place matched."""
    with market_place() as client:
        found = every(
            lambda cursor: client.find_b2b_subscriptions(
                status=status, page_size=min(limit, MOST_ON_A_PAGE), cursor=cursor
            )
        )
        rows = [
            (
                one.id, one.status, one.version, one.provider, one.requester, one.validated_at, one.data_details,
                ", ".join(one.descriptions), ", ".join(one.offers), ", ".join(one.subscriptions),
            )
            for one in islice(found, limit)
        ]  # fmt: skip
    show("Matches", rows, MATCHES, as_json=as_json)


def validate(
    match: Match,
    version: Annotated[
        int | None, typer.Option(help="The version that `player matches` showed; else the latest.")
    ] = None,
) -> None:
    """Agree to a match; it is Validated once the other party has agreed too."""
    with market_place() as client:
        _tell(client.validate_b2b_subscription(match, version))


def decline(match: Match) -> None:
    """Refuse a match."""
    with market_place() as client:
        _tell(client.decline_b2b_subscription(match))


def _details(
    services: ServiceOptions, description: str | None, usage: str | None, references: list[str] | None
) -> tuple[ServiceDescription | str, ...]:
    """What is described here, with an id of its own in each version, and what is referred to."""
    if description is None and not references:
        raise typer.BadParameter("say what: --description with what it describes, or --service ID")
    described = [] if description is None else [services.description(description, usage or description)]
    return *described, *(references or ())


def _next_version(ours: Iterator[ServiceOffer] | Iterator[ServiceSubscription], identifier: str | None) -> int:
    """One more than the version that is published; what gets an id of its own is new."""
    if identifier is None:
        return 1
    return 1 + max((one.version for one in ours if one.id == identifier), default=0)


def _tell(stored: ServiceOffer | ServiceSubscription | B2BSubscription) -> None:
    done(f"{stored.id} is {stored.status}, version {stored.version}.")

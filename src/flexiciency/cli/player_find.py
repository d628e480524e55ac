"""`flexiciency player find`, `dso` and `why`: what a Market Player looks up at the Market Place."""

from collections.abc import Iterable
from itertools import chain, islice
from typing import Annotated, TypeVar

import typer

from flexiciency.cli.calling import MOST_ON_A_PAGE, every, market_place, offers_of, subscriptions_of
from flexiciency.cli.findings import show_findings
from flexiciency.cli.options import ServiceOptions, expanded
from flexiciency.cli.output import Json, Limit, show
from flexiciency.client import MarketPlace, ServiceDescription, ServiceOffer, ServiceSubscription
from flexiciency.client.market_objects import CompanyType, Role, ServiceType
from flexiciency.domain.matching import Description, Finding, Localization, Wanted, compare
from flexiciency.errors import ReferenceUnknown

P = TypeVar("P", ServiceOffer, ServiceSubscription)

find = typer.Typer(no_args_is_help=True, help="What is enrolled and published at the Market Place.")

Type = Annotated[ServiceType | None, typer.Option("--type", help="Service type.")]

SERVICES = (
    "service", "short_description", "level", "method", "quantity", "step", "start", "end", "place", "consent"
)  # fmt: skip
PUBLICATIONS = ("id", "party", "service_type", "status", "version", *SERVICES)


def register(cli: typer.Typer) -> None:
    """Add the commands beside `find`."""
    cli.command("dso")(find_dso)
    cli.command()(why)


@find.command("registrations")
def find_registrations(
    role: Annotated[Role | None, typer.Option(help="Role.")] = None,
    company_type: Annotated[CompanyType | None, typer.Option(help="CompanyType.")] = None,
    name: Annotated[str | None, typer.Option(help="A part of the company's name.")] = None,
    country: Annotated[str | None, typer.Option(help="Country of the company (AT).")] = None,
    limit: Limit = 100, as_json: Json = False,
) -> None:  # fmt: skip
    """Registrations (MPL-REG); `show ID` tells the company."""
    with market_place() as client:
        found = every(
            lambda cursor: client.find_registrations(
                role=role, company_type=company_type, name=name, country=country, page_size=_page(limit), cursor=cursor
            )
        )
        rows = [(one.id, one.role, one.status, one.company) for one in islice(found, limit)]
    show("Registrations", rows, ("id", "role", "status", "company"), as_json=as_json)


@find.command("offers")
@expanded
def find_offers(
    services: ServiceOptions, service_type: Type = None,
    supplier: Annotated[str | None, typer.Option(help="MPL-REG id.")] = None,
    limit: Limit = 100, as_json: Json = False,
) -> None:  # fmt: skip
    """Offers (MKP-SRV-OFF), a row for each of their descriptions."""
    criteria = services.criteria()
    with market_place() as client:
        found = every(
            lambda cursor: client.find_offers(
                criteria, service_type=service_type, supplier=supplier, page_size=_page(limit), cursor=cursor
            )
        )
        show_publications("Offers", islice(found, limit), as_json=as_json)


@find.command("subscriptions")
@expanded
def find_subscriptions(
    services: ServiceOptions, service_type: Type = None,
    requester: Annotated[str | None, typer.Option(help="MPL-REG id.")] = None,
    limit: Limit = 100, as_json: Json = False,
) -> None:  # fmt: skip
    """Subscriptions (MKP-SRV-SUB), a row for each of their descriptions."""
    criteria = services.criteria()
    with market_place() as client:
        found = every(
            lambda cursor: client.find_subscriptions(
                criteria, service_type=service_type, requester=requester, page_size=_page(limit), cursor=cursor
            )
        )
        show_publications("Subscriptions", islice(found, limit), as_json=as_json)


@find.command("services")
@expanded
def find_services(services: ServiceOptions, limit: Limit = 100, as_json: Json = False) -> None:
    """Service descriptions (MKP-SRV-DES)."""
    criteria = services.criteria()
    with market_place() as client:
        found = every(lambda cursor: client.find_descriptions(criteria, page_size=_page(limit), cursor=cursor))
        rows = [_service(one) for one in islice(found, limit)]
    show("Services", rows, SERVICES, as_json=as_json)


def find_dso(
    pod: Annotated[str | None, typer.Option(help="A PoD or its beginning.")] = None,
    country: Annotated[str | None, typer.Option(help="Or a country (AT).")] = None,
    city: Annotated[str | None, typer.Option(help="A city in it.")] = None,
    as_json: Json = False,
) -> None:
    """Which DSO serves a place, the most exact answer first."""
    if (pod is None) == (country is None) or (pod is not None and city is not None):
        raise typer.BadParameter("give --pod, or --country and perhaps --city")
    with market_place() as client:
        found = client.find_dso(pod=pod, country=country, city=city)
    rows = [(one.registration.id, one.company.contact_details.name, one.registration.status) for one in found.dsos]
    show(f"DSO: {found.outcome}", rows, ("id", "company", "status"), as_json=as_json)


def why(
    offer: Annotated[str, typer.Argument(help="MKP-SRV-OFF id.")],
    subscription: Annotated[str, typer.Argument(help="MKP-SRV-SUB id.")],
    as_json: Json = False,
) -> None:
    """Why an offer and a subscription match or do not: every attribute of each pair of their descriptions."""
    with market_place() as client:
        own = client.registration_id
        offered = _published(chain(offers_of(client, own), offers_of(client, None)), offer)
        wanted = _published(chain(subscriptions_of(client, own), subscriptions_of(client, None)), subscription)
        offers = [_description(client, one, offered.service_type) for one in offered.details]
        wants = [
            Wanted(_description(client, one, wanted.service_type), by_reference=isinstance(one, str))
            for one in wanted.details
        ]
    parties = _parties(offered, wanted)
    pairs = [(one.id, other.description.id, (parties, *compare(one, other))) for one in offers for other in wants]
    show_findings(pairs, as_json=as_json)


def show_publications(
    title: str, found: Iterable[ServiceOffer] | Iterable[ServiceSubscription], *, as_json: bool
) -> None:
    """Offers or subscriptions, a row for each of their descriptions."""
    rows = [
        (one.id, _party(one), one.service_type, one.status, one.version, *_service(detail))
        for one in found
        for detail in one.details
    ]
    show(title, rows, PUBLICATIONS, as_json=as_json)


def _page(limit: int) -> int:
    return min(limit, MOST_ON_A_PAGE)


def _party(publication: ServiceOffer | ServiceSubscription) -> str:
    return publication.supplier if isinstance(publication, ServiceOffer) else publication.requester


def _service(detail: ServiceDescription | str) -> tuple[object, ...]:
    """A description, or the reference to one, in a row."""
    if isinstance(detail, str):
        return (detail, *[None] * (len(SERVICES) - 1))
    start, end = detail.period or (None, None)
    return (
        detail.id, detail.short_description, detail.aggregation_level, detail.aggregation_method, detail.quantity,
        detail.time_step, start, end, _place(detail), detail.customer_consent_mandatory,
    )  # fmt: skip


def _place(description: ServiceDescription) -> str | None:
    place = description.localization
    if place is None:
        return None
    return "; ".join(", ".join(names) for names in (place.countries, place.cities, place.streets, place.pods) if names)


def _description(client: MarketPlace, detail: ServiceDescription | str, service_type: ServiceType) -> Description:
    """A description, looked up where only its reference is given, as far as it is matched."""
    one = client.read_description(detail) if isinstance(detail, str) else detail
    place = one.localization
    return Description(
        id=one.id,
        service_type=service_type,
        aggregation_level=one.aggregation_level,
        aggregation_method=one.aggregation_method,
        quantity=one.quantity,
        time_step=None if one.time_step is None else one.time_step.seconds,
        period=one.period,
        localization=None if place is None else Localization(place.countries, place.cities, place.streets, place.pods),
    )


def _parties(offer: ServiceOffer, subscription: ServiceSubscription) -> Finding:
    """Nobody is matched with itself."""
    fits = offer.supplier != subscription.requester
    text = "They are different registrations." if fits else "They are the same registration."
    return Finding("Supplier/Requester", fits, offer.supplier, subscription.requester, text)


def _published(found: Iterable[P], identifier: str) -> P:
    """The publication with this id. Raises ReferenceUnknown."""
    for one in found:
        if one.id == identifier:
            return one
    raise ReferenceUnknown(
        f"No {identifier} of an Active registration is Published. `player find offers` and `player find subscriptions` "
        "show all."
    )

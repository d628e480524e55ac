"""MKP-SRV-DES: what a service description must say, and when it may be changed (D2.3, 2.3; contract, decision 5)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flexiciency.domain.matching import MOST_PLACES
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, SchemaInvalid, StateConflict
from flexiciency.store import publications, subscriptions
from flexiciency.store.publications import Description
from flexiciency.store.transaction import Row, Transaction

LEVELS: Mapping[str, tuple[str | None, ...]] = {
    "IndividualDataProvision": ("None",),
    "AggregatedDataProvision": ("Country", "City", "Street", "Portfolio"),
    "EnergyServiceProvision": (None, "None", "Country", "City", "Street", "Portfolio"),
}
"""Aggregation levels that a description may have, by service type."""

METHODS: Mapping[str, tuple[str | None, ...]] = {
    "IndividualDataProvision": (None,),
    "AggregatedDataProvision": ("Sum", "Mean"),
    "EnergyServiceProvision": (None, "Sum", "Mean"),
}
"""Aggregation methods that a description may have, by service type."""

MOST_PLACES_NAMED = 500
"""Countries, cities and streets in one publication, or in what is looked for."""

MOST_PODS_NAMED = 2_000
"""PoDs in one publication, or in what is looked for."""

MOST_MASKED = 10
"""Of them masked."""

_Places = Mapping[str, Sequence[str]]
"""com:Localization by element name."""

_OPTIONAL = "EnergyServiceProvision"
_REQUIRED = {
    "AggregationLevel": "aggregation_level",
    "Quantity": "quantity",
    "Period": "period_start",
    "Localization": "localization",
    "TimeStep": "time_step",
}
"""Elements that a description of data provision has, and where they are stored."""


def read(sent: Any, service_type: str | None, path: str) -> Description:
    """A description as it was sent, for a service type if it has one. Raises SchemaInvalid."""
    period, place = sent.Period, sent.Localization
    if period is not None:
        must_end_after_start(period, f"{path}/Period")
    if place is not None:
        must_be_few([localization(place)], f"{path}/Localization")
        _must_be_indexed(localization(place), path)
    description = Description(
        id=sent.Id,
        service_type=service_type,
        short_description=sent.ShortDescription,
        usage_details=sent.UsageDetails,
        aggregation_level=sent.AggregationLevel,
        aggregation_method=sent.AggregationMethod,
        quantity=sent.Quantity,
        time_step=sent.TimeStep,
        period_start=period and period.Start,
        period_end=period and period.End,
        localization=None if place is None else localization(place),
        customer_consent_mandatory=sent.CustomerConsentMandatory,
    )
    must_be_complete(description, path)
    return description


def must_be_few(places: Iterable[_Places], path: str) -> None:
    """What all the localizations together name is bounded, however it is spread. Raises SchemaInvalid.

    It is compared under the Market Place's lock, and masked PoDs one with each.
    """
    named = [(element, name) for place in places for element, names in place.items() for name in names]
    pods = [name for element, name in named if element == "PoD"]
    for what, found, most in (
        ("countries, cities and streets", len(named) - len(pods), MOST_PLACES_NAMED),
        ("PoDs", len(pods), MOST_PODS_NAMED),
        ("masked PoDs (with * or ?)", sum("*" in pod or "?" in pod for pod in pods), MOST_MASKED),
    ):
        if found > most:
            raise SchemaInvalid(
                f"There are {found:,} {what} in all; at most {most:,} are taken. Split this into several, or "
                "name the country alone.",
                path=path,
            )


def _must_be_indexed(place: _Places, path: str) -> None:
    """Each country is indexed with each city; with more, cities would not be told apart. Raises SchemaInvalid."""
    countries, cities = len(place.get("Country", ())), len(place.get("City", ()))
    if countries * cities > MOST_PLACES:
        raise SchemaInvalid(
            f"{countries:,} countries with {cities:,} cities are {countries * cities:,} places; at most {MOST_PLACES} "
            "are taken. Publish several descriptions, one for each country, or name the countries alone.",
            path=f"{path}/Localization/City",
        )


def localization(place: Any) -> dict[str, list[str]]:
    """com:Localization by element name, of the elements that are there."""
    named = {name: getattr(place, name) for name in ("Country", "City", "Street", "PoD")}
    return {name: values for name, values in named.items() if values}


def must_end_after_start(period: Any, path: str) -> None:
    """Raises SchemaInvalid for a com:Period that is empty or turned round."""
    if period.End <= period.Start:
        raise SchemaInvalid(
            f"The period ends at {period.End.isoformat()} and starts at {period.Start.isoformat()}; "
            "End must be later than Start.",
            path=f"{path}/End",
        )


def must_be_complete(description: Description, path: str) -> None:
    """A description says what its service type needs. Raises SchemaInvalid, which names the element."""
    service_type = description.service_type
    if service_type is None or service_type == _OPTIONAL:
        return
    for element, stored in _REQUIRED.items():
        if getattr(description, stored) is None:
            raise SchemaInvalid(
                f"{element} is missing in {description.id}; a description for {service_type} has "
                f"{', '.join(_REQUIRED)}.",
                path=f"{path}/{element}",
            )
    choices = {
        "AggregationLevel": (description.aggregation_level, LEVELS[service_type]),
        "AggregationMethod": (description.aggregation_method, METHODS[service_type]),
    }
    for element, (found, allowed) in choices.items():
        if found not in allowed:
            raise SchemaInvalid(
                f"{element} of {description.id} is {_shown(found)}; for {service_type} it is "
                f"{' or '.join(map(_shown, allowed))}.",
                path=f"{path}/{element}",
            )


def must_be_own(owner_id: str, description_id: str, stored: Row | None, path: str) -> None:
    """A description that is stored already belongs to who publishes it. Raises IdentifierTaken, StateConflict."""
    if stored is not None and stored.owner_id != owner_id:
        raise IdentifierTaken(
            f"Service description {description_id} is {stored.owner_id}'s. Give yours an Id of its own.",
            path=f"{path}/Id",
        )
    if stored is not None and stored.withdrawn_at is not None:
        raise StateConflict(
            f"Service description {description_id} is withdrawn, and stays so. Give the new one a new Id.",
            path=f"{path}/Id",
        )


def must_know_references(
    tx: Transaction, described: Iterable[tuple[Any, str]], publishing: str | None = None
) -> None:  # fmt: skip
    """What descriptions as sent refer to is known, or just being published. Raises ReferenceUnknown."""
    referred = [
        (reference, kind, f"{path}/{element}")
        for sent, path in described
        for element, kind, references in (
            ("MarketPlaceServiceOfferRef", "Offer", [sent.MarketPlaceServiceOfferRef]),
            ("MarketPlaceServiceSubscriptionRef", "Subscription", sent.MarketPlaceServiceSubscriptionRef or []),
        )
        for reference in references
        if reference not in (None, publishing)
    ]
    if not referred:
        return
    (rows,) = tx.look_up(publications.kinds(reference for reference, _, _ in referred))
    known = {(row.id, row.kind) for row in rows}
    for reference, kind, path in referred:
        if (reference, kind) not in known:
            raise ReferenceUnknown(
                f"There is no {kind.lower()} {reference} here. The Market Place fills in this reference by itself; "
                "leave it out.",
                path=path,
            )


def put(
    tx: Transaction, owner_id: str, described: Sequence[tuple[Description, str]], stored: Mapping[str, Row]
) -> list[str]:
    """Store those that are new or changed, and give their ids.

    Raises StateConflict where a Proposed or Validated B2B-SRV-SUB refers to what would change.
    """
    changed = [(one, path) for one, path in described if one.id not in stored or one.differs(stored[one.id])]
    if not changed:
        return []
    ids = [one.id for one, _ in changed]
    (referring,) = tx.look_up(
        subscriptions.referring(owner_id, (identifier for identifier in ids if identifier in stored))
    )
    if referring:
        in_use = referring[0]
        raise StateConflict(
            f"B2B service subscription {in_use.b2b_id} refers to service description {in_use.description_id}, which "
            "therefore stays as it is. Give the changed one a new Id.",
            path=next(path for one, path in changed if one.id == in_use.description_id),
        )
    publications.put_descriptions(tx, owner_id, [one for one, _ in changed])
    return ids


def _shown(value: str | None) -> str:
    return "absent" if value is None else value

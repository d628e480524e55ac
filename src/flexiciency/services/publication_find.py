"""Offers, subscriptions and service descriptions found by every criterion of the contract, page by page (D2.3, 2.3)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from flexiciency.delivery import service_objects
from flexiciency.domain.matching import Description, Localization, Wanted, lookup_keys, matches
from flexiciency.errors import ReferenceUnknown
from flexiciency.services import service_description
from flexiciency.services.exchange import transaction_of
from flexiciency.services.matching import localization_of
from flexiciency.services.pages import PAGE_SIZE, cut
from flexiciency.services.replies import MARKET_PLACE
from flexiciency.soap.endpoint import Call
from flexiciency.store import publication_search, publications
from flexiciency.store.publication_search import Meets, Place
from flexiciency.store.publications import Kind, Publication
from flexiciency.store.transaction import Query, Row

MOST_ROWS = 2_000
"""Rows read for one reply. Where few of them are what is asked for, the page is short, and the next goes on."""

FEW = 5_000
"""Descriptions that are looked up by key and sorted; above, all are read in the order of their ids."""

MOST_PLACES = 100
"""Combinations of country and city that are looked up one by one; above, what is found is only compared."""

_QUANTITIES = (None, "EnergyConsumption", "EnergyGeneration", "Power")


def offers(call: Call, message: Any) -> Any:
    """MKP-SRV-OFF that are Published by Active registrations. Raises SchemaInvalid for a period turned round."""
    found, cursor = _published(call, message, "Offer", message.Supplier)
    return MARKET_PLACE.FindServiceOffersResponse(
        MarketPlaceServiceOffer=[service_objects.offer(MARKET_PLACE, one) for one in found], NextCursor=cursor
    )


def subscriptions(call: Call, message: Any) -> Any:
    """MKP-SRV-SUB that are Published by Active registrations. Raises SchemaInvalid for a period turned round."""
    found, cursor = _published(call, message, "Subscription", message.Requester)
    return MARKET_PLACE.FindServiceSubscriptionsResponse(
        MarketPlaceServiceSubscription=[service_objects.subscription(MARKET_PLACE, one) for one in found],
        NextCursor=cursor,
    )


def descriptions(call: Call, message: Any) -> Any:
    """MKP-SRV-DES of Active registrations, published alone or in what is Published. Raises SchemaInvalid."""
    meets, place = _meets(call, message.Criteria), _localization(call, message.Criteria)
    tx, keys = transaction_of(call), _keys(None, meets, place)
    (counted,) = tx.look_up(publication_search.few(keys, FEW))

    def read(last: Row | None, limit: int) -> Query:
        after = (message.Cursor or "") if last is None else last.id
        if counted[0].few:
            return publication_search.descriptions_by_key(keys, meets, after, limit)
        return publication_search.descriptions(meets, after, limit)

    def shows(row: Row) -> bool:
        return row.meets and _applies(row.localization, place)

    ids, cursor = _page(call, read, lambda row: str(row.id), shows, message.PageSize or PAGE_SIZE)
    (rows,) = tx.look_up(publications.descriptions(ids))
    return MARKET_PLACE.FindServiceDescriptionsResponse(
        MarketPlaceServiceDescription=[service_objects.description(MARKET_PLACE, row) for row in rows],
        NextCursor=cursor,
    )


def description(call: Call, message: Any) -> Any:
    """MKP-SRV-DES by its Id, whether it is still published or not. Raises ReferenceUnknown."""
    (rows,) = transaction_of(call).look_up(publications.descriptions([message.ServiceDescriptionId]))
    if not rows:
        raise ReferenceUnknown(
            f"There is no service description {message.ServiceDescriptionId} here. FindServiceDescriptions shows all.",
            path="ReadServiceDescription/ServiceDescriptionId",
        )
    return MARKET_PLACE.ReadServiceDescriptionResponse(
        MarketPlaceServiceDescription=service_objects.description(MARKET_PLACE, rows[0])
    )


def _published(call: Call, message: Any, kind: Kind, party_id: str | None) -> tuple[list[Publication], str | None]:
    """One page, and the cursor of the next."""
    meets, localization = _meets(call, message.Criteria), _localization(call, message.Criteria)
    by = _source(kind, party_id, message.ServiceType, meets, localization)
    start = Place(message.Cursor or "")

    def read(last: Row | None, limit: int) -> Query:
        place = (
            start if last is None else replace(start, read=last.publication_id, read_description=last.description_id)
        )
        return by(place, limit)

    def shows(row: Row) -> bool:
        return row.meets and _applies(row.localization, localization)

    ids, cursor = _page(call, read, lambda row: str(row.publication_id), shows, message.PageSize or PAGE_SIZE)
    (rows,) = transaction_of(call).look_up(publications.publications(ids))
    return publications.publications_of(rows), cursor


def _source(
    kind: Kind, party_id: str | None, service_type: str | None, meets: Meets, localization: Localization | None
) -> Callable[[Place, int], Query]:
    """The index that leaves the least to read."""
    if party_id is not None:
        return lambda place, limit: publication_search.by_party(kind, party_id, service_type, meets, place, limit)
    if localization is None and not (meets.aggregation_level or meets.aggregation_method or meets.quantity):
        types = [service_type] if service_type else list(service_description.LEVELS)
        return lambda place, limit: publication_search.by_type(kind, types, meets, place, limit)
    keys = _keys(service_type, meets, localization)
    return lambda place, limit: publication_search.by_key(kind, keys, meets, place, limit)


def _page(
    call: Call, read: Callable[[Row | None, int], Query], named: Callable[[Row], str], shows: Callable[[Row], bool],
    size: int,
) -> tuple[Sequence[str], str | None]:  # fmt: skip
    """The first ids of rows that show what is asked for, and the cursor where there may be more.

    Reads on after the last row, more rows each time, until the page is full, nothing is left or `MOST_ROWS` are read.
    """
    tx, found, last, seen, limit = transaction_of(call), dict[str, None](), None, 0, size + 1
    while len(found) <= size:
        (rows,) = tx.look_up(read(last, limit))
        found |= dict.fromkeys(named(row) for row in rows if shows(row))
        if len(rows) < limit:
            return cut(list(found), size)
        last, seen, limit = rows[-1], seen + len(rows), 2 * limit
        whole = [named(row) for row in rows if named(row) != named(last)]
        if seen >= MOST_ROWS and whole:
            ids, cursor = cut([one for one in found if one != named(last)], size)
            return ids, cursor or whole[-1]
        limit = min(limit, max(MOST_ROWS - seen, size + 1))
    return cut(list(found), size)


def _meets(call: Call, criteria: Any) -> Meets:
    if criteria is None:
        return Meets()
    period = criteria.Period
    if period is not None:
        service_description.must_end_after_start(period, f"{call.operation.name}/Criteria/Period")
    return Meets(
        aggregation_level=criteria.AggregationLevel,
        aggregation_method=criteria.AggregationMethod,
        quantity=criteria.Quantity,
        time_step=criteria.TimeStep,
        customer_consent_mandatory=criteria.CustomerConsentMandatory,
        period_start=period and period.Start,
        period_end=period and period.End,
    )


def _localization(call: Call, criteria: Any) -> Localization | None:
    if criteria is None or criteria.Localization is None:
        return None
    place = service_description.localization(criteria.Localization)
    service_description.must_be_few([place], f"{call.operation.name}/Criteria/Localization")
    return localization_of(place)


def _keys(service_type: str | None, meets: Meets, localization: Localization | None) -> list[str]:
    """What to look up, whatever is not asked for."""
    if localization and (len(localization.countries) or 1) * (len(localization.cities) or 1) > MOST_PLACES:
        localization = None
    found: set[str] = set()
    for one in [service_type] if service_type else service_description.LEVELS:
        levels = _asked(meets.aggregation_level, service_description.LEVELS[one])
        methods = _asked(meets.aggregation_method, service_description.METHODS[one])
        for level, method, quantity in product(levels, methods, _asked(meets.quantity, _QUANTITIES)):
            found |= lookup_keys(Description("", one, level, method, quantity, None, None, localization))
    return sorted(found)


def _asked(asked: str | None, possible: Sequence[str | None]) -> Iterable[str | None]:
    """The value asked for where it is possible, all where none is."""
    return possible if asked is None else [one for one in possible if one == asked]


def _applies(stored: Mapping[str, Sequence[str]] | None, asked: Localization | None) -> bool:
    """Whether a description applies at the place asked for, by the rule of matching."""
    return asked is None or matches(_at(localization_of(stored)), Wanted(_at(asked), by_reference=False))


def _at(place: Localization | None) -> Description:
    """A description that says nothing but where it applies."""
    return Description("", "", None, None, None, None, None, place)

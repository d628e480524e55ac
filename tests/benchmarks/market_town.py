"""Databases of the Market Place's benchmark: a small and a large one, alike but for their size."""

import contextlib
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from psycopg import sql
from sqlalchemy import Connection, Table, make_url, text

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.matching import Description, Localization, Wanted, matches, search_keys
from flexiciency.store import migrate, tables
from flexiciency.store.database import Database, driver
from tests.benchmarks.town import Town, server
from tests.world import PLAYER, make_world

FEW = 20
"""Offers that the measured subscription matches, each of another provider, in either database."""
REQUESTERS = 64
"""Registrations of the world's market player that have not subscribed to anything yet."""
COMPANY = "Glasmond Daten"
"""Part of the names of the few providers, and of no other name."""
COUNTRIES = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
CITIES = ("Linz", *(f"Bezirk {number}" for number in range(1, 100)))
"""Of each country."""
OFFERED = Description(
    id="",
    service_type="IndividualDataProvision",
    aggregation_level="None",
    aggregation_method=None,
    quantity=Quantity.ENERGY_CONSUMPTION.value,
    time_step=TimeStep.PT15M.seconds,
    period=(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    localization=Localization(countries=("AT",), cities=("Linz",)),
)
"""By each of the few."""
WANTED = replace(OFFERED, time_step=TimeStep.PT1H.seconds)
"""By the measured subscription."""

# Level, method and quantity by service type; individual data are offered and wanted most, in each combination.
_KINDS = (
    *(("IndividualDataProvision", "None", None, quantity.value) for quantity in Quantity for _ in range(8)),
    *(
        ("AggregatedDataProvision", level, method, quantity.value)
        for level in ("Country", "City", "Street", "Portfolio")
        for method in ("Sum", "Mean")
        for quantity in Quantity
    ),
    *(("EnergyServiceProvision", None, None, quantity) for quantity in (None, *(q.value for q in Quantity))),
)  # fmt: skip
_STEPS = {step.seconds: step.value for step in TimeStep}
_AT = "2025-06-01T00:00Z"

# What hangs on each registration, and what each reader has been told of.
_REST = f"""
INSERT INTO company_name_part
SELECT DISTINCT substr(lower(company_information), place), id
FROM market_player_description, generate_series(1, length(company_information)) AS place
ORDER BY 1, 2;
INSERT INTO market_player_location
SELECT id || ':add', id, 'https://localhost/' || id FROM market_player_registration
WHERE role = 'UnregulatedDataRequester' AND id NOT LIKE '{PLAYER}%';
INSERT INTO market_player_authentication
    (id, registration_id, contact_point, fingerprint, certificate, valid_from, valid_until)
SELECT id || ':aut', id, '{{"Name": "System", "Email": "system@localhost"}}'::jsonb,
    encode(sha256(convert_to(id, 'UTF8')), 'hex'), ''::bytea, now(), now() + INTERVAL '1 year'
FROM market_player_registration ON CONFLICT DO NOTHING;
INSERT INTO directory_change SELECT kind, id, reader, nextval('directory_number') FROM (
    SELECT 'MPL-REG', id, '' FROM market_player_registration
    UNION ALL SELECT 'MPL-DES', id, '' FROM market_player_description
    UNION ALL SELECT 'MPL-ADD', id, '' FROM market_player_location
    UNION ALL SELECT 'MPL-AUT', id, '' FROM market_player_authentication
    UNION ALL SELECT 'B2B-SRV-SUB', id, provider_id FROM b2b_service_subscription
    UNION ALL SELECT 'B2B-SRV-SUB', id, requester_id FROM b2b_service_subscription
) AS changed (kind, id, reader);
"""  # noqa: S608  constants


@dataclass(frozen=True)
class Size:
    """How many registrations there are, and how many offers and subscriptions, of each as many."""

    registrations: int
    publications: int


@dataclass(frozen=True, slots=True)
class Publication:
    """An offer or a subscription with its one description."""

    id: str
    party_id: str
    description: Description


SMALL, LARGE = Size(1_000, 1_000), Size(50_000, 100_000)


@contextlib.contextmanager
def market_towns() -> Iterator[tuple[Town, Town]]:
    """The small and the large one, in one server."""
    with server() as (url, keys), contextlib.closing(Database(url)) as administration:
        towns = []
        for name, size in (("small", SMALL), ("large", LARGE)):
            with administration.autocommit() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            there = make_url(url).set(database=name).render_as_string(hide_password=False)
            folder = keys / name
            folder.mkdir()
            with contextlib.closing(Database(there)) as database:
                migrate.upgrade(database)
                world = make_world(database, folder, pods=0, key_type="rsa")
                fill(database, size)
            towns.append(Town(there, world, folder))
        yield towns[0], towns[1]


def requester_id(number: int) -> str:
    """Registration `number` of those that have not subscribed to anything yet."""
    return f"{PLAYER}-{number}"


def pod_prefix(dso: int) -> str:
    """What the PoDs of DSO number `dso` begin with."""
    return f"{COUNTRIES[dso % len(COUNTRIES)]}{dso:06d}"


def fill(database: Database, size: Size) -> None:
    """As after years: each subscription has one offer that it matches, and both parties have validated that."""
    random = Random(size.publications)  # noqa: S311  spread, not secrecy
    parties = _Parties(tuple(_new_id(random) for _ in range(size.registrations)))
    offers = list(_offers(random, parties, size.publications))
    taken = [offers[FEW + number % (size.publications - FEW)] for number in range(size.publications)]
    subscriptions = [_subscription(random, parties, offer) for offer in taken]
    with database.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no look-up of each reference
        _put_parties(connection, random, parties)
        _put_publications(connection, offers, subscriptions)
        _put_b2b(connection, random, zip(taken, subscriptions, strict=True))
        driver(connection).execute(_REST)
    with database.autocommit() as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
        connection.execute(text("CHECKPOINT"))  # what filling left to write is not written while we measure


class _Parties:
    """Registrations by role: of a hundred 5 are DSOs, 15 provide data, 10 services, the others request."""

    def __init__(self, ids: tuple[str, ...]) -> None:
        share = len(ids) // 20
        self.dsos, rest = ids[:share], ids[share:]
        self.few, data_providers = rest[:FEW], rest[FEW : 3 * share]
        self.service_providers, self.requesters = rest[3 * share : 5 * share], rest[5 * share :]
        self.data_providers = self.few + data_providers
        self._data_suppliers = self.dsos + data_providers

    def suppliers(self, service_type: str) -> tuple[str, ...]:
        """Who may offer it, but the few."""
        return self.service_providers if service_type == "EnergyServiceProvision" else self._data_suppliers

    def companies(self) -> Iterator[tuple[str, str, str, str]]:
        """Each registration with its role, and its company's name and subtype."""
        for number, party in enumerate(self.dsos):
            yield party, "RegulatedDataProvider", f"Netz {number} Verteilung", "DSO"
        for number, party in enumerate(self.data_providers):
            name = f"{COMPANY} {number}" if number < FEW else f"Messwert Haus {number}"
            yield party, "UnregulatedDataProvider", name, "Retailer"
        for number, party in enumerate(self.service_providers):
            yield party, "UnregulatedServiceProvider", f"Energieberatung {number}", "ESCO"
        for number, party in enumerate(self.requesters):
            yield party, "UnregulatedDataRequester", f"Kundenportal {number}", "Aggregator"


def _offers(random: Random, parties: _Parties, number: int) -> Iterator[Publication]:
    """The few that the measured subscription matches, then others that it does not."""
    for party in parties.few:
        yield Publication(_new_id(random), party, replace(OFFERED, id=_new_id(random)))
    wanted, left = Wanted(WANTED, by_reference=False), number - FEW
    while left:
        description = _description(random)
        if not matches(description, wanted):
            yield Publication(_new_id(random), random.choice(parties.suppliers(description.service_type)), description)
            left -= 1


def _subscription(random: Random, parties: _Parties, offer: Publication) -> Publication:
    """By somebody who wants what is offered, in a time step that can be made of the offered one."""
    offered = offer.description
    step = random.choice([step for step in _STEPS if offered.time_step and step % offered.time_step == 0] or [None])
    wanted = replace(offered, id=_new_id(random), time_step=step)
    return Publication(_new_id(random), random.choice(parties.requesters), wanted)


def _description(random: Random) -> Description:
    service_type, level, method, quantity = random.choice(_KINDS)
    start = random.randrange(2024, 2028)
    return Description(
        id=_new_id(random),
        service_type=service_type,
        aggregation_level=level,
        aggregation_method=method,
        quantity=quantity,
        time_step=None if quantity is None else random.choice(tuple(_STEPS)),
        period=(datetime(start, 1, 1, tzinfo=UTC), datetime(start + random.randrange(1, 4), 1, 1, tzinfo=UTC)),
        localization=_localization(random, service_type),
    )


def _localization(random: Random, service_type: str) -> Localization | None:
    """A city mostly, else three of them or the whole country; of energy services a fifth are everywhere."""
    if service_type == "EnergyServiceProvision" and random.random() < 0.2:
        return None
    cities = random.choices((1, 3, 0), (85, 8, 7))[0]
    return Localization((random.choice(COUNTRIES),), tuple(random.sample(CITIES, cities)))


def _put_parties(connection: Connection, random: Random, parties: _Parties) -> None:
    """A company for each registration; and the requesters that have not subscribed yet, in the player's company."""
    description, registration = tables.market_player_description, tables.market_player_registration
    companies = list(parties.companies())
    countries = {party: random.choice(COUNTRIES) for party, *_ in companies}
    _copy(
        connection,
        description,
        (
            (f"{party}:des", name, f"Energy{'R' if subtype == 'DSO' else 'Unr'}egulatedPlayer", subtype,
             json.dumps({"Name": name, "Email": "info@localhost", "City": "Linz", "Country": countries[party]}))
            for party, _, name, subtype in companies
        ),
    )  # fmt: skip
    _copy(
        connection, registration, ((party, f"{party}:des", role, "Active", _AT, None) for party, role, *_ in companies)
    )
    fresh = (requester_id(number) for number in range(REQUESTERS))
    _copy(
        connection,
        registration,
        ((party, f"{PLAYER}:des", "UnregulatedDataRequester", "Active", _AT, None) for party in fresh),
    )
    _copy(
        connection,
        tables.market_player_territory,
        ((f"{party}:des", 0, countries[party], None, pod_prefix(number)) for number, party in enumerate(parties.dsos)),
    )


def _put_publications(connection: Connection, offers: list[Publication], subscriptions: list[Publication]) -> None:
    """Sorted by key, which makes the index of keys grow at its end."""
    kinds = (("Offer", offers), ("Subscription", subscriptions))
    all_of_them = [(kind, one) for kind, published in kinds for one in published]
    _copy(
        connection,
        tables.publication,
        (
            (one.id, kind, one.party_id, one.description.service_type, "Published", 1, _AT)
            for kind, one in all_of_them
        ),
    )  # fmt: skip
    _copy(connection, tables.service_description, (_row(one) for _, one in all_of_them))
    _copy(
        connection,
        tables.publication_description,
        ((one.id, 1, one.description.id, False) for _, one in all_of_them),
    )
    keys = (
        (key, kind, one.id, one.description.id) for kind, one in all_of_them for key in search_keys(one.description)
    )
    _copy(connection, tables.publication_key, sorted(keys))


def _put_b2b(connection: Connection, random: Random, pairs: Iterable[tuple[Publication, Publication]]) -> None:
    """One validated B2B service subscription for each pair."""
    validated = [(_new_id(random), offer, subscription) for offer, subscription in pairs]
    _copy(
        connection,
        tables.b2b_service_subscription,
        (
            (b2b, offer.party_id, subscription.party_id, "Validated", _AT, "Data", "Processing", 1, _AT, _AT)
            for b2b, offer, subscription in validated
        ),
    )
    _copy(
        connection,
        tables.b2b_service_subscription_description,
        ((b2b, offer.description.id) for b2b, offer, _ in validated),
    )
    _copy(
        connection,
        tables.b2b_service_subscription_match,
        (
            (b2b, offer.id, offer.description.id, subscription.id, subscription.description.id, 1, 1)
            for b2b, offer, subscription in validated
        ),
    )


def _row(one: Publication) -> tuple[Any, ...]:
    """Of service_description."""
    described, place = one.description, one.description.localization
    named = {} if place is None else {"Country": place.countries, "City": place.cities}
    return (
        described.id,
        one.party_id,
        described.service_type,
        "Values of meters, each with its quality",
        "With the customer's consent",
        described.aggregation_level,
        described.aggregation_method,
        described.quantity,
        None if described.time_step is None else _STEPS[described.time_step],
        None if described.period is None else f"[{described.period[0].isoformat()},{described.period[1].isoformat()})",
        json.dumps({name: names for name, names in named.items() if names}) if named else None,
        True,
        None,
        False,
    )


def _copy(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows in the order of the table's columns; every value in PostgreSQL's own text is fine."""
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
    with driver(connection).cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            copy.write_row(row)


def _new_id(random: Random) -> str:
    return uuid.UUID(int=random.getrandbits(128), version=4).urn

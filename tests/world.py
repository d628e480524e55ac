"""A small world for tests: a CA, a DSO with its facts in the database, a market player, a customers' channel."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.serialization import Encoding
from psycopg.types.range import TimestamptzRange
from sqlalchemy import delete, insert, select, update

from flexiciency.config import Settings
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.wire.authority import Authority, KeyType
from flexiciency.wire.identity import Identity, fingerprint_of, valid_between
from flexiciency.wire.trust import TrustAnchors
from tests.blocks import write_blocks

DSO = "urn:uuid:00000000-0000-4000-8000-00000000d500"
PLAYER = "urn:uuid:00000000-0000-4000-8000-000000000e50"
STRANGER = "urn:uuid:00000000-0000-4000-8000-000000000bad"
CHANNEL = "portal"
SERVICE = "urn:uuid:00000000-0000-4000-8000-000000005e20"
SUBSCRIPTION = "urn:uuid:00000000-0000-4000-8000-00000000b2b0"
ZONE = "Europe/Vienna"
FIRST_DAY, END_DAY = date(2025, 1, 1), date(2025, 2, 1)


def pod_name(number: int) -> str:
    """PoD of customer `number`."""
    return f"AT{number:031d}"


def customer_id(number: int) -> str:
    """Holder of `pod_name(number)` since 2020."""
    return f"C-{number}"


@dataclass(frozen=True)
class World:
    """Keys and settings of everyone; the facts are in the database."""

    settings: Settings
    authority: Authority
    anchors: TrustAnchors
    dso: Identity
    player: Identity
    stranger: Identity
    channel: Identity


def make_world(
    database: Database, folder: Path, *, pods: int = 5, uri: str | None = None, key_type: KeyType = "ec"
) -> World:
    """A world of `pods` PoDs with a month of values each; the player is pushed to at `uri`, or has a mailbox."""
    now = datetime.now(UTC)
    validity = {"valid_from": now - timedelta(days=1), "valid_until": now + timedelta(days=30)}
    authority = Authority.create("Test CA", key_type, **validity)
    names = ("dso", "player", "stranger", "channel")
    identities = {name: authority.issue(name, key_type, **validity) for name in names}
    for name, issued in identities.items():
        issued.write(folder / f"{name}.pem", folder / f"{name}.key")
    (folder / "ca.pem").write_bytes(authority.issued.certificate_pem)
    keys = {name: issued.identity for name, issued in identities.items()}
    _facts(database, keys, uri)
    _pods(database, pods)
    settings = Settings(
        registration_id=DSO,
        hosts_market_place=True,
        key_file=folder / "dso.key",
        certificate_file=folder / "dso.pem",
        trust_file=folder / "ca.pem",
        push_hosts=frozenset({"127.0.0.1"}),
    )
    anchors = TrustAnchors.from_pem(authority.issued.certificate_pem)
    return World(settings, authority, anchors, keys["dso"], keys["player"], keys["stranger"], keys["channel"])


def _facts(database: Database, keys: dict[str, Identity], uri: str | None) -> None:
    now = datetime.now(UTC)
    with database.begin() as connection:
        for identifier, name, role in (
            (DSO, "dso", "RegulatedDataProvider"),
            (PLAYER, "player", "UnregulatedDataRequester"),
            (STRANGER, "stranger", "UnregulatedDataRequester"),
        ):
            connection.execute(
                insert(tables.market_player_description).values(
                    id=f"{identifier}:des", company_information=name, company_type="EnergyUnregulatedPlayer",
                    contact={"Name": name},
                )
            )  # fmt: skip
            connection.execute(
                insert(tables.market_player_registration).values(
                    id=identifier, description_id=f"{identifier}:des", role=role, status="Active", since=now
                )
            )
            first, last = valid_between(keys[name].certificate)
            connection.execute(
                insert(tables.market_player_authentication).values(
                    id=f"{identifier}:aut", registration_id=identifier, contact_point={"Name": name},
                    fingerprint=fingerprint_of(keys[name].certificate),
                    certificate=keys[name].certificate.public_bytes(Encoding.DER), valid_from=first,
                    valid_until=last,
                )
            )  # fmt: skip
        if uri is not None:
            connection.execute(
                insert(tables.market_player_location).values(id=f"{PLAYER}:add", registration_id=PLAYER, uri=uri)
            )
        connection.execute(
            insert(tables.customer_channel).values(
                id=CHANNEL, name="portal", fingerprint=keys["channel"].fingerprint, certificate=b"", bound_at=now
            )
        )
        connection.execute(
            insert(tables.service_description).values(
                id=SERVICE, owner_id=DSO, service_type="IndividualDataProvision", short_description="Load curves",
                usage_details="Consent", aggregation_level="None", quantity="EnergyConsumption", time_step="PT15M",
                customer_consent_mandatory=True,
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.b2b_service_subscription).values(
                id=SUBSCRIPTION, provider_id=DSO, requester_id=PLAYER, status="Validated", validation_date=now,
                data_details="Load curves", processing_details="Advice", version=1,
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.b2b_service_subscription_description).values(
                subscription_id=SUBSCRIPTION, service_description_id=SERVICE
            )
        )


def _pods(database: Database, pods: int) -> None:
    with database.begin() as connection:
        for number in range(pods):
            row = connection.execute(
                insert(tables.pod)
                .values(pod=pod_name(number), country="AT", city="Linz", street="Landstraße", time_zone=ZONE)
                .returning(tables.pod.c.id)
            )
            held = TimestamptzRange(datetime(2020, 1, 1, tzinfo=UTC), None)
            connection.execute(
                insert(tables.pod_holder).values(pod_id=row.scalar_one(), customer_id=customer_id(number), held=held)
            )
        write_blocks(connection, [block(n, FIRST_DAY + timedelta(d)) for n in range(pods) for d in range(31)])


def block(number: int, day: date, version: int = 1) -> Block:
    """A day of quarter hours whose values tell PoD, day and version."""
    count = steps_in_day(day, ZONE, TimeStep.PT15M)
    values = np.arange(count, dtype=np.int32) + 1000 * number + 100 * day.day + version
    start, _ = local_day(day, ZONE)
    return Block(pod_name(number), Quantity.ENERGY_CONSUMPTION, day, version, start, TimeStep.PT15M, values)


@contextmanager
def status_of(database: Database, registration_id: str, status: str) -> Iterator[None]:
    """A registration in another state for a while."""
    _set_status(database, registration_id, status)
    try:
        yield
    finally:
        _set_status(database, registration_id, "Active")


def _set_status(database: Database, registration_id: str, status: str) -> None:
    registration = tables.market_player_registration
    with database.begin() as connection:
        connection.execute(update(registration).where(registration.c.id == registration_id).values(status=status))


def move_in(database: Database, number: int, customer: str, moved: datetime) -> None:
    """Another customer holds the PoD of customer `number` from `moved` on."""
    holder = tables.pod_holder
    with database.begin() as connection:
        pod_id = connection.execute(select(tables.pod.c.id).where(tables.pod.c.pod == pod_name(number))).scalar_one()
        until = TimestamptzRange(datetime(2020, 1, 1, tzinfo=UTC), moved)
        connection.execute(update(holder).where(holder.c.pod_id == pod_id).values(held=until))
        connection.execute(
            insert(holder).values(pod_id=pod_id, customer_id=customer, held=TimestamptzRange(moved, None))
        )


def set_address(database: Database, uri: str | None) -> None:
    """Where the player is pushed to from now on; None for nowhere."""
    location = tables.market_player_location
    with database.begin() as connection:
        connection.execute(delete(location).where(location.c.registration_id == PLAYER))
        if uri is not None:
            connection.execute(insert(location).values(id=f"{PLAYER}:add", registration_id=PLAYER, uri=uri))

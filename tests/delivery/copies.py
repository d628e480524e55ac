"""A Market Place and a DSO elsewhere that keeps a copy of its directory: two gateways, two databases, over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select, text, update

from flexiciency import app
from flexiciency.client import B2BSubscription, DirectoryChanges, Enrolment, MarketPlace, ServiceDescription
from flexiciency.config import Settings
from flexiciency.contract.catalogue import B2B as B2B_INTERFACE
from flexiciency.delivery.mirror import age, catch_up
from flexiciency.delivery.worker import run
from flexiciency.errors import PartnerFault
from flexiciency.services.replies import B2B
from flexiciency.store import market, tables
from flexiciency.store.database import Database
from flexiciency.store.market import Kind
from flexiciency.store.transaction import transaction
from flexiciency.wire.addressing import MARKET_PLAYER_URN
from flexiciency.wire.identity import Identity
from tests.gateway import Sender, served
from tests.messages import COM, new_id
from tests.services.enrolling import (
    PROVIDER,
    add_access_point,
    calling,
    enrolled,
    issued,
)
from tests.services.publishing import offer_of, wish_of
from tests.world import World, pod_name

COPIED = (
    tables.market_player_description, tables.market_player_territory, tables.market_player_registration,
    tables.market_player_authentication, tables.market_player_location, tables.service_description,
    tables.b2b_service_subscription, tables.b2b_service_subscription_description,
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """The Market Place: its own database, key and gateway."""

    world: World
    database: Database
    url: str
    settings: Settings
    identity: Identity
    open: ExitStack

    def work(self) -> None:
        """A worker until no job is due; one that does not wait may end while a look at the directory still queues."""
        pusher, duty = app.pusher(self.settings, self.database), app.directory(self.settings, self.database)
        for _ in range(2):
            run(self.database, pusher, concurrency=1, directory=duty, wait=False)

    def newcomer(self, **wanted: Any) -> "Player":
        """A Market Player that the operator has approved."""
        identity = issued(self.world.authority)
        enrolment = enrolled(self.world, self.url, self.database, identity, **wanted)
        return Player(enrolment, identity, self.calls(identity, enrolment.registration.id))

    def calls(self, identity: Identity, registration_id: str) -> MarketPlace:
        """The Market Place as a registration calls it."""
        return self.open.enter_context(calling(self.world, self.url, identity, registration_id))

    def changed(self, kind: Kind, object_id: str, *readers: str) -> None:
        """The object changes once more."""
        with transaction(self.database) as tx:
            market.lock(tx)
            market.changed(tx, kind, object_id, readers or (market.EVERYBODY,))


@dataclass(frozen=True)
class Player:
    """A Market Player and how it calls the Market Place."""

    enrolment: Enrolment
    identity: Identity
    calls: MarketPlace

    @property
    def id(self) -> str:
        return self.enrolment.registration.id


@dataclass(frozen=True)
class Dso:
    """The DSO: its copy of the directory, and its gateway."""

    world: World
    database: Database
    url: str
    settings: Settings
    calls: MarketPlace

    @property
    def id(self) -> str:
        return self.calls.registration_id

    def catch_up(self, calls: MarketPlace | None = None) -> None:
        catch_up(self.database, calls or self.calls, self.id, datetime.now(UTC))

    def read(self) -> None:
        """Bring the copy up to date, which must not fail."""
        self.catch_up()
        assert age(self.database).failure is None

    def work(self) -> None:
        """A worker from its start until no job is due."""
        pusher = app.pusher(self.settings, self.database)
        run(self.database, pusher, concurrency=1, directory=app.directory(self.settings, self.database), wait=False)

    def asked_by(self, player: Player, identity: Identity | None = None) -> Sender:
        """What a player sends to the B2B interface."""
        return Sender(
            self.url, self.world.anchors, identity or player.identity, MARKET_PLAYER_URN + player.id, B2B_INTERFACE,
            MARKET_PLAYER_URN + self.id,
        )  # fmt: skip

    def refusal(self, player: Player, identity: Identity | None = None) -> str | None:
        """The code of the fault that a player's call gets; None where it is answered."""
        try:
            self.asked_by(player, identity).send(B2B.Ping())
        except PartnerFault as fault:
            return fault.partner_code
        return None

    def activation(self, player: Player, description_id: str) -> str | None:
        """Why a service may not be activated; None where it may."""
        request = B2B.DsoServiceActivationRequest(
            Id=new_id(), MarketPlaceServiceDescriptionRef=description_id, Requester=player.id, PoD=[pod_name(1)]
        )
        sent = B2B.RequestDsoServiceActivation(DsoServiceActivationRequest=request)
        return self.asked_by(player).send(sent).body.findtext(f".//{COM}Code")

    def row(self, table: Table, identifier: str) -> Any:
        """The row of an object, if it is there."""
        with self.database.begin() as connection:
            return connection.execute(select(table).where(table.c.id == identifier)).one_or_none()

    def rows(self) -> dict[str, list[Any]]:
        """All of the copy."""
        with self.database.begin() as connection:
            return {table.name: sorted(map(str, connection.execute(select(table)))) for table in COPIED}

    def drop_jobs(self) -> None:
        """Nothing waits for a worker."""
        with self.database.begin() as connection:
            connection.execute(text("DELETE FROM procrastinate_jobs"))

    def forget_cursor(self) -> None:
        """The directory will be read from its beginning."""
        with self.database.begin() as connection:
            connection.execute(update(tables.market_place_mirror).values(cursor=None))


class Slow(MarketPlace):
    """While each page is on its way something happens."""

    def __init__(self, dso: Dso, place: Place, *meanwhile: Callable[[], None]) -> None:
        super().__init__(dso.world.dso, dso.id, f"{place.url}/v1/services/market-place", dso.world.anchors)
        self._meanwhile = iter(meanwhile)

    def directory_changes(self, cursor: str | None = None, *, page_size: int | None = None) -> DirectoryChanges:
        page = super().directory_changes(cursor, page_size=page_size)
        for happens in islice(self._meanwhile, 1):
            happens()
        return page


def validated(dso: Dso, player: Player, service: ServiceDescription) -> B2BSubscription:
    """The DSO offers a service, the player wants it, and both validate."""
    dso.calls.publish_offer(offer_of(dso.calls, service))
    player.calls.publish_subscription(wish_of(player.calls, service.id))
    (found,) = player.calls.find_b2b_subscriptions(provider=dso.id).items
    for party in (dso, player):
        party.calls.validate_b2b_subscription(found.id)
    return found


@contextmanager
def serving_place(world: World, database: Database, folder: Path) -> Iterator[Place]:
    """A Market Place alone, with a key of its own and an access point."""
    key = world.authority.issue(
        "Market Place", "ec", valid_from=datetime.now(UTC) - timedelta(days=1),
        valid_until=datetime.now(UTC) + timedelta(days=30),
    )  # fmt: skip
    key.write(folder / "place.pem", folder / "place.key")
    settings = world.settings.model_copy(
        update={
            "registration_id": None,
            "key_file": folder / "place.key",
            "certificate_file": folder / "place.pem",
        }
    )
    add_access_point(database)
    with served(app.site(settings, database)) as url, ExitStack() as opened:
        yield Place(world, database, url, settings, key.identity, opened)


@contextmanager
def serving_dso(world: World, database: Database, place: Place) -> Iterator[Dso]:
    """A DSO as it comes: enrolled, approved, and what was there before entered by hand."""
    enrolment = enrolled(world, place.url, place.database, world.dso, role=PROVIDER)
    own_id = enrolment.registration.id
    settings = world.settings.model_copy(
        update={
            "registration_id": own_id,
            "hosts_market_place": False,
            "market_place_url": f"{place.url}/v1/services/market-place",
            "market_place_certificate_file": place.settings.certificate_file,
        }
    )
    with served(app.site(settings, database)) as url:
        yield Dso(world, database, url, settings, place.calls(world.dso, own_id))

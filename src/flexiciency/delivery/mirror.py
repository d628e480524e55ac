"""A DSO that does not host the Market Place keeps a copy of its directory: read from a cursor on, page by page.

The Market Place's numbers are the order of changes, so that reading in their order is the one way in: what is pushed
says only that there is news. Any number of workers may read at once: a page counts where the cursor still stands.
"""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog

from flexiciency.client.market_objects import B2BSubscription, DirectoryObject, ServiceDescription
from flexiciency.client.market_place import MarketPlace, pages
from flexiciency.errors import GatewayError, PartnerFault, ReferenceUnknown, Unavailable
from flexiciency.store import mirror
from flexiciency.store.database import Database
from flexiciency.store.directory import data_service_type
from flexiciency.store.mirror import Key
from flexiciency.store.transaction import Transaction, transaction

log = structlog.get_logger()

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Age:
    """How old the copy is: when all of it was read, and when and why that failed since."""

    read_at: datetime | None
    failed_at: datetime | None
    failure: str | None


def age(database: Database) -> Age:
    """Of the copy in this database; all None where there is none."""
    with transaction(database) as tx:
        (rows,) = tx.look_up(mirror.state())
    return Age(rows[0].read_at, rows[0].failed_at, rows[0].failure) if rows else Age(None, None, None)


def catch_up(database: Database, market_place: MarketPlace, own_id: str, now: datetime) -> None:
    """Read the directory as `own_id` until nothing is new. A failure is kept, and told in a line of the log."""
    try:
        _Copy(database, market_place, own_id, now).read()
    except Exception as error:
        # Whatever it was, it is kept and logged, since the worker tells nobody; a minute later it is tried again.
        code = error.partner_code if isinstance(error, PartnerFault) else type(error).__name__
        unexpected = None if isinstance(error, GatewayError) else error
        log.warning("directory not read", code=code, reason=str(error), exc_info=unexpected)
        with suppress(Unavailable), transaction(database) as tx:
            mirror.mark_failed(tx, f"{code}: {error}"[:500], now)


class _Copy:
    """The copy while it is being brought up to date; what refers to something in a later page waits for that."""

    def __init__(self, database: Database, market_place: MarketPlace, own_id: str, now: datetime) -> None:
        self._database = database
        self._market_place = market_place
        self._own_id = own_id
        self._now = now
        self._waiting: dict[Key, DirectoryObject] = {}

    def read(self) -> None:
        """Page by page, until the cursor stays where it is. Raises ReferenceUnknown when something still waits then."""
        with transaction(self._database) as tx:
            begun = cursor = mirror.lock(tx)
        while (page := self._market_place.directory_changes(cursor, page_size=_PAGE)).next_cursor != cursor:
            self._waiting |= {mirror.key(one): one for one in page.changes}
            stored = self._store(begun, page.next_cursor)
            if stored == begun:
                cursor = page.next_cursor
            else:
                begun = cursor = stored
        if self._waiting:
            kind, one = next(iter(self._waiting))
            raise ReferenceUnknown(f"{kind} {one} refers to what is not in the directory. It is read again.")
        with transaction(self._database) as tx:
            mirror.mark_read(tx, self._now)

    def _store(self, begun: str | None, cursor: str) -> str | None:
        """Store what was read from `begun` to `cursor`; gives the cursor stored then.

        That stays `begun` while something waits, and is another one when somebody else read on meanwhile: then theirs
        counts, and ours is dropped.
        """
        with transaction(self._database) as tx:
            ready = self._ready(tx)
        types = self._service_types(ready.values())
        with transaction(self._database) as tx:
            stored = mirror.lock(tx)
            if stored != begun:
                self._waiting = {}
                return stored
            mirror.apply(tx, ready.values(), self._own_id, types, self._now)
            waiting = {key: one for key, one in self._waiting.items() if key not in ready}
            if not waiting:
                mirror.move(tx, cursor)
        self._waiting = waiting
        return begun if waiting else cursor

    def _ready(self, tx: Transaction) -> dict[Key, DirectoryObject]:
        """What refers to nothing but what is in the copy, or is ready too."""
        ready = self._waiting
        while True:
            named = set[Key]().union(*(mirror.refers_to(one, self._own_id) for one in ready.values()))
            missing = mirror.unknown(tx, named - ready.keys())
            if not missing:
                return ready
            ready = {key: one for key, one in ready.items() if missing.isdisjoint(mirror.refers_to(one, self._own_id))}

    def _service_types(self, objects: Collection[DirectoryObject]) -> dict[str, str]:
        """Service type by description: that of our offer which holds it, else what its own attributes make of it.

        Those of our offers are all asked for again: an offer may hold a description that we have read long before.
        """
        types = {one.id: _likely_type(one) for one in objects if isinstance(one, ServiceDescription)}
        if not types and not any(isinstance(one, B2BSubscription) for one in objects):
            return types
        for page in pages(lambda cursor: self._market_place.find_offers(supplier=self._own_id, cursor=cursor)):
            for offer in page.items:
                ids = (one if isinstance(one, str) else one.id for one in offer.details)
                types |= dict.fromkeys(ids, offer.service_type)
        return types


def _likely_type(service: ServiceDescription) -> str:
    if service.aggregation_level is None or None in (service.quantity, service.time_step):
        return "EnergyServiceProvision"
    return data_service_type(service.aggregation_level)

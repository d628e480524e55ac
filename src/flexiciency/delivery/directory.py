"""The Market Place's directory on its way out: read from a cursor on, and pushed to the providers that keep a copy."""

from collections.abc import Callable, Iterable
from datetime import datetime
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.contract.ids import new_id
from flexiciency.delivery import player_objects, service_objects
from flexiciency.delivery.jobs import DIRECTORY, defer_directory
from flexiciency.delivery.outbox import Outbox
from flexiciency.soap.spyne_service import written
from flexiciency.soap.spyne_types import classes
from flexiciency.store import market, publications, readers, registrations, subscriptions
from flexiciency.store.database import Database
from flexiciency.store.market import Kind
from flexiciency.store.transaction import Query, Row, Transaction, transaction

MOST = 1000
"""Objects in one push."""

_PUSH = "ReceiveDirectoryChanges"
_PLAYER = classes(f"urn:flexiciency:{MARKET_PLAYER}-operations:1")


class _Source(NamedTuple):
    """Where the objects of a kind come from, and their member of a DirectoryChange."""

    member: str
    rows: Callable[[Iterable[str]], Query]
    build: Callable[[SimpleNamespace, Row], Any]


_SOURCES: MappingProxyType[Kind, _Source] = MappingProxyType(
    {
        "MPL-REG": _Source("MarketPlayerRegistration", registrations.registrations, player_objects.registration),
        "MPL-DES": _Source("MarketPlayerDescription", registrations.companies, player_objects.company),
        "MPL-ADD": _Source("MarketPlayerLocation", registrations.locations, player_objects.location),
        "MPL-AUT": _Source("MarketPlayerAuthentication", registrations.accounts, player_objects.account),
        "MKP-SRV-DES": _Source("MarketPlaceServiceDescription", publications.descriptions, service_objects.description),
        "B2B-SRV-SUB": _Source("B2BServiceSubscription", subscriptions.b2b_subscriptions, service_objects.b2b),
    }
)


def changes_after(
    tx: Transaction, types: SimpleNamespace, reader_id: str, after: int, limit: int
) -> tuple[list[Any], int]:
    """What changed after a number, for one reader, as DirectoryChanges, and the number of the last change.

    Objects are as they are now, in the order of their latest changes. Of a Pending registration nothing is shown.
    """
    objects, last = _objects_after(tx, types, reader_id, after, limit)
    return [types.DirectoryChange(**{member: one}) for member, one in objects], last


def announce(tx: Transaction) -> None:
    """Have a worker deal with changes of the directory once this transaction has committed: one job for any number.

    At the Market Place the lock of `store.market` must be held: the job waits for it before it looks what is new.
    """
    (waiting,) = tx.look_up(readers.waiting(DIRECTORY))
    if not waiting:
        tx.flush()
        defer_directory(tx.driver)


def push_changes(database: Database, own_id: str | None, now: datetime) -> None:
    """Queue for each provider with an address (MPL-ADD) what it has not been pushed yet, `MOST` changes in a delivery.

    `own_id` is the registration of the DSO in this very gateway, which needs no copy. Nothing is added for a provider
    to whom a push is being retried.
    """
    with transaction(database) as tx:
        market.lock(tx)  # whoever found this job still waiting, and deferred none, has committed by then
    while behind := _behind(database, own_id):
        for reader_id in behind:
            _push(database, reader_id, now)


def _behind(database: Database, own_id: str | None) -> list[str]:
    with transaction(database) as tx:
        (rows,) = tx.look_up(readers.behind(own_id))
    return [row.id for row in rows]


def _push(database: Database, reader_id: str, now: datetime) -> None:
    with transaction(database) as tx:
        after = readers.claim(tx, reader_id)
        objects, last = _objects_after(tx, _PLAYER, reader_id, after, MOST)
        readers.move(tx, reader_id, last)
        if objects:
            Outbox().push_object(tx, reader_id, _PUSH, _content(objects, last), new_id(), now)


def _content(objects: list[tuple[str, Any]], last: int) -> bytes:
    """What stands in ReceiveDirectoryChanges, whose element declares mplo."""
    changes = (b"<mplo:DirectoryChange>%s</mplo:DirectoryChange>" % written(one) for _, one in objects)
    return b"".join((*changes, b"<mplo:NextCursor>%d</mplo:NextCursor>" % last))


def _objects_after(
    tx: Transaction, types: SimpleNamespace, reader_id: str, after: int, limit: int
) -> tuple[list[tuple[str, Any]], int]:
    """The objects with their member of a DirectoryChange, in the order of their changes, each kind by one query."""
    (changes,) = tx.look_up(market.changes(reader_id, after, limit))
    found: dict[tuple[str, str], Any] = {}
    for kind, source in _SOURCES.items():
        ids = {change.object_id for change in changes if change.kind == kind}
        if ids:
            (rows,) = tx.look_up(source.rows(ids))
            shown = (row for row in rows if getattr(row, "status", None) != "Pending")
            found |= {(kind, row.id): source.build(types, row) for row in shown}
    # An object changed for everybody and for this reader has a number for each.
    order = dict.fromkeys((change.kind, change.object_id) for change in changes)
    objects = [(_SOURCES[kind].member, found[kind, one]) for kind, one in order if (kind, one) in found]
    return objects, changes[-1].number if changes else after

"""Selections of data in the database (IND-DAT-SEL, AGG-DAT-SEL)."""

from collections.abc import Iterable
from datetime import datetime

from psycopg.types.json import Jsonb
from psycopg.types.range import TimestamptzRange

from flexiciency.contract.series import TimeStep, timestamp
from flexiciency.domain.selection import Selection
from flexiciency.store.transaction import Query, Row, Transaction

_PLACES = {
    "CustomerId": "customers", "PoD": "pods", "Country": "countries", "City": "cities", "Street": "streets",
}  # fmt: skip
_INSERT = """
INSERT INTO selection (id, requester_id, service_description_id, aggregated, aggregation_level, aggregation_method,
    quantity, time_step, period, localization, encoding, asked, selected_at)
VALUES (%(id)s, %(requester_id)s, %(service_id)s, %(aggregated)s, %(level)s, %(method)s, %(quantity)s, %(time_step)s,
    %(period)s, %(localization)s, %(encoding)s, %(asked)s, %(now)s)
"""
_SERVE = (
    "UPDATE selection SET time_step = %(time_step)s, period = %(period)s, localization = %(places)s WHERE id = %(id)s"
)
_STORED = "SELECT s.*, lower(s.period) AS since, upper(s.period) AS until FROM selection s WHERE s.id = %(id)s"
_LISTED = """
SELECT id, requester_id, service_description_id, aggregated, quantity, time_step, lower(period) AS since,
    upper(period) AS until, asked IS NOT NULL AS narrowed, selected_at
FROM selection WHERE %(requester)s::text IS NULL OR requester_id = %(requester)s
ORDER BY selected_at DESC, id LIMIT %(limit)s
"""
_FOREIGN = """
SELECT asked.id FROM unnest(%(ids)s::text[]) AS asked(id) WHERE NOT EXISTS (
    SELECT FROM selection s WHERE s.id = asked.id AND s.requester_id = %(requester_id)s
        AND s.service_description_id = %(service_id)s) LIMIT 1
"""


def selection_of(selection_id: str) -> Query:
    """The row for `selected`: a stored selection with its requester and service."""
    return Query(_STORED, {"id": selection_id})


def selected(row: Row) -> Selection:
    """What a row of `selection_of` says, as it is served."""
    places = {field: tuple(row.localization.get(element, ())) for element, field in _PLACES.items()}
    return Selection(
        aggregated=row.aggregated, quantity=row.quantity, time_step=TimeStep(row.time_step), start=row.since,
        end=row.until, level=row.aggregation_level, method=row.aggregation_method, encoding=row.encoding, **places,
    )  # fmt: skip


def insert(
    tx: Transaction, selection_id: str, requester_id: str, service_id: str, *, asked: Selection, served: Selection,
    now: datetime,
) -> None:  # fmt: skip
    """Store a selection as it is served, and where that is less, as it was asked for."""
    tx.insert(
        "selection", _INSERT, id=selection_id, requester_id=requester_id, service_id=service_id,
        aggregated=served.aggregated, level=served.level, method=served.method, quantity=served.quantity,
        time_step=served.time_step.value, period=_period(served), localization=Jsonb(_places(served)),
        encoding=served.encoding, asked=None if asked == served else Jsonb(_asked(asked)), now=now,
    )  # fmt: skip


def serve(tx: Transaction, selection_id: str, served: Selection) -> None:
    """Store that less of a selection is served from now on."""
    step, places = served.time_step.value, Jsonb(_places(served))
    tx.write(_SERVE, id=selection_id, time_step=step, period=_period(served), places=places)


def lock(selection_id: str) -> Query:
    """Hold off others that would narrow this selection too, until the transaction ends."""
    return Query("SELECT FROM selection WHERE id = %(id)s FOR NO KEY UPDATE", {"id": selection_id})


def listed(requester: str | None, limit: int) -> Query:
    """Selections of a requester or of all, the latest first."""
    return Query(_LISTED, {"requester": requester, "limit": limit})


def foreign(selection_ids: Iterable[str], requester_id: str, service_id: str) -> Query:
    """A row for one of these that is no selection of this requester and service, if there is any."""
    return Query(_FOREIGN, {"ids": list(selection_ids), "requester_id": requester_id, "service_id": service_id})


def _period(selection: Selection) -> TimestamptzRange:
    return TimestamptzRange(selection.start, selection.end)


def _places(selection: Selection) -> dict[str, list[str]]:
    """Localization by element name, of the elements that are there."""
    named = {element: list(getattr(selection, field)) for element, field in _PLACES.items()}
    return {element: values for element, values in named.items() if values}


def _asked(selection: Selection) -> dict[str, object]:
    """What narrowing may have changed, by element name."""
    return {
        "TimeStep": selection.time_step.value, "Start": timestamp(selection.start), "End": timestamp(selection.end),
        "Localization": _places(selection),
    }  # fmt: skip

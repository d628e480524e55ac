"""Load areas with their headroom and grid model in the database. Powers are W here, kW in the tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy import Row as Found
from sqlalchemy.dialects.postgresql import insert as upsert

from flexiciency.domain.flexibility import Band, LoadArea
from flexiciency.errors import IdentifierTaken, ReferenceUnknown
from flexiciency.store import tables
from flexiciency.store.transaction import Query, Row

_FACTS = """
SELECT EXISTS (SELECT FROM technical_validation v WHERE v.id = %(request_id)s) AS taken, a.code, a.time_zone,
    a.network, h.party, h.first_minute, h.until_minute, (h.import_kw * 1000)::bigint AS import_w,
    (h.export_kw * 1000)::bigint AS export_w, h.limiting_element
FROM (VALUES (1)) AS one
LEFT JOIN load_area a ON a.code = %(load_area)s AND a.owner_id = %(owner_id)s
LEFT JOIN load_area_headroom h ON h.load_area = a.code ORDER BY h.party, h.first_minute
"""


@dataclass(frozen=True, slots=True)
class NamedArea:
    """A load area as its DSO enters it."""

    code: str
    name: str
    area: LoadArea


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a TECH-FLEX-REQ: whether its Id is taken, its load area, and the file of its grid model."""

    taken: bool
    area: LoadArea | None
    network: Path | None


def facts(request_id: str, load_area: str, owner_id: str) -> Query:
    """Rows for `facts_of`: of a load area of this owner, and whether the Id of a request is taken."""
    return Query(_FACTS, {"request_id": request_id, "load_area": load_area, "owner_id": owner_id})


def facts_of(rows: list[Row]) -> Facts:
    """The facts; no load area where it is not this owner's."""
    (first, *_) = rows
    if first.time_zone is None:
        return Facts(first.taken, None, None)
    bands = {
        party: tuple(
            Band(row.first_minute, row.until_minute, row.import_w, row.export_w, row.limiting_element)
            for row in rows
            if row.party == party
        )
        for party in ("DSO", "TSO")
    }
    area = LoadArea(first.time_zone, bands["DSO"], bands["TSO"], first.code)
    return Facts(first.taken, area, None if first.network is None else Path(first.network))


def import_areas(connection: Connection, owner_id: str, areas: Iterable[NamedArea]) -> None:
    """Store load areas of this owner; the headroom of one that is known is replaced. Raises IdentifierTaken."""
    area, headroom = tables.load_area, tables.load_area_headroom
    for one in sorted(areas, key=lambda one: one.code):  # two imports at once lock in one order
        values = {"owner_id": owner_id, "name": one.name, "time_zone": one.area.time_zone}
        stored = connection.execute(
            upsert(area)
            .values(code=one.code, **values)
            .on_conflict_do_update(index_elements=[area.c.code], set_=values, where=area.c.owner_id == owner_id)
            .returning(area.c.code)
        )
        if stored.first() is None:
            raise IdentifierTaken(f"The load area {one.code} is another DSO's. Give it a code of its own.")
        connection.execute(delete(headroom).where(headroom.c.load_area == one.code))
        for party, bands in (("DSO", one.area.dso), ("TSO", one.area.tso)):
            for band in bands:
                connection.execute(insert(headroom).values(**_row(one.code, party, band)))


def set_network(connection: Connection, owner_id: str, code: str, network: Path | None) -> None:
    """The file of a load area's grid model, or none. Raises ReferenceUnknown for an area that is not this owner's."""
    area = tables.load_area
    changed = update(area).where(area.c.code == code, area.c.owner_id == owner_id)
    if connection.execute(changed.values(network=network and str(network))).rowcount == 0:
        raise ReferenceUnknown(f"There is no load area {code} of this DSO. `load-area list` shows what there is.")


def areas(connection: Connection) -> list[Found[Any]]:
    """Load areas by code."""
    area = tables.load_area
    query = select(area.c.code, area.c.owner_id, area.c.name, area.c.time_zone, area.c.network)
    return list(connection.execute(query.order_by(area.c.code)))


def headroom_of(connection: Connection, code: str) -> list[Found[Any]]:
    """The headroom of a load area, of the DSO and then of the TSO, by time of day."""
    headroom = tables.load_area_headroom
    query = select(
        headroom.c.party, headroom.c.first_minute, headroom.c.until_minute, headroom.c.import_kw,
        headroom.c.export_kw, headroom.c.limiting_element,
    )  # fmt: skip
    of_code = query.where(headroom.c.load_area == code)
    return list(connection.execute(of_code.order_by(headroom.c.party, headroom.c.first_minute)))


def owned(code: str, owner_id: str) -> Query:
    """A row where the load area is this owner's."""
    return Query(
        "SELECT a.code FROM load_area a WHERE a.code = %(code)s AND a.owner_id = %(owner_id)s",
        {"code": code, "owner_id": owner_id},
    )


def _row(code: str, party: str, band: Band) -> dict[str, Any]:
    return {
        "load_area": code, "party": party, "first_minute": band.first, "until_minute": band.until,
        "import_kw": Decimal(band.import_limit) / 1000, "export_kw": Decimal(band.export_limit) / 1000,
        "limiting_element": band.element,
    }  # fmt: skip

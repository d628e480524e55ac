"""Load areas with their headroom, and technical validations, in the database. Powers are W here, kW in the tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy import Row as Found
from sqlalchemy.dialects.postgresql import insert as upsert

from flexiciency.domain.flexibility import WHOLE, Band, Curve, LoadArea, Validation
from flexiciency.errors import IdentifierTaken
from flexiciency.store import tables
from flexiciency.store.transaction import Query, Row, Transaction

_FACTS = """
SELECT EXISTS (SELECT FROM technical_validation v WHERE v.id = %(request_id)s) AS taken, a.time_zone, h.party,
    h.first_minute, h.until_minute, (h.import_kw * 1000)::bigint AS import_w, (h.export_kw * 1000)::bigint AS export_w,
    h.limiting_element, a.code
FROM (VALUES (1)) AS one
LEFT JOIN load_area a ON a.code = %(load_area)s AND a.owner_id = %(owner_id)s
LEFT JOIN load_area_headroom h ON h.load_area = a.code ORDER BY h.party, h.first_minute
"""
_INSERT = """
INSERT INTO technical_validation (id, response_id, requester_id, load_area, start_at, end_at, times, powers_kw,
    dso_factor, tso_factor, limiting_element, reason_code, reason_text, answered_at)
VALUES (%(id)s, %(response_id)s, %(requester_id)s, %(load_area)s, %(start)s, %(end)s, %(times)s::timestamptz[],
    %(powers)s::numeric[], %(dso)s, %(tso)s, %(element)s, %(code)s, %(text)s, %(now)s)
"""


@dataclass(frozen=True, slots=True)
class NamedArea:
    """A load area as its DSO enters it."""

    code: str
    name: str
    area: LoadArea


def facts(request_id: str, load_area: str, owner_id: str) -> Query:
    """Rows for `facts_of`: of a load area of this owner, and whether the Id of a request is taken."""
    return Query(_FACTS, {"request_id": request_id, "load_area": load_area, "owner_id": owner_id})


def facts_of(rows: list[Row]) -> tuple[bool, LoadArea | None]:
    """Whether the Id is taken, and the load area, None when it is not this owner's."""
    if rows[0].time_zone is None:
        return rows[0].taken, None
    bands = {
        party: tuple(
            Band(row.first_minute, row.until_minute, row.import_w, row.export_w, row.limiting_element)
            for row in rows
            if row.party == party
        )
        for party in ("DSO", "TSO")
    }
    return rows[0].taken, LoadArea(rows[0].time_zone, bands["DSO"], bands["TSO"], rows[0].code)


def insert_validation(
    tx: Transaction, *, request_id: str, response_id: str, requester_id: str, load_area: str, curve: Curve,
    answer: Validation, now: datetime,
) -> None:  # fmt: skip
    """Store a TECH-FLEX-REQ with its answer."""
    why = answer.reason
    tx.insert(
        "technical_validation", _INSERT, id=request_id, response_id=response_id, requester_id=requester_id,
        load_area=load_area, start=curve.start, end=curve.end, times=[time for time, _ in curve.points],
        powers=[Decimal(power) / 1000 for _, power in curve.points], dso=factor_of(answer.dso),
        tso=factor_of(answer.tso), element=answer.limiting_element, code=why and why.code.value,
        text=why and why.text, now=now,
    )  # fmt: skip


def factor_of(millionths: int) -> Decimal:
    """A factor as the contract writes it."""
    return Decimal(millionths) / WHOLE


def import_areas(connection: Connection, owner_id: str, areas: Iterable[NamedArea]) -> None:
    """Store load areas of this owner; the headroom of one that is known is replaced. Raises IdentifierTaken."""
    area, headroom = tables.load_area, tables.load_area_headroom
    for one in areas:
        values = {"owner_id": owner_id, "name": one.name, "time_zone": one.area.time_zone}
        stored = connection.execute(
            upsert(area)
            .values(code=one.code, **values)
            .on_conflict_do_update(index_elements=[area.c.code], set_=values, where=area.c.owner_id == owner_id)
        )
        if stored.rowcount == 0:
            raise IdentifierTaken(f"The load area {one.code} is another DSO's. Give it a code of its own.")
        connection.execute(delete(headroom).where(headroom.c.load_area == one.code))
        for party, bands in (("DSO", one.area.dso), ("TSO", one.area.tso)):
            for band in bands:
                connection.execute(insert(headroom).values(**_row(one.code, party, band)))


def areas(connection: Connection) -> list[Found[Any]]:
    """Load areas by code."""
    area = tables.load_area
    return list(
        connection.execute(select(area.c.code, area.c.owner_id, area.c.name, area.c.time_zone).order_by(area.c.code))
    )


def headroom_of(connection: Connection, code: str) -> list[Found[Any]]:
    """The headroom of a load area, of the DSO and then of the TSO, by time of day."""
    headroom = tables.load_area_headroom
    query = select(
        headroom.c.party, headroom.c.first_minute, headroom.c.until_minute, headroom.c.import_kw,
        headroom.c.export_kw, headroom.c.limiting_element,
    )  # fmt: skip
    of_code = query.where(headroom.c.load_area == code)
    return list(connection.execute(of_code.order_by(headroom.c.party, headroom.c.first_minute)))


def validations(connection: Connection, limit: int) -> list[Found[Any]]:
    """Technical validations, the latest first."""
    one = tables.technical_validation
    query = select(
        one.c.id, one.c.answered_at, one.c.requester_id, one.c.load_area, one.c.start_at, one.c.end_at,
        one.c.dso_factor, one.c.tso_factor, one.c.limiting_element, one.c.reason_code,
    )  # fmt: skip
    return list(connection.execute(query.order_by(one.c.answered_at.desc(), one.c.id).limit(limit)))


def _row(code: str, party: str, band: Band) -> dict[str, Any]:
    return {
        "load_area": code, "party": party, "first_minute": band.first, "until_minute": band.until,
        "import_kw": Decimal(band.import_limit) / 1000, "export_kw": Decimal(band.export_limit) / 1000,
        "limiting_element": band.element,
    }  # fmt: skip

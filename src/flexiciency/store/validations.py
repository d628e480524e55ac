"""Technical validations in the database: TECH-FLEX-REQ with TECH-FLEX-RESP. Powers are W here, kW in the table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from flexiciency.domain.flexibility import WHOLE, Curve, Validation
from flexiciency.store.transaction import Query, Row, Transaction

_INSERT = """
INSERT INTO technical_validation (id, response_id, player_id, direction, status, load_area, start_at, end_at, times,
    powers_kw, dso_factor, tso_factor, limiting_element, reason_code, reason_text, asked_at, answered_at)
VALUES (%(id)s, %(response_id)s, %(player_id)s, %(direction)s, %(status)s, %(load_area)s, %(start)s, %(end)s,
    %(times)s::timestamptz[], %(powers)s::numeric[], %(dso)s, %(tso)s, %(element)s, %(code)s, %(text)s, %(now)s,
    %(answered_at)s)
"""
_ANSWER = """
UPDATE technical_validation SET status = 'Answered', response_id = %(response_id)s, dso_factor = %(dso)s,
    tso_factor = %(tso)s, limiting_element = %(element)s, reason_code = %(code)s, reason_text = %(text)s,
    answered_at = %(now)s
WHERE id = %(id)s
"""
_LOCKED = """
SELECT v.id, v.player_id, v.direction, v.status, v.response_id FROM technical_validation v
WHERE v.id = %(id)s FOR UPDATE
"""
# With the columns that `flexibility.facts_of` reads.
_RECEIVED = """
SELECT v.start_at, v.end_at, v.times, v.powers_kw, true AS taken, a.time_zone, a.network, h.party, h.first_minute,
    h.until_minute, (h.import_kw * 1000)::bigint AS import_w, (h.export_kw * 1000)::bigint AS export_w,
    h.limiting_element
FROM technical_validation v
JOIN load_area a ON a.code = v.load_area
LEFT JOIN load_area_headroom h ON h.load_area = a.code
WHERE v.id = %(id)s AND v.status = 'Received' ORDER BY h.party, h.first_minute
"""
_SHOWN = """
SELECT v.id, v.direction, v.status, v.player_id, v.load_area, v.start_at, v.end_at, v.asked_at, v.answered_at,
    least(v.dso_factor, v.tso_factor) AS factor, v.dso_factor, v.tso_factor, v.limiting_element, v.reason_code,
    v.reason_text, v.response_id, v.times, v.powers_kw
FROM technical_validation v
"""


class Direction(StrEnum):
    """Who asked: a Market Player us, or we a Market Player."""

    FROM_PLAYER = "FromPlayer"
    TO_PLAYER = "ToPlayer"


@dataclass(frozen=True, slots=True)
class Request:
    """TECH-FLEX-REQ, of or to a Market Player (its MPL-REG id)."""

    id: str
    player_id: str
    load_area: str
    curve: Curve


@dataclass(frozen=True, slots=True)
class Response:
    """TECH-FLEX-RESP; factors are of 0..1."""

    id: str
    dso: Decimal
    tso: Decimal
    limiting_element: str | None
    reason_code: str | None
    reason_text: str | None

    @property
    def factor(self) -> Decimal:
        """The curtailment factor: the lesser of the two."""
        return min(self.dso, self.tso)


def kilowatts(watts: int) -> Decimal:
    """A power as the contract writes it."""
    return Decimal(watts) / 1000


def response_of(response_id: str, answer: Validation) -> Response:
    """An answer of ours as it is stored and sent."""
    why = answer.reason
    return Response(
        response_id, Decimal(answer.dso) / WHOLE, Decimal(answer.tso) / WHOLE, answer.limiting_element,
        None if why is None else why.code.value, None if why is None else why.text,
    )  # fmt: skip


def insert(
    tx: Transaction, request: Request, direction: Direction, now: datetime, response: Response | None = None
) -> None:
    """Store a request: with its response, or Received from a Market Player, or Asked of one."""
    waiting = "Received" if direction is Direction.FROM_PLAYER else "Asked"
    curve = request.curve
    tx.insert(
        "technical_validation", _INSERT, id=request.id, player_id=request.player_id, direction=direction.value,
        status="Answered" if response else waiting, load_area=request.load_area, start=curve.start, end=curve.end,
        times=[time for time, _ in curve.points], powers=[kilowatts(power) for _, power in curve.points], now=now,
        answered_at=now if response else None, **_values(response),
    )  # fmt: skip


def answer(tx: Transaction, request_id: str, response: Response, now: datetime) -> None:
    """Answer what is Received or Asked; lock it and look at its status first."""
    tx.write(_ANSWER, id=request_id, now=now, **_values(response))


def locked(request_id: str) -> Query:
    """Player, direction, status and response's id of a request, locked until the transaction ends."""
    return Query(_LOCKED, {"id": request_id})


def received(request_id: str) -> Query:
    """Rows for `curve_of` and `flexibility.facts_of`: a request that is Received, its load area as it is now."""
    return Query(_RECEIVED, {"id": request_id})


def curve_of(row: Row) -> Curve:
    """The power curve of a stored request."""
    points = zip(row.times, row.powers_kw, strict=True)
    return Curve(
        row.start_at.astimezone(UTC), tuple((time.astimezone(UTC), int(power * 1000)) for time, power in points),
        row.end_at.astimezone(UTC),
    )  # fmt: skip


def listed(limit: int) -> Query:
    """Technical validations of both directions, the latest asked first."""
    return Query(f"{_SHOWN} ORDER BY v.asked_at DESC, v.id LIMIT %(limit)s", {"limit": limit})


def stored(request_id: str) -> Query:
    """One technical validation."""
    return Query(f"{_SHOWN} WHERE v.id = %(id)s", {"id": request_id})


def _values(response: Response | None) -> dict[str, object]:
    if response is None:
        return dict.fromkeys(("response_id", "dso", "tso", "element", "code", "text"))
    return {
        "response_id": response.id, "dso": response.dso, "tso": response.tso, "element": response.limiting_element,
        "code": response.reason_code, "text": response.reason_text,
    }  # fmt: skip

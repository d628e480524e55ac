"""TECH-FLEX-REQ → TECH-FLEX-RESP over HTTP: factors, refusals with a reason, what is kept, what comes later."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import select

from flexiciency.domain.flexibility import Band, LoadArea
from flexiciency.services.replies import B2B
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, import_areas, set_network
from tests.gateway import Sender, added, content_of, rows
from tests.messages import B2BO, COM, new_id
from tests.world import DSO, STRANGER, World

PRV = "{urn:flexiciency:provision:1}"
START = datetime(2025, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True, scope="module")
def load_areas(world: World, database: Database) -> None:  # noqa: ARG001  its registrations
    """LA-1 with 100 kW of import and 50 kW of export; LA-2 without headroom; LA-3 of another DSO; LA-4 with a model."""
    limits = (Band(0, 1440, 100_000, 50_000, "T1"),)
    with database.begin() as connection:
        import_areas(
            connection, DSO,
            [NamedArea("LA-1", "Linz", LoadArea("Europe/Vienna", limits, (Band(0, 1440, 80_000, 90_000, "380 kV"),))),
             NamedArea("LA-2", "Wels", LoadArea("Europe/Vienna", (), ())),
             NamedArea("LA-4", "Enns", LoadArea("Europe/Vienna", limits, ()))],
        )  # fmt: skip
        set_network(connection, DSO, "LA-4", Path("/networks/enns.json"))
        import_areas(connection, STRANGER, [NamedArea("LA-3", "Graz", LoadArea("Europe/Vienna", limits, ()))])


def asked(*powers: str, identifier: str | None = None, load_area: str = "LA-1", **changes: Any) -> Any:
    """RequestTechnicalValidation with a power for each hour."""
    points = [B2B.PowerPoint(Time=START + n * HOUR, Power=Decimal(power)) for n, power in enumerate(powers)]
    fields = {
        "Id": identifier or new_id(), "StartTime": START, "PowerCurve": B2B.PowerCurve(Point=points),
        "EndTime": START + len(powers) * HOUR, "LoadArea": load_area,
    }  # fmt: skip
    return B2B.RequestTechnicalValidation(
        TechnicalValidationRequest=B2B.TechnicalValidationRequest(**(fields | changes))
    )


def factors(reply: etree._Element) -> list[Decimal]:
    """Curtailment, DSO's and TSO's."""
    return [Decimal(reply.findtext(f".//{PRV}{name}", "")) for name in ("CurtailmentFactor", "DsoFactor", "TsoFactor")]


def test_an_exchange_that_fits_is_accepted(player: Sender) -> None:
    request = new_id()
    reply = player.send(asked("80", "-50", identifier=request)).body
    assert factors(reply) == [1, 1, 1]
    assert reply.findtext(f".//{PRV}TechnicalValidationRequestRef") == request
    assert reply.find(f".//{PRV}LimitingElement") is None
    assert reply.find(f".//{PRV}Reason") is None


def test_the_factor_is_the_lesser_of_dso_and_tso_with_where_and_why(player: Sender) -> None:
    reply = player.send(asked("10", "-150")).body
    assert factors(reply) == [Decimal("0.333333"), Decimal("0.333333"), Decimal("0.6")]
    assert reply.findtext(f".//{PRV}LimitingElement") == "T1 at 2025-01-15T01:00:00Z"
    assert reply.findtext(f".//{COM}Code") == "GridLimit"
    reply = player.send(asked("100")).body
    assert factors(reply) == [Decimal("0.8"), 1, Decimal("0.8")]
    assert reply.findtext(f".//{COM}Code") == "TsoLimit"


@pytest.mark.parametrize("load_area", ["LA-unknown", "LA-3"])
def test_an_unknown_load_area_and_one_of_another_dso_are_refused_alike(player: Sender, load_area: str) -> None:
    reply = player.send(asked("1", load_area=load_area)).body
    assert factors(reply) == [0, 0, 0]
    assert reply.findtext(f".//{COM}Code") == "LoadAreaUnknown"


def test_a_load_area_without_headroom_is_refused_and_not_unlimited(player: Sender) -> None:
    reply = player.send(asked("1", load_area="LA-2")).body
    assert factors(reply)[0] == 0
    assert reply.findtext(f".//{COM}Code") == "HeadroomUnknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"StartTime": START - HOUR},
        {"StartTime": START + HOUR},
        {"EndTime": START},
        {"EndTime": START + HOUR},
        {"EndTime": datetime(9999, 12, 31, tzinfo=UTC)},
    ],
)
def test_a_curve_that_is_none_is_refused_with_a_reason(player: Sender, changes: dict[str, Any]) -> None:
    reply = player.send(asked("1", "1", **changes)).body
    assert factors(reply)[0] == 0
    assert reply.findtext(f".//{COM}Code") == "CurveInvalid"


@pytest.mark.parametrize("times", [[0, 2, 1], [0, 1, 1]])
def test_points_out_of_order_or_twice_are_refused_with_a_reason(player: Sender, times: list[int]) -> None:
    points = [B2B.PowerPoint(Time=START + n * HOUR, Power=Decimal(1)) for n in times]
    reply = player.send(asked("1", "1", "1", PowerCurve=B2B.PowerCurve(Point=points))).body
    assert reply.findtext(f".//{COM}Code") == "CurveInvalid"


def test_an_all_zero_curve_is_accepted(player: Sender) -> None:
    assert factors(player.send(asked("0", "0")).body) == [1, 1, 1]


@pytest.mark.parametrize("power", ["NaN", "INF", "-INF", "Infinity", "1e3", "1" + 30 * "0", "1.0001", ""])
def test_a_power_that_is_no_data_value_is_a_fault(player: Sender, power: str) -> None:
    content = content_of(asked("7531")).replace(b">7531<", f">{power}<".encode())
    fault = player.refused_message(player.seal_content(content, "RequestTechnicalValidation"))
    assert fault.partner_code == "SchemaInvalid"


def test_a_curve_without_points_is_a_fault(player: Sender) -> None:
    content = content_of(asked("7531"))
    begin, end = content.index(b":Point>"), content.index(b"PowerCurve>", content.index(b":Point>"))
    begin, end = content.rindex(b"<", 0, begin), content.rindex(b"</", 0, end)
    fault = player.refused_message(player.seal_content(content[:begin] + content[end:], "RequestTechnicalValidation"))
    assert fault.partner_code == "SchemaInvalid"


def test_request_and_answer_are_kept_in_one_row(player: Sender, database: Database) -> None:
    request, before = new_id(), rows(database)
    player.send(asked("999999999999999.999", "-0.001", "-999999999999999999", identifier=request))
    assert added(before, database) == {"technical_validation": 1, "message": 2, "exchange": 1}
    one = tables.technical_validation
    with database.begin() as connection:
        row = connection.execute(select(one).where(one.c.id == request)).one()
    assert row.powers_kw == [Decimal("999999999999999.999"), Decimal("-0.001"), Decimal(-(10**18 - 1))]
    assert row.times == [START, START + HOUR, START + 2 * HOUR]
    assert (row.dso_factor, row.reason_code) == (0, "GridLimit")


def test_an_id_used_before_is_refused(player: Sender, stranger: Sender) -> None:
    request = new_id()
    player.send(asked("1", identifier=request))
    for sender in (player, stranger):
        fault = sender.refused(asked("2", identifier=request))
        assert (fault.partner_code, fault.path) == (
            "IdentifierTaken", "RequestTechnicalValidation/TechnicalValidationRequest/Id",
        )  # fmt: skip


def test_where_a_grid_model_is_to_be_computed_the_answer_comes_later(player: Sender, database: Database) -> None:
    request, before = new_id(), rows(database)
    message = player.seal(asked("999", identifier=request, load_area="LA-4"))
    assert len(player.post(message).body) == 0
    assert len(player.post(message).body) == 0  # a retry
    assert added(before, database) == {
        "technical_validation": 1, "procrastinate_jobs": 1, "message": 4, "exchange": 1,
    }  # fmt: skip
    one = tables.technical_validation
    with database.begin() as connection:
        row = connection.execute(select(one).where(one.c.id == request)).one()
    assert (row.direction, row.status, row.dso_factor, row.response_id) == ("FromPlayer", "Received", None, None)
    assert status(player, message.addressing.message_id) == "Answered"


def status(player: Sender, message_id: str) -> str | None:
    return player.send(B2B.ReadMessageStatus(MessageId=message_id)).body.findtext(f".//{B2BO}Status")


@pytest.mark.parametrize(
    ("changes", "code"), [({"StartTime": START - HOUR}, "CurveInvalid"), ({"EndTime": START}, "CurveInvalid")]
)
def test_what_is_refused_anyway_waits_for_no_grid_model(
    player: Sender, database: Database, changes: dict[str, Any], code: str
) -> None:
    before = rows(database)
    reply = player.send(asked("1", load_area="LA-4", **changes)).body
    assert reply.findtext(f".//{COM}Code") == code
    assert "procrastinate_jobs" not in added(before, database)


def test_an_id_that_is_not_answered_yet_is_taken_too(player: Sender) -> None:
    request = new_id()
    player.send(asked("1", identifier=request, load_area="LA-4"))
    assert player.refused(asked("1", identifier=request, load_area="LA-4")).partner_code == "IdentifierTaken"

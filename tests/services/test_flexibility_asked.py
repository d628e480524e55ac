"""TECH-FLEX-REQ to Market Players: who is asked, whose answer is taken; and load areas imported twice at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from flexiciency.domain.flexibility import Band, Curve, LoadArea
from flexiciency.errors import GatewayError, ReferenceUnknown, StateConflict
from flexiciency.services.flexibility import ask
from flexiciency.services.replies import B2B
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, headroom_of, import_areas
from flexiciency.store.transaction import transaction
from tests.gateway import Sender, added, rows
from tests.messages import new_id
from tests.services.waiting import blocked
from tests.world import DSO, PLAYER, STRANGER, World, status_of

START = datetime(2025, 1, 15, tzinfo=UTC)
CURVE = Curve(START, ((START, 1_000),), START + timedelta(hours=1))


def area(code: str, kilowatts: int) -> NamedArea:
    return NamedArea(code, "Linz", LoadArea("UTC", (Band(0, 1440, kilowatts * 1000, 0, f"T{kilowatts}"),), ()))


@pytest.fixture(autouse=True, scope="module")
def load_areas(world: World, database: Database) -> None:  # noqa: ARG001  its registrations
    """LA-1 is ours, LA-3 another DSO's."""
    with database.begin() as connection:
        import_areas(connection, DSO, [area("LA-1", 1)])
        import_areas(connection, STRANGER, [area("LA-3", 1)])


def asked_of(database: Database, player_id: str, load_area: str = "LA-1") -> str:
    with transaction(database) as tx:
        return ask(tx, DSO, player_id, load_area, CURVE, datetime.now(UTC))


def answer(request_id: str, **changes: Any) -> Any:
    fields = {
        "Id": new_id(), "TechnicalValidationRequestRef": request_id, "CurtailmentFactor": Decimal("0.5"),
        "DsoFactor": Decimal("0.5"), "TsoFactor": Decimal(1),
    }  # fmt: skip
    return B2B.AnswerTechnicalValidation(
        TechnicalValidationResponse=B2B.TechnicalValidationResponse(**fields | changes)
    )


def status(database: Database, request_id: str) -> str:
    one = tables.technical_validation
    with database.begin() as connection:
        found: str = connection.execute(select(one.c.status).where(one.c.id == request_id)).scalar_one()
    return found


def test_request_and_delivery_are_stored_together(database: Database) -> None:
    before = rows(database)
    asked_of(database, PLAYER)
    assert added(before, database) == {"technical_validation": 1, "delivery": 1}


@pytest.mark.parametrize(
    ("player_id", "load_area", "error"),
    [
        ("urn:uuid:nobody", "LA-1", ReferenceUnknown),
        (PLAYER, "LA-9", ReferenceUnknown),
        (PLAYER, "LA-3", ReferenceUnknown),
        (DSO, "LA-1", StateConflict),
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_nothing(
    database: Database, player_id: str, load_area: str, error: type[GatewayError]
) -> None:
    before = rows(database)
    with pytest.raises(error):
        asked_of(database, player_id, load_area)
    assert added(before, database) == {}


@pytest.mark.parametrize("state", ["Pending", "Suspended", "Withdrawn"])
def test_a_player_that_is_not_active_is_not_asked(database: Database, state: str) -> None:
    with status_of(database, PLAYER, state), pytest.raises(StateConflict, match=state):
        asked_of(database, PLAYER)


def test_who_was_not_asked_cannot_answer(player: Sender, stranger: Sender, database: Database) -> None:
    request = asked_of(database, PLAYER)
    path = "AnswerTechnicalValidation/TechnicalValidationResponse/TechnicalValidationRequestRef"
    for sender, identifier in ((stranger, request), (player, new_id())):
        fault = sender.refused(answer(identifier))
        assert (fault.partner_code, fault.path) == ("ReferenceUnknown", path)
    assert status(database, request) == "Asked"


def test_a_player_cannot_answer_its_own_request(player: Sender) -> None:
    request = new_id()
    asked = B2B.TechnicalValidationRequest(
        Id=request, StartTime=START, PowerCurve=B2B.PowerCurve(Point=[B2B.PowerPoint(Time=START, Power=Decimal(2))]),
        EndTime=CURVE.end, LoadArea="LA-1",
    )  # fmt: skip
    player.send(B2B.RequestTechnicalValidation(TechnicalValidationRequest=asked))
    assert player.refused(answer(request)).partner_code == "ReferenceUnknown"


def test_factors_that_contradict_each_other_are_refused(player: Sender, database: Database) -> None:
    request = asked_of(database, PLAYER)
    fault = player.refused(answer(request, CurtailmentFactor=Decimal("0.6")))
    path = "AnswerTechnicalValidation/TechnicalValidationResponse/CurtailmentFactor"
    assert (fault.partner_code, fault.path) == ("SchemaInvalid", path)
    assert status(database, request) == "Asked"
    player.send(answer(request, CurtailmentFactor=Decimal("0.500000")))
    assert status(database, request) == "Answered"


def test_a_role_that_takes_no_part_in_flexibility_cannot_answer(player: Sender, database: Database) -> None:
    request = asked_of(database, PLAYER)
    with role_of(database, PLAYER, "UnregulatedDataProvider"):
        assert player.refused(answer(request)).partner_code == "OperationNotAllowed"


@contextmanager
def role_of(database: Database, registration_id: str, role: str) -> Iterator[None]:
    """A registration in another role for a while."""
    registration = tables.market_player_registration
    of_id = update(registration).where(registration.c.id == registration_id)
    with database.begin() as connection:
        before = connection.execute(select(registration.c.role).where(registration.c.id == registration_id))
        usual = before.scalar_one()
        connection.execute(of_id.values(role=role))
    try:
        yield
    finally:
        with database.begin() as connection:
            connection.execute(of_id.values(role=usual))


def test_two_answers_at_once_are_one(player: Sender, database: Database) -> None:
    request = asked_of(database, PLAYER)
    with ThreadPoolExecutor() as pool, database.begin() as connection:
        one = tables.technical_validation
        connection.execute(select(one.c.id).where(one.c.id == request).with_for_update())
        running = blocked(database, pool, *[sending(player, request) for _ in range(2)])
        connection.commit()
        codes = sorted(call.result() for call in running)
    assert codes == ["StateConflict", "taken"]


def sending(player: Sender, request: str) -> Callable[[], str]:
    """Answers, and gives "taken" or the code of the fault."""

    def send() -> str:
        try:
            player.send(answer(request))
        except GatewayError as error:
            return getattr(error, "partner_code", error.code)
        return "taken"

    return send


def test_two_imports_at_once_leave_the_headroom_of_one_of_them_whole(database: Database) -> None:
    """In whatever order their files name the load areas: the rows are locked in one order."""
    with database.begin() as connection:
        import_areas(connection, DSO, [area("LA-1", 1), area("LA-5", 1)])
    with ThreadPoolExecutor() as pool, database.begin() as connection:
        connection.execute(select(tables.load_area).where(tables.load_area.c.code == "LA-1").with_for_update())
        one = importing(database, area("LA-1", 2), area("LA-5", 2))
        running = blocked(database, pool, one, importing(database, area("LA-5", 3), area("LA-1", 3)))
        connection.commit()
        for call in running:
            call.result()
    with database.begin() as connection:
        left = {
            (row.limiting_element, row.import_kw) for code in ("LA-1", "LA-5") for row in headroom_of(connection, code)
        }
    assert left in ({("T2", 2)}, {("T3", 3)})


def test_two_first_imports_of_an_area_at_once_leave_one(database: Database) -> None:
    with ThreadPoolExecutor() as pool, database.begin() as connection:
        connection.execute(
            insert(tables.load_area).values(code="LA-6", owner_id=DSO, name="Linz", time_zone="UTC")
        )  # fmt: skip
        running = blocked(database, pool, *(importing(database, area("LA-6", kw)) for kw in (2, 3)))
        connection.rollback()
        for call in running:
            call.result()
    with database.begin() as connection:
        assert len(headroom_of(connection, "LA-6")) == 1


def importing(database: Database, *areas: NamedArea) -> Callable[[], None]:
    def run() -> None:
        with database.begin() as connection:
            import_areas(connection, DSO, areas)

    return run

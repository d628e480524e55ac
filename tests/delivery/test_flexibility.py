"""Late answers to technical validations: computed by a real worker, pushed or left in the mailbox, once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Row, select, text

from flexiciency import app
from flexiciency.client import TechnicalValidation
from flexiciency.delivery.flexibility import ATTEMPTS, Grid, answer_late
from flexiciency.delivery.push import Pusher
from flexiciency.delivery.worker import run
from flexiciency.domain.flexibility import WHOLE, Band, Curve, LoadArea, Validation
from flexiciency.domain.reasons import ReasonCode, reason
from flexiciency.services.replies import B2B
from flexiciency.soap.posting import utc_now
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, import_areas, set_network
from tests.delivery.conftest import Program
from tests.gateway import Sender
from tests.messages import B2BO, new_id
from tests.world import DSO, World, set_address

PRV = "{urn:flexiciency:provision:1}"
START = datetime(2025, 1, 15, tzinfo=UTC)
NETWORK = Path("/networks/linz.json")
AREA = LoadArea("Europe/Vienna", (Band(0, 1440, 100_000, 50_000, "T1"),), ())


@pytest.fixture(autouse=True)
def load_area(world: World, database: Database) -> None:  # noqa: ARG001  its registrations
    """LA-1 takes 100 kW, and has a grid model."""
    with database.begin() as connection:
        import_areas(connection, DSO, [NamedArea("LA-1", "Linz", AREA)])
        set_network(connection, DSO, "LA-1", NETWORK)


def ask(player: Sender, power: int = 200) -> str:
    """Ask for a power during an hour; the Id of the request, to which there is no answer yet."""
    identifier = new_id()
    assert len(player.send(asking(identifier, power)).body) == 0
    return identifier


def asking(identifier: str, power: int) -> Any:
    """RequestTechnicalValidation."""
    curve = B2B.PowerCurve(Point=[B2B.PowerPoint(Time=START, Power=Decimal(power))])
    request = B2B.TechnicalValidationRequest(
        Id=identifier, StartTime=START, PowerCurve=curve, EndTime=START + timedelta(hours=1), LoadArea="LA-1"
    )
    return B2B.RequestTechnicalValidation(TechnicalValidationRequest=request)


def work(database: Database, pusher: Pusher, grid: Grid) -> None:
    """Until no job is due, one after the other, so that pushes follow; what waits for its next attempt is due now."""
    with database.begin() as connection:
        connection.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'"))
    run(database, pusher, concurrency=1, grid=grid, wait=False)


def stored(database: Database, request_id: str) -> Row[Any]:
    one = tables.technical_validation
    with database.begin() as connection:
        return connection.execute(select(one).where(one.c.id == request_id)).one()


def allowing(factor: int) -> Grid:
    """A grid that allows this much of any curve."""
    answer = Validation(factor, WHOLE, "line 3", reason(ReasonCode.GRID_LIMIT))
    return lambda _network, _area, _curve: answer


def failing(attempts: list[int], until: int = ATTEMPTS + 1) -> Grid:
    """A grid that cannot be computed, until an attempt."""

    def grid(network: Path, area: LoadArea, curve: Curve) -> Validation:
        attempts.append(len(attempts) + 1)
        if attempts[-1] < until:
            raise RuntimeError("power flow did not converge")
        return allowing(WHOLE)(network, area, curve)

    return grid


@pytest.mark.usefixtures("address")
def test_the_answer_is_computed_by_a_worker_and_pushed_with_both_limits(
    player: Sender, database: Database, pusher: Pusher, program: Program
) -> None:
    request = ask(player)
    assert (stored(database, request).status, stored(database, request).answered_at) == ("Received", None)
    seen: list[tuple[Path, LoadArea, Curve]] = []

    def grid(*given: Any) -> Validation:
        seen.append(given)
        return allowing(250_000)(*given)

    work(database, pusher, grid)
    curve = Curve(START, ((START, 200_000),), START + timedelta(hours=1))
    assert seen == [(NETWORK, AREA, curve)]
    row = stored(database, request)
    assert (row.status, row.dso_factor, row.tso_factor) == ("Answered", Decimal("0.25"), 1)
    (received,) = program.taken
    assert isinstance(received.content, TechnicalValidation)
    assert (received.content.id, received.content.request_id) == (row.response_id, request)
    assert received.content.factor == Decimal("0.25")
    assert received.content.limiting_element == "line 3; T1 at 2025-01-15T00:00:00Z"
    assert received.content.reason is not None
    assert received.content.reason.code == "GridLimit"


@pytest.mark.usefixtures("address")
def test_a_grid_that_allows_more_leaves_the_headrooms_answer(
    player: Sender, database: Database, pusher: Pusher
) -> None:
    request = ask(player)
    work(database, pusher, allowing(900_000))
    assert stored(database, request).dso_factor == Decimal("0.5")


@pytest.mark.usefixtures("address")
def test_while_a_slow_grid_is_computed_nothing_is_locked_and_the_request_is_received(
    player: Sender, database: Database, pusher: Pusher, program: Program
) -> None:
    request = ask(player)
    during: list[str] = []

    def grid(network: Path, area: LoadArea, curve: Curve) -> Validation:
        with database.begin() as connection:
            locked = text("SELECT status FROM technical_validation WHERE id = :id FOR UPDATE NOWAIT")
            during.append(connection.execute(locked, {"id": request}).scalar_one())
        player.send(B2B.PeekMailbox())
        return allowing(WHOLE)(network, area, curve)

    work(database, pusher, grid)
    assert during == ["Received"]
    assert len(program.taken) == 1


def test_without_an_address_the_answer_waits_in_the_mailbox(
    player: Sender, database: Database, pusher: Pusher, address: str
) -> None:
    assert address
    set_address(database, None)
    request = ask(player)
    work(database, pusher, allowing(250_000))
    item = player.send(B2B.PeekMailbox()).body
    assert item.findtext(f".//{B2BO}Action") == "urn:flexiciency:market-player:1:ReceiveTechnicalValidationResponse"
    assert item.findtext(f".//{PRV}TechnicalValidationRequestRef") == request
    player.send(B2B.ConfirmMailbox(MessageId=item.findtext(f".//{B2BO}MessageId")))


@pytest.mark.usefixtures("address")
def test_a_grid_that_fails_is_tried_again(player: Sender, database: Database, pusher: Pusher, program: Program) -> None:
    request, attempts = ask(player, 100), list[int]()
    for n in range(1, ATTEMPTS):
        work(database, pusher, failing(attempts, until=ATTEMPTS))
        assert (attempts, stored(database, request).status) == (list(range(1, n + 1)), "Received")
    work(database, pusher, failing(attempts, until=ATTEMPTS))
    assert (stored(database, request).dso_factor, len(program.taken)) == (1, 1)


@pytest.mark.usefixtures("address")
def test_a_grid_that_always_fails_is_answered_by_a_refusal_and_not_by_headroom(
    player: Sender, database: Database, pusher: Pusher, program: Program
) -> None:
    request, attempts = ask(player), list[int]()
    for _ in range(ATTEMPTS + 1):
        work(database, pusher, failing(attempts))
    assert len(attempts) == ATTEMPTS
    row = stored(database, request)
    assert (row.status, row.dso_factor, row.reason_code) == ("Answered", 0, "GridUnknown")
    (received,) = program.taken
    assert received.content.factor == 0


@pytest.mark.usefixtures("address")
def test_a_grid_that_ends_its_worker_each_time_is_not_tried_for_ever(
    player: Sender, database: Database, pusher: Pusher
) -> None:
    request, attempts = ask(player), list[int]()
    with database.begin() as connection:  # as when the jobs of dead workers are given back
        connection.execute(text("UPDATE procrastinate_jobs SET attempts = :n"), {"n": ATTEMPTS})
    work(database, pusher, failing(attempts))
    assert attempts == []
    assert stored(database, request).reason_code == "GridUnknown"


@pytest.mark.usefixtures("address")
def test_a_network_file_that_is_gone_is_a_refusal(player: Sender, database: Database, pusher: Pusher) -> None:
    """By the gateway's own seam: without the extra `grid` it is a refusal too."""
    request = ask(player)
    for _ in range(ATTEMPTS):
        work(database, pusher, app.grid)
    assert (stored(database, request).dso_factor, stored(database, request).reason_code) == (0, "GridUnknown")


@pytest.mark.usefixtures("address")
def test_a_model_that_was_taken_away_meanwhile_leaves_the_headroom(
    player: Sender, database: Database, pusher: Pusher
) -> None:
    request, attempts = ask(player), list[int]()
    with database.begin() as connection:
        set_network(connection, DSO, "LA-1", None)
    work(database, pusher, failing(attempts))
    assert (attempts, stored(database, request).dso_factor) == ([], Decimal("0.5"))


@pytest.mark.usefixtures("address")
def test_two_workers_at_once_answer_once(player: Sender, database: Database, pusher: Pusher, program: Program) -> None:
    request, both = ask(player), Barrier(2, timeout=10)

    def grid(network: Path, area: LoadArea, curve: Curve) -> Validation:
        both.wait()
        return allowing(WHOLE)(network, area, curve)

    def answer() -> None:
        answer_late(database, grid, request, 1, utc_now)

    with ThreadPoolExecutor() as pool:
        for one in [pool.submit(answer), pool.submit(answer)]:
            one.result()
    first = stored(database, request).response_id
    work(database, pusher, grid)  # its own job finds nothing to do; only the push is left
    assert [received.content.id for received in program.taken] == [first]
    assert both.n_waiting == 0


@pytest.mark.usefixtures("address")
def test_there_is_a_job_with_what_is_received_and_with_nothing_else(player: Sender, database: Database) -> None:
    identifier = ask(player)
    with database.begin() as connection:
        set_network(connection, DSO, "LA-1", None)
    assert len(player.send(asking(new_id(), 200)).body) == 1
    assert validation_jobs(database) == [identifier]


def validation_jobs(database: Database) -> list[str]:
    sql = "SELECT args ->> 'request_id' FROM procrastinate_jobs WHERE task_name = 'flexiciency.validation'"
    with database.begin() as connection:
        return list(connection.execute(text(sql)).scalars())

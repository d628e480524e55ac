"""TECH-FLEX-REQ of the DSO to a Market Player: answered in the reply of the push, later, or wrongly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select

from flexiciency.client import Reason, ValidationAnswer, ValidationRequest
from flexiciency.client.inbox import Inbox
from flexiciency.client.inbox import Sender as Pushing
from flexiciency.client.statistics import Statistics
from flexiciency.contract.catalogue import MARKET_PLAYER, operations
from flexiciency.delivery.push import Pusher, PushFailed
from flexiciency.domain.flexibility import Band, Curve, LoadArea
from flexiciency.services.flexibility import ask
from flexiciency.services.replies import B2B, PLAYER
from flexiciency.soap.endpoint import Call, Endpoint, Host
from flexiciency.soap.posting import utc_now
from flexiciency.soap.spyne_service import SpyneService
from flexiciency.soap.wsgi import Site
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, import_areas
from flexiciency.store.transaction import transaction
from flexiciency.wire.addressing import MARKET_PLAYER_URN
from flexiciency.wire.parse import DEFAULT
from flexiciency.wire.verify import Policy
from tests import world as worlds
from tests.delivery.conftest import Program, Queue
from tests.gateway import Sender, served
from tests.messages import B2BO, new_id
from tests.world import DSO, World, set_address

PRV = "{urn:flexiciency:provision:1}"
START = datetime(2025, 1, 15, tzinfo=UTC)
CURVE = Curve(START, ((START, 1_500), (START + timedelta(minutes=30), -2)), START + timedelta(hours=1))


@pytest.fixture
def asked(world: World, database: Database) -> str:  # noqa: ARG001  its registrations
    """The Id of a TECH-FLEX-REQ to the player."""
    with database.begin() as connection:
        import_areas(connection, DSO, [NamedArea("LA-1", "Linz", LoadArea("UTC", (Band(0, 1440, 1, 1, "T1"),), ()))])
    with transaction(database) as tx:
        return ask(tx, DSO, worlds.PLAYER, "LA-1", CURVE, datetime.now(UTC))


def delivery_of(database: Database, request_id: str) -> UUID:
    with database.begin() as connection:
        found: UUID = connection.execute(
            select(tables.delivery.c.id).where(tables.delivery.c.object_id == request_id)
        ).scalar_one()
    return found


def stored(database: Database, request_id: str) -> Row[Any]:
    one = tables.technical_validation
    with database.begin() as connection:
        return connection.execute(select(one).where(one.c.id == request_id)).one()


def response(request_id: str, factor: str = "0.5", **changes: Any) -> Any:
    """TECH-FLEX-RESP of the B2B interface."""
    fields = {
        "Id": new_id(), "TechnicalValidationRequestRef": request_id, "CurtailmentFactor": Decimal(factor),
        "DsoFactor": Decimal(factor), "TsoFactor": Decimal(1),
    }  # fmt: skip
    return fields | changes


def answering(request_id: str, **changes: Any) -> Any:
    """AnswerTechnicalValidation."""
    found = B2B.TechnicalValidationResponse(**response(request_id, **changes))
    return B2B.AnswerTechnicalValidation(TechnicalValidationResponse=found)


@pytest.mark.usefixtures("address")
def test_an_answer_in_the_reply_of_the_push_is_stored_with_its_request(
    database: Database, pusher: Pusher, queue: Queue, program: Program, asked: str
) -> None:
    assert (stored(database, asked).status, stored(database, asked).direction) == ("Asked", "ToPlayer")
    program.answer = ValidationAnswer(
        dso_factor=Decimal("0.75"), tso_factor=Decimal("0.125"), limiting_element="boiler", reason=Reason("Busy", None)
    )
    pusher.push(delivery_of(database, asked))
    (received,) = program.taken
    points = tuple((time, Decimal(power) / 1000) for time, power in CURVE.points)
    assert received.content == ValidationRequest(
        id=asked, load_area="LA-1", start=START, curve=points, end=CURVE.end
    )  # fmt: skip
    row, delivery = stored(database, asked), queue.of(delivery_of(database, asked))
    assert (row.status, row.dso_factor, row.tso_factor) == ("Answered", Decimal("0.75"), Decimal("0.125"))
    assert (row.limiting_element, row.reason_code, row.reason_text) == ("boiler", "Busy", None)
    assert row.answered_at <= delivery.received_at
    assert queue.evidence(delivery.message_id) == [
        ("out", "ReceiveTechnicalValidationRequest"),
        ("in", "ReceiveTechnicalValidationRequestResponse"),
    ]


@pytest.mark.usefixtures("address")
def test_without_an_answer_it_is_received_and_answered_later(
    player: Sender, database: Database, pusher: Pusher, queue: Queue, asked: str
) -> None:
    pusher.push(delivery_of(database, asked))
    assert queue.of(delivery_of(database, asked)).received_at is not None
    assert stored(database, asked).status == "Asked"
    player.send(answering(asked))
    assert (stored(database, asked).status, stored(database, asked).dso_factor) == ("Answered", Decimal("0.5"))


@pytest.mark.usefixtures("address")
def test_what_the_program_fails_to_answer_is_asked_again(
    database: Database, pusher: Pusher, queue: Queue, program: Program, asked: str
) -> None:
    program.failing = True
    with pytest.raises(PushFailed):
        pusher.push(delivery_of(database, asked))
    assert (queue.of(delivery_of(database, asked)).state, stored(database, asked).status) == ("Retrying", "Asked")
    program.failing, program.answer = False, ValidationAnswer(dso_factor=Decimal(1))
    pusher.push(delivery_of(database, asked))
    assert (stored(database, asked).status, stored(database, asked).dso_factor) == ("Answered", 1)


@pytest.mark.usefixtures("address")
def test_without_an_address_it_waits_in_the_mailbox(player: Sender, database: Database, asked: str) -> None:
    set_address(database, None)
    item = player.send(B2B.PeekMailbox()).body
    assert item.findtext(f".//{B2BO}Action") == "urn:flexiciency:market-player:1:ReceiveTechnicalValidationRequest"
    assert item.findtext(f".//{PRV}TechnicalValidationRequest/{PRV}Id") == asked
    player.send(B2B.ConfirmMailbox(MessageId=item.findtext(f".//{B2BO}MessageId")))
    player.send(answering(asked))
    assert stored(database, asked).status == "Answered"


@contextmanager
def careless(world: World, folder: Path, answer: Callable[[Call, Any], Any]) -> Iterator[str]:
    """The URL of a Market Player whose program signs whatever it likes."""
    handlers = {row.name: answer for row in operations(MARKET_PLAYER) if row.offered}
    inbox = Inbox(folder / "careless.sqlite", {DSO: Pushing("RegulatedDataProvider")}, Statistics())
    host = Host(world.player, MARKET_PLAYER_URN + worlds.PLAYER, world.anchors, utc_now, DEFAULT, Policy())
    endpoint = Endpoint(MARKET_PLAYER, host, inbox, SpyneService(MARKET_PLAYER, handlers))
    with served(Site([endpoint], "http://localhost", DEFAULT.message_bytes, inbox.check)) as url:
        yield f"{url}/v1/services/{MARKET_PLAYER}"
    inbox.close()


def replying(**changes: Any) -> Callable[[Call, Any], Any]:
    """Answers every TECH-FLEX-REQ with this TECH-FLEX-RESP."""

    def answer(_: Call, message: Any) -> Any:
        found = PLAYER.TechnicalValidationResponse(**response(message.TechnicalValidationRequest.Id, **changes))
        return PLAYER.ReceiveTechnicalValidationRequestResponse(TechnicalValidationResponse=found)

    return answer


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TechnicalValidationRequestRef": "urn:uuid:another"}, "ReferenceUnknown"),
        ({"CurtailmentFactor": Decimal("0.6")}, "SchemaInvalid"),
        ({"CurtailmentFactor": Decimal(2)}, "UntrustedReply"),
    ],
)
def test_a_reply_with_a_wrong_answer_is_a_failed_attempt_and_kept_as_evidence(
    world: World, database: Database, pusher: Pusher, queue: Queue, tmp_path: Path, asked: str,
    changes: dict[str, Any], code: str,
) -> None:  # fmt: skip
    with careless(world, tmp_path, replying(**changes)) as url:
        set_address(database, url)
        with pytest.raises(PushFailed):
            pusher.push(delivery_of(database, asked))
    failed = queue.of(delivery_of(database, asked))
    assert (failed.state, failed.received_at, stored(database, asked).status) == ("Retrying", None, "Asked")
    assert failed.last_error.startswith(f"{code}: ")
    assert [direction for direction, _ in queue.evidence(failed.message_id)] == ["out", "in"]


@pytest.mark.usefixtures("address")
def test_a_reply_does_not_change_what_was_answered_meanwhile(
    world: World, player: Sender, database: Database, pusher: Pusher, queue: Queue, tmp_path: Path, asked: str
) -> None:
    def twice(call: Call, message: Any) -> Any:
        player.send(answering(asked, factor="0.25"))
        return replying()(call, message)

    with careless(world, tmp_path, twice) as url:
        set_address(database, url)
        with pytest.raises(PushFailed, match=r"The first answer counts\."):
            pusher.push(delivery_of(database, asked))
    assert stored(database, asked).dso_factor == Decimal("0.25")
    assert queue.of(delivery_of(database, asked)).last_error.startswith("StateConflict: ")


def test_a_second_answer_is_refused(player: Sender, database: Database, asked: str) -> None:
    first = answering(asked)
    message = player.seal(first)
    player.post(message)
    player.post(message)  # a retry is no second answer
    fault = player.refused(answering(asked, factor="1"))
    path = "AnswerTechnicalValidation/TechnicalValidationResponse/TechnicalValidationRequestRef"
    assert (fault.partner_code, fault.path) == ("StateConflict", path)
    assert stored(database, asked).dso_factor == Decimal("0.5")

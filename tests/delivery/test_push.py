"""One push over HTTP: Sent, received, tried again, withheld, given up (contract, States of a delivery)."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

from flexiciency import app
from flexiciency.delivery.push import Pusher, PushFailed, PushGivenUp
from flexiciency.services.replies import B2B
from flexiciency.store import records, tables
from flexiciency.store.database import Database
from tests.delivery.conftest import Program, Queue
from tests.gateway import Sender
from tests.messages import B2BO, Agreed, acknowledgement, agree, consent, new_id, revocation
from tests.world import DSO, PLAYER, World, pod_name, set_address, status_of


@pytest.fixture
def two(player: Sender, channel: Sender, customers: Iterator[int]) -> tuple[Agreed, list[int]]:
    """An agreement of two customers."""
    numbers = [next(customers), next(customers)]
    return agree(player, channel, numbers), numbers


def closed_port() -> str:
    """An address at which nobody answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/v1/services/market-player"


def state_of(player: Sender, message_id: str) -> str | None:
    reply = player.send(B2B.ReadMessageStatus(MessageId=message_id)).body
    return reply.findtext(f".//{B2BO}Status")


def waiting(player: Sender) -> tuple[int, str | None]:
    """How many deliveries the mailbox holds, and the MessageId of the oldest."""
    reply = player.send(B2B.PeekMailbox()).body
    return int(reply.findtext(f"{B2BO}Waiting") or ""), reply.findtext(f".//{B2BO}MessageId")


@pytest.mark.usefixtures("address")
def test_values_are_sent_received_kept_as_evidence_and_acknowledged(
    player: Sender, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery = queue.day(agreed)
    queued = queue.of(delivery)
    assert (queued.state, state_of(player, queued.message_id)) == ("Queued", "Queued")
    pusher.push(delivery)
    sent = queue.of(delivery)
    assert (sent.state, sent.attempts, sent.last_error) == ("Sent", 1, None)
    assert sent.sent_at <= sent.received_at
    assert (sent.message_id, sent.object_id) == (queued.message_id, queued.object_id)
    (received,) = program.taken
    assert (received.message_id, received.sender) == (sent.message_id, DSO)
    assert (received.content.header.id, received.content.header.agreement) == (sent.object_id, agreed.id)
    assert program.pods() == [[pod_name(number) for number in numbers]]
    assert queue.evidence(sent.message_id) == [
        ("out", "ReceiveIndividualDataValue"),
        ("in", "ReceiveIndividualDataValueResponse"),
    ]
    player.send(acknowledgement(sent.object_id, {pod_name(number): "OK" for number in numbers}))
    assert state_of(player, sent.message_id) == "AcknowledgedOK"
    assert waiting(player) == (0, None)


@pytest.mark.usefixtures("address")
def test_what_was_received_is_not_pushed_again(
    pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    delivery = queue.day(two[0])
    pusher.push(delivery)
    pusher.push(delivery)
    assert len(program.taken) == 1


def test_a_delivery_that_is_not_there_is_passed_over(pusher: Pusher) -> None:
    pusher.push(uuid4())


def test_a_partner_that_is_down_gets_the_same_message_when_it_is_up(
    database: Database, address: str, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    set_address(database, closed_port())
    delivery = queue.day(two[0])
    message_id = queue.of(delivery).message_id
    with pytest.raises(PushFailed, match="No answer"):
        pusher.push(delivery)
    failed = queue.of(delivery)
    assert (failed.state, failed.attempts, failed.received_at) == ("Retrying", 1, None)
    assert failed.last_error.startswith("PartnerUnreachable: ")
    set_address(database, address)
    pusher.push(delivery)
    done = queue.of(delivery)
    assert (done.state, done.attempts, done.last_error, done.message_id) == ("Sent", 2, None, message_id)
    assert [one.message_id for one in program.taken] == [message_id]
    assert [direction for direction, _ in queue.evidence(message_id)] == ["out", "out", "in"]


@pytest.mark.usefixtures("address")
def test_a_partner_that_refuses_gets_the_same_message_again_and_its_fault_is_kept(
    pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    program.failing = True
    delivery = queue.day(two[0])
    with pytest.raises(PushFailed):
        pusher.push(delivery)
    failed = queue.of(delivery)
    assert (failed.state, failed.received_at) == ("Retrying", None)
    assert failed.last_error.startswith("Unavailable: ")
    program.failing = False
    pusher.push(delivery)
    assert queue.of(delivery).message_id == failed.message_id
    assert queue.evidence(failed.message_id) == [
        ("out", "ReceiveIndividualDataValue"),
        ("in", "Fault"),
        ("out", "ReceiveIndividualDataValue"),
        ("in", "ReceiveIndividualDataValueResponse"),
    ]
    assert [one.message_id for one in program.taken] == [failed.message_id]


@pytest.mark.usefixtures("address")
def test_a_revocation_between_two_attempts_makes_it_another_message_without_the_pod(
    channel: Sender, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    program.failing = True
    delivery = queue.day(agreed)
    with pytest.raises(PushFailed):
        pusher.push(delivery)
    first = queue.of(delivery)
    channel.send(revocation(numbers[0], agreed.consents[numbers[0]]))
    program.failing = False
    pusher.push(delivery)
    second = queue.of(delivery)
    assert second.message_id != first.message_id
    assert second.object_id != first.object_id
    assert program.pods() == [[pod_name(numbers[1])]]
    assert program.taken[0].content.header.id == second.object_id


@pytest.mark.usefixtures("address")
def test_values_of_which_none_may_leave_any_more_are_withheld(
    player: Sender, channel: Sender, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    delivery = queue.day(agreed)
    for number in numbers:
        channel.send(revocation(number, agreed.consents[number]))
    pusher.push(delivery)
    withheld = queue.of(delivery)
    assert (withheld.state, withheld.sent_at, withheld.last_error) == ("Dead", None, "no value may leave any more")
    assert program.taken == []
    assert queue.evidence(withheld.message_id) == []
    assert waiting(player) == (0, None)


@pytest.mark.usefixtures("address")
def test_what_could_not_be_pushed_is_dead_and_waits_in_the_mailbox_until_it_is_confirmed(
    player: Sender, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    program.failing = True
    delivery = queue.day(two[0])
    for error, state in ((PushFailed, "Retrying"), (PushGivenUp, "Dead")):
        with pytest.raises(error):
            pusher.push(delivery)
        assert queue.of(delivery).state == state
    count, message_id = waiting(player)
    assert count == 1
    assert waiting(player) == (1, message_id)
    player.send(B2B.ConfirmMailbox(MessageId=message_id))
    assert waiting(player) == (0, None)
    assert queue.of(delivery).state == "Sent"
    player.send(acknowledgement(queue.of(delivery).object_id, {pod_name(number): "OK" for number in two[1]}))
    assert queue.of(delivery).state == "AcknowledgedOK"


@pytest.mark.usefixtures("address")
def test_a_dead_delivery_can_be_pushed_again(
    player: Sender, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    program.failing = True
    delivery = queue.day(two[0])
    for error in (PushFailed, PushGivenUp):
        with pytest.raises(error):
            pusher.push(delivery)
    program.failing = False
    pusher.push(delivery)
    assert queue.of(delivery).state == "Sent"
    assert waiting(player) == (0, None)
    assert len(program.taken) == 1


def test_without_an_address_nothing_is_pushed_and_the_delivery_waits(
    database: Database, address: str, player: Sender, pusher: Pusher, queue: Queue, two: tuple[Agreed, list[int]]
) -> None:
    assert address
    delivery = queue.day(two[0])
    set_address(database, None)
    pusher.push(delivery)
    assert queue.of(delivery).state == "Queued"
    assert waiting(player)[0] == 5  # two consents and their acknowledgements are older


@pytest.mark.usefixtures("address")
def test_a_private_address_is_refused_unless_the_operator_allows_the_host(
    world: World, database: Database, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    strict = app.pusher(world.settings.model_copy(update={"push_hosts": frozenset()}), database)
    delivery = queue.day(two[0])
    with pytest.raises(PushFailed, match="not public"):
        strict.push(delivery)
    failed = queue.of(delivery)
    assert (failed.state, program.taken) == ("Retrying", [])
    assert failed.last_error.startswith("PartnerUnreachable: ")


@pytest.mark.usefixtures("address")
def test_a_push_is_not_taken_from_a_partner_with_another_certificate(
    world: World, database: Database, pusher: Pusher, queue: Queue, two: tuple[Agreed, list[int]]
) -> None:
    """Who answers at the address must sign with a certificate bound to the recipient's company."""
    delivery = queue.day(two[0])
    with database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE market_player_authentication SET fingerprint = %s WHERE fingerprint = %s",
            ("0" * 64, world.player.fingerprint),
        )
    try:
        with pytest.raises(PushFailed, match="none of"):
            pusher.push(delivery)
    finally:
        with database.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE market_player_authentication SET fingerprint = %s WHERE fingerprint = %s",
                (world.player.fingerprint, "0" * 64),
            )
    assert queue.of(delivery).received_at is None


@pytest.mark.usefixtures("address")
def test_objects_are_pushed_as_they_were_stored(
    database: Database, channel: Sender, pusher: Pusher, program: Program, customers: Iterator[int]
) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    channel.send(revocation(number, identifier))
    with database.begin() as connection:
        waiting_now = select(tables.delivery.c.id).where(tables.delivery.c.received_at.is_(None))
        ids = connection.execute(waiting_now.order_by(tables.delivery.c.number)).scalars().all()
    for one in ids:
        pusher.push(one)
    given, acknowledged, revoked = (received.content for received in program.taken)
    assert (given.id, given.pods, given.processing_details) == (identifier, (pod_name(number),), "Energy advice")
    assert (acknowledged.consent_id, acknowledged.pods) == (identifier, (pod_name(number),))
    assert (revoked.consent_id, revoked.pods) == (identifier, (pod_name(number),))


@contextmanager
def certificates_withdrawn(database: Database) -> Iterator[None]:
    """No certificate is bound to the player for a while."""
    _withdraw(database, datetime.now(UTC))
    try:
        yield
    finally:
        _withdraw(database, None)


def _withdraw(database: Database, withdrawn_at: datetime | None) -> None:
    of_player = update(tables.market_player_authentication).where(
        tables.market_player_authentication.c.registration_id == PLAYER
    )
    with database.begin() as connection:
        connection.execute(of_player.values(withdrawn_at=withdrawn_at))


def refuse_twice(pusher: Pusher, queue: Queue, delivery: UUID, code: str) -> None:
    """Two attempts that are refused before anything is marked Sent."""
    for attempt, (error, state) in enumerate(((PushFailed, "Retrying"), (PushGivenUp, "Dead")), 1):
        with pytest.raises(error):
            pusher.push(delivery)
        found = queue.of(delivery)
        assert (found.state, found.attempts, found.sent_at, found.received_at) == (state, attempt, None, None)
        assert found.last_error.startswith(code)
    assert queue.evidence(queue.of(delivery).message_id) == []


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize("status", ["Suspended", "Withdrawn"])
def test_nothing_is_pushed_to_a_registration_that_is_not_active(
    database: Database, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]], status: str
) -> None:
    delivery = queue.day(two[0])
    with status_of(database, PLAYER, status):
        refuse_twice(pusher, queue, delivery, f"StateConflict: Registration {PLAYER} is {status}")
    assert program.taken == []
    with database.begin() as connection:
        records.reopen(connection, delivery)
    pusher.push(delivery)
    assert program.pods() == [[pod_name(number) for number in two[1]]]


@pytest.mark.usefixtures("address")
def test_nothing_is_pushed_to_a_registration_without_a_valid_certificate(
    database: Database, pusher: Pusher, queue: Queue, program: Program, two: tuple[Agreed, list[int]]
) -> None:
    delivery = queue.day(two[0])
    with certificates_withdrawn(database):
        refuse_twice(pusher, queue, delivery, "CertificateNotBound: ")
    assert program.taken == []


def test_an_address_that_no_request_can_be_made_of_costs_attempts_and_ends_dead(
    world: World, database: Database, address: str, queue: Queue, two: tuple[Agreed, list[int]]
) -> None:
    assert address
    settings = world.settings.model_copy(update={"push_attempts": 2, "push_hosts": frozenset({"a..example"})})
    pusher = app.pusher(settings, database)
    set_address(database, "https://a..example/")
    delivery = queue.day(two[0])
    for error, state in ((PushFailed, "Retrying"), (PushGivenUp, "Dead")):
        with pytest.raises(error):
            pusher.push(delivery)
        assert queue.of(delivery).state == state


@pytest.mark.usefixtures("address")
def test_an_error_of_our_own_costs_attempts_and_ends_dead(
    database: Database, pusher: Pusher, queue: Queue, two: tuple[Agreed, list[int]]
) -> None:
    delivery = queue.day(two[0])
    with database.begin() as connection:
        changed = update(tables.delivery).where(tables.delivery.c.id == delivery)
        connection.execute(changed.values(operation="ReceiveNothing"))
    refuse_twice(pusher, queue, delivery, "ValueError: ")


@pytest.mark.usefixtures("address")
def test_a_partner_that_trickles_its_answer_is_given_up_after_the_push_timeout(
    world: World, database: Database, queue: Queue, two: tuple[Agreed, list[int]]
) -> None:
    pusher = app.pusher(world.settings.model_copy(update={"push_timeout": 0.5}), database)
    delivery = queue.day(two[0])
    with ThreadingHTTPServer(("127.0.0.1", 0), Trickling) as server:
        Thread(target=server.serve_forever).start()
        set_address(database, f"http://127.0.0.1:{server.server_port}/")
        try:
            with pytest.raises(PushFailed, match=r"within 0\.5 s"):
                pusher.push(delivery)
        finally:
            server.shutdown()
    assert queue.of(delivery).state == "Retrying"


class Trickling(BaseHTTPRequestHandler):
    """Never silent for long, never done within the patience of a push."""

    def do_POST(self) -> None:
        """A space every 50 ms for two seconds, or until nobody listens."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.end_headers()
        with suppress(OSError):
            for _ in range(40):
                self.wfile.write(b" ")
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

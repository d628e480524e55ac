"""Days of aggregates on their way: queued by the schedule, pushed or waiting in the mailbox (D2.3, 2.6)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select, update

from flexiciency import app
from flexiciency.client import AggregatesMessage
from flexiciency.contract.codec_read import read_aggregates
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.push import Pusher, PushFailed
from flexiciency.delivery.schedule import queue_days
from flexiciency.domain.values import Block, local_day
from flexiciency.services.replies import B2B
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.delivery.conftest import Program, Queue
from tests.gateway import Sender
from tests.messages import B2BO, revocation
from tests.services.aggregating import (
    DAY,
    acknowledged,
    add_pods,
    add_service,
    agree_on_aggregates,
    agree_on_pods,
    give_consent,
)
from tests.world import ZONE, World


def queue_day(database: Database, agreement: str) -> list[UUID]:
    """The deliveries of an agreement, once the schedule has queued the day."""
    queue_days(database, Outbox(), DAY, DAY + timedelta(days=1), datetime.now(UTC))
    delivery = tables.delivery
    with database.begin() as connection:
        found = connection.execute(
            select(delivery.c.id).where(delivery.c.agreement_id == agreement).order_by(delivery.c.time_zone)
        )
        return list(found.scalars())


@pytest.mark.usefixtures("address")
def test_a_day_of_aggregates_is_pushed_once_and_acknowledged(
    player: Sender, database: Database, pusher: Pusher, queue: Queue, program: Program, customers: Iterator[int]
) -> None:
    agreement = agree_on_aggregates(player, add_service(database), [next(customers) for _ in range(5)])
    (delivery,) = queue_day(database, agreement)
    assert queue_day(database, agreement) == [delivery]
    pusher.push(delivery)
    (received,) = program.taken
    assert isinstance(received.content, AggregatesMessage)
    (one,) = received.content.aggregates
    assert (one.id, one.pods, len(one.series.values)) == (f"portfolio:{agreement}", 5, 96)
    assert (received.content.header.period_start, received.content.header.period_end) == local_day(DAY, ZONE)
    sent = queue.of(delivery)
    assert (sent.operation, sent.state) == ("ReceiveAggregatedDataValue", "Sent")
    player.send(acknowledged(received.content.header.id, {one.id: "OK"}))
    assert queue.of(delivery).state == "AcknowledgedOK"


@pytest.mark.usefixtures("address")
def test_a_push_that_failed_is_the_same_message_again(
    player: Sender, database: Database, pusher: Pusher, queue: Queue, program: Program
) -> None:
    agreement = agree_on_pods(player, add_service(database), add_pods(database, "Retry", 5))
    (delivery,) = queue_day(database, agreement)
    program.failing = True
    with pytest.raises(PushFailed):
        pusher.push(delivery)
    first = queue.of(delivery)
    program.failing = False
    pusher.push(delivery)
    second = queue.of(delivery)
    assert (second.message_id, second.object_id) == (first.message_id, first.object_id)
    assert second.body_digest == first.body_digest
    assert [one.message_id for one in program.taken] == [first.message_id]


@pytest.mark.usefixtures("address")
def test_a_correction_before_another_attempt_makes_it_a_new_message_of_a_higher_version(
    player: Sender, database: Database, pusher: Pusher, queue: Queue, program: Program
) -> None:
    pods = add_pods(database, "Anew", 5)
    (delivery,) = queue_day(database, agree_on_pods(player, add_service(database), pods))
    program.failing = True
    with pytest.raises(PushFailed):
        pusher.push(delivery)
    first = queue.of(delivery)
    program.failing = False
    start, _ = local_day(DAY, ZONE)
    quarters = np.full(96, 1000, dtype=np.int32)
    with transaction(database) as tx:
        store_blocks(tx, [Block(pods[0], Quantity.ENERGY_CONSUMPTION, DAY, 1, start, TimeStep.PT15M, quarters)])
    pusher.push(delivery)
    second = queue.of(delivery)
    assert second.message_id != first.message_id
    (received,) = program.taken
    assert isinstance(received.content, AggregatesMessage)
    assert received.content.header.version > 1
    assert received.content.aggregates[0].series.values.tolist() == (4 * np.arange(96) + 1000).tolist()


@pytest.mark.usefixtures("address")
def test_a_revocation_before_another_attempt_withholds_what_would_tell_of_one_pod(
    player: Sender, channel: Sender, database: Database, pusher: Pusher, queue: Queue, program: Program
) -> None:
    pods = add_pods(database, "Withheld", 6)
    consents = {pod: give_consent(channel, pod) for pod in pods}
    (delivery,) = queue_day(database, agree_on_pods(player, add_service(database, mandatory=True), pods))
    program.failing = True
    with pytest.raises(PushFailed):
        pusher.push(delivery)
    program.failing = False
    channel.send(revocation(0, consents[pods[0]], CustomerId=f"C-{pods[0]}", PoD=[pods[0]]))
    pusher.push(delivery)
    assert (program.taken, queue.of(delivery).state) == ([], "Dead")


@pytest.mark.usefixtures("address")
def test_of_a_push_the_groups_that_may_not_leave_are_left_out(
    player: Sender, database: Database, pusher: Pusher, program: Program
) -> None:
    service = add_service(database, aggregation_level="City")
    pods = add_pods(database, "Large", 5, city="Linz") + add_pods(database, "Tiny", 4, city="Hamlet")
    (delivery,) = queue_day(database, agree_on_pods(player, service, pods))
    pusher.push(delivery)
    assert [[one.id for one in received.content.aggregates] for received in program.taken] == [["XX/Linz"]]


@pytest.mark.usefixtures("address")
def test_the_operator_sets_how_small_a_pushed_group_may_be(
    player: Sender, world: World, database: Database, program: Program
) -> None:
    (delivery,) = queue_day(database, agree_on_pods(player, add_service(database), add_pods(database, "Four", 4)))
    app.pusher(world.settings.model_copy(update={"aggregate_minimum": 4}), database).push(delivery)
    assert [[one.pods for one in received.content.aggregates] for received in program.taken] == [[4]]


@pytest.mark.usefixtures("address")
def test_each_zone_has_a_message_of_its_own_days(
    player: Sender, database: Database, pusher: Pusher, program: Program
) -> None:
    zones = ["Atlantic/Canary", "Europe/Madrid"]
    pods = [pod for zone in zones for pod in add_pods(database, f"Zone{zone[:3]}", 5, zone=zone)]
    deliveries = queue_day(database, agree_on_pods(player, add_service(database), pods))
    for delivery in deliveries:
        pusher.push(delivery)
    periods = [(one.content.header.period_start, one.content.header.period_end) for one in program.taken]
    assert periods == [local_day(DAY, zone) for zone in zones]
    assert [[one.pods for one in received.content.aggregates] for received in program.taken] == [[5], [5]]


def test_without_an_address_aggregates_wait_in_the_mailbox(player: Sender, database: Database) -> None:
    with database.begin() as connection:
        connection.execute(update(tables.delivery).values(received_at=datetime.now(UTC)))
    agreement = agree_on_pods(player, add_service(database), add_pods(database, "Box", 5))
    queue_day(database, agreement)
    with database.begin() as connection:
        connection.execute(
            update(tables.delivery)
            .where(tables.delivery.c.agreement_id != agreement)
            .values(received_at=datetime.now(UTC))
        )
    reply = player.send(B2B.PeekMailbox())
    assert reply.body.findtext(f".//{B2BO}Action") == "urn:flexiciency:market-player:1:ReceiveAggregatedDataValue"
    (one,) = read_aggregates(reply.body, reply.canonical_body).aggregates
    assert one.pods == 5


def test_a_group_too_small_is_passed_over_in_the_mailbox(player: Sender, database: Database, queue: Queue) -> None:
    (delivery,) = queue_day(database, agree_on_pods(player, add_service(database), add_pods(database, "BoxTiny", 4)))
    with database.begin() as connection:
        connection.execute(
            update(tables.delivery).where(tables.delivery.c.id != delivery).values(received_at=datetime.now(UTC))
        )
    assert player.send(B2B.PeekMailbox()).body.findtext(f"{B2BO}Waiting") == "0"
    assert queue.of(delivery).state == "Dead"

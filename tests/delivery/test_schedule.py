"""Days of values put on their way: each day once, each PoD by the local days of its own zone."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.push import Pusher
from flexiciency.delivery.schedule import queue_days
from flexiciency.domain.values import local_day
from flexiciency.store import schedule, tables
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import transaction
from tests.delivery.conftest import Program
from tests.gateway import Sender
from tests.messages import Agreed, activation, agree, consent, new_id, proposal
from tests.services.aggregating import add_service, agree_on_aggregates
from tests.services.waiting import blocked
from tests.services.zones import add_pod
from tests.world import PLAYER, ZONE, status_of

DAY = date(2025, 1, 5)


def queue(database: Database, first: date, end: date) -> int:
    return queue_days(database, Outbox(), first, end, datetime.now(UTC))


def queued(database: Database, agreement: str) -> list[UUID]:
    """Deliveries of an agreement."""
    delivery = tables.delivery
    with database.begin() as connection:
        return list(connection.execute(select(delivery.c.id).where(delivery.c.agreement_id == agreement)).scalars())


@pytest.fixture
def agreed(player: Sender, channel: Sender, customers: Iterator[int]) -> Agreed:
    return agree(player, channel, [next(customers)], DAY, DAY + timedelta(days=1))


def test_a_day_is_queued_once(database: Database, agreed: Agreed) -> None:
    for _ in range(2):
        queue(database, DAY, DAY + timedelta(days=1))
    assert len(queued(database, agreed.id)) == 1


def test_two_that_queue_a_day_at_once_queue_it_once(database: Database, agreed: Agreed) -> None:
    values = Values(agreed.id, *local_day(DAY, ZONE), ZONE)
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            tx.read(schedule.lock(agreed.id))
            (other,) = blocked(database, pool, lambda: queue(database, DAY, DAY + timedelta(days=1)))
            Outbox().push_values(tx, PLAYER, values, new_id(), datetime.now(UTC))
        other.result()
    assert len(queued(database, agreed.id)) == 1


@pytest.mark.parametrize("status", ["Suspended", "Withdrawn"])
def test_for_a_requester_that_is_not_active_no_day_is_queued(database: Database, agreed: Agreed, status: str) -> None:
    with status_of(database, PLAYER, status):
        queue(database, DAY, DAY + timedelta(days=1))
    assert queued(database, agreed.id) == []


@pytest.mark.usefixtures("address")
def test_pods_in_two_zones_get_every_value_of_their_own_days_once(
    player: Sender, channel: Sender, database: Database, pusher: Pusher, program: Program
) -> None:
    first, end = date(2025, 3, 29), date(2025, 4, 1)
    days = [first + timedelta(days=i) for i in range(-1, 4)]
    zones = {"ES-MAD": "Europe/Madrid", "ES-CAN": "Atlantic/Canary"}
    for pod, zone in zones.items():
        add_pod(database, pod, zone, days, "C-two-zones")
    pods, request, agreement = list(zones), new_id(), new_id()
    channel.send(consent(0, new_id(), CustomerId="C-two-zones", PoD=pods, StartDate=first, EndDate=end))
    player.send(activation(request, pods))
    player.send(proposal(agreement, request, pods, StartDate=first, EndDate=end))

    assert queue(database, date(2025, 3, 25), date(2025, 4, 5)) == 2 * 3
    for delivery in queued(database, agreement):
        pusher.push(delivery)

    found: dict[str, Counter[int]] = {pod: Counter() for pod in pods}
    for received in program.taken:
        for series in received.content.series:
            found[series.pod].update(series.instants().tolist())
    for pod, zone in zones.items():
        start, stop = local_day(first, zone)[0], local_day(end, zone)[0]
        expected = range(int(start.timestamp()), int(stop.timestamp()), 900)
        assert found[pod] == Counter(expected)


def test_no_individual_values_leave_for_an_agreement_on_aggregates(
    player: Sender, database: Database, customers: Iterator[int]
) -> None:
    numbers = [next(customers) for _ in range(5)]
    agreement = agree_on_aggregates(player, add_service(database), numbers)
    queue(database, DAY, DAY + timedelta(days=1))
    delivery = tables.delivery
    with database.begin() as connection:
        pushed = connection.execute(select(delivery.c.operation).where(delivery.c.agreement_id == agreement))
        assert "ReceiveIndividualDataValue" not in pushed.scalars().all()


@pytest.mark.usefixtures("address")
def test_individual_values_queued_for_an_agreement_on_aggregates_are_withheld(
    player: Sender, database: Database, customers: Iterator[int], pusher: Pusher, program: Program
) -> None:
    agreement = agree_on_aggregates(player, add_service(database), [next(customers) for _ in range(5)])
    with transaction(database) as tx:
        values = Values(agreement, *local_day(DAY, ZONE), ZONE)
        Outbox().push_values(tx, PLAYER, values, new_id(), datetime.now(UTC))
    (delivery,) = queued(database, agreement)
    pusher.push(delivery)
    assert program.taken == []

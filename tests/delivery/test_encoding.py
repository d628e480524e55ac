"""A scheduled delivery is in the encoding that the agreement's selection asks for, clock changes and gaps included."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from psycopg.types.range import TimestamptzRange
from sqlalchemy import delete, insert, select, text

from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.push import Pusher
from flexiciency.delivery.schedule import queue_due
from flexiciency.domain.values import Block, local_day, steps_in_day
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.delivery.conftest import Program
from tests.gateway import Sender
from tests.messages import activation, new_id, proposal
from tests.services.aggregating import add_pods, add_service, agree_on_pods, give_consent
from tests.world import PLAYER, SERVICE, ZONE

SPRING, AUTUMN = date(2025, 3, 30), date(2025, 10, 26)


def store(database: Database, pods: list[str], day: date, step: TimeStep = TimeStep.PT15M) -> None:
    values = np.arange(steps_in_day(day, ZONE, step), dtype=np.int32) + 7
    start, _ = local_day(day, ZONE)
    with transaction(database) as tx:
        store_blocks(tx, [Block(pod, Quantity.ENERGY_CONSUMPTION, day, 1, start, step, values) for pod in pods])


def ask_for(database: Database, agreement: str, encoding: str | None, *, aggregated: bool = False) -> None:
    """A selection of this encoding belongs to the agreement."""
    identifier = new_id()
    with database.begin() as connection:
        connection.execute(
            insert(tables.selection).values(
                id=identifier, requester_id=PLAYER, service_description_id=SERVICE, aggregated=aggregated,
                quantity="EnergyConsumption", time_step="PT15M", period=text("tstzrange('2025-01-01', '2026-01-01')"),
                localization={}, encoding=encoding, selected_at=datetime.now(UTC),
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.agreement_selection).values(agreement_id=agreement, selection_id=identifier)
        )  # fmt: skip


def agree(player: Sender, channel: Sender, pods: list[str], service: str, start: date, days: int = 1) -> str:
    covered = {"StartDate": start, "EndDate": start + timedelta(days)}
    for pod in pods:
        give_consent(channel, pod, **covered)
    request, agreement = new_id(), new_id()
    player.send(activation(request, pods, MarketPlaceServiceDescriptionRef=service))
    player.send(proposal(agreement, request, pods, MarketPlaceServiceDescriptionRef=service, **covered))
    return agreement


def deliver(database: Database, pusher: Pusher, agreement: str) -> None:
    queue_due(database, Outbox(), datetime.now(UTC))
    with database.begin() as connection:
        found = connection.execute(
            text("SELECT id FROM delivery WHERE agreement_id = :id AND received_at IS NULL ORDER BY number"),
            {"id": agreement},
        ).scalars().all()  # fmt: skip
    for delivery in found:
        pusher.push(delivery)


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize("encodings", [[], [None], ["Explicit"], ["Compact"], ["Explicit", "Compact"]])
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_the_selection_of_an_agreement_says_the_encoding_of_its_deliveries(
    player: Sender, channel: Sender, database: Database, pusher: Pusher, program: Program, day: date,
    encodings: list[str | None], request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    pods = add_pods(database, f"Encoded-{request.node.callspec.id}", 2, days=[])
    agreement = agree(player, channel, pods, SERVICE, day)
    for encoding in encodings:
        ask_for(database, agreement, encoding)
    store(database, pods, day)
    deliver(database, pusher, agreement)
    (message,) = [one.content for one in program.taken]
    expected = Encoding.COMPACT if "Compact" in encodings else Encoding.EXPLICIT
    assert message.header.encoding is expected
    count = {SPRING: 92, AUTUMN: 100}[day]
    start = int(local_day(day, ZONE)[0].timestamp())
    assert [series.pod for series in message.series] == pods
    for series in message.series:
        assert series.values.tolist() == list(range(7, 7 + count))
        assert series.instants().tolist() == list(range(start, start + 900 * count, 900))


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize("encoding", Encoding)
def test_days_are_delivered_day_by_day_in_either_encoding(
    player: Sender, channel: Sender, database: Database, pusher: Pusher, program: Program, encoding: Encoding
) -> None:
    service = add_service(
        database, mandatory=True, service_type="IndividualDataProvision", aggregation_level="None",
        aggregation_method=None, time_step="P1D",
    )  # fmt: skip
    pods = add_pods(database, f"Daily-{encoding}", 1, days=[])
    agreement = agree(player, channel, pods, service, SPRING - timedelta(1), days=3)
    ask_for(database, agreement, encoding)
    for offset in (-1, 0, 1):
        store(database, pods, SPRING + timedelta(offset), TimeStep.P1D)
    deliver(database, pusher, agreement)
    starts = [series.start for one in program.taken for series in one.content.series]
    assert starts == [local_day(SPRING + timedelta(offset), ZONE)[0] for offset in (-1, 0, 1)]
    assert {one.content.header.encoding for one in program.taken} == {encoding}
    assert [series.values.tolist() for one in program.taken for series in one.content.series] == [[7]] * 3


@pytest.mark.usefixtures("address")
def test_a_gap_in_what_may_leave_parts_a_compact_series(
    player: Sender, channel: Sender, database: Database, pusher: Pusher, program: Program
) -> None:
    (pod,) = pods = add_pods(database, "Gap-compact", 1, days=[])
    agreement = agree(player, channel, pods, SERVICE, AUTUMN)
    ask_for(database, agreement, "Compact")
    start, end = local_day(AUTUMN, ZONE)
    away = start + timedelta(hours=5), start + timedelta(hours=7)
    lived = [(f"C-{pod}", None, away[0]), ("C-else", away[0], away[1]), (f"C-{pod}", away[1], None)]
    with database.begin() as connection:
        pod_id = connection.execute(select(tables.pod.c.id).where(tables.pod.c.pod == pod)).scalar_one()
        connection.execute(delete(tables.pod_holder).where(tables.pod_holder.c.pod_id == pod_id))
        connection.execute(
            insert(tables.pod_holder),
            [
                {"pod_id": pod_id, "customer_id": who, "held": TimestamptzRange(since, until)}
                for who, since, until in lived
            ],
        )
    store(database, pods, AUTUMN)
    deliver(database, pusher, agreement)
    (message,) = [one.content for one in program.taken]
    assert [(series.start, len(series.values)) for series in message.series] == [(start, 20), (away[1], 72)]
    assert np.concatenate([series.values for series in message.series]).tolist() == [*range(7, 27), *range(35, 107)]
    assert end == away[1] + timedelta(minutes=15 * 72)


@pytest.mark.usefixtures("address")
def test_aggregates_are_compact_too(player: Sender, database: Database, pusher: Pusher, program: Program) -> None:
    pods = add_pods(database, "Compact-sum", 5, days=[])
    agreement = agree_on_pods(player, add_service(database), pods, AUTUMN, AUTUMN + timedelta(1))
    ask_for(database, agreement, "Compact", aggregated=True)
    store(database, pods, AUTUMN)
    deliver(database, pusher, agreement)
    (message,) = [one.content for one in program.taken]
    assert message.header.encoding is Encoding.COMPACT
    assert message.aggregates[0].series.values.tolist() == [5 * value for value in range(7, 107)]

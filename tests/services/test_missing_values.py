"""RequestMissingValues over HTTP: what was not delivered, refused or not acknowledged is queued once more, once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from flexiciency.client import MarketPlayer, PartnerFault, PodStatus, new_message_id
from flexiciency.delivery.missing import queue_requested
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.portions import Caps
from flexiciency.services import gaps
from flexiciency.store import agreements
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.gateway import Sender
from tests.messages import Agreed, activation, new_id, proposal, revocation
from tests.services import aggregating
from tests.services.test_gaps import DAY, HOUR, queued, taken
from tests.services.zones import add_pod
from tests.world import DSO, END_DAY, FIRST_DAY, STRANGER, World, block, pod_name

Queued = tuple[str, datetime, datetime, str | None, list[str] | None]


def requested(database: Database, agreement: str) -> list[Queued]:
    """Deliveries that were asked for: operation, period, zone and PoDs."""
    sql = """SELECT operation, lower(value_period), upper(value_period), time_zone, pods FROM delivery
             WHERE agreement_id = :id AND cause = 'Requested' ORDER BY number"""
    with database.begin() as connection:
        return [tuple(row) for row in connection.execute(text(sql), {"id": agreement})]


def test_a_day_that_was_never_sent_is_queued_whole_and_arrives(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, pods = two[0].id, [pod_name(number) for number in two[1]]
    client.request_missing_values(agreed, DAY[0] + 6 * HOUR, DAY[0] + 7 * HOUR)
    assert requested(database, agreed) == [("ReceiveIndividualDataValue", *DAY, "Europe/Vienna", pods)]
    client.acknowledge_values(taken(client, agreed), {pod: PodStatus("OK") for pod in pods})
    assert client.read_gap_report(agreed, *DAY).gaps == ()
    client.request_missing_values(agreed, *DAY)
    assert len(requested(database, agreed)) == 1


def test_what_was_refused_is_queued_again_and_what_was_accepted_is_not(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, (first, second) = two[0].id, [pod_name(number) for number in two[1]]
    queued(database, agreed)
    hour = DAY[0], DAY[0] + HOUR
    said = [PodStatus("KO", hour), PodStatus("OK", (hour[1], DAY[1]))]
    client.acknowledge_values(taken(client, agreed), {first: said, second: PodStatus("OK")})
    client.request_missing_values(agreed, *DAY)
    assert requested(database, agreed) == [("ReceiveIndividualDataValue", *DAY, "Europe/Vienna", [first])]


def test_what_was_not_acknowledged_and_what_was_corrected_is_queued_again(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, (first, second) = two[0].id, [pod_name(number) for number in two[1]]
    queued(database, agreed)
    client.acknowledge_values(taken(client, agreed), {first: PodStatus("OK")})
    client.request_missing_values(agreed, *DAY, pods=[first])
    assert requested(database, agreed) == []
    with transaction(database) as tx:
        store_blocks(tx, [block(two[1][0], date(2025, 1, 10), version=9)])
    client.request_missing_values(agreed, *DAY)
    # The first was corrected, the second not acknowledged.
    assert [pods for *_, pods in requested(database, agreed)] == [[first, second]]


def test_a_day_of_many_pods_is_queued_in_messages_that_fit(database: Database, two: tuple[Agreed, list[int]]) -> None:
    agreed, pods = two[0].id, [pod_name(number) for number in two[1]]
    with transaction(database) as tx:
        ((agreement,),) = tx.look_up(agreements.stored(agreed))
        days = {(date(2025, 1, 10), "Europe/Vienna"): tuple(pods)}
        queue_requested(tx, Outbox(), agreement, days, Caps(values=96), datetime.now(UTC))
    assert [part for *_, part in requested(database, agreed)] == [[pod] for pod in pods]


def test_only_the_pods_named_are_queued_a_local_day_each(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, pod = two[0].id, pod_name(two[1][1])
    client.request_missing_values(agreed, DAY[0], DAY[0] + 49 * HOUR, pods=[pod, pod])
    days = [(DAY[0] + 24 * n * HOUR, DAY[1] + 24 * n * HOUR) for n in range(3)]
    assert requested(database, agreed) == [
        ("ReceiveIndividualDataValue", *day, "Europe/Vienna", [pod]) for day in days
    ]  # fmt: skip


def test_days_are_those_of_each_zone(client: MarketPlayer, player: Sender, channel: Sender, database: Database) -> None:
    pods = {zone: new_id() for zone in ("Europe/Vienna", "Europe/Lisbon")}
    for zone, pod in pods.items():
        add_pod(database, pod, zone, [date(2025, 1, 10)], f"C-{pod}")
        aggregating.give_consent(channel, pod)
    agreed = _agree(player, list(pods.values()))
    client.request_missing_values(agreed, datetime(2025, 1, 9, tzinfo=UTC), datetime(2025, 1, 12, tzinfo=UTC))
    assert requested(database, agreed) == [
        ("ReceiveIndividualDataValue", DAY[0] + HOUR, DAY[1] + HOUR, "Europe/Lisbon", [pods["Europe/Lisbon"]]),
        ("ReceiveIndividualDataValue", *DAY, "Europe/Vienna", [pods["Europe/Vienna"]]),
    ]


def _agree(player: Sender, pods: list[str]) -> str:
    request, agreement = new_id(), new_id()
    player.send(activation(request, pods))
    player.send(proposal(agreement, request, pods, StartDate=FIRST_DAY, EndDate=END_DAY))
    return agreement


def test_what_is_not_there_or_may_not_leave_is_not_queued(
    client: MarketPlayer, channel: Sender, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, (first, second) = two
    channel.send(revocation(first, agreed.consents[first]))
    client.request_missing_values(agreed.id, *DAY)
    assert [pods for *_, pods in requested(database, agreed.id)] == [[pod_name(second)]]
    client.request_missing_values(agreed.id, DAY[0] + 60 * 24 * HOUR, DAY[1] + 60 * 24 * HOUR)
    assert len(requested(database, agreed.id)) == 1


def test_what_is_on_its_way_is_not_queued_twice(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, pod = two[0].id, pod_name(two[1][0])
    message_id = new_message_id()
    for _ in range(2):  # a replay
        client.request_missing_values(agreed, *DAY, pods=[pod], message_id=message_id)
    client.request_missing_values(agreed, *DAY, pods=[pod])
    assert len(requested(database, agreed)) == 1
    client.request_missing_values(agreed, *DAY)
    assert [pods for *_, pods in requested(database, agreed)] == [[pod], [pod_name(two[1][1])]]
    client.request_missing_values(agreed, *DAY)
    assert len(requested(database, agreed)) == 2


def test_two_requests_at_once_queue_once(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: client.request_missing_values(two[0].id, *DAY), range(3)))
    assert len(requested(database, two[0].id)) == 1


def test_what_is_dead_is_queued_again(client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]) -> None:
    agreed = two[0].id
    queued(database, agreed)
    with database.begin() as connection:
        connection.execute(text("UPDATE delivery SET state = 'Dead' WHERE agreement_id = :id"), {"id": agreed})
    client.request_missing_values(agreed, *DAY)
    assert len(requested(database, agreed)) == 1


def test_aggregates_are_queued_a_day_and_zone_each(client: MarketPlayer, player: Sender, database: Database) -> None:
    pods = aggregating.add_pods(database, "Again", 5, days=[date(2025, 1, 10)])
    agreed = aggregating.agree_on_pods(player, aggregating.add_service(database), pods)
    client.request_missing_values(agreed, *DAY)
    client.request_missing_values(agreed, *DAY)
    assert requested(database, agreed) == [("ReceiveAggregatedDataValue", *DAY, "Europe/Vienna", None)]
    with pytest.raises(PartnerFault) as caught:
        client.request_missing_values(agreed, *DAY, pods=[pods[0]])
    assert (caught.value.partner_code, caught.value.path) == ("StateConflict", "RequestMissingValues/PoD")


def test_bad_periods_pods_and_agreements_are_refused(
    client: MarketPlayer, world: World, url: str, database: Database, two: tuple[Agreed, list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    agreed = two[0].id
    monkeypatch.setattr(gaps, "MOST_POD_DAYS", 5)
    with MarketPlayer(world.stranger, STRANGER, DSO, f"{url}/v1/services/b2b", world.anchors) as stranger:
        for caller, period, pods, code, element in (
            (client, (DAY[1], DAY[0]), (), "ValuesInvalid", "Period/End"),
            (client, (DAY[0], DAY[0] + timedelta(days=3)), (), "ValuesInvalid", "Period/End"),
            (client, DAY, ("AT-unknown",), "ReferenceUnknown", "PoD"),
            (stranger, DAY, (), "ReferenceUnknown", "AgreementId"),
        ):
            with pytest.raises(PartnerFault) as caught:
                caller.request_missing_values(agreed, *period, pods=pods)
            assert (caught.value.partner_code, caught.value.path) == (code, f"RequestMissingValues/{element}")
    assert requested(database, agreed) == []

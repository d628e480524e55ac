"""ReadGapReport over HTTP: expected, sent, acknowledged, and why the rest is not with the receiver."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from flexiciency.client import (
    AggregatesMessage,
    Gap,
    GapReport,
    MarketPlayer,
    PartnerFault,
    PodStatus,
    ValuesMessage,
)
from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.reasons import ReasonCode
from flexiciency.domain.values import Block, local_day
from flexiciency.services import gaps
from flexiciency.store import agreements
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Values
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.gateway import Sender, added, rows
from tests.messages import Agreed, new_id, revocation
from tests.services import aggregating
from tests.services.zones import add_pod, agree_on_pod
from tests.world import DSO, PLAYER, STRANGER, ZONE, World, block, pod_name

DAY = datetime(2025, 1, 9, 23, tzinfo=UTC), datetime(2025, 1, 10, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)


def queued(database: Database, agreement: str, *, aggregated: bool = False) -> None:
    """Queue the day of values for the mailbox."""
    with transaction(database) as tx:
        values = Values(agreement, *DAY, ZONE)
        Outbox().push_values(tx, PLAYER, values, new_id(), datetime.now(UTC), aggregated=aggregated)


def taken(client: MarketPlayer, agreement: str) -> str:
    """Id of the oldest values of an agreement in the mailbox, confirmed as all before them is."""
    while True:
        item = client.peek_mailbox().item
        assert item is not None
        client.confirm_mailbox(item.message_id)
        if isinstance(item.content, ValuesMessage | AggregatesMessage) and item.content.header.agreement == agreement:
            return item.content.header.id


def causes(report: GapReport) -> list[tuple[str, float, float, str]]:
    """Source, hours from the day's beginning, and cause."""
    return [(one.source, (one.start - DAY[0]) / HOUR, (one.end - DAY[0]) / HOUR, one.cause) for one in report.gaps]


def numbers_of(report: GapReport) -> tuple[int, int, int]:
    return report.expected, report.sent, report.acknowledged


def test_what_is_queued_sent_acknowledged_and_refused_is_told_apart(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, pods = two[0].id, [pod_name(number) for number in two[1]]
    queued(database, agreed)
    report = client.read_gap_report(agreed, *DAY)
    assert numbers_of(report) == (192, 0, 0)
    assert causes(report) == [(pod, 0, 24, "NotSent") for pod in pods]
    assert (report.agreement_id, report.start, report.end, report.reason) == (agreed, *DAY, None)
    object_id = taken(client, agreed)
    report = client.read_gap_report(agreed, *DAY)
    assert numbers_of(report) == (192, 192, 0)
    assert causes(report) == [(pod, 0, 24, "NotAcknowledged") for pod in pods]
    said = [PodStatus("OK", (DAY[0], DAY[0] + 6 * HOUR)), PodStatus("KO", (DAY[0] + 6 * HOUR, DAY[0] + 7 * HOUR))]
    client.acknowledge_values(object_id, {pods[0]: said, pods[1]: PodStatus("OK")})
    report = client.read_gap_report(agreed, *DAY)
    assert numbers_of(report) == (192, 192, 24 + 96)
    assert causes(report) == [(pods[0], 6, 7, "RefusedByReceiver"), (pods[0], 7, 24, "NotAcknowledged")]
    client.acknowledge_values(object_id, {pods[0]: PodStatus("OK")})
    assert client.read_gap_report(agreed, *DAY).gaps == ()


def test_values_given_on_request_count_and_a_part_of_a_period_can_be_asked_for(
    client: MarketPlayer, two: tuple[Agreed, list[int]]
) -> None:
    agreed, pod = two[0].id, pod_name(two[1][0])
    noon = DAY[0] + 12 * HOUR
    found = client.request_values(agreed, Quantity.ENERGY_CONSUMPTION, DAY[0], noon, TimeStep.PT15M, [pod])
    client.acknowledge_values(found.header.id, {pod: PodStatus("OK")})
    report = client.read_gap_report(agreed, DAY[0] + HOUR, noon + HOUR)
    assert numbers_of(report) == (96, 44, 44)
    # An interval that began half a second before is not of the period.
    half = timedelta(milliseconds=500)
    assert client.read_gap_report(agreed, DAY[0] + HOUR + half, DAY[0] + 2 * HOUR + half).expected == 6
    assert causes(report) == [(pod, 12, 13, "NotSent"), (pod_name(two[1][1]), 1, 13, "NotSent")]


def test_values_of_another_step_than_agreed_are_not_those_expected(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    client.request_values(two[0].id, Quantity.ENERGY_CONSUMPTION, *DAY, TimeStep.PT15M)
    assert numbers_of(client.read_gap_report(two[0].id, *DAY)) == (192, 192, 0)
    with database.begin() as connection:
        changed = "UPDATE delivery SET time_step = 3600 WHERE agreement_id = :id AND time_step = 900"
        assert connection.execute(text(changed), {"id": two[0].id}).rowcount == 1
    assert numbers_of(client.read_gap_report(two[0].id, *DAY)) == (192, 0, 0)


def test_what_is_not_stored_or_known_to_be_missing_is_not_available(
    client: MarketPlayer, player: Sender, channel: Sender, database: Database
) -> None:
    pod = new_id()
    add_pod(database, pod, ZONE, [], f"C-{pod}")
    agreed = agree_on_pod(player, channel, pod, f"C-{pod}", date(2025, 1, 1), date(2025, 2, 1))
    holed = block(0, date(2025, 1, 10))
    qualities = holed.values.astype("u1") * 0
    qualities[8:12] = Quality.MISSING
    with transaction(database) as tx:
        store_blocks(tx, [Block(pod, holed.quantity, holed.day, 1, holed.start, holed.step, holed.values, qualities)])
    report = client.read_gap_report(agreed, *DAY)
    assert causes(report) == [(pod, 0, 2, "NotSent"), (pod, 2, 3, "NotAvailable"), (pod, 3, 24, "NotSent")]
    report = client.read_gap_report(agreed, DAY[1], DAY[1] + 2 * HOUR)
    assert causes(report) == [(pod, 24, 26, "NotAvailable")]


def test_of_what_may_not_leave_nobody_is_told_whether_it_is_there(
    client: MarketPlayer, channel: Sender, two: tuple[Agreed, list[int]]
) -> None:
    agreed, (first, second) = two
    channel.send(revocation(first, agreed.consents[first]))
    # Of one day there are values, of the other there are none.
    for day in (DAY, (DAY[0] + 60 * 24 * HOUR, DAY[1] + 60 * 24 * HOUR)):
        told = {(one.source, one.cause) for one in client.read_gap_report(agreed.id, *day).gaps}
        assert (pod_name(first), "NotAvailable") not in told
    report = client.read_gap_report(agreed.id, *DAY)
    assert causes(report) == [(pod_name(first), 0, 24, "NotReleased"), (pod_name(second), 0, 24, "NotSent")]


def test_what_left_before_a_revocation_stays_delivered(
    client: MarketPlayer, channel: Sender, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    queued(database, agreed.id)
    client.acknowledge_values(taken(client, agreed.id), {pod_name(number): PodStatus("OK") for number in numbers})
    for number in numbers:
        channel.send(revocation(number, agreed.consents[number]))
    assert numbers_of(client.read_gap_report(agreed.id, *DAY)) == (192, 192, 192)


def test_a_correction_that_has_not_been_sent_is_a_gap(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed, numbers = two
    queued(database, agreed.id)
    client.acknowledge_values(taken(client, agreed.id), {pod_name(number): PodStatus("OK") for number in numbers})
    with transaction(database) as tx:
        store_blocks(tx, [block(numbers[0], date(2025, 1, 10), version=7)])
    report = client.read_gap_report(agreed.id, *DAY)
    assert causes(report) == [(pod_name(numbers[0]), 0, 24, "NotSent")]
    queued(database, agreed.id)
    client.acknowledge_values(taken(client, agreed.id), {pod_name(numbers[0]): PodStatus("OK")})
    assert client.read_gap_report(agreed.id, *DAY).gaps == ()


def test_a_message_that_was_tried_and_is_dead_was_not_sent(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    agreed = two[0].id
    queued(database, agreed)
    client.peek_mailbox()
    assert numbers_of(client.read_gap_report(agreed, *DAY))[1] == 0  # handed out, not confirmed
    taken(client, agreed)
    with database.begin() as connection:
        connection.execute(text("UPDATE delivery SET state = 'Dead' WHERE agreement_id = :id"), {"id": agreed})
    assert numbers_of(client.read_gap_report(agreed, *DAY))[1] == 0
    with database.begin() as connection:
        connection.execute(text("UPDATE delivery SET resends = 1 WHERE agreement_id = :id"), {"id": agreed})
    assert numbers_of(client.read_gap_report(agreed, *DAY))[1] == 192


def test_the_days_of_the_clock_changes_have_as_many_values_as_they_have_quarter_hours(
    client: MarketPlayer, player: Sender, channel: Sender, database: Database
) -> None:
    pod, days = new_id(), [date(2025, 3, 30), date(2025, 10, 26)]
    add_pod(database, pod, ZONE, days, f"C-{pod}")
    agreed = agree_on_pod(player, channel, pod, f"C-{pod}", date(2025, 1, 1), date(2026, 1, 1))
    assert [client.read_gap_report(agreed, *local_day(day, ZONE)).expected for day in days] == [92, 100]
    report = client.read_gap_report(agreed, *local_day(days[0], ZONE))
    assert [(one.end - one.start, one.cause) for one in report.gaps] == [(23 * HOUR, "NotSent")]


def test_what_is_not_over_yet_is_not_expected(database: Database, two: tuple[Agreed, list[int]]) -> None:
    with transaction(database) as tx:
        ((agreement,),) = tx.look_up(agreements.stored(two[0].id))
        for hours, expected in ((-1, 0), (0, 0), (1.1, 8), (24, 192), (48, 192)):
            asked = gaps.Asked(agreement, *DAY, DAY[0] + hours * HOUR)
            assert gaps.report(tx, asked).expected == expected


def test_gaps_beyond_what_one_report_lists_are_cut_with_a_reason(
    database: Database, two: tuple[Agreed, list[int]]
) -> None:
    with transaction(database) as tx:
        ((agreement,),) = tx.look_up(agreements.stored(two[0].id))
        asked = gaps.Asked(agreement, *DAY, datetime.now(UTC))
        whole, cut = gaps.report(tx, asked, most_gaps=2), gaps.report(tx, asked, most_gaps=1)
    assert (len(whole.gaps), whole.reason) == (2, None)
    assert (len(cut.gaps), cut.expected) == (1, 192)
    assert cut.reason is not None
    assert cut.reason.code is ReasonCode.GAPS_CUT


def test_a_report_of_more_pod_days_than_it_may_be_is_refused_with_what_fits(
    client: MarketPlayer, two: tuple[Agreed, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MOST_POD_DAYS", 5)
    assert client.read_gap_report(two[0].id, DAY[0], DAY[0] + 48 * HOUR).expected == 384
    with pytest.raises(PartnerFault, match="Ask for 2 days at a time") as caught:
        client.read_gap_report(two[0].id, DAY[0], DAY[0] + 72 * HOUR)
    assert (caught.value.partner_code, caught.value.path) == ("ValuesInvalid", "ReadGapReport/Period/End")
    monkeypatch.setattr(gaps, "LONGEST", timedelta(days=1))
    with pytest.raises(PartnerFault, match="Ask for 1 days at a time"):
        client.read_gap_report(two[0].id, DAY[0], DAY[0] + 48 * HOUR)


def test_an_empty_period_and_a_foreign_agreement_are_refused(
    client: MarketPlayer, world: World, url: str, two: tuple[Agreed, list[int]]
) -> None:
    with pytest.raises(PartnerFault) as caught:
        client.read_gap_report(two[0].id, DAY[1], DAY[0])
    assert (caught.value.partner_code, caught.value.path) == ("ValuesInvalid", "ReadGapReport/Period/End")
    with (
        MarketPlayer(world.stranger, STRANGER, DSO, f"{url}/v1/services/b2b", world.anchors) as stranger,
        pytest.raises(PartnerFault) as refused,
    ):
        stranger.read_gap_report(two[0].id, *DAY)
    assert (refused.value.partner_code, refused.value.path) == ("ReferenceUnknown", "ReadGapReport/AgreementId")


def test_a_report_changes_and_keeps_nothing(
    client: MarketPlayer, database: Database, two: tuple[Agreed, list[int]]
) -> None:
    before = rows(database)
    client.read_gap_report(two[0].id, *DAY)
    client.read_gap_report(two[0].id, DAY[0].replace(year=1), DAY[1].replace(year=9999))
    assert added(before, database) == {}


def test_aggregates_are_expected_wherever_the_agreement_covers_their_pods(
    client: MarketPlayer, player: Sender, database: Database
) -> None:
    pods = aggregating.add_pods(database, "GapSum", 5, days=[date(2025, 1, 10)])
    agreed = aggregating.agree_on_pods(player, aggregating.add_service(database), pods)
    source = f"portfolio:{agreed}"
    assert causes(client.read_gap_report(agreed, *DAY)) == [(source, 0, 24, "NotSent")]
    queued(database, agreed, aggregated=True)
    object_id = taken(client, agreed)
    report = client.read_gap_report(agreed, DAY[0], DAY[1] + HOUR)
    assert numbers_of(report) == (100, 96, 0)
    assert causes(report) == [(source, 0, 24, "NotAcknowledged"), (source, 24, 25, "NotSent")]
    client.acknowledge_aggregates(object_id, {source: PodStatus("OK")})
    assert causes(client.read_gap_report(agreed, *DAY)) == []


def test_a_gap_is_a_plain_tuple(client: MarketPlayer, two: tuple[Agreed, list[int]]) -> None:
    first, _ = client.read_gap_report(two[0].id, *DAY).gaps
    assert first == Gap(pod_name(two[1][0]), *DAY, "NotSent")

"""IND-DAT-ACK and AGG-DAT-ACK over HTTP: value by value, repeated, late, contradictory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from flexiciency.client import PodStatus, Reason
from flexiciency.client.writing import values_acknowledgement
from flexiciency.contract.codec import ValuesMessage
from flexiciency.domain.values import local_day
from flexiciency.services.acknowledgement import MOST_STATEMENTS
from flexiciency.services.replies import B2B
from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.gateway import Sender, added, rows
from tests.messages import Agreed, agree, new_id, revocation, values, values_of
from tests.services import aggregating
from tests.world import ZONE, pod_name

DAY = datetime(2025, 1, 9, 23, tzinfo=UTC), datetime(2025, 1, 10, 23, tzinfo=UTC)
AT = datetime(2025, 6, 1, tzinfo=UTC)
PATH = "AcknowledgeIndividualData/IndividualDataAcknowledgement/PodAcknowledgement[1]"
HIGH = Reason("OutOfRange", "Too high.")


def ok(first: int | None = None, last: int = 24) -> PodStatus:
    return PodStatus("OK", _hours(first, last))


def ko(first: int | None = None, last: int = 24) -> PodStatus:
    return PodStatus("KO", _hours(first, last), HIGH)


def _hours(first: int | None, last: int) -> tuple[datetime, datetime] | None:
    return None if first is None else (DAY[0] + timedelta(hours=first), DAY[0] + timedelta(hours=last))


def of_pods(values_id: str, pods: dict[str, list[PodStatus]], at: datetime = AT) -> Any:
    """AcknowledgeIndividualData, every status as of one instant."""
    said = values_acknowledgement(new_id(), values_id, pods, at)
    for of_pod in said["PodAcknowledgement"]:
        of_pod["Acknowledgement"] = [_statement(one) for one in of_pod["Acknowledgement"]]
    said["PodAcknowledgement"] = [B2B.PodAcknowledgement(**one) for one in said["PodAcknowledgement"]]
    return B2B.AcknowledgeIndividualData(
        IndividualDataAcknowledgement=B2B.IndividualDataAcknowledgement(**said)
    )  # fmt: skip


def _statement(one: dict[str, Any]) -> Any:
    kinds = {"ValuePeriod": B2B.Period, "Reason": B2B.Reason}
    return B2B.Acknowledgement(**{
        name: kinds[name](**given) if name in kinds and given else given for name, given in one.items()
    })  # fmt: skip


@pytest.fixture
def two(player: Sender, channel: Sender, customers: Iterator[int]) -> tuple[Agreed, list[str]]:
    """An agreement on two PoDs."""
    numbers = [next(customers), next(customers)]
    return agree(player, channel, numbers), [pod_name(number) for number in numbers]


@pytest.fixture
def sent(player: Sender, two: tuple[Agreed, list[str]]) -> ValuesMessage:
    return values_of(player, values(two[0].id, *DAY))


def state(database: Database, values_id: str) -> str:
    with database.begin() as connection:
        found = connection.execute(select(tables.delivery.c.state).where(tables.delivery.c.object_id == values_id))
        return str(found.scalar_one())


def statuses(database: Database, values_id: str) -> list[tuple[str | None, str | None, bool]]:
    sql = """SELECT dp.status, dp.reason_code, dp.open FROM delivery d JOIN delivery_pod dp ON dp.delivery_id = d.id
             JOIN pod p ON p.id = dp.pod_id WHERE d.object_id = :id ORDER BY p.pod"""
    with database.begin() as connection:
        return [tuple(row) for row in connection.execute(text(sql), {"id": values_id})]


def test_a_pod_is_ok_once_ok_covers_all_that_was_sent(
    player: Sender, database: Database, two: tuple[Agreed, list[str]], sent: ValuesMessage
) -> None:
    one, other = two[1]
    player.send(of_pods(sent.header.id, {one: [ok(0, 12)], other: [ok()]}))
    assert statuses(database, sent.header.id) == [("Partly", None, True), ("OK", None, False)]
    assert state(database, sent.header.id) == "AcknowledgedPartly"
    player.send(of_pods(sent.header.id, {one: [ok(12)]}))
    assert statuses(database, sent.header.id) == [("OK", None, False)] * 2
    assert state(database, sent.header.id) == "AcknowledgedOK"


def test_one_refused_hour_is_kept_with_its_reason_until_it_is_accepted(
    player: Sender, database: Database, two: tuple[Agreed, list[str]], sent: ValuesMessage
) -> None:
    one, other = two[1]
    player.send(of_pods(sent.header.id, {one: [ok(0, 6), ko(6, 7), ok(7)], other: [ok()]}))
    assert statuses(database, sent.header.id)[0] == ("Partly", "OutOfRange", False)
    assert state(database, sent.header.id) == "AcknowledgedPartly"
    kept = tables.delivery_acknowledgement
    with database.begin() as connection:
        refused = connection.execute(
            select(kept.c.value_period, kept.c.reason_code, kept.c.reason_text, kept.c.status_at)
            .join(tables.delivery).where(tables.delivery.c.object_id == sent.header.id, kept.c.status == "KO")
        ).one()  # fmt: skip
    assert (refused.value_period.lower - DAY[0], refused.value_period.upper - DAY[0]) == (
        timedelta(hours=6), timedelta(hours=7)
    )  # fmt: skip
    assert (refused.reason_code, refused.reason_text, refused.status_at) == ("OutOfRange", "Too high.", AT)
    player.send(of_pods(sent.header.id, {one: [ok(6, 7)]}))
    assert state(database, sent.header.id) == "AcknowledgedOK"


def test_what_was_so_later_counts_though_it_arrives_first(
    player: Sender, database: Database, two: tuple[Agreed, list[str]], sent: ValuesMessage
) -> None:
    pods = two[1]
    player.send(of_pods(sent.header.id, {pod: [ok()] for pod in pods}, AT + timedelta(minutes=5)))
    player.send(of_pods(sent.header.id, {pod: [ko()] for pod in pods}, AT))
    assert state(database, sent.header.id) == "AcknowledgedOK"
    player.send(of_pods(sent.header.id, {pod: [ko()] for pod in pods}, AT + timedelta(minutes=6)))
    assert state(database, sent.header.id) == "AcknowledgedKO"


def test_what_is_said_again_is_kept_once(
    player: Sender, database: Database, two: tuple[Agreed, list[str]], sent: ValuesMessage
) -> None:
    pods = two[1]
    player.send(of_pods(sent.header.id, {pod: [ok()] for pod in pods}))
    before = rows(database)
    player.send(of_pods(sent.header.id, {pod: [ok()] for pod in pods}))
    assert added(before, database) == {"message": 2, "exchange": 1}


@pytest.mark.parametrize(
    ("said", "place", "why"),
    [
        ([ok(0, 6), ko(5, 7)], "Acknowledgement[1]/ValuePeriod", "OK and KO at once"),
        ([ok(), ko(5, 7)], "Acknowledgement[1]/ValuePeriod", "OK and KO at once"),
        ([ok(0, 6), ok(20, 25)], "Acknowledgement[2]/ValuePeriod", "reaches out of the message"),
        ([ok(6, 6)], "Acknowledgement[1]/ValuePeriod", "End must be later"),
        ([ok()] * (MOST_STATEMENTS + 1), f"Acknowledgement[{MOST_STATEMENTS + 1}]", "Join ranges"),
    ],
)  # fmt: skip
def test_statements_that_contradict_each_other_or_the_message_are_refused(
    player: Sender, database: Database, two: tuple[Agreed, list[str]], sent: ValuesMessage,
    said: list[PodStatus], place: str, why: str,
) -> None:  # fmt: skip
    fault = player.refused(of_pods(sent.header.id, {two[1][0]: said}))
    assert (fault.partner_code, fault.path) == ("AcknowledgementInvalid", f"{PATH}/{place}")
    assert why in fault.message
    assert state(database, sent.header.id) == "Sent"


def test_a_pod_that_is_named_twice_is_refused(
    player: Sender, two: tuple[Agreed, list[str]], sent: ValuesMessage
) -> None:
    message = of_pods(sent.header.id, {two[1][0]: [ok()]})
    message.IndividualDataAcknowledgement.PodAcknowledgement *= 2
    fault = player.refused(message)
    assert (fault.partner_code, fault.path) == ("AcknowledgementInvalid", f"{PATH[:-3]}[2]/PoD")


def test_part_of_a_day_that_was_sent_is_ok_when_that_part_is(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    period = tables.agreement_pod
    with database.begin() as connection:
        connection.execute(
            update(period).where(period.c.agreement_id == agreed.id)
            .values(covered=text("covered * tstzrange('2025-01-10 05:00+00', NULL)"))
        )  # fmt: skip
    found = values_of(player, values(agreed.id, *DAY))
    assert [len(series.values) for series in found.series] == [18 * 4]
    player.send(of_pods(found.header.id, {pod_name(number): [ok(6)]}))
    assert state(database, found.header.id) == "AcknowledgedOK"


def test_an_acknowledgement_may_come_when_nothing_may_leave_any_more(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    found = values_of(player, values(agreed.id, *DAY))
    channel.send(revocation(number, agreed.consents[number]))
    player.send(of_pods(found.header.id, {pod_name(number): [ok()]}))
    assert state(database, found.header.id) == "AcknowledgedOK"


def test_aggregates_are_acknowledged_range_by_range(player: Sender, database: Database) -> None:
    pods = aggregating.add_pods(database, "AckRange", 5)
    agreement = aggregating.agree_on_pods(player, aggregating.add_service(database), pods)
    served = aggregating.aggregates_of(player, aggregating.aggregates(agreement)).header.id
    start, end = local_day(aggregating.DAY, ZONE)
    noon = start + timedelta(hours=12)
    for period, expected in (((start, noon), "AcknowledgedPartly"), ((noon, end), "AcknowledgedOK")):
        message = aggregating.acknowledged(served, {f"portfolio:{agreement}": "OK"})
        (said,) = message.AggregatedDataAcknowledgement.AggregateAcknowledgement
        said.Acknowledgement[0].ValuePeriod = B2B.Period(Start=period[0], End=period[1])
        player.send(message)
        assert state(database, served) == expected

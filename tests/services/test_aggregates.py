"""Aggregated values over HTTP (D2.3, 2.6; contract, decision 10): what is given, to whom, and what is refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select, update

from flexiciency.contract.series import Encoding, TimeStep
from flexiciency.domain.values import local_day
from flexiciency.store import aggregates as store
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.gateway import Sender, gateway, player_of
from tests.messages import END, START, acknowledgement, new_id, revocation, values
from tests.services.aggregating import (
    DAY,
    acknowledged,
    add_pods,
    add_service,
    aggregates,
    aggregates_of,
    agree_on_aggregates,
    agree_on_pods,
    give_consent,
)
from tests.services.waiting import blocked
from tests.world import FIRST_DAY, PLAYER, ZONE, World, block

QUARTERS = 96


def month(number: int) -> NDArray[np.int64]:
    """A customer's quarter hours of January."""
    return np.concatenate([block(number, FIRST_DAY + timedelta(day)).values for day in range(31)]).astype(np.int64)


def refusal(player: Sender, agreement: str, **changes: object) -> tuple[str, str]:
    """The path and text of the StateConflict that a request gets."""
    fault = player.refused(aggregates(agreement, **changes))
    assert fault.partner_code == "StateConflict"
    return fault.path or "", fault.message


def states(database: Database, object_id: str) -> tuple[str, dict[str, str | None]]:
    """State of the delivery that carried an object, and the status of each aggregate in it."""
    delivery, part = tables.delivery, tables.delivery_aggregate
    with database.begin() as connection:
        rows = connection.execute(
            select(delivery.c.state, part.c.aggregation_id, part.c.status)
            .join(part, part.c.delivery_id == delivery.c.id)
            .where(delivery.c.object_id == object_id)
        ).all()
    return rows[0].state, {row.aggregation_id: row.status for row in rows}


def test_an_agreement_on_aggregates_gives_no_individual_values(player: Sender, database: Database) -> None:
    agreement = agree_on_pods(player, add_service(database), add_pods(database, "NoIndividual", 5))
    fault = player.refused(values(agreement))
    assert (fault.partner_code, fault.path) == ("StateConflict", "RequestIndividualDataValues/AgreementId")
    assert "AggregatedDataProvision" in fault.message


@pytest.mark.parametrize("encoding", [None, *Encoding])
def test_the_sum_of_a_portfolio_leaves(
    player: Sender, database: Database, customers: Iterator[int], encoding: Encoding | None
) -> None:
    numbers = list(islice(customers, 5))
    agreement = agree_on_aggregates(player, add_service(database), numbers)
    found = aggregates_of(player, aggregates(agreement, Encoding=encoding))
    (one,) = found.aggregates
    assert (one.id, one.pods, one.series.start) == (f"portfolio:{agreement}", 5, START)
    assert one.series.values.tolist() == np.sum([month(number) for number in numbers], axis=0).tolist()
    header = found.header
    assert (header.aggregation_level, header.aggregation_method) == ("Portfolio", "Sum")
    assert (header.agreement, header.period_start, header.period_end) == (agreement, START, END)


def test_cities_get_a_mean_each(player: Sender, database: Database) -> None:
    service = add_service(database, aggregation_level="City", aggregation_method="Mean")
    pods = add_pods(database, "CityA", 5, city="Linz") + add_pods(database, "CityB", 6, city="Sankt Pölten")
    agreement = agree_on_pods(player, service, pods)
    asked = {"AggregationLevel": "City", "AggregationMethod": "Mean"}
    found = aggregates_of(player, aggregates(agreement, **asked))
    assert [(one.id, one.pods) for one in found.aggregates] == [("XX/Linz", 5), ("XX/Sankt%20P%C3%B6lten", 6)]
    assert all(one.series.values.tolist() == list(range(QUARTERS)) for one in found.aggregates)


@pytest.mark.parametrize(
    ("place", "pods"),
    [
        ({"City": ["North"]}, 5),
        ({"Country": ["XX"], "Street": ["Street"]}, 11),
        ({"Country": ["XX"], "City": ["North", "South"]}, 11),
        ({"PoD": [f"South{{}}-{n}" for n in range(5)]}, 5),
        ({"CustomerId": [f"C-South{{}}-{n}" for n in range(6)]}, 6),
        ({"City": ["South"], "PoD": [f"South{{}}-{n}" for n in range(5)] + ["North{}-0"]}, 5),
    ],
)
def test_a_localization_selects_pods(
    player: Sender, database: Database, request: pytest.FixtureRequest, place: dict[str, list[str]], pods: int
) -> None:
    tag = request.node.callspec.id
    town = add_pods(database, f"North{tag}", 5, city="North") + add_pods(database, f"South{tag}", 6, city="South")
    agreement = agree_on_pods(player, add_service(database), town)
    named = {element: [one.format(tag) for one in names] for element, names in place.items()}
    (one,) = aggregates_of(player, aggregates(agreement, **named)).aggregates
    assert one.pods == pods
    assert one.series.values.tolist() == (pods * np.arange(QUARTERS)).tolist()


def test_a_localization_without_a_pod_gets_nothing(player: Sender, database: Database) -> None:
    agreement = agree_on_pods(player, add_service(database), add_pods(database, "Nowhere", 5))
    path, text = refusal(player, agreement, City=["Atlantis"])
    assert path == "RequestAggregatedDataValues/AggregatedDataSelection"
    assert text.startswith("Nothing of this selection may leave")


def test_an_interval_that_one_of_the_group_has_not_is_a_gap(player: Sender, database: Database) -> None:
    around = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
    pods = add_pods(database, "GapA", 5, days=around) + add_pods(database, "GapB", 1, days=[around[0], around[2]])
    agreement = agree_on_pods(player, add_service(database), pods)
    found = aggregates_of(player, aggregates(agreement)).aggregates
    assert [(one.pods, one.series.start) for one in found] == [
        (6, local_day(around[0], ZONE)[0]),
        (6, local_day(around[2], ZONE)[0]),
    ]


def test_a_group_that_is_too_small_is_refused(player: Sender, database: Database) -> None:
    agreement = agree_on_pods(player, add_service(database), add_pods(database, "Small", 4))
    path, text = refusal(player, agreement)
    assert path == "RequestAggregatedDataValues/AggregatedDataSelection/Localization"
    assert text.startswith("GroupTooSmall: The group has too few PoDs")
    assert text.endswith(f"Aggregate portfolio:{agreement}.")


def test_the_operator_sets_how_small_a_group_may_be(world: World, database: Database, player: Sender) -> None:
    agreement = agree_on_pods(player, add_service(database), add_pods(database, "Setting", 4))
    with gateway(world, database, aggregate_minimum=4) as url:
        (one,) = aggregates_of(player_of(world, url), aggregates(agreement)).aggregates
    assert one.pods == 4


def test_a_small_group_of_which_all_have_consented_leaves(player: Sender, channel: Sender, database: Database) -> None:
    pods = add_pods(database, "Consented", 2)
    for pod in pods:
        give_consent(channel, pod)
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    (one,) = aggregates_of(player, aggregates(agreement)).aggregates
    assert one.pods == 2


def test_groups_for_one_time_are_equal_disjoint_or_far_apart(player: Sender, database: Database) -> None:
    pods = add_pods(database, "Overlap", 15)
    first, second = (agree_on_pods(player, add_service(database), pods) for _ in range(2))
    for _ in range(2):
        assert aggregates_of(player, aggregates(first, PoD=pods[:10])).aggregates[0].pods == 10
    assert aggregates_of(player, aggregates(second, PoD=pods[:10])).aggregates[0].pods == 10
    _, text = refusal(player, second, PoD=pods[:9])
    assert text.startswith("GroupOverlaps: A group already served for this time differs by too few PoDs.")
    assert refusal(player, first, PoD=pods[1:10])[1].startswith("GroupOverlaps")
    assert aggregates_of(player, aggregates(first, PoD=pods[10:])).aggregates[0].pods == 5
    assert aggregates_of(player, aggregates(first)).aggregates[0].pods == 15


def test_what_was_refused_was_not_served(player: Sender, database: Database) -> None:
    pods = add_pods(database, "NotServed", 10)
    service = add_service(database, aggregation_level="City")
    with database.begin() as connection:
        connection.execute(update(tables.pod).where(tables.pod.c.pod.in_(pods[:4])).values(city="Hamlet"))
    agreement = agree_on_pods(player, service, pods)
    assert refusal(player, agreement, AggregationLevel="City")[1].startswith("GroupTooSmall")
    assert aggregates_of(player, aggregates(agreement, AggregationLevel="City", PoD=pods[5:])).aggregates[0].pods == 5


def test_another_time_may_have_another_group(player: Sender, database: Database) -> None:
    pods = add_pods(database, "OtherTime", 6, days=[DAY, DAY + timedelta(days=1)])
    agreement = agree_on_pods(player, add_service(database), pods)
    start, noon = local_day(DAY, ZONE)[0], local_day(DAY, ZONE)[0] + timedelta(hours=12)
    end = noon + timedelta(days=1)
    assert aggregates_of(player, aggregates(agreement, start, noon)).aggregates[0].pods == 6
    assert aggregates_of(player, aggregates(agreement, noon, end, PoD=pods[:5])).aggregates[0].pods == 5
    both = aggregates(agreement, noon - timedelta(minutes=15), end, PoD=pods[:5])
    assert player.refused(both).message.startswith("GroupOverlaps")


def test_a_revocation_changes_no_interval_that_was_served(player: Sender, channel: Sender, database: Database) -> None:
    pods = add_pods(database, "Revoked", 7, days=[DAY, DAY + timedelta(days=1)])
    consents = {pod: give_consent(channel, pod) for pod in pods}
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    first, second = local_day(DAY, ZONE), local_day(DAY + timedelta(days=1), ZONE)
    assert aggregates_of(player, aggregates(agreement, *first)).aggregates[0].pods == 7
    channel.send(revocation(0, consents[pods[0]], CustomerId=f"C-{pods[0]}", PoD=[pods[0]]))
    assert player.refused(aggregates(agreement, *first)).message.startswith("GroupOverlaps")
    assert aggregates_of(player, aggregates(agreement, *second)).aggregates[0].pods == 6


def test_two_requests_at_once_do_not_slip_through(player: Sender, database: Database) -> None:
    pods = add_pods(database, "AtOnce", 10)
    agreement = agree_on_pods(player, add_service(database), pods)
    stretch = local_day(DAY, ZONE)
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            store.lock(tx, PLAYER)
            (other,) = blocked(database, pool, lambda: refusal(player, agreement, PoD=pods[:9]))
            store.Group(PLAYER, frozenset(pods), (stretch,)).serve(tx)
        assert other.result()[1].startswith("GroupOverlaps")


def test_a_repeated_request_is_released_anew(player: Sender, channel: Sender, database: Database) -> None:
    pods = add_pods(database, "Again", 6)
    consents = {pod: give_consent(channel, pod) for pod in pods}
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    request, message_id = aggregates(agreement), new_id()
    player.post(player.seal(request, message_id=message_id))
    player.post(player.seal(request, message_id=message_id))
    channel.send(revocation(0, consents[pods[0]], CustomerId=f"C-{pods[0]}", PoD=[pods[0]]))
    fault = player.refused_message(player.seal(request, message_id=message_id))
    assert fault.message.startswith("GroupOverlaps")


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("AggregationLevel", "City"),
        ("AggregationMethod", "Mean"),
        ("Quantity", "Power"),
        ("TimeStep", "PT10M"),
    ],
)
def test_what_was_not_agreed_is_refused(player: Sender, database: Database, element: str, value: str) -> None:
    agreement = agree_on_pods(player, add_service(database), add_pods(database, f"Agreed{element}", 5))
    path, text = refusal(player, agreement, **{element: value})
    assert path == f"RequestAggregatedDataValues/AggregatedDataSelection/{element}"
    assert f"not {value}" in text


def test_an_agreement_on_individual_data_or_of_another_gives_no_aggregates(
    player: Sender, stranger: Sender, database: Database
) -> None:
    pods = add_pods(database, "Other", 5)
    service = add_service(database, service_type="IndividualDataProvision", aggregation_level="None")
    individual, agreement = agree_on_pods(player, service, pods), agree_on_pods(player, add_service(database), pods)
    path, text = refusal(player, individual)
    assert path == "RequestAggregatedDataValues/AgreementId"
    assert "IndividualDataProvision" in text
    assert stranger.refused(aggregates(agreement)).partner_code == "ReferenceUnknown"


def test_an_empty_period_and_one_too_long_are_refused(player: Sender, database: Database) -> None:
    pods = add_pods(database, "Period", 5)
    agreement = agree_on_pods(player, add_service(database), pods, date(2024, 1, 1), date(2026, 1, 1))
    fault = player.refused(aggregates(agreement, START, START))
    assert (fault.partner_code, fault.path) == (
        "ValuesInvalid", "RequestAggregatedDataValues/AggregatedDataSelection/Period/End",
    )  # fmt: skip
    ever = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    fault = player.refused(aggregates(agreement, *ever))
    assert (fault.partner_code, fault.path) == (
        "ValuesInvalid", "RequestAggregatedDataValues/AggregatedDataSelection/Period",
    )  # fmt: skip
    short = agree_on_pods(player, add_service(database), pods)
    assert len(aggregates_of(player, aggregates(short, *ever)).aggregates[0].series.values) == QUARTERS


def test_pods_of_two_zones_are_not_aggregated(player: Sender, database: Database) -> None:
    madrid = add_pods(database, "Mad", 5, zone="Europe/Madrid", city="Madrid")
    canary = add_pods(database, "Can", 5, zone="Atlantic/Canary", city="Las Palmas")
    agreement = agree_on_pods(player, add_service(database), madrid + canary)
    path, text = refusal(player, agreement)
    assert path == "RequestAggregatedDataValues/AggregatedDataSelection/Localization"
    assert "Atlantic/Canary, Europe/Madrid" in text
    (one,) = aggregates_of(player, aggregates(agreement, City=["Las Palmas"])).aggregates
    assert (one.pods, one.series.start) == (5, local_day(DAY, "Atlantic/Canary")[0])


@pytest.mark.parametrize(("day", "count"), [(date(2025, 3, 30), 92), (date(2025, 10, 26), 100)])
@pytest.mark.parametrize("zone", [ZONE, "Asia/Kolkata"])
def test_days_of_any_length_and_zone(player: Sender, database: Database, day: date, count: int, zone: str) -> None:
    pods = add_pods(database, f"{zone[:4]}{count}", 5, zone=zone, days=[day, day + timedelta(days=1)])
    agreement = agree_on_pods(player, add_service(database), pods, day, day + timedelta(days=2))
    start, end = local_day(day, zone)
    (one,) = aggregates_of(player, aggregates(agreement, start, end)).aggregates
    assert one.series.instants().tolist() == list(range(int(start.timestamp()), int(end.timestamp()), 900))
    assert len(one.series.values) == (count if zone == ZONE else QUARTERS)


def test_values_of_whole_days_are_aggregated(player: Sender, database: Database) -> None:
    days = [date(2025, 10, 25), date(2025, 10, 26), date(2025, 10, 27), date(2025, 10, 29)]
    pods = add_pods(database, "Daily", 5, days=days, step=TimeStep.P1D)
    service = add_service(database, time_step="P1D")
    agreement = agree_on_pods(player, service, pods, days[0], date(2025, 11, 1))
    whole = local_day(days[0], ZONE)[0], local_day(date(2025, 11, 1), ZONE)[0]
    found = aggregates_of(player, aggregates(agreement, *whole, TimeStep="P1D")).aggregates
    starts = [int(instant) for one in found for instant in one.series.instants()]
    assert starts == [int(local_day(day, ZONE)[0].timestamp()) for day in days]
    assert [len(one.series.values) for one in found] == [3, 1]


def test_aggregates_are_acknowledged_each(player: Sender, database: Database) -> None:
    service = add_service(database, aggregation_level="City")
    pods = add_pods(database, "AckA", 5, city="Linz") + add_pods(database, "AckB", 5, city="Wels")
    agreement = agree_on_pods(player, service, pods)
    served = aggregates_of(player, aggregates(agreement, AggregationLevel="City")).header.id
    assert states(database, served) == ("Sent", {"XX/Linz": None, "XX/Wels": None})
    player.send(acknowledged(served, {"XX/Linz": "OK"}))
    assert states(database, served) == ("AcknowledgedPartly", {"XX/Linz": "OK", "XX/Wels": None})
    player.send(acknowledged(served, {"XX/Wels": "OK"}))
    assert states(database, served) == ("AcknowledgedOK", {"XX/Linz": "OK", "XX/Wels": "OK"})
    player.send(acknowledged(served, {"XX/Linz": "KO", "XX/Wels": "KO"}))
    assert states(database, served)[0] == "AcknowledgedKO"


def test_an_acknowledgement_of_what_was_not_sent_is_refused(
    player: Sender, stranger: Sender, database: Database
) -> None:
    pods = add_pods(database, "AckNot", 5)
    agreement = agree_on_pods(player, add_service(database), pods)
    served = aggregates_of(player, aggregates(agreement)).header.id
    path = "AcknowledgeAggregatedData/AggregatedDataAcknowledgement"
    for sender, values_id, name, element in (
        (player, served, "XX/Linz", "AggregateAcknowledgement/AggregationId"),
        (player, new_id(), "XX/Linz", "AggregatedDataValueRef"),
        (stranger, served, f"portfolio:{agreement}", "AggregatedDataValueRef"),
    ):
        fault = sender.refused(acknowledged(values_id, {name: "OK"}))
        assert (fault.partner_code, fault.path) == ("ReferenceUnknown", f"{path}/{element}")
    # The PoDs behind aggregates are not told of one by one.
    fault = player.refused(acknowledgement(served, {pods[0]: "OK"}))
    assert fault.partner_code == "ReferenceUnknown"
    assert states(database, served)[0] == "Sent"


def test_the_pods_and_consents_behind_aggregates_are_kept(player: Sender, channel: Sender, database: Database) -> None:
    pods = add_pods(database, "Kept", 2)
    consents = {pod: give_consent(channel, pod) for pod in pods}
    agreement = agree_on_pods(player, add_service(database, mandatory=True), pods)
    served = aggregates_of(player, aggregates(agreement)).header.id
    part, delivery, pod = tables.delivery_pod, tables.delivery, tables.pod
    with database.begin() as connection:
        rows = connection.execute(
            select(pod.c.pod, part.c.value_count, part.c.consents)
            .join(part, part.c.pod_id == pod.c.id)
            .join(delivery, delivery.c.id == part.c.delivery_id)
            .where(delivery.c.object_id == served)
        ).all()
    found = sorted((row.pod, row.value_count, row.consents) for row in rows)
    assert found == [(one, QUARTERS, [consents[one]]) for one in pods]

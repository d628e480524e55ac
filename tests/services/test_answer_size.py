"""What is asked for and would not fit into one message is refused before a value is read, and told what does fit."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice

import pytest

from flexiciency.domain.values import local_day
from flexiciency.services.replies import B2B
from flexiciency.store.database import Database
from tests.gateway import Sender, gateway, player_of
from tests.messages import agree, values, values_of
from tests.services.aggregating import DAY, add_pods, add_service, aggregates, aggregates_of, agree_on_pods
from tests.world import FIRST_DAY, ZONE, World, pod_name

MONTH = 31 * 96


@pytest.fixture
def narrow(world: World, database: Database) -> Iterator[Sender]:
    """The player at a gateway whose messages hold the month of two PoDs, and a day more."""
    with gateway(world, database, delivery_message_values=2 * MONTH + 96) as url:
        yield player_of(world, url)


def test_what_fits_is_answered_and_what_does_not_is_told_what_would(
    player: Sender, channel: Sender, narrow: Sender, customers: Iterator[int]
) -> None:
    numbers = list(islice(customers, 3))
    agreed = agree(player, channel, numbers)
    fault = narrow.refused(values(agreed.id))
    assert (fault.partner_code, fault.path) == (
        "AnswerTooLarge",
        "RequestIndividualDataValues/IndividualDataSelection",
    )
    assert "at most 6,048 values" in fault.message
    assert "at most 21 days of these 3 PoDs" in fault.message
    assert "RequestMissingValues" in fault.message
    start, _ = local_day(FIRST_DAY, ZONE)
    assert len(values_of(narrow, values(agreed.id, start, start + timedelta(days=21))).series) == 3
    two = values_of(narrow, values(agreed.id, Localization=place(numbers[:2])))
    assert sum(len(series.values) for series in two.series) == 2 * MONTH


def test_where_not_a_day_fits_it_tells_how_many_pods_do(
    player: Sender, channel: Sender, world: World, database: Database, customers: Iterator[int]
) -> None:
    numbers = list(islice(customers, 3))
    agreed = agree(player, channel, numbers)
    with gateway(world, database, delivery_message_values=250) as url:
        fault = player_of(world, url).refused(values(agreed.id))
    assert (fault.partner_code, "at most 2 PoDs of a day" in fault.message) == ("AnswerTooLarge", True)


def test_bytes_count_as_values_do(
    player: Sender, channel: Sender, world: World, database: Database, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, list(islice(customers, 3)))
    with gateway(world, database, delivery_message_bytes=150_000) as url:
        fault = player_of(world, url).refused(values(agreed.id))
    assert (fault.partner_code, "150,000 bytes" in fault.message) == ("AnswerTooLarge", True)


def test_days_of_which_nothing_is_stored_do_not_count(
    player: Sender, channel: Sender, narrow: Sender, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, list(islice(customers, 2)), date(2024, 1, 1), date(2026, 1, 1))
    start, end = local_day(date(2024, 1, 1), ZONE)[0], local_day(date(2025, 12, 31), ZONE)[1]
    found = values_of(narrow, values(agreed.id, start, end))
    assert sum(len(series.values) for series in found.series) == 2 * MONTH
    third = agree(player, channel, list(islice(customers, 3)), date(2024, 1, 1), date(2026, 1, 1))
    assert narrow.refused(values(third.id, start, end)).partner_code == "AnswerTooLarge"


def test_of_aggregates_the_groups_count(player: Sender, narrow: Sender, database: Database) -> None:
    pods = [pod for city in "ABC" for pod in add_pods(database, f"Size{city}", 5, city=city)]
    agreement = agree_on_pods(player, add_service(database, aggregation_level="City"), pods)
    fault = narrow.refused(aggregates(agreement, AggregationLevel="City"))
    assert (fault.partner_code, fault.path) == (
        "AnswerTooLarge",
        "RequestAggregatedDataValues/AggregatedDataSelection",
    )
    assert "at most 21 days of these 3 aggregates" in fault.message
    found = aggregates_of(narrow, aggregates(agreement, *local_day(DAY, ZONE), AggregationLevel="City"))
    assert len(found.aggregates) == 3
    assert narrow.refused(aggregates(agreement, AggregationLevel="City")).partner_code == "AnswerTooLarge"
    assert len(aggregates_of(narrow, aggregates(agreement, AggregationLevel="City", City=["A", "B"])).aggregates) == 2


def place(numbers: list[int]) -> object:
    return B2B.SelectionLocalization(PoD=[pod_name(number) for number in numbers])

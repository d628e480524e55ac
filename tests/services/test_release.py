"""The release rule over HTTP (contract, decisions 8 and 9): which values leave, clipped exactly at the instant."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import update

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.values import Block, local_day
from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.blocks import write_blocks
from tests.gateway import Sender
from tests.messages import (
    ACT,
    COM,
    END,
    START,
    activation,
    agree,
    agree_on,
    consent,
    new_id,
    proposal,
    revocation,
    scope,
    values,
    values_of,
)
from tests.world import ZONE, block, move_in, pod_name

QUARTER = timedelta(minutes=15)
JANUARY = 31 * 96
SPRING, AUTUMN = date(2025, 3, 30), date(2025, 10, 26)


def midnight(day: int) -> datetime:
    """The first instant of a day of January in Vienna."""
    return START + timedelta(days=day - 1)


def given(channel: Sender, number: int, first: date, end: date, **changes: object) -> str:
    """A consent of a customer for some days; its Id."""
    identifier = new_id()
    channel.send(consent(number, identifier, StartDate=first, EndDate=end, **changes))
    return identifier


def spans(player: Sender, agreement: str, start: datetime = START, end: datetime = END) -> list[tuple[datetime, int]]:
    """First instant and number of values of each series that leaves."""
    return [
        (datetime.fromtimestamp(series.instants()[0], UTC), len(series.values))
        for series in values_of(player, values(agreement, start, end)).series
    ]


def nothing_leaves(player: Sender, agreement: str) -> bool:
    return player.refused(values(agreement)).partner_code == "StateConflict"


def test_all_of_the_agreed_period_leaves_and_no_more(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    with database.begin() as connection:
        write_blocks(connection, [block(number, date(2024, 12, 31)), block(number, date(2025, 2, 1))])
    year = datetime(2024, 6, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)
    assert spans(player, agreed.id, *year) == [(START, JANUARY)]


def test_a_period_asked_for_within_a_day_is_cut_at_its_instants(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, [next(customers)])
    noon = datetime(2025, 1, 10, 12, tzinfo=UTC)
    assert spans(player, agreed.id, noon, noon + timedelta(hours=1)) == [(noon, 4)]
    assert spans(player, agreed.id, noon + timedelta(seconds=1), noon + timedelta(minutes=44)) == [(noon + QUARTER, 1)]


def test_a_consent_for_some_days_releases_those(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    given(channel, number, date(2025, 1, 10), date(2025, 1, 12))
    channel.send(revocation(number, agreed.consents[number]))
    assert spans(player, agreed.id) == [(midnight(10), 2 * 96)]


def test_overlapping_consents_add_up_and_revoking_one_leaves_the_other(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number = next(customers)
    whole = agree(player, channel, [number])
    early = given(channel, number, date(2025, 1, 1), date(2025, 1, 11))
    late = given(channel, number, date(2025, 1, 6), date(2025, 1, 21))
    channel.send(revocation(number, whole.consents[number]))
    assert spans(player, whole.id) == [(START, 20 * 96)]
    channel.send(revocation(number, early))
    assert spans(player, whole.id) == [(midnight(6), 15 * 96)]
    channel.send(revocation(number, late))
    assert nothing_leaves(player, whole.id)


def test_consents_with_a_gap_release_two_series(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    given(channel, number, date(2025, 1, 1), date(2025, 1, 3))
    given(channel, number, date(2025, 1, 4), date(2025, 1, 5))
    channel.send(revocation(number, agreed.consents[number]))
    assert spans(player, agreed.id) == [(START, 2 * 96), (midnight(4), 96)]


@pytest.mark.parametrize(
    "too_narrow",
    [{"Scope": [scope(finest="PT1H")]}, {"Scope": [scope("EnergyGeneration")]}],
    ids=["coarser step", "other quantity"],
)
def test_a_consent_whose_scope_is_too_narrow_releases_nothing(
    player: Sender, channel: Sender, customers: Iterator[int], too_narrow: dict[str, object]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    given(channel, number, date(2025, 1, 1), date(2025, 2, 1), **too_narrow)
    channel.send(revocation(number, agreed.consents[number]))
    assert nothing_leaves(player, agreed.id)
    refused = player.send(activation(new_id(), [pod_name(number)])).body
    assert refused.findtext(f".//{ACT}Status") == "KO"
    assert {code.text for code in refused.iter(f"{COM}Code")} == {"ConsentScope"}


def test_a_finer_scope_than_needed_releases(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    number = next(customers)
    identifier = given(channel, number, date(2025, 1, 1), date(2025, 2, 1), Scope=[scope(finest="PT10M")])
    agreed = agree_on(player, {number: identifier})
    assert spans(player, agreed.id) == [(START, JANUARY)]


def test_values_stop_at_the_instant_at_which_the_holder_changes(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    moved = datetime(2025, 1, 15, 10, 0, 0, 1, tzinfo=UTC)
    move_in(database, number, "C-new", moved)
    last = datetime(2025, 1, 15, 10, tzinfo=UTC)  # the quarter hour that begins here has two holders
    assert spans(player, agreed.id) == [(START, (last - START) // QUARTER)]
    given(channel, number, date(2025, 1, 1), date(2025, 2, 1), CustomerId="C-new")
    assert spans(player, agreed.id) == [(START, JANUARY)]
    channel.send(revocation(number, agreed.consents[number]))
    assert spans(player, agreed.id) == [(last + QUARTER, JANUARY - (last - START) // QUARTER - 1)]


def test_a_consent_to_another_player_releases_nothing(
    player: Sender, channel: Sender, stranger: Sender, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    given(channel, number, date(2025, 1, 1), date(2025, 2, 1), Eso=stranger.urn.partition("market-player:")[2])
    channel.send(revocation(number, agreed.consents[number]))
    assert nothing_leaves(player, agreed.id)
    assert stranger.refused(values(agreed.id)).partner_code == "ReferenceUnknown"


def test_an_agreement_that_is_only_countered_releases_nothing(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number, agreement = next(customers), new_id()
    agreed = agree(player, channel, [number])
    wider = proposal(agreement, agreed.activation, [pod_name(number), "AT-unknown"])
    assert player.send(wider).body.findtext(f".//{ACT}Status") == "Countered"
    assert nothing_leaves(player, agreement)


@pytest.mark.parametrize("changes", [{"Quantity": "EnergyGeneration"}, {"TimeStep": "PT10M"}])
def test_what_was_not_agreed_does_not_leave(
    player: Sender, channel: Sender, customers: Iterator[int], changes: dict[str, str]
) -> None:
    agreed = agree(player, channel, [next(customers)])
    assert player.refused(values(agreed.id, **changes)).partner_code == "StateConflict"


@pytest.mark.parametrize(("day", "count"), [(SPRING, 92), (AUTUMN, 100)])
def test_a_day_with_a_clock_change_has_92_or_100_values(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int], day: date, count: int
) -> None:
    number = next(customers)
    around = [day - timedelta(days=1), day, day + timedelta(days=1)]
    with database.begin() as connection:
        write_blocks(connection, [block(number, one) for one in around])
    agreed = agree(player, channel, [number], around[0], around[2] + timedelta(days=1))
    given(channel, number, day, day + timedelta(days=1))
    channel.send(revocation(number, agreed.consents[number]))
    start, end = local_day(day, ZONE)
    assert spans(player, agreed.id, start - timedelta(days=5), end + timedelta(days=5)) == [(start, count)]
    assert spans(player, agreed.id, start + timedelta(hours=3), end) == [(start + timedelta(hours=3), count - 12)]


def test_the_latest_version_of_a_day_leaves(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    with database.begin() as connection:
        write_blocks(connection, [block(number, date(2025, 1, 10), 2)])
    (series,) = values_of(player, values(agreed.id, midnight(9), midnight(11))).series
    assert series.values[0] == 1000 * number + 900 + 1
    assert series.values[96] == 1000 * number + 1000 + 2


def test_a_selection_of_pods_gets_those_that_may_leave(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    first, second, foreign = next(customers), next(customers), next(customers)
    agreed = agree(player, channel, [first, second])
    asked = values(agreed.id)
    asked.IndividualDataSelection.Localization.PoD = [pod_name(second), pod_name(foreign)]
    assert [series.pod for series in values_of(player, asked).series] == [pod_name(second)]


def test_a_selection_of_customers_gets_their_pods(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    first, second = next(customers), next(customers)
    agreed = agree(player, channel, [first, second])
    asked = values(agreed.id)
    asked.IndividualDataSelection.Localization.CustomerId = [f"C-{second}"]
    assert [series.pod for series in values_of(player, asked).series] == [pod_name(second)]


def test_a_whole_day_value_does_not_leave_for_part_of_its_day(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    """On the day of 25 hours, 24 of them are the first holder's."""
    number, day = next(customers), AUTUMN
    start, end = local_day(day, ZONE)
    one = np.array([24_000], dtype=np.int32)
    with database.begin() as connection:
        write_blocks(
            connection, [Block(pod_name(number), Quantity.ENERGY_CONSUMPTION, day, 1, start, TimeStep.P1D, one)]
        )
    with daily_service(database):
        agreed = agree(player, channel, [number], day, day + timedelta(days=1))
        whole = values(agreed.id, start, end, TimeStep="P1D")
        (series,) = values_of(player, whole).series
        assert series.values.tolist() == [24_000]
        move_in(database, number, "C-new", start + timedelta(hours=24))
        assert player.refused(whole).partner_code == "StateConflict"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), END),
        (START, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
def test_periods_to_the_ends_of_the_calendar_are_answered(
    player: Sender, channel: Sender, customers: Iterator[int], start: datetime, end: datetime
) -> None:
    agreed = agree(player, channel, [next(customers)])
    assert spans(player, agreed.id, start, end) == [(START, JANUARY)]


@pytest.mark.parametrize("end", [START, START - timedelta(seconds=1)])
def test_an_empty_period_is_refused(player: Sender, channel: Sender, customers: Iterator[int], end: datetime) -> None:
    agreed = agree(player, channel, [next(customers)])
    fault = player.refused(values(agreed.id, START, end))
    assert fault.partner_code == "ValuesInvalid"
    assert fault.path == "RequestIndividualDataValues/IndividualDataSelection/Period/End"


@contextmanager
def daily_service(database: Database) -> Iterator[None]:
    """The service has one value a day for a while."""
    for step in ("P1D", "PT15M"):
        with database.begin() as connection:
            connection.execute(update(tables.service_description).values(time_step=step))
        if step == "P1D":
            yield

"""Quarter hours that leave as hours and days (D2.3, 2.3 and 2.6), over both clock changes; never more than consents."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from flexiciency.contract.codec import ValuesMessage
from flexiciency.contract.series import Encoding, Quality, Quantity, TimeStep
from flexiciency.domain.values import Block, local_day, local_days_period, steps_in_day
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.gateway import Sender
from tests.messages import consent, new_id, values, values_of
from tests.services.aggregating import add_pods, add_service, aggregates, aggregates_of, agree_on_pods
from tests.services.zones import add_pod

SPRING, AUTUMN = date(2025, 3, 30), date(2025, 10, 26)
VIENNA, LISBON = "Europe/Vienna", "Europe/Lisbon"
CHANGES = [(SPRING, 23), (AUTUMN, 25)]


def around(day: date) -> list[date]:
    return [day + timedelta(days=offset) for offset in (-1, 0, 1)]


def agreed(
    player: Sender, channel: Sender, database: Database, pod: str, start: date, end: date, step: str = "PT15M"
) -> str:
    """An agreement on individual data of a PoD held by C-<PoD>, whose consent is for the same days."""
    channel.send(consent(0, new_id(), CustomerId=f"C-{pod}", PoD=[pod], StartDate=start, EndDate=end))
    service = add_service(
        database, mandatory=True, service_type="IndividualDataProvision", aggregation_level="None", time_step=step
    )
    return agree_on_pods(player, service, [pod], start, end)


def numbers(message: ValuesMessage) -> list[int]:
    return [int(value) for series in message.series for value in series.values]


def starts(message: ValuesMessage) -> list[int]:
    return [int(instant) for series in message.series for instant in series.instants()]


@pytest.mark.parametrize("zone", [VIENNA, LISBON])
@pytest.mark.parametrize(("day", "hours"), CHANGES)
def test_quarter_hours_leave_as_hours_and_as_days_over_a_clock_change(
    player: Sender, channel: Sender, database: Database, day: date, hours: int, zone: str
) -> None:
    pod, days = f"Steps-{zone[-3:]}-{hours}", around(day)
    add_pod(database, pod, zone, days, f"C-{pod}")
    agreement = agreed(player, channel, database, pod, days[0], days[-1] + timedelta(days=1))
    period = local_days_period(days[0], days[-1] + timedelta(days=1), zone)
    by_hour = values_of(player, values(agreement, *period, TimeStep="PT1H"))
    assert by_hour.header.time_step is TimeStep.PT1H
    quarters = [np.arange(steps_in_day(one, zone, TimeStep.PT15M)) for one in days]
    assert numbers(by_hour) == [int(total) for one in quarters for total in one.reshape(-1, 4).sum(axis=1)]
    assert starts(by_hour) == list(range(int(period[0].timestamp()), int(period[1].timestamp()), 3600))
    assert len(numbers(by_hour)) == 48 + hours
    by_day = values_of(player, values(agreement, *period, TimeStep="P1D"))
    assert numbers(by_day) == [int(one.sum()) for one in quarters]
    assert starts(by_day) == [int(local_day(one, zone)[0].timestamp()) for one in days]


@pytest.mark.parametrize("zone", [VIENNA, LISBON])
@pytest.mark.parametrize(("day", "hours"), CHANGES)
@pytest.mark.parametrize("step", [TimeStep.PT1H, TimeStep.P1D])
def test_aggregates_are_resampled_first_over_a_clock_change(
    player: Sender, database: Database, day: date, hours: int, zone: str, step: TimeStep
) -> None:
    days = around(day)
    pods = add_pods(database, f"Agg-{zone[-3:]}-{hours}-{step.value}", 5, zone=zone, days=days)
    agreement = agree_on_pods(player, add_service(database), pods, days[0], days[-1] + timedelta(days=1))
    period = local_days_period(days[0], days[-1] + timedelta(days=1), zone)
    (one,) = aggregates_of(player, aggregates(agreement, *period, TimeStep=step.value)).aggregates
    quarters = [np.arange(steps_in_day(each, zone, TimeStep.PT15M)) for each in days]
    parts = [each.reshape(-1, 4) if step is TimeStep.PT1H else each.reshape(1, -1) for each in quarters]
    assert one.pods == 5
    assert one.series.values.tolist() == [5 * int(total) for each in parts for total in each.sum(axis=1)]


def test_no_interval_leaves_that_consents_cover_in_part_only(
    player: Sender, channel: Sender, database: Database
) -> None:
    """The consent and the agreement end at a local midnight; the period asked for begins within an hour."""
    pod, day = "Steps-cut", date(2025, 2, 5)
    add_pod(database, pod, VIENNA, around(day), f"C-{pod}")
    agreement = agreed(player, channel, database, pod, day, day + timedelta(days=1))
    start, end = local_day(day, VIENNA)
    wide = start - timedelta(days=3), end + timedelta(days=3)
    assert starts(values_of(player, values(agreement, *wide, TimeStep="P1D"))) == [int(start.timestamp())]
    late = start + timedelta(minutes=15)
    hours = values_of(player, values(agreement, late, end, TimeStep="PT1H"))
    assert starts(hours) == list(range(int(start.timestamp()) + 3600, int(end.timestamp()), 3600))
    assert numbers(hours)[0] == 4 + 5 + 6 + 7
    assert player.refused(values(agreement, late, wide[1], TimeStep="P1D")).partner_code == "StateConflict"


def test_a_finer_step_than_agreed_is_refused_with_those_that_are_served(
    player: Sender, channel: Sender, database: Database
) -> None:
    pod, day = "Steps-finer", date(2025, 2, 5)
    add_pod(database, pod, VIENNA, [day], f"C-{pod}")
    agreement = agreed(player, channel, database, pod, day, day + timedelta(days=1), "PT1H")
    period = local_day(day, VIENNA)
    assert len(numbers(values_of(player, values(agreement, *period, TimeStep="PT1H")))) == 24
    for step in ("PT10M", "PT15M", "PT30M"):
        fault = player.refused(values(agreement, *period, TimeStep=step))
        assert (fault.partner_code, fault.path) == (
            "StateConflict", "RequestIndividualDataValues/IndividualDataSelection/TimeStep",
        )  # fmt: skip
        assert fault.message.endswith(f"is of TimeStep PT1H, not {step}. Ask for PT1H, P1D.")


def test_the_latest_version_of_a_day_counts_whatever_its_step(
    player: Sender, channel: Sender, database: Database
) -> None:
    pod, day = "Steps-version", date(2025, 2, 5)
    add_pod(database, pod, VIENNA, [day, day + timedelta(days=1)], f"C-{pod}")
    hourly, quarterly = (
        agreed(player, channel, database, pod, day, day + timedelta(days=2), step) for step in ("PT1H", "PT15M")
    )
    period = local_days_period(day, day + timedelta(days=2), VIENNA)
    first = values_of(player, values(hourly, *period, TimeStep="PT1H"))
    assert first.header.version == 1
    block = Block(
        pod, Quantity.ENERGY_CONSUMPTION, day, 1, period[0], TimeStep.PT1H, np.full(24, 1_000, dtype=np.int32)
    )
    with transaction(database) as tx:
        assert store_blocks(tx, [block]).corrected == 1
    second = values_of(player, values(hourly, *period, TimeStep="PT1H"))
    assert numbers(second)[:24] == [1_000] * 24
    assert numbers(second)[24:] == numbers(first)[24:]
    assert second.header.version > 1
    # Hours are no quarter hours: of the finer agreement the corrected day is a gap, and never the version before.
    finer = values_of(player, values(quarterly, *period))
    assert starts(finer)[0] == int(local_day(day + timedelta(days=1), VIENNA)[0].timestamp())
    assert finer.header.version == 1


def test_a_value_of_a_whole_day_is_no_value_of_an_hour(player: Sender, channel: Sender, database: Database) -> None:
    pod, day = "Steps-whole", date(2025, 2, 5)
    add_pod(database, pod, VIENNA, [day], f"C-{pod}", TimeStep.P1D)
    agreement = agreed(player, channel, database, pod, day, day + timedelta(days=1))
    period = local_day(day, VIENNA)
    for step in ("PT15M", "PT1H"):
        assert "Nothing of this selection" in player.refused(values(agreement, *period, TimeStep=step)).message
    assert player.refused(values(agreement, *period, TimeStep="P1D")).partner_code == "StateConflict"


@pytest.mark.parametrize("encoding", Encoding)
def test_missing_values_are_marked_and_a_resampled_interval_is_missing_with_any_part(
    player: Sender, channel: Sender, database: Database, encoding: Encoding
) -> None:
    pod, day = f"Steps-missing-{encoding}", date(2025, 2, 5)
    add_pod(database, pod, VIENNA, [], f"C-{pod}")
    start, end = local_day(day, VIENNA)
    qualities = np.zeros(96, dtype=np.uint8)
    qualities[5], qualities[20] = Quality.MISSING, Quality.ESTIMATED
    quarters = np.full(96, 250, dtype=np.int32)
    quarters[5] = 0
    block = Block(pod, Quantity.ENERGY_CONSUMPTION, day, 1, start, TimeStep.PT15M, quarters, qualities)
    with transaction(database) as tx:
        store_blocks(tx, [block])
    agreement = agreed(player, channel, database, pod, day, day + timedelta(days=1))
    for step, missing, estimated in (("PT15M", 5, 20), ("PT1H", 1, 5)):
        (series,) = values_of(player, values(agreement, start, end, TimeStep=step, Encoding=encoding)).series
        assert series.qualities is not None
        assert np.flatnonzero(series.qualities).tolist() == [missing, estimated]
        assert (series.qualities[missing], series.qualities[estimated]) == (Quality.MISSING, Quality.ESTIMATED)
        assert series.values[missing] == 0
    (whole,) = values_of(player, values(agreement, start, end, TimeStep="P1D", Encoding=encoding)).series
    assert whole.qualities is not None
    assert (whole.values.tolist(), whole.qualities.tolist()) == ([0], [Quality.MISSING])


def test_the_consents_finest_step_is_held_against_the_agreements_not_the_requests(
    player: Sender, channel: Sender, database: Database
) -> None:
    pod, day = "Steps-scope", date(2025, 2, 5)
    add_pod(database, pod, VIENNA, [day], f"C-{pod}")
    agreement = agreed(player, channel, database, pod, day, day + timedelta(days=1))
    with database.begin() as connection:
        connection.execute(
            text("UPDATE consent_scope SET finest_step = 3600 WHERE consent_id IN (SELECT consent_id FROM consent_pod "
                 "WHERE pod = :pod)"), {"pod": pod},
        )  # fmt: skip
    fault = player.refused(values(agreement, *local_day(day, VIENNA), TimeStep="PT1H"))
    assert "Nothing of this selection" in fault.message


def test_hours_of_half_hour_zones_are_those_of_utc(player: Sender, database: Database) -> None:
    zone, day = "Asia/Kolkata", date(2025, 2, 5)
    pods = add_pods(database, "Kolkata", 5, zone=zone, days=[day])
    agreement = agree_on_pods(player, add_service(database), pods, day, day + timedelta(days=1))
    (one,) = aggregates_of(player, aggregates(agreement, *local_day(day, zone), TimeStep="PT1H")).aggregates
    assert one.series.start == datetime(2025, 2, 4, 19, tzinfo=UTC)
    assert one.series.values.tolist() == [5 * sum(range(2 + 4 * hour, 6 + 4 * hour)) for hour in range(23)]

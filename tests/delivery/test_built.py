"""Of which parts of its period a message has values, as it is remembered."""

from datetime import UTC, date, datetime, timedelta

import numpy as np

from flexiciency.contract.series import Series, TimeStep
from flexiciency.delivery.built import Built
from flexiciency.domain.values import day_starts, local_days_period
from flexiciency.store.deliveries import Parts
from flexiciency.store.release import Released

HOUR = timedelta(hours=1)
START = datetime(2025, 1, 9, 23, tzinfo=UTC)
END = START + 24 * HOUR
ZONE = "Europe/Vienna"


def parts_of(period: tuple[datetime, datetime], *passed: Series) -> Parts | None:
    built = Built("urn:uuid:1", iter(()), period, released=Released(versions={"AT1": 1}))
    for series in passed:
        built.note(series)
    ((sent,), _) = built.sent
    assert sent.values == sum(len(series.values) for series in passed)
    return sent.parts


def quarters(first_hour: int, last_hour: int) -> Series:
    values = np.zeros(4 * (last_hour - first_hour), dtype=np.int32)
    return Series("AT1", START + first_hour * HOUR, TimeStep.PT15M, values)


def days(first: date, end: date) -> Series:
    starts = day_starts(first, end, ZONE)
    start = datetime.fromtimestamp(int(starts[0]), UTC)
    return Series("AT1", start, TimeStep.P1D, np.zeros(len(starts), dtype=np.int32), None, starts)


def test_the_whole_period_needs_no_parts() -> None:
    assert parts_of((START, END), quarters(0, 24)) is None


def test_what_is_left_out_is_not_in_the_parts() -> None:
    assert parts_of((START, END), quarters(0, 6), quarters(7, 24)) == (
        (START, START + 6 * HOUR), (START + 7 * HOUR, END)
    )  # fmt: skip


def test_local_days_to_the_end_of_the_period_are_the_whole_period_through_both_clock_changes() -> None:
    for first, end in ((date(2025, 3, 29), date(2025, 3, 31)), (date(2025, 10, 25), date(2025, 10, 27))):
        assert parts_of(local_days_period(first, end, ZONE), days(first, end)) is None


def test_local_days_before_its_end_reach_into_no_other_day() -> None:
    first, end = date(2025, 3, 29), date(2025, 4, 2)
    for last in (date(2025, 3, 30), date(2025, 3, 31)):
        ((start, until),) = parts_of(local_days_period(first, end, ZONE), days(first, last)) or ()
        assert start == local_days_period(first, last, ZONE)[0]
        assert 0 * HOUR <= local_days_period(first, last, ZONE)[1] - until <= 2 * HOUR

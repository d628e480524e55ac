import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.acknowledgement import KO, OK, PARTLY, Standing, Statement, objection, standing, state
from flexiciency.domain.periods import Part

ORIGIN = datetime(2025, 1, 1, tzinfo=UTC)
SPAN = 24
"""Hours; each is one value."""


def at(hour: int) -> datetime:
    return ORIGIN + timedelta(hours=hour)


def ok(period: Part | None = None) -> Statement:
    return Statement(accepted=True, period=period)


def ko(period: Part | None = None, code: str = "OutOfRange") -> Statement:
    return Statement(accepted=False, period=period, reason_code=code)


def part(first: int, last: int) -> Part:
    return at(first), at(last)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    first = draw(st.integers(0, SPAN - 1))
    return part(first, draw(st.integers(first + 1, SPAN)))


@st.composite
def sent_parts(draw: st.DrawFn) -> list[Part]:
    edges = sorted(draw(st.sets(st.integers(0, SPAN), min_size=2, max_size=8)))
    return [part(first, last) for first, last in zip(edges[::2], edges[1::2], strict=False)]


statements = st.lists(
    st.builds(Statement, st.booleans(), st.none() | parts(), st.sampled_from(["A", "B"])), max_size=6
)  # fmt: skip


def hours(covered: list[Part]) -> set[int]:
    return {hour for hour in range(SPAN) if any(start <= at(hour) < end for start, end in covered)}


@given(sent_parts(), statements)
def test_of_each_value_the_latest_statement_counts(sent: list[Part], said: list[Statement]) -> None:
    latest: dict[int, bool] = {}
    for one in said:
        for hour in hours(sent):
            if one.period is None or one.period[0] <= at(hour) < one.period[1]:
                latest[hour] = one.accepted
    found = standing(sent, said)
    assert hours(found.accepted) == {hour for hour, accepted in latest.items() if accepted}
    assert hours(found.refused) == {hour for hour, accepted in latest.items() if not accepted}
    assert hours(found.open) == hours(sent) - latest.keys()


@given(sent_parts(), statements)
def test_a_pod_is_ok_when_ok_covers_all_that_was_sent_and_no_ko_remains(
    sent: list[Part], said: list[Statement]
) -> None:
    found = standing(sent, said)
    assert (found.status == OK) == (hours(found.accepted) == hours(sent))
    assert (found.status == KO) == (hours(found.refused) == hours(sent))
    assert (found.status is None) == (hours(found.open) == hours(sent))
    assert (found.reason_code is not None) == bool(found.refused)


def test_a_later_ok_of_the_same_range_replaces_the_ko() -> None:
    said = [ok(), ko(part(6, 12)), ok(part(6, 12))]
    assert standing([part(0, 24)], said[:2]).status == PARTLY
    assert standing([part(0, 24)], said) == Standing([part(0, 24)], [], [])


def test_the_reason_is_of_the_last_ko_that_stands() -> None:
    said = [ko(part(0, 6), "A"), ko(part(6, 12), "B"), ok(part(6, 12))]
    assert standing([part(0, 24)], said).reason_code == "A"


def test_thousands_of_statements_by_turns_ok_and_ko_take_no_time() -> None:
    minutes = [(ORIGIN + timedelta(minutes=one), ORIGIN + timedelta(minutes=one + 1)) for one in range(16_000)]
    said = [ok(one) if number % 2 else ko(one) for number, one in enumerate(minutes)]
    begun = time.process_time()
    found = standing([(minutes[0][0], minutes[-1][1])], said)
    assert time.process_time() - begun < 1
    assert (found.accepted, found.refused, found.open) == (minutes[1::2], minutes[::2], [])


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([OK, OK], "AcknowledgedOK"), ([KO, KO], "AcknowledgedKO"), ([OK, KO], "AcknowledgedPartly"),
        ([PARTLY], "AcknowledgedPartly"), ([OK, None], "AcknowledgedPartly"), ([KO, None], "AcknowledgedPartly"),
        ([None, None], "Sent"), ([], "Sent"),
    ],
)  # fmt: skip
def test_the_state_of_a_delivery_follows_from_all_in_it(statuses: list[str | None], expected: str) -> None:
    assert state(statuses) == expected


@given(st.lists(st.builds(Statement, st.booleans(), st.none() | parts()), max_size=4))
def test_statements_of_one_acknowledgement_may_overlap_only_when_they_agree(said: list[Statement]) -> None:
    told: dict[int, set[bool]] = {}
    for one in said:
        for hour in range(SPAN):
            if one.period is None or one.period[0] <= at(hour) < one.period[1]:
                told.setdefault(hour, set()).add(one.accepted)
    contradicted = any(len(both) > 1 for both in told.values())
    assert (objection(said, part(0, SPAN)) is not None) == contradicted


@pytest.mark.parametrize(
    ("period", "why"), [((-1, 3), "reaches out"), ((20, 25), "reaches out"), ((5, 5), "End must be later")]
)
def test_a_range_is_none_or_not_of_the_message(period: tuple[int, int], why: str) -> None:
    found = objection([ok(), ok(part(*period))], part(0, SPAN))
    assert found is not None
    assert found[0] == 1
    assert why in found[1]

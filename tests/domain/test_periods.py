from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.periods import Part, common, without

ORIGIN = datetime(2025, 3, 30, tzinfo=UTC)


@st.composite
def some_parts(draw: st.DrawFn) -> list[Part]:
    edges = sorted(draw(st.sets(st.integers(0, 20), max_size=8)))
    if len(edges) % 2:
        edges.pop()
    moments = [ORIGIN + timedelta(hours=hour) for hour in edges]
    return list(zip(moments[::2], moments[1::2], strict=True))


def hours(parts: list[Part]) -> set[int]:
    return {h for h in range(20) if any(start <= ORIGIN + timedelta(hours=h) < end for start, end in parts)}


def are_in_order_and_apart(parts: list[Part]) -> bool:
    edges = [edge for part in parts for edge in part]
    return edges == sorted(set(edges))


@given(some_parts(), some_parts())
def test_what_both_cover(parts: list[Part], others: list[Part]) -> None:
    found = common(parts, others)
    assert hours(found) == hours(parts) & hours(others)
    assert are_in_order_and_apart(found)


@given(some_parts(), some_parts())
def test_what_one_covers_and_the_other_does_not(parts: list[Part], others: list[Part]) -> None:
    found = without(parts, others)
    assert hours(found) == hours(parts) - hours(others)
    assert are_in_order_and_apart(found)

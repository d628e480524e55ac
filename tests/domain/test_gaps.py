from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.gaps import Block, Facts, Gap, GapCause, Held, Span, counted

STEP, COUNT = 900, 16
EDGES = [STEP * number for number in range(COUNT + 1)]


@st.composite
def spans(draw: st.DrawFn, unit: int = STEP) -> Span:
    first = draw(st.integers(0, COUNT * STEP // unit - 1))
    return first * unit, draw(st.integers(first + 1, COUNT * STEP // unit)) * unit


some = st.lists(spans(), max_size=3)


@st.composite
def held(draw: st.DrawFn) -> Held:
    parts = draw(some)
    said = [(span, draw(st.sampled_from(["OK", "KO", "-"]))) for span in parts]
    accepted, refused = ([span for span, status in said if status == which] for which in ("OK", "KO"))
    return Held(draw(st.integers(1, 4)), parts, accepted, refused)


@st.composite
def blocks(draw: st.DrawFn) -> list[Block]:
    """Of a quarter, a half or a whole of the interval's length, one after the other, some left out."""
    unit = STEP // draw(st.sampled_from([1, 2, 4]))
    found, at = [], 0
    while at < COUNT * STEP:
        length = draw(st.integers(1, 12)) * unit
        missing = [(at, at + unit)] if draw(st.booleans()) else []
        if draw(st.booleans()):
            found.append(Block(at, at + length, draw(st.integers(1, 3)), missing))
        at += length
    return found


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    released = draw(st.none() | st.lists(spans(STEP // 2), max_size=3))
    return Facts(
        "AT1", draw(spans(STEP // 2)), released, draw(st.none() | blocks()), draw(st.lists(held(), max_size=4))
    )


def within(start: int, end: int, parts: list[Span]) -> bool:
    return any(since <= start and end <= until for since, until in parts)


def cause_of(start: int, end: int, one: Facts) -> GapCause | None:
    """The rule for one interval, second by second where it must be; None: acknowledged."""
    may_leave = one.released is None or within(start, end, list(one.released))
    seconds = range(start, end, STEP // 4)
    needed = 0
    if may_leave and one.blocks is not None:
        touching = [block for block in one.blocks if block.start < end and start < block.end]
        there = all(any(b.start <= second < b.end for b in touching) for second in seconds)
        missing = any(since < end and start < until for b in touching for since, until in b.missing)
        if not there or missing:
            return GapCause.NOT_AVAILABLE
        needed = max(block.version for block in touching)
    found = [m for m in one.held if m.version >= needed and any(s <= start < e for s, e in m.parts)]
    if any(any(s <= start < e for s, e in message.accepted) for message in found):
        return None
    if not found:
        return GapCause.NOT_SENT if may_leave else GapCause.NOT_RELEASED
    refused = any(s <= start < e for s, e in found[-1].refused)
    return GapCause.REFUSED if refused else GapCause.NOT_ACKNOWLEDGED


@given(facts())
def test_each_interval_has_the_cause_that_the_rule_gives_it(one: Facts) -> None:
    expected = {
        start: cause_of(start, start + STEP, one)
        for start in EDGES[:-1]
        if one.covered[0] <= start and start + STEP <= one.covered[1]
    }
    found = counted(EDGES, one)
    told = {start: gap.cause for gap in found.gaps for start in range(gap.start, gap.end, STEP)}
    assert told == {start: cause for start, cause in expected.items() if cause is not None}
    assert found.expected == len(expected)
    assert found.acknowledged == sum(cause is None for cause in expected.values())
    unsent = {GapCause.NOT_SENT, GapCause.NOT_AVAILABLE, GapCause.NOT_RELEASED}
    assert found.sent == sum(cause not in unsent for cause in expected.values())


@given(facts())
def test_gaps_are_in_order_and_those_that_touch_differ_in_cause(one: Facts) -> None:
    gaps = counted(EDGES, one).gaps
    for before, after in pairwise(gaps):
        assert before.end < after.start or (before.end == after.start and before.cause is not after.cause)


def test_a_correction_that_was_not_sent_is_a_gap_though_the_version_before_was_acknowledged() -> None:
    whole = (0, EDGES[-1])
    received = Held(1, [whole], accepted=[whole])
    corrected = Facts("AT1", whole, [whole], [Block(*whole, version=2)], [received])
    assert counted(EDGES, corrected).gaps == [Gap("AT1", *whole, GapCause.NOT_SENT)]
    # Of what may not leave any more nobody is told that it was corrected.
    revoked = Facts("AT1", whole, [], [Block(*whole, version=2)], [received])
    assert counted(EDGES, revoked).gaps == []


def test_local_days_of_23_and_25_hours_are_one_value_each() -> None:
    hours = [0, 24, 47, 71, 96]  # one of 23 hours, and one of 25
    days = [hour * 3600 for hour in hours]
    whole = (0, days[-1])
    blocks = [Block(start, end, 1) for start, end in pairwise(days) if start != days[2]]
    one = Facts("AT1", whole, [whole], blocks, [Held(1, [(0, days[1] + 23 * 3600)], [(0, days[1])])])
    found = counted(days, one)
    assert (found.expected, found.sent, found.acknowledged) == (4, 2, 1)
    assert [(gap.start, gap.cause) for gap in found.gaps] == [
        (days[1], GapCause.NOT_ACKNOWLEDGED), (days[2], GapCause.NOT_AVAILABLE), (days[3], GapCause.NOT_SENT)
    ]  # fmt: skip

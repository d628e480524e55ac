"""`flexibility ask`, `list` and `show`: technical validations in both directions, as the DSO's operator sees them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from flexiciency.client import MarketPlayer, Reason, ValidationAnswer, ValidationRequest
from flexiciency.domain.flexibility import Band, LoadArea
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, import_areas
from tests.cli.conftest import DSO, PLAYER, Ran, Run, listed
from tests.gateway import gateway
from tests.world import make_world

START, LATER, END = "2025-01-15T00:00:00Z", "2025-01-15T02:00:00+01:00", "2025-01-15T02:00:00Z"
BEGIN = datetime(2025, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(database: Database, keys: Path) -> Iterator[MarketPlayer]:
    """The player, which has a mailbox at the DSO."""
    world = make_world(database, keys, pods=0)
    area = LoadArea("UTC", (Band(0, 1440, 100_000, 50_000, "T1"),), ())
    with database.begin() as connection:
        import_areas(connection, DSO, [NamedArea("LA-1", "Linz", area)])
    with (
        gateway(world, database) as url,
        MarketPlayer(world.player, PLAYER, DSO, f"{url}/v1/services/b2b", world.anchors) as one,
    ):
        yield one


@pytest.fixture
def ask(run: Run, client: MarketPlayer, tmp_path: Path) -> Run:  # noqa: ARG001  the world
    """Asks the player, or another, about a curve of these lines."""

    def asked(*lines: str, player: str = PLAYER, load_area: str = "LA-1", until: str | None = None) -> Ran:
        file = tmp_path / "curve.csv"
        file.write_text("\n".join(("time,power_kw", *lines)) + "\n")
        options = () if until is None else ("--until", until)
        return run("flexibility", "ask", player, "--load-area", load_area, "--curve", file, *options)

    return asked


def shown(run: Run, identifier: str) -> dict[str, object]:
    (row,) = listed(run("flexibility", "show", identifier, "--json"))
    return row


def test_a_question_is_fetched_answered_and_shown_with_its_answer(ask: Run, run: Run, client: MarketPlayer) -> None:
    ran = ask(f"{START},50", f"{LATER},-200.5", f"{END},")
    assert ran.code == 0, ran.err
    identifier = ran.out.split()[0]
    before = shown(run, identifier)
    assert (before["direction"], before["status"], before["factor"]) == ("ToPlayer", "Asked", None)
    assert before["curve"] == "2025-01-15T00:00:00Z 50.000, 2025-01-15T01:00:00Z -200.500"
    item = client.peek_mailbox().item
    assert item is not None
    assert isinstance(item.content, ValidationRequest)
    assert (item.content.id, item.content.load_area) == (identifier, "LA-1")
    client.confirm_mailbox(item.message_id)
    half = ValidationAnswer(dso_factor=Decimal("0.5"), reason=Reason("Busy", "Only half of it."))
    client.answer_validation(identifier, half)
    after = shown(run, identifier)
    assert (after["status"], after["factor"], after["reason"], after["text"]) == (
        "Answered", "0.500000", "Busy", "Only half of it.",
    )  # fmt: skip
    assert after["answered_at"] is not None


def test_both_directions_are_listed_the_latest_first(ask: Run, run: Run, client: MarketPlayer) -> None:
    assert ask(f"{START},1", until=END).code == 0
    found = client.request_validation("LA-1", [(BEGIN, Decimal("0.5"))], BEGIN + timedelta(hours=1))
    assert found is not None
    rows = listed(run("flexibility", "list", "--json"))
    assert [(row["direction"], row["status"], row["player"]) for row in rows[:2]] == [
        ("FromPlayer", "Answered", PLAYER),
        ("ToPlayer", "Asked", PLAYER),
    ]
    assert (rows[0]["id"], rows[0]["factor"]) == (found.request_id, "1.000000")
    assert len(listed(run("flexibility", "list", "--limit", 1, "--json"))) == 1


@pytest.mark.parametrize(
    ("lines", "until", "said"),
    [
        ((f"{START},1", f"{END},"), END, "leave one of them out"),
        ((f"{START},1",), START, "EndTime must be later than StartTime"),
        ((f"{LATER},1", f"{START},1", f"{END},"), None, "must be later than the one before it"),
        ((f"{START},1",), None, "no end or no point"),
        ((), END, "no end or no point"),
        ((f"{START},NaN", f"{END},"), None, "line 2: power_kw"),
        ((f"{START},1e30", f"{END},"), None, "line 2: power_kw"),
        (("0001-01-01T00:00:00+14:00,1", f"{END},"), None, "line 2: "),
    ],
)
def test_a_curve_that_is_none_is_not_asked(
    ask: Run, run: Run, lines: tuple[str, ...], until: str | None, said: str
) -> None:
    before = run("flexibility", "list", "--json").out
    ran = ask(*lines, until=until)
    assert ran.refusal == "FileInvalid"
    assert said in ran.err
    assert run("flexibility", "list", "--json").out == before


def test_who_or_what_is_not_known_is_named(ask: Run, run: Run) -> None:
    for unknown in ({"player": "urn:uuid:nobody"}, {"load_area": "LA-9"}):
        ran = ask(f"{START},1", until=END, **unknown)
        assert ran.refusal == "ReferenceUnknown"
        assert next(iter(unknown.values())) in ran.err
    assert ask(f"{START},1", until=END, player=DSO).refusal == "StateConflict"
    assert run("flexibility", "show", "urn:uuid:nothing").refusal == "ReferenceUnknown"


@pytest.mark.parametrize("until", ["tomorrow", "2025-01-15T02:00:00", "0001-01-01T00:00:00+14:00"])
def test_an_end_that_is_no_time_is_refused(ask: Run, until: str) -> None:
    assert ask(f"{START},1", until=until).code == 2

"""`deliver`, `deliveries` and `evidence` on a world in which something has happened."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import delete, text

from flexiciency.store import tables
from flexiciency.store.database import Database
from tests.blocks import write_blocks
from tests.cli.conftest import Run, listed
from tests.gateway import channel_of, gateway, player_of
from tests.messages import Agreed, agree
from tests.world import PLAYER, World, block, make_world, pod_name


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"), pods=2, uri="https://player.example/mplo")


@pytest.fixture(scope="module")
def agreed(world: World, database: Database) -> Iterator[Agreed]:
    """An agreement on both PoDs of the world, over January."""
    with gateway(world, database) as url:
        yield agree(player_of(world, url), channel_of(world, url), [0, 1])


@pytest.fixture
def nothing_queued(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(delete(tables.agreement_day))
        connection.execute(delete(tables.delivery_pod))
        connection.execute(delete(tables.delivery))
        connection.execute(text("DELETE FROM procrastinate_jobs"))


def number(database: Database, query: str) -> int:
    with database.begin() as connection:
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.usefixtures("agreed", "nothing_queued")
def test_a_day_is_queued_once_however_often_it_is_asked_for(run: Run, database: Database) -> None:
    assert run("deliver", "--from", "2025-01-10").out == "1 deliveries queued.\n"
    assert run("deliver", "--from", "2025-01-09", "--until", "2025-01-12").out == "2 deliveries queued.\n"
    assert run("deliver", "--from", "2025-01-09", "--until", "2025-01-12").out == "0 deliveries queued.\n"
    assert number(database, "SELECT count(*) FROM delivery") == 3
    assert number(database, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'flexiciency.push'") == 3


@pytest.mark.usefixtures("agreed", "nothing_queued")
def test_days_outside_the_agreement_are_not_queued(run: Run) -> None:
    assert run("deliver", "--from", "2025-01-31", "--until", "2025-02-03").out == "1 deliveries queued.\n"
    assert run("deliver", "--from", "2024-12-31").out == "0 deliveries queued.\n"


@pytest.mark.usefixtures("agreed", "nothing_queued")
def test_a_day_is_a_local_day_of_the_pods(run: Run, database: Database) -> None:
    run("deliver", "--from", "2025-01-10")
    with database.begin() as connection:
        period = connection.execute(text("SELECT value_period FROM delivery")).scalar_one()
    assert (period.lower.isoformat(), period.upper.isoformat()) == (
        "2025-01-09T23:00:00+00:00",
        "2025-01-10T23:00:00+00:00",
    )


@pytest.mark.usefixtures("agreed", "nothing_queued")
def test_a_day_that_was_withheld_for_want_of_values_can_be_queued_again(run: Run, database: Database) -> None:
    run("deliver", "--from", "2025-01-10")
    with database.begin() as connection:
        connection.execute(text("UPDATE delivery SET state = 'Dead', received_at = now()"))
        write_blocks(connection, [block(0, date(2025, 1, 10), version=2)])
    assert run("deliver", "--from", "2025-01-10").out == "1 deliveries queued.\n"


def test_a_day_that_is_none_is_a_usage_error(run: Run) -> None:
    ran = run("deliver", "--from", "yesterday")
    assert ran.code == 2
    assert "Traceback" not in ran.err


@pytest.mark.usefixtures("agreed", "nothing_queued")
def test_dead_deliveries_are_listed_and_sent_again(run: Run, database: Database) -> None:
    run("deliver", "--from", "2025-01-01", "--until", "2025-01-04")
    with database.begin() as connection:
        connection.execute(
            text("UPDATE delivery SET state = 'Dead', attempts = 8, last_error = 'PartnerUnreachable: x'")
        )
        connection.execute(text("DELETE FROM procrastinate_jobs"))
    dead = json.loads(run("deliveries", "list", "--state", "Dead", "--json").out)
    assert {(row["recipient"], row["attempts"], row["last_error"]) for row in dead} == {
        (PLAYER, 8, "PartnerUnreachable: x")
    }
    assert run("deliveries", "resend", dead[0]["id"]).out == "1 deliveries are queued again.\n"
    assert run("deliveries", "resend", dead[0]["id"]).refusal == "ReferenceUnknown"
    assert run("deliveries", "resend", "--to", PLAYER).out == "2 deliveries are queued again.\n"
    assert json.loads(run("deliveries", "list", "--state", "Dead", "--json").out) == []
    assert number(database, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'flexiciency.push'") == 3


@pytest.mark.usefixtures("agreed", "nothing_queued")
def test_what_is_escalated_is_listed_and_counted(run: Run, database: Database) -> None:
    run("deliver", "--from", "2025-01-01", "--until", "2025-01-04")
    assert "escalated in all" not in run("deliveries", "list").out
    with database.begin() as connection:
        connection.execute(text("UPDATE delivery SET escalated_at = now(), resends = 3 WHERE number = "
                                "(SELECT min(number) FROM delivery)"))  # fmt: skip
    (escalated,) = listed(run("deliveries", "list", "--escalated", "--json"))
    assert (escalated["resends"], escalated["state"]) == (3, "Queued")
    assert escalated["escalated_at"] is not None
    assert len(listed(run("deliveries", "list", "--json"))) == 3
    assert "Deliveries (1 escalated in all)" in run("deliveries", "list").out


@pytest.mark.usefixtures("nothing_queued")
def test_the_gap_report_of_an_agreement_begins_with_the_whole(run: Run, agreed: Agreed) -> None:
    ran = run("agreement", "gaps", agreed.id, "--from", "2025-01-10", "--until", "2025-01-11", "--json")
    whole, *gaps = listed(ran)
    assert (whole["source"], whole["expected"], whole["sent"], whole["acknowledged"]) == (agreed.id, 192, 0, 0)
    assert [(gap["source"], gap["start"], gap["end"], gap["cause"]) for gap in gaps] == [
        (pod_name(number), "2025-01-10T00:00:00+00:00", "2025-01-11T00:00:00+00:00", "NotSent") for number in (0, 1)
    ]
    assert run("agreement", "gaps", "nothing", "--from", "2025-01-10", "--until", "2025-01-11").refusal == (
        "ReferenceUnknown"
    )
    assert run("agreement", "gaps", agreed.id, "--from", "2025-01-11", "--until", "2025-01-10").refusal == (
        "ValuesInvalid"
    )


def test_without_days_what_is_due_is_queued_and_listed_with_cause_period_and_pods(run: Run) -> None:
    assert run("deliver").out == "31 deliveries queued.\n"
    assert run("deliver").out == "0 deliveries queued.\n"
    rows = json.loads(run("deliveries", "list", "--json").out)
    first = min(rows, key=lambda row: row["from"])
    assert [first[name] for name in ("cause", "from", "until", "pods", "state")] == [
        "Scheduled", "2024-12-31T23:00:00+00:00", "2025-01-01T23:00:00+00:00", 2, "Queued",
    ]  # fmt: skip
    pushed = [row for row in rows if not row["operation"].endswith("Value")]
    assert {(row["cause"], row["from"], row["pods"]) for row in pushed} <= {(None, None, None)}


@pytest.mark.usefixtures("agreed", "nothing_queued")
def test_messages_are_as_large_as_is_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXICIENCY_DELIVERY_MESSAGE_VALUES", "191")
    assert run("deliver", "--from", "2025-01-10").out == "2 deliveries queued.\n"


def test_an_end_without_a_beginning_is_a_usage_error(run: Run) -> None:
    ran = run("deliver", "--until", "2025-01-10")
    assert (ran.code, "--from" in ran.err) == (2, True)


@pytest.mark.usefixtures("agreed")
def test_evidence_is_listed_and_shown_as_it_travelled(run: Run, database: Database) -> None:
    rows = json.loads(run("evidence", "list", "--peer", f"urn:flexiciency:market-player:{PLAYER}", "--json").out)
    request = next(row for row in rows if row["action"].endswith(":RequestDsoServiceActivation"))
    assert (request["direction"], request["verified"], request["code"]) == ("in", True, None)
    both = json.loads(run("evidence", "list", "--message-id", request["message_id"], "--json").out)
    assert [row["direction"] for row in both] == ["out", "in"]
    shown = run("evidence", "show", request["row"]).out.encode()
    with database.begin() as connection:
        kept = connection.execute(
            text("SELECT sha256 FROM message WHERE id = :id"), {"id": request["row"]}
        ).scalar_one()
    assert hashlib.sha256(shown).digest() == kept

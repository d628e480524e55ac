"""`flexiciency activation` and `selection`, and the player's commands that call for them, on one gateway."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flexiciency.store.database import Database
from tests.cli.conftest import DSO, PLAYER, Ran, Run, listed
from tests.gateway import channel_of, gateway
from tests.messages import consent, new_id
from tests.services.activating import add_registration, add_service, decide_by_hand
from tests.world import SERVICE, World, make_world, pod_name

PERIOD = ("--from", "2025-01-01", "--until", "2025-02-01")
WANTED = ("--quantity", "EnergyConsumption", "--step", "PT15M", *PERIOD)
BROKEN = "Meter broken."


@pytest.fixture(scope="module")
def world(database: Database, keys: Path) -> World:
    return make_world(database, keys, pods=3)


@pytest.fixture(scope="module")
def url(world: World, database: Database) -> Iterator[str]:
    with gateway(world, database) as address:
        for number in (0, 1):
            channel_of(world, address).send(consent(number, new_id()))
        yield address


@pytest.fixture
def by_hand(url: str, database: Database) -> Iterator[None]:  # noqa: ARG001  after the world
    decide_by_hand(database)
    yield
    decide_by_hand(database, by_hand=False)


@pytest.fixture
def player(run: Run, url: str, keys: Path) -> Run:
    """Runs a command of the player's, with the DSO's gateway as provider."""

    def command(*arguments: object) -> Ran:
        with pytest.MonkeyPatch.context() as changed:
            for name, value in {
                "REGISTRATION_ID": PLAYER, "KEY_FILE": keys / "player.key", "CERTIFICATE_FILE": keys / "player.pem",
            }.items():  # fmt: skip
                changed.setenv(f"FLEXICIENCY_{name}", str(value))
            return run("player", *arguments, "--provider", DSO, "--url", f"{url}/v1/services/b2b")

    return command


@pytest.fixture
def request_id(player: Run) -> str:
    """An activation of the first PoD."""
    (row,) = listed(player("activate", SERVICE, "--pod", pod_name(0), "--json"))
    return str(row["request"])


def of(run: Run, identifier: str) -> dict[str, Any]:
    (row,) = listed(run("activation", "show", identifier, "--json"))
    return row


def empty(player: Run) -> list[dict[str, Any]]:
    """What waits in the mailbox, which is emptied."""
    found: list[dict[str, Any]] = []
    while items := listed(player("mailbox", "--confirm", "--json")):
        found += items
    return found


def test_an_activation_is_answered_pod_by_pod(player: Run, run: Run) -> None:
    rows = listed(player("activate", SERVICE, "--pod", pod_name(0), "--pod", pod_name(2), *WANTED, "--json"))
    assert [(row["status"], row["pod"], row["confirmed"], row["reason"]) for row in rows] == [
        ("Partial", pod_name(0), True, None),
        ("Partial", pod_name(2), False, "NoConsent"),
    ]
    shown = of(run, rows[0]["request"])
    assert (shown["kind"], shown["selection"]) == ("DSO-REQ", rows[0]["selection"])
    assert (shown["confirmed_pods"], shown["refused_pods"]) == (pod_name(0), pod_name(2))
    found = listed(run("activation", "list", "--status", "Partial", "--requester", PLAYER, "--json"))
    assert rows[0]["request"] in {row["id"] for row in found}


def test_a_refusal_of_the_whole_has_its_reason(player: Run) -> None:
    (row,) = listed(player("activate", new_id(), "--json"))
    assert (row["status"], row["pod"], row["reason"]) == ("KO", None, "ServiceUnknown")


def test_what_waits_is_confirmed_by_the_operator(player: Run, run: Run, by_hand: None) -> None:  # noqa: ARG001
    empty(player)
    (row,) = listed(player("activate", SERVICE, "--pod", pod_name(0), "--pod", pod_name(1), "--json"))
    assert row["status"] == "Received"
    (waiting,) = listed(run("activation", "list", "--status", "Received", "--json"))
    assert (waiting["id"], waiting["confirmed_pods"]) == (row["request"], 2)
    ran = run("activation", "confirm", row["request"], "--refuse-pod", pod_name(1), "--reason", BROKEN)
    assert "is Partial" in ran.out
    (message,) = empty(player)
    assert message["action"].endswith("ReceiveDsoServiceActivationConfirmation")
    assert BROKEN in message["content"]
    assert run("activation", "confirm", row["request"]).refusal == "StateConflict"


def test_what_waits_is_refused_by_the_operator(player: Run, run: Run, by_hand: None) -> None:  # noqa: ARG001
    (row,) = listed(player("activate", SERVICE, "--pod", pod_name(0), "--json"))
    assert "is KO: No capacity." in run("activation", "refuse", row["request"], "--reason", "No capacity.").out
    assert of(run, row["request"])["text"] == "No capacity."


def test_either_side_stops(player: Run, run: Run, request_id: str) -> None:
    assert "is stopped" in player("stop", request_id, "--reason", "The contract ended.").out
    shown = of(run, request_id)
    assert (shown["status"], shown["reason"], shown["text"]) == ("Stopped", "NoLongerNeeded", "The contract ended.")
    assert "It is Stopped" in player("stop", request_id).err
    assert run("activation", "stop", request_id, "--reason", "Closed.").refusal == "StateConflict"


def test_the_operator_stops_with_a_reason(player: Run, run: Run, request_id: str) -> None:
    empty(player)
    assert "is Stopped: Closed." in run("activation", "stop", request_id, "--reason", "Closed.").out
    (message,) = empty(player)
    assert "StoppedByProvider" in message["content"]


def test_an_unregulated_service_is_used(player: Run, run: Run, database: Database, url: str) -> None:  # noqa: ARG001
    owner = add_registration(database, "UnregulatedServiceProvider")
    service = add_service(database, owner, service_type="EnergyServiceProvision", aggregation_level=None,
                          quantity=None, time_step=None)  # fmt: skip
    (row,) = listed(player("use", service, "--json"))
    assert row["status"] == "OK"
    assert of(run, row["request"])["kind"] == "USP-REQ"
    (row,) = listed(player("use", SERVICE, "--json"))
    assert (row["status"], row["reason"]) == ("KO", "UseDsoRequest")
    decide_by_hand(database, service)
    (row,) = listed(player("use", service, "--json"))
    assert "is Partial: Weekdays." in run("activation", "confirm", row["request"], "--limits", "Weekdays.").out


def test_a_selection_is_served_and_narrowed(player: Run, run: Run) -> None:
    empty(player)
    finer = ("--quantity", "EnergyConsumption", "--step", "PT10M", *PERIOD, "--pod", pod_name(0))
    (row,) = listed(player("select", SERVICE, *finer, "--json"))
    assert (row["time_step"], row["pods"], row["reason"]) == ("PT15M", pod_name(0), "SelectionNarrowed")
    (found,) = [one for one in listed(run("selection", "list", "--json")) if one["id"] == row["id"]]
    assert (found["narrowed"], found["start"]) == (True, "2025-01-01T00:00:00+00:00")
    assert "is narrowed" in run("selection", "narrow", row["id"], "--from", "2025-01-08").out
    (shown,) = listed(run("selection", "show", row["id"], "--json"))
    assert (shown["time_step"], shown["start"]) == ("PT15M", "2025-01-08T00:00:00+00:00")
    (message,) = empty(player)
    assert message["action"].endswith("ReceiveIndividualDataSelection")
    assert run("selection", "narrow", row["id"], "--from", "2025-01-01").refusal == "StateConflict"


def test_aggregates_are_selected(player: Run, database: Database, url: str) -> None:  # noqa: ARG001
    service = add_service(
        database, service_type="AggregatedDataProvision", aggregation_level="City", aggregation_method="Sum"
    )
    of_city = (*WANTED, "--level", "City", "--method", "Sum", "--city", "Linz", "--json")
    (row,) = listed(player("select", service, *of_city))
    assert (row["time_step"], row["reason"]) == ("PT15M", None)
    (row,) = listed(player("select", SERVICE, *of_city))
    assert (row["id"], row["reason"]) == (None, "ServiceTypeMismatch")


@pytest.mark.parametrize(
    "options",
    [("--step", "PT15M"), ("--city", "Linz"), (*WANTED, "--level", "City"), (*WANTED, "--city", "Linz")],
)
def test_half_a_selection_is_not_sent(player: Run, options: tuple[str, ...]) -> None:
    for command in ("activate", "select"):
        assert player(command, SERVICE, *options).code == 2


@pytest.mark.parametrize("name", ["activation", "selection"])
def test_what_is_not_there_is_named(run: Run, url: str, name: str) -> None:  # noqa: ARG001
    assert run(name, "show", new_id()).refusal == "ReferenceUnknown"


@pytest.mark.parametrize("arguments", [("refuse", "x", "--reason", " "), ("confirm", "x", "--refuse-pod", "A B")])
def test_what_could_not_be_written_is_not_taken(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("activation", *arguments).code == 2

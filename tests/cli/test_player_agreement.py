"""Agreements of a Market Player from the command line, against a gateway over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from flexiciency.store.database import Database
from tests.cli.conftest import DSO, PLAYER, Ran, Run, listed
from tests.gateway import Sender, channel_of, gateway, player_of
from tests.messages import Agreed, agree
from tests.world import SERVICE, SUBSCRIPTION, World, make_world, pod_name


@pytest.fixture(scope="module")
def world(database: Database, keys: Path) -> World:
    return make_world(database, keys, pods=3)


@pytest.fixture(scope="module")
def url(world: World, database: Database) -> Iterator[str]:
    with gateway(world, database) as address:
        yield address


@pytest.fixture(scope="module")
def agreed(world: World, url: str) -> Agreed:
    """All PoDs activated."""
    player: Sender = player_of(world, url)
    return agree(player, channel_of(world, url), [0, 1, 2])


@pytest.fixture
def player(run: Run, url: str, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands of the player, with its key."""
    for name, value in {
        "REGISTRATION_ID": PLAYER, "KEY_FILE": keys / "player.key", "CERTIFICATE_FILE": keys / "player.pem",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"FLEXICIENCY_{name}", str(value))

    def command(name: str, *arguments: object) -> Ran:
        provider = ("--provider", DSO, "--url", f"{url}/v1/services/b2b", "--provider-certificate", keys / "dso.pem")
        return run("player", "agreement", name, *arguments, *provider, "--json")

    return command


def terms(agreed: Agreed, *pods: str, until: str = "2025-02-01") -> list[object]:
    named = [part for pod in pods for part in ("--pod", pod)]
    return [
        *named, "--from", "2025-01-01", "--until", until, "--service", SERVICE, "--subscription", SUBSCRIPTION,
        "--request", agreed.activation,
    ]  # fmt: skip


def one(ran: Ran) -> dict[str, Any]:
    (found,) = listed(ran)
    return found


def test_an_agreement_is_proposed_countered_validated_shown_and_ended(player: Run, agreed: Agreed) -> None:
    proposed = one(player("propose", *terms(agreed, pod_name(0), "AT-unknown", until="2026-01-01")))
    assert (proposed["status"], proposed["version"], proposed["end"]) == ("Countered", 2, "2025-02-01")
    assert proposed["refused"] == "AT-unknown (PodNotConfirmed)"
    identifier = proposed["id"]
    wider = one(player("counter", identifier, 2, *terms(agreed, pod_name(0), pod_name(1), until="2025-03-01")))
    assert (wider["status"], wider["version"]) == ("Countered", 4)
    validated = one(player("validate", identifier, 4))
    assert (validated["status"], validated["pods"]) == ("Validated", f"{pod_name(0)}, {pod_name(1)}")
    assert one(player("show", identifier)) == validated
    ended = one(player("end", identifier, "--on", "2025-01-10"))
    assert (ended["status"], ended["end"]) == ("Ended", "2025-01-10")


def test_what_nothing_can_be_agreed_to_of_says_why(player: Run, agreed: Agreed) -> None:
    refused = one(player("propose", *terms(agreed, "AT-unknown")))
    assert (refused["status"], refused["reason"]) == ("Ended", "NoConsent")


def test_an_unknown_agreement_is_told_in_one_line(player: Run) -> None:
    ran = player("show", "urn:uuid:unknown")
    assert (ran.code, ran.err.partition(":")[0]) == (1, "ReferenceUnknown")


@pytest.mark.usefixtures("player")
def test_what_has_not_come_is_shown_and_asked_for(
    run: Run, url: str, keys: Path, database: Database, agreed: Agreed
) -> None:
    provider = ("--provider", DSO, "--url", f"{url}/v1/services/b2b", "--provider-certificate", keys / "dso.pem")
    day = (agreed.id, "--from", "2025-01-10", "--until", "2025-01-10T02:00:00Z", *provider)
    whole, *gaps = listed(run("player", "gaps", *day, "--json"))
    assert (whole["source"], whole["expected"], whole["sent"], whole["acknowledged"]) == (agreed.id, 24, 0, 0)
    assert [(gap["source"], gap["cause"]) for gap in gaps] == [(pod_name(number), "NotSent") for number in range(3)]
    assert "is on its way" in run("player", "missing", *day, "--pod", pod_name(1)).out
    with database.begin() as connection:
        requested = connection.execute(text("SELECT pods FROM delivery WHERE cause = 'Requested'")).scalars().all()
    assert requested == [[pod_name(1)]]
    refused = run("player", "missing", *day, "--pod", "AT-unknown")
    assert (refused.code, refused.err.partition(":")[0]) == (1, "ReferenceUnknown")

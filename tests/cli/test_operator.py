"""The operator's facts, entered and listed; what is wrong is one line with its code."""

from pathlib import Path

import pytest
from sqlalchemy import text

from flexiciency.store.database import Database
from tests.cli.conftest import DSO, PLAYER, Run, listed

CHANNEL = "portal"
SERVICE = "urn:uuid:00000000-0000-4000-8000-000000005e20"
SUBSCRIPTION = "urn:uuid:00000000-0000-4000-8000-00000000b2b0"
HEADER = "pod,country,city,street,load_area,time_zone,customer_id,held_from,held_until\n"
SINCE = "2020-01-01T00:00:00+01:00"


@pytest.fixture
def facts(run: Run, keys: Path) -> None:
    """Everything that must be entered before a market player can call; entering it again changes nothing."""
    if not (keys / "ca.pem").exists():
        assert run("certificate", "authority", "--folder", keys, "--key", "ec").code == 0
        for name in ("dso", "player", "channel", "stranger"):
            assert run("certificate", "issue", name, "--folder", keys, "--key", "ec").code == 0
    for arguments in (
        ("database", "upgrade"),
        ("registration", "add", DSO, "--company", "Netz", "--role", "RegulatedDataProvider",
         "--company-type", "EnergyRegulatedPlayer", "--certificate", keys / "dso.pem"),
        ("registration", "add", PLAYER, "--company", "Advice", "--role", "UnregulatedDataRequester",
         "--certificate", keys / "player.pem", "--uri", "https://player.example/v1/services/market-player"),
        ("channel", "bind", CHANNEL, "--certificate", keys / "channel.pem"),
        ("service", "add", SERVICE, "--description", "Load curves"),
        ("subscription", "add", SUBSCRIPTION, "--requester", PLAYER, "--service", SERVICE),
    ):  # fmt: skip
        assert run(*arguments).code == 0


@pytest.mark.usefixtures("facts")
def test_what_was_entered_is_listed(run: Run) -> None:
    registrations = {row["id"]: row for row in listed(run("registration", "list", "--json"))}
    assert registrations[DSO]["role"] == "RegulatedDataProvider"
    assert registrations[PLAYER]["uri"] == "https://player.example/v1/services/market-player"
    assert {row["status"] for row in registrations.values()} == {"Active"}
    assert [row["id"] for row in listed(run("channel", "list", "--json"))] == [CHANNEL]
    assert [row["provider"] for row in listed(run("service", "list", "--json"))] == [DSO]
    assert [row["status"] for row in listed(run("subscription", "list", "--json"))] == ["Validated"]


@pytest.mark.usefixtures("facts")
def test_without_json_the_list_is_a_table(run: Run) -> None:
    ran = run("registration", "list")
    assert ran.code == 0
    assert PLAYER in ran.out
    assert "UnregulatedDataRequester" in ran.out


@pytest.mark.usefixtures("facts")
def test_a_registration_is_suspended_and_activated(run: Run) -> None:
    assert run("registration", "suspend", PLAYER).code == 0
    states = {row["id"]: row["status"] for row in listed(run("registration", "list", "--json"))}
    assert states == {DSO: "Active", PLAYER: "Suspended"}
    assert run("registration", "activate", PLAYER).code == 0
    assert {row["status"] for row in listed(run("registration", "list", "--json"))} == {"Active"}


@pytest.mark.usefixtures("facts")
def test_a_certificate_is_bound_shown_and_withdrawn(run: Run, keys: Path) -> None:
    (shown,) = listed(run("certificate", "show", keys / "stranger.pem", "--json"))
    assert (shown["subject"], shown["issuer"], shown["bound_to"]) == (
        "CN=stranger",
        "CN=Flexiciency trial CA",
        "nobody",
    )
    assert run("registration", "bind", PLAYER, "--certificate", keys / "stranger.pem").code == 0
    (shown,) = listed(run("certificate", "show", keys / "stranger.pem", "--json"))
    assert shown["bound_to"] == PLAYER
    assert run("registration", "unbind", shown["sha256_fingerprint"]).code == 0
    (shown,) = listed(run("certificate", "show", keys / "stranger.pem", "--json"))
    assert shown["bound_to"] == "nobody"
    assert run("registration", "unbind", shown["sha256_fingerprint"]).refusal == "ReferenceUnknown"


@pytest.mark.usefixtures("facts")
def test_facts_that_contradict_are_refused_in_one_line(run: Run, keys: Path) -> None:
    unknown = "urn:uuid:00000000-0000-4000-8000-0000000000ff"
    certificate = ("--certificate", keys / "channel.pem")
    assert run("registration", "suspend", unknown).refusal == "ReferenceUnknown"
    assert run("registration", "bind", unknown, "--certificate", keys / "player.pem").refusal == "ReferenceUnknown"
    assert (
        run("subscription", "add", "urn:x", "--requester", unknown, "--service", SERVICE).refusal == "ReferenceUnknown"
    )
    assert run("channel", "bind", "another", *certificate).refusal == "IdentifierTaken"
    assert run("certificate", "show", keys / "dso.key").refusal == "FileInvalid"
    assert run("certificate", "authority", "--folder", keys).refusal == "FileExistsError"
    assert run("evidence", "show", 999).refusal == "ReferenceUnknown"
    assert run("deliveries", "resend", "00000000-0000-4000-8000-0000000000ff").refusal == "ReferenceUnknown"


@pytest.mark.usefixtures("facts")
def test_an_unknown_role_is_a_usage_error(run: Run, keys: Path) -> None:
    ran = run("registration", "add", "urn:x", "--company", "X", "--role", "King", "--certificate", keys / "dso.pem")
    assert ran.code == 2
    assert "'RegulatedDataProvider'" in ran.err


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""}, {"id": "two words"}, {"id": "x" * 201}, {"id": "é"},
        {"--company": ""}, {"--company": " "}, {"--company": "x" * 201}, {"--company": "bell\a"},
        {"--uri": "http://player.example/"}, {"--uri": "player.example"}, {"--uri": "file:///etc/passwd"},
        {"--uri": "https://player.example/a b"}, {"--uri": "https://pläyer.example/"},
        {"--uri": "https://player.example/" + "x" * 1_000},
    ],
)  # fmt: skip
def test_an_id_a_company_and_an_address_that_no_reply_may_say_are_usage_errors(
    wrong: dict[str, str], run: Run, keys: Path
) -> None:
    given = {"id": "urn:x", "--company": "X", "--role": "UnregulatedDataRequester", "--certificate": keys / "dso.pem"}
    identifier, *options = (given | wrong).items()
    ran = run("registration", "add", identifier[1], *(part for option in options for part in option))
    assert (ran.code, ran.out) == (2, "")
    assert "Invalid value" in ran.err
    assert "urn:x" not in {row["id"] for row in listed(run("registration", "list", "--json"))}


WRONG_TEXTS = ("", " ", "x" * 4_001, "bell\a")


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize("wrong", WRONG_TEXTS)
@pytest.mark.parametrize(
    "arguments",
    [
        ("service", "add", "urn:x", "--description"),
        ("subscription", "add", "urn:x", "--requester", PLAYER, "--service", SERVICE, "--data-details"),
        ("subscription", "add", "urn:x", "--requester", PLAYER, "--service", SERVICE, "--processing-details"),
    ],
)
def test_a_text_that_no_reply_may_say_is_a_usage_error(arguments: tuple[str, ...], wrong: str, run: Run) -> None:
    ran = run(*arguments, wrong)
    assert (ran.code, ran.out) == (2, "")
    assert f"Invalid value for '{arguments[-1]}': expected 1 to 4,000 characters" in ran.err
    assert "urn:x" not in {row["id"] for row in listed(run(arguments[0], "list", "--json"))}


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize("wrong", WRONG_TEXTS)
def test_a_channel_has_a_name_that_can_be_said(wrong: str, run: Run, keys: Path) -> None:
    ran = run("channel", "bind", "another", "--certificate", keys / "stranger.pem", "--name", wrong)
    assert (ran.code, ran.out) == (2, "")
    assert "Invalid value for '--name'" in ran.err
    assert [row["id"] for row in listed(run("channel", "list", "--json"))] == [CHANNEL]


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize(
    "wrong",
    [
        ("service", "add", "two words", "--description", "X"),
        ("service", "add", "urn:x", "--description", "X", "--aggregation-level", "Galaxy"),
        ("service", "add", "urn:x", "--description", "X", "--aggregation-method", "Median"),
        ("subscription", "add", "two words", "--requester", PLAYER, "--service", SERVICE),
        ("subscription", "add", "urn:x", "--requester", "two words", "--service", SERVICE),
        ("subscription", "add", "urn:x", "--requester", PLAYER, "--service", SERVICE, "--service", "two words"),
        ("registration", "suspend", "two words"),
    ],
)
def test_an_id_and_a_code_outside_the_contract_are_usage_errors(wrong: tuple[str, ...], run: Run) -> None:
    ran = run(*wrong)
    assert (ran.code, ran.out) == (2, "")
    assert "Invalid value" in ran.err


@pytest.mark.usefixtures("facts")
def test_a_certificate_of_one_company_is_not_bound_to_another(run: Run, keys: Path) -> None:
    player = ("--certificate", keys / "player.pem")
    role = ("--role", "UnregulatedDataRequester")
    refused = run("registration", "add", "urn:x", "--company", "Rival", *role, *player)
    assert refused.refusal == "IdentifierTaken"
    assert f"{PLAYER} of Advice" in refused.err
    assert run("registration", "bind", DSO, *player).refusal == "IdentifierTaken"
    assert run("registration", "bind", PLAYER, *player).code == 0


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize("status", ["Pending", "Withdrawn"])
def test_who_is_not_approved_or_has_withdrawn_keeps_no_certificate_from_others(
    run: Run, keys: Path, database: Database, status: str
) -> None:
    changed = "UPDATE market_player_registration SET status = :status WHERE id = :id"
    with database.begin() as connection:
        connection.execute(text(changed), {"status": status, "id": PLAYER})
    assert run("registration", "bind", DSO, "--certificate", keys / "player.pem").code == 0
    assert run("registration", "activate", PLAYER).refusal == "StateConflict"
    (shown,) = listed(run("certificate", "show", keys / "player.pem", "--json"))
    assert run("registration", "unbind", shown["sha256_fingerprint"]).code == 0


def test_a_list_is_bounded(run: Run) -> None:
    assert run("evidence", "list", "--limit", 100_001).code == 2
    assert run("deliveries", "list", "--limit", 0).code == 2

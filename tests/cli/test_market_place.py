"""The operator of a Market Place: says what it is, decides who takes part, and sees what is matched and why."""

from collections.abc import Iterator

import pytest

from flexiciency.store.database import Database
from tests.cli.conftest import listed
from tests.cli.market import ACCESS, ADVICE, COMPANY, DESCRIBED, DSO_COMPANY, LOAD_CURVES, NETZ, Market, Party, market
from tests.gateway import added, rows


@pytest.fixture(scope="module")
def place(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market(database, tmp_path_factory.mktemp("market")) as opened:
        yield opened


@pytest.fixture(scope="module")
def netz(place: Market) -> Party:
    """A DSO that offers."""
    return place.approved("netz", NETZ, "--role", "RegulatedDataProvider", *DSO_COMPANY)


@pytest.fixture(scope="module")
def advice(place: Market) -> Party:
    """A requester that subscribes."""
    return place.approved("advice", ADVICE, "--role", "UnregulatedDataRequester", *COMPANY)


def enrolled(place: Market, name: str, identifier: str) -> Party:
    """A company that waits for approval."""
    party = place.party(name, identifier)
    assert party("player", "enrol", "--company", name, "--role", "UnregulatedDataRequester", *COMPANY).code == 0
    return party


def published(party: Party, *arguments: str) -> str:
    ran = party("player", *arguments)
    assert ran.code == 0, ran.err
    return ran.out.partition(" ")[0]


def test_what_the_market_place_says_of_itself_can_be_changed(place: Market, database: Database) -> None:
    before = rows(database)
    assert place.operator("market-place", "describe", *DESCRIBED[:-1], "Another condition").code == 0
    assert place.operator("market-place", "describe", *DESCRIBED).code == 0
    assert added(before, database) == {}


@pytest.mark.parametrize("wrong", ["", " ", "x" * 4_001, "bell\a"])
@pytest.mark.parametrize("option", DESCRIBED[::2])
def test_a_text_that_no_reply_may_say_is_a_usage_error(
    option: str, wrong: str, place: Market, database: Database
) -> None:
    before = rows(database)
    refused = place.operator("market-place", "describe", *DESCRIBED, option, wrong)
    assert (refused.code, refused.out) == (2, "")
    assert f"Invalid value for '{option}': expected 1 to 4,000 characters" in refused.err
    assert added(before, database) == {}


ENROL = ("enrol", "--company", "X", "--role", "UnregulatedDataRequester", *COMPANY)
OFFER = ("offer", *LOAD_CURVES, "--description", "X")
WRONG_URIS = (
    "", "ftp://mp.example", "https://mp.example/a b", "https://mp.example/" + "x" * 1_000,
    "https://märkte.example", "https://mp.example/\a",
)  # fmt: skip


@pytest.mark.parametrize("wrong", ["http://mp.example", *WRONG_URIS])
def test_an_access_point_has_an_address_that_can_be_said_and_called(
    wrong: str, place: Market, database: Database
) -> None:
    before = rows(database)
    refused = place.operator("market-place", "location", "set", "urn:uuid:3", wrong)
    assert (refused.code, refused.out) == (2, "")
    assert "Invalid value" in refused.err
    assert added(before, database) == {}


@pytest.mark.parametrize("wrong", WRONG_URIS)
@pytest.mark.parametrize(
    "command",
    [
        ("address",),
        ("add-role", "UnregulatedServiceProvider", "--uri"),
        (*ENROL, "--uri"),
    ],
)
def test_a_player_has_an_address_that_can_be_said(command: tuple[str, ...], wrong: str, advice: Party) -> None:
    refused = advice("player", *command, wrong)
    assert (refused.code, refused.out) == (2, "")
    assert "Invalid value" in refused.err


@pytest.mark.parametrize(
    "wrong",
    [
        (*ENROL, "--company", "x" * 201), (*ENROL, "--information", "x" * 4_001), (*ENROL, "--contact", " "),
        (*ENROL, "--email", "desk"), (*ENROL, "--email", "desk\a@advice.example"), (*ENROL, "--city", ""),
        (*ENROL, "--country", "Austria"), (*ENROL, "--street", "bell\a"), (*ENROL, "--postal-code", "1" * 21),
        (*ENROL, "--telephone", "call me"), (*ENROL, "--market-place-location", "two words"),
        (*ENROL, "--territory", "Austria"), (*ENROL, "--territory", "AT:bell\a"), (*ENROL, "--territory", "AT::A 1"),
        (*OFFER, "--description", ""), (*OFFER, "--usage", "x" * 4_001), (*OFFER, "--id", "two words"),
        (*OFFER, "--service", "two words"), (*OFFER, "--country", "AT", "--country", "at"), (*OFFER, "--city", " "),
        (*OFFER, "--street", "bell\a"), (*OFFER, "--pod", "A" * 65),
        ("describe", "--description", "bell\a"), ("describe", "--description", "X", "--id", "é"),
        ("withdraw", "two words"), ("validate", "two words"), ("show", "two words"),
    ],
)  # fmt: skip
def test_what_a_player_says_outside_the_contract_is_a_usage_error(wrong: tuple[str, ...], advice: Party) -> None:
    refused = advice("player", *wrong)
    assert (refused.code, refused.out) == (2, "")
    assert "Invalid value" in refused.err


def test_an_access_point_is_removed_unless_someone_is_enrolled_at_it(place: Market, netz: Party) -> None:
    assert netz("player", "show").code == 0
    assert place.operator("market-place", "location", "set", "urn:uuid:2", "https://mp.example/x").code == 0
    assert place.operator("market-place", "location", "remove", "urn:uuid:2").code == 0
    assert place.operator("market-place", "location", "remove", "urn:uuid:2").refusal == "ReferenceUnknown"
    assert place.operator("market-place", "location", "remove", ACCESS).refusal == "StateConflict"
    assert place.operator("market-place", "location", "set", "urn:uuid:2", "ftp://mp.example").code == 2


def test_who_waits_is_listed_with_its_certificate_until_it_is_approved(place: Market) -> None:
    identifier = "urn:uuid:00000000-0000-4000-8000-000000000001"
    party = enrolled(place, "waiting", identifier)
    (waits,) = (row for row in listed(place.operator("market-place", "pending", "--json")) if row["id"] == identifier)
    assert (waits["company"], waits["role"], waits["sha256_fingerprint"]) == (
        "waiting",
        "UnregulatedDataRequester",
        party.fingerprint,
    )
    assert place.operator("market-place", "approve", identifier, "--yes").code == 0
    assert identifier not in [row["id"] for row in listed(place.operator("market-place", "pending", "--json"))]
    assert listed(party("player", "matches", "--json")) == []
    assert place.operator("market-place", "approve", identifier, "--yes").refusal == "StateConflict"


def test_an_access_point_is_listed_for_those_who_are_to_enrol_at_it(place: Market) -> None:
    (found,) = listed(place.operator("market-place", "location", "list", "--json"))
    assert found == {"id": ACCESS, "uri": f"{place.url}/v1/services/market-place"}


def test_nothing_is_entered_where_no_market_place_is_hosted(place: Market) -> None:
    elsewhere = Party({**place.operator.settings, "HOSTS_MARKET_PLACE": "false"})
    for command in (("describe", *DESCRIBED), ("pending",), ("approve", "urn:uuid:1")):
        assert elsewhere("market-place", *command).refusal == "SettingMissing"


def test_nobody_is_approved_whose_certificate_is_not_confirmed(place: Market, database: Database) -> None:
    identifier = "urn:uuid:00000000-0000-4000-8000-000000000002"
    party = enrolled(place, "unconfirmed", identifier)
    before = rows(database)
    wrong = "ab" * 32
    for options in ((), ("--fingerprint", wrong), ("--fingerprint", wrong, "--yes")):
        refused = place.operator("market-place", "approve", identifier, *options)
        assert refused.refusal == "NotConfirmed"
        assert ("Do not approve it" in refused.err) is bool(options)
        assert f"CN=unconfirmed, SHA-256 {party.fingerprint}" in refused.err
    assert added(before, database) == {}
    as_openssl_prints_it = party.fingerprint.upper()
    pairs = ":".join(as_openssl_prints_it[start : start + 2] for start in range(0, 64, 2))
    approved = place.operator("market-place", "approve", identifier, "--fingerprint", pairs)
    assert party.fingerprint in approved.out


def test_who_is_not_there_is_not_moved(place: Market) -> None:
    for move in (("approve", "--yes"), ("suspend",), ("reactivate",), ("withdraw",)):
        assert place.operator("market-place", move[0], "urn:uuid:404", *move[1:]).refusal == "ReferenceUnknown"


def test_what_the_operator_suspends_only_the_operator_reactivates(place: Market) -> None:
    identifier = "urn:uuid:00000000-0000-4000-8000-000000000003"
    party = place.approved("suspended", identifier, "--role", "UnregulatedDataRequester", *COMPANY)
    assert place.operator("market-place", "suspend", identifier).out == f"{identifier} is Suspended.\n"
    assert party("player", "reactivate").refusal == "StateConflict"
    assert place.operator("market-place", "reactivate", identifier).out == f"{identifier} is Active.\n"
    assert party("player", "matches").code == 0
    assert place.operator("market-place", "withdraw", identifier).out == f"{identifier} is Withdrawn.\n"
    assert party("player", "show").refusal == "SenderInactive"
    assert place.operator("market-place", "reactivate", identifier).refusal == "StateConflict"


def test_what_is_published_and_matched_is_seen_and_who_has_validated(place: Market, netz: Party, advice: Party) -> None:
    offer = published(netz, "offer", *LOAD_CURVES, "--description", "Load curves")
    wanted = published(advice, "subscribe", *LOAD_CURVES, "--description", "Load curves")
    offered = listed(place.operator("market-place", "offers", "--party", NETZ, "--json"))[0]
    assert (offered["id"], offered["company"], offered["status"], offered["version"]) == (offer, "netz", "Published", 1)
    subscribed = listed(place.operator("market-place", "subscriptions", "--limit", "1", "--json"))
    assert [(row["id"], row["party"]) for row in subscribed] == [(wanted, ADVICE)]
    assert listed(place.operator("market-place", "subscriptions", "--party", NETZ, "--json")) == []
    (match,) = listed(place.operator("market-place", "matches", "--status", "Proposed", "--json"))
    assert netz("player", "validate", match["id"]).code == 0
    (match,) = listed(place.operator("market-place", "matches", "--status", "Proposed", "--json"))
    assert (match["provider"], match["requester"], match["validated_by_requester"]) == (NETZ, ADVICE, None)
    assert match["validated_by_provider"] is not None
    validated = listed(place.operator("market-place", "matches", "--status", "Validated", "--json"))
    assert match["id"] not in [row["id"] for row in validated]
    assert all(row["fits"] for row in listed(place.operator("market-place", "why", offer, wanted, "--json")))
    assert place.operator("market-place", "why", wanted, offer).refusal == "ReferenceUnknown"


def test_why_says_the_same_to_the_operator_as_to_the_parties(place: Market, netz: Party, advice: Party) -> None:
    offer = published(netz, "offer", *LOAD_CURVES, "--city", "Graz", "--description", "Graz")
    wanted = published(advice, "subscribe", *LOAD_CURVES, "--city", "Linz", "--description", "Linz")
    told = listed(place.operator("market-place", "why", offer, wanted, "--json"))
    seen = listed(advice("player", "why", offer, wanted, "--json"))
    assert [row["attribute"] for row in told if not row["fits"]] == ["Localization/City"]
    assert [row for row in seen if row["attribute"] != "Supplier/Requester"] == told

"""A Market Player at the Market Place by commands alone: enrolled, published, matched, agreed."""

from collections.abc import Iterator

import pytest

from flexiciency.cli import player_find
from flexiciency.store.database import Database
from tests.cli.conftest import Ran, listed
from tests.cli.market import ADVICE, COMPANY, DSO_COMPANY, LOAD_CURVES, NETZ, Market, Party, market

OTHER = "urn:uuid:00000000-0000-4000-8000-000000000741"


@pytest.fixture(scope="module")
def place(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market(database, tmp_path_factory.mktemp("market")) as opened:
        yield opened


@pytest.fixture(scope="module")
def netz(place: Market) -> Party:
    """A DSO that offers."""
    options = ("--role", "RegulatedDataProvider", *DSO_COMPANY, "--territory", "AT:Linz:AT0031", "--territory", "LI")
    return place.approved("netz", NETZ, *options)


@pytest.fixture(scope="module")
def advice(place: Market) -> Party:
    """A requester that subscribes."""
    return place.approved("advice", ADVICE, "--role", "UnregulatedDataRequester", *COMPANY)


def said(ran: Ran) -> str:
    """The id of what a command says it has published."""
    assert ran.code == 0, ran.err
    return ran.out.partition(" ")[0]


def test_who_has_no_id_enrols_with_a_new_one_and_is_told_it(place: Market) -> None:
    party = place.party("newcomer")
    enrolled = party("player", "enrol", "--company", "Νέα Εταιρεία", "--role", "UnregulatedDataRequester", *COMPANY)
    registration_id = said(enrolled)
    assert "is Pending" in enrolled.out
    assert party.fingerprint in enrolled.out
    assert f'Set registration_id = "{registration_id}"' in enrolled.out
    own = Party({**party.settings, "REGISTRATION_ID": registration_id})
    shown = listed(own("player", "show", "--json"))
    assert [(row["id"], row["status"]) for row in shown if row["object"] == "MPL-REG"] == [(registration_id, "Pending")]
    assert "Νέα Εταιρεία, Wien, AT" in next(row["text"] for row in shown if row["object"] == "MPL-DES")
    assert own("player", "matches").refusal == "SenderInactive"


@pytest.mark.parametrize(
    "setting",
    [
        "REGISTRATION_ID",
        "KEY_FILE",
        "CERTIFICATE_FILE",
        "TRUST_FILE",
        "MARKET_PLACE_URL",
        "MARKET_PLACE_CERTIFICATE_FILE",
    ],
)
def test_a_setting_that_is_missing_is_named(setting: str, place: Market) -> None:
    settings = {"REGISTRATION_ID": ADVICE, **place.files("dso")}
    del settings[setting]
    refused = Party(settings)("player", "show")
    assert refused.refusal == "SettingMissing"
    assert setting.lower() in refused.err


def test_a_market_place_with_another_certificate_is_not_believed(place: Market, advice: Party) -> None:
    pinned = {"MARKET_PLACE_CERTIFICATE_FILE": place.folder / "player.pem"}
    assert Party({**advice.settings, **pinned})("player", "show").refusal == "UntrustedReply"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("KEY_FILE", "nowhere.key"), ("KEY_FILE", "player.key"), ("TRUST_FILE", "empty.toml/x"), ("TRUST_FILE", "dso.key"),
     ("MARKET_PLACE_CERTIFICATE_FILE", "dso.key")],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_with_its_setting(
    setting: str, value: str, place: Market, advice: Party
) -> None:
    refused = Party({**advice.settings, setting: place.folder / value})("player", "show")
    assert refused.refusal == "FileInvalid"
    assert (setting.lower() if value != "player.key" else "certificate_file") in refused.err


def test_messages_go_over_https_or_loopback_only(advice: Party) -> None:
    elsewhere = Party({**advice.settings, "MARKET_PLACE_URL": "http://mp.example/v1/services/market-place"})
    assert elsewhere("player", "show").refusal == "FileInvalid"


@pytest.mark.usefixtures("netz")
def test_registrations_are_found_by_role_and_part_of_the_name(advice: Party) -> None:
    asked = ("player", "find", "registrations", "--role", "RegulatedDataProvider", "--name", "ETZ", "--json")
    assert [(row["id"], row["status"]) for row in listed(advice(*asked))] == [(NETZ, "Active")]
    assert listed(advice("player", "find", "registrations", "--country", "XX", "--json")) == []


@pytest.mark.usefixtures("netz")
@pytest.mark.parametrize(
    ("place_of_customer", "outcome"),
    [(("--pod", "AT003100"), "Unique"), (("--country", "AT", "--city", "Linz"), "Unique"),
     (("--country", "LI"), "Unique"), (("--country", "AT", "--city", "Graz"), "Unknown")],
)  # fmt: skip
def test_a_dso_is_found_by_pod_or_place(place_of_customer: tuple[str, ...], outcome: str, advice: Party) -> None:
    found = listed(advice("player", "dso", *place_of_customer, "--json"))
    assert [row["id"] for row in found] == ([NETZ] if outcome == "Unique" else [])
    assert f"DSO: {outcome}" in advice("player", "dso", *place_of_customer).out


def test_a_place_is_a_pod_or_a_country(advice: Party) -> None:
    for arguments in (
        (),
        ("--pod", "AT00", "--country", "AT"),
        ("--pod", "AT00", "--city", "Linz"),
        ("--city", "Linz"),
    ):
        assert advice("player", "dso", *arguments).code == 2


def test_offer_and_subscription_become_a_match_that_both_validate(netz: Party, advice: Party) -> None:
    offer = said(netz("player", "offer", *LOAD_CURVES, "--description", "Load curves of all"))
    wanted = said(advice("player", "subscribe", *LOAD_CURVES, "--city", "Linz", "--description", "Load curves of Linz"))
    (match,) = (row for row in listed(advice("player", "matches", "--json")) if offer in row["offers"])
    assert (match["status"], match["provider"], match["requester"]) == ("Proposed", NETZ, ADVICE)
    assert wanted in match["subscriptions"]
    assert f"{match['id']} is Proposed" in advice("player", "validate", match["id"]).out
    assert f"{match['id']} is Validated" in netz("player", "validate", match["id"]).out
    validated = listed(netz("player", "matches", "--status", "Validated", "--json"))
    assert [row["id"] for row in validated] == [match["id"]]
    assert netz("player", "decline", match["id"]).refusal == "StateConflict"


def test_a_match_can_be_declined(netz: Party, advice: Party) -> None:
    quantity = ("--quantity", "EnergyGeneration", "--description", "Sun")
    netz("player", "offer", *LOAD_CURVES, *quantity)
    advice("player", "subscribe", *LOAD_CURVES, *quantity)
    (match,) = listed(netz("player", "matches", "--status", "Proposed", "--json"))
    assert f"{match['id']} is Declined" in netz("player", "decline", match["id"]).out


def test_why_shows_each_attribute_and_which_does_not_fit(netz: Party, advice: Party) -> None:
    offer = said(netz("player", "offer", *LOAD_CURVES, "--street", "Hauptplatz", "--description", "A square"))
    wanted = said(advice("player", "subscribe", *LOAD_CURVES, "--step", "PT10M", "--description", "Ten minutes"))
    for party in (netz, advice):
        findings = listed(party("player", "why", offer, wanted, "--json"))
        assert [row["attribute"] for row in findings if not row["fits"]] == ["TimeStep"]
        assert [row["text"] for row in findings if not row["fits"]] == ["PT15M does not divide PT10M."]
        assert ("Localization/Street", "Hauptplatz") in [(row["attribute"], row["offered"]) for row in findings]
    assert advice("player", "why", wanted, offer).refusal == "ReferenceUnknown"


def test_a_reference_is_a_demand_for_that_very_description(netz: Party, advice: Party) -> None:
    described = said(netz("player", "describe", *LOAD_CURVES[2:], "--pod", "AT00310*", "--description", "Masked"))
    offer = said(netz("player", "offer", "--type", "IndividualDataProvision", "--service", described))
    wanted = said(advice("player", "subscribe", "--type", "IndividualDataProvision", "--service", described))
    findings = listed(advice("player", "why", offer, wanted, "--json"))
    assert all(row["fits"] for row in findings)
    assert "ServiceDescription" in [row["attribute"] for row in findings]
    assert described in next(
        row["services"] for row in listed(advice("player", "matches", "--json")) if offer in row["offers"]
    )


def test_an_id_that_is_published_already_gets_its_next_version(netz: Party) -> None:
    first = netz("player", "offer", *LOAD_CURVES, "--id", OTHER, "--description", "First")
    assert first.out == f"{OTHER} is Published, version 1.\n"
    second = netz("player", "offer", *LOAD_CURVES, "--id", OTHER, "--description", "Second")
    assert second.out == f"{OTHER} is Published, version 2.\n"
    shown = listed(netz("player", "find", "offers", "--supplier", NETZ, "--json"))
    assert [row["short_description"] for row in shown if row["id"] == OTHER] == ["Second"]
    assert netz("player", "withdraw", OTHER).out == f"{OTHER} is Withdrawn, version 2.\n"
    assert netz("player", "withdraw", OTHER).refusal == "ReferenceUnknown"


def test_a_subscription_is_withdrawn_by_the_same_command(advice: Party) -> None:
    wanted = said(advice("player", "subscribe", *LOAD_CURVES, "--description", "For a while"))
    assert f"{wanted} is Withdrawn" in advice("player", "withdraw", wanted).out


def test_what_is_found_meets_all_criteria_and_comes_to_the_limit_over_pages(
    netz: Party, advice: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_find, "MOST_ON_A_PAGE", 1)
    for number in range(3):
        said(netz("player", "offer", *LOAD_CURVES, "--city", "Grünau", "--description", f"Number {number}"))
    criteria = ("--type", "IndividualDataProvision", "--city", "grünau", "--from", "2025-06-01T00:00:00+02:00",
                "--until", "2025-06-02", "--consent")  # fmt: skip
    found = listed(advice("player", "find", "offers", "--supplier", NETZ, *criteria, "--json"))
    assert {row["short_description"] for row in found if row["place"] == "AT; Grünau"} == {
        f"Number {n}" for n in range(3)
    }
    assert len(listed(advice("player", "find", "offers", *criteria, "--limit", "2", "--json"))) == 2
    assert listed(advice("player", "find", "offers", *criteria, "--no-consent", "--json")) == []
    assert listed(advice("player", "find", "services", "--level", "Portfolio", "--json")) == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [(("--from", "2025-01-01"), "--until"), (("--from", "tomorrow", "--until", "2025-01-01"), "tomorrow"),
     (("--from", "2025-01-01T00:00:00", "--until", "2025-01-02"), "2025-01-01T00:00:00Z")],
)  # fmt: skip
def test_a_period_has_two_ends_that_say_their_offset(wrong: tuple[str, ...], named: str, advice: Party) -> None:
    refused = advice("player", "find", "offers", *wrong)
    assert refused.code == 2
    assert named in refused.err


def test_what_is_offered_must_be_said(netz: Party) -> None:
    refused = netz("player", "offer", "--type", "EnergyServiceProvision")
    assert refused.code == 2
    assert "--description" in refused.err


def test_a_refusal_of_the_market_place_is_one_line_with_its_code(advice: Party) -> None:
    refused = advice("player", "offer", *LOAD_CURVES, "--description", "Not my role")
    assert refused.refusal == "OperationNotAllowed"


def test_a_certificate_is_replaced_while_both_are_valid(place: Market) -> None:
    identifier = "urn:uuid:00000000-0000-4000-8000-000000000c57"
    old = place.approved("rotating", identifier, "--role", "UnregulatedDataRequester", *COMPANY)
    new = place.party("rotated", identifier)
    assert new("player", "show").refusal == "CertificateNotBound"
    assert new.fingerprint in old("player", "certificate", "add", place.folder / "rotated.pem").out
    accounts = {row["text"]: row["id"] for row in listed(new("player", "show", "--json")) if row["object"] == "MPL-AUT"}
    (old_account,) = (account for text, account in accounts.items() if old.fingerprint in text)
    (new_account,) = (account for text, account in accounts.items() if new.fingerprint in text)
    assert new("player", "certificate", "withdraw", old_account).code == 0
    assert old("player", "show").refusal == "CertificateNotBound"
    assert new("player", "certificate", "withdraw", new_account).refusal == "StateConflict"


def test_an_address_is_entered_and_then_changed(advice: Party) -> None:
    first = said(advice("player", "address", "https://advice.example/v1/services/market-player"))
    again = said(advice("player", "address", "https://push.advice.example/v1/services/market-player"))
    assert first == again
    shown = [row for row in listed(advice("player", "show", "--json")) if row["object"] == "MPL-ADD"]
    assert [(f"{row['id']}:", row["text"]) for row in shown] == [
        (first, "https://push.advice.example/v1/services/market-player")
    ]
    assert advice("player", "address", "http://advice.example/x").code == 1


def test_a_company_takes_another_role_with_the_certificate_that_it_has(place: Market, netz: Party) -> None:
    added = netz("player", "add-role", "UnregulatedServiceProvider")
    identifier = said(added)
    assert "is Pending" in added.out
    assert place.operator("market-place", "approve", identifier, "--yes").code == 0
    second = Party({**netz.settings, "REGISTRATION_ID": identifier})
    company = {row["id"] for row in listed(second("player", "show", "--json")) if row["object"] == "MPL-DES"}
    assert company == {row["id"] for row in listed(netz("player", "show", "--json")) if row["object"] == "MPL-DES"}


def test_a_registration_rests_returns_and_leaves_for_good(place: Market) -> None:
    identifier = "urn:uuid:00000000-0000-4000-8000-00000001eafe"
    party = place.approved("leaving", identifier, "--role", "UnregulatedDataRequester", *COMPANY)
    assert party("player", "suspend").out == f"{identifier} is Suspended.\n"
    assert party("player", "find", "offers").refusal == "SenderInactive"
    assert party("player", "reactivate").out == f"{identifier} is Active.\n"
    assert party("player", "leave").code == 2
    assert party("player", "leave", "--yes").out == f"{identifier} is Withdrawn.\n"
    assert party("player", "reactivate").refusal == "SenderInactive"

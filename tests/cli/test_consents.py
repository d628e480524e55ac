"""`flexiciency consent`: consents by PoD, and the history of one."""

import pytest

from flexiciency.store.database import Database
from tests.cli.conftest import PLAYER, Run, listed
from tests.gateway import channel_of, gateway
from tests.messages import consent, new_id, revocation
from tests.world import World, customer_id, make_world, pod_name


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"), pods=3)


@pytest.fixture(scope="module")
def given(world: World, database: Database) -> str:
    """A consent of customer 0 that was revoked, beside one of customer 1 that was not."""
    identifier = new_id()
    with gateway(world, database) as url:
        channel = channel_of(world, url)
        channel.send(consent(0, identifier))
        channel.send(revocation(0, identifier))
        channel.send(consent(1, new_id(), PoD=[pod_name(1), "AT-unknown"]))
    return identifier


def test_consents_are_listed_by_pod_with_their_state(run: Run, given: str) -> None:
    rows = listed(run("consent", "list", "--third-party", PLAYER, "--json"))
    states = {row["pod"]: (row["state"], row["reason"]) for row in rows}
    assert states == {
        pod_name(0): ("Revoked", None), pod_name(1): ("Expired", None), "AT-unknown": ("Rejected", "PodUnknown"),
    }  # fmt: skip
    (row,) = listed(run("consent", "list", "--customer", customer_id(0), "--json"))
    assert (row["id"], row["start"], row["end"]) == (given, "2025-01-01", "2025-02-01")
    assert listed(run("consent", "list", "--pod", pod_name(2), "--json")) == []


def test_a_history_is_a_sentence_an_event_with_the_message_that_proves_it(run: Run, given: str) -> None:
    rows = listed(run("consent", "history", given, "--json"))
    assert [row["what"].split()[0] for row in rows] == ["Customer", "The", "Customer"]
    shown = run("evidence", "show", rows[-1]["evidence_row"])
    assert f">{given}<" in shown.out
    assert "RevokeCustomerConsent" in shown.out


def test_the_history_of_an_unknown_consent_is_refused(run: Run) -> None:
    assert run("consent", "history", new_id()).refusal == "ReferenceUnknown"

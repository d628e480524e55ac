"""A customers' channel from the command line, against a gateway over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flexiciency.store.database import Database
from tests.cli.conftest import DSO, PLAYER, Ran, Run, listed
from tests.gateway import gateway
from tests.world import CHANNEL, customer_id, make_world, pod_name


@pytest.fixture(scope="module")
def url(database: Database, keys: Path) -> Iterator[str]:
    with gateway(make_world(database, keys, pods=3), database) as address:
        yield address


@pytest.fixture
def customer(run: Run, url: str, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands of the channel, with its key."""
    monkeypatch.setenv("FLEXICIENCY_KEY_FILE", str(keys / "channel.key"))
    monkeypatch.setenv("FLEXICIENCY_CERTIFICATE_FILE", str(keys / "channel.pem"))

    def command(name: str, *arguments: object, certificate: str = "dso") -> Ran:
        dso = ("--dso", DSO, "--url", f"{url}/v1/services/b2c", "--dso-certificate", keys / f"{certificate}.pem")
        return run("customer", name, *arguments, "--channel", CHANNEL, "--authenticated-by", "eID", *dso)

    return command


def give(customer: Run, number: int, *pods: str, until: str = "2100-01-01") -> Ran:
    named = [part for pod in pods for part in ("--pod", pod)]
    return customer(
        "consent", customer_id(number), *named, "--third-party", PLAYER, "--from", "2025-01-01", "--until", until,
        "--purpose", "Energy advice", "--json",
    )  # fmt: skip


def test_a_consent_is_given_read_and_revoked(customer: Run) -> None:
    accepted, refused = listed(give(customer, 0, pod_name(0), pod_name(1)))
    assert (accepted["pod"], accepted["state"]) == (pod_name(0), "Acknowledged")
    assert (refused["pod"], refused["state"], refused["reason"]) == (pod_name(1), "Rejected", "PodNotHeld")
    ran = customer("revoke", customer_id(0), accepted["id"], "--pod", pod_name(0))
    assert ran.out == f"{accepted['id']} is revoked for 1 PoD(s).\n"
    states = {row["pod"]: row["state"] for row in listed(customer("consents", customer_id(0), "--json"))}
    assert states == {pod_name(0): "Revoked", pod_name(1): "Rejected"}


def test_a_consent_that_ends_before_it_starts_is_refused_with_the_reason(customer: Run) -> None:
    (row,) = listed(give(customer, 1, pod_name(1), until="2025-01-01"))
    assert (row["state"], row["reason"]) == ("Rejected", "PeriodEmpty")


def test_what_is_not_in_force_cannot_be_revoked(customer: Run) -> None:
    ran = customer("revoke", customer_id(2), "urn:uuid:unknown", "--pod", pod_name(2))
    assert (ran.code, ran.err.partition(":")[0]) == (1, "ReferenceUnknown")


def test_a_reply_of_another_certificate_is_not_believed(customer: Run) -> None:
    assert customer("consents", customer_id(0), certificate="stranger").refusal == "UntrustedReply"

"""A DSO's copy of the directory: read now, how old it is, what it holds, and why it could not be read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flexiciency.store.database import Database
from tests.cli.conftest import Ran
from tests.cli.market import ADVICE, COMPANY, DSO_COMPANY, NETZ, Market, Party, market


@pytest.fixture(scope="module")
def place(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market(database, tmp_path_factory.mktemp("market")) as opened:
        yield opened


@pytest.fixture(scope="module")
def dso(place: Market, empty_url: str) -> Party:
    """A DSO with a database of its own, where only the Market Place's directory says who takes part."""
    netz = place.approved("netz", NETZ, "--role", "RegulatedDataProvider", *DSO_COMPANY)
    place.approved("advice", ADVICE, "--role", "UnregulatedDataRequester", *COMPANY)
    return Party({**netz.settings, "DATABASE_URL": empty_url})


def shown(dso: Party) -> dict[tuple[str, str | None], Any]:
    """What `directory show` says, by kind and status."""
    ran: Ran = dso("directory", "show", "--json")
    assert ran.code == 0, ran.err
    return {(row["kind"], row["status"]): row["value"] for row in json.loads(ran.out)}


def test_a_copy_is_empty_until_it_is_read_and_then_says_its_age(place: Market, dso: Party) -> None:
    assert shown(dso)["read", "never"] is None
    assert dso("directory", "read").out == "The copy of the directory is up to date.\n"
    (age,) = (status for kind, status in shown(dso) if kind == "read")
    assert age is not None
    assert age.startswith("0:00:")
    before = shown(dso)["MPL-REG", "Active"]
    assert before >= 2
    assert place.operator("market-place", "suspend", ADVICE).code == 0
    assert dso("directory", "read").code == 0
    assert shown(dso)["MPL-REG", "Active"] == before - 1
    listed = json.loads(dso("registration", "list", "--json").out)
    assert [row["status"] for row in listed if row["id"] == ADVICE] == ["Suspended"]


def test_a_market_place_that_is_down_leaves_the_copy_and_the_reason(dso: Party) -> None:
    assert dso("directory", "read").code == 0
    before = shown(dso)
    down = Party({**dso.settings, "MARKET_PLACE_URL": "http://127.0.0.1:1/v1/services/market-place"})
    refused = down("directory", "read")
    assert refused.code == 1
    assert "DirectoryNotRead: PartnerUnreachable: " in refused.err
    after = shown(dso)
    (reason,) = (status for kind, status in after if kind == "failed")
    assert reason is not None
    assert reason.startswith("PartnerUnreachable: ")
    assert after["MPL-REG", "Active"] == before["MPL-REG", "Active"]
    assert dso("directory", "read").code == 0
    assert shown(dso)["failed", None] is None

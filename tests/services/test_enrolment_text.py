"""Enrolment over HTTP: names in every script come back as they were, and what is no XML is refused."""

import pytest

from flexiciency.store.database import Database
from flexiciency.wire.identity import Identity
from tests.gateway import added, bytes_of, market_place_of, refusal, rows
from tests.services.enrolling import calling, enrol, enrolment_of, issued
from tests.world import World

pytestmark = pytest.mark.usefixtures("access_point")

EVIDENCE = {"message", "message_chunk"}


@pytest.fixture
def newcomer(world: World) -> Identity:
    return issued(world.authority)


@pytest.mark.parametrize(
    "name",
    ["Ενέργεια Αθηνών", "طاقة دبي", "国家电网", "ДТЕК", "⚡🔌 Co.", "Zo\u0308e & <Sons>", "\u0301", "a\u200b\u202eb"],
)
def test_a_name_in_any_script_comes_back_as_it_was(world: World, url: str, newcomer: Identity, name: str) -> None:
    wanted = enrolment_of(newcomer, name=name)
    enrol(world, url, newcomer, wanted)
    with calling(world, url, newcomer, wanted.registration.id) as caller:
        assert caller.read_registration(wanted.registration.id).company == wanted.company


@pytest.mark.parametrize("text", ["\0", "\x01", "\x0b", "\x1f", "\ufffe", "&#0;", "&#1;", "&#xFFFE;"])
def test_a_control_character_is_no_xml(world: World, url: str, database: Database, text: str) -> None:
    sender, before = market_place_of(world, url), rows(database)
    data = bytes_of(sender.seal_content(b"<a>in a name</a>", "EnrolMarketPlayer"))
    heard = sender.post_bytes(data.replace(b"in a name", text.encode()))
    assert refusal(heard, world.anchors).code == "NotXml"
    assert set(added(before, database)) <= EVIDENCE

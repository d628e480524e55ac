"""The Market Player interface of a DSO's gateway: the Market Place says that there is news, and nobody else does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from flexiciency.contract.catalogue import MARKET_PLAYER, operations
from flexiciency.services.market_player import handlers
from flexiciency.services.replies import PLAYER as TYPES
from flexiciency.soap.outgoing import Outgoing
from flexiciency.store.database import Database
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN
from tests.client.market import sample
from tests.gateway import Sender, added, gateway, rows, speaking_as
from tests.messages import new_id
from tests.services.enrolling import issued
from tests.world import DSO, World

MPLO = "{urn:flexiciency:market-player-operations:1}"
CHANGE = b"<mplo:DirectoryChange>%s</mplo:DirectoryChange><mplo:NextCursor>17</mplo:NextCursor>"


@pytest.fixture(scope="module")
def place(world: World, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """The Market Place elsewhere, as it pushes to the DSO of the world."""
    identity = issued(world.authority, "Market Place")
    file: Path = tmp_path_factory.mktemp("place") / "place.pem"
    file.write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    elsewhere = {
        "hosts_market_place": False,
        "market_place_url": "http://127.0.0.1:9/v1/services/market-place",
        "market_place_certificate_file": file,
    }
    with gateway(world, database, **elsewhere) as url:
        yield Sender(url, world.anchors, identity, MARKET_PLACE_URN, MARKET_PLAYER)


def pushed(place: Sender, operation: str, content: bytes) -> Outgoing:
    """A push of the Market Place."""
    name = operation.encode()
    wrapper = b'<mplo:%s xmlns:mplo="urn:flexiciency:market-player-operations:1">%s</mplo:%s>'
    return place.seal_content(wrapper % (name, content, name), operation)


def looks(database: Database) -> int:
    """How many looks at the directory wait."""
    sql = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'flexiciency.directory' AND status = 'todo'"
    with database.begin() as connection:
        number: int = connection.execute(text(sql)).scalar_one()
    return number


@pytest.fixture
def idle(database: Database) -> None:
    """No job waits."""
    with database.begin() as connection:
        connection.execute(text("DELETE FROM procrastinate_jobs"))


def test_ping_is_answered(place: Sender) -> None:
    assert place.send(TYPES.Ping()).body.tag == f"{MPLO}PingResponse"


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize(
    ("operation", "content"),
    [
        ("ReceiveB2BServiceSubscription", sample("B2B-SRV-SUB")),
        ("ReceiveDirectoryChanges", CHANGE % sample("MPL-REG")),
    ],
)
def test_a_push_has_the_directory_read_and_is_kept_as_evidence(
    place: Sender, database: Database, operation: str, content: bytes
) -> None:
    before, message = rows(database), pushed(place, operation, content)
    reply = place.post(message)
    assert reply.body.tag == f"{MPLO}{operation}Response"
    assert reply.addressing.relates_to == message.addressing.message_id
    assert added(before, database) == {"procrastinate_jobs": 1, "message": 2, "exchange": 1}
    assert looks(database) == 1


@pytest.mark.usefixtures("idle")
def test_pushes_that_come_together_have_the_directory_read_once(place: Sender, database: Database) -> None:
    first = pushed(place, "ReceiveDirectoryChanges", CHANGE % sample("MPL-REG"))
    for message in (first, pushed(place, "ReceiveB2BServiceSubscription", sample("B2B-SRV-SUB")), first):
        place.post(message)
    assert looks(database) == 1


def test_the_market_place_is_known_by_its_certificate(world: World, place: Sender) -> None:
    impostor = speaking_as(place, identity=issued(world.authority, "Market Place"))
    refused = impostor.refused_message(pushed(impostor, "ReceiveB2BServiceSubscription", sample("B2B-SRV-SUB")))
    assert refused.partner_code == "CertificateNotBound"


@pytest.mark.parametrize("operation", ["ReceiveB2BServiceSubscription", "ReceiveDirectoryChanges"])
def test_nobody_but_the_market_place_says_what_is_in_its_directory(world: World, place: Sender, operation: str) -> None:
    dso = speaking_as(place, identity=world.dso, urn=MARKET_PLAYER_URN + DSO)
    content = {
        "ReceiveB2BServiceSubscription": sample("B2B-SRV-SUB"),
        "ReceiveDirectoryChanges": CHANGE % sample("MPL-REG"),
    }
    refused = dso.refused_message(pushed(dso, operation, content[operation]))
    assert refused.partner_code == "OperationNotAllowed"


@pytest.mark.usefixtures("idle")
def test_what_providers_push_to_requesters_is_refused(world: World, place: Sender, database: Database) -> None:
    dso = speaking_as(place, identity=world.dso, urn=MARKET_PLAYER_URN + DSO)
    content = (
        '<con:CustomerConsentRevocation xmlns:con="urn:flexiciency:consent:1">'
        f"<con:Id>{new_id()}</con:Id><con:CustomerId>C-1</con:CustomerId><con:PoD>AT1</con:PoD>"
        "<con:RevocationDate>2026-01-01T00:00:00Z</con:RevocationDate>"
        f"<con:CustomerConsentDescriptionRef>{new_id()}</con:CustomerConsentDescriptionRef>"
        "</con:CustomerConsentRevocation>"
    ).encode()
    refused = dso.refused_message(pushed(dso, "ReceiveCustomerConsentRevocation", content))
    assert (refused.partner_code, refused.message) == (
        "OperationNotAllowed",
        "This gateway is a provider; it takes only what the Market Place sends.",
    )
    assert looks(database) == 0


def test_every_offered_operation_is_answered_or_refused() -> None:
    assert set(handlers()) == {operation.name for operation in operations(MARKET_PLAYER) if operation.offered}

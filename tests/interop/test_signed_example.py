"""docs/signed-ping.xml, which integrators read, is what the profile accepts."""

from datetime import UTC, datetime
from pathlib import Path

from flexiciency.wire.parse import parse
from flexiciency.wire.token import read_token
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import verify

EXAMPLE = Path(__file__).parents[2] / "docs" / "signed-ping.xml"
TOKEN = ".//{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}BinarySecurityToken"


def test_the_signed_example_verifies() -> None:
    data = EXAMPLE.read_bytes()
    token = parse(data).find(TOKEN)
    assert token is not None
    anchors = TrustAnchors([read_token(token).certificate])
    message = verify(data, anchors=anchors, now=datetime(2026, 11, 23, 12, 1, tzinfo=UTC))
    assert message.addressing.action == "urn:flexiciency:b2b:1:Ping"
    assert message.body.tag == "{urn:flexiciency:b2b-operations:1}Ping"

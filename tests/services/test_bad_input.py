"""Bad input over HTTP: each gets its coded fault, signed when the signature was good, and leaves evidence only."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import Table, text, update

from flexiciency.contract.catalogue import B2B
from flexiciency.services.replies import B2B as TYPES
from flexiciency.store import tables
from flexiciency.store.database import Database
from flexiciency.wire.addressing import MARKET_PLACE_URN, Addressing, new_message_id
from flexiciency.wire.authority import Authority
from flexiciency.wire.sign import sign_message
from tests.attacks.forge import element, find, forged, refer_to, remove, tampered
from tests.gateway import (
    DSO_URN,
    Heard,
    Sender,
    added,
    bytes_of,
    call,
    channel_of,
    gateway,
    player_of,
    refusal,
    rows,
    speaking_as,
)
from tests.messages import activation, consent, new_id
from tests.world import PLAYER, STRANGER, World, make_world, pod_name, status_of

MOST = 60_000
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"), pods=2)


@pytest.fixture(scope="module")
def url(world: World, database: Database) -> Iterator[str]:
    with gateway(world, database, message_bytes=MOST) as address:
        yield address


@dataclass(frozen=True)
class Post:
    """What goes over HTTP: a message, or what it was made into, and its headers."""

    data: bytes
    interface: str = B2B
    encoding: str | None = None
    content_type: str = "text/xml; charset=utf-8"
    chunked: bool = False


@dataclass(frozen=True)
class Bench:
    """What the cases are made from."""

    world: World
    player: Sender
    channel: Sender

    def good(self, **changes: str) -> bytes:
        """A request that would be answered but for the changes."""
        return bytes_of(self.player.seal(request(**changes)))

    def addressed(self, content: bytes, action: str, **changes: str) -> bytes:
        """Signed by the player, with this Action and these changes to the addressing."""
        fields = {"message_id": new_message_id(), "to": DSO_URN, "from_": self.player.urn} | changes
        return sign_message(content, Addressing(action=action, **fields), self.player.identity, datetime.now(UTC))


def request(**changes: str) -> Any:
    return activation(new_id(), [pod_name(0)], **changes)


CONTENT = b'<b2bo:PeekMailbox xmlns:b2bo="urn:flexiciency:b2b-operations:1"></b2bo:PeekMailbox>'
PEEK = "urn:flexiciency:b2b:1:PeekMailbox"


def now(**shift: float) -> datetime:
    return datetime.now(UTC) + timedelta(**shift)


def at(bench: Bench, **shift: float) -> bytes:
    return bytes_of(bench.player.seal(request(), now=now(**shift)))


def long_lived(bench: Bench) -> bytes:
    addressing = Addressing(new_message_id(), PEEK, DSO_URN, bench.player.urn)
    lifetime = timedelta(hours=1)
    return sign_message(CONTENT, addressing, bench.player.identity, now(minutes=-10), lifetime=lifetime)


def of_another_ca(bench: Bench) -> bytes:
    validity = {"valid_from": now(days=-1), "valid_until": now(days=1)}
    identity = Authority.create("Other CA", "ec", **validity).issue("player", "ec", **validity).identity
    return bytes_of(speaking_as(bench.player, identity=identity).seal(request()))


def expired_certificate(bench: Bench) -> bytes:
    """Signed with a certificate of our CA that was valid until yesterday."""
    return bytes_of(speaking_as(bench.player, identity=bench.world.authority.issue(
        "player", "ec", valid_from=now(hours=-20), valid_until=now(hours=-1)).identity).seal(request()))  # fmt: skip


def changed_body(root: etree._Element) -> None:
    find(root, ".//act:PoD").text = pod_name(1)


def unsigned(root: etree._Element) -> None:
    remove(find(root, ".//wsse:Security"))


def wrapped_body(root: etree._Element) -> None:
    """The signed Body in a new header, and another one in its place, with the same id."""
    body = remove(find(root, "soap:Body"))
    root.append(etree.fromstring(etree.tostring(body)))
    changed_body(root)
    find(root, "soap:Header").append(element("<act:Wrapper/>"))
    find(root, "soap:Header")[-1].append(body)


def reply_to(root: etree._Element) -> None:
    address = "<wsa:Address>https://elsewhere.example/</wsa:Address>"
    find(root, "soap:Header").append(element(f'<wsa:ReplyTo wsu:Id="New">{address}</wsa:ReplyTo>'))
    refer_to(root, "New")


def doctype(data: bytes) -> bytes:
    return b'<!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + data[data.index(b"<soap:Envelope") :]


def broken_gzip(data: bytes) -> bytes:
    packed = gzip.compress(data)
    return packed[:20] + bytes(byte ^ 0xFF for byte in packed[20:40]) + packed[40:]


Make = Callable[[Bench], Post]

UNVERIFIED: dict[str, tuple[Make, str]] = {
    "unsigned": (lambda b: Post(tampered(unsigned, b.good())), "Unsigned"),
    "tampered": (lambda b: Post(tampered(changed_body, b.good())), "SignatureInvalid"),
    "wrapped": (lambda b: Post(tampered(wrapped_body, b.good())), "EnvelopeInvalid"),
    "with ReplyTo elsewhere": (lambda b: Post(forged(reply_to, b.good(), b.player.identity)), "ReplyToUnsupported"),
    "of another CA": (lambda b: Post(of_another_ca(b)), "CertificateUntrusted"),
    "with an expired certificate": (lambda b: Post(expired_certificate(b)), "CertificateExpired"),
    "with a DTD": (lambda b: Post(doctype(b.good())), "ForbiddenXml"),
    "no XML": (lambda _: Post(b"hello"), "NotXml"),
    "empty": (lambda _: Post(b""), "NotXml"),
    "cut short": (lambda b: Post(b.good()[:-30]), "NotXml"),
    "another document": (lambda _: Post(b"<html/>"), "EnvelopeInvalid"),
    "too deep": (lambda _: Post(b"<a>" * 100 + b"</a>" * 100), "TooDeep"),
    "broken gzip": (lambda b: Post(broken_gzip(b.good()), encoding="gzip"), "CompressionInvalid"),
    "gzip cut short": (lambda b: Post(gzip.compress(b.good())[:-12], encoding="gzip"), "CompressionInvalid"),
    "gzip that is none": (lambda b: Post(b.good(), encoding="gzip"), "CompressionInvalid"),
    "two gzip members": (lambda b: Post(gzip.compress(b.good()) * 2, encoding="gzip"), "CompressionInvalid"),
    "gzip bomb": (lambda _: Post(gzip.compress(bytes(30_000_000)), encoding="gzip"), "MessageTooLarge"),
    "another encoding": (lambda b: Post(zlib.compress(b.good()), encoding="deflate"), "CompressionInvalid"),
    "another content type": (lambda b: Post(b.good(), content_type="application/soap+xml"), "NotSoap"),
    "without content type": (lambda b: Post(b.good(), content_type=""), "NotSoap"),
    "oversized": (lambda _: Post(b" " * 3_000_000), "MessageTooLarge"),
    "oversized in chunks": (lambda _: Post(b" " * 3_000_000, chunked=True), "MessageTooLarge"),
    "one byte too many": (lambda _: Post(b" " * (MOST + 1)), "MessageTooLarge"),
}

UNREAD = {"MessageTooLarge", "CompressionInvalid", "NotSoap"}
"""Of these, the bytes were not taken as a message, so their digest is that of nothing."""


def other_key(bench: Bench) -> Sender:
    return speaking_as(bench.player, identity=bench.world.stranger)


VERIFIED: dict[str, tuple[Make, str]] = {
    "expired": (lambda b: Post(at(b, minutes=-10)), "MessageExpired"),
    "stale": (lambda b: Post(long_lived(b)), "MessageExpired"),
    "from the future": (lambda b: Post(at(b, minutes=10)), "MessageFromFuture"),
    "for another": (lambda b: Post(bytes_of(b.player.seal(request(), to=b.player.urn))), "NotForMe"),
    "for the Market Place": (lambda b: Post(bytes_of(b.player.seal(request(), to=MARKET_PLACE_URN))), "NotForMe"),
    "of another company": (lambda b: Post(bytes_of(other_key(b).seal(request()))), "CertificateNotBound"),
    "for another requester": (lambda b: Post(b.good(Requester=STRANGER)), "RequesterMismatch"),
    "of nobody": (lambda b: Post(b.addressed(CONTENT, PEEK, from_=b.player.urn + "0")), "SenderUnknown"),
    "of a channel at B2B": (lambda b: Post(b.addressed(CONTENT, PEEK, from_=b.channel.urn)), "SenderUnknown"),
    "with an unknown Action": (lambda b: Post(b.addressed(CONTENT, "urn:flexiciency:b2b:1:Nothing")), "ActionUnknown"),
    "with the Action of a reply": (lambda b: Post(b.addressed(CONTENT, PEEK + "Response")), "ActionUnknown"),
    "with another Action than its Body": (
        lambda b: Post(b.addressed(CONTENT, "urn:flexiciency:b2b:1:ConfirmMailbox")), "ActionUnknown"),
    "with an Action of another interface": (
        lambda b: Post(bytes_of(b.channel.seal(consent(0, new_id())))), "ActionUnknown"),
    "of a player at B2C": (
        lambda b: Post(bytes_of(speaking_as(b.channel, urn=b.player.urn, identity=b.player.identity).seal(
            consent(0, new_id()))), "b2c"), "SenderUnknown"),
    "of a channel with a player's key": (
        lambda b: Post(bytes_of(speaking_as(b.channel, identity=b.player.identity).seal(consent(0, new_id()))), "b2c"),
        "CertificateNotBound"),
    "of an unknown channel": (
        lambda b: Post(bytes_of(speaking_as(b.channel, urn=b.channel.urn + "2").seal(consent(0, new_id()))), "b2c"),
        "SenderUnknown"),
    "schema-invalid": (
        lambda b: Post(b.addressed(
            b'<b2bo:ConfirmMailbox xmlns:b2bo="urn:flexiciency:b2b-operations:1">\n<b2bo:MessageId>a b</b2bo:MessageId>'
            b"</b2bo:ConfirmMailbox>", "urn:flexiciency:b2b:1:ConfirmMailbox")), "SchemaInvalid"),
}  # fmt: skip


@pytest.fixture(scope="module")
def bench(world: World, url: str) -> Bench:
    return Bench(world, player_of(world, url), channel_of(world, url))


def send(bench: Bench, post: Post) -> Heard:
    headers = {"Content-Type": post.content_type} if post.content_type else {}
    if post.encoding:
        headers["Content-Encoding"] = post.encoding
    data: bytes | Iterable[bytes] = iter([post.data[:1000], post.data[1000:]]) if post.chunked else post.data
    return call(f"{bench.player.url}/v1/services/{post.interface}", data, headers)


@pytest.mark.parametrize(("make", "code"), UNVERIFIED.values(), ids=UNVERIFIED)
def test_a_message_of_nobody_gets_an_unsigned_fault_and_leaves_digest_size_peer_and_code(
    bench: Bench, database: Database, make: Make, code: str
) -> None:
    post, before = make(bench), rows(database)
    refused = refusal(send(bench, post), bench.world.anchors)
    assert (refused.code, refused.signed) == (code, False)
    assert added(before, database) == {"message": 1}
    kept = last(database, 1)[0]
    read = b"" if code in UNREAD else post.data
    assert (kept.sha256, kept.size) == (hashlib.sha256(read).digest(), len(read))
    assert (kept.peer, kept.code, kept.verified, kept.content, kept.chunks) == ("127.0.0.1", code, False, None, 0)


@pytest.mark.parametrize(("make", "code"), VERIFIED.values(), ids=VERIFIED)
def test_a_message_whose_signature_is_good_gets_a_signed_fault_and_is_kept_verbatim(
    bench: Bench, database: Database, make: Make, code: str
) -> None:
    post, before = make(bench), rows(database)
    heard = send(bench, post)
    refused = refusal(heard, bench.world.anchors, post.data)
    assert (refused.code, refused.signed) == (code, True)
    assert added(before, database) == {"message": 2}
    kept, reply = last(database, 2)
    assert (kept.direction, kept.verified, kept.code) == ("in", True, code)
    assert (reply.direction, reply.code, reply.request_row) == ("out", code, kept.id)
    assert (zlib.decompress(kept.content), zlib.decompress(reply.content)) == (post.data, heard.data)


def test_a_schema_error_names_the_element_and_its_line(bench: Bench) -> None:
    make, _ = VERIFIED["schema-invalid"]
    post = make(bench)
    error = refusal(send(bench, post), bench.world.anchors, post.data).error
    assert (error.path, error.line) == ("ConfirmMailbox/MessageId", 2)
    assert "a b" in error.message


@pytest.mark.parametrize("status", ["Pending", "Suspended", "Withdrawn"])
def test_a_registration_that_is_not_active_may_not_call(bench: Bench, database: Database, status: str) -> None:
    with status_of(database, PLAYER, status):
        assert bench.player.refused(TYPES.Ping()).partner_code == "SenderInactive"
    assert bench.player.send(TYPES.Ping())


def test_a_withdrawn_certificate_speaks_for_nobody(bench: Bench, database: Database) -> None:
    with withdrawn(database, tables.market_player_authentication):
        assert bench.player.refused(TYPES.Ping()).partner_code == "CertificateNotBound"


def test_a_withdrawn_channel_speaks_for_nobody(bench: Bench, database: Database) -> None:
    with withdrawn(database, tables.customer_channel):
        assert bench.channel.refused(consent(0, new_id())).partner_code == "SenderUnknown"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_a_wrong_method_is_405(bench: Bench, database: Database, method: str) -> None:
    before = rows(database)
    heard = call(f"{bench.player.url}/v1/services/b2b", bench.good(), {"Content-Type": "text/xml"}, method)
    assert (heard.status, heard.content_type) == (405, "text/plain; charset=utf-8")
    assert b"POST a message" in heard.data
    assert added(before, database) == {}


def test_a_message_of_the_greatest_size_is_read(bench: Bench) -> None:
    data = bench.good()
    padded = data.replace(b"</soap:Envelope>", b" " * (MOST - len(data)) + b"</soap:Envelope>")
    assert len(padded) == MOST
    assert bench.player.post_bytes(padded).status == 200
    packed = gzip.compress(data.replace(b"</soap:Envelope>", b" " * 1000 + b"</soap:Envelope>"))
    assert bench.player.post_bytes(packed, Content_Encoding="gzip").status == 200
    assert bench.player.post_bytes(iter([data[:700], data[700:]])).status == 200


def test_an_operation_is_refused_to_a_role_that_may_not_call_it(bench: Bench) -> None:
    dso = speaking_as(bench.player, identity=bench.world.dso, urn=DSO_URN)
    assert dso.refused(request()).partner_code == "OperationNotAllowed"
    assert dso.send(TYPES.Ping())


@contextmanager
def withdrawn(database: Database, table: Table) -> Iterator[None]:
    """Every row of the table withdrawn for a while."""
    for at in (now(), None):
        with database.begin() as connection:
            connection.execute(update(table).values(withdrawn_at=at))
        if at is not None:
            yield


def last(database: Database, number: int) -> list[Any]:
    """The latest rows of evidence, oldest first."""
    with database.begin() as connection:
        found = connection.execute(text("SELECT * FROM message ORDER BY id DESC LIMIT :n"), {"n": number}).all()
    return list(reversed(found))

import gzip
import io
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from flexiciency.contract.codec import PUSH
from flexiciency.contract.codec_write import write_values
from flexiciency.errors import (
    AddressingInvalid,
    ConfirmationMissing,
    GatewayError,
    PartnerFault,
    PartnerUnreachable,
    SchemaInvalid,
    SignatureInvalid,
    Unavailable,
    UntrustedFault,
    UntrustedReply,
)
from flexiciency.soap.faults import fault_content, unsigned_fault
from flexiciency.soap.outgoing import Outgoing
from flexiciency.soap.posting import Partner, Poster, Terms
from flexiciency.soap.wsgi import Environ, StartResponse
from flexiciency.wire.addressing import MARKET_PLAYER_URN, Addressing, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import Limits
from flexiciency.wire.sign import Confirmation, sign_message
from flexiciency.wire.verify import Verified, verify
from tests.client.peers import DSO_ID, PLAYER_ID, answering, clock, curves, header, player, push, served, values
from tests.wire.parties import NOW, anchors, identity

XML = ("Content-Type", "text/xml; charset=utf-8")
OPERATION = "ReceiveIndividualDataValue"
RECEIPT = (
    b'<mplo:ReceiveIndividualDataValueResponse xmlns:mplo="urn:flexiciency:market-player-operations:1">'
    b'<env:Receipt xmlns:env="urn:flexiciency:envelope:1"><env:MessageId>urn:uuid:1</env:MessageId>'
    b"<env:StoredAt>2026-11-23T12:00:00Z</env:StoredAt></env:Receipt></mplo:ReceiveIndividualDataValueResponse>"
)
PATIENCE = Terms(silence=5)
FAULT = "urn:flexiciency:envelope:1:Fault"


class Player:
    """A Market Player that answers by the book, unless it is told how not to; it keeps what it was sent."""

    def __init__(
        self,
        content: bytes = RECEIPT,
        *,
        confirms: Callable[[Verified], Confirmation | None] = lambda request: Confirmation(request.signature_value),
        signer: Identity | None = None,
        **changes: str,
    ) -> None:
        self._content = content
        self._confirms = confirms
        self._signer = signer or player()
        self._changes = changes
        self.requests: list[Verified] = []
        self.headers: dict[str, Any] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = verify(environ["wsgi.input"].read(), anchors=anchors(), now=NOW)
        self.requests.append(request)
        self.headers = {key: value for key, value in environ.items() if isinstance(value, str)}
        addressing = {
            "message_id": new_message_id(),
            "action": f"{request.addressing.action}Response",
            "to": request.addressing.from_,
            "from_": request.addressing.to,
            "relates_to": request.addressing.message_id,
        }
        answer = sign_message(
            self._content,
            Addressing(**addressing | self._changes),  # type: ignore[arg-type]
            self._signer,
            NOW,
            confirms=self._confirms(request),
        )
        start_response("200 OK", [XML, ("Content-Length", str(len(answer)))])
        return [answer]


def message() -> Outgoing:
    return push(values(PUSH), OPERATION)


def post(
    application: Any,
    sent: Outgoing | None = None,
    *,
    fingerprints: frozenset[str] | None = None,
    terms: Terms = PATIENCE,
) -> Verified:
    with served(application) as url:
        poster = Poster(terms, clock)
        try:
            return poster.post(Partner(url, MARKET_PLAYER_URN + PLAYER_ID, anchors(), fingerprints), sent or message())
        finally:
            poster.close()


def untrusted(application: Any, **options: Any) -> BaseException | None:
    """Why the reply was not trusted."""
    with pytest.raises(UntrustedReply) as caught:
        post(application, **options)
    return caught.value.__cause__


def test_a_verified_reply_comes_back() -> None:
    there, sent = Player(), message()
    reply = post(there, sent)
    assert reply.body.findtext(".//{*}MessageId") == "urn:uuid:1"
    assert there.requests[0].canonical_body in b"".join(sent.chunks())
    assert there.headers["HTTP_SOAPACTION"] == f'"{sent.addressing.action}"'
    assert there.headers["CONTENT_LENGTH"] == str(sent.size)


def test_a_spooled_message_is_sent_whole_and_can_be_sent_again() -> None:
    sent = push(write_values(header(), curves(200), PUSH), OPERATION)
    assert not isinstance(sent.body.stored, bytes)
    for _ in range(2):
        there = Player()
        post(there, sent)
        assert there.requests[0].canonical_body == b"".join(sent.body.chunks())
    sent.close()


@pytest.mark.parametrize(
    ("player_", "cause"),
    [
        (Player(relates_to=new_message_id()), AddressingInvalid),
        (Player(confirms=lambda _: None), ConfirmationMissing),
        (Player(confirms=lambda _: Confirmation(b"another")), ConfirmationMissing),
        (Player(from_=MARKET_PLAYER_URN + DSO_ID), None),
        (Player(to=MARKET_PLAYER_URN + "urn:uuid:another"), None),
        (Player(action=FAULT), None),
        (Player(action="urn:flexiciency:market-player:1:PingResponse"), None),
        (Player(RECEIPT.replace(b"12:00:00Z", b"12:00:00")), SchemaInvalid),
        (Player(RECEIPT.replace(b"ReceiveIndividualDataValue", b"ReceiveServiceActivationAgreement")), None),
    ],
    ids=["other request", "unconfirmed", "other signature", "other sender", "other recipient", "no fault",
         "other action", "schema", "other operation"],
)  # fmt: skip
def test_a_reply_that_does_not_fit_is_refused(player_: Player, cause: type[GatewayError] | None) -> None:
    found = untrusted(player_)
    assert (type(found) if found else None) is cause


def test_a_reply_with_a_certificate_that_is_not_the_partners_is_refused() -> None:
    pinned = frozenset({player().fingerprint})
    assert post(Player(), fingerprints=pinned).fingerprint in pinned
    assert untrusted(Player(signer=identity(name="Another of this CA")), fingerprints=pinned) is None


def test_a_tampered_reply_is_refused() -> None:
    signed: list[bytes] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        signed[:] = [b"".join(Player()(environ, lambda *_: None)).replace(b"urn:uuid:1<", b"urn:uuid:2<")]
        start_response("200 OK", [XML])
        return signed

    assert isinstance(untrusted(application), SignatureInvalid)


def test_a_signed_fault_is_the_partners_word() -> None:
    there = Player(fault_content(Unavailable("Try later.", path="A/B")), action=FAULT)
    with pytest.raises(PartnerFault, match="Try later") as caught:
        post(there)
    assert (caught.value.partner_code, caught.value.path) == ("Unavailable", "A/B")
    assert caught.value.partner_says_retriable is True


def test_an_unsigned_fault_is_only_a_hint() -> None:
    fault = unsigned_fault(Unavailable("Try later."))
    with pytest.raises(UntrustedFault, match=r"unsigned fault.*Unavailable: Try later") as caught:
        post(answering("500 Internal Server Error", fault, XML))
    assert caught.value.retriable is False


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        ("302 Found", [("Location", "http://localhost/elsewhere"), XML], "302"),
        ("404 Not Found", [("Content-Type", "text/html")], "404"),
        ("200 OK", [("Content-Type", "text/html")], "text/html"),
        ("200 OK", [XML, ("Content-Encoding", "br")], "no SOAP"),
    ],
)
def test_what_is_no_soap_is_no_answer(status: str, headers: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(PartnerUnreachable, match=said):
        post(answering(status, gzip.compress(b"<a/>"), *headers))


GZIP = ("Content-Encoding", "gzip")


@pytest.mark.parametrize(
    "answer",
    [gzip.compress(b"<a/>")[:-9], gzip.compress(b"<a/>")[:4], b"", b"<a/>", gzip.compress(b"<a/>") + b"more",
     gzip.compress(b"<a/>") * 2],
    ids=["cut short", "header only", "empty", "not gzip", "something behind", "two members"],
)  # fmt: skip
def test_broken_gzip_is_no_answer_and_may_be_tried_again(answer: bytes) -> None:
    with pytest.raises(PartnerUnreachable, match="gzip that cannot be read") as caught:
        post(answering("200 OK", answer, XML, GZIP))
    assert caught.value.retriable is True


def test_a_gzip_bomb_is_not_unpacked_beyond_the_cap() -> None:
    bomb = gzip.compress(bytes(200_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(UntrustedReply, match="at most 1,000,000 are taken"):
            post(answering("200 OK", bomb, XML, GZIP), terms=Terms(silence=5, limits=Limits(message_bytes=1_000_000)))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


class Gzipping(Player):
    """Says that it takes gzip, or refuses it with `refusal` though it said so; answers in gzip."""

    def __init__(self, refusal: str | None = None) -> None:
        super().__init__()
        self.encodings: list[str] = []
        self._refusal = refusal

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        encoding, data = environ.get("HTTP_CONTENT_ENCODING", "identity"), environ["wsgi.input"].read()
        self.encodings.append(encoding)
        if encoding == "gzip" and self._refusal:
            start_response(self._refusal, [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return []
        plain = gzip.decompress(data) if encoding == "gzip" else data
        assert len(data) == int(environ["CONTENT_LENGTH"])
        (answer,) = super().__call__(
            {**environ, "wsgi.input": io.BytesIO(plain)}, lambda *_: None
        )  # fmt: skip
        packed = gzip.compress(answer)
        start_response("200 OK", [XML, GZIP, ("Accept-Encoding", "gzip"), ("Content-Length", str(len(packed)))])
        return [packed]


@pytest.mark.parametrize(
    ("refusal", "encodings"),
    [
        (None, ["identity", "gzip", "gzip"]),
        ("415 Unsupported Media Type", ["identity", "gzip", "identity", "identity"]),
        ("400 Bad Request", ["identity", "gzip", "identity", "identity"]),
    ],
)
def test_large_messages_go_in_gzip_to_who_said_that_it_takes_it_and_as_they_are_once_it_refused(
    refusal: str | None, encodings: list[str]
) -> None:
    there, sent = Gzipping(refusal), push(write_values(header(), curves(200), PUSH), OPERATION)
    with served(there) as url:
        poster = Poster(PATIENCE, clock)
        partner = Partner(url, MARKET_PLAYER_URN + PLAYER_ID, anchors())
        poster.post(partner, sent)
        poster.post(partner, sent)
        poster.post(partner, sent)
        poster.close()
    sent.close()
    assert there.encodings == encodings
    assert len({request.canonical_body for request in there.requests}) == 1


def test_a_small_message_is_sent_as_it_is() -> None:
    there = Gzipping()
    with served(there) as url:
        poster = Poster(PATIENCE, clock)
        for _ in range(2):
            poster.post(Partner(url, MARKET_PLAYER_URN + PLAYER_ID, anchors()), message())
        poster.close()
    assert there.encodings == ["identity", "identity"]


def test_nobody_there_is_unreachable_and_shows_no_library() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    poster = Poster(clock=clock)
    with pytest.raises(PartnerUnreachable, match="refused") as caught:
        poster.post(Partner(f"http://127.0.0.1:{port}", MARKET_PLAYER_URN + PLAYER_ID, anchors()), message())
    assert caught.value.retriable is True
    assert caught.value.__cause__ is None


def test_a_reply_that_is_too_large_is_not_read_to_its_end() -> None:
    terms = Terms(limits=Limits(message_bytes=10_000))
    assert untrusted(answering("200 OK", b"x" * 20_000, XML), terms=terms) is None


@pytest.mark.parametrize("headers", [[XML], [XML, ("Content-Length", "100000")]], ids=["chunked", "sized"])
def test_a_reply_that_drips_is_given_up(headers: list[tuple[str, str]]) -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", headers)
        for _ in range(100):
            time.sleep(0.02)
            yield b"x" * 1_000

    with served(application) as url:
        poster = Poster(Terms(total=0.3), clock)
        start = time.monotonic()
        with pytest.raises(PartnerUnreachable, match="did not finish"):
            poster.post(Partner(url, MARKET_PLAYER_URN + PLAYER_ID, anchors()), message())
        assert time.monotonic() - start < 1.5
        poster.close()


@pytest.mark.parametrize("url", ["http://dso.example/", "http://127.0.0.1.example/", "ftp://127.0.0.1/", "https:///x"])
def test_messages_leave_the_machine_over_https_only(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Poster(clock=clock).post(Partner(url, MARKET_PLAYER_URN + PLAYER_ID, anchors()), message())

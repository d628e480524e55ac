import re
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexiciency.client import (
    AggregatedSelection,
    AggregatesMessage,
    ConsentRevocation,
    Counts,
    DirectoryChanges,
    Handlers,
    Listener,
    ListenerSettings,
    Received,
    Selection,
    Sender,
    TechnicalValidation,
    UnregulatedConfirmation,
    ValuesMessage,
    new_message_id,
)
from flexiciency.contract.catalogue import object_of
from flexiciency.contract.codec import AGGREGATES_PUSH, PUSH
from flexiciency.errors import (
    CertificateNotBound,
    MessageIdReused,
    MessageTooLarge,
    NotForMe,
    OperationNotAllowed,
    PartnerFault,
    SchemaInvalid,
    SenderUnknown,
    Unavailable,
    UntrustedFault,
    ValuesInvalid,
)
from flexiciency.soap.outgoing import Outgoing
from flexiciency.soap.posting import Partner, Poster
from flexiciency.soap.spyne_xml import BodyXml
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import Limits
from flexiciency.wire.verify import Verified
from tests.client.market import known, market_place_identity, sample
from tests.client.peers import CONSENT_ID, DSO_ID, PLAYER_ID, aggregates, clock, curves, dso, player, push, values
from tests.wire.parties import NOW, anchors, identity

OPERATION = "ReceiveIndividualDataValue"
REVOCATION = (
    '<mplo:ReceiveCustomerConsentRevocation xmlns:mplo="urn:flexiciency:market-player-operations:1">'
    '<con:CustomerConsentRevocation xmlns:con="urn:flexiciency:consent:1"><con:Id>urn:uuid:1</con:Id>'
    "<con:CustomerId>C-1</con:CustomerId><con:PoD>POD0001</con:PoD>"
    "<con:RevocationDate>2026-11-23T12:00:00Z</con:RevocationDate>"
    f"<con:CustomerConsentDescriptionRef>{CONSENT_ID}</con:CustomerConsentDescriptionRef>"
    "</con:CustomerConsentRevocation></mplo:ReceiveCustomerConsentRevocation>"
).encode()


DIRECTORY = ("MPL-REG", "MPL-DES", "MPL-ADD", "MPL-AUT", "MKP-SRV-DES", "B2B-SRV-SUB")


def from_place(operation: str, content: bytes, signer: Identity | None = None) -> Outgoing:
    """A push of the Market Place."""
    wrapper = b'<mplo:%s xmlns:mplo="urn:flexiciency:market-player-operations:1">%s</mplo:%s>'
    name = operation.encode()
    return push(wrapper % (name, content, name), operation, signer or market_place_identity(), from_=MARKET_PLACE_URN)


def changes(*objects: bytes) -> Outgoing:
    """A push of changes of the directory."""
    changed = b"".join(b"<mplo:DirectoryChange>%s</mplo:DirectoryChange>" % one for one in objects)
    return from_place("ReceiveDirectoryChanges", changed + b"<mplo:NextCursor>17</mplo:NextCursor>")


def match() -> Outgoing:
    """A push of a B2B service subscription."""
    return from_place("ReceiveB2BServiceSubscription", sample("B2B-SRV-SUB"))


class Program:
    """What stands behind a listener: it takes everything, or fails as long as it is told to."""

    def __init__(self) -> None:
        self.taken: list[Received[Any]] = []
        self.failing = False

    def take(self, received: Received[Any]) -> None:
        if self.failing:
            raise RuntimeError("disk full")
        self.taken.append(received)


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def listener(tmp_path: Path, program: Program) -> Iterator[Listener]:
    handlers = Handlers(values_arrived=program.take, consent_revoked=program.take)
    with listening(tmp_path / "inbox.sqlite", handlers) as one:
        yield one


@contextmanager
def listening(
    path: Path, handlers: Handlers, sender: str | Sender = "RegulatedDataProvider", name: str = DSO_ID
) -> Iterator[Listener]:
    settings = ListenerSettings(clock=clock, limits=Limits(message_bytes=3_000_000))
    listener = Listener(player(), PLAYER_ID, anchors(), path, handlers, {name: sender}, settings=settings)
    try:
        yield listener
    finally:
        listener.stop()


def send(listener: Listener, message: Outgoing) -> Verified:
    """Push over HTTP, to a listener that is started if it is not yet."""
    url = getattr(listener, "url", None) or listener.start()
    listener.url = url  # type: ignore[attr-defined]
    poster = Poster(clock=clock)
    try:
        return poster.post(Partner(url, MARKET_PLAYER_URN + PLAYER_ID, anchors()), message)
    finally:
        poster.close()


def code_of(listener: Listener, message: Outgoing) -> str:
    with pytest.raises(PartnerFault) as caught:
        send(listener, message)
    return caught.value.partner_code


def test_aggregates_reach_the_program_as_arrays(tmp_path: Path, program: Program) -> None:
    with listening(tmp_path / "aggregates.sqlite", Handlers(aggregates_arrived=program.take)) as listener:
        send(listener, push(aggregates(AGGREGATES_PUSH), "ReceiveAggregatedDataValue"))
    (received,) = program.taken
    assert isinstance(received.content, AggregatesMessage)
    (one,) = received.content.aggregates
    assert (one.id, one.pods, int(one.series.values[-1])) == ("portfolio:1", 7, 2**40 + 95)


def test_values_reach_the_program_as_arrays_before_the_receipt(listener: Listener, program: Program) -> None:
    message = push(values(PUSH), OPERATION)
    reply = send(listener, message)
    (received,) = program.taken
    assert (received.message_id, received.sender) == (message.addressing.message_id, DSO_ID)
    assert isinstance(received.content, ValuesMessage)
    expected = curves(2)
    assert all(np.array_equal(a.values, b.values) for a, b in zip(received.content.series, expected, strict=True))
    assert reply.body.findtext(".//{*}MessageId") == message.addressing.message_id
    assert reply.body.findtext(".//{*}StoredAt") == "2026-11-23T12:00:00Z"
    assert listener.statistics == Counts(signed=1, verified=1, refused=0, faults=0)


def test_an_object_reaches_the_program_as_its_class(listener: Listener, program: Program) -> None:
    send(listener, push(REVOCATION, "ReceiveCustomerConsentRevocation"))
    expected = ConsentRevocation(
        id="urn:uuid:1", consent_id=CONSENT_ID, customer_id="C-1", pods=("POD0001",), revoked_at=NOW
    )
    assert [received.content for received in program.taken] == [expected]


def test_a_late_technical_validation_reaches_the_program(tmp_path: Path, program: Program) -> None:
    content = b'<mplo:ReceiveTechnicalValidationResponse xmlns:mplo="urn:flexiciency:market-player-operations:1">'
    content += sample("TECH-FLEX-RESP", "valid-curtailed") + b"</mplo:ReceiveTechnicalValidationResponse>"
    with listening(tmp_path / "inbox.sqlite", Handlers(validation_answered=program.take)) as one:
        send(one, push(content, "ReceiveTechnicalValidationResponse"))
    (taken,) = program.taken
    assert isinstance(taken.content, TechnicalValidation)
    assert (taken.content.factor, taken.content.tso_factor) == (Decimal("0.625"), Decimal("0.875001"))


@pytest.mark.parametrize(
    ("bo_id", "name", "kind"),
    [
        ("USP-CNF", "valid-partial-with-limits", UnregulatedConfirmation),
        ("IND-DAT-SEL", "valid-minimal", Selection),
        ("AGG-DAT-SEL", "valid-city", AggregatedSelection),
    ],
)
def test_late_answers_and_narrowed_selections_reach_the_program(
    tmp_path: Path, program: Program, bo_id: str, name: str, kind: type
) -> None:
    operation = f"Receive{object_of(bo_id).name}".encode()
    content = b'<mplo:%s xmlns:mplo="urn:flexiciency:market-player-operations:1">%s</mplo:%s>'
    handlers = Handlers(unregulated_activation_confirmed=program.take, selection_narrowed=program.take)
    with listening(tmp_path / "inbox.sqlite", handlers) as one:
        send(one, push(content % (operation, sample(bo_id, name), operation), operation.decode()))
    (taken,) = program.taken
    assert type(taken.content) is kind


def test_a_repeated_push_gets_the_stored_reply_and_is_handled_once(listener: Listener, program: Program) -> None:
    message = push(values(PUSH), OPERATION)
    first, again = send(listener, message), send(listener, message)
    assert again.canonical_body == first.canonical_body
    assert again.addressing.message_id != first.addressing.message_id
    assert len(program.taken) == 1


def test_another_body_under_a_known_message_id_is_refused(listener: Listener, program: Program) -> None:
    message_id = new_message_id()
    send(listener, push(values(PUSH), OPERATION, message_id=message_id))
    other = push(values(PUSH, pods=1), OPERATION, message_id=message_id)
    assert code_of(listener, other) == MessageIdReused.__name__
    assert len(program.taken) == 1


def test_what_a_handler_fails_to_take_is_kept_and_taken_at_the_next_try(listener: Listener, program: Program) -> None:
    message = push(values(PUSH), OPERATION)
    program.failing = True
    with pytest.raises(PartnerFault, match="could not take") as caught:
        send(listener, message)
    assert (caught.value.partner_code, caught.value.partner_says_retriable) == (Unavailable.__name__, True)
    (kept,) = listener.undelivered()
    assert (kept.message_id, kept.action) == (message.addressing.message_id, message.addressing.action)
    program.failing = False
    send(listener, message)
    assert [received.message_id for received in program.taken] == [message.addressing.message_id]
    assert listener.undelivered() == []


def test_what_nothing_takes_is_kept_as_undelivered(tmp_path: Path) -> None:
    with listening(tmp_path / "inbox.sqlite", Handlers()) as listener:
        assert code_of(listener, push(values(PUSH), OPERATION)) == Unavailable.__name__
        assert len(listener.undelivered()) == 1


def test_the_inbox_outlives_the_listener(tmp_path: Path, program: Program) -> None:
    path, message = tmp_path / "inbox.sqlite", push(values(PUSH), OPERATION)
    replies = []
    for _ in range(2):
        with listening(path, Handlers(values_arrived=program.take)) as listener:
            replies.append(send(listener, message).canonical_body)
    assert replies[0] == replies[1]
    assert len(program.taken) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_tries_at_once_are_handled_once(tmp_path: Path) -> None:
    taken: list[str] = []

    def slowly(received: Received[ValuesMessage]) -> None:
        time.sleep(0.3)
        taken.append(received.message_id)

    message = push(values(PUSH), OPERATION)
    with listening(tmp_path / "inbox.sqlite", Handlers(values_arrived=slowly)) as listener:
        url = listener.start()
        poster, bodies = Poster(clock=clock), []
        partner = Partner(url, MARKET_PLAYER_URN + PLAYER_ID, anchors())
        tries = [
            threading.Thread(target=lambda: bodies.append(poster.post(partner, message).canonical_body))
            for _ in range(3)
        ]
        for one in tries:
            one.start()
        for one in tries:
            one.join()
        poster.close()
    assert len(set(bodies)) == 1
    assert len(bodies) == 3
    assert taken == [message.addressing.message_id]


def test_only_admitted_senders_may_push(listener: Listener, program: Program) -> None:
    stranger = push(values(PUSH), OPERATION, identity(name="Stranger"), from_=f"{MARKET_PLAYER_URN}urn:uuid:stranger")
    assert code_of(listener, stranger) == SenderUnknown.__name__
    assert program.taken == []


def test_a_sender_may_be_pinned_to_its_certificates(tmp_path: Path, program: Program) -> None:
    pinned = Sender("RegulatedDataProvider", frozenset({dso().fingerprint}))
    with listening(tmp_path / "inbox.sqlite", Handlers(values_arrived=program.take), pinned) as listener:
        forged = push(values(PUSH), OPERATION, identity(name="Another of this CA"))
        assert code_of(listener, forged) == CertificateNotBound.__name__
        send(listener, push(values(PUSH), OPERATION))
    assert len(program.taken) == 1


def test_a_role_may_push_only_what_is_its_own(tmp_path: Path, program: Program) -> None:
    handlers = Handlers(consent_revoked=program.take)
    with listening(tmp_path / "inbox.sqlite", handlers, "UnregulatedDataProvider") as listener:
        revocation = push(REVOCATION, "ReceiveCustomerConsentRevocation")
        assert code_of(listener, revocation) == OperationNotAllowed.__name__


def test_what_is_for_another_is_refused(listener: Listener) -> None:
    message = push(values(PUSH), OPERATION, to=f"{MARKET_PLAYER_URN}urn:uuid:another")
    with pytest.raises(PartnerFault) as caught:
        send(listener, message)
    assert caught.value.partner_code == NotForMe.__name__


@pytest.fixture
def of_place(tmp_path: Path, program: Program) -> Iterator[Listener]:
    """A listener that admits the Market Place."""
    handlers = Handlers(consent_revoked=program.take, subscription_matched=program.take, directory_changed=program.take)
    with listening(tmp_path / "inbox.sqlite", handlers, "MarketPlace", MARKET_PLACE_URN) as one:
        yield one


def test_what_the_market_place_matched_reaches_the_program(of_place: Listener, program: Program) -> None:
    message = match()
    send(of_place, message)
    (received,) = program.taken
    assert received.content == known("B2B-SRV-SUB")
    assert (received.sender, received.message_id) == (MARKET_PLACE_URN, message.addressing.message_id)


def test_changes_of_the_directory_reach_the_program_in_their_order(of_place: Listener, program: Program) -> None:
    send(of_place, changes(*(sample(bo_id) for bo_id in DIRECTORY)))
    (received,) = program.taken
    assert received.content == DirectoryChanges(tuple(known(bo_id) for bo_id in DIRECTORY), "17")


def test_a_pushed_certificate_that_is_none_is_refused(of_place: Listener, program: Program) -> None:
    account = re.sub(rb"(Certificate>)[^<]+", rb"\1bm9uZQ==", sample("MPL-AUT"))
    assert code_of(of_place, changes(account)) == SchemaInvalid.__name__
    assert (program.taken, of_place.undelivered()) == ([], [])


def test_the_market_place_pushes_only_what_is_its_own(of_place: Listener, program: Program) -> None:
    revocation = push(REVOCATION, "ReceiveCustomerConsentRevocation", market_place_identity(), from_=MARKET_PLACE_URN)
    assert code_of(of_place, revocation) == OperationNotAllowed.__name__
    assert program.taken == []


def test_a_provider_does_not_push_what_is_the_market_places(tmp_path: Path, program: Program) -> None:
    with listening(tmp_path / "inbox.sqlite", Handlers(subscription_matched=program.take)) as listener:
        content = b"".join(match().body.content())
        assert code_of(listener, push(content, "ReceiveB2BServiceSubscription")) == OperationNotAllowed.__name__


def test_a_market_place_that_is_not_admitted_may_not_push(listener: Listener) -> None:
    assert code_of(listener, match()) == SenderUnknown.__name__


def test_the_market_place_may_be_pinned_to_its_certificates(tmp_path: Path, program: Program) -> None:
    pinned = Sender("MarketPlace", frozenset({market_place_identity().fingerprint}))
    handlers = Handlers(subscription_matched=program.take)
    with listening(tmp_path / "inbox.sqlite", handlers, pinned, MARKET_PLACE_URN) as listener:
        forged = from_place("ReceiveB2BServiceSubscription", sample("B2B-SRV-SUB"), dso())
        assert code_of(listener, forged) == CertificateNotBound.__name__
        send(listener, match())
    assert len(program.taken) == 1


def test_a_series_that_contradicts_its_header_is_refused(listener: Listener, program: Program) -> None:
    content = values(PUSH).replace(b"2026-01-01T00:15:00Z", b"2026-01-01T00:14:00Z")
    assert code_of(listener, push(content, OPERATION)) == ValuesInvalid.__name__
    assert (program.taken, listener.undelivered()) == ([], [])


def test_an_oversized_push_gets_its_fault(listener: Listener) -> None:
    with pytest.raises(UntrustedFault, match=MessageTooLarge.__name__):
        send(listener, push(values(PUSH, pods=600), OPERATION))
    assert listener.statistics == Counts(signed=0, verified=0, refused=1, faults=0)


def test_a_tampered_push_is_refused_and_leaves_nothing_in_the_inbox(listener: Listener, program: Program) -> None:
    message = push(values(PUSH), OPERATION)
    assert isinstance(message.body.stored, bytes)
    tampered = replace(message, body=replace(message.body, stored=message.body.stored.replace(b"POD0001", b"POD0009")))
    with pytest.raises(UntrustedFault, match="SignatureInvalid"):
        send(listener, tampered)
    assert (program.taken, listener.undelivered()) == ([], [])


def test_a_hundred_load_curves_of_a_day_take_no_object_per_value(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9,600 values; objects for each took Spyne about half a second."""
    read: list[object] = []
    from_element = BodyXml.from_element

    def noted(self: BodyXml, ctx: object, cls: object, element: object) -> object:
        read.append(element)
        return from_element(self, ctx, cls, element)  # type: ignore[arg-type]

    monkeypatch.setattr(BodyXml, "from_element", noted)
    with listening(tmp_path / "inbox.sqlite", Handlers(values_arrived=program.take)) as listener:
        send(listener, push(values(PUSH, pods=100), OPERATION))
    assert sum(len(one.values) for one in program.taken[-1].content.series) == 9_600
    assert read == []

"""The way of one message: the order of its checks, the envelope of its answer, and what is kept of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from lxml import etree

from flexiciency.contract.catalogue import FAULT_ACTION, Operation, operation_of
from flexiciency.errors import StateConflict, Unavailable
from flexiciency.soap.endpoint import Answer, Call, pieces
from flexiciency.soap.faults import partner_fault
from flexiciency.soap.outgoing import SPOOL_BYTES, Content
from flexiciency.wire.sign import sign_message
from flexiciency.wire.verify import Verified, verify_reply
from tests.gateway import signature_value
from tests.soap.site import PING, Busy, Conversation, Memory, endpoint
from tests.wire.parties import NOW, RECIPIENT, REQUEST, SENDER, anchors, identity

CONTENT = b'<b2bo:Ping xmlns:b2bo="urn:flexiciency:b2b-operations:1"></b2bo:Ping>'
MAILBOX = b'<b2bo:PeekMailbox xmlns:b2bo="urn:flexiciency:b2b-operations:1"></b2bo:PeekMailbox>'
B2B = "urn:flexiciency:b2b:1:"


def message(content: bytes = CONTENT, operation: str = "Ping", **changes: str) -> bytes:
    addressing = replace(REQUEST, action=B2B + operation, **changes)
    return sign_message(content, addressing, identity(), NOW)


def verified(answer: Answer, request: bytes) -> Verified:
    return verify_reply(
        b"".join(pieces(answer)), request_signature=signature_value(request),
        request_message_id=REQUEST.message_id, anchors=anchors(), now=NOW,
    )  # fmt: skip


def code(answer: Answer) -> str:
    """The code of a fault, signed or not."""
    assert answer.status == 500
    fault = etree.fromstring(b"".join(pieces(answer))).find(".//{http://schemas.xmlsoap.org/soap/envelope/}Fault")
    assert fault is not None
    return partner_fault(fault).partner_code


def test_a_reply_is_addressed_to_its_request_and_confirms_its_signature() -> None:
    request = message()
    answer = endpoint().answer(request, "peer")
    reply = verified(answer, request)
    assert answer.status == 200
    assert reply.addressing.action == B2B + "PingResponse"
    assert (reply.addressing.from_, reply.addressing.to) == (RECIPIENT, SENDER)
    assert reply.addressing.relates_to == REQUEST.message_id
    assert reply.addressing.message_id != REQUEST.message_id
    assert reply.fingerprint == identity(name="Grid operator").fingerprint
    assert etree.tostring(reply.body, method="c14n", exclusive=True) == PING


def test_a_fault_is_addressed_and_confirmed_like_a_reply() -> None:
    def refuse(_: Call) -> Content:
        raise StateConflict("Not now.", path="Ping")

    request = message()
    answer = endpoint(call=refuse).answer(request, "peer")
    reply = verified(answer, request)
    assert (answer.status, reply.addressing.action) == (500, FAULT_ACTION)
    assert partner_fault(reply.body).path == "Ping"


def test_the_size_is_that_of_the_answer() -> None:
    answer = endpoint().answer(message(), "peer")
    assert answer.size == len(b"".join(pieces(answer)))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"<a/>", "EnvelopeInvalid"),  # before anything else
        (message(b"<a></a>", "Nothing", to="urn:other", from_="urn:nobody"), "ActionUnknown"),
        (message(b"<a></a>", to="urn:other", from_="urn:nobody"), "NotForMe"),
        (message(b"<a></a>", from_="urn:nobody"), "ActionUnknown"),  # the Body's name
        (message(CONTENT.replace(b"></", b"><x></x></"), from_="urn:nobody"), "SchemaInvalid"),
        (message(from_="urn:nobody"), "SenderUnknown"),
    ],
)
def test_checks_go_from_the_envelope_to_the_speaker(request_: bytes, expected: str) -> None:
    assert code(endpoint().answer(request_, "peer")) == expected


def test_who_may_not_call_learns_that_before_whether_it_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    # This release offers everything; another one may not.
    later = replace(operation_of(f"{B2B}ReadGapReport") or pytest.fail("no such operation"), offered=False)
    monkeypatch.setattr("flexiciency.soap.endpoint.operation_of", lambda _: later)
    content = (
        b'<b2bo:ReadGapReport xmlns:b2bo="urn:flexiciency:b2b-operations:1"><b2bo:AgreementId>a</b2bo:AgreementId>'
        b'<b2bo:Period><com:Start xmlns:com="urn:flexiciency:common:1">2026-01-01T00:00:00Z</com:Start>'
        b'<com:End xmlns:com="urn:flexiciency:common:1">2026-01-02T00:00:00Z</com:End></b2bo:Period>'
        b"</b2bo:ReadGapReport>"
    )
    request = message(content, "ReadGapReport")
    assert code(endpoint(Memory(role="RegulatedDataProvider")).answer(request, "peer")) == "OperationNotAllowed"
    assert code(endpoint().answer(request, "peer")) == "NotOfferedYet"


def test_an_operation_runs_once_for_a_message_that_comes_twice() -> None:
    calls: list[Call] = []

    def count(call: Call) -> Content:
        calls.append(call)
        return PING

    one, request = endpoint(call=count), message()
    first, second = (verified(one.answer(request, "peer"), request) for _ in range(2))
    assert len(calls) == 1
    assert first.canonical_body == second.canonical_body
    assert calls[0].speaker.id == SENDER
    assert calls[0].now == NOW


def test_what_a_concurrent_message_kept_is_looked_for_once_more() -> None:
    ledger = Memory(failing=[Busy()])
    assert endpoint(ledger).answer(message(), "peer").status == 200
    assert list(ledger.kept) == [REQUEST.message_id]
    ledger = Memory(failing=[Busy(), Busy()])
    assert code(endpoint(ledger).answer(message(), "peer")) == "InternalError"


def test_what_is_unforeseen_is_a_coded_fault_that_tells_nothing() -> None:
    def fail(_: Call) -> Content:
        raise KeyError("password")

    ledger, request = Memory(), message()
    answer = endpoint(ledger, fail).answer(request, "peer")
    reply = verified(answer, request)
    assert partner_fault(reply.body).partner_code == "InternalError"
    assert b"password" not in reply.canonical_body
    assert (ledger.refused, ledger.kept) == (["InternalError"], {})


def test_a_refused_message_is_noted_with_what_is_known_of_it() -> None:
    ledger = Memory()
    one = endpoint(ledger)
    code(one.answer(b"<a/>", "192.0.2.1"))
    code(one.answer(message(to="urn:other"), "192.0.2.1"))
    assert (ledger.refused_unverified, ledger.refused) == ([("EnvelopeInvalid", 4)], ["NotForMe"])


def test_a_large_reply_goes_out_in_pieces_and_frees_its_spool() -> None:
    """The interpreter warns of a spool that nobody closed, and warnings are errors here."""

    def chunks() -> Iterator[bytes]:
        yield MAILBOX.replace(b"PeekMailbox", b"PeekMailboxResponse")[:-30]
        yield b"x" * (2 * SPOOL_BYTES)
        yield b"</b2bo:PeekMailboxResponse>"

    answer = endpoint(call=lambda _: chunks()).answer(message(MAILBOX, "PeekMailbox"), "peer")
    sent = list(pieces(answer))
    assert max(map(len, sent)) <= SPOOL_BYTES
    assert sum(map(len, sent)) == answer.size > 2 * SPOOL_BYTES


def test_a_reply_that_could_not_be_kept_frees_its_spool() -> None:
    """As above."""
    ledger = Memory(failing=[RuntimeError("disk full")])
    answer = endpoint(ledger, lambda _: iter([PING])).answer(message(), "peer")
    assert code(answer) == "InternalError"


class OutOfReach(Memory):
    """A ledger whose database is down."""

    @contextmanager
    def exchange(self, operation: Operation, message: Verified, now: datetime) -> Iterator[Conversation]:  # noqa: ARG002
        """No transaction can be opened."""
        raise Unavailable("The database is out of reach. Send the same message again later.")
        yield

    def refuse_verified(self, *_: Any) -> None:
        """Nor can a refusal be kept."""
        raise Unavailable("The database is out of reach.")

    def refuse_unverified(self, *_: Any) -> None:
        """Nor can a refusal be kept."""
        raise Unavailable("The database is out of reach.")


def test_a_partner_hears_that_the_database_is_out_of_reach_in_a_signed_retriable_fault() -> None:
    request = message()
    fault = partner_fault(verified(endpoint(OutOfReach()).answer(request, "peer"), request).body)
    assert (fault.partner_code, fault.partner_says_retriable) == ("Unavailable", True)


def test_a_stranger_hears_its_own_fault_though_it_cannot_be_kept() -> None:
    assert code(endpoint(OutOfReach()).answer(b"<a/>", "peer")) == "EnvelopeInvalid"

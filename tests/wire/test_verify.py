from datetime import timedelta

import pytest

from flexiciency.errors import AddressingInvalid, ConfirmationMissing, SignatureInvalid
from flexiciency.wire.authority import KeyType
from flexiciency.wire.parse import Limits
from flexiciency.wire.sign import Confirmation, sign_message
from flexiciency.wire.verify import Policy, UnsignedFault, Verified, peek_fault, verify, verify_reply
from tests.wire.parties import CONTENT, NOW, REPLY, REQUEST, anchors, identity, reply, request, verified

FAULT = (
    b'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>'
    b"<faultcode>soap:Client</faultcode><faultstring>No.</faultstring><detail>"
    b'<env:Error xmlns:env="urn:flexiciency:envelope:1"><env:Code>SenderUnknown</env:Code>'
    b"<env:Message>Who?</env:Message></env:Error></detail></soap:Fault></soap:Body></soap:Envelope>"
)


def verified_reply(data: bytes) -> Verified:
    return verify_reply(
        data, request_signature=b"ours", request_message_id=REQUEST.message_id, anchors=anchors(), now=NOW
    )


@pytest.mark.parametrize("key_type", ["rsa", "ec"])
def test_a_verified_message_says_who_sent_what_to_whom(key_type: KeyType) -> None:
    message = verified(request(signer=identity(key_type)))
    assert message.addressing == REQUEST
    assert message.certificate == identity(key_type).certificate
    assert message.body.tag == "{urn:flexiciency:activation:1}RequestDsoServiceActivation"


def test_the_body_is_parsed_from_the_canonical_bytes_and_not_part_of_the_message() -> None:
    message = verified(request())
    envelope = message.body.getroottree().getroot()
    assert envelope.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Body"
    assert message.canonical_body.count(b"ES003100000000000") == 2
    assert message.body is message.body


def test_a_reply_to_our_request_is_taken() -> None:
    assert verified_reply(reply(Confirmation(b"ours"))).addressing == REPLY


@pytest.mark.parametrize("confirms", [None, Confirmation(None), Confirmation(b"theirs"), Confirmation(b"")])
def test_a_reply_that_does_not_confirm_our_signature_is_refused(confirms: Confirmation | None) -> None:
    with pytest.raises(ConfirmationMissing):
        verified_reply(reply(confirms))


@pytest.mark.parametrize("relates_to", [None, REPLY.message_id])
def test_a_reply_that_relates_to_another_message_is_refused(relates_to: str | None) -> None:
    with pytest.raises(AddressingInvalid, match="RelatesTo"):
        verified_reply(reply(Confirmation(b"ours"), relates_to=relates_to))


@pytest.mark.parametrize("age", [-60, 0, 299, 360])
def test_a_message_is_good_for_its_lifetime_and_the_clock_skew(age: int) -> None:
    assert verify(request(), anchors=anchors(), now=NOW + timedelta(seconds=age)).addressing == REQUEST


def test_the_operator_may_allow_a_longer_lifetime() -> None:
    data = sign_message(CONTENT, REQUEST, identity(), NOW, lifetime=timedelta(hours=1))
    policy = Policy(max_lifetime=timedelta(hours=1))
    assert verify(data, anchors=anchors(), now=NOW, policy=policy).addressing == REQUEST


def test_from_may_be_left_out_where_the_policy_says_so() -> None:
    message = verify(request(from_=None), anchors=anchors(), now=NOW, policy=Policy(require_from=False))
    assert message.addressing.from_ is None


def test_an_error_in_a_digest_names_the_element() -> None:
    with pytest.raises(SignatureInvalid, match=r"digest of wsa:To does not match.*re-serialize"):
        verified(request().replace(b"5b02</wsa:To>", b"5b03</wsa:To>"))


def test_limits_apply_to_messages() -> None:
    limits = Limits(message_bytes=50_000, depth=10)
    assert verify(request(), anchors=anchors(), now=NOW, limits=limits).addressing == REQUEST


def test_an_unsigned_fault_is_recognized() -> None:
    assert peek_fault(FAULT) == UnsignedFault("soap:Client", "No.", "SenderUnknown", "Who?")


def test_a_fault_without_our_detail_is_recognized() -> None:
    bare = FAULT[: FAULT.index(b"<detail>")] + FAULT[FAULT.index(b"</detail>") + 9 :]
    assert peek_fault(bare) == UnsignedFault("soap:Client", "No.", None, None)


@pytest.mark.parametrize(
    "data",
    [b"", b"<html/>", b"Bad Gateway", request(), FAULT.replace(b"Fault>", b"Other>"), FAULT.replace(b"soap/env", b"x")],
)
def test_other_answers_are_no_unsigned_fault(data: bytes) -> None:
    assert peek_fault(data) is None

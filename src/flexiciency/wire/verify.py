"""Verifying: bytes in, and out only what was signed.

The order is fixed: parse, structure, token, trust, signature value, digests, timestamp. Nothing of the message is
used before all of them have passed, and the Body handed on is parsed again from the very bytes that were digested.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from cryptography import x509
from lxml import etree

from flexiciency.errors import AddressingInvalid, AlgorithmRefused, ConfirmationMissing, GatewayError
from flexiciency.wire import names
from flexiciency.wire.addressing import Addressing, read_addressing
from flexiciency.wire.keys import check_value
from flexiciency.wire.memory import give_back
from flexiciency.wire.parse import DEFAULT, Limits, count_refused, parse, parse_again
from flexiciency.wire.signature import Canonical, Signature, from_base64, read_signature
from flexiciency.wire.structure import Structure, read_structure
from flexiciency.wire.timestamp import check_timestamp, read_timestamp
from flexiciency.wire.token import Token, read_token
from flexiciency.wire.trust import CLOCK_SKEW, TrustAnchors
from flexiciency.wire.xml import check_attributes, expect_children


@dataclass(frozen=True)
class Policy:
    """What the operator may set of the profile."""

    max_lifetime: timedelta = timedelta(seconds=300)
    clock_skew: timedelta = CLOCK_SKEW
    require_from: bool = True


@dataclass(frozen=True, eq=False)
class Verified:
    """What was signed, and who signed it."""

    canonical_body: bytes
    """soap:Body in exclusive C14N: the very bytes that were digested."""
    body_digest: bytes
    addressing: Addressing
    certificate: x509.Certificate
    fingerprint: str
    signature_value: bytes
    confirmations: tuple[bytes | None, ...]
    """The signatures that the message confirms; None stands for a request without one."""
    created: datetime
    expires: datetime
    outline: Callable[[bytes], bytes] = bytes
    """What `body` is parsed from, out of `canonical_body`: all of it, or what is not read from the bytes."""

    @cached_property
    def body(self) -> etree._Element:
        """The Body's only child; of a bulk message in outline."""
        return parse_again(self.outline(self.canonical_body))[0]


@dataclass(frozen=True)
class UnsignedFault:
    """A SOAP Fault that nobody signed: something to show a person, nothing to act on."""

    fault_code: str
    fault_string: str
    error_code: str | None
    """`Code` of our Error detail, where there is one."""
    error_message: str | None


def verify(
    data: bytes, *, anchors: TrustAnchors, now: datetime, limits: Limits = DEFAULT, policy: Policy = Policy()
) -> Verified:
    """Verify one message at the aware time `now` (contract, Envelope).

    Raises the TransportError, EnvelopeError or SecurityError that fits, naming the element and what was expected.
    """
    message = verify_signature(data, anchors=anchors, now=now, limits=limits, policy=policy)
    check_fresh(message, now, policy)
    return message


def check_fresh(message: Verified, now: datetime, policy: Policy = Policy()) -> None:
    """Raises MessageExpired or MessageFromFuture."""
    check_timestamp(
        message.created, message.expires, now, max_lifetime=policy.max_lifetime, clock_skew=policy.clock_skew
    )


def verify_signature(
    data: bytes, *, anchors: TrustAnchors, now: datetime, limits: Limits = DEFAULT, policy: Policy = Policy()
) -> Verified:
    """All of `verify` but `check_fresh`, which must follow: a stale message's sender can be told in a signed fault."""
    try:
        return _signed(data, anchors, now, limits, policy)
    except GatewayError:
        count_refused(data)
        raise


def _signed(data: bytes, anchors: TrustAnchors, now: datetime, limits: Limits, policy: Policy) -> Verified:
    structure = read_structure(parse(data, limits))
    addressing = read_addressing(structure.headers, require_from=policy.require_from)
    signature = read_signature(structure)
    confirmations = tuple(_confirmed(element) for element in structure.confirmations)
    created, expires = read_timestamp(structure.timestamp)
    token = _read_token(structure, signature)
    anchors.check(token.certificate, now)
    check_value(token.key, signature.value, signature.canonicalization.apply(signature.signed_info, limits))
    canonical_body = _check_digests(structure, signature, data, limits)
    body_digest, signature_value = signature.reference_to(structure.body).digest, signature.value
    del structure, signature  # a large tree goes before the copy of its Body is made
    give_back(len(data))
    return Verified(
        canonical_body=canonical_body.whole(),
        body_digest=body_digest,
        addressing=addressing,
        certificate=token.certificate,
        fingerprint=token.fingerprint,
        signature_value=signature_value,
        confirmations=confirmations,
        created=created,
        expires=expires,
    )


def verify_reply(
    data: bytes,
    *,
    request_signature: bytes,
    request_message_id: str,
    anchors: TrustAnchors,
    now: datetime,
    limits: Limits = DEFAULT,
    policy: Policy = Policy(),
) -> Verified:
    """Verify a reply, and that it answers this very request.

    Raises as `verify`, and ConfirmationMissing or AddressingInvalid when it answers another.
    """
    reply = verify(data, anchors=anchors, now=now, limits=limits, policy=policy)
    if not reply.confirmations:
        raise ConfirmationMissing("The reply has no wsse11:SignatureConfirmation; expected one of our signature.")
    if len(reply.confirmations) > 1:
        raise ConfirmationMissing(f"The reply confirms {len(reply.confirmations)} signatures; our request had one.")
    if not hmac.compare_digest(reply.confirmations[0] or b"", request_signature):
        raise ConfirmationMissing("The reply confirms another signature than that of our request.")
    if reply.addressing.relates_to != request_message_id:
        raise AddressingInvalid(
            f"wsa:RelatesTo is {reply.addressing.relates_to!r}; expected the MessageID of our request, "
            f"{request_message_id}."
        )
    return reply


def peek_fault(data: bytes, limits: Limits = DEFAULT) -> UnsignedFault | None:
    """The SOAP Fault in an answer that has no wsse:Security header, else None."""
    try:
        root = parse(data, limits)
    except GatewayError:
        return None
    fault = root.find(f"{names.BODY}/{names.FAULT}")
    if root.tag != names.ENVELOPE or fault is None or root.find(f"{names.HEADER}/{names.SECURITY}") is not None:
        return None
    error = f"detail/{{{names.ENV}}}Error/{{{names.ENV}}}"
    return UnsignedFault(
        fault_code=(fault.findtext("faultcode") or "").strip(),
        fault_string=(fault.findtext("faultstring") or "").strip(),
        error_code=fault.findtext(f"{error}Code"),
        error_message=fault.findtext(f"{error}Message"),
    )


def _confirmed(element: etree._Element) -> bytes | None:
    check_attributes(element, (names.ID, "Value"))
    expect_children(element)
    value = element.get("Value")
    return None if value is None else from_base64(value, "wsse11:SignatureConfirmation")


def _read_token(structure: Structure, signature: Signature) -> Token:
    token = read_token(structure.token)
    if token.algorithm != signature.algorithm:
        raise AlgorithmRefused(
            f"ds:SignatureMethod is {signature.algorithm}; the key of the certificate signs with {token.algorithm}."
        )
    return token


def _check_digests(structure: Structure, signature: Signature, data: bytes, limits: Limits) -> Canonical:
    """The canonical Body, once every reference has been found right."""
    for element in structure.must_be_signed[1:]:
        signature.reference_to(element).check(element, limits)
    token_reference = signature.references.get(structure.token.get(names.ID, ""))
    if token_reference is not None:
        token_reference.check(structure.token, limits)
    return signature.reference_to(structure.body).check_within(structure.body, data, limits)

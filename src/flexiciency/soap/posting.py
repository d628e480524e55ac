"""Posting a signed message and taking its reply: over HTTP out, only what was verified back.

A large message goes out in gzip where the partner's answers have said that it takes it (Accept-Encoding, RFC 7694).
What comes back is trusted step by step: HTTP answer ─► size ─► signature, confirmation, RelatesTo ─► sender ─► XSD.
"""

import ipaddress
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from io import SEEK_END
from typing import NoReturn
from urllib.parse import urlsplit

import requests
import urllib3
from lxml import etree

from flexiciency.contract.catalogue import FAULT_ACTION, Operation, operation_of
from flexiciency.contract.codec_outline import outline
from flexiciency.contract.schemas import validate
from flexiciency.errors import (
    CompressionInvalid,
    GatewayError,
    MessageTooLarge,
    PartnerUnreachable,
    UntrustedFault,
    UntrustedReply,
)
from flexiciency.soap.compression import accepts_gzip, gunzip_pieces, gzip_spool
from flexiciency.soap.faults import is_fault, partner_fault
from flexiciency.soap.outgoing import Outgoing
from flexiciency.wire.parse import DEFAULT, Limits
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import Policy, Verified, peek_fault, verify_reply

Keep = Callable[[bytes, Verified], None]

DEFAULT_POLICY = Policy()

_PIECE = 262_144
_NO_GZIP = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNSUPPORTED_MEDIA_TYPE})
"""What a server may answer to gzip that it does not take after all."""
_ECHO = 200
"""At most so many characters of what an untrusted partner says are repeated."""


@dataclass(frozen=True, slots=True)
class Partner:
    """Who is called: where, the URN that replies must come from, and which certificates may sign them.

    `fingerprints` pins certificates (SHA-256, hex); None takes any that the anchors accept.
    """

    url: str
    urn: str
    anchors: TrustAnchors
    fingerprints: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """How long we wait and how much we take. Seconds; `total` bounds the whole answer, however slowly it comes."""

    connect: float = 10.0
    silence: float = 60.0
    total: float = 300.0
    limits: Limits = DEFAULT
    policy: Policy = DEFAULT_POLICY
    gzip_above: int = 100_000
    """Bytes: larger messages are sent in gzip to partners that take it."""
    tls_ca_file: str | None = None
    """PEM of the CAs of HTTPS servers; None: those that `certifi` ships."""


DEFAULT_TERMS = Terms()


def utc_now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def check_url(url: str) -> None:
    """Raises ValueError unless the URL is https, or http on loopback (contract, Envelope)."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return
    raise ValueError(f"{url!r} is neither https nor on loopback. Messages leave this machine over https only.")


class Poster:
    """Posts signed messages; one for any number of threads and partners. Connections are kept open, one set a thread.

    Proxies, passwords and CAs of the environment are not used.
    """

    def __init__(self, terms: Terms = DEFAULT_TERMS, clock: Callable[[], datetime] = utc_now) -> None:
        self._terms = terms
        self._clock = clock
        self._of_thread = threading.local()
        self._sessions: list[requests.Session] = []
        self._opening = threading.Lock()
        self._gzip: dict[str, bool] = {}
        """Whether a URL takes gzip, as its first answer that says so has it, or its refusal."""

    def close(self) -> None:
        """Close every connection."""
        with self._opening:
            for session in self._sessions:
                session.close()

    def post(self, partner: Partner, message: Outgoing, keep: Keep | None = None) -> Verified:
        """The verified, XSD-valid reply of the partner to this very message.

        `keep` gets the bytes of what was verified, a signed fault included: for evidence.

        Raises PartnerFault (a signed fault), PartnerUnreachable (no answer, or none that is SOAP), UntrustedFault (an
        unsigned fault), UntrustedReply (what failed verification; `__cause__` says how), ValueError (URL, Action).
        """
        operation = operation_of(message.addressing.action)
        if operation is None:
            raise ValueError(f"{message.addressing.action!r} is the Action of no operation.")
        check_url(partner.url)
        data = self._exchange(partner.url, message)
        try:
            verified = verify_reply(
                data,
                request_signature=message.signed.signature_value,
                request_message_id=message.addressing.message_id,
                anchors=partner.anchors,
                now=self._clock(),
                limits=self._terms.limits,
                policy=self._terms.policy,
            )
        except GatewayError as error:
            self._refuse(partner, data, error)
        reply = replace(verified, outline=outline)
        if keep is not None:
            keep(data, reply)
        _check_sender(reply, partner, message)
        _check_action(reply, FAULT_ACTION if is_fault(reply.body) else operation.reply_action)
        if is_fault(reply.body):
            raise partner_fault(reply.body)
        _check_content(reply, partner, operation)
        return reply

    def _refuse(self, partner: Partner, data: bytes, error: GatewayError) -> NoReturn:
        fault = peek_fault(data, self._terms.limits)
        if fault is not None:
            code, text = fault.error_code or fault.fault_code, fault.error_message or fault.fault_string
            raise UntrustedFault(
                f"{partner.url} answered an unsigned fault, which proves nothing: {code[:_ECHO]}: {text[:_ECHO]}"
            ) from None
        raise UntrustedReply(
            f"The answer of {partner.url} cannot be trusted: {error.code}: {error.message}",
            path=error.path,
            line=error.line,
        ) from error

    def _exchange(self, url: str, message: Outgoing) -> bytes:
        """The bytes of the answer."""
        deadline = time.monotonic() + self._terms.total
        try:
            with closing(self._send(url, message)) as response:
                _check_answer(url, response)
                pieces = self._pieces(url, response, deadline)
                if _encoding(response) == "gzip":
                    pieces = gunzip_pieces(pieces, self._terms.limits.message_bytes)
                return b"".join(pieces)
        except CompressionInvalid as error:
            raise PartnerUnreachable(f"{url} answered gzip that cannot be read: {error.message}") from error
        except MessageTooLarge as error:
            raise UntrustedReply(f"The answer of {url} is too large: {error.message}") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # The library's own error has nothing more to say, and a long history.
            raise PartnerUnreachable(f"No answer from {url}: {_plainly(error)}") from None

    def _send(self, url: str, message: Outgoing) -> requests.Response:
        if message.size > self._terms.gzip_above and self._gzip.get(url):
            with gzip_spool(message.chunks()) as spool:
                size = spool.seek(0, SEEK_END)
                spool.seek(0)
                packed = _Sized(iter(partial(spool.read, _PIECE), b""), size)
                response = self._request(url, message, packed, {"Content-Encoding": "gzip"})
            if response.status_code not in _NO_GZIP:
                return response
            response.close()
            self._gzip[url] = False
        response = self._request(url, message, _Sized(message.chunks(), message.size), {})
        if accepts_gzip(response.headers.get("Accept-Encoding", "")):
            self._gzip.setdefault(url, True)
        return response

    def _request(self, url: str, message: Outgoing, data: "_Sized", headers: dict[str, str]) -> requests.Response:
        return self._session().post(
            url,
            data=data,
            headers={
                "Content-Type": "text/xml; charset=utf-8",
                "SOAPAction": f'"{message.addressing.action}"',
                "Accept": "text/xml",
                "Accept-Encoding": "gzip",
                "User-Agent": "flexiciency",
            }
            | headers,
            timeout=(self._terms.connect, self._terms.silence),
            allow_redirects=False,
            stream=True,
        )

    def _pieces(self, url: str, response: requests.Response, deadline: float) -> Iterator[bytes]:
        size, most = 0, self._terms.limits.message_bytes
        # read1 gives what is there: a read that waits for a whole piece would let a slow partner hold us for days.
        while piece := response.raw.read1(_PIECE, decode_content=False):
            size += len(piece)
            if size > most:
                raise UntrustedReply(f"The answer of {url} is larger than the {most:,} bytes that are taken.")
            if time.monotonic() > deadline:
                raise PartnerUnreachable(f"{url} did not finish its answer within {self._terms.total:g} s.")
            yield piece

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.verify = self._terms.tls_ca_file or True
            self._of_thread.session = session
            with self._opening:
                self._sessions.append(session)
        return session


class _Sized:
    """A body as requests wants it: its length is known, so it is not sent chunked."""

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def _encoding(response: requests.Response) -> str:
    return str(response.headers.get("Content-Encoding", "identity")).strip().lower()


def _check_answer(url: str, response: requests.Response) -> None:
    """Raises PartnerUnreachable for what is no SOAP over HTTP: another status, another type, an encoding."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status_code in (200, 500) and kind == "text/xml" and _encoding(response) in {"identity", "gzip"}:
        return
    raise PartnerUnreachable(
        f"{url} answered HTTP {response.status_code} with {kind[:_ECHO] or 'no type'}, which is no SOAP; expected 200 "
        "or 500 with text/xml. Check the address; redirects are not followed."
    )


def _check_sender(reply: Verified, partner: Partner, message: Outgoing) -> None:
    if reply.addressing.from_ != partner.urn:
        raise UntrustedReply(f"The reply is from {reply.addressing.from_!r}; {partner.urn!r} was called.")
    if partner.fingerprints is not None and reply.fingerprint not in partner.fingerprints:
        raise UntrustedReply(
            f"The reply is signed with the certificate {reply.fingerprint}, which is none of {partner.urn!r}."
        )
    if reply.addressing.to != message.addressing.from_:
        raise UntrustedReply(f"The reply is to {reply.addressing.to!r}; we are {message.addressing.from_!r}.")


def _check_action(reply: Verified, expected: str) -> None:
    if reply.addressing.action != expected:
        raise UntrustedReply(f"The reply has the Action {reply.addressing.action!r}; expected {expected!r}.")


def _check_content(reply: Verified, partner: Partner, operation: Operation) -> None:
    try:
        validate(reply.body, operation.namespace)
    except GatewayError as error:
        raise UntrustedReply(
            f"The reply of {partner.url} does not follow its XSD: {error.message}", path=error.path, line=error.line
        ) from error
    name = etree.QName(reply.body).localname
    if name != f"{operation.name}Response":
        raise UntrustedReply(f"The reply of {partner.url} holds {name}; {operation.name} was called.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plainly(error: Exception) -> str:
    """The reason at the bottom of a chain of library errors."""
    reason = error
    while (inner := reason.__cause__ or reason.__context__) is not None and isinstance(inner, Exception):
        reason = inner
    return f"{type(reason).__name__}: {str(reason)[:_ECHO]}"

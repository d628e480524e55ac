"""Signing: the envelope around a canonical Body, written as bytes that are exclusive C14N already.

One layout, in the order Action, MessageID, To, From, RelatesTo, Security, Body. Each signed element declares its own
prefixes, so that its bytes in the message are the bytes that are digested, and no XML library is needed.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from flexiciency.wire import names
from flexiciency.wire.addressing import Addressing
from flexiciency.wire.identity import Identity
from flexiciency.wire.parse import parse

LIFETIME = timedelta(seconds=300)
BODY_OPEN = f'<soap:Body xmlns:soap="{names.SOAP}" xmlns:wsu="{names.WSU}" wsu:Id="Body">'.encode()
BODY_CLOSE = b"</soap:Body>"
TAIL = b"</soap:Envelope>"

_OPEN = f'<soap:Envelope xmlns:soap="{names.SOAP}"><soap:Header>'
_SECURITY = f'<wsse:Security xmlns:wsse="{names.WSSE}" xmlns:wsu="{names.WSU}" soap:mustUnderstand="1">'
_TOKEN = (
    f'<wsse:BinarySecurityToken EncodingType="{names.BASE64}" ValueType="{names.X509_V3}" wsu:Id="Token">'
    "{}</wsse:BinarySecurityToken>"
)
_TIMESTAMP = (
    f'<wsu:Timestamp xmlns:wsu="{names.WSU}" wsu:Id="Timestamp"><wsu:Created>{{}}</wsu:Created>'
    "<wsu:Expires>{}</wsu:Expires></wsu:Timestamp>"
)
_CONFIRMATION = (
    f'<wsse11:SignatureConfirmation xmlns:wsse11="{names.WSSE11}" xmlns:wsu="{names.WSU}"{{}} '
    'wsu:Id="SignatureConfirmation"></wsse11:SignatureConfirmation>'
)
_SIGNED_INFO = (
    f'<ds:SignedInfo xmlns:ds="{names.DS}"><ds:CanonicalizationMethod Algorithm="{names.EXCLUSIVE_C14N}">'
    '</ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{}"></ds:SignatureMethod>{}</ds:SignedInfo>'
)
_REFERENCE = (
    f'<ds:Reference URI="#{{}}"><ds:Transforms><ds:Transform Algorithm="{names.EXCLUSIVE_C14N}"></ds:Transform>'
    f'</ds:Transforms><ds:DigestMethod Algorithm="{names.SHA256}"></ds:DigestMethod>'
    "<ds:DigestValue>{}</ds:DigestValue></ds:Reference>"
)
_SIGNATURE = (
    f'<ds:Signature xmlns:ds="{names.DS}">{{}}<ds:SignatureValue>{{}}</ds:SignatureValue><ds:KeyInfo>'
    f'<wsse:SecurityTokenReference><wsse:Reference URI="#Token" ValueType="{names.X509_V3}"/>'
    "</wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>"
)


@dataclass(frozen=True)
class Confirmation:
    """What a reply confirms: the SignatureValue of the request, or None where the request had no signature."""

    value: bytes | None


@dataclass(frozen=True)
class Signed:
    """A signed envelope without its Body: the message is head + canonical Body + TAIL."""

    head: bytes
    signature_value: bytes
    body_digest: bytes
    created: datetime
    expires: datetime


class BodyHasher:
    """SHA-256 of a canonical Body whose content comes in chunks of bytes.

    The content is one canonical element that declares neither of the prefixes soap and wsu. What is sent is
    BODY_OPEN, the chunks, BODY_CLOSE.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256(BODY_OPEN)

    def update(self, chunk: bytes) -> None:
        """Add the next bytes of the content."""
        self._hash.update(chunk)

    def digest(self) -> bytes:
        """The digest of the Body that ends here."""
        closed = self._hash.copy()
        closed.update(BODY_CLOSE)
        return closed.digest()


def canonical(element: etree._Element) -> bytes:
    """Exclusive C14N without comments of an element, as a document of its own."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def canonical_body(content: bytes) -> bytes:
    """The canonical soap:Body around one canonical element."""
    body = BODY_OPEN + content + BODY_CLOSE
    if b" xmlns:soap=" in content or b" xmlns:wsu=" in content:
        # The Body declares these prefixes itself, so in its canonical form a soap:Fault, say, does not.
        return canonical(parse(body))
    return body


def sign(
    body_digest: bytes,
    addressing: Addressing,
    identity: Identity,
    now: datetime,
    *,
    lifetime: timedelta = LIFETIME,
    confirms: Confirmation | None = None,
) -> Signed:
    """The envelope's head for a canonical Body with this SHA-256; `now` is aware, `confirms` is given in replies."""
    created = now.astimezone(UTC)
    expires = created + lifetime
    parts = _addressing_parts(addressing)
    headers = "".join(parts.values())
    timestamp = parts["Timestamp"] = _TIMESTAMP.format(_instant(created), _instant(expires))
    confirmation = ""
    if confirms is not None:
        value = "" if confirms.value is None else f' Value="{_base64(confirms.value)}"'
        confirmation = parts["SignatureConfirmation"] = _CONFIRMATION.format(value)
    signed_info = _signed_info(body_digest, parts, identity.algorithm)
    signature_value = identity.sign(signed_info.encode())
    signature = _SIGNATURE.format(signed_info, _base64(signature_value))
    token = _TOKEN.format(identity.token)
    head = f"{_OPEN}{headers}{_SECURITY}{token}{timestamp}{confirmation}{signature}</wsse:Security></soap:Header>"
    return Signed(head.encode(), signature_value, body_digest, created, expires)


def sign_message(
    content: bytes,
    addressing: Addressing,
    identity: Identity,
    now: datetime,
    *,
    lifetime: timedelta = LIFETIME,
    confirms: Confirmation | None = None,
) -> bytes:
    """A whole signed message around one canonical element."""
    body = canonical_body(content)
    digest = hashlib.sha256(body).digest()
    return sign(digest, addressing, identity, now, lifetime=lifetime, confirms=confirms).head + body + TAIL


def _addressing_parts(addressing: Addressing) -> dict[str, str]:
    """The canonical headers by their wsu:Id, which is their name."""
    parts = {
        "Action": _header("Action", _escaped(addressing.action)),
        "MessageID": _header("MessageID", _escaped(addressing.message_id)),
        "To": _header("To", _escaped(addressing.to)),
    }
    if addressing.from_ is not None:
        parts["From"] = _header("From", f"<wsa:Address>{_escaped(addressing.from_)}</wsa:Address>")
    if addressing.relates_to is not None:
        parts["RelatesTo"] = _header("RelatesTo", _escaped(addressing.relates_to))
    return parts


def _header(name: str, content: str) -> str:
    return f'<wsa:{name} xmlns:wsa="{names.WSA}" xmlns:wsu="{names.WSU}" wsu:Id="{name}">{content}</wsa:{name}>'


def _signed_info(body_digest: bytes, parts: dict[str, str], algorithm: str) -> str:
    references = [_REFERENCE.format("Body", _base64(body_digest))]
    for identifier, part in parts.items():
        references.append(_REFERENCE.format(identifier, _base64(hashlib.sha256(part.encode()).digest())))
    return _SIGNED_INFO.format(algorithm, "".join(references))


def _instant(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _escaped(text: str) -> str:
    """Text as C14N writes it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def content_of(message: bytes) -> bytes:
    """The canonical content of a message that was signed here: what stands between its Body's tags."""
    start = message.index(BODY_OPEN) + len(BODY_OPEN)
    return message[start : message.rindex(BODY_CLOSE + TAIL)]

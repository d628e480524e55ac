"""BinarySecurityToken: the certificate that came with the message."""

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from lxml import etree

from flexiciency.errors import CertificateUntrusted, EnvelopeInvalid
from flexiciency.wire.identity import fingerprint_of
from flexiciency.wire.keys import PublicKey, algorithm_of
from flexiciency.wire.names import BASE64, X509_V3
from flexiciency.wire.trust import check_readable, key_of

_LONGEST_TOKEN = 20_000


@dataclass(frozen=True)
class Token:
    """A certificate as received, with what every message needs of it."""

    certificate: x509.Certificate
    fingerprint: str
    key: PublicKey
    algorithm: str
    """The only SignatureMethod this key can be used with."""


def read_token(element: etree._Element) -> Token:
    """The certificate in a BinarySecurityToken; it is not trusted yet.

    Raises EnvelopeInvalid (another kind of token), CertificateUntrusted (no certificate), AlgorithmRefused (key).
    """
    value_type, encoding = element.get("ValueType"), element.get("EncodingType", BASE64)
    if value_type != X509_V3 or encoding != BASE64 or len(element):
        raise EnvelopeInvalid(
            f"BinarySecurityToken has ValueType {value_type!r} and EncodingType {encoding!r}; expected {X509_V3} "
            f"and {BASE64}: one X.509 certificate."
        )
    text = "".join((element.text or "").split())
    if len(text) > _LONGEST_TOKEN:
        raise CertificateUntrusted(f"BinarySecurityToken has {len(text)} characters; expected one certificate.")
    return _token(text)


@lru_cache(maxsize=1024)
def _token(text: str) -> Token:
    try:
        certificate = x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, x509.InvalidVersion) as error:
        raise CertificateUntrusted(
            f"BinarySecurityToken is no X.509 certificate ({error}); expected its DER in base64, without PEM lines."
        ) from error
    check_readable(certificate)
    key = key_of(certificate)
    return Token(certificate, fingerprint_of(certificate), key, algorithm_of(key))

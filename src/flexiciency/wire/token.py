"""BinarySecurityToken: the certificate that came with the message."""

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree

from flexiciency.errors import AlgorithmRefused, CertificateUntrusted, EnvelopeInvalid
from flexiciency.wire.identity import describe, fingerprint_of
from flexiciency.wire.keys import PublicKey, algorithm_of, usable_public_key
from flexiciency.wire.names import BASE64, X509_V3

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
    except (binascii.Error, ValueError) as error:
        raise CertificateUntrusted(
            f"BinarySecurityToken is no X.509 certificate ({error}); expected its DER in base64, without PEM lines."
        ) from error
    return Token(certificate, fingerprint_of(certificate), *_usable_key(certificate))


def _usable_key(certificate: x509.Certificate) -> tuple[PublicKey, str]:
    try:
        key = usable_public_key(certificate.public_key())
    except (UnsupportedAlgorithm, ValueError) as error:
        raise AlgorithmRefused(
            f"The key of the certificate cannot be used ({error}): {describe(certificate)}."
        ) from error
    return key, algorithm_of(key)

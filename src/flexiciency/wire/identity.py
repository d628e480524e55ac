"""Who we are on the wire: a private key and its certificate."""

import base64
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from flexiciency.wire.keys import PrivateKey, algorithm_of, sign_value, usable_private_key


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER, in hex: the name of a certificate everywhere in the gateway."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def valid_between(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """First and last instant of validity, UTC."""
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def describe(certificate: x509.Certificate) -> str:
    """One certificate in one line for errors: subject, fingerprint, issuer, dates."""
    first, last = valid_between(certificate)
    return (
        f"subject {_text(certificate.subject)}, SHA-256 fingerprint {fingerprint_of(certificate)}, "
        f"issuer {_text(certificate.issuer)}, valid from {first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}"
    )


def _text(name: x509.Name) -> str:
    return f'"{name.rfc4514_string()[:200]}"'


@dataclass(frozen=True, eq=False)
class Identity:
    """A key and its certificate; `from_pem` is the way to make one."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    algorithm: str
    """Signature URI, decided by the key."""
    fingerprint: str
    token: str
    """The certificate's DER in base64, as BinarySecurityToken carries it."""

    @classmethod
    def from_pem(cls, key: bytes, certificate: bytes, password: bytes | None = None) -> "Identity":
        """From two PEM texts; of several certificates the first must be the key's.

        Raises ValueError when they cannot be read or do not belong together, AlgorithmRefused when the key is
        outside the profile.
        """
        private_key = _read_key(key, password)
        own = _read_certificate(certificate)
        if private_key.public_key() != own.public_key():
            raise ValueError(
                f"The private key does not belong to the certificate ({describe(own)}). "
                "Configure the key that the certificate was requested with."
            )
        token = base64.b64encode(own.public_bytes(Encoding.DER)).decode("ascii")
        return cls(own, private_key, algorithm_of(private_key), fingerprint_of(own), token)

    def sign(self, data: bytes) -> bytes:
        """The SignatureValue over `data`."""
        return sign_value(self.key, data)


def _read_key(pem: bytes, password: bytes | None) -> PrivateKey:
    try:
        return usable_private_key(load_pem_private_key(pem, password))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The private key cannot be read ({error}); expected one PEM key and its password.") from error


def _read_certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise ValueError(f"The certificate cannot be read ({error}); expected PEM.") from error

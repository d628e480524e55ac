"""Certificates of every kind, good and bad, for the tests of trust."""

import base64
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from flexiciency.wire.identity import Identity, fingerprint_of
from flexiciency.wire.keys import PrivateKey, algorithm_of
from tests.wire.parties import DAY, NOW


@dataclass(frozen=True)
class Made:
    certificate: x509.Certificate
    key: PrivateKey

    @property
    def identity(self) -> Identity:
        """What signs messages, made without the checks of `Identity.from_pem`."""
        der = self.certificate.public_bytes(Encoding.DER)
        token = base64.b64encode(der).decode()
        return Identity(self.certificate, self.key, algorithm_of(self.key), fingerprint_of(self.certificate), token)


def usage(*allowed: str) -> x509.KeyUsage:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    rest = ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in allowed for name in (*every, *rest)})


def make(
    name: str,
    issuer: Made | None = None,
    *extensions: x509.ExtensionType,
    key: PrivateKey | None = None,
    until: datetime = NOW + 100 * DAY,
    since: datetime = NOW - 100 * DAY,
) -> Made:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer_name=issuer.certificate.subject if issuer else subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=since,
        not_valid_after=until,
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return Made(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def ca(name: str, issuer: Made | None = None, *, length: int | None = None, until: datetime = NOW + 100 * DAY) -> Made:
    return make(name, issuer, x509.BasicConstraints(ca=True, path_length=length), usage("key_cert_sign"), until=until)


def with_sha_1(made: Made) -> Made:
    """The same certificate, said to be signed with sha1WithRSAEncryption."""
    rsa_sha_256, rsa_sha_1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    der = made.certificate.public_bytes(Encoding.DER).replace(rsa_sha_256, rsa_sha_1)
    return Made(x509.load_der_x509_certificate(der), made.key)

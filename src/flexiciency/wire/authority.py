"""A small certificate authority for the demo, trials and tests. Production certificates come from a real one."""

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from flexiciency.wire.identity import Identity
from flexiciency.wire.keys import PrivateKey, PublicKey, usable_private_key

KeyType = Literal["rsa", "ec"]


@dataclass(frozen=True, eq=False)
class Issued:
    """A certificate and its private key, both PEM; the key is not encrypted."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def identity(self) -> Identity:
        """What signs messages."""
        return Identity.from_pem(self.key_pem, self.certificate_pem)

    def write(self, certificate_path: Path, key_path: Path) -> None:
        """Write both files, the key readable by its owner only (0600); FileExistsError rather than overwrite one."""
        if certificate_path.exists():
            raise FileExistsError(f"{certificate_path} exists; move it away first.")
        descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.key_pem)
        certificate_path.write_bytes(self.certificate_pem)


@dataclass(frozen=True, eq=False)
class Authority:
    """A self-signed CA that issues certificates for signing."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @classmethod
    def create(
        cls, common_name: str, key_type: KeyType = "rsa", *, valid_from: datetime, valid_until: datetime
    ) -> "Authority":
        """A new CA (RSA-2048 or EC P-256), valid between two aware instants."""
        key = _new_key(key_type)
        name = _name(common_name)
        usage = _usage(digital_signature=False, key_cert_sign=True)
        builder = (
            _builder(name, name, key.public_key(), key.public_key(), valid_from, valid_until)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def from_pem(cls, key: bytes, certificate: bytes) -> "Authority":
        """The CA from the files written by `issued.write`; ValueError when they cannot be read."""
        private_key = usable_private_key(load_pem_private_key(key, None))
        return cls(x509.load_pem_x509_certificate(certificate), private_key)

    @property
    def issued(self) -> Issued:
        """The CA's own certificate and key, to write down."""
        return Issued(self.certificate.public_bytes(Encoding.PEM), _key_pem(self.key))

    def issue(
        self, common_name: str, key_type: KeyType = "rsa", *, valid_from: datetime, valid_until: datetime
    ) -> Issued:
        """A certificate for signing, with a new RSA-2048 or EC P-256 key, valid between two aware instants."""
        key = _new_key(key_type)
        subject, issuer = _name(common_name), self.certificate.subject
        builder = (
            _builder(subject, issuer, key.public_key(), self.key.public_key(), valid_from, valid_until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True, key_cert_sign=False), critical=True)
        )
        certificate = builder.sign(self.key, hashes.SHA256())
        return Issued(certificate.public_bytes(Encoding.PEM), _key_pem(key))


def _new_key(key_type: KeyType) -> PrivateKey:
    if key_type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    issuer_key: PublicKey,
    valid_from: datetime,
    valid_until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid_from)
        .not_valid_after(valid_until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _usage(*, digital_signature: bool, key_cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

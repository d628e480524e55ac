import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from flexiciency.errors import AlgorithmRefused, SignatureInvalid
from flexiciency.wire.authority import KeyType
from flexiciency.wire.identity import Identity
from flexiciency.wire.keys import PrivateKey, check_value, sign_value, usable_private_key, usable_public_key
from flexiciency.wire.names import ECDSA_SHA256, RSA_SHA256
from tests.wire.parties import DAY, NOW, authority, identity


@pytest.mark.parametrize(("key_type", "algorithm"), [("rsa", RSA_SHA256), ("ec", ECDSA_SHA256)])
def test_the_key_decides_the_algorithm(key_type: KeyType, algorithm: str) -> None:
    assert identity(key_type).algorithm == algorithm


def test_token_and_fingerprint_are_those_of_the_certificate() -> None:
    own = identity()
    assert base64.b64decode(own.token) == own.certificate.public_bytes(Encoding.DER)
    assert len(bytes.fromhex(own.fingerprint)) == 32


def test_an_identity_shows_no_key() -> None:
    assert "key=" not in repr(identity())


def test_an_encrypted_key_needs_its_password() -> None:
    own = identity()
    pem = own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    certificate = own.certificate.public_bytes(Encoding.PEM)
    assert Identity.from_pem(pem, certificate, b"secret").fingerprint == own.fingerprint
    with pytest.raises(ValueError, match="private key cannot be read"):
        Identity.from_pem(pem, certificate)
    with pytest.raises(ValueError, match="private key cannot be read"):
        Identity.from_pem(pem, certificate, b"wrong")


def test_a_key_of_another_certificate_is_refused() -> None:
    one, other = (authority().issue(n, "ec", valid_from=NOW, valid_until=NOW + DAY) for n in ("One", "Other"))
    with pytest.raises(ValueError, match=r'does not belong to the certificate \(subject "CN=Other"'):
        Identity.from_pem(one.key_pem, other.certificate_pem)


def test_what_is_no_pem_is_refused() -> None:
    issued = authority().issue("One", "ec", valid_from=NOW, valid_until=NOW + DAY)
    with pytest.raises(ValueError, match="private key cannot be read"):
        Identity.from_pem(b"no key", issued.certificate_pem)
    with pytest.raises(ValueError, match="certificate cannot be read"):
        Identity.from_pem(issued.key_pem, b"no certificate")


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 -- it must be refused
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_keys_outside_the_profile_are_refused(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(AlgorithmRefused, match="expected RSA of 2048"):
        Identity.from_pem(pem, b"")
    with pytest.raises(AlgorithmRefused, match="expected RSA of 2048"):
        usable_public_key(key.public_key())
    with pytest.raises(AlgorithmRefused, match="expected RSA of 2048"):
        usable_private_key(key)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_ec_signatures_are_r_and_s_side_by_side(curve: ec.EllipticCurve) -> None:
    key: PrivateKey = ec.generate_private_key(curve)
    value = sign_value(key, b"data")
    assert len(value) == 2 * ((curve.key_size + 7) // 8)
    check_value(usable_public_key(key.public_key()), value, b"data")
    for wrong in (value[:-1], value + b"\0", bytes(len(value)), b""):
        with pytest.raises(SignatureInvalid):
            check_value(usable_public_key(key.public_key()), wrong, b"data")

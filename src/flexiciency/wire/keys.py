"""The two signature algorithms of the profile: rsa-sha256 (2048 bits and more) and ecdsa-sha256 (P-256 and more)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from flexiciency.errors import AlgorithmRefused, SignatureInvalid
from flexiciency.wire.names import ECDSA_SHA256, RSA_SHA256

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

SMALLEST_RSA_BITS = 2048
# Larger keys only buy slow verification; nobody issues them.
LARGEST_RSA_BITS = 8192
CURVES = ("secp256r1", "secp384r1", "secp521r1")


def usable_public_key(key: object) -> PublicKey:
    """The key, when it is within the profile; else AlgorithmRefused."""
    if isinstance(key, rsa.RSAPublicKey):
        _check_size(key)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        _check_curve(key)
    else:
        raise _refused(type(key).__name__)
    return key


def usable_private_key(key: object) -> PrivateKey:
    """The key, when it is within the profile; else AlgorithmRefused."""
    if isinstance(key, rsa.RSAPrivateKey):
        _check_size(key)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        _check_curve(key)
    else:
        raise _refused(type(key).__name__)
    return key


def algorithm_of(key: PublicKey | PrivateKey) -> str:
    """The only signature URI that the key can be used with."""
    return RSA_SHA256 if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey) else ECDSA_SHA256


def sign_value(key: PrivateKey, data: bytes) -> bytes:
    """The SignatureValue over `data`: PKCS #1 v1.5 for RSA, r and s side by side for EC (XML Signature 1.1, 6.4.3)."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def check_value(key: PublicKey, value: bytes, data: bytes) -> None:
    """Raises SignatureInvalid unless `value` is the key's signature over `data`."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(_der(key, value), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise SignatureInvalid(
            "SignatureValue does not match SignedInfo and the certificate: sign SignedInfo, in exclusive C14N, with "
            "the key of the certificate in BinarySecurityToken, and change nothing afterwards."
        ) from None


def _der(key: ec.EllipticCurvePublicKey, value: bytes) -> bytes:
    size = (key.key_size + 7) // 8
    if len(value) != 2 * size:
        raise SignatureInvalid(
            f"SignatureValue has {len(value)} bytes; for {key.curve.name} r and s take {2 * size} (not in DER)."
        )
    return encode_dss_signature(int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big"))


def _check_size(key: rsa.RSAPublicKey | rsa.RSAPrivateKey) -> None:
    if not SMALLEST_RSA_BITS <= key.key_size <= LARGEST_RSA_BITS:
        raise _refused(f"RSA of {key.key_size} bits")


def _check_curve(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> None:
    if key.curve.name not in CURVES:
        raise _refused(f"EC on {key.curve.name}")


def _refused(found: str) -> AlgorithmRefused:
    return AlgorithmRefused(
        f"The key is {found}; expected RSA of {SMALLEST_RSA_BITS} to {LARGEST_RSA_BITS} bits, or EC on P-256, P-384 "
        "or P-521. Have a certificate issued for such a key."
    )

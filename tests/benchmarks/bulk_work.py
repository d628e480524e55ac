"""Work on many values, for `child.measure`: each function prepares its input and returns the work."""

import flexiciency.soap.spyne_compat

from collections.abc import Callable

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.benchmarks.yardsticks import bulk, plain_soap


def spyne_typed_out(pods: int, steps: int) -> Callable[[], object]:
    """Spyne's typed objects to unsigned bytes, building the objects included."""
    return lambda: bulk.spyne_typed_out(pods, steps)


def zeep_in(pods: int, steps: int) -> Callable[[], object]:
    """Zeep's objects from bytes."""
    data = bulk.join_xml(pods, steps, bulk.sample(pods, steps))
    return lambda: bulk.zeep_in(data)


def join_out(pods: int, steps: int) -> Callable[[], object]:
    """String join, SHA-256 and zlib level 1."""
    values = bulk.sample(pods, steps)
    return lambda: bulk.join_out(pods, steps, values)


def rsa_signatures(count: int) -> Callable[[], object]:
    """So many RSA-2048 signatures with SHA-256, one after the other."""
    key = serialization.load_pem_private_key(plain_soap.KEY_PEM, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the yardstick's key is not RSA")

    def sign() -> None:
        for _ in range(count):
            key.sign(b"x" * 1000, padding.PKCS1v15(), hashes.SHA256())

    return sign

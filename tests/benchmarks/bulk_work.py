"""Work on many values, for `child.measure`: each function prepares its input and returns the work."""

import flexiciency.soap.spyne_compat

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.delivery.build import values_object
from flexiciency.domain.values import local_days_period
from flexiciency.soap.outgoing import seal
from flexiciency.store.database import Database
from flexiciency.store.release import Asked
from flexiciency.store.transaction import transaction
from flexiciency.wire.addressing import Addressing, new_message_id
from flexiciency.wire.identity import Identity
from tests.benchmarks.town import AGREEMENT
from tests.benchmarks.yardsticks import bulk, plain_soap
from tests.world import DSO, END_DAY, FIRST_DAY, PLAYER, ZONE


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


def gateway_out(url: str, keys: str, values: int) -> Callable[[], object]:
    """So many values from the database to the signed bytes of one IND-DAT-VAL, every one through the release rule."""
    database = Database(url)
    folder = Path(keys)
    identity = Identity.from_pem((folder / "dso.key").read_bytes(), (folder / "dso.pem").read_bytes())
    start, end = local_days_period(FIRST_DAY, END_DAY, ZONE)
    asked = Asked(AGREEMENT, Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M, start, end)

    def deliver() -> None:
        with transaction(database) as tx:
            built = values_object(tx, asked, new_id(), selection=None)
            if built is None:
                raise RuntimeError("nothing was released")
            addressing = Addressing(new_message_id(), "urn:flexiciency:bench", PLAYER, DSO)
            message = seal(built.chunks, addressing, identity, datetime.now(UTC))
            size = sum(len(chunk) for chunk in message.chunks())
        if sum(built.counts.values()) != values or size != message.size:
            raise RuntimeError(f"{sum(built.counts.values())} values in {size} bytes; {values} were expected")

    return deliver


def rsa_signatures(count: int) -> Callable[[], object]:
    """So many RSA-2048 signatures with SHA-256, one after the other."""
    key = serialization.load_pem_private_key(plain_soap.KEY_PEM, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the yardstick's key is not RSA")

    def sign() -> None:
        for _ in range(count):
            key.sign(b"x" * 1000, padding.PKCS1v15(), hashes.SHA256())

    return sign

"""Work on many values, for `child.measure`: each function prepares its input and returns the work."""

import flexiciency.soap.spyne_compat

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from flexiciency.contract.codec import ValuesHeader
from flexiciency.contract.codec_write import write_values
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.delivery.build import values_object
from flexiciency.domain.values import local_days_period
from flexiciency.soap.compression import gzip_chunks
from flexiciency.soap.outgoing import seal
from flexiciency.store.database import Database
from flexiciency.store.release import Asked, release
from flexiciency.store.transaction import transaction
from flexiciency.wire.addressing import Addressing, new_message_id
from flexiciency.wire.identity import Identity
from tests.benchmarks.town import AGREEMENT
from tests.benchmarks.yardsticks import bulk, plain_soap
from tests.world import DSO, END_DAY, FIRST_DAY, PLAYER, ZONE, pod_name

STEPS = 2976
"""Quarter hours of the town's January."""
MOST_VALUES = 150_000
"""In one message, by default."""


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


def gateway_out(url: str, keys: str, values: int, encoding: str = Encoding.EXPLICIT) -> Callable[[], object]:
    """So many values from the database to the gzipped bytes of signed IND-DAT-VAL, every one through the release rule.

    One message after the other, each of at most `MOST_VALUES`.
    """
    database = Database(url)
    identity = _dso(keys)

    def deliver() -> None:
        counts = [_deliver(database, identity, asked, Encoding(encoding)) for asked in _messages(values)]
        if sum(counts) != values or max(counts) > MOST_VALUES:
            raise RuntimeError(f"{counts} values; {values} were expected")

    return deliver


def values_out(url: str, keys: str, values: int, times: int, encoding: str) -> Callable[[], object]:
    """So many released values, in memory already, to the gzipped bytes of signed IND-DAT-VAL; so many times."""
    identity, released = _dso(keys), []
    with transaction(Database(url)) as tx:
        for asked in _messages(values):
            header = ValuesHeader(
                id=new_id(), agreement=AGREEMENT, selection=None, quantity=asked.quantity, time_step=asked.step,
                period_start=asked.start, period_end=asked.end, version=1, encoding=Encoding(encoding),
            )  # fmt: skip
            released.append((header, list(release(tx, asked))))
    if sum(len(one.values) for _, series in released for one in series) != values:
        raise RuntimeError(f"{values} values were expected")

    def write() -> None:
        for header, series in released * times:
            _pack(write_values(header, series), identity)

    write()  # tables of texts are made once a process
    return write


def _messages(values: int) -> Iterator[Asked]:
    """What each message is to hold, so many PoDs of the town at a time."""
    start, end = local_days_period(FIRST_DAY, END_DAY, ZONE)
    pods = [pod_name(number) for number in range(values // STEPS)]
    at_once = MOST_VALUES // STEPS
    for first in range(0, len(pods), at_once):
        some = tuple(pods[first : first + at_once])
        yield Asked(AGREEMENT, Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M, start, end, pods=some)


def _deliver(database: Database, identity: Identity, asked: Asked, encoding: Encoding) -> int:
    """How many values one message has."""
    with transaction(database) as tx:
        built = values_object(tx, asked, new_id(), selection=None, encoding=encoding)
        if built is None:
            raise RuntimeError("nothing was released")
        _pack(built.chunks, identity)
    return sum(built.counts.values())


def _pack(content: Iterator[bytes], identity: Identity) -> None:
    addressing = Addressing(new_message_id(), "urn:flexiciency:bench", PLAYER, DSO)
    with closing(seal(content, addressing, identity, datetime.now(UTC))) as message:
        for _ in gzip_chunks(message.chunks()):
            pass


def _dso(keys: str) -> Identity:
    folder = Path(keys)
    return Identity.from_pem((folder / "dso.key").read_bytes(), (folder / "dso.pem").read_bytes())


def rsa_signatures(count: int) -> Callable[[], object]:
    """So many RSA-2048 signatures with SHA-256, one after the other."""
    key = serialization.load_pem_private_key(plain_soap.KEY_PEM, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the yardstick's key is not RSA")

    def sign() -> None:
        for _ in range(count):
            key.sign(b"x" * 1000, padding.PKCS1v15(), hashes.SHA256())

    return sign

"""Values on their way in, as a Market Player takes them, for `child.measure`: gzipped bytes to numpy arrays."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives import serialization

import flexiciency.client  # noqa: F401  what a Market Player has in memory too
from flexiciency.contract.catalogue import operation_of
from flexiciency.contract.codec import PUSH, ValuesHeader
from flexiciency.contract.codec_outline import outline
from flexiciency.contract.codec_read import read_values
from flexiciency.contract.codec_write import write_values
from flexiciency.contract.schemas import validate
from flexiciency.contract.series import Encoding, Quantity, Series, TimeStep
from flexiciency.soap.compression import gunzip, gzip_chunks
from flexiciency.soap.outgoing import Outgoing, seal
from flexiciency.wire.parse import DEFAULT
from flexiciency.wire.trust import TrustAnchors
from flexiciency.wire.verify import verify
from tests.wire.parties import NOW, REQUEST, anchors, authority, identity

STEPS = 2976
"""A January of quarter hours."""
_START = datetime(2024, 12, 31, 23, tzinfo=UTC)
_ACTION = "urn:flexiciency:market-player:1:ReceiveIndividualDataValue"


def message_in(encoding: str, pods: int) -> Callable[[], object]:
    """A pushed IND-DAT-VAL of so many PoDs, from its gzipped bytes."""
    data = b"".join(gzip_chunks(_message(Encoding(encoding), pods).chunks()))
    return lambda: _take(data, anchors(), pods * STEPS)


def write_largest(folder: Path) -> int:
    """The largest message that is taken, Explicit and full of values, with its CA: its size in bytes, unpacked."""
    one, two = (_message(Encoding.EXPLICIT, pods).size for pods in (1, 2))
    pods = (DEFAULT.message_bytes - one) // (two - one) + 1
    message = _message(Encoding.EXPLICIT, pods)
    (folder / "largest.gz").write_bytes(b"".join(gzip_chunks(message.chunks())))
    (folder / "ca.pem").write_bytes(authority().certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "values").write_text(str(pods * STEPS), encoding="ascii")
    return message.size


def largest_in(folder: str) -> Callable[[], object]:
    """What `write_largest` wrote."""
    given = Path(folder)
    data, trusted = (given / "largest.gz").read_bytes(), TrustAnchors.from_pem((given / "ca.pem").read_bytes())
    count = int((given / "values").read_text(encoding="ascii"))
    return lambda: _take(data, trusted, count)


def _take(data: bytes, trusted: TrustAnchors, count: int) -> None:
    """The way of a push through client and soap: unpacked, verified, held against the XSD, read."""
    verified = verify(gunzip(data, DEFAULT.message_bytes), anchors=trusted, now=NOW)
    message = replace(verified, outline=outline)
    operation = operation_of(message.addressing.action)
    if operation is None:
        raise ValueError(f"{message.addressing.action} is no operation")
    validate(message.body, operation.namespace)
    found = read_values(message.body, message.canonical_body)
    if sum(len(series.values) for series in found.series) != count:
        raise ValueError(f"{count} values were expected")


def _message(encoding: Encoding, pods: int) -> Outgoing:
    header = ValuesHeader(
        id="urn:uuid:00000000-0000-4000-8000-00000000da7a", agreement="urn:uuid:00000000-0000-4000-8000-000000000a92",
        selection=None, quantity=Quantity.ENERGY_CONSUMPTION, time_step=TimeStep.PT15M, period_start=_START,
        period_end=_START + timedelta(days=31), version=1, encoding=encoding,
    )  # fmt: skip
    steps = np.arange(STEPS, dtype=np.int32)
    series = [
        Series(f"AT{pod:031d}", _START, TimeStep.PT15M, (pod * 7 + steps) % 1000) for pod in range(pods)
    ]  # the yardsticks' values
    return seal(write_values(header, series, PUSH), replace(REQUEST, action=_ACTION), identity(), NOW)

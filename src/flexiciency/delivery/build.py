"""From a delivery to the object that is sent: stored XML, or values that pass the release rule now."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from flexiciency.contract.codec import ValuesHeader
from flexiciency.contract.codec_write import write_values
from flexiciency.contract.series import Encoding, Quantity, Series
from flexiciency.domain.provision import INDIVIDUAL
from flexiciency.store.deliveries import SentPod
from flexiciency.store.release import Asked, Rested, release
from flexiciency.store.transaction import Row, Transaction
from flexiciency.store.values import STEPS


@dataclass(slots=True)
class Built:
    """The object of a delivery, and by PoD the number of its values and their consents once its chunks were read."""

    object_id: str
    chunks: Iterator[bytes]
    counts: dict[str, int] = field(default_factory=dict)
    consents: Rested = field(default_factory=dict)

    @property
    def pods(self) -> list[SentPod]:
        """What is in it of each PoD."""
        return [SentPod(pod, count, tuple(sorted(self.consents.get(pod, ())))) for pod, count in self.counts.items()]


def build(tx: Transaction, delivery: Row, object_id: str) -> Built | None:
    """The object of a locked delivery; None when it is values of which none may leave any more."""
    if delivery.content is not None:
        return Built(delivery.object_id, iter((bytes(delivery.content),)))
    if delivery.service_type != INDIVIDUAL:
        return None
    asked = Asked(
        delivery.agreement_id, Quantity(delivery.quantity), STEPS[delivery.time_step], delivery.value_start,
        delivery.value_end, time_zone=delivery.time_zone,
    )  # fmt: skip
    return values_object(tx, asked, object_id, selection=None)


def values_object(
    tx: Transaction, asked: Asked, object_id: str, *, selection: str | None, encoding: Encoding = Encoding.EXPLICIT
) -> Built | None:
    """IND-DAT-VAL of what may leave of `asked`; None when that is nothing."""
    rested: Rested = {}
    released = release(tx, asked, rested)
    first = next(released, None)
    if first is None:
        return None
    header = ValuesHeader(
        id=object_id, agreement=asked.agreement_id, selection=selection, quantity=asked.quantity,
        time_step=asked.step, period_start=asked.start, period_end=asked.end, version=1, encoding=encoding,
    )  # fmt: skip
    built = Built(object_id, iter(()), consents=rested)
    built.chunks = write_values(header, _counted(first, released, built.counts))
    return built


def _counted(first: Series, rest: Iterator[Series], counts: dict[str, int]) -> Iterator[Series]:
    """The series as they pass, each PoD's values counted."""
    series: Series | None = first
    while series is not None:
        counts[series.pod] = counts.get(series.pod, 0) + len(series.values)
        yield series
        series = next(rest, None)


def wrapped(opening: bytes, chunks: Iterator[bytes], closing: bytes) -> Iterator[bytes]:
    """An object inside a wrapper; canonical, since an object declares its own prefixes."""
    yield opening
    yield from chunks
    yield closing

"""From a delivery to the object that is sent: stored XML, or values that pass the release rule now."""

from collections.abc import Iterator

from flexiciency.contract.codec import ValuesHeader
from flexiciency.contract.codec_write import write_values
from flexiciency.contract.series import Encoding, Quantity, Series
from flexiciency.delivery.aggregates import Wanted, aggregates_object
from flexiciency.delivery.built import Built
from flexiciency.domain.provision import AGGREGATED, INDIVIDUAL
from flexiciency.store import aggregates
from flexiciency.store.aggregates import Localization
from flexiciency.store.release import Asked, Released, release
from flexiciency.store.transaction import Row, Transaction
from flexiciency.store.values import STEPS

SERVICE_OF = {"ReceiveIndividualDataValue": INDIVIDUAL, "ReceiveAggregatedDataValue": AGGREGATED}
"""By the push that carries values, the type of service whose agreements they leave under."""


def build(tx: Transaction, delivery: Row, object_id: str, aggregate_minimum: int) -> Built | None:
    """The object of a locked delivery; None when it is values of which none may leave any more."""
    if delivery.content is not None:
        return Built(delivery.object_id, iter((bytes(delivery.content),)))
    if delivery.service_type != SERVICE_OF[delivery.operation]:
        return None
    if delivery.service_type == AGGREGATED:
        return _aggregates(tx, delivery, object_id, aggregate_minimum)
    asked = Asked(
        delivery.agreement_id, Quantity(delivery.quantity), STEPS[delivery.time_step], delivery.value_start,
        delivery.value_end, delivery.pods and tuple(delivery.pods), delivery.time_zone,
    )  # fmt: skip
    return values_object(tx, asked, object_id, selection=None, encoding=Encoding(delivery.encoding))


def _aggregates(tx: Transaction, delivery: Row, object_id: str, minimum: int) -> Built | None:
    (members,) = tx.look_up(
        aggregates.members(
            delivery.agreement_id, delivery.value_start, delivery.value_end,
            Localization(pods=tuple(delivery.pods or ())), time_zone=delivery.time_zone,
        )
    )  # fmt: skip
    wanted = Wanted(
        agreement_id=delivery.agreement_id, requester_id=delivery.recipient_id, level=delivery.aggregation_level,
        method=delivery.aggregation_method, quantity=Quantity(delivery.quantity), step=STEPS[delivery.time_step],
        start=delivery.value_start, end=delivery.value_end, members=members, minimum=minimum, all_or_nothing=False,
        everywhere=True,
    )  # fmt: skip
    return aggregates_object(tx, wanted, object_id, selection=None, encoding=Encoding(delivery.encoding))


def values_object(
    tx: Transaction, asked: Asked, object_id: str, *, selection: str | None, encoding: Encoding = Encoding.EXPLICIT
) -> Built | None:
    """IND-DAT-VAL of what may leave of `asked`; None when that is nothing."""
    found = Released()
    released = release(tx, asked, found)
    first = next(released, None)
    if first is None:
        return None
    header = ValuesHeader(
        id=object_id, agreement=asked.agreement_id, selection=selection, quantity=asked.quantity,
        time_step=asked.step, period_start=asked.start, period_end=asked.end, version=found.latest,
        encoding=encoding,
    )  # fmt: skip
    built = Built(object_id, iter(()), (asked.start, asked.end), released=found)
    built.chunks = write_values(header, _counted(first, released, built))
    return built


def _counted(first: Series, rest: Iterator[Series], built: Built) -> Iterator[Series]:
    """The series as they pass, each PoD's values counted."""
    series: Series | None = first
    while series is not None:
        built.note(series)
        yield series
        series = next(rest, None)


def wrapped(opening: bytes, chunks: Iterator[bytes], closing: bytes) -> Iterator[bytes]:
    """An object inside a wrapper; canonical, since an object declares its own prefixes."""
    yield opening
    yield from chunks
    yield closing

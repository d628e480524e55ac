"""IND-DAT-ACK and AGG-DAT-ACK (D2.3, 2.6): OK or KO of what was delivered, value by value where it must be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flexiciency.domain.acknowledgement import Statement, objection, standing, state
from flexiciency.domain.periods import Part
from flexiciency.errors import AcknowledgementInvalid, ReferenceUnknown
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, receipt
from flexiciency.soap.endpoint import Call
from flexiciency.store import acknowledgements, deliveries
from flexiciency.store.acknowledgements import AGGREGATES, PODS, Kind, Said
from flexiciency.store.transaction import Row

MOST_STATEMENTS = 4_000
"""On one PoD or aggregate in one acknowledgement: a quarter hour each of more than a month."""


@dataclass(frozen=True, slots=True)
class _Values:
    """What is acknowledged: the object and the operations that carry it, and what it is acknowledged by."""

    bo_id: str
    operations: frozenset[str]
    kind: Kind
    source: str
    path: str


_INDIVIDUAL = _Values(
    "IND-DAT-VAL", frozenset({"ReceiveIndividualDataValue", "RequestIndividualDataValues"}), PODS, "PoD",
    "AcknowledgeIndividualData/IndividualDataAcknowledgement/{}",
)  # fmt: skip
_AGGREGATED = _Values(
    "AGG-DAT-VAL", frozenset({"ReceiveAggregatedDataValue", "RequestAggregatedDataValues"}), AGGREGATES,
    "AggregationId", "AcknowledgeAggregatedData/AggregatedDataAcknowledgement/{}",
)  # fmt: skip


def individual(call: Call, message: Any) -> Any:
    """IND-DAT-ACK, by PoD and range. Raises AcknowledgementInvalid, ReferenceUnknown for what was not sent."""
    acknowledgement = message.IndividualDataAcknowledgement
    said = [(one.PoD, one.Acknowledgement) for one in acknowledgement.PodAcknowledgement]
    _acknowledge(call, _INDIVIDUAL, acknowledgement.IndividualDataValueRef, "PodAcknowledgement", said)
    return B2B.AcknowledgeIndividualDataResponse(Receipt=receipt(B2B, call))


def aggregated(call: Call, message: Any) -> Any:
    """AGG-DAT-ACK, by AggregationId and range. Raises as `individual`."""
    acknowledgement = message.AggregatedDataAcknowledgement
    said = [(one.AggregationId, one.Acknowledgement) for one in acknowledgement.AggregateAcknowledgement]
    _acknowledge(call, _AGGREGATED, acknowledgement.AggregatedDataValueRef, "AggregateAcknowledgement", said)
    return B2B.AcknowledgeAggregatedDataResponse(Receipt=receipt(B2B, call))


def _acknowledge(call: Call, of: _Values, reference: str, element: str, said: list[tuple[str, list[Any]]]) -> None:
    tx, path = transaction_of(call), of.path.format(element)
    delivery = _delivered(call, of, reference)
    (sent,) = tx.read(acknowledgements.sources(of.kind, delivery.id))
    rows = {row.source: row for row in sent}
    _must_be_in_it(of, reference, path, [source for source, _ in said], rows)
    period = delivery.value_start, delivery.value_end
    earlier = acknowledgements.said(tx, of.kind, delivery.id, [rows[source].key for source, _ in said])
    new, standings = [], {}
    for number, (source, statements) in enumerate(said, 1):
        row = rows[source]
        before = earlier.get(row.key, [])
        found = _statements(of, source, statements, period, f"{path}[{number}]")
        known = {(one.at, one.statement) for one in before}  # what is repeated is kept once
        added = [one for one in found if (one.at, one.statement) not in known]
        new += [(row.key, one) for one in added]
        in_order = sorted([*before, *added], key=lambda one: one.at)
        parts = acknowledgements.parts_of(row, period)
        standings[row.key] = standing(parts, [one.statement for one in in_order])
    statuses = {row.key: row.status for row in sent} | {key: one.status for key, one in standings.items()}
    still_open = {row.key: row.open for row in sent} | {key: bool(one.open) for key, one in standings.items()}
    acknowledgements.store(
        tx, of.kind, delivery.id, new, standings, state(statuses.values()), call.now,
        still_open=any(still_open.values()),
    )  # fmt: skip


def _delivered(call: Call, of: _Values, reference: str) -> Row:
    """The delivery to the caller that carried this object, locked. Raises ReferenceUnknown."""
    (rows,) = transaction_of(call).read(deliveries.by_object(reference))
    if not rows or rows[0].recipient_id != call.speaker.id or rows[0].operation not in of.operations:
        raise ReferenceUnknown(
            f"No {of.bo_id} {reference} was delivered to {call.speaker.id}. Of a message that was sent anew, "
            "acknowledge the object that came last.",
            path=of.path.format(f"{'Individual' if of is _INDIVIDUAL else 'Aggregated'}DataValueRef"),
        )
    return rows[0]


def _must_be_in_it(of: _Values, reference: str, path: str, named: list[str], rows: Mapping[str, Row]) -> None:
    """Raises ReferenceUnknown for a PoD or aggregate that was not sent, AcknowledgementInvalid for one named twice."""
    seen: set[str] = set()
    for number, source in enumerate(named, 1):
        if source not in rows:
            raise ReferenceUnknown(
                f"{of.source} {source} is not in {of.bo_id} {reference}. Acknowledge what was received.",
                path=f"{path}/{of.source}",
            )
        if source in seen:
            raise AcknowledgementInvalid(
                f"{of.source} {source} is acknowledged twice. Put all that is said of it into one element.",
                path=f"{path}[{number}]/{of.source}",
            )
        seen.add(source)


def _statements(of: _Values, source: str, statements: list[Any], period: Part, path: str) -> list[Said]:
    """What is said of one PoD or aggregate. Raises AcknowledgementInvalid."""
    if len(statements) > MOST_STATEMENTS:
        raise AcknowledgementInvalid(
            f"{of.source} {source} has {len(statements)} statements, and {MOST_STATEMENTS} at most are taken. Join "
            "ranges that follow each other.",
            path=f"{path}/Acknowledgement[{MOST_STATEMENTS + 1}]",
        )
    found = [_said(one) for one in statements]
    against = objection([one.statement for one in found], period)
    if against is not None:
        where, why = against
        raise AcknowledgementInvalid(
            f"{of.source} {source}: the ValuePeriod {why}", path=f"{path}/Acknowledgement[{where + 1}]/ValuePeriod"
        )
    return found


def _said(one: Any) -> Said:
    period = None if one.ValuePeriod is None else (one.ValuePeriod.Start, one.ValuePeriod.End)
    accepted = one.Status == "OK"
    refused_for = None if accepted else one.Reason
    return Said(
        Statement(accepted, period, refused_for and refused_for.Code), one.Timestamp, refused_for and refused_for.Text
    )

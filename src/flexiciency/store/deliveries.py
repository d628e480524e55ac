"""Deliveries: what goes to a Market Player by push, or waits for it in the mailbox.

    Queued ──► Sent ──► AcknowledgedOK | AcknowledgedPartly | AcknowledgedKO
       └──► Retrying ──► Sent | Dead (kept, resendable)

`received_at` is the recipient's receipt, or its confirmation in the mailbox; null again while it is sent once more.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4

from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange

from flexiciency.contract.series import TimeStep
from flexiciency.store.transaction import Query, Transaction
from flexiciency.wire.addressing import new_message_id

_INSERT = """
INSERT INTO delivery (id, recipient_id, operation, state, content, agreement_id, value_period, time_zone, pods, cause,
    time_step, object_id, message_id, relates_to, created_at, attempts)
VALUES (%(id)s, %(recipient_id)s, %(operation)s, 'Queued', %(content)s, %(agreement_id)s, %(value_period)s,
    %(time_zone)s, %(pods)s, %(cause)s, %(time_step)s, %(object_id)s, %(message_id)s, %(relates_to)s, %(now)s, 0)
"""

_LOCKED = """
SELECT d.id, d.recipient_id, d.operation, d.state, d.content, d.agreement_id, lower(d.value_period) AS value_start,
upper(d.value_period) AS value_end, d.time_zone, d.pods, d.cause, d.object_id, d.message_id, d.relates_to,
d.attempts, d.resends, d.body_digest, d.received_at, a.quantity, a.time_step, s.service_type, s.aggregation_level,
s.aggregation_method,
CASE WHEN EXISTS (SELECT FROM agreement_selection c JOIN selection l ON l.id = c.selection_id
    WHERE c.agreement_id = d.agreement_id AND l.encoding = 'Compact') THEN 'Compact' ELSE 'Explicit' END AS encoding
FROM delivery d LEFT JOIN agreement a ON a.id = d.agreement_id
LEFT JOIN service_description s ON s.id = a.service_description_id WHERE d.id = %(id)s FOR UPDATE OF d
"""

_STRANDED = """
SELECT d.id FROM delivery d
WHERE d.received_at IS NULL AND d.state <> 'Dead' AND d.created_at < %(before)s
  AND EXISTS (SELECT FROM market_player_location l WHERE l.registration_id = d.recipient_id)
  AND NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing') AND j.queue_name = 'push'
                  AND j.args ->> 'delivery_id' = d.id::text)
ORDER BY d.created_at LIMIT 1000 FOR UPDATE OF d SKIP LOCKED
"""

# The mailbox holds what cannot be pushed: no address is known, or every attempt failed.
_WAITING = """
FROM delivery d WHERE d.recipient_id = %(recipient_id)s AND d.operation = ANY(%(operations)s)
    AND d.received_at IS NULL AND (d.state = 'Dead'
        OR NOT EXISTS (SELECT FROM market_player_location l WHERE l.registration_id = d.recipient_id))
"""
_OLDEST = f"SELECT d.id {_WAITING} ORDER BY d.created_at, d.number LIMIT 1"
_COUNT = f"SELECT count(*) AS waiting {_WAITING}"

# What is Dead stays in the mailbox until it is received, however often it is peeked at; what is sent again may have
# been acknowledged in part.
_SENT = """
UPDATE delivery SET state = CASE WHEN state IN ('Dead', 'AcknowledgedPartly') THEN state ELSE 'Sent' END,
    sent_at = %(now)s, attempts = attempts + 1, message_id = %(message_id)s, object_id = %(object_id)s,
    body_digest = %(digest)s, last_error = NULL
WHERE id = %(id)s
"""
_CLEAR_PODS = "DELETE FROM delivery_pod WHERE delivery_id = %(id)s"
_INSERT_PODS = """
INSERT INTO delivery_pod (delivery_id, pod_id, value_count, consents, version, parts)
SELECT %(id)s, p.id, s.count, ARRAY(SELECT json_array_elements_text(s.consents::json)), s.version, s.parts
FROM unnest(%(pods)s::text[], %(counts)s::int[], %(consents)s::text[], %(versions)s::int[],
    %(parts)s::tstzmultirange[]) AS s(pod, count, consents, version, parts)
JOIN pod p ON p.pod = s.pod
"""
_CLEAR_AGGREGATES = "DELETE FROM delivery_aggregate WHERE delivery_id = %(id)s"
_INSERT_AGGREGATES = """
INSERT INTO delivery_aggregate (delivery_id, aggregation_id, value_count, pods, parts)
SELECT %(id)s, aggregation_id, count, pods, parts
FROM unnest(%(ids)s::text[], %(counts)s::int[], %(pods)s::int[], %(parts)s::tstzmultirange[])
    AS a(aggregation_id, count, pods, parts)
"""
_RECEIVED = """
UPDATE delivery SET received_at = %(now)s, state = CASE state WHEN 'Dead' THEN 'Sent' ELSE state END
WHERE id = %(id)s AND received_at IS NULL
"""
_CONFIRMED = """
UPDATE delivery SET received_at = %(now)s, state = CASE state WHEN 'Dead' THEN 'Sent' ELSE state END
WHERE message_id = %(message_id)s AND recipient_id = %(recipient_id)s AND sent_at IS NOT NULL AND received_at IS NULL
"""
_FAILED = """
UPDATE delivery SET state = CASE WHEN attempts + %(unsent)s >= %(most)s THEN 'Dead'
        WHEN state = 'AcknowledgedPartly' THEN state ELSE 'Retrying' END,
    attempts = attempts + %(unsent)s, last_error = %(error)s
WHERE id = %(id)s AND received_at IS NULL RETURNING state
"""
_WITHHELD = """
UPDATE delivery SET state = 'Dead', attempts = attempts + 1, last_error = %(error)s, received_at = %(now)s
WHERE id = %(id)s
"""

_BY_OBJECT = """
SELECT d.id, d.recipient_id, d.operation, lower(d.value_period) AS value_start, upper(d.value_period) AS value_end
FROM delivery d WHERE d.object_id = %(object_id)s FOR UPDATE
"""

# A message of the party that was answered, or else one that went, or is to go, to it.
_STATUS = """
SELECT 'Answered' AS state, e.at FROM exchange e WHERE e.sender = %(sender)s AND e.message_id = %(message_id)s
UNION ALL
SELECT d.state, d.sent_at FROM delivery d WHERE d.message_id = %(message_id)s AND d.recipient_id = %(party)s
"""


class Cause(StrEnum):
    """Why values are sent."""

    SCHEDULED = "Scheduled"
    CORRECTION = "Correction"
    REQUESTED = "Requested"
    """Asked for once more (RequestMissingValues)."""
    ANSWERED = "Answered"
    """In the reply to a request."""


@dataclass(frozen=True, slots=True)
class Values:
    """What a delivery of values is built from when it is sent: [start, end) UTC of an agreement.

    Of its PoDs in one time zone, or of all (None); of those named, or of all (None). `cause` says why they are sent.
    """

    agreement_id: str
    start: datetime
    end: datetime
    time_zone: str | None = None
    pods: tuple[str, ...] | None = None
    cause: Cause = Cause.SCHEDULED
    step: TimeStep | None = None
    """None: the agreement's."""


Parts = tuple[tuple[datetime, datetime], ...]
"""The parts [start, end) of a message's period that it has values of."""


class SentPod(NamedTuple):
    """Of a PoD in a message: how many values, the consents' ids that released them, the latest version among them.

    And of which parts of the message's period; None of all of it.
    """

    pod: str
    values: int
    consents: tuple[str, ...]
    version: int
    parts: Parts | None = None


class SentAggregate(NamedTuple):
    """Of an aggregate in a message: its AggregationId, how many values, how many PoDs behind it, and of which parts."""

    id: str
    values: int
    pods: int
    parts: Parts | None = None


class Sent(NamedTuple):
    """What is in a message of values: by PoD, of aggregates the PoDs behind them, and by aggregate."""

    pods: list[SentPod]
    aggregates: list[SentAggregate]


def queue(
    tx: Transaction, *, recipient_id: str, operation: str, object_id: str, what: bytes | Values, now: datetime,
    relates_to: str | None = None,
) -> UUID:  # fmt: skip
    """Store a delivery of an object's canonical XML, or of values yet to be released; the job is deferred elsewhere."""
    identifier = uuid4()
    values = what if isinstance(what, Values) else None
    tx.write(
        _INSERT, id=identifier, recipient_id=recipient_id, operation=operation,
        content=None if values else what, agreement_id=values and values.agreement_id,
        value_period=values and TimestamptzRange(values.start, values.end),
        time_zone=values and values.time_zone, pods=values and values.pods and list(values.pods),
        cause=values and values.cause.value, time_step=values and values.step and values.step.seconds,
        object_id=object_id, message_id=new_message_id(), relates_to=relates_to,
        now=now,
    )  # fmt: skip
    return identifier


def stranded(before: datetime) -> Query:
    """Deliveries from before this instant that could be pushed, but have no job: their party got an address since."""
    return Query(_STRANDED, {"before": before})


def locked(delivery_id: UUID) -> Query:
    """A delivery, locked until the transaction ends, with its agreement's quantity, time step (seconds) and service.

    The encoding is Compact where a selection of the agreement says so.
    """
    return Query(_LOCKED, {"id": delivery_id})


def oldest_waiting(recipient_id: str, operations: Iterable[str]) -> Query:
    """Id of the oldest delivery in a party's mailbox, of those that would be pushed by these operations."""
    return Query(_OLDEST, {"recipient_id": recipient_id, "operations": list(operations)})


def count_waiting(recipient_id: str, operations: Iterable[str]) -> Query:
    """How many such deliveries a party's mailbox holds."""
    return Query(_COUNT, {"recipient_id": recipient_id, "operations": list(operations)})


def mark_sent(
    tx: Transaction, delivery_id: UUID, *, message_id: str, object_id: str, digest: bytes | None,
    sent: Sent, now: datetime,
) -> None:  # fmt: skip
    """Sent, with what is in the message; `digest` is its Body's."""
    tx.write(_SENT, id=delivery_id, now=now, message_id=message_id, object_id=object_id, digest=digest)
    pods, groups = sent
    if pods:
        tx.write(_CLEAR_PODS, id=delivery_id)
        tx.write(
            _INSERT_PODS, id=delivery_id, pods=[one.pod for one in pods], counts=[one.values for one in pods],
            consents=[json.dumps(one.consents) for one in pods], versions=[one.version for one in pods],
            parts=[_multirange(one.parts) for one in pods],
        )  # fmt: skip
    if groups:
        tx.write(_CLEAR_AGGREGATES, id=delivery_id)
        tx.write(
            _INSERT_AGGREGATES, id=delivery_id, ids=[one.id for one in groups], counts=[one.values for one in groups],
            pods=[one.pods for one in groups], parts=[_multirange(one.parts) for one in groups],
        )  # fmt: skip


def store_answered(
    tx: Transaction, *, recipient_id: str, operation: str, object_id: str, what: Values,
    sent: Sent, now: datetime, relates_to: str,
) -> None:  # fmt: skip
    """Store values that a reply gives to the request `relates_to`: Sent and received, so that they are acknowledged."""
    identifier = queue(
        tx, recipient_id=recipient_id, operation=operation, object_id=object_id, what=what, now=now,
        relates_to=relates_to,
    )  # fmt: skip
    mark_sent(tx, identifier, message_id=new_message_id(), object_id=object_id, digest=None, sent=sent, now=now)
    mark_received(tx, identifier, now)


def mark_received(tx: Transaction, delivery_id: UUID, now: datetime) -> None:
    """The recipient gave its receipt."""
    tx.write(_RECEIVED, id=delivery_id, now=now)


def peeked(recipient_id: str, message_id: str) -> Query:
    """A row when this message was handed to this party."""
    return Query(
        "SELECT id FROM delivery WHERE message_id = %(message_id)s AND recipient_id = %(recipient_id)s "
        "AND sent_at IS NOT NULL",
        {"message_id": message_id, "recipient_id": recipient_id},
    )


def confirm(tx: Transaction, recipient_id: str, message_id: str, now: datetime) -> None:
    """The recipient took a message out of its mailbox."""
    tx.write(_CONFIRMED, recipient_id=recipient_id, message_id=message_id, now=now)


def mark_failed(tx: Transaction, delivery_id: UUID, error: str, most: int, *, sent: bool) -> bool:
    """An attempt failed: Retrying, or Dead after `most` attempts. Gives whether it is Dead.

    One that was not marked Sent has not been counted yet.
    """
    (rows,) = tx.read(Query(_FAILED, {"id": delivery_id, "error": error, "most": most, "unsent": 0 if sent else 1}))
    return any(row.state == "Dead" for row in rows)


def mark_withheld(tx: Transaction, delivery_id: UUID, why: str, now: datetime) -> None:
    """Nothing of it may be released any more: Dead, and out of the mailbox."""
    tx.write(_WITHHELD, id=delivery_id, error=why, now=now)


def by_object(object_id: str) -> Query:
    """The delivery that carried an object, locked."""
    return Query(_BY_OBJECT, {"object_id": object_id})


def status(message_id: str, sender: str, party: str) -> Query:
    """State of a message from this sender or to this party, and when it was answered or sent."""
    return Query(_STATUS, {"message_id": message_id, "sender": sender, "party": party})


def _multirange(parts: Parts | None) -> TimestamptzMultirange | None:
    return None if parts is None else TimestamptzMultirange(TimestamptzRange(start, end) for start, end in parts)

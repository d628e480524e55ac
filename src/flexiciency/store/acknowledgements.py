"""What Market Players say of the values in a delivery (IND-DAT-ACK, AGG-DAT-ACK), statement by statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.range import TimestamptzRange

from flexiciency.domain.acknowledgement import Standing, Statement
from flexiciency.domain.periods import Part
from flexiciency.store.transaction import Query, Row, Transaction

# Of an AGG-DAT-VAL the aggregates are acknowledged, not the PoDs behind them.
_SENT_PODS = """
SELECT p.pod AS source, p.id AS key, dp.parts, dp.status, dp.open
FROM delivery_pod dp JOIN pod p ON p.id = dp.pod_id WHERE dp.delivery_id = %(id)s ORDER BY p.pod
"""
_SENT_AGGREGATES = """
SELECT aggregation_id AS source, aggregation_id AS key, parts, status, open
FROM delivery_aggregate WHERE delivery_id = %(id)s ORDER BY aggregation_id
"""
_SAID = """
SELECT {key} AS key, lower(value_period) AS start, upper(value_period) AS "end", status, reason_code, status_at
FROM delivery_acknowledgement WHERE delivery_id = %(id)s AND {key} = ANY(%(keys)s) ORDER BY status_at, number
"""
_INSERT = """
INSERT INTO delivery_acknowledgement (delivery_id, {key}, value_period, status, reason_code, reason_text, status_at,
    received_at)
SELECT %(id)s, s.key, s.period, s.status, s.code, s.text, s.at, %(now)s
FROM unnest(%(keys)s::{type}[], %(periods)s::tstzrange[], %(statuses)s::text[], %(codes)s::text[], %(texts)s::text[],
    %(ats)s::timestamptz[]) WITH ORDINALITY AS s(key, period, status, code, text, at, number) ORDER BY s.number
"""
_UPDATE = """
UPDATE {table} t SET status = s.status, reason_code = s.code, open = s.open
FROM unnest(%(keys)s::{type}[], %(statuses)s::text[], %(codes)s::text[], %(open)s::boolean[])
    AS s(key, status, code, open)
WHERE t.delivery_id = %(id)s AND t.{key} = s.key
"""
# Acknowledged when all of it was spoken of; then it is not sent again, nor escalated.
_STATE = """
UPDATE delivery SET state = %(state)s, received_at = coalesce(received_at, %(now)s),
    acknowledged_at = CASE WHEN %(open)s THEN NULL ELSE %(now)s END,
    escalated_at = CASE WHEN %(open)s THEN escalated_at END
WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """What of a message is acknowledged one by one: where it is kept, and by what key."""

    sources: str
    table: str
    key: str
    type: str

    def sql(self, statement: str) -> str:
        """A statement about this kind."""
        return statement.format(table=self.table, key=self.key, type=self.type)


PODS = Kind(_SENT_PODS, "delivery_pod", "pod_id", "bigint")
AGGREGATES = Kind(_SENT_AGGREGATES, "delivery_aggregate", "aggregation_id", "text")


@dataclass(frozen=True, slots=True)
class Said:
    """A statement as it was made: at what time it was so, and the text of a KO's reason."""

    statement: Statement
    at: datetime
    reason_text: str | None = None


def sources(kind: Kind, delivery_id: UUID) -> Query:
    """PoDs or aggregates that a delivery of values carried: `source`, `key`, `parts`, `status` and whether `open`."""
    return Query(kind.sources, {"id": delivery_id})


def parts_of(row: Row, period: Part) -> list[Part]:
    """Of which parts of a message's period a row of `sources` has values."""
    return [period] if row.parts is None else [(part.lower, part.upper) for part in row.parts]


def said(tx: Transaction, kind: Kind, delivery_id: UUID, keys: Sequence[Any]) -> dict[Any, list[Said]]:
    """What was said of these before, by key, in the order in which it counts."""
    (rows,) = tx.read(Query(kind.sql(_SAID), {"id": delivery_id, "keys": list(keys)}))
    found: dict[Any, list[Said]] = {}
    for row in rows:
        period = None if row.start is None else (row.start, row.end)
        found.setdefault(row.key, []).append(
            Said(Statement(row.status == "OK", period, row.reason_code), row.status_at)
        )
    return found


def store(
    tx: Transaction, kind: Kind, delivery_id: UUID, new: Sequence[tuple[Any, Said]], standings: Mapping[Any, Standing],
    state: str, now: datetime, *, still_open: bool,
) -> None:  # fmt: skip
    """Keep new statements, by key, how the PoDs or aggregates concerned stand by them, and the delivery's state."""
    tx.write(
        kind.sql(_INSERT), id=delivery_id, now=now, keys=[key for key, _ in new],
        periods=[one.statement.period and TimestamptzRange(*one.statement.period) for _, one in new],
        statuses=["OK" if one.statement.accepted else "KO" for _, one in new],
        codes=[one.statement.reason_code for _, one in new], texts=[one.reason_text for _, one in new],
        ats=[one.at for _, one in new],
    )  # fmt: skip
    tx.write(
        kind.sql(_UPDATE), id=delivery_id, keys=list(standings), statuses=[one.status for one in standings.values()],
        codes=[one.reason_code for one in standings.values()], open=[bool(one.open) for one in standings.values()],
    )  # fmt: skip
    tx.write(_STATE, id=delivery_id, state=state, now=now, open=still_open)

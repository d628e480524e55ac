"""Meter values into their blocks: one row a PoD, quantity, local day and version. The way out is `store.release`.

`values` are int32, little endian, in zlib; `qualities` one byte a value, absent when all are Measured. Nothing is
overwritten: a correction is a new version, and the latest is what is read. First versions are 1; corrections of one
transaction share the next number of all, so that of two messages with a value the one of the higher version is right.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.sql import SQL, Identifier, Literal

from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.domain.values import Block
from flexiciency.errors import ReferenceUnknown
from flexiciency.store.transaction import Query, Transaction

QUANTITY_CODES = {Quantity.ENERGY_CONSUMPTION: 1, Quantity.ENERGY_GENERATION: 2, Quantity.POWER: 3}
"""As stored; never renumber."""

STEPS = {step.seconds: step for step in TimeStep}

PARTITION_LOCK = 0x4D4F4E54
"""Of the advisory lock under which one transaction adds partitions ("MONT")."""

_COPY = SQL(
    "COPY meter_value_block (pod_id, quantity, day, version, start, step, count, values, qualities) "
    "FROM STDIN (FORMAT BINARY)"
)
_TYPES = ("int8", "int2", "date", "int4", "timestamptz", "int4", "int4", "bytea", "bytea")

STORING = 0x53544F52
"""Of the advisory lock under which blocks are compared and stored ("STOR"): versions then follow the commits."""

_STORED = """
SELECT DISTINCT ON (k.number) k.number, b.start, b.step, b.values, b.qualities, b.stored_at >= %s
FROM unnest(%b::int8[], %b::int2[], %b::date[]) WITH ORDINALITY AS k(pod_id, quantity, day, number)
JOIN meter_value_block b ON b.pod_id = k.pod_id AND b.quantity = k.quantity AND b.day = k.day
ORDER BY k.number, b.version DESC
"""
_CHANGED = """
INSERT INTO value_day AS d (quantity, day, changes) SELECT quantity, day, 1
FROM (SELECT DISTINCT * FROM unnest(%b::int2[], %b::date[]) AS b(quantity, day)) changed ORDER BY quantity, day
ON CONFLICT (quantity, day) DO UPDATE SET changes = d.changes + 1
"""
_CORRECTED = """
INSERT INTO value_correction (pod_id, quantity, day, version)
SELECT *, %s FROM unnest(%s::int8[], %s::int2[], %s::date[])
"""
# "Above 1" as a constant too: so that the index of corrections is known to do.
_CORRECTED_SINCE = """
SELECT p.pod, max(b.version) AS version FROM meter_value_block b JOIN pod p ON p.id = b.pod_id
WHERE b.quantity = %(quantity)s AND b.day = %(day)s AND b.version > %(version)s AND b.version > 1
GROUP BY p.pod
"""

# Missing is quality code 4.
_DAYS = """
SELECT k.pod_id, b.start, b.step, b.count, b.version, CASE WHEN position('\\x04'::bytea IN b.qualities) > 0 THEN
    ARRAY(SELECT i FROM generate_series(0, b.count - 1) AS i WHERE get_byte(b.qualities, i) = 4) END AS missing
FROM unnest(%(pod_ids)s::int8[]) AS k(pod_id)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (m.day) m.start, m.step, m.count, m.version, m.qualities FROM meter_value_block m
    WHERE m.pod_id = k.pod_id AND m.quantity = %(quantity)s AND m.day >= %(first)s AND m.day < %(end)s
    ORDER BY m.day, m.version DESC
) b
WHERE b.step <= %(step)s AND %(step)s %% b.step = 0
"""


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """Places of a block whose values were not stored, and the time step that its day has in the store."""

    places: NDArray[np.intp]
    step: TimeStep


@dataclass(frozen=True, slots=True)
class Stored:
    """How many blocks were stored for the first time, how many as a correction, and how many were there already.

    `refused` says by the number of the block which values were not stored.
    """

    new: int
    corrected: int
    known: int
    refused: Mapping[int, Refused] = field(default_factory=dict)


def store_blocks(tx: Transaction, blocks: Sequence[Block], *, since: datetime | None = None) -> Stored:
    """Store blocks, a few thousand at most; what a block says already is not stored again. Versions are given here.

    A Missing value replaces none: the one that is stored stays in the new version. Refused are the values of a block
    on another grid than the stored one (step, or the PoD's time zone) that lacks any, and, with `since`, those that
    contradict what was stored since then: it came from the same source.

    Others wait until the transaction ends. Raises ReferenceUnknown for a PoD that is not there, ValueError for two
    blocks of one PoD, quantity and day.
    """
    tx.begin()
    below = tx.driver
    numbers = _pod_ids(below, {block.pod for block in blocks})
    rows = [_row(block, numbers[block.pod]) for block in blocks]
    keys = [row[:3] for row in rows]
    if len(set(keys)) < len(keys):
        raise ValueError("two blocks of one PoD, quantity and day")
    below.execute("SELECT pg_advisory_xact_lock(%s)", (STORING,))
    add_partitions(below, (block.day for block in blocks))
    there = {row[0] - 1: row[1:] for row in below.execute(_STORED, [since, *_columns(keys)], binary=True)}
    new = [row for number, row in enumerate(rows) if number not in there]
    differing, refused = [], {}
    for number, stored in there.items():
        if not _is_said(rows[number], stored):
            block, places = _completed(blocks[number], stored)
            row = _row(block, rows[number][0])
            if not _is_said(row, stored):
                differing.append(row)
            if len(places):
                refused[number] = Refused(places, STEPS[stored[1]])
    version = _next_version(below) if differing else 1
    with below.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for row in new:
            copy.write_row((*row[:3], 1, *row[4:]))
        for row in differing:
            copy.write_row((*row[:3], version, *row[4:]))
    if changed := [row[1:3] for row in (*new, *differing)]:
        below.execute(_CHANGED, [list(column) for column in zip(*changed, strict=True)])
    if differing:
        below.execute(_CORRECTED, [version, *_columns([row[:3] for row in differing])])
    return Stored(len(new), len(differing), len(rows) - len(new) - len(differing), refused)


def stored_days(pod_ids: Sequence[int], quantity: Quantity, step: TimeStep, start: date, end: date) -> Query:
    """Of the local days [start, end) of these PoDs, which intervals are stored, and none of their values.

    Each block by its latest version, with the numbers of its intervals that are Missing; those of a step that `step`
    can be made of.
    """
    return Query(
        _DAYS,
        {
            "pod_ids": list(pod_ids), "quantity": QUANTITY_CODES[quantity], "step": step.seconds, "first": start,
            "end": end,
        },
    )  # fmt: skip


def corrected_since(quantity: Quantity, day: date, version: int) -> Query:
    """PoDs of which a local day was corrected since this version, and by which one last."""
    return Query(_CORRECTED_SINCE, {"quantity": QUANTITY_CODES[quantity], "day": day, "version": version})


def arrays_of(values: bytes, qualities: bytes | None) -> tuple[NDArray[np.int32], NDArray[np.uint8] | None]:
    """A row's values (Wh or W) and quality codes as read-only arrays."""
    return _decoded(values, qualities)


def _decoded(values: bytes, qualities: bytes | None) -> tuple[NDArray[np.int32], NDArray[np.uint8] | None]:
    codes = None if qualities is None else np.frombuffer(qualities, dtype=np.uint8)
    return np.frombuffer(zlib.decompress(values), dtype="<i4"), codes


def add_partitions(below: psycopg.Connection[Any], days: Iterable[date]) -> None:
    """Makes the monthly partitions that these days need and that are missing, in this transaction.

    Attached, not created in place: readers and writers of other months go on meanwhile.
    """
    months = sorted({day.replace(day=1) for day in set(days)})
    if not any(_missing(below, month) for month in months):
        return
    below.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
    for month in months:
        if _missing(below, month):  # nobody made it while we waited for the lock
            name, parent = Identifier(_partition(month)), Identifier("meter_value_block")
            below.execute(SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING STORAGE)").format(name, parent))
            below.execute(
                SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                    parent, name, Literal(month), Literal(_next(month))
                )
            )


def _row(block: Block, pod_id: int) -> tuple[Any, ...]:
    values = block.values.astype("<i4", casting="safe")
    measured = block.qualities is None or not block.qualities.any()
    return (
        pod_id,
        QUANTITY_CODES[block.quantity],
        block.day,
        block.version,
        block.start,
        block.step.seconds,
        len(values),
        zlib.compress(values.tobytes(), 1),
        None if measured or block.qualities is None else block.qualities.astype(np.uint8, casting="safe").tobytes(),
    )


def _columns(keys: list[tuple[Any, ...]]) -> list[list[Any]]:
    """PoD ids, quantities and days."""
    return [[key[column] for key in keys] for column in range(3)]


def _is_said(row: tuple[Any, ...], stored: tuple[Any, ...]) -> bool:
    """Whether a stored block says what the row says: start, step, values and qualities."""
    (start, step, _, values, qualities), (start_there, step_there, values_there, qualities_there, _) = row[4:], stored
    same = start == start_there and step == step_there and qualities == qualities_there
    # Bytes first: the same values may have been compressed otherwise, by another release of zlib.
    return same and (values == values_there or zlib.decompress(values) == zlib.decompress(values_there))


def _completed(block: Block, stored: tuple[Any, ...]) -> tuple[Block, NDArray[np.intp]]:
    """The block with what is to stay of the stored one, and the places of values that are refused."""
    start, step, packed, packed_qualities, recent = stored
    values, qualities = _decoded(packed, packed_qualities)  # to compare with, not to give away
    lacking = _qualities(block.qualities, block) == Quality.MISSING
    if (start, step, len(values)) != (block.start, block.step.seconds, len(block.values)):
        if not recent and not lacking.any():
            return block, np.empty(0, dtype=np.intp)
        there = replace(block, start=start, step=STEPS[step], values=values, qualities=qualities)
        return there, np.flatnonzero(~lacking)
    ours, theirs = _qualities(block.qualities, block), _qualities(qualities, block)
    other = (block.values != values) | (ours != theirs)
    contradicting = other & ~lacking & (theirs != Quality.MISSING) & bool(recent)
    stays = lacking | contradicting
    merged = replace(block, values=np.where(stays, values, block.values), qualities=np.where(stays, theirs, ours))
    return merged, np.flatnonzero(contradicting)


def _qualities(codes: NDArray[np.uint8] | None, block: Block) -> NDArray[np.uint8]:
    return np.zeros(len(block.values), dtype=np.uint8) if codes is None else codes


def _next_version(below: psycopg.Connection[Any]) -> int:
    (number,) = below.execute("SELECT nextval('meter_value_version')").fetchone() or (0,)
    return int(number)


def _pod_ids(below: psycopg.Connection[Any], pods: set[str]) -> dict[str, int]:
    found = dict(below.execute("SELECT pod, id FROM pod WHERE pod = ANY(%b)", (list(pods),)).fetchall())
    if unknown := sorted(pods - found.keys()):
        raise ReferenceUnknown(f"No PoD {unknown[0]} here ({len(unknown)} of {len(pods)} unknown).")
    return found


def _missing(below: psycopg.Connection[Any], month: date) -> bool:
    row = below.execute("SELECT to_regclass(%s) IS NULL", (_partition(month),)).fetchone()
    return row is not None and bool(row[0])


def _partition(month: date) -> str:
    return f"meter_value_block_{month:%Y_%m}"


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)

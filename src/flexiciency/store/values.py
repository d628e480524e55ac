"""Meter values into their blocks: one row a PoD, quantity, local day and version. The way out is `store.release`.

`values` are int32, little endian, in zlib; `qualities` one byte a value, absent when all are Measured. Nothing is
overwritten: a correction is a new version, and the latest is what is read.
"""

import zlib
from collections.abc import Iterable
from datetime import date
from itertools import islice
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.sql import SQL, Identifier, Literal
from sqlalchemy import Connection

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.values import Block
from flexiciency.errors import ReferenceUnknown
from flexiciency.store.database import driver

QUANTITY_CODES = {Quantity.ENERGY_CONSUMPTION: 1, Quantity.ENERGY_GENERATION: 2, Quantity.POWER: 3}
"""As stored; never renumber."""

STEPS = {step.seconds: step for step in TimeStep}

WRITTEN_AT_ONCE = 5_000
"""Blocks: about 1 MB."""

PARTITION_LOCK = 0x4D4F4E54
"""Of the advisory lock under which one transaction adds partitions ("MONT")."""

_COPY = SQL(
    "COPY meter_value_block (pod_id, quantity, day, version, start, step, count, values, qualities) "
    "FROM STDIN (FORMAT BINARY)"
)
_TYPES = ("int8", "int2", "date", "int4", "timestamptz", "int4", "int4", "bytea", "bytea")


def write_blocks(connection: Connection, blocks: Iterable[Block]) -> int:
    """Copies blocks in, in portions, and adds the partitions of their months. Gives their number.

    Raises ReferenceUnknown for a PoD that is not there; a version that is there already breaks the primary key.
    """
    below, waiting, written = driver(connection), iter(blocks), 0
    while portion := list(islice(waiting, WRITTEN_AT_ONCE)):
        add_partitions(connection, (block.day for block in portion))
        numbers = _pod_ids(below, {block.pod for block in portion})
        with below.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for block in portion:
                copy.write_row(_row(block, numbers[block.pod]))
        written += len(portion)
    return written


def arrays_of(values: bytes, qualities: bytes | None) -> tuple[NDArray[np.int32], NDArray[np.uint8] | None]:
    """A row's values (Wh or W) and quality codes as read-only arrays."""
    codes = None if qualities is None else np.frombuffer(qualities, dtype=np.uint8)
    return np.frombuffer(zlib.decompress(values), dtype="<i4"), codes


def add_partitions(connection: Connection, days: Iterable[date]) -> None:
    """Makes the monthly partitions that these days need and that are missing, in this transaction.

    Attached, not created in place: readers and writers of other months go on meanwhile.
    """
    below = driver(connection)
    months = sorted({day.replace(day=1) for day in days})
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


def _pod_ids(below: psycopg.Connection[Any], pods: set[str]) -> dict[str, int]:
    found = dict(below.execute("SELECT pod, id FROM pod WHERE pod = ANY(%s)", (list(pods),)).fetchall())
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

"""Blocks of values into the database under versions of the test's choosing, and back out past the release rule."""

from collections.abc import Iterable

from sqlalchemy import Connection

from flexiciency.domain.values import Block
from flexiciency.store.database import driver
from flexiciency.store.values import _CHANGED, _COPY, _TYPES, QUANTITY_CODES, _pod_ids, _row, add_partitions


def write_blocks(connection: Connection, blocks: Iterable[Block]) -> None:
    """Copies blocks in as they are; a version that is there already breaks the primary key."""
    below, written = driver(connection), list(blocks)
    if not written:
        return
    add_partitions(below, (block.day for block in written))
    numbers = _pod_ids(below, {block.pod for block in written})
    with below.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for block in written:
            copy.write_row(_row(block, numbers[block.pod]))
    days = [(QUANTITY_CODES[block.quantity], block.day) for block in written]
    below.execute(_CHANGED, [list(column) for column in zip(*days, strict=True)])

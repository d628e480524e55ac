"""What all changes of the Market Place share: one lock, and the numbers by which the directory is read and pushed.

An object of the directory is what a Market Player must know of others: MPL-REG, MPL-DES, MPL-ADD, MPL-AUT, MKP-SRV-DES
and B2B-SRV-SUB.
"""

from collections.abc import Iterable
from typing import Literal

from psycopg.errors import LockNotAvailable

from flexiciency.errors import Unavailable
from flexiciency.store.transaction import Query, Transaction

Kind = Literal["MPL-REG", "MPL-DES", "MPL-ADD", "MPL-AUT", "MKP-SRV-DES", "B2B-SRV-SUB"]

EVERYBODY = ""
"""The reader of what is not for one registration alone."""

LOCK = 0x4D4B5450
"""Of the advisory lock under which the Market Place changes ("MKTP")."""

MOST_WAIT = 5_000
"""Milliseconds that a change waits for the others."""

_CHANGED = """
INSERT INTO directory_change (kind, object_id, reader_id, number)
SELECT %(kind)s, %(object_id)s, reader, nextval('directory_number') FROM unnest(%(readers)s::text[]) AS r(reader)
ON CONFLICT (kind, object_id, reader_id) DO UPDATE SET number = EXCLUDED.number
"""

# Each half from the index by reader: by number alone, what is for others only would be stepped over again and again.
_CHANGES = """
SELECT number, kind, object_id FROM (
    (SELECT number, kind, object_id FROM directory_change
     WHERE reader_id = '' AND number > %(after)s ORDER BY number LIMIT %(limit)s)
    UNION ALL
    (SELECT number, kind, object_id FROM directory_change
     WHERE reader_id = %(reader)s AND number > %(after)s ORDER BY number LIMIT %(limit)s)) AS change
ORDER BY number LIMIT %(limit)s
"""


def lock(tx: Transaction) -> None:
    """Hold off every other change of the Market Place until the transaction ends.

    So two publications at once cannot miss each other, and changes are numbered in the order of their commits.
    Raises Unavailable after `MOST_WAIT`. Until it ends, the transaction waits no longer than that for any other lock
    either: others hold rows for one change at most, never as long as this.
    """
    wait = Query("SELECT set_config('lock_timeout', %(wait)s, true)", {"wait": str(MOST_WAIT)})
    try:
        tx.read(wait, Query("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": LOCK}))
    except LockNotAvailable as error:
        raise Unavailable(
            f"The Market Place was busy with other changes for {MOST_WAIT / 1000:g} seconds. Send the same message "
            "again later."
        ) from error


def changed(tx: Transaction, kind: Kind, object_id: str, readers: Iterable[str] = (EVERYBODY,)) -> None:
    """Give an object of the directory its next number, for these readers. The lock must be held."""
    tx.write(_CHANGED, kind=kind, object_id=object_id, readers=sorted(set(readers)))


def changes(reader_id: str, after: int, limit: int) -> Query:
    """Rows number, kind and object_id of what this reader has not read yet, the oldest change first."""
    return Query(_CHANGES, {"reader": reader_id, "after": after, "limit": limit})

"""Imports of values: how far each source has come, so that one that was stopped goes on where it was."""

from dataclasses import dataclass
from datetime import datetime

from flexiciency.store.transaction import Query, Row, Transaction
from flexiciency.store.values import Stored

_LATEST = "SELECT * FROM value_import WHERE digest = %(digest)s ORDER BY id DESC LIMIT 1"
_BEGIN = """
INSERT INTO value_import (name, size, modified, digest, position, new, corrected, known, rejected, started_at)
VALUES (%(name)s, %(size)s, %(modified)s, %(digest)s, 0, 0, 0, 0, 0, clock_timestamp()) RETURNING *
"""
# Where another process has gone on with the same import, its position is another one, and no row is changed.
_ADVANCE = """
UPDATE value_import SET position = %(position)s, new = new + %(new)s, corrected = corrected + %(corrected)s,
    known = known + %(known)s, rejected = rejected + %(rejected)s,
    ended_at = CASE WHEN %(ended)s THEN clock_timestamp() END
WHERE id = %(id)s AND position = %(before)s AND ended_at IS NULL RETURNING *
"""
_LIST = "SELECT * FROM value_import ORDER BY id DESC LIMIT %(limit)s"


@dataclass(frozen=True, slots=True)
class Named:
    """A source of values; `digest` says what its content is and how it is read. Size in bytes."""

    name: str
    digest: bytes
    size: int | None = None
    modified: datetime | None = None


def latest(digest: bytes) -> Query:
    """The last import of this content, if any."""
    return Query(_LATEST, {"digest": digest})


def begin(tx: Transaction, source: Named) -> Row:
    """A new import, its row as stored."""
    asked = {"name": source.name, "size": source.size, "modified": source.modified, "digest": source.digest}
    ((row,),) = tx.read(Query(_BEGIN, asked))
    return row


def advance(tx: Transaction, row: Row, position: int, stored: Stored, rejected: int, *, ended: bool) -> Row | None:
    """The import's row after one more portion; None when another process has gone on with it meanwhile."""
    asked = {
        "id": row.id, "before": row.position, "position": position, "new": stored.new, "corrected": stored.corrected,
        "known": stored.known, "rejected": rejected, "ended": ended,
    }  # fmt: skip
    (rows,) = tx.read(Query(_ADVANCE, asked))
    return rows[0] if rows else None


def listed(limit: int) -> Query:
    """Imports, the newest first."""
    return Query(_LIST, {"limit": limit})

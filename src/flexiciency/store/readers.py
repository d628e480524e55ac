"""Who is pushed the directory, and how far: providers with an address (MPL-ADD), which keep a copy of it."""

from flexiciency.store.transaction import Query, Transaction

# What was there before a provider came it reads by itself: it is pushed from that change on which made it a part of the
# directory.
_START = """
coalesce((SELECT c.number - 1 FROM directory_change c WHERE c.kind = 'MPL-REG' AND c.object_id = r.id), 0)
"""

_BEHIND = f"""
SELECT r.id FROM market_player_registration r LEFT JOIN directory_reader d ON d.registration_id = r.id
WHERE r.status = 'Active' AND r.role <> 'UnregulatedDataRequester' AND r.id IS DISTINCT FROM %(own_id)s
  AND EXISTS (SELECT FROM market_player_location l WHERE l.registration_id = r.id)
  AND coalesce(d.pushed_until, {_START}) < greatest(
      (SELECT max(c.number) FROM directory_change c WHERE c.reader_id = ''),
      (SELECT max(c.number) FROM directory_change c WHERE c.reader_id = r.id))
  AND NOT EXISTS (SELECT FROM delivery p WHERE p.recipient_id = r.id AND p.operation = 'ReceiveDirectoryChanges'
                  AND p.state = 'Retrying' AND p.received_at IS NULL)
ORDER BY r.id
"""  # noqa: S608  constants

_BEGIN = f"""
INSERT INTO directory_reader (registration_id, pushed_until)
SELECT r.id, {_START} FROM market_player_registration r WHERE r.id = %(id)s ON CONFLICT DO NOTHING
"""  # noqa: S608  constants
_CLAIM = "SELECT pushed_until FROM directory_reader WHERE registration_id = %(id)s FOR UPDATE"
_MOVE = "UPDATE directory_reader SET pushed_until = %(until)s WHERE registration_id = %(id)s"

_WAITING = "SELECT id FROM procrastinate_jobs WHERE status = 'todo' AND task_name = %(task)s LIMIT 1"


def waiting(task: str) -> Query:
    """A row where a job of this task waits to begin."""
    return Query(_WAITING, {"task": task})


def behind(own_id: str | None) -> Query:
    """Ids of the providers, our own registration apart, that have not been pushed the latest changes.

    Those to whom a push is being retried are left out.
    """
    return Query(_BEHIND, {"own_id": own_id})


def claim(tx: Transaction, registration_id: str) -> int:
    """Up to which change the directory was pushed to a provider; locked until the transaction ends."""
    tx.write(_BEGIN, id=registration_id)
    tx.flush()
    (rows,) = tx.read(Query(_CLAIM, {"id": registration_id}))
    until: int = rows[0].pushed_until
    return until


def move(tx: Transaction, registration_id: str, until: int) -> None:
    """The directory is being pushed to a provider up to this change."""
    tx.write(_MOVE, id=registration_id, until=until)

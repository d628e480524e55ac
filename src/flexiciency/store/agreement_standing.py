"""Which agreements stand and which are Suspended, as consents and holders change (SRV-ACT-AGR, CUS-CON-*).

The rows of PoDs are the lock: who changes the consents or holders of a PoD takes it alone, who makes an agreement
shares it, and each looks at what is stored only then. A release takes none of these: it locks its agreement, then
consents, so that who revokes locks the agreements concerned before the consents.
"""

from collections.abc import Iterable

from flexiciency.domain.agreement import AgreementStatus, standing
from flexiciency.store.transaction import Query, Transaction

_CHANGE = "SELECT FROM pod WHERE pod = ANY(%(pods)s) ORDER BY id FOR NO KEY UPDATE"
_SHARE = "SELECT FROM pod WHERE pod = ANY(%(pods)s) ORDER BY id FOR SHARE"
_LOCK = """
SELECT g.id FROM agreement g
WHERE g.status = ANY(%(statuses)s) AND g.id IN (
    SELECT gp.agreement_id FROM agreement_pod gp JOIN pod p ON p.id = gp.pod_id WHERE p.pod = ANY(%(pods)s))
  AND (%(requester_id)s::text IS NULL OR g.requester_id = %(requester_id)s)
ORDER BY g.id FOR NO KEY UPDATE
"""
_LOCK_IMPORTED = """
SELECT g.id FROM agreement g
WHERE g.status IN ('Validated', 'Suspended') AND g.id IN (
    SELECT gp.agreement_id FROM staged_pod s JOIN pod p ON p.pod = s.pod JOIN agreement_pod gp ON gp.pod_id = p.id)
ORDER BY g.id FOR NO KEY UPDATE
"""
_STANDING = """
SELECT g.id, g.status, EXISTS (SELECT FROM agreement_coverage v WHERE v.agreement_id = g.id) AS covered
FROM agreement g WHERE g.id = ANY(%(ids)s)
"""
# An agreement that was made since has had no day looked at yet.
_MORE = """
INSERT INTO agreement_more (agreement_id, pod_id)
SELECT g.id, gp.pod_id FROM pod p JOIN agreement_pod gp ON gp.pod_id = p.id JOIN agreement g ON g.id = gp.agreement_id
WHERE p.pod = ANY(%(pods)s) AND g.requester_id = %(requester_id)s AND g.validation_date IS NOT NULL
"""
_SET = "UPDATE agreement SET status = %(status)s WHERE id = %(id)s"


def change_pods(pods: Iterable[str]) -> Query:
    """Nobody else changes consents or holders of these PoDs, or agrees on them, until the transaction ends."""
    return Query(_CHANGE, {"pods": list(pods)})


def share_pods(pods: Iterable[str]) -> Query:
    """Nobody changes consents or holders of these PoDs until the transaction ends."""
    return Query(_SHARE, {"pods": list(pods)})


def lock(pods: Iterable[str], requester_id: str | None = None, *, suspended_only: bool = False) -> Query:
    """Lock the agreements on any of these PoDs, with one requester or all, whose state may follow; rows with their ids.

    What only adds to consents concerns those that are Suspended, and waits for no release.
    """
    statuses = ["Suspended"] if suspended_only else ["Validated", "Suspended"]
    return Query(_LOCK, {"pods": list(pods), "requester_id": requester_id, "statuses": statuses})


def lock_imported() -> Query:
    """As `lock`, of the PoDs that `store.pods.store_staged` has stored in this transaction."""
    return Query(_LOCK_IMPORTED, {})


def note_more(tx: Transaction, pods: Iterable[str], requester_id: str) -> None:
    """More may leave of these PoDs to a requester: days that were delivered already are looked at again."""
    tx.write(_MORE, pods=list(pods), requester_id=requester_id)


def settle(tx: Transaction, locked: Iterable[str]) -> list[str]:
    """Suspend or resume what is locked, as what is stored by now demands; ids of those that changed."""
    ids = list(locked)
    if not ids:
        return []
    tx.flush()
    (rows,) = tx.read(Query(_STANDING, {"ids": ids}))
    changed = []
    for row in rows:
        now = standing(AgreementStatus(row.status), covered=row.covered)
        if now != row.status:
            tx.write(_SET, id=row.id, status=now)
            changed.append(row.id)
    tx.flush()
    return changed

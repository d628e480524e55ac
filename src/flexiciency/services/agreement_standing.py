"""Agreements follow the consents: Suspended when the last one goes, Validated again with the next (SRV-ACT-AGR)."""

from collections.abc import Iterable
from datetime import datetime

from flexiciency.delivery.outbox import Outbox
from flexiciency.services.agreement_object import written_agreement
from flexiciency.services.replies import PLAYER
from flexiciency.soap.spyne_service import written
from flexiciency.store import agreement_standing, agreements
from flexiciency.store.transaction import Row, Transaction

_PUSH = "ReceiveServiceActivationAgreement"


def settle(tx: Transaction, locked: Iterable[Row], now: datetime) -> None:
    """Settle what `store.agreement_standing.lock` locked, and tell the requesters of what changed."""
    for agreement_id in agreement_standing.settle(tx, (row.id for row in locked)):
        tell(tx, agreement_id, now)


def tell(tx: Transaction, agreement_id: str, now: datetime) -> None:
    """SRV-ACT-AGR as it stands, to its requester."""
    tx.flush()
    (rows,) = tx.look_up(agreements.stored(agreement_id))
    (row,) = rows
    pushed = written(written_agreement(PLAYER, row))
    Outbox().push_object(tx, row.requester_id, _PUSH, pushed, agreement_id, now)

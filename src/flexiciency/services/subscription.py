"""B2B-SRV-SUB: found and read by its two parties, who validate or decline it (D2.3, 2.3)."""

from collections.abc import Callable
from typing import Any

from flexiciency.delivery import service_objects
from flexiciency.domain.subscription import State, SubscriptionMoveRefused, declined, validated
from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.services.exchange import transaction_of
from flexiciency.services.matching import Matching
from flexiciency.services.pages import PAGE_SIZE, cut
from flexiciency.services.replies import MARKET_PLACE
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler
from flexiciency.store import market, subscriptions
from flexiciency.store.subscriptions import Pair
from flexiciency.store.transaction import Row


class SubscriptionService:
    """What provider and requester do with what was matched for them."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching

    @property
    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "FindB2BServiceSubscriptions": self._find,
            "ReadB2BServiceSubscription": self._read,
            "ValidateB2BServiceSubscription": self._validate,
            "DeclineB2BServiceSubscription": self._decline,
        }

    def _find(self, call: Call, message: Any) -> Any:
        """The caller's own, by id, page by page."""
        size = message.PageSize or PAGE_SIZE
        (rows,) = transaction_of(call).look_up(
            subscriptions.of_party(
                call.speaker.id, provider_id=message.Provider, requester_id=message.Requester, status=message.Status,
                after=message.Cursor or "", limit=size + 1,
            )
        )  # fmt: skip
        _, cursor = cut([row.id for row in rows], size)
        return MARKET_PLACE.FindB2BServiceSubscriptionsResponse(
            B2BServiceSubscription=[service_objects.b2b(MARKET_PLACE, row) for row in rows[:size]],
            NextCursor=cursor,
        )

    def _read(self, call: Call, message: Any) -> Any:
        """One of the caller's own. Raises ReferenceUnknown."""
        row = _own(call, message.B2BServiceSubscriptionId)
        return MARKET_PLACE.ReadB2BServiceSubscriptionResponse(
            B2BServiceSubscription=service_objects.b2b(MARKET_PLACE, row)
        )

    def _validate(self, call: Call, message: Any) -> Any:
        """The caller validates the version it names, or the latest. Raises ReferenceUnknown, StateConflict."""

        def move(state: State, pair: Pair) -> State:
            if message.Version not in (None, state.version):
                raise SubscriptionMoveRefused(f"It has version {state.version} by now, not {message.Version}; read it.")
            return validated(state, call.speaker.id, frozenset((pair.provider_id, pair.requester_id)))

        row = self._moved(call, message.B2BServiceSubscriptionId, move)
        return MARKET_PLACE.ValidateB2BServiceSubscriptionResponse(
            B2BServiceSubscription=service_objects.b2b(MARKET_PLACE, row)
        )

    def _decline(self, call: Call, message: Any) -> Any:
        """The caller declines. Raises ReferenceUnknown, StateConflict."""
        row = self._moved(call, message.B2BServiceSubscriptionId, lambda state, _pair: declined(state, call.speaker.id))
        return MARKET_PLACE.DeclineB2BServiceSubscriptionResponse(
            B2BServiceSubscription=service_objects.b2b(MARKET_PLACE, row)
        )

    def _moved(self, call: Call, b2b_id: str, move: Callable[[State, Pair], State]) -> Row:
        """The caller's own after a move, of which both parties are told."""
        tx = transaction_of(call)
        market.lock(tx)
        row = _own(call, b2b_id)
        before, pair = subscriptions.state_of(row), Pair(row.provider_id, row.requester_id)
        try:
            after = move(before, pair)
        except SubscriptionMoveRefused as refused:
            raise StateConflict(f"{b2b_id}: {refused}", path=_path(call)) from None
        if after == before:
            return row
        subscriptions.move(tx, after, pair, call.now)
        self._matching.tell(tx, [b2b_id], call.now)
        return _own(call, b2b_id)


def _own(call: Call, b2b_id: str) -> Row:
    """One of which the caller is a party. Raises ReferenceUnknown."""
    (rows,) = transaction_of(call).look_up(subscriptions.b2b_subscriptions([b2b_id]))
    if not rows or call.speaker.id not in (rows[0].provider_id, rows[0].requester_id):
        raise ReferenceUnknown(
            f"There is no B2B service subscription {b2b_id} of {call.speaker.id} here. "
            "FindB2BServiceSubscriptions shows yours.",
            path=_path(call),
        )
    return rows[0]


def _path(call: Call) -> str:
    return f"{call.operation.name}/B2BServiceSubscriptionId"

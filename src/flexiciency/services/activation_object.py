"""DSO-CNF and USP-CNF from what was decided (D2.3, 2.5)."""

from types import SimpleNamespace
from typing import Any

from flexiciency.domain.activation import ActivationDecision
from flexiciency.services.replies import reason_of, refused_of
from flexiciency.services.selection_object import written_choice


def dso_confirmation(
    types: SimpleNamespace, confirmation_id: str, request_id: str, service_id: str, decision: ActivationDecision,
    selection_id: str | None,
) -> Any:  # fmt: skip
    """DSO-CNF; `selection_id` is that of the request's selection."""
    served = decision.selection
    return types.DsoServiceActivationConfirmation(
        Id=confirmation_id,
        DsoServiceActivationRequestRef=request_id,
        Status=decision.status.value,
        PoD=list(decision.confirmed),
        RefusedPoD=[refused_of(types, refused) for refused in decision.refused],
        Reason=reason_of(types, decision.reason),
        Selection=served and written_choice(types, selection_id or "", service_id, served),
    )


def unregulated_confirmation(
    types: SimpleNamespace, confirmation_id: str, request_id: str, decision: ActivationDecision
) -> Any:
    """USP-CNF."""
    return types.UnregulatedServiceActivationConfirmation(
        Id=confirmation_id,
        UnregulatedServiceActivationRequestRef=request_id,
        Status=decision.status.value,
        Reason=reason_of(types, decision.reason),
    )

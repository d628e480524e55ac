"""SRV-ACT-AGR: proposed, countered, validated, read and ended by the requester; the provider answers (D2.3, 2.5)."""

from typing import Any

from flexiciency.domain.agreement import (
    AgreementDecision,
    AgreementMoveRefused,
    AgreementStatus,
    Proposal,
    decide,
    ended,
    must_be_open,
    validated,
)
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, StateConflict
from flexiciency.services.agreement_object import written_agreement
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, reason_of, refused_of
from flexiciency.soap.endpoint import Call
from flexiciency.store import agreement_standing, agreements, selections
from flexiciency.store.agreements import Terms
from flexiciency.store.transaction import Row, Transaction


def propose(call: Call, message: Any) -> Any:
    """Validate or counter a proposal within confirmed ∩ consented PoDs and the consents' dates.

    One that could be validated stays Proposed where the service is decided by hand. What nothing can be agreed to of
    comes back as Ended with the reason, and is not stored. Raises ReferenceUnknown for an activation, subscription,
    service, consent or selection that is not the caller's, IdentifierTaken for an Id used before, StateConflict for a
    version other than the first or an activation that was refused or stopped.
    """
    proposed, tx = message.ServiceActivationAgreement, transaction_of(call)
    activation, confirmed, stored = _facts(tx, proposed, call)
    if stored is not None:
        raise IdentifierTaken(
            f"Agreement {proposed.Id} is stored already. Give a new proposal a new Id.", path=_path(call, "Id")
        )
    if proposed.Version != 1:
        raise StateConflict("A new agreement begins with Version 1.", path=_path(call, "Version"))
    decision = decide(_proposal(proposed), agreements.confirmed_of(confirmed))
    if decision.status is AgreementStatus.ENDED:
        return _reply(call, _refused(proposed, decision))
    _store(call, proposed, decision, activation, new=True)
    return _reply(call, written_agreement(B2B, own_agreement(call, proposed.Id), decision.refused))


def counter(call: Call, message: Any) -> Any:
    """The requester answers what was Countered, or changes what it Proposed: the next version, decided as a proposal.

    What nothing can be agreed to of changes nothing: the agreement comes back as it stands, with the reason. Raises as
    `propose`, ReferenceUnknown for an agreement that is not the caller's, StateConflict for another version than the
    next or an agreement that is not open.
    """
    proposed, tx = message.ServiceActivationAgreement, transaction_of(call)
    before = _locked(call, proposed.Id, _path(call, "Id"))
    _allowed(call, lambda: must_be_open(AgreementStatus(before.status)), _path(call, "Status"))
    if proposed.Version != before.version + 1:
        raise StateConflict(
            f"Agreement {before.id} has version {before.version}; a counter to it is version {before.version + 1}.",
            path=_path(call, "Version"),
        )
    for element, column in (("DsoServiceActivationRequestRef", "activation_id"), ("B2BServiceSubscriptionRef",
                            "subscription_id")):  # fmt: skip
        if getattr(proposed, element) != getattr(before, column):
            raise ReferenceUnknown(
                f"Agreement {before.id} is of {getattr(before, column)}; a counter cannot change that.",
                path=_path(call, element),
            )
    activation, confirmed, _ = _facts(tx, proposed, call)
    decision = decide(_proposal(proposed), agreements.confirmed_of(confirmed))
    if decision.status is AgreementStatus.ENDED:
        return _reply(call, written_agreement(B2B, before, decision.refused, decision.reason))
    _store(call, proposed, decision, activation, new=False)
    return _reply(call, written_agreement(B2B, own_agreement(call, before.id), decision.refused))


def validate(call: Call, message: Any) -> Any:
    """The requester accepts the version that the provider countered with. Raises ReferenceUnknown, StateConflict."""
    tx = transaction_of(call)
    agreement = _locked(call, message.AgreementId)
    if agreement.version != message.Version:
        raise StateConflict(
            f"Agreement {agreement.id} has version {agreement.version}, not {message.Version}. Read it again.",
            path=f"{call.operation.name}/Version",
        )
    status = AgreementStatus(agreement.status)
    if _allowed(call, lambda: validated(status, by_provider=False)) is not status:
        tx.read(agreement_standing.share_pods(agreement.pods))
        agreements.validate(tx, agreement.id, call.now)
        agreement_standing.settle(tx, [agreement.id])
    return _reply(call, written_agreement(B2B, own_agreement(call, agreement.id)))


def read(call: Call, message: Any) -> Any:
    """The agreement as it stands, to its requester. Raises ReferenceUnknown."""
    return _reply(call, written_agreement(B2B, own_agreement(call, message.AgreementId)))


def end(call: Call, message: Any) -> Any:
    """The requester ends it: EndDate (today, UTC) is no longer covered. Raises ReferenceUnknown, StateConflict."""
    tx = transaction_of(call)
    agreement = _locked(call, message.AgreementId)
    status, last = _allowed(
        call,
        lambda: ended(
            AgreementStatus(agreement.status), agreement.start_date, agreement.end_date,
            on=message.EndDate, today=call.now.date(),
        ),
        f"{call.operation.name}/EndDate",
    )  # fmt: skip
    agreements.end(tx, agreement.id, status, last)
    tx.flush()
    return _reply(call, written_agreement(B2B, own_agreement(call, agreement.id)))


def own_agreement(call: Call, agreement_id: str, path: str | None = None) -> Row:
    """The caller's agreement with this id. Raises ReferenceUnknown."""
    (rows,) = transaction_of(call).look_up(agreements.stored(agreement_id))
    if not rows or rows[0].requester_id != call.speaker.id:
        raise ReferenceUnknown(
            f"There is no agreement {agreement_id} with {call.speaker.id} here.",
            path=path or f"{call.operation.name}/AgreementId",
        )
    return rows[0]


def _locked(call: Call, agreement_id: str, path: str | None = None) -> Row:
    """The caller's agreement, which nobody else moves before this transaction ends. Raises ReferenceUnknown."""
    transaction_of(call).read(agreements.lock(agreement_id))
    return own_agreement(call, agreement_id, path)


def _facts(tx: Transaction, proposed: Any, call: Call) -> tuple[Row, list[Row], Row | None]:
    """The activation, its confirmed PoDs, and what is stored under the Id. Raises ReferenceUnknown, StateConflict."""
    activation_id = proposed.DsoServiceActivationRequestRef or ""
    _, activation, confirmed, stored, foreign, unselected = tx.read(
        agreement_standing.share_pods(proposed.PoD or ()),
        agreements.terms(activation_id, proposed.B2BServiceSubscriptionRef),
        agreements.confirmed(activation_id),
        agreements.stored(proposed.Id),
        agreements.foreign_consent(proposed.CustomerConsentDescriptionRef or (), call.speaker.id),
        selections.foreign(proposed.SelectionRef or (), call.speaker.id, proposed.MarketPlaceServiceDescriptionRef),
    )
    if foreign:
        raise ReferenceUnknown(
            f"There is no consent {foreign[0].id} to {call.speaker.id} here.",
            path=_path(call, "CustomerConsentDescriptionRef"),
        )
    if unselected:
        raise ReferenceUnknown(
            f"There is no selection {unselected[0].id} of {call.speaker.id} and this service here. Select first.",
            path=_path(call, "SelectionRef"),
        )
    return _activation(activation, proposed, call), confirmed, stored[0] if stored else None


def _activation(rows: list[Row], proposed: Any, call: Call) -> Row:
    if not rows or rows[0].requester_id != call.speaker.id:
        raise ReferenceUnknown(
            f"{call.speaker.id} has no activation {proposed.DsoServiceActivationRequestRef} here. Request it first.",
            path=_path(call, "DsoServiceActivationRequestRef"),
        )
    (terms,) = rows
    if terms.service_id != proposed.MarketPlaceServiceDescriptionRef:
        raise ReferenceUnknown(
            f"The activation is of service {terms.service_id}.", path=_path(call, "MarketPlaceServiceDescriptionRef")
        )
    if not terms.subscribed:
        raise ReferenceUnknown(
            f"{proposed.B2BServiceSubscriptionRef} is no validated B2B service subscription to this service.",
            path=_path(call, "B2BServiceSubscriptionRef"),
        )
    if terms.activation_status not in ("OK", "Partial"):
        raise StateConflict(
            f"The activation is {terms.activation_status}; an agreement needs one that is OK or Partial."
        )
    return terms


def _proposal(proposed: Any) -> Proposal:
    return Proposal(proposed.Id, proposed.Version, tuple(proposed.PoD or ()), proposed.StartDate, proposed.EndDate)


def _store(call: Call, proposed: Any, decision: AgreementDecision, activation: Row, *, new: bool) -> None:
    """What was decided, as the next version where the provider counters; by hand, what it could validate waits."""
    tx, status = transaction_of(call), decision.status
    if status is AgreementStatus.VALIDATED and activation.by_hand:
        status = AgreementStatus.PROPOSED
    terms = Terms(
        id=proposed.Id, version=proposed.Version + (status is AgreementStatus.COUNTERED), status=status,
        data_details=proposed.DataDetails, processing_details=proposed.ProcessingDetails,
        start_date=decision.start_date, end_date=decision.end_date, pods=decision.pods,
        selections=tuple(dict.fromkeys(proposed.SelectionRef or ())),
    )  # fmt: skip
    agreements.store(tx, terms, activation, proposed.B2BServiceSubscriptionRef, call.now, new=new)
    agreement_standing.settle(tx, [terms.id])


def _refused(proposed: Any, decision: AgreementDecision) -> Any:
    """A proposal of which nothing can be agreed to, as it was proposed."""
    return B2B.ServiceActivationAgreement(
        Id=proposed.Id, PoD=list(decision.pods), DataDetails=proposed.DataDetails,
        ProcessingDetails=proposed.ProcessingDetails, StartDate=proposed.StartDate, EndDate=proposed.EndDate,
        MarketPlaceServiceDescriptionRef=proposed.MarketPlaceServiceDescriptionRef,
        B2BServiceSubscriptionRef=proposed.B2BServiceSubscriptionRef,
        DsoServiceActivationRequestRef=proposed.DsoServiceActivationRequestRef, Status=decision.status.value,
        Version=proposed.Version, RefusedPoD=[refused_of(B2B, one) for one in decision.refused],
        Reason=reason_of(B2B, decision.reason),
    )  # fmt: skip


def _allowed(call: Call, move: Any, path: str | None = None) -> Any:
    """What a move gives. Raises StateConflict where the agreement's state does not allow it."""
    try:
        return move()
    except AgreementMoveRefused as refused:
        raise StateConflict(f"{refused}", path=path or f"{call.operation.name}/AgreementId") from None


def _reply(call: Call, agreement: Any) -> Any:
    return getattr(B2B, f"{call.operation.name}Response")(ServiceActivationAgreement=agreement)


def _path(call: Call, element: str) -> str:
    return f"{call.operation.name}/ServiceActivationAgreement/{element}"

"""SRV-ACT-AGR: proposed by the requester, validated or countered by the provider (D2.3, 2.5)."""

from typing import Any

from flexiciency.domain.agreement import AgreementStatus, Proposal, decide
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, StateConflict
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2B, reason_of, refused_of, seconds
from flexiciency.soap.endpoint import Call
from flexiciency.store import agreements
from flexiciency.store.transaction import Row


def propose(call: Call, message: Any) -> Any:
    """Validate or counter a proposal within confirmed ∩ consented PoDs and the consents' dates.

    What nothing can be agreed to of comes back as Ended with the reason, and is not stored. Raises ReferenceUnknown
    for an activation, subscription or service that is not the caller's, IdentifierTaken for an Id used before,
    StateConflict for a version other than the first or an activation that was refused.
    """
    proposed, tx = message.ServiceActivationAgreement, transaction_of(call)
    activation_id = proposed.DsoServiceActivationRequestRef or ""
    terms_rows, confirmed, stored = tx.look_up(
        agreements.terms(activation_id, proposed.B2BServiceSubscriptionRef),
        agreements.confirmed(activation_id),
        agreements.stored(proposed.Id),
    )
    terms = _terms(terms_rows, proposed, call)
    if stored:
        raise IdentifierTaken(
            f"Agreement {proposed.Id} is stored already. Give a new proposal a new Id.", path=_path(call, "Id")
        )
    if proposed.Version != 1:
        raise StateConflict("A new agreement begins with Version 1.", path=_path(call, "Version"))
    proposal = Proposal(proposed.Id, proposed.Version, tuple(proposed.PoD or ()), proposed.StartDate, proposed.EndDate)
    decision = decide(proposal, agreements.confirmed_of(confirmed))
    version = proposal.version + (decision.status is AgreementStatus.COUNTERED)
    if decision.status is not AgreementStatus.ENDED:
        agreements.insert(
            tx, agreement_id=proposal.id, version=version, status=decision.status.value, terms=terms,
            subscription_id=proposed.B2BServiceSubscriptionRef, data_details=proposed.DataDetails,
            processing_details=proposed.ProcessingDetails, start_date=decision.start_date,
            end_date=decision.end_date, pods=decision.pods, now=call.now,
        )  # fmt: skip
        tx.flush()
    (consents,) = tx.look_up(agreements.consents(proposal.id))
    validated = decision.status is AgreementStatus.VALIDATED
    return B2B.ProposeServiceActivationAgreementResponse(
        ServiceActivationAgreement=B2B.ServiceActivationAgreement(
            Id=proposal.id, PoD=list(decision.pods), DataDetails=proposed.DataDetails,
            ProcessingDetails=proposed.ProcessingDetails,
            ValidationDate=seconds(call.now) if validated else None,
            StartDate=decision.start_date, EndDate=decision.end_date,
            MarketPlaceServiceDescriptionRef=terms.service_id,
            CustomerConsentDescriptionRef=[row.consent_id for row in consents],
            B2BServiceSubscriptionRef=proposed.B2BServiceSubscriptionRef,
            DsoServiceActivationRequestRef=activation_id,
            Status=decision.status.value, Version=version,
            RefusedPoD=[refused_of(B2B, refused) for refused in decision.refused],
            Reason=reason_of(B2B, decision.reason),
        )
    )  # fmt: skip


def validate(call: Call, message: Any) -> Any:
    """The requester accepts the version that the provider countered with. Raises ReferenceUnknown, StateConflict."""
    agreement, tx = own_agreement(call, message.AgreementId), transaction_of(call)
    if agreement.version != message.Version:
        raise StateConflict(
            f"Agreement {agreement.id} has version {agreement.version}, not {message.Version}. Read it again.",
            path=f"{call.operation.name}/Version",
        )
    if agreement.status not in ("Countered", "Validated"):
        raise StateConflict(f"Agreement {agreement.id} is {agreement.status}; only a Countered one can be validated.")
    agreements.validate(tx, agreement.id, call.now)
    tx.flush()
    return B2B.ValidateServiceActivationAgreementResponse(
        ServiceActivationAgreement=_written(own_agreement(call, message.AgreementId))
    )


def read(call: Call, message: Any) -> Any:
    """The agreement as it stands, to its requester. Raises ReferenceUnknown."""
    return B2B.ReadServiceActivationAgreementResponse(
        ServiceActivationAgreement=_written(own_agreement(call, message.AgreementId))
    )


def own_agreement(call: Call, agreement_id: str) -> Row:
    """The caller's agreement with this id. Raises ReferenceUnknown."""
    (rows,) = transaction_of(call).look_up(agreements.stored(agreement_id))
    if not rows or rows[0].requester_id != call.speaker.id:
        raise ReferenceUnknown(
            f"There is no agreement {agreement_id} with {call.speaker.id} here.",
            path=f"{call.operation.name}/AgreementId",
        )
    return rows[0]


def _terms(rows: list[Row], proposed: Any, call: Call) -> Row:
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


def _written(row: Row) -> Any:
    return B2B.ServiceActivationAgreement(
        Id=row.id, PoD=row.pods or [], DataDetails=row.data_details, ProcessingDetails=row.processing_details,
        ValidationDate=row.validation_date and seconds(row.validation_date), StartDate=row.start_date,
        EndDate=row.end_date, MarketPlaceServiceDescriptionRef=row.service_description_id,
        CustomerConsentDescriptionRef=row.consents or [], B2BServiceSubscriptionRef=row.subscription_id,
        DsoServiceActivationRequestRef=row.activation_id, Status=row.status, Version=row.version,
    )  # fmt: skip


def _path(call: Call, element: str) -> str:
    return f"{call.operation.name}/ServiceActivationAgreement/{element}"

"""The B2C operations: consent given, revoked and read by a customer's channel (D2.3, 2.4; CUS-CON-*)."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from flexiciency.contract.ids import new_id
from flexiciency.contract.series import TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.consent import Consent, ConsentDecision, Scope, decide, state_of
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, StateConflict
from flexiciency.services.agreement_standing import settle
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2C, PLAYER, reason_of, receipt, refused_of, seconds
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import written
from flexiciency.store import agreement_standing, consents
from flexiciency.store.consents import Statement
from flexiciency.store.transaction import Row, Transaction

STEPS = {step.seconds: step.value for step in TimeStep}


class ConsentService:
    """What a data custodian does with consents; `dso_id` is its MPL-REG id."""

    def __init__(self, dso_id: str, outbox: Outbox) -> None:
        self._dso_id = dso_id
        self._outbox = outbox

    def give(self, call: Call, message: Any) -> Any:
        """CUS-CON-DES → CUS-CON-ACK. The third party gets both, of the PoDs accepted. Raises IdentifierTaken."""
        consent, tx = _consent(message.CustomerConsentDescription), transaction_of(call)
        _, pods, third_party, stored = tx.read(
            agreement_standing.change_pods(consent.pods),
            consents.held_pods(consent.customer_id, consent.pods),
            consents.third_party(consent.eso),
            consents.stored(consent.id),
        )
        if stored:
            raise IdentifierTaken(
                f"Consent {consent.id} is stored already. Give a new consent a new Id; a retry keeps its MessageID.",
                path="GiveCustomerConsent/CustomerConsentDescription/Id",
            )
        decision = decide(consent, self._dso_id, consents.third_party_of(third_party), consents.held_pods_of(pods))
        acknowledgement_id = new_id()
        consents.insert(
            tx, consent, decision, _statement(call, message), acknowledgement_id=acknowledgement_id, now=call.now
        )
        if decision.accepted:
            self._tell(tx, consent, decision, acknowledgement_id, call)
            accepted = [one.pod for one in decision.accepted]
            (resumed,) = tx.read(agreement_standing.lock(accepted, consent.eso, suspended_only=True))
            settle(tx, resumed, call.now)
            agreement_standing.note_more(tx, accepted, consent.eso)
        return B2C.GiveCustomerConsentResponse(
            CustomerConsentAcknowledgement=_acknowledgement(B2C, acknowledgement_id, consent, decision, call)
        )

    def revoke(self, call: Call, message: Any) -> Any:
        """CUS-CON-REV → Receipt, and to the third party.

        In force when the reply is sent: values decided before left before, none leaves after.
        Raises ReferenceUnknown, IdentifierTaken, or StateConflict where a PoD is not under that consent.
        """
        revocation, tx = message.CustomerConsentRevocation, transaction_of(call)
        consent_id, pods = revocation.CustomerConsentDescriptionRef, list(dict.fromkeys(revocation.PoD))
        stored, taken = tx.look_up(consents.stored(consent_id), consents.stored_revocation(revocation.Id))
        if not stored or stored[0].customer_id != revocation.CustomerId:
            raise ReferenceUnknown(
                f"Customer {revocation.CustomerId} has no consent {consent_id} here. Name the consent by its Id.",
                path="RevokeCustomerConsent/CustomerConsentRevocation/CustomerConsentDescriptionRef",
            )
        if taken:
            raise IdentifierTaken(
                f"Revocation {revocation.Id} is stored already. Give a new one a new Id; a retry keeps its MessageID.",
                path="RevokeCustomerConsent/CustomerConsentRevocation/Id",
            )
        _, agreements, locked = tx.read(
            agreement_standing.change_pods(pods),
            agreement_standing.lock(pods, stored[0].eso_id),
            consents.lock_pods(consent_id, pods),
        )
        _must_be_in_force(pods, locked)
        statement = _statement(call, message)
        consents.revoke(tx, revocation.Id, consent_id, revocation.CustomerId, pods, statement, call.now)
        pushed = PLAYER.CustomerConsentRevocation(
            Id=revocation.Id, CustomerId=revocation.CustomerId, PoD=pods, RevocationDate=seconds(call.now),
            CustomerConsentDescriptionRef=consent_id,
        )  # fmt: skip
        self._outbox.push_object(
            tx, stored[0].eso_id, "ReceiveCustomerConsentRevocation", written(pushed), revocation.Id, call.now
        )
        settle(tx, agreements, call.now)
        return B2C.RevokeCustomerConsentResponse(Receipt=receipt(B2C, call))

    def read(self, call: Call, message: Any) -> Any:
        """A customer's consents with the state of each PoD, the latest first."""
        (rows,) = transaction_of(call).look_up(consents.of_customer(message.CustomerId))
        return B2C.ReadCustomerConsentsResponse(
            CustomerConsents=B2C.CustomerConsents(
                CustomerId=message.CustomerId,
                CustomerConsent=[_stored_consent(row, call.now) for row in reversed(rows)],
            )
        )

    def _tell(
        self, tx: Transaction, consent: Consent, decision: ConsentDecision, acknowledgement_id: str, call: Call
    ) -> None:
        """CUS-CON-DES, then CUS-CON-ACK, to the third party."""
        pods = tuple(accepted.pod for accepted in decision.accepted)
        pushed = written(_description(PLAYER, replace(consent, pods=pods)))
        self._outbox.push_object(tx, consent.eso, "ReceiveCustomerConsentDescription", pushed, consent.id, call.now)
        pushed = written(_acknowledgement(PLAYER, acknowledgement_id, consent, decision, call))
        self._outbox.push_object(
            tx, consent.eso, "ReceiveCustomerConsentAcknowledgement", pushed, acknowledgement_id, call.now
        )


def _statement(call: Call, message: Any) -> Statement:
    known = message.CustomerAuthentication
    return Statement(call.speaker.id, known.Method, known.AuthenticatedAt, call.message.addressing.message_id)


def _consent(description: Any) -> Consent:
    return Consent(
        id=description.Id,
        customer_id=description.CustomerId,
        pods=tuple(description.PoD),
        data_details=description.DataDetails,
        processing_details=description.ProcessingDetails,
        scopes=tuple(Scope(s.Quantity, TimeStep(s.FinestTimeStep).seconds) for s in description.Scope),
        validation_date=description.ValidationDate,
        start_date=description.StartDate,
        end_date=description.EndDate,
        dso=description.Dso,
        eso=description.Eso,
    )


def _description(types: Any, consent: Consent, **references: Any) -> Any:
    return types.CustomerConsentDescription(
        Id=consent.id,
        CustomerId=consent.customer_id,
        PoD=list(consent.pods),
        DataDetails=consent.data_details,
        Scope=[types.ConsentScope(Quantity=s.quantity, FinestTimeStep=STEPS[s.finest_step]) for s in consent.scopes],
        ProcessingDetails=consent.processing_details,
        ValidationDate=seconds(consent.validation_date),
        StartDate=consent.start_date,
        EndDate=consent.end_date,
        Dso=consent.dso,
        Eso=consent.eso,
        **references,
    )


def _acknowledgement(types: Any, identifier: str, consent: Consent, decision: ConsentDecision, call: Call) -> Any:
    return types.CustomerConsentAcknowledgement(
        Id=identifier,
        CustomerId=consent.customer_id,
        PoD=[accepted.pod for accepted in decision.accepted],
        RefusedPoD=[refused_of(types, refused) for refused in decision.refused],
        AcknowledgementDate=seconds(call.now),
        CustomerConsentDescriptionRef=consent.id,
        StartDate=consent.start_date,
        EndDate=consent.end_date,
        Scope=[types.ConsentScope(Quantity=s.quantity, FinestTimeStep=STEPS[s.finest_step]) for s in consent.scopes],
        DataDetails=consent.data_details,
        ProcessingDetails=consent.processing_details,
    )


def _must_be_in_force(pods: list[str], locked: list[Row]) -> None:
    states = {row.pod: row.status for row in locked}
    wrong = [pod for pod in pods if states.get(pod) != "Acknowledged"]
    if wrong:
        raise StateConflict(
            f"PoD {wrong[0]} is {states.get(wrong[0], 'not part')} in this consent. Revoke only PoDs in force.",
            path="RevokeCustomerConsent/CustomerConsentRevocation/PoD",
        )


def _stored_consent(row: Row, now: datetime) -> Any:
    consent = Consent(
        row.id, row.customer_id, tuple(pod["pod"] for pod in row.pods), row.data_details, row.processing_details,
        tuple(Scope(quantity, step) for quantity, step in row.scopes), row.validation_date, row.start_date,
        row.end_date, row.dso_id, row.eso_id,
    )  # fmt: skip
    states = [(pod["pod"], state_of(consents.stored_pod(row, pod), now)) for pod in row.pods]
    return B2C.CustomerConsent(
        CustomerConsentDescription=_description(
            B2C, consent, CustomerConsentRevocationRef=row.revocations or [],
            ServiceActivationAgreementRef=row.agreements or [],
        ),
        PodConsent=[
            B2C.PodConsent(PoD=pod, State=one.state, Since=seconds(one.since), Reason=reason_of(B2C, one.reason))
            for pod, one in states
        ],
    )  # fmt: skip

"""The B2C operations: consent given, revoked and read by a customer's channel (D2.3, 2.4; CUS-CON-*)."""

from datetime import datetime
from typing import Any

from flexiciency.contract.ids import new_id
from flexiciency.contract.series import TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.consent import Consent, ConsentDecision, Scope, decide
from flexiciency.errors import IdentifierTaken, ReferenceUnknown, StateConflict
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import B2C, PLAYER, receipt, refused_of, seconds
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import written
from flexiciency.store import consents
from flexiciency.store.transaction import Row

STEPS = {step.seconds: step.value for step in TimeStep}


class ConsentService:
    """What a data custodian does with consents; `dso_id` is its MPL-REG id."""

    def __init__(self, dso_id: str, outbox: Outbox) -> None:
        self._dso_id = dso_id
        self._outbox = outbox

    def give(self, call: Call, message: Any) -> Any:
        """CUS-CON-DES → CUS-CON-ACK, which goes to the third party too. Raises IdentifierTaken."""
        consent, tx = _consent(message.CustomerConsentDescription), transaction_of(call)
        pods, third_party, stored = tx.look_up(
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
        if decision.accepted:
            authentication = message.CustomerAuthentication
            consents.insert(
                tx, consent, decision, acknowledgement_id=acknowledgement_id, channel_id=call.speaker.id,
                method=authentication.Method, authenticated_at=authentication.AuthenticatedAt, now=call.now,
            )  # fmt: skip
            pushed = _acknowledgement(PLAYER, acknowledgement_id, consent, decision, call)
            self._outbox.push_object(
                tx, consent.eso, "ReceiveCustomerConsentAcknowledgement", written(pushed), acknowledgement_id, call.now
            )
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
        (locked,) = tx.read(consents.lock_pods(consent_id, pods))
        _must_be_in_force(pods, locked)
        consents.revoke(tx, revocation.Id, consent_id, revocation.CustomerId, pods, call.now)
        pushed = PLAYER.CustomerConsentRevocation(
            Id=revocation.Id, CustomerId=revocation.CustomerId, PoD=pods, RevocationDate=seconds(call.now),
            CustomerConsentDescriptionRef=consent_id,
        )  # fmt: skip
        self._outbox.push_object(
            tx, stored[0].eso_id, "ReceiveCustomerConsentRevocation", written(pushed), revocation.Id, call.now
        )
        return B2C.RevokeCustomerConsentResponse(Receipt=receipt(B2C, call))

    def read(self, call: Call, message: Any) -> Any:
        """A customer's consents with the state of each PoD, the latest first."""
        (rows,) = transaction_of(call).look_up(consents.of_customer(message.CustomerId))
        return B2C.ReadCustomerConsentsResponse(
            CustomerConsents=B2C.CustomerConsents(
                CustomerId=message.CustomerId, CustomerConsent=[_stored_consent(row) for row in reversed(rows)]
            )
        )


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


def _stored_consent(row: Row) -> Any:
    return B2C.CustomerConsent(
        CustomerConsentDescription=B2C.CustomerConsentDescription(
            Id=row.id, CustomerId=row.customer_id, PoD=[pod for pod, *_ in row.pods], DataDetails=row.data_details,
            Scope=[B2C.ConsentScope(Quantity=quantity, FinestTimeStep=STEPS[step]) for quantity, step in row.scopes],
            ProcessingDetails=row.processing_details, ValidationDate=seconds(row.validation_date),
            StartDate=row.start_date, EndDate=row.end_date, Dso=row.dso_id, Eso=row.eso_id,
        ),
        PodConsent=[
            B2C.PodConsent(PoD=pod, State=state, Since=datetime.fromisoformat(at) if at else row.acknowledged_at)
            for pod, state, _, _, at in row.pods
        ],
    )  # fmt: skip

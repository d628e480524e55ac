"""The requests of the backbone as Spyne objects: consent, activation, agreement, values, acknowledgement."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from flexiciency.contract.codec import ValuesMessage
from flexiciency.contract.codec_read import read_values
from flexiciency.services.replies import B2B, B2C
from tests.gateway import Sender
from tests.world import DSO, END_DAY, FIRST_DAY, PLAYER, SERVICE, SUBSCRIPTION, customer_id, pod_name

ACT = "{urn:flexiciency:activation:1}"
CON = "{urn:flexiciency:consent:1}"
COM = "{urn:flexiciency:common:1}"
B2BO = "{urn:flexiciency:b2b-operations:1}"
B2CO = "{urn:flexiciency:b2c-operations:1}"
START, END = datetime(2024, 12, 31, 23, tzinfo=UTC), datetime(2025, 1, 31, 23, tzinfo=UTC)
"""January 2025 in Vienna."""


def new_id() -> str:
    """A new object's Id."""
    return f"urn:uuid:{uuid.uuid4()}"


def _authentication() -> Any:
    return B2C.CustomerAuthentication(Method="eID", AuthenticatedAt=datetime(2024, 12, 1, tzinfo=UTC))


def scope(quantity: str = "EnergyConsumption", finest: str = "PT15M") -> Any:
    """A ConsentScope."""
    return B2C.ConsentScope(Quantity=quantity, FinestTimeStep=finest)


def consent(number: int, identifier: str, **changes: Any) -> Any:
    """GiveCustomerConsent of customer `number` for January 2025 to the player."""
    fields = {
        "Id": identifier, "CustomerId": customer_id(number), "PoD": [pod_name(number)], "DataDetails": "Load curve",
        "Scope": [scope()], "ProcessingDetails": "Energy advice", "ValidationDate": datetime(2024, 12, 1, tzinfo=UTC),
        "StartDate": FIRST_DAY, "EndDate": END_DAY, "Dso": DSO, "Eso": PLAYER,
    }  # fmt: skip
    return B2C.GiveCustomerConsent(
        CustomerConsentDescription=B2C.CustomerConsentDescription(**(fields | changes)),
        CustomerAuthentication=_authentication(),
    )


def revocation(number: int, consent_id: str, **changes: Any) -> Any:
    """RevokeCustomerConsent of customer `number`'s own PoD."""
    fields = {
        "Id": new_id(), "CustomerId": customer_id(number), "PoD": [pod_name(number)],
        "RevocationDate": datetime(2025, 6, 1, tzinfo=UTC), "CustomerConsentDescriptionRef": consent_id,
    }  # fmt: skip
    return B2C.RevokeCustomerConsent(
        CustomerConsentRevocation=B2C.CustomerConsentRevocation(**(fields | changes)),
        CustomerAuthentication=_authentication(),
    )


def consents_of(number: int) -> Any:
    """ReadCustomerConsents of customer `number`."""
    return B2C.ReadCustomerConsents(CustomerId=customer_id(number), CustomerAuthentication=_authentication())


def activation(identifier: str, pods: list[str], **changes: Any) -> Any:
    """RequestDsoServiceActivation of the player."""
    fields = {"Id": identifier, "MarketPlaceServiceDescriptionRef": SERVICE, "Requester": PLAYER, "PoD": pods}
    return B2B.RequestDsoServiceActivation(
        DsoServiceActivationRequest=B2B.DsoServiceActivationRequest(**(fields | changes))
    )


def proposal(identifier: str, activation_id: str, pods: list[str], **changes: Any) -> Any:
    """ProposeServiceActivationAgreement for January 2025."""
    fields = {
        "Id": identifier, "PoD": pods, "DataDetails": "Load curves", "ProcessingDetails": "Energy advice",
        "StartDate": FIRST_DAY, "EndDate": END_DAY, "MarketPlaceServiceDescriptionRef": SERVICE,
        "B2BServiceSubscriptionRef": SUBSCRIPTION, "DsoServiceActivationRequestRef": activation_id,
        "Status": "Proposed", "Version": 1,
    }  # fmt: skip
    return B2B.ProposeServiceActivationAgreement(
        ServiceActivationAgreement=B2B.ServiceActivationAgreement(**(fields | changes))
    )


def selection(start: datetime = START, end: datetime = END, /, **changes: Any) -> Any:
    """An IND-DAT-SEL of the service."""
    fields = {
        "Id": new_id(), "Quantity": "EnergyConsumption", "Period": B2B.Period(Start=start, End=end),
        "Localization": B2B.SelectionLocalization(), "TimeStep": "PT15M", "MarketPlaceServiceDescriptionRef": SERVICE,
    }  # fmt: skip
    return B2B.IndividualDataSelection(**(fields | changes))


def values(agreement: str, start: datetime = START, end: datetime = END, /, **changes: Any) -> Any:
    """RequestIndividualDataValues."""
    return B2B.RequestIndividualDataValues(
        AgreementId=agreement, IndividualDataSelection=selection(start, end, **changes)
    )


def acknowledgement(object_id: str, statuses: dict[str, str]) -> Any:
    """AcknowledgeIndividualData with one status a PoD; a KO is "OutOfRange"."""
    at = datetime(2025, 6, 1, tzinfo=UTC)
    reason = B2B.Reason(Code="OutOfRange", Text="Too high.")
    return B2B.AcknowledgeIndividualData(
        IndividualDataAcknowledgement=B2B.IndividualDataAcknowledgement(
            Id=new_id(),
            IndividualDataValueRef=object_id,
            PodAcknowledgement=[
                B2B.PodAcknowledgement(
                    PoD=pod,
                    Acknowledgement=[
                        B2B.Acknowledgement(Timestamp=at, Status=status, Reason=reason if status == "KO" else None)
                    ],
                )
                for pod, status in statuses.items()
            ],
        )
    )


@dataclass(frozen=True)
class Agreed:
    """An agreement of the player, and the consents it was made on, by customer number."""

    id: str
    activation: str
    consents: dict[int, str]


def agree(player: Sender, channel: Sender, numbers: list[int], start: date = FIRST_DAY, end: date = END_DAY) -> Agreed:
    """Consent of these customers, activation of their PoDs and an agreement, all over HTTP."""
    given = {number: new_id() for number in numbers}
    for number, identifier in given.items():
        channel.send(consent(number, identifier, StartDate=start, EndDate=end))
    return agree_on(player, given, start, end)


def agree_on(player: Sender, given: dict[int, str], start: date = FIRST_DAY, end: date = END_DAY) -> Agreed:
    """Activation and agreement of PoDs whose customers have consented."""
    pods, request, agreement = [pod_name(number) for number in given], new_id(), new_id()
    confirmation = player.send(activation(request, pods)).body
    assert confirmation.findtext(f".//{ACT}Status") == "OK"
    agreed = player.send(proposal(agreement, request, pods, StartDate=start, EndDate=end)).body
    assert agreed.findtext(f".//{ACT}Status") == "Validated"
    return Agreed(agreement, request, given)


def values_of(player: Sender, request: Any) -> ValuesMessage:
    """The values that a request gets."""
    answer = player.send(request)
    return read_values(answer.body, answer.canonical_body)

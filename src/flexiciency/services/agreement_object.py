"""SRV-ACT-AGR from a stored row, with what a decision says of it (D2.3, 2.5)."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from flexiciency.domain.reasons import Reason, RefusedPod
from flexiciency.services.replies import reason_of, refused_of, seconds
from flexiciency.store.transaction import Row


def written_agreement(
    types: SimpleNamespace, row: Row, refused: Iterable[RefusedPod] = (), reason: Reason | None = None
) -> Any:
    """The agreement as it stands; `row` is one of `store.agreements.stored`."""
    return types.ServiceActivationAgreement(
        Id=row.id, PoD=row.pods or [], DataDetails=row.data_details, ProcessingDetails=row.processing_details,
        ValidationDate=row.validation_date and seconds(row.validation_date), StartDate=row.start_date,
        EndDate=row.end_date, MarketPlaceServiceDescriptionRef=row.service_description_id,
        CustomerConsentDescriptionRef=row.consents or [], B2BServiceSubscriptionRef=row.subscription_id,
        SelectionRef=row.selections or [], DsoServiceActivationRequestRef=row.activation_id, Status=row.status,
        Version=row.version, RefusedPoD=[refused_of(types, one) for one in refused], Reason=reason_of(types, reason),
    )  # fmt: skip

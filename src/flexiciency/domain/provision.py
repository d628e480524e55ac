"""Service provision (D2.3, 2.6): what an acknowledgement says of the values of one PoD.

Queued ──► Sent ──► AcknowledgedOK | AcknowledgedPartly | AcknowledgedKO
   └──► Retrying ──► Sent | Dead (kept, resendable)
"""

from collections.abc import Sequence
from dataclasses import dataclass

INDIVIDUAL, AGGREGATED = "IndividualDataProvision", "AggregatedDataProvision"
"""The types of service that give values."""


@dataclass(frozen=True, slots=True)
class PodStatus:
    """OK or KO of one value, range or PoD, with the reason code of a KO."""

    accepted: bool
    reason_code: str | None


def pod_status(statuses: Sequence[PodStatus]) -> PodStatus:
    """The status of a PoD from those of its values or ranges: OK only when all are, else the first KO's reason."""
    for status in statuses:
        if not status.accepted:
            return status
    return PodStatus(accepted=True, reason_code=None)

"""Service provision (D2.3, 2.6): the services that give values.

Queued ──► Sent ──► AcknowledgedOK | AcknowledgedPartly | AcknowledgedKO
   └──► Retrying ──► Sent | Dead (kept, resendable)
"""

INDIVIDUAL, AGGREGATED = "IndividualDataProvision", "AggregatedDataProvision"
"""The types of service that give values."""

"""A Market Player's calls about what it has not got (D2.3, 2.6)."""

from collections.abc import Sequence
from datetime import datetime

from flexiciency.client import reading
from flexiciency.client.objects import GapReport, Receipt
from flexiciency.client.player_caller import PlayerCaller
from flexiciency.wire.addressing import new_message_id


class GapCalls(PlayerCaller):
    """ReadGapReport and RequestMissingValues."""

    def read_gap_report(self, agreement_id: str, start: datetime, end: datetime) -> GapReport:
        """What of an agreement was expected in [start, end) UTC, sent and acknowledged, and why the rest was not."""
        arguments = {"AgreementId": agreement_id, "Period": {"Start": start, "End": end}}
        return reading.gap_report(self._object("ReadGapReport", arguments, new_message_id()))

    def request_missing_values(
        self, agreement_id: str, start: datetime, end: datetime, pods: Sequence[str] = (),
        *, message_id: str | None = None,
    ) -> Receipt:  # fmt: skip
        """Have what was not delivered, was refused or not acknowledged sent once more, of some PoDs or of all.

        It comes as new messages, a local day each, by push or into the mailbox. What is NotAvailable or NotReleased
        does not come.
        """
        arguments = {"AgreementId": agreement_id, "PoD": list(pods), "Period": {"Start": start, "End": end}}
        return reading.receipt(self._object("RequestMissingValues", arguments, message_id or new_message_id()))

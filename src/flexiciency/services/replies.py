"""Spyne's classes of the interfaces, and the parts that many replies share."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any

from flexiciency.domain.reasons import Reason, RefusedPod
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_types import classes

B2B = classes("urn:flexiciency:b2b-operations:1")
B2C = classes("urn:flexiciency:b2c-operations:1")
MARKET_PLACE = classes("urn:flexiciency:market-place-operations:1")
PLAYER = classes("urn:flexiciency:market-player-operations:1")


def reason_of(types: SimpleNamespace, reason: Reason | None) -> Any:
    """com:Reason, or nothing."""
    return None if reason is None else types.Reason(Code=reason.code.value, Text=reason.text)


def refused_of(types: SimpleNamespace, refused: RefusedPod) -> Any:
    """com:RefusedPoD."""
    return types.RefusedPoD(PoD=refused.pod, Reason=reason_of(types, refused.reason))


def receipt(types: SimpleNamespace, call: Call) -> Any:
    """env:Receipt: this message was verified and is stored."""
    return types.Receipt(MessageId=call.message.addressing.message_id, StoredAt=seconds(call.now))


def seconds(instant: datetime) -> datetime:
    """An instant without its fraction of a second."""
    return instant.replace(microsecond=0)

"""The history of a consent (CUS-CON-*): what happened, a sentence each, with the message that proves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Happening(Enum):
    """What can happen to a consent; the value is its sentence."""

    GIVEN = (
        "Customer {customer} consented that {third_party} may get {scopes} of {pods} from {start} to {end} (exclusive) "
        "for: {processing}. {statement}"
    )
    ACKNOWLEDGED = "The DSO acknowledged it for {pods}."
    REJECTED = "The DSO rejected it for {pods} ({code}): {text}"
    TOLD = "{object} was sent to {third_party}."
    RELEASED = "{count} values of {pods}, from {start} to {end}, left for {third_party} under agreement {agreement}."
    AGGREGATED = (
        "Aggregates over {count} values of {pods}, from {start} to {end}, left for {third_party} under agreement "
        "{agreement}."
    )
    REVOKED = "Customer {customer} revoked it for {pods}. {statement}"
    OCCUPANT_CHANGED = "By the PoD master data, customer {customer} no longer holds {pods}: nothing later may leave."
    EXPIRED = "Its days are over for {pods}: nothing later may leave."


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at a UTC instant; `details` fill its sentence.

    `message_id` and `evidence_row` are those of the message that proves it, where a message does.
    """

    at: datetime
    what: Happening
    pods: tuple[str, ...]
    details: Mapping[str, object]
    message_id: str | None = None
    evidence_row: int | None = None


MOST_NAMED = 5
"""PoDs in one sentence; more are counted."""


def sentence(event: Event) -> str:
    """What happened, for a person."""
    return event.what.value.format(pods=named(event.pods), **event.details)


def in_order(events: Sequence[Event]) -> list[Event]:
    """By instant; what happened at once, in the order of `Happening`."""
    order = list(Happening)
    return sorted(events, key=lambda event: (event.at, order.index(event.what)))


def named(pods: Sequence[str]) -> str:
    """PoDs in a sentence."""
    listed = ", ".join(pods[:MOST_NAMED])
    more = len(pods) - MOST_NAMED
    return f"PoD {listed} and {more} more" if more > 0 else f"PoD {listed}"

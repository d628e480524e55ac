"""Aggregated data (D2.3, 2.6): AGG-DAT-VAL on request."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Encoding, Quantity, TimeStep
from flexiciency.delivery.aggregates import GroupRefused, Wanted, aggregates_object
from flexiciency.delivery.built import Built
from flexiciency.domain.portions import Caps
from flexiciency.domain.provision import AGGREGATED
from flexiciency.errors import StateConflict, ValuesInvalid
from flexiciency.services.agreement import own_agreement
from flexiciency.services.answer_size import aggregates_must_fit
from flexiciency.services.exchange import transaction_of
from flexiciency.services.provision import answered, must_be_of, must_be_served, must_not_be_empty
from flexiciency.soap.endpoint import Call
from flexiciency.store import aggregates
from flexiciency.store.aggregates import EVERYWHERE, Localization
from flexiciency.store.deliveries import Cause, Values
from flexiciency.store.transaction import Row

_SELECTION = "RequestAggregatedDataValues/AggregatedDataSelection"
_LONGEST = timedelta(days=367)
"""What one request covers at most: its grid is held in memory for each group."""


def request_values(minimum: int, caps: Caps, call: Call, message: Any) -> Iterator[bytes]:
    """AGG-DAT-VAL of what may leave now under an agreement, in groups of at least `minimum` PoDs.

    Raises ReferenceUnknown, ValuesInvalid for an empty period or one too long, StateConflict when nothing may leave, a
    group may not, or what is asked for is not what was agreed, AnswerTooLarge for more than `caps`.
    """
    selection = message.AggregatedDataSelection
    agreement = own_agreement(call, message.AgreementId)
    must_be_of(agreement, AGGREGATED, call)
    _must_be_agreed(agreement, selection)
    start, end = selection.Period.Start, selection.Period.End
    wanted = Wanted(
        agreement_id=agreement.id, requester_id=call.speaker.id, level=selection.AggregationLevel,
        method=selection.AggregationMethod, quantity=Quantity(selection.Quantity),
        step=TimeStep(selection.TimeStep), start=start, end=end,
        members=_members(call, agreement, selection), minimum=minimum, all_or_nothing=True,
        everywhere=_place(selection) == EVERYWHERE,
    )  # fmt: skip
    _must_fit(wanted, caps)
    values = Values(agreement.id, start, end, cause=Cause.ANSWERED, step=wanted.step)
    yield from answered(call, _built(call, wanted, selection), values)


def _must_be_agreed(agreement: Row, selection: Any) -> None:
    """Raises StateConflict for another aggregation or quantity or a finer step, ValuesInvalid for an empty period."""
    for element, agreed in (
        ("AggregationLevel", agreement.aggregation_level),
        ("AggregationMethod", agreement.aggregation_method),
        ("Quantity", agreement.quantity),
    ):
        if getattr(selection, element) != agreed:
            raise StateConflict(
                f"Agreement {agreement.id} is of {element} {agreed}, not {getattr(selection, element)}. Ask for that.",
                path=f"{_SELECTION}/{element}",
            )
    must_be_served(agreement, selection, _SELECTION)
    must_not_be_empty(selection.Period.Start, selection.Period.End, f"{_SELECTION}/Period/End")


def _place(selection: Any) -> Localization:
    place = selection.Localization
    named = (place.PoD, place.CustomerId, place.Country, place.City, place.Street)
    return Localization(*(tuple(each or ()) for each in named))


def _members(call: Call, agreement: Row, selection: Any) -> list[Row]:
    """PoDs of the agreement that are selected, all of one zone. Raises StateConflict, ValuesInvalid."""
    period = selection.Period
    found = aggregates.members(agreement.id, period.Start, period.End, _place(selection))
    (members,) = transaction_of(call).look_up(found)
    zones = sorted({one.time_zone for one in members})
    if len(zones) > 1:
        raise StateConflict(
            f"The PoDs selected are in several time zones ({', '.join(zones)}), whose days are not the same. Select "
            "those of one zone.",
            path=f"{_SELECTION}/Localization",
        )
    if members and max(one.until for one in members) - min(one.since for one in members) > _LONGEST:
        raise ValuesInvalid(
            f"The agreement covers more than {_LONGEST.days} days of the period. Ask for it in parts.",
            path=f"{_SELECTION}/Period",
        )
    return members


def _must_fit(wanted: Wanted, caps: Caps) -> None:
    """Raises AnswerTooLarge when the groups have more values in what the agreement covers than one message holds."""
    if wanted.members:
        since, until = wanted.span
        groups = len(set(wanted.groups.values()))
        aggregates_must_fit(groups, (until - since).total_seconds(), wanted.step, caps, _SELECTION)


def _built(call: Call, wanted: Wanted, selection: Any) -> Built:
    encoding = Encoding(selection.Encoding or Encoding.EXPLICIT)
    try:
        built = aggregates_object(transaction_of(call), wanted, new_id(), selection=selection.Id, encoding=encoding)
    except GroupRefused as refused:
        raise StateConflict(f"{refused}", path=f"{_SELECTION}/Localization") from None
    if built is None:
        raise StateConflict(
            f"Nothing of this selection may leave under agreement {wanted.agreement_id}: its PoDs have no interval in "
            "common, or agreement and consents do not cover them. Check period and localization.",
            path=_SELECTION,
        )
    return built

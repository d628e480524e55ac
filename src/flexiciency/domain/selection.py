"""Selections of data (IND-DAT-SEL, AGG-DAT-SEL; D2.3, 2.5): what is asked of a service, and what of it is served.

asked ──► served as asked | narrowed, and the provider may narrow it again | refused
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from flexiciency.contract.series import TimeStep
from flexiciency.domain.reasons import Reason, ReasonCode, reason
from flexiciency.domain.resampling import divides, multiples

INDIVIDUAL, AGGREGATED = "IndividualDataProvision", "AggregatedDataProvision"


class SelectionMoveRefused(Exception):  # noqa: N818  a refusal, as in the other state machines
    """What the provider would make of a selection is no less than it serves already; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is selected, [start, end) in UTC. Level, method and places are those of an AGG-DAT-SEL."""

    aggregated: bool
    quantity: str
    time_step: TimeStep
    start: datetime
    end: datetime
    pods: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    level: str | None = None
    method: str | None = None
    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()
    encoding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """MKP-SRV-DES as the provider knows it; the places are those that it names, none where it names none.

    `subscribed`: a validated B2B-SRV-SUB covers the requester. `regulated`: its owner is a RegulatedDataProvider.
    """

    service_type: str
    quantity: str | None = None
    time_step: TimeStep | None = None
    customer_consent_mandatory: bool
    subscribed: bool
    regulated: bool = True
    by_hand: bool = False
    level: str | None = None
    method: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """The selection as it is served, None where it is refused; the reason where it is narrowed or refused."""

    selection: Selection | None
    reason: Reason | None = None


def serve(asked: Selection, service: Service | None, known: Collection[str]) -> Served:
    """What of a selection a service serves; `known` are the PoDs of it that exist here."""
    refusal = _against_service(asked, service) or _against_itself(asked)
    if refusal is not None or service is None:
        return Served(None, refusal)
    served, less = asked, []
    if service.time_step is not None and asked.time_step.seconds < service.time_step.seconds:
        served = replace(served, time_step=service.time_step)
        less.append(f"the time step is {service.time_step.value}")
    start, end = max(asked.start, service.start or asked.start), min(asked.end, service.end or asked.end)
    if end <= start:
        return _refused(ReasonCode.PERIOD_EMPTY, "The selection's Period and the service's have no instant in common.")
    if (start, end) != (asked.start, asked.end):
        served = replace(served, start=start, end=end)
        less.append("the Period is cut to the service's")
    pods = tuple(pod for pod in asked.pods if pod in known)
    if asked.pods and not pods:
        return _refused(ReasonCode.POD_UNKNOWN, "This DSO has none of the selection's PoDs. Check their spelling.")
    if pods != asked.pods:
        served = replace(served, pods=pods)
        less.append(f"{len(asked.pods) - len(pods)} PoDs that this DSO has not are left out")
    places = {
        "Country": (asked.countries, _within(asked.countries, service.countries)),
        "City": (asked.cities, _within(asked.cities, service.cities)),
    }
    for element, (wanted, kept) in places.items():
        if wanted and not kept:
            return _refused(ReasonCode.SELECTION_NOT_SERVED, f"The service covers no {element} of the selection.")
        if kept != wanted:
            less.append(f"each {element} that the service does not cover is left out")
    served = replace(served, countries=places["Country"][1], cities=places["City"][1])
    text = f"Served is less than was asked for: {'; '.join(less)}."
    return Served(served, reason(ReasonCode.SELECTION_NARROWED, text) if less else None)


def narrow(served: Selection, *, start: datetime | None, end: datetime | None) -> Selection:
    """The selection as the provider redefines it: of a shorter period. Raises SelectionMoveRefused."""
    less = replace(served, start=start or served.start, end=end or served.end)
    if less.start < served.start or less.end > served.end:
        raise SelectionMoveRefused(
            f"It is served from {served.start:%Y-%m-%dT%H:%M:%SZ} to {served.end:%Y-%m-%dT%H:%M:%SZ}; "
            "it can only be narrowed."
        )
    if less.end <= less.start:
        raise SelectionMoveRefused("No instant would be left of its period.")
    if less == served:
        raise SelectionMoveRefused("That is what is served already. Give a start or an end.")
    return less


def _against_service(asked: Selection, service: Service | None) -> Reason | None:
    """Why the service serves nothing of a selection."""
    if service is None:
        return reason(ReasonCode.SERVICE_UNKNOWN)
    if not service.subscribed:
        return reason(ReasonCode.SERVICE_NOT_SUBSCRIBED)
    if service.service_type != (AGGREGATED if asked.aggregated else INDIVIDUAL):
        return reason(ReasonCode.SERVICE_TYPE_MISMATCH)
    differing: dict[str, tuple[str | None, str | None]] = {"Quantity": (asked.quantity, service.quantity)}
    if asked.aggregated:
        differing |= {"AggregationLevel": (asked.level, service.level)}
        differing |= {"AggregationMethod": (asked.method, service.method)}
    for element, (wanted, offered) in differing.items():
        if wanted != offered:
            return _reason(f"{element} is {wanted}; the service has {offered}. Ask for that.")
    offered = service.time_step
    if offered is not None and asked.time_step.seconds > offered.seconds and not divides(offered, asked.time_step):
        return _reason(f"TimeStep is {asked.time_step.value}; ask for one that is served: {multiples(offered)}.")
    return None


def _against_itself(asked: Selection) -> Reason | None:
    """Why nobody could serve a selection."""
    if asked.end <= asked.start:
        return reason(ReasonCode.PERIOD_EMPTY, "Period/End, which is exclusive, must be later than Period/Start.")
    if len(set(asked.pods)) < len(asked.pods):
        return reason(ReasonCode.POD_REPEATED)
    if asked.level == "Portfolio" and not asked.pods and not asked.customers:
        return _reason("A Portfolio is its PoDs or customers. List them in Localization.")
    return None


def _within(wanted: tuple[str, ...], offered: tuple[str, ...]) -> tuple[str, ...]:
    """The places that are offered; all are where the service names none."""
    return tuple(place for place in wanted if not offered or place in offered)


def _reason(text: str) -> Reason:
    return reason(ReasonCode.SELECTION_NOT_SERVED, text)


def _refused(code: ReasonCode, text: str) -> Served:
    return Served(None, reason(code, text))

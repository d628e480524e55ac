"""The Market Place grown large: publishing and finding among 100,000 offers against among 1,000."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import text

from flexiciency.contract.series import TimeStep
from flexiciency.domain.matching import Description
from flexiciency.services.replies import MARKET_PLACE
from flexiciency.store.database import Database
from flexiciency.wire.addressing import MARKET_PLAYER_URN, new_message_id
from tests.benchmarks import figures, load
from tests.benchmarks.gateway_calls import gateway_under_granian
from tests.benchmarks.market_town import (
    COMPANY,
    FEW,
    OFFERED,
    REQUESTERS,
    WANTED,
    market_towns,
    pod_prefix,
    requester_id,
)
from tests.benchmarks.town import Town
from tests.gateway import market_place_of

CALLS = 25
"""Measured calls of each kind at each side."""
WARM_UP = 8
"""Calls before them; in them the gateway prepares its statements, and PostgreSQL settles on its plans."""
DSO_NUMBER = 7
_STEPS = {step.seconds: step.value for step in TimeStep}

# Of each requester that has subscribed: its proposals, and the pairings in them.
_PROPOSED = """
SELECT b.requester_id, count(DISTINCT b.id), count(*) FROM b2b_service_subscription b
JOIN b2b_service_subscription_match m ON m.b2b_id = b.id WHERE b.status = 'Proposed' GROUP BY b.requester_id
"""


@dataclass(frozen=True)
class Side:
    """One of the two Market Places, with a gateway process of its own."""

    setting: Town
    address: load.Address
    unused: Iterator[int] = field(default_factory=lambda: iter(range(REQUESTERS)))
    """Numbers of the requesters that have not subscribed yet."""

    def subscribe(self) -> float:
        """Seconds of publishing a requester's first subscription, which opens a proposal with each of the few."""
        requester = requester_id(next(self.unused))
        subscription = MARKET_PLACE.MarketPlaceServiceSubscription(
            Id=new_message_id(),
            ServiceType=WANTED.service_type,
            Requester=requester,
            ServiceDetails=[MARKET_PLACE.ServiceDetails(MarketPlaceServiceDescription=_description(WANTED))],
            Status="Published",
            Version=1,
        )
        request = MARKET_PLACE.PublishServiceSubscription(MarketPlaceServiceSubscription=subscription)
        return self.call(request, "MarketPlaceServiceSubscription", 1, requester)

    def call(self, request: Any, name: str, number: int, speaker: str = requester_id(0)) -> float:
        """Seconds of one call; its reply must hold so many elements of the name."""
        sender = replace(market_place_of(self.setting.world, ""), urn=MARKET_PLAYER_URN + speaker)
        sealed = sender.seal(request)
        message = load.http_request(
            f"/v1/services/{sender.interface}", b"".join(sealed.chunks()), sealed.addressing.action
        )
        began = time.perf_counter()
        reply = load.call(self.address, message)
        seconds = time.perf_counter() - began
        found = len(re.findall(rb"</\w+:%b>" % name.encode(), reply))
        if not reply.startswith(b"HTTP/1.1 200") or found != number:
            raise RuntimeError(f"{found} {name} in place of {number}: … {reply.decode('utf-8', 'replace')[-2000:]}")
        return seconds


def _find_offers(side: Side) -> float:
    """FindServiceOffers by every criterion but supplier."""
    request = MARKET_PLACE.FindServiceOffers(ServiceType=OFFERED.service_type, Criteria=_criteria(OFFERED))
    return side.call(request, "MarketPlaceServiceOffer", FEW)


def _find_descriptions(side: Side) -> float:
    """FindServiceDescriptions by every criterion."""
    request = MARKET_PLACE.FindServiceDescriptions(Criteria=_criteria(OFFERED))
    return side.call(request, "MarketPlaceServiceDescription", FEW)


def _find_registrations(side: Side) -> float:
    """FindRegistrations by part of a name."""
    return side.call(MARKET_PLACE.FindRegistrations(Name=COMPANY[2:].upper()), "MarketPlayerRegistration", FEW)


def _find_dso(side: Side) -> float:
    """FindDso by PoD."""
    location = MARKET_PLACE.CustomerLocation(PoD=f"{pod_prefix(DSO_NUMBER)}000000000000000000000001")
    return side.call(MARKET_PLACE.FindDso(Location=location), "Dso", 1)


FINDS: dict[str, tuple[Callable[[Side], float], str]] = {
    "offers": (_find_offers, f"FindServiceOffers by all that a description says, {FEW} found"),
    "descriptions": (_find_descriptions, f"FindServiceDescriptions by the same, {FEW} found"),
    "registrations": (_find_registrations, f"FindRegistrations by part of a name, {FEW} found"),
    "dso": (_find_dso, "FindDso by PoD, 1 found"),
}


def market(report: figures.Report, _pairs: int) -> None:
    """Medians of publishing and of each way of finding, large over small."""
    with market_towns() as (small, large), _sides(small, large) as sides:
        published = _measured(Side.subscribe, *sides)
        for setting in (small, large):
            _check_matches(setting)
        found = {name: _measured(find, *sides) for name, (find, _) in FINDS.items()}
    _add(report, "publish", published, f"publishing a subscription with {FEW} matches")
    for name, measured in found.items():
        _add(report, f"find_{name}", measured, FINDS[name][1])
    against = "50,000 registrations, 100,000 offers and subscriptions over 1,000 of each, medians"
    report.add("market_publish_growth", _growth(published), "ratio", against)
    report.add("market_find_growth", max(map(_growth, found.values())), "ratio", f"{against}; the worst find")


@contextlib.contextmanager
def _sides(small: Town, large: Town) -> Iterator[tuple[Side, Side]]:
    with gateway_under_granian(small) as here, gateway_under_granian(large) as there:
        yield Side(small, here), Side(large, there)


def _measured(call: Callable[[Side], float], small: Side, large: Side) -> figures.Paired:
    """Seconds of the large side first."""
    for side in (small, large):
        for _ in range(WARM_UP):
            call(side)
    return figures.paired(lambda: call(large), lambda: call(small), CALLS)


def _growth(measured: figures.Paired) -> float:
    return measured.first / measured.second


def _add(report: figures.Report, name: str, measured: figures.Paired, what: str) -> None:
    report.add(f"market_{name}_large", measured.first * 1e3, "ms", f"{what}; the large Market Place")
    report.add(f"market_{name}_small", measured.second * 1e3, "ms", f"{what}; the small one")


def _check_matches(setting: Town) -> None:
    """RuntimeError unless each subscription opened a proposal with each of the few, and no other."""
    with contextlib.closing(Database(setting.url)) as database, database.begin() as connection:
        proposed = [tuple(row[1:]) for row in connection.execute(text(_PROPOSED))]
    if proposed != [(FEW, FEW)] * (WARM_UP + CALLS):
        raise RuntimeError(f"{FEW} proposals with a pairing each were expected of each subscription, not {proposed}")


def _description(described: Description) -> Any:
    """MKP-SRV-DES with an Id of its own."""
    return MARKET_PLACE.MarketPlaceServiceDescription(
        Id=new_message_id(), ShortDescription="Load curves", UsageDetails="Advice", **_attributes(described)
    )


def _criteria(described: Description) -> Any:
    """All that a description must say to be found."""
    return MARKET_PLACE.ServiceCriteria(**_attributes(described))


def _attributes(described: Description) -> dict[str, Any]:
    """What MKP-SRV-DES says and criteria ask for, by element name."""
    return {
        "AggregationLevel": described.aggregation_level,
        "Quantity": described.quantity,
        "Period": _period(described),
        "Localization": _localization(described),
        "TimeStep": _STEPS[described.time_step or 0],
        "CustomerConsentMandatory": True,
    }


def _period(described: Description) -> Any:
    start, end = described.period or (None, None)
    return MARKET_PLACE.Period(Start=start, End=end)


def _localization(described: Description) -> Any:
    place = described.localization
    return None if place is None else MARKET_PLACE.Localization(Country=place.countries, City=place.cities)

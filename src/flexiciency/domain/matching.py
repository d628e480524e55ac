"""Matching (contract, decision 7): which offered descriptions serve which wanted ones, and why or why not.

offer (MKP-SRV-OFF) ──► descriptions ─┐
                                      ├─► compare, attribute by attribute ─► Pairing where all fit
subscription (MKP-SRV-SUB) ─► wanted ─┘
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import product

from flexiciency.contract.series import TimeStep
from flexiciency.domain.names import name_key

MOST_PLACES = 500
"""Combinations of country and city that a description is indexed by; above, its cities are not told apart."""

_ABSENT = "absent"
_ANY, _EACH = "*", "+"
_ANYWHERE = frozenset({_ANY})
_SHOWN = 5
_TIME_STEPS = {step.seconds: step.value for step in TimeStep}


@dataclass(frozen=True, slots=True)
class Localization:
    """Where a service applies (com:Localization). What is empty sets no limit; PoDs may be masked by `*` and `?`."""

    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """MKP-SRV-DES, as far as it is matched. Time step in seconds (a day: 86400); the period is [start, end)."""

    id: str
    service_type: str
    aggregation_level: str | None
    aggregation_method: str | None
    quantity: str | None
    time_step: int | None
    period: tuple[datetime, datetime] | None
    localization: Localization | None


@dataclass(frozen=True, slots=True)
class Offer:
    """MKP-SRV-OFF."""

    id: str
    version: int
    supplier_id: str
    descriptions: tuple[Description, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A description of a subscription: its own, or by reference that of an offer, which only that very one matches."""

    description: Description
    by_reference: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """MKP-SRV-SUB."""

    id: str
    version: int
    requester_id: str
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the comparison of one attribute gave; `text` is a sentence for the reader."""

    attribute: str
    fits: bool
    offered: str
    wanted: str
    text: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """One offered description that matches one wanted one, with the versions in which they did."""

    offer_id: str
    offer_version: int
    offered_id: str
    subscription_id: str
    subscription_version: int
    wanted_id: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """The same in every version of offer and subscription."""
        return self.offer_id, self.offered_id, self.subscription_id, self.wanted_id

    def is_newer_than(self, earlier: "Pairing") -> bool:
        """Whether offer or subscription has a newer version than in an earlier pairing of the same identity."""
        return self.offer_version > earlier.offer_version or self.subscription_version > earlier.subscription_version


def compare(offered: Description, wanted: Wanted) -> tuple[Finding, ...]:
    """Why an offered description does or does not match a wanted one: each attribute, always in the same order."""
    return tuple(_findings(offered, wanted))


def matches(offered: Description, wanted: Wanted) -> bool:
    """Whether every attribute fits."""
    return all(finding.fits for finding in _findings(offered, wanted))


def pairings(offer: Offer, subscription: Subscription) -> tuple[Pairing, ...]:
    """Every match of an offer with a subscription; none where both are of one registration."""
    if offer.supplier_id == subscription.requester_id:
        return ()
    return tuple(
        Pairing(
            offer.id, offer.version, offered.id, subscription.id, subscription.version, wanted.description.id
        )
        for offered, wanted in product(offer.descriptions, subscription.wanted)
        if matches(offered, wanted)
    )  # fmt: skip


def search_keys(description: Description) -> frozenset[str]:
    """What an index keeps of a description, so that `lookup_keys` of any that matches it finds it."""
    countries, cities = _indexed_places(description)
    stored = set(product(countries | {_EACH}, cities | {_EACH}))
    return _keys(description, stored)


def lookup_keys(description: Description) -> frozenset[str]:
    """What to look up in an index of `search_keys` to find all that may match; `matches` decides on those found."""
    countries, cities = _indexed_places(description)
    asked_countries = {_EACH} if countries == {_ANY} else countries | {_ANY}
    asked_cities = {_EACH} if cities == {_ANY} else cities | {_ANY}
    return _keys(description, set(product(asked_countries, asked_cities)))


def _indexed_places(description: Description) -> tuple[frozenset[str], frozenset[str]]:
    """Countries and cities to index by; `*` stands for what is absent and so fits everywhere."""
    place = description.localization or Localization()
    countries, cities = _folded(place.countries) or _ANYWHERE, _folded(place.cities) or _ANYWHERE
    return (countries, cities) if len(countries) * len(cities) <= MOST_PLACES else (countries, _ANYWHERE)


def _keys(description: Description, places: set[tuple[str, str]]) -> frozenset[str]:
    """type|level|method|quantity|country|city for each place; `+` stands for all countries or cities together."""
    equal = (
        description.service_type,
        description.aggregation_level or "",
        description.aggregation_method or "",
        description.quantity or "",
    )
    return frozenset("|".join((*equal, *place)) for place in places)


def _findings(offered: Description, wanted: Wanted) -> Iterator[Finding]:
    """One by one, so that `matches` stops at the first that does not fit."""
    other = wanted.description
    if wanted.by_reference:
        yield _reference(offered.id, other.id)
    yield _equal("ServiceType", offered.service_type, other.service_type)
    yield _equal("AggregationLevel", offered.aggregation_level, other.aggregation_level)
    yield _equal("AggregationMethod", offered.aggregation_method, other.aggregation_method)
    yield _equal("Quantity", offered.quantity, other.quantity)
    yield _time_step(offered.time_step, other.time_step)
    yield _period(offered.period, other.period)
    here, there = offered.localization or Localization(), other.localization or Localization()
    yield _names("Localization/Country", here.countries, there.countries)
    yield _names("Localization/City", here.cities, there.cities)
    yield _names("Localization/Street", here.streets, there.streets)
    yield _pods(here.pods, there.pods)


def _reference(offered: str, wanted: str) -> Finding:
    fits = offered == wanted
    text = "The subscription refers to this description." if fits else "The subscription refers to another description."
    return Finding("ServiceDescription", fits, offered, wanted, text)


def _equal(attribute: str, offered: str | None, wanted: str | None) -> Finding:
    here, there = offered or _ABSENT, wanted or _ABSENT
    fits = offered == wanted
    text = f"Both are {here}." if fits else f"Offered is {here}, wanted is {there}; they must be equal."
    return Finding(attribute, fits, here, there, text)


def _time_step(offered: int | None, wanted: int | None) -> Finding:
    here = _ABSENT if offered is None else _TIME_STEPS[offered]
    there = _ABSENT if wanted is None else _TIME_STEPS[wanted]
    fits = wanted is None or (offered is not None and wanted % offered == 0)
    if wanted is None:
        text = "Any time step is wanted."
    elif offered is None:
        text = f"{there} is wanted, but the offer states no time step."
    else:
        text = f"{here} divides {there}." if fits else f"{here} does not divide {there}."
    return Finding("TimeStep", fits, here, there, text)


def _period(offered: tuple[datetime, datetime] | None, wanted: tuple[datetime, datetime] | None) -> Finding:
    fits = offered is None or wanted is None or max(offered[0], wanted[0]) < min(offered[1], wanted[1])
    limited = offered is not None and wanted is not None
    return Finding("Period", fits, _interval(offered), _interval(wanted), _overlap(fits=fits, limited=limited))


def _names(attribute: str, offered: tuple[str, ...], wanted: tuple[str, ...]) -> Finding:
    limited = bool(offered and wanted)
    fits = not limited or not _folded(offered).isdisjoint(_folded(wanted))
    return Finding(attribute, fits, _listed(offered), _listed(wanted), _overlap(fits=fits, limited=limited))


def _pods(offered: tuple[str, ...], wanted: tuple[str, ...]) -> Finding:
    limited = bool(offered and wanted)
    fits = not limited or not set(offered).isdisjoint(wanted) or _masks_overlap(offered, wanted)
    text = _overlap(fits=fits, limited=limited)
    return Finding("Localization/PoD", fits, _listed(offered), _listed(wanted), text)


def _overlap(*, fits: bool, limited: bool) -> str:
    if not limited:
        return "Absent on one side or both, so that it sets no limit."
    return "Offered and wanted overlap." if fits else "Offered and wanted do not overlap."


def _masks_overlap(offered: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Whether some PoD fits an offered and a wanted one, at least one of which is masked."""
    masked_offered, masked_wanted = [pod for pod in offered if _masked(pod)], [pod for pod in wanted if _masked(pod)]
    return (
        any(_fits(pod, mask) for mask, pod in product(masked_offered, wanted) if not _masked(pod))
        or any(_fits(pod, mask) for mask, pod in product(masked_wanted, offered) if not _masked(pod))
        or any(_some_pod_fits(*masks) for masks in product(masked_offered, masked_wanted))
    )


def _masked(pod: str) -> bool:
    return "*" in pod or "?" in pod


def _fits(pod: str, mask: str) -> bool:
    """Whether a mask may stand for a PoD; to `fnmatch` a bracket means something, to us it is a character."""
    return fnmatchcase(pod, mask.replace("[", "[[]"))


def _some_pod_fits(one: str, other: str) -> bool:
    """Whether some PoD fits two masks.

    A table of the masks' endings: `fits[j]` says whether some text fits both the rest of `one` and `other[j:]`.
    """
    last = len(other)
    fits = [not other[j:].strip("*") for j in range(last + 1)]
    for character in reversed(one):
        shorter, fits = fits, [False] * last + [character == "*" and fits[last]]
        for j in reversed(range(last)):
            if "*" in (character, other[j]):
                fits[j] = shorter[j] or fits[j + 1]
            else:
                fits[j] = shorter[j + 1] and (character == other[j] or "?" in (character, other[j]))
    return fits[0]


@lru_cache(maxsize=1024)
def _folded(names: tuple[str, ...]) -> frozenset[str]:
    """Names compare without case, and however their accents are encoded. Kept: the next comparison asks again."""
    return frozenset(map(name_key, names))


def _interval(period: tuple[datetime, datetime] | None) -> str:
    return _ABSENT if period is None else f"{period[0].isoformat()}/{period[1].isoformat()}"


def _listed(names: tuple[str, ...]) -> str:
    """The first few names, and how many more there are: a localization may hold thousands of PoDs."""
    if not names:
        return _ABSENT
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

"""Small towns made up from published load profiles: BDEW's standard profiles of 2025, scaled and made noisy per PoD.

Needs the extra `demo`. Everything follows from the seed: the same seed gives the same town and the same load curves.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Self

import numpy as np
import pandas as pd
from demandlib import bdew
from numpy.typing import NDArray

from flexiciency.contract.series import Quantity, TimeStep, instant_of
from flexiciency.domain.values import Block, day_starts


@dataclass(frozen=True, slots=True)
class Place:
    """Where a town is, its IANA zone, and the form of its PoDs: a prefix, and a number of so many digits.

    So many of the PoDs are the first customer's; the others have one each.
    """

    country: str
    city: str
    zone: str
    streets: tuple[str, ...]
    pod_prefix: str
    pod_digits: int
    pods_of_first: int = 1


LINDENAU = Place(
    "AT", "Lindenau", "Europe/Vienna",
    ("Hauptstraße", "Bahnhofstraße", "Mühlgasse", "Kirchenplatz", "Schulgasse", "Gartenweg", "Am Bach", "Feldweg"),
    # Austrian form: country, grid operator (6), post code (5), number (20).
    "AT00100009999", 20,
)  # fmt: skip
MONTE_CLARO = Place(
    "PT", "Monte Claro", "Europe/Lisbon", ("Rua Direita", "Rua da Igreja", "Largo do Chafariz"),
    # Portuguese form: country, grid operator (4), number.
    "PT0002", 14, pods_of_first=2,
)  # fmt: skip

_QUARTER = TimeStep.PT15M
_QUARTERS_PER_HOUR = 4
_CONSUMPTION_OF_PROFILE = 1e6
"""Yearly kWh that demandlib's profiles, in kW, stand for: 1 GWh."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of customer: its profile, typical yearly kWh with spread and limits, and how even its load is."""

    profile: str
    typical_kwh: float
    least_kwh: float
    most_kwh: float
    evenness: float


_HOME = _Kind("H25", 3500, 1600, 7800, evenness=2.5)
_SHOP = _Kind("G25", 12000, 5000, 30000, evenness=10)
_FARM = _Kind("L25", 18000, 8000, 40000, evenness=6)


@dataclass(frozen=True, slots=True)
class TownPod:
    """A PoD with the customer who holds it and the yearly kWh it is made to consume."""

    number: int
    pod: str
    customer_id: str
    street: str
    house_number: int
    profile: str
    annual_kwh: float
    evenness: float


@dataclass(frozen=True, slots=True)
class Town:
    """The PoDs of a town with their customers, and their consumption in one calendar year of its zone."""

    place: Place
    year: int
    seed: int
    pods: tuple[TownPod, ...]

    @classmethod
    def make(cls, pods: int = 120, year: int = 2025, seed: int = 2015, place: Place = LINDENAU) -> Self:
        """A town of homes with a shop for every twelve and a farm for every forty PoDs, in streets."""
        return cls(place, year, seed, tuple(_town_pod(place, number, pods, seed) for number in range(pods)))

    @property
    def start_date(self) -> date:
        """First local day with values."""
        return date(self.year, 1, 1)

    @property
    def end_date(self) -> date:
        """First local day without values."""
        return date(self.year + 1, 1, 1)

    def load_curve(self, pod: TownPod) -> NDArray[np.int32]:
        """Consumption in Wh of each quarter hour of the year."""
        generator = np.random.default_rng([self.seed, pod.number, 1])
        counts = _quarters_of_days(self.start_date, self.end_date, self.place.zone)
        profile = _profile(pod.profile, self.start_date, self.end_date, self.place.zone)
        habit = np.roll(profile, generator.integers(-3, 4))
        day = np.repeat(generator.lognormal(0, 0.2, len(counts)), counts)
        curve = habit * day * generator.gamma(pod.evenness, 1 / pod.evenness, len(habit))
        return np.asarray(np.rint(curve * (pod.annual_kwh * 1000 / curve.sum())), dtype=np.int32)

    def blocks(self, pod: TownPod) -> Iterator[Block]:
        """The load curve as one Block for each local day, of 92, 96 or 100 quarter hours."""
        curve, zone = self.load_curve(pod), self.place.zone
        starts = day_starts(self.start_date, self.end_date, zone).tolist()
        ends = np.cumsum(_quarters_of_days(self.start_date, self.end_date, zone)).tolist()
        for i, (start, first, end) in enumerate(zip(starts, [0, *ends[:-1]], ends, strict=True)):
            day = self.start_date + timedelta(days=i)
            values = curve[first:end]
            yield Block(pod.pod, Quantity.ENERGY_CONSUMPTION, day, 1, instant_of(start), _QUARTER, values)


def _town_pod(place: Place, number: int, pods: int, seed: int) -> TownPod:
    kind = _SHOP if number % 12 == 5 else _FARM if number % 40 == 19 else _HOME  # noqa: PLR2004 - one in 12, one in 40
    annual = np.random.default_rng([seed, number, 0]).lognormal(np.log(kind.typical_kwh), 0.35)
    in_street = -(-pods // len(place.streets))
    return TownPod(
        number=number,
        pod=f"{place.pod_prefix}{number + 1:0{place.pod_digits}d}",
        customer_id=f"C{1 if number < place.pods_of_first else number + 1:06d}",
        street=place.streets[number // in_street],
        house_number=number % in_street + 1,
        profile=kind.profile,
        annual_kwh=round(float(np.clip(annual, kind.least_kwh, kind.most_kwh)), 3),
        evenness=kind.evenness,
    )


@lru_cache(maxsize=16)
def _profile(name: str, start_date: date, end_date: date, zone: str) -> NDArray[np.float64]:
    """BDEW's profile in kWh for each quarter hour of the local days, for one kWh a year."""
    index = pd.date_range(start_date, end_date, freq="15min", inclusive="left", tz=zone)
    with warnings.catch_warnings():
        # demandlib 0.2.2 calls pandas in ways that pandas 4 will drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        power = getattr(bdew, name)(index).to_numpy(dtype=np.float64)
    return np.asarray(power / _QUARTERS_PER_HOUR / _CONSUMPTION_OF_PROFILE)


@lru_cache(maxsize=16)
def _quarters_of_days(start_date: date, end_date: date, zone: str) -> NDArray[np.int64]:
    starts = day_starts(start_date, end_date + timedelta(days=1), zone)
    return np.diff(starts) // _QUARTER.seconds

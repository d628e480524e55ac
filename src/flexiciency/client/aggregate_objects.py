"""What a Market Player says of aggregated data (D2.3, 2.5)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from flexiciency.contract.series import Encoding, Quantity, TimeStep


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatesSelection:
    """AggregatedDataSelection (AGG-DAT-SEL): which aggregates are wanted, [start, end) in UTC (D2.3, 2.5).

    PoDs named or of the customers named, of them those in the places named; without any, all of the agreement.
    """

    level: Literal["Country", "City", "Street", "Portfolio"]
    method: Literal["Sum", "Mean"]
    quantity: Quantity
    start: datetime
    end: datetime
    time_step: TimeStep
    pods: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    cities: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()
    encoding: Encoding | None = None
    id: str | None = None

"""IND-DAT-VAL and AGG-DAT-VAL between numpy arrays and canonical XML: what writer and reader share (D2.3, 2.6)."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from flexiciency.contract.series import Encoding, Quantity, Series, TimeStep
from flexiciency.contract.tables import Columns, Tables

PROVISION = "urn:flexiciency:provision:1"
COMMON = "urn:flexiciency:common:1"


@dataclass(frozen=True, slots=True)
class Kind:
    """The names of an object of values in XML, and the largest value it may hold, in Wh or W."""

    element: str
    selection: str
    item: str
    name: str
    most: int


_MOST = 10**15 - 1
"""Three decimal places of what is below 10^15 Wh come through a double unharmed."""

INDIVIDUAL = Kind("IndividualDataValue", "IndividualDataSelectionRef", "PodValues", "PoD", _MOST)
AGGREGATED = Kind("AggregatedDataValue", "AggregatedDataSelectionRef", "AggregateValues", "AggregationId", _MOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesHeader:
    """All of an IndividualDataValue but its values. The period is half-open in UTC.

    `encoding` is that of all series written, and that of the first one read.
    """

    id: str
    agreement: str
    selection: str | None
    quantity: Quantity
    time_step: TimeStep
    period_start: datetime
    period_end: datetime
    version: int
    encoding: Encoding

    kind: ClassVar[Kind] = INDIVIDUAL

    @property
    def unit(self) -> str:
        """Unit of the quantity, kWh or kW."""
        return self.quantity.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatesHeader(ValuesHeader):
    """All of an AggregatedDataValue but its values: level (Country, City, Street, Portfolio) and method (Sum, Mean)."""

    aggregation_level: str
    aggregation_method: str

    kind: ClassVar[Kind] = AGGREGATED


@dataclass(frozen=True, slots=True)
class Wrapper:
    """The Body's child that wraps the object in an operation."""

    prefix: str
    namespace: str
    name: str


PUSH = Wrapper("mplo", "urn:flexiciency:market-player-operations:1", "ReceiveIndividualDataValue")
REPLY = Wrapper("b2bo", "urn:flexiciency:b2b-operations:1", "RequestIndividualDataValuesResponse")
AGGREGATES_PUSH = Wrapper(PUSH.prefix, PUSH.namespace, "ReceiveAggregatedDataValue")
AGGREGATES_REPLY = Wrapper(REPLY.prefix, REPLY.namespace, "RequestAggregatedDataValuesResponse")


@dataclass(frozen=True, slots=True, eq=False)
class ValuesMessage(Tables):
    """An IndividualDataValue as read. A PoD whose values have gaps has a Series for each run without one.

    Values are int32, or int64 where those of a PoD need it, as sums of many may.
    """

    header: ValuesHeader
    series: list[Series]

    def columns(self) -> Columns:
        """The rows of its tables."""
        return Columns("pod", self.header.quantity, self.header.version, self.series)


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """Consecutive values of one aggregate. `pods` is the number of PoDs behind each of them.

    In `series` the AggregationId stands for the PoD; the values are int64, Wh or W.
    """

    pods: int
    series: Series

    @property
    def id(self) -> str:
        """The AggregationId."""
        return self.series.pod


@dataclass(frozen=True, slots=True, eq=False)
class AggregatesMessage(Tables):
    """An AggregatedDataValue as read. An aggregate whose values have gaps comes once for each run without one."""

    header: AggregatesHeader
    aggregates: list[Aggregate]

    def columns(self) -> Columns:
        """The rows of its tables."""
        runs, counts = [one.series for one in self.aggregates], [one.pods for one in self.aggregates]
        return Columns("aggregation_id", self.header.quantity, self.header.version, runs, counts)

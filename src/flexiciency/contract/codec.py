"""IND-DAT-VAL between numpy arrays and canonical XML: what `codec_write` and `codec_read` share (D2.3, 2.6)."""

from dataclasses import dataclass
from datetime import datetime

from flexiciency.contract.series import Encoding, Quantity, Series, TimeStep

PROVISION = "urn:flexiciency:provision:1"
COMMON = "urn:flexiciency:common:1"


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

    @property
    def unit(self) -> str:
        """Unit of the quantity, kWh or kW."""
        return self.quantity.unit


@dataclass(frozen=True, slots=True)
class Wrapper:
    """The Body's child that wraps the object in an operation."""

    prefix: str
    namespace: str
    name: str


PUSH = Wrapper("mplo", "urn:flexiciency:market-player-operations:1", "ReceiveIndividualDataValue")
REPLY = Wrapper("b2bo", "urn:flexiciency:b2b-operations:1", "RequestIndividualDataValuesResponse")


@dataclass(frozen=True, slots=True, eq=False)
class ValuesMessage:
    """An IndividualDataValue as read. A PoD whose values have gaps has a Series for each run without one."""

    header: ValuesHeader
    series: list[Series]

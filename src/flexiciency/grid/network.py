"""A DSO's grid model: a pandapower net in a JSON file, with a load area, its base cases and its limits (D2.3, 2.6).

The load area's code is the name of a bus, or else of a zone, among whose buses in service an exchange is shared
equally: where in its zone a Market Player will consume or generate is not known.
The base case is the net's own loads and generation or, where the net carries profiles as SimBench's do, those of the
same quarter hour of the year by the load area's winter time: as in SimBench's, their rows run on through the changes
of clocks.
"""

from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flexiciency.errors import GatewayError

QUARTER = timedelta(minutes=15)
_YEARS = {366 * 96: 2016, 365 * 96: 2015}
"""Rows of profiles, and a year that has so many quarter hours."""
_LOADED = ("line", "trafo", "trafo3w")
_LIMITS = (
    *((kind, "max_loading_percent", 100.0) for kind in _LOADED),
    ("bus", "min_vm_pu", 0.9),
    ("bus", "max_vm_pu", 1.1),
)
"""Table, column, and what holds where the net says nothing."""
_PROFILED = (
    ("load", "p_mw", "_pload", ("load",)),
    ("load", "q_mvar", "_qload", ("load",)),
    ("sgen", "p_mw", "", ("powerplants", "renewables")),
    ("gen", "p_mw", "", ("powerplants", "renewables")),
    ("storage", "p_mw", "", ("storage",)),
)
"""What follows profiles: table and column of the net, what SimBench appends to the profile's name, and where it is."""


class NetworkInvalid(GatewayError):  # noqa: N818  named like the coded errors
    """The file of a grid model cannot be used; the message says which, and what was expected."""


@dataclass(frozen=True, slots=True)
class _Profiled:
    """A column of a table of the net that follows profiles: its elements' own values, and the profile of each."""

    table: str
    column: str
    own: NDArray[np.float64]
    profiles: tuple[NDArray[np.float64], ...]


class Network:
    """A grid model with one load area in it."""

    def __init__(self, file: Path, code: str) -> None:
        """Read the file. Raises NetworkInvalid for one that is no net, or has no such load area.

        pandapower makes the objects that the file names: trust it like a program.
        """
        self._file = file
        self._net = _read(file)
        self._buses = self._buses_of(code)
        self._rows = self._rows_of_profiles()
        self._profiled = [self._follow(*one) for one in _PROFILED if self._rows and "profile" in self._net[one[0]]]
        self._exchange = self._add_exchange()
        self._solved = False

    def base_case(self, moment: datetime, zone: ZoneInfo) -> int:
        """The row of the profiles at a moment; 0 always where the net has none. 29 February may be the 28th."""
        if not self._rows:
            return 0
        local = moment.astimezone(zone)
        winter = local.replace(tzinfo=UTC) - (local.dst() or timedelta(0))
        year = _YEARS[self._rows]
        if (winter.month, winter.day) == (2, 29) and not isleap(year):
            winter -= timedelta(days=1)
        return (winter.replace(year=year) - datetime(year, 1, 1, tzinfo=UTC)) // QUARTER

    def set_base_case(self, row: int) -> None:
        """Set loads and generation to those of a row of the profiles."""
        for one in self._profiled:
            table = self._net[one.table]
            table.loc[table.index[: len(one.own)], one.column] = one.own * [profile[row] for profile in one.profiles]

    def breach(self, power: float) -> str | None:
        """The limit that base case and exchange of so many W (consumption positive) exceed; None when none.

        Raises NetworkInvalid for a line without reactance.
        """
        self._net.load.loc[self._exchange, "p_mw"] = power / 1e6 / len(self._exchange)
        self._solved = (self._solved and self._solve("results")) or self._solve("auto")
        if not self._solved:
            return "power flow without solution"
        return self._unsupplied() or self._overload() or self._voltage()

    def _solve(self, init: str) -> bool:
        """Whether the power flow converges. From the results of the one before it takes half the time."""
        import pandapower  # noqa: PLC0415  slow to import

        # A flow that diverges overflows on its way.
        with np.errstate(all="ignore"):
            try:
                pandapower.runpp(self._net, init=init, numba=False)
            except pandapower.LoadflowNotConverged:
                return False
            except FloatingPointError as error:
                raise NetworkInvalid(f"{self._file}: {error}; expected each line with a reactance above 0.") from error
        return True

    def _unsupplied(self) -> str | None:
        """A bus of the load area that no source feeds: there an exchange would count for nothing."""
        dark = self._net.res_bus.vm_pu[self._buses].isna()
        return f"{self._called('bus', dark.idxmax())} without supply" if dark.any() else None

    def _overload(self) -> str | None:
        for kind in _LOADED:
            limit = self._net[kind].max_loading_percent
            over = self._net[f"res_{kind}"].loading_percent - limit
            if (over > 0).any():
                index = over.idxmax()
                return f"{self._called(kind, index)} above {limit[index]:g} % loading"
        return None

    def _voltage(self) -> str | None:
        voltage, low, high = self._net.res_bus.vm_pu, self._net.bus.min_vm_pu, self._net.bus.max_vm_pu
        for beyond, limit, word in ((low - voltage, low, "below"), (voltage - high, high, "above")):
            if (beyond > 0).any():
                index = beyond.idxmax()
                return f"{self._called('bus', index)} {word} {limit[index]:g} p.u."
        return None

    def _called(self, kind: str, index: Any) -> str:
        return f"{kind} {self._net[kind].name[index]} ({index})"

    def _buses_of(self, code: str) -> list[Any]:
        """The indices of the load area's buses."""
        buses = self._net.bus[self._net.bus.in_service]
        named, zone = list(buses.index[buses["name"] == code]), list(buses.index[buses["zone"] == code])
        if len(named) > 1:
            raise NetworkInvalid(f"{self._file}: {len(named)} buses are named {code}; expected one, or a zone.")
        if not named and not zone:
            raise NetworkInvalid(f"{self._file}: expected a bus or a zone named {code}, as the load area, in service.")
        return named or zone

    def _add_exchange(self) -> list[Any]:
        """A load for the exchange at each bus of the load area, behind the net's own."""
        import pandapower  # noqa: PLC0415  slow to import

        return [pandapower.create_load(self._net, bus, p_mw=0.0, q_mvar=0.0, name="exchange") for bus in self._buses]

    def _rows_of_profiles(self) -> int:
        """How many rows the profiles have; 0 where there are none."""
        rows = {len(table) for table in (self._net.get("profiles") or {}).values()} - {0}
        if not rows:
            return 0
        if len(rows) > 1 or not rows <= _YEARS.keys():
            raise NetworkInvalid(
                f"{self._file}: profiles of {sorted(rows)} rows; expected a year of quarter hours in each, "
                f"{' or '.join(map(str, _YEARS))} rows."
            )
        return rows.pop()

    def _follow(self, table: str, column: str, suffix: str, places: tuple[str, ...]) -> _Profiled:
        """What follows profiles in a column of the net; an element without a profile keeps its own value."""
        elements, ones = self._net[table], np.ones(self._rows)
        known = {name: values for place in places for name, values in self._net.profiles.get(place, {}).items()}
        wanted = [f"{name}{suffix}" if isinstance(name, str) else None for name in elements.profile]
        unknown = {name for name in wanted if name is not None and name not in known}
        if unknown:
            raise NetworkInvalid(f"{self._file}: {table} names profiles {sorted(unknown)}; expected some of {places}.")
        profiles = tuple(ones if name is None else known[name].to_numpy(float) for name in wanted)
        return _Profiled(table, column, elements[column].to_numpy(float, copy=True), profiles)


def _read(file: Path) -> Any:
    """The net, each limit of it filled in. Raises NetworkInvalid."""
    import pandapower  # noqa: PLC0415  slow to import

    try:
        with file.open(encoding="utf-8") as stream:
            net = pandapower.from_json(stream)
    except Exception as error:
        # pandapower raises whatever it meets in a file.
        said = " ".join(str(error).split())
        raise NetworkInvalid(f"{file}: {said}; expected a net as pandapower.to_json writes it.") from error
    unrated = net.line.index[net.line.in_service & net.line.max_i_ka.isna()]
    if len(unrated) > 0:
        raise NetworkInvalid(f"{file}: the lines {list(unrated)} have no max_i_ka; expected what each may carry.")
    for kind, column, default in _LIMITS:
        table = net[kind]
        table[column] = table[column].astype(float).fillna(default) if column in table else default
    return net

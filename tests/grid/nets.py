"""Grid models for tests: pandapower nets in files, and what to ask of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandapower

from flexiciency.domain.flexibility import Curve, LoadArea, Validation
from flexiciency.grid.validation import validate

START = datetime(2025, 1, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
FACTOR = 1_000_000


def stored(folder: Path, net: Any) -> Path:
    file = folder / "grid.json"
    pandapower.to_json(net, str(file))
    return file


def flat(power: int, start: datetime = START, length: timedelta = HOUR) -> Curve:
    """One power (W) all the time."""
    return Curve(start, ((start, power),), start + length)


def asked(folder: Path, net: Any, code: str, curve: Curve, zone: str = "UTC") -> Validation:
    return validate(stored(folder, net), LoadArea(zone, (), (), code), curve)


def two_buses(*, max_i_ka: float = 1.0, r_ohm: float = 0.1, x_ohm: float = 1e-6, load_mw: float = 0.0) -> Any:
    """A source at 0.4 kV and 1 p.u., a resistance, and the bus "End", perhaps with a load."""
    net = pandapower.create_empty_network()
    source, end = (pandapower.create_bus(net, 0.4, name=name) for name in ("Source", "End"))
    pandapower.create_ext_grid(net, source)
    pandapower.create_line_from_parameters(net, source, end, 1.0, r_ohm, x_ohm, 0.0, max_i_ka, name="Cable")
    pandapower.create_load(net, end, load_mw)
    return net

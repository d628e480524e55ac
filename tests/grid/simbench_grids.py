"""Curtailment factors on SimBench's low-voltage grids with their profiles, against a brute-force scan: `make grid`.

Not collected by `make test`, which has no SimBench: pytest takes a file of this name only when it is named.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandapower
import pytest
import simbench

from flexiciency.domain.flexibility import WHOLE, Curve, LoadArea
from flexiciency.grid.validation import validate

Row = tuple[str, int, float, float, str]

GERMANY = ZoneInfo("Europe/Berlin")
EVENING = datetime(2016, 1, 11, 18, 30, tzinfo=GERMANY)
NOON = datetime(2016, 6, 29, 13, 0, tzinfo=GERMANY)
QUARTERS = 2
CASES = [
    (grid, kw, start)
    for grid, import_kw, export_kw in (
        ("1-LV-rural2--2-sw", 500, -400),
        ("1-LV-semiurb4--0-sw", 800, -800),
        ("1-LV-urban6--0-sw", 1000, -1000),
    )
    for kw, start in ((import_kw, EVENING), (export_kw, NOON))
]


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    rows: list[Row] = []
    yield rows
    print("\ngrid | kW | factor | brute force | limiting element")
    for grid, kw, factor, brute, element in rows:
        print(f"{grid} | {kw} | {factor:.6f} | {brute:.3f} | {element}")


def exceeded(net: Any) -> set[tuple[str, int]]:
    """Everything beyond its limit, by kind and index; a flow that does not converge is ("flow", 0)."""
    try:
        pandapower.runpp(net, numba=False)
    except pandapower.LoadflowNotConverged:
        return {("flow", 0)}
    found = set()
    for index, loading in net.res_line.loading_percent.items():
        if loading > net.line.max_loading_percent[index]:
            found.add(("line", index))
    for index, loading in net.res_trafo.loading_percent.items():
        if loading > net.trafo.max_loading_percent[index]:
            found.add(("trafo", index))
    for index, voltage in net.res_bus.vm_pu.items():
        if not net.bus.min_vm_pu[index] <= voltage <= net.bus.max_vm_pu[index]:
            found.add(("bus", index))
    return found


def brute_force(net: Any, bus: int, kw: int, start: datetime) -> tuple[float, set[tuple[str, int]]]:
    """The last of the factors 0, 0.001, … that is feasible, all before it too, and what the next one exceeds."""
    profiles = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    # SimBench's own times are Germany's local time in 2016.
    times = list(net.profiles["load"]["time"])
    first = times.index(f"{start:%d.%m.%Y %H:%M}")
    exchange = pandapower.create_load(net, bus, p_mw=0.0)
    for thousandths in range(1001):
        found = set()
        for row in range(first, first + QUARTERS):
            for (kind, column), frame in profiles.items():
                if len(frame.columns) > 0:
                    net[kind].loc[frame.columns, column] = frame.loc[row].to_numpy()
            net.load.loc[exchange, "p_mw"] = kw / 1000 * thousandths / 1000
            found |= exceeded(net)
        if found:
            return (thousandths - 1) / 1000, found
    return 1.0, set()


@pytest.mark.parametrize(("grid", "kw", "start"), CASES)
def test_the_factor_agrees_with_brute_force_and_its_element_is_named(
    grid: str, kw: int, start: datetime, tmp_path: Path, table: list[Row]
) -> None:
    net = simbench.get_simbench_net(grid)
    bus = net.load.bus.iloc[-1]
    file = tmp_path / "grid.json"
    pandapower.to_json(net, str(file))
    area = LoadArea("Europe/Berlin", (), (), net.bus.name[bus])
    begin = start.astimezone(UTC)
    curve = Curve(begin, ((begin, kw * 1000),), begin + QUARTERS * timedelta(minutes=15))

    answer = validate(file, area, curve)
    brute, beyond = brute_force(net, bus, kw, start)

    table.append((grid, kw, answer.factor / WHOLE, brute, str(answer.limiting_element)))
    assert 0 < brute < 1
    assert abs(answer.factor / WHOLE - brute) <= 0.01
    assert answer.limiting_element is not None
    assert any(
        answer.limiting_element.startswith(f"{kind} {net[kind].name[index]} ({index}) ") for kind, index in beyond
    )

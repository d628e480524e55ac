"""The curtailment factor by power flow: what can be computed by hand, and pandapower's own networks."""

from datetime import timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import pandapower
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandapower import networks

from flexiciency.domain.flexibility import Curve, Validation
from flexiciency.domain.reasons import ReasonCode
from tests.grid.nets import FACTOR, HOUR, START, asked, flat, two_buses

NEAR = pytest.approx
WITHIN = 10
"""Millionths between the factor and the first that is infeasible."""


def code(answer: Validation) -> ReasonCode | None:
    return answer.reason.code if answer.reason else None


def feasible(net: Any, bus: int, megawatt: float) -> bool:
    """Judged anew, from a flat start."""
    exchange = pandapower.create_load(net, bus, megawatt)
    try:
        pandapower.runpp(net, numba=False)
    except pandapower.LoadflowNotConverged:
        return False
    finally:
        net.load = net.load.drop(exchange)
    loadings = [*net.res_line.loading_percent, *net.res_trafo.loading_percent]
    return max(loadings) <= 100 and all(0.9 <= voltage <= 1.1 for voltage in net.res_bus.vm_pu)


def test_what_the_grid_takes_is_accepted_whole_and_nothing_limits(tmp_path: Path) -> None:
    answer = asked(tmp_path, two_buses(), "End", flat(1_000))
    assert answer == Validation(FACTOR, FACTOR, None, None)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_line_limits_at_its_current(sign: int, tmp_path: Path) -> None:
    """At 0.01 kA over 0.1 Ω phase voltage falls or rises by 1 V from 400 V / √3; power is 3 · U · I."""
    phase = 400 / sqrt(3) - sign * 1.0
    by_hand = 3 * phase * 10.0
    answer = asked(tmp_path, two_buses(max_i_ka=0.01), "End", flat(sign * 100_000))
    assert by_hand / 100_000 * FACTOR - WITHIN - 1 <= answer.factor <= by_hand / 100_000 * FACTOR
    assert answer.limiting_element == "line Cable (0) above 100 % loading at 2025-01-15T00:00:00Z"
    assert (code(answer), answer.tso) == (ReasonCode.GRID_LIMIT, FACTOR)


@pytest.mark.parametrize(("sign", "voltage", "word"), [(1, 0.9, "below"), (-1, 1.1, "above")])
def test_voltage_limits_at_the_end_of_its_band(sign: int, voltage: float, word: str, tmp_path: Path) -> None:
    """Over a resistance R the power at voltage U is U · (U₀ - U) / R."""
    by_hand = abs(400 * voltage * (400 - 400 * voltage) / 0.1)
    answer = asked(tmp_path, two_buses(), "End", flat(sign * 400_000))
    assert by_hand / 400_000 * FACTOR - WITHIN - 1 <= answer.factor <= by_hand / 400_000 * FACTOR
    assert answer.limiting_element == f"bus End (1) {word} {voltage} p.u. at 2025-01-15T00:00:00Z"


def test_limits_of_the_net_itself_count(tmp_path: Path) -> None:
    net = two_buses(max_i_ka=0.01)
    net.line["max_loading_percent"] = 50.0
    net.bus["min_vm_pu"] = [float("nan"), 0.999]
    assert asked(tmp_path, net, "End", flat(100_000)).limiting_element == (
        "bus End (1) below 0.999 p.u. at 2025-01-15T00:00:00Z"
    )
    net.bus["min_vm_pu"] = float("nan")
    answer = asked(tmp_path, net, "End", flat(10_000))
    assert answer.limiting_element == "line Cable (0) above 50 % loading at 2025-01-15T00:00:00Z"
    assert answer.factor / FACTOR == NEAR(3 * (400 / sqrt(3) - 0.5) * 5 / 10_000, abs=2e-5)


def test_generation_that_relieves_a_line_first_gets_what_consumption_leaves_too(tmp_path: Path) -> None:
    """4 kW of consumption are taken away, and another 10 A go out."""
    answer = asked(tmp_path, two_buses(max_i_ka=0.01, load_mw=0.004), "End", flat(-20_000))
    by_hand = 4_000 + 3 * (400 / sqrt(3) + 1.0) * 10
    assert answer.factor / FACTOR == NEAR(by_hand / 20_000, abs=2e-5)
    assert answer.limiting_element == "line Cable (0) above 100 % loading at 2025-01-15T00:00:00Z"


def test_the_first_infeasible_stretch_stops_the_factor_though_the_whole_exchange_is_feasible(tmp_path: Path) -> None:
    """Over R + jX generation lifts the voltage first, more of it lowers it: u² - (U₀² + 2PR)u + P²Z² = 0, u = U².

    With 0.05 Ω and 0.2 Ω it is above 1.025 p.u. from 113.66 to 281.87 kW.
    """
    net = two_buses(max_i_ka=100.0, r_ohm=0.05, x_ohm=0.2)
    net.bus["max_vm_pu"] = [1.1, 1.025]
    answer = asked(tmp_path, net, "End", flat(-390_000))
    assert answer.factor / FACTOR == NEAR(113_659 / 390_000, abs=2e-5)
    assert answer.limiting_element == "bus End (1) above 1.025 p.u. at 2025-01-15T00:00:00Z"
    pandapower.create_load(net, 1, -0.39)
    pandapower.runpp(net, numba=False)
    assert net.res_bus.vm_pu[1] < 1.025


def test_a_flow_that_does_not_converge_is_infeasible(tmp_path: Path) -> None:
    """Over a resistance no more than U₀² / 4 R can be drawn, 400 kW."""
    net = two_buses(max_i_ka=100.0)
    net.bus["min_vm_pu"] = 0.0
    answer = asked(tmp_path, net, "End", flat(1_000_000))
    assert answer.factor / FACTOR == NEAR(0.4, abs=0.001)
    assert answer.limiting_element == "power flow without solution at 2025-01-15T00:00:00Z"


@pytest.mark.parametrize("power", [0, 1_000, -1_000])
def test_a_base_case_beyond_its_limits_is_0_even_where_the_exchange_relieves(power: int, tmp_path: Path) -> None:
    answer = asked(tmp_path, two_buses(max_i_ka=0.01, load_mw=0.007), "End", flat(power))
    assert (answer.factor, code(answer)) == (0, ReasonCode.BASE_CASE_INFEASIBLE)
    assert answer.limiting_element == "line Cable (0) above 100 % loading at 2025-01-15T00:00:00Z"


def test_an_exchange_of_nothing_is_accepted(tmp_path: Path) -> None:
    assert asked(tmp_path, two_buses(), "End", flat(0)) == Validation(FACTOR, FACTOR, None, None)


def test_a_load_area_without_supply_takes_nothing(tmp_path: Path) -> None:
    net = two_buses()
    net.line["in_service"] = False
    answer = asked(tmp_path, net, "End", flat(1_000))
    assert (answer.factor, code(answer)) == (0, ReasonCode.BASE_CASE_INFEASIBLE)
    assert answer.limiting_element == "bus End (1) without supply at 2025-01-15T00:00:00Z"


def test_the_worst_moment_counts_and_is_named(tmp_path: Path) -> None:
    powers = (1_000, 20_000, -10_000, 20_000)
    curve = Curve(START, tuple((START + n * HOUR, power) for n, power in enumerate(powers)), START + 4 * HOUR)
    answer = asked(tmp_path, two_buses(max_i_ka=0.01), "End", curve)
    assert answer.factor == asked(tmp_path, two_buses(max_i_ka=0.01), "End", flat(20_000)).factor
    assert answer.limiting_element == "line Cable (0) above 100 % loading at 2025-01-15T01:00:00Z"


def test_a_curve_that_is_none_is_refused(tmp_path: Path) -> None:
    assert code(asked(tmp_path, two_buses(), "End", flat(1, length=timedelta(0)))) is ReasonCode.CURVE_INVALID


def test_a_zone_shares_the_exchange_equally_among_its_buses_in_service(tmp_path: Path) -> None:
    net = two_buses(max_i_ka=0.01)
    idle = pandapower.create_bus(net, 0.4, name="Idle", in_service=False)
    net.bus["zone"] = ["Village", "Village", "Village"]
    assert net.bus.name[idle] == "Idle"
    alone, shared = (asked(tmp_path, net, where, flat(20_000)).factor for where in ("End", "Village"))
    assert shared == NEAR(2 * alone, abs=2 * WITHIN)


@pytest.mark.parametrize(
    ("make", "bus", "power"),
    [
        (networks.panda_four_load_branch, "bus5", 900_000),
        (networks.simple_four_bus_system, "bus3", -400_000),
        (networks.create_cigre_network_lv, "Bus R11", 300_000),
    ],
)
def test_pandapowers_networks_agree_with_a_scan(make: Any, bus: str, power: int, tmp_path: Path) -> None:
    net = make()
    answer = asked(tmp_path, net, bus, flat(power))
    index = net.bus.index[net.bus["name"] == bus][0]
    scan = next(n for n in range(1002) if not feasible(net, index, power / 1e6 * n / 1000))
    assert (scan - 1) * 1000 - WITHIN <= answer.factor <= scan * 1000
    assert answer.limiting_element is not None


def test_a_base_case_of_pandapowers_that_is_overloaded_is_named(tmp_path: Path) -> None:
    answer = asked(tmp_path, networks.create_cigre_network_mv(), "Bus 3", flat(1))
    assert code(answer) is ReasonCode.BASE_CASE_INFEASIBLE
    assert answer.limiting_element == "trafo Trafo 0-1 (0) above 100 % loading at 2025-01-15T00:00:00Z"


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    load=st.integers(-6_000, 6_000),
    power=st.integers(100_000, 300_000) | st.integers(-300_000, -100_000),
    ampere=st.integers(10, 30),
)
def test_the_factor_is_feasible_and_a_little_more_is_not(load: int, power: int, ampere: int, tmp_path: Path) -> None:
    net = two_buses(max_i_ka=ampere / 1000, load_mw=load / 1e6)
    answer = asked(tmp_path, net, "End", flat(power))
    allowed, more = (power * factor / FACTOR / 1e6 for factor in (answer.factor, answer.factor + WITHIN))
    assert feasible(net, 1, allowed) or code(answer) is ReasonCode.BASE_CASE_INFEASIBLE
    assert answer.factor == FACTOR or not feasible(net, 1, more)

"""What a grid model is read from: files that are none, load areas that are not in it, profiles."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandapower
import pandas as pd
import pytest

from flexiciency.domain.flexibility import LoadArea
from flexiciency.domain.reasons import ReasonCode
from flexiciency.grid.network import QUARTER, Network, NetworkInvalid
from flexiciency.grid.validation import validate
from tests.grid.nets import FACTOR, START, asked, flat, stored, two_buses

VIENNA = ZoneInfo("Europe/Vienna")
LEAP_YEAR = 366 * 96


def with_profiles(rows: int = LEAP_YEAR, kilowatt: dict[int, float] | None = None) -> Any:
    """The load of 1 MW follows a profile: kW in the rows given, else none."""
    net = two_buses(max_i_ka=0.01, load_mw=1.0)
    net.load["profile"] = "H0"
    shape = [0.0] * rows
    for row, power in (kilowatt or {}).items():
        shape[row] = power / 1000
    net["profiles"] = {"load": pd.DataFrame({"H0_pload": shape, "H0_qload": [0.0] * rows})}
    return net


@pytest.mark.parametrize("text", ["", "nonsense", "{}", "[]", "null", '{"bus": 1}'])
def test_a_file_that_is_no_net_is_named_and_what_was_expected(text: str, tmp_path: Path) -> None:
    file = tmp_path / "grid.json"
    file.write_text(text)
    with pytest.raises(NetworkInvalid, match=r"grid\.json: .*expected a net as pandapower\.to_json writes it"):
        validate(file, LoadArea("UTC", (), (), "End"), flat(1))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkInvalid, match=r"absent\.json.*expected a net"):
        validate(tmp_path / "absent.json", LoadArea("UTC", (), (), "End"), flat(1))


@pytest.mark.parametrize("code", ["Elsewhere", "", "None", "nan"])
def test_a_load_area_that_is_not_in_the_net_is_named(code: str, tmp_path: Path) -> None:
    with pytest.raises(NetworkInvalid, match=f"expected a bus or a zone named {code}, as the load area"):
        asked(tmp_path, two_buses(), code, flat(1))


def test_a_bus_out_of_service_is_no_load_area(tmp_path: Path) -> None:
    net = two_buses()
    pandapower.create_bus(net, 0.4, name="Idle", in_service=False)
    with pytest.raises(NetworkInvalid, match="named Idle, as the load area, in service"):
        asked(tmp_path, net, "Idle", flat(1))


def test_two_buses_of_one_name_are_refused(tmp_path: Path) -> None:
    net = two_buses()
    net.bus["name"] = "End"
    with pytest.raises(NetworkInvalid, match="2 buses are named End; expected one"):
        asked(tmp_path, net, "End", flat(1))


def test_a_line_that_may_carry_who_knows_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkInvalid, match=r"the lines \[0\] have no max_i_ka"):
        asked(tmp_path, two_buses(max_i_ka=float("nan")), "End", flat(1))


def test_a_line_without_reactance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkInvalid, match="expected each line with a reactance above 0"):
        asked(tmp_path, two_buses(x_ohm=0.0), "End", flat(1))


def test_the_base_case_is_that_of_the_quarter_hour(tmp_path: Path) -> None:
    """6 kW of load in the second quarter hour leave less for the exchange than in the first."""
    net = with_profiles(kilowatt={14 * 96 + 1: 6.0})
    quiet, busy = (asked(tmp_path, net, "End", flat(100_000, START, n * QUARTER)) for n in (1, 2))
    assert quiet.factor - busy.factor == pytest.approx(0.06 * FACTOR, abs=20)
    assert busy.limiting_element == "line Cable (0) above 100 % loading at 2025-01-15T00:15:00Z"


def test_one_quarter_hour_beyond_its_limits_is_a_base_case_beyond_them(tmp_path: Path) -> None:
    answer = asked(tmp_path, with_profiles(kilowatt={14 * 96 + 3: 8.0}), "End", flat(1))
    assert answer.reason is not None
    assert answer.reason.code is ReasonCode.BASE_CASE_INFEASIBLE
    assert answer.limiting_element == "line Cable (0) above 100 % loading at 2025-01-15T00:45:00Z"


def test_an_element_without_a_profile_keeps_its_own_power(tmp_path: Path) -> None:
    net = with_profiles()
    pandapower.create_load(net, 1, 0.006)
    plain = asked(tmp_path, two_buses(max_i_ka=0.01, load_mw=0.006), "End", flat(100_000))
    assert asked(tmp_path, net, "End", flat(100_000, length=QUARTER)).factor == pytest.approx(plain.factor, abs=20)


def test_generation_follows_its_profile_too(tmp_path: Path) -> None:
    net = with_profiles()
    pandapower.create_sgen(net, 1, 0.006)
    net.sgen["profile"] = "PV5"
    net.profiles["renewables"] = pd.DataFrame({"PV5": [0.5] * LEAP_YEAR})
    net.profiles["powerplants"] = pd.DataFrame({"time": [""] * LEAP_YEAR})
    net.profiles["storage"] = pd.DataFrame()
    plain = asked(tmp_path, two_buses(max_i_ka=0.01, load_mw=-0.003), "End", flat(-100_000))
    assert asked(tmp_path, net, "End", flat(-100_000, length=QUARTER)).factor == pytest.approx(plain.factor, abs=20)


def test_a_profile_that_is_missing_is_named(tmp_path: Path) -> None:
    net = with_profiles()
    net.load["profile"] = "G1"
    with pytest.raises(NetworkInvalid, match=r"load names profiles \['G1_pload'\]"):
        asked(tmp_path, net, "End", flat(1))


def test_profiles_of_no_year_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkInvalid, match=r"profiles of \[96\] rows; expected a year of quarter hours"):
        asked(tmp_path, with_profiles(96), "End", flat(1))


@pytest.mark.parametrize(
    ("rows", "local", "row"),
    [
        (LEAP_YEAR, datetime(2025, 1, 1, 0, 14, tzinfo=VIENNA), 0),
        (LEAP_YEAR, datetime(2025, 12, 31, 23, 59, tzinfo=VIENNA), LEAP_YEAR - 1),
        (LEAP_YEAR, datetime(2025, 3, 1, tzinfo=VIENNA), 60 * 96),
        (LEAP_YEAR, datetime(2025, 7, 1, 12, tzinfo=VIENNA), 182 * 96 + 44),
        (LEAP_YEAR - 96, datetime(2024, 3, 1, tzinfo=VIENNA), 59 * 96),
        (LEAP_YEAR - 96, datetime(2024, 2, 29, 1, tzinfo=VIENNA), 58 * 96 + 4),
    ],
)
def test_a_moment_has_the_row_of_its_quarter_hour_of_the_year(
    rows: int, local: datetime, row: int, tmp_path: Path
) -> None:
    network = Network(stored(tmp_path, with_profiles(rows)), "End")
    assert network.base_case(local.astimezone(UTC), VIENNA) == row


@pytest.mark.parametrize(("month", "day"), [(3, 30), (10, 26)])
def test_rows_run_on_when_clocks_change(month: int, day: int, tmp_path: Path) -> None:
    network = Network(stored(tmp_path, with_profiles()), "End")
    begin = datetime(2025, month, day, tzinfo=VIENNA).astimezone(UTC)
    rows = [network.base_case(begin + n * QUARTER, VIENNA) for n in range(100)]
    assert rows == list(range(rows[0], rows[0] + 100))


def test_the_base_case_of_a_net_without_profiles_is_always_the_same(tmp_path: Path) -> None:
    network = Network(stored(tmp_path, two_buses()), "End")
    assert {network.base_case(START + n * timedelta(days=1), VIENNA) for n in range(3)} == {0}

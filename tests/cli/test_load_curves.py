"""The picture of load curves: a panel each, gaps left open, what is not Measured marked."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

from flexiciency.cli.load_curves import MOST, draw, picture
from flexiciency.contract.codec import AggregatesMessage, ValuesMessage
from flexiciency.contract.series import Quality, Series, TimeStep
from tests.contract.test_codec import HEADER, START, series
from tests.contract.test_codec_aggregates import aggregate
from tests.contract.test_codec_aggregates import header as aggregates_header

QUARTER = timedelta(minutes=15)
_DAY = 86_400


def panels(message: Any, zone: str = "Europe/Vienna") -> list[Axes]:
    """Those that are seen."""
    figure = picture(message, ZoneInfo(zone))
    figure.draw_without_rendering()
    return [panel for panel in figure.axes if panel.get_visible()]


def steps(panel: Axes) -> list[tuple[list[float], list[float]]]:
    """The heights and edges (seconds since 1970) of each run."""
    found: list[Any] = [patch.get_data() for patch in panel.patches if isinstance(patch, StepPatch)]
    return [
        ([round(float(height), 3) for height in data.values], [round(edge * _DAY) for edge in data.edges])
        for data in found
    ]


def test_a_run_is_drawn_in_steps_from_start_to_end_and_a_gap_is_left_open() -> None:
    start = int(START.timestamp())
    (panel,) = panels(ValuesMessage(HEADER, [series([7], start=START + 4 * QUARTER), series([1500, 20])]))
    assert steps(panel) == [
        ([1.5, 0.02], [start, start + 900, start + 1800]),
        ([0.007], [start + 3600, start + 4500]),
    ]
    assert panel.get_title(loc="left") == "AT1"


def test_what_is_not_measured_is_marked_where_it_stands_and_missing_has_no_height() -> None:
    codes = [Quality.MEASURED, Quality.ESTIMATED, Quality.MISSING]
    (panel,) = panels(ValuesMessage(HEADER, [series([1000, 2000, 0], qualities=[*codes])]))
    ((heights, _),) = steps(panel)
    assert np.isnan(heights[2])
    marks = [(line.get_marker(), np.asarray(line.get_ydata()).tolist()) for line in panel.lines]
    assert marks == [("o", [2.0]), ("x", [0.03])]
    figure = panel.figure
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Estimated", "Missing"]


def test_times_are_local_and_the_whole_period_is_shown() -> None:
    (panel,) = panels(ValuesMessage(HEADER, [series([1])]))
    assert panel.get_xlim() == (HEADER.period_start.timestamp() / _DAY, HEADER.period_end.timestamp() / _DAY)
    assert [label.get_text() for label in panel.get_xticklabels()][1:3] == ["03:00", "06:00"]
    title = picture(ValuesMessage(HEADER, [series([1])]), ZoneInfo("Europe/Vienna")).get_suptitle()
    assert title == "EnergyConsumption in kWh per PT15M, 2025-01-01 00:00 to 2025-01-02 00:00 Europe/Vienna"


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 1), (5, 3), (50, 5)])
def test_few_curves_stand_below_each_other_and_many_side_by_side(count: int, columns: int) -> None:
    found = panels(ValuesMessage(HEADER, [series([number], pod=f"AT{number}") for number in range(count)]))
    assert len(found) == count
    assert len({round(panel.get_position().x0, 3) for panel in found}) == columns


def test_of_too_many_curves_the_first_are_drawn_and_the_title_says_so() -> None:
    message = ValuesMessage(HEADER, [series([1], pod=f"AT{number}") for number in range(MOST + 3)])
    assert f"({MOST} of {MOST + 3} PoDs)" in picture(message, ZoneInfo("UTC")).get_suptitle()


def test_an_aggregate_and_local_days_are_drawn_too(tmp_path: Path) -> None:
    starts = np.array([0, 90_000], dtype=np.int64)
    daily = Series("AT1", START, TimeStep.P1D, np.array([1000, 2000], dtype=np.int32), None, starts)
    (panel,) = panels(ValuesMessage(replace(HEADER, time_step=TimeStep.P1D), [daily]))
    assert steps(panel) == [([1.0, 2.0], [0, 90_000, 90_000 + _DAY])]
    draw(AggregatesMessage(aggregates_header(), [aggregate("AT/Linz", [1])]), tmp_path / "sum.png", None)
    assert (tmp_path / "sum.png").read_bytes().startswith(b"\x89PNG")


def test_times_are_this_computers_where_no_zone_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    message = ValuesMessage(HEADER, [series([1])])
    monkeypatch.setenv("TZ", "America/Lima")
    assert picture(message, None).get_suptitle().endswith("America/Lima")
    monkeypatch.setenv("TZ", "no zone")
    assert picture(message, None).get_suptitle().endswith("UTC")

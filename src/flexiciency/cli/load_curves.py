"""Load curves as a picture: one panel for each PoD or aggregate. Needs the extra `plot`."""

import os
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from flexiciency.cli.values_summary import Message, runs_of
from flexiciency.client import AggregatesMessage, Quality, Series
from flexiciency.contract.series import TimeStep, epoch

MOST = 60
"""Panels on one picture; what comes after is left out, and the title says so."""
_ONE_COLUMN, _COLUMNS = 4, 5
_CURVE = "#1f4e79"
_MARKS = {
    Quality.ESTIMATED: ("o", "#e07b00"),
    Quality.CALCULATED: ("s", "#7a3fb0"),
    Quality.INCOMPLETE: ("^", "#b8860b"),
    Quality.MISSING: ("x", "#c00000"),
}
_DAY = 86_400


def draw(message: Message, file: Path, zone: ZoneInfo | None) -> None:
    """Write the picture as PNG; times are this computer's where no zone is given. Raises OSError."""
    picture(message, zone).savefig(file, format="png")


def picture(message: Message, zone: ZoneInfo | None) -> Figure:
    """Each curve in steps over local time, a gap left open, values other than Measured marked."""
    time_zone = zone or _own_zone()
    curves = runs_of(message)
    shown = dict(list(curves.items())[:MOST])
    columns = 1 if len(shown) <= _ONE_COLUMN else min(_COLUMNS, ceil(len(shown) ** 0.5))
    rows = ceil(len(shown) / columns)
    size = (11, 1.2 + (4.5 if len(shown) == 1 else 2.4) * rows) if columns == 1 else (3.4 * columns, 1.2 + 1.7 * rows)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True)
    marked: set[Quality] = set()
    for panel, (name, runs) in zip(panels.flat, shown.items(), strict=False):
        marked |= _draw_curve(panel, runs, fine=columns > 1)
        panel.set_title(name, fontsize=9 if columns == 1 else 6.5, loc="left")
        _dress(panel, message, time_zone, small=columns > 1)
    for panel in panels.flat[len(shown) :]:
        panel.set_visible(False)
    for column in range(columns):
        _label_lowest(panels[:, column])
    header, left_out = message.header, len(curves) - len(shown)
    what = "aggregates" if isinstance(message, AggregatesMessage) else "PoDs"
    figure.suptitle(
        f"{header.quantity} in {header.unit} per {header.time_step}, {_period(message, time_zone)}"
        + (f" ({len(shown)} of {len(curves)} {what})" if left_out else ""),
        fontsize=11,
    )
    if marked:
        figure.legend(handles=[_key(quality) for quality in sorted(marked)], loc="outside lower right", ncols=4)
    return figure


def _draw_curve(panel: Axes, runs: list[Series], *, fine: bool) -> set[Quality]:
    """The qualities that were marked."""
    marked: set[Quality] = set()
    for run in runs:
        starts = run.instants()
        length = _DAY if run.step is TimeStep.P1D else run.step.seconds
        edges = np.append(starts, starts[-1] + length) / _DAY
        heights = run.values / 1000
        codes = np.zeros(len(heights), dtype=np.uint8) if run.qualities is None else run.qualities
        panel.stairs(
            np.where(codes == Quality.MISSING, np.nan, heights), edges, baseline=None, color=_CURVE, linewidth=1
        )
        for quality in _MARKS:
            at = codes == quality
            if at.any():
                marked.add(quality)
                _mark(panel, quality, (edges[:-1][at] + edges[1:][at]) / 2, heights[at], 1.5 if fine else 3)
    return marked


def _mark(panel: Axes, quality: Quality, times: Any, heights: Any, size: float) -> None:
    """Marks on the curve; what is Missing has no height, and is marked at the foot of the panel."""
    shape, color = _MARKS[quality]
    style: dict[str, Any] = {"marker": shape, "color": color, "markersize": size, "linestyle": "none"}
    if quality is Quality.MISSING:
        panel.plot(times, np.full(len(times), 0.03), transform=panel.get_xaxis_transform(), **style)
    else:
        panel.plot(times, heights, **style)


def _dress(panel: Axes, message: Message, zone: ZoneInfo, *, small: bool) -> None:
    """Axes: the whole period asked for, so that what lacks at its ends is seen as well."""
    locator: Any = AutoDateLocator(tz=zone, minticks=2, maxticks=5 if small else 12)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(
        ConciseDateFormatter(locator, tz=zone, show_offset=False)  # type: ignore[no-untyped-call]
    )
    panel.set_xlim(epoch(message.header.period_start) / _DAY, epoch(message.header.period_end) / _DAY)
    panel.margins(y=0.1)
    if panel.dataLim.ymin >= 0:
        panel.set_ylim(bottom=0)
    panel.locator_params(axis="y", nbins=3 if small else 6)
    panel.tick_params(labelsize=6 if small else 8)
    panel.grid(visible=True, linewidth=0.3)
    if not small:
        panel.set_ylabel(message.header.unit)


def _period(message: Message, zone: ZoneInfo) -> str:
    start, end = message.header.period_start.astimezone(zone), message.header.period_end.astimezone(zone)
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} {zone.key}"


def _label_lowest(panels: Any) -> None:
    """The lowest visible panel of a column has the times."""
    visible = [panel for panel in panels if panel.get_visible()]
    if visible:
        visible[-1].tick_params(labelbottom=True)


def _key(quality: Quality) -> Line2D:
    shape, color = _MARKS[quality]
    return Line2D([], [], marker=shape, color=color, linestyle="none", label=quality.word)


def _own_zone() -> ZoneInfo:
    """This computer's zone, UTC where it tells none."""
    name = os.environ.get("TZ", "").lstrip(":") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")

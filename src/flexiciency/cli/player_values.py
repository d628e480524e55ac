"""`flexiciency player values`: meter values under an agreement, to see, to keep and to plot (IND-DAT-VAL, AGG-DAT-VAL;
D2.3, 2.6).
"""  # noqa: D205  a long name

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import typer

from flexiciency.cli.entered import IDENTIFIER, POD
from flexiciency.cli.options import expanded, instant
from flexiciency.cli.output import Json, done, show
from flexiciency.cli.providers import ProviderOptions
from flexiciency.cli.values_summary import COLUMNS, Message, runs_of, summary
from flexiciency.client import (
    AggregatedSelection,
    AggregatesMessage,
    MarketPlayer,
    PodStatus,
    Quality,
)
from flexiciency.client.market_objects import AggregationLevel, AggregationMethod
from flexiciency.contract.series import Encoding, Quantity, TimeStep, kilo_text
from flexiciency.errors import FileInvalid, NotInstalled

_DAY = timedelta(days=1)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"{name!r} is no IANA time zone; write Europe/Vienna or the like") from None


@dataclass(frozen=True, slots=True)
class WantedOptions:
    """Which values. With a level and a method, aggregates."""

    quantity: Annotated[Quantity, typer.Option(help="Quantity.")]
    step: Annotated[TimeStep, typer.Option(help="TimeStep.")]
    start: Annotated[datetime, typer.Option("--from", parser=instant, metavar="TIME", help="A date or instant, UTC.")]
    end: Annotated[datetime, typer.Option("--until", parser=instant, metavar="TIME", help="Its end, not included.")]
    pod: Annotated[
        list[str] | None, typer.Option(help="A PoD; repeatable. By default all of the agreement.", callback=POD.option)
    ] = None
    encoding: Annotated[Encoding | None, typer.Option(help="How the values are written.")] = None
    level: Annotated[AggregationLevel | None, typer.Option(help="AggregationLevel of aggregated data.")] = None
    method: Annotated[AggregationMethod | None, typer.Option(help="AggregationMethod of aggregated data.")] = None

    def request(self, client: MarketPlayer, agreement: str) -> Message:
        """The values. Raises BadParameter for half of what aggregates need."""
        pods = tuple(self.pod or ())
        if self.level is None and self.method is None:
            return client.request_values(
                agreement, self.quantity, self.start, self.end, self.step, pods, encoding=self.encoding
            )
        if self.level is None or self.method is None:
            raise typer.BadParameter("aggregates have --level and --method")
        selection = AggregatedSelection(
            quantity=self.quantity, time_step=self.step, start=self.start, end=self.end, pods=pods,
            encoding=self.encoding, level=self.level, method=self.method,
        )  # fmt: skip
        return client.request_aggregates(agreement, selection)

    @property
    def without_times(self) -> bool:
        """Whether the values come without a time each that we could tell: Compact local days."""
        return self.step is TimeStep.P1D and self.encoding is Encoding.COMPACT

    @property
    def expected(self) -> int:
        """How many values a PoD without a gap has. Clock changes make a day an hour longer or shorter, not more."""
        step = _DAY if self.step is TimeStep.P1D else timedelta(seconds=self.step.seconds)
        return round((self.end - self.start) / step)


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Where the values are kept."""

    csv: Annotated[Path | None, typer.Option(dir_okay=False, help="Write them, a line each, times in UTC.")] = None
    parquet: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write them, decimals exact. Needs the extra arrow.")
    ] = None
    plot: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Draw a load curve each, PNG. Needs the extra plot.")
    ] = None
    time_zone: Annotated[
        ZoneInfo | None,
        typer.Option(parser=_zone, metavar="ZONE", help="IANA zone of the plot's times; by default this computer's."),
    ] = None

    def write(self, message: Message) -> list[Path]:
        """The files written. Raises FileInvalid, NotInstalled."""
        chosen = [(self.csv, _write_csv), (self.parquet, _write_parquet), (self.plot, self._draw)]
        written = [(file, write) for file, write in chosen if file is not None]
        for file, write in written:
            _write(file, write, message)
        return [file for file, _ in written]

    def _draw(self, message: Message, file: Path) -> None:
        from flexiciency.cli import load_curves  # noqa: PLC0415  an extra, and slow to import

        load_curves.draw(message, file, self.time_zone)


@expanded
def values(
    agreement: Annotated[str, typer.Argument(help="The agreement's id.", callback=IDENTIFIER.option)],
    wanted: WantedOptions, asked: ProviderOptions, files: FileOptions,
    acknowledge: Annotated[bool, typer.Option("--acknowledge", help="Tell the provider that all is well.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Request meter values under an agreement; a line for each PoD or aggregate. Gaps are values not there, or Missing.

    Files are written before anything is acknowledged.
    """
    if wanted.without_times and (files.csv or files.parquet or files.plot):
        raise typer.BadParameter("Compact local days have no timestamps; leave --encoding out")
    if wanted.end <= wanted.start:
        raise typer.BadParameter("--until is not after --from")
    with asked.client() as client:
        message = wanted.request(client, agreement)
        written = files.write(message)
        if acknowledge:
            _acknowledge(client, message)
    show(f"{wanted.quantity}, {wanted.step}", summary(message, wanted.expected), COLUMNS, as_json=as_json)
    if not as_json:
        for file in written:
            done(f"Written to {file}.")


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(values)


def _acknowledge(client: MarketPlayer, message: Message) -> None:
    well = dict.fromkeys(runs_of(message), PodStatus("OK"))
    if isinstance(message, AggregatesMessage):
        client.acknowledge_aggregates(message.header.id, well)
    else:
        client.acknowledge_values(message.header.id, well)


def _write(file: Path, write: Callable[[Message, Path], None], message: Message) -> None:
    try:
        write(message, file)
    except ModuleNotFoundError as missing:
        extra = {"pyarrow": "arrow", "matplotlib": "plot"}.get((missing.name or "").partition(".")[0])
        if extra is None:
            raise
        raise NotInstalled(f"{missing.name} is missing: pip install 'flexiciency[{extra}]'.") from None
    except OSError as error:
        raise FileInvalid(f"{file} cannot be written ({error.strerror or error}).") from None


def _write_csv(message: Message, file: Path) -> None:
    columns = message.columns()
    names, places = columns.names()
    stamps = np.datetime_as_string((columns.timestamps() // 1_000_000).astype("datetime64[s]"), timezone="UTC").tolist()
    qualities = columns.qualities().tolist()
    numbers = [
        "" if quality == Quality.MISSING else kilo_text(value)
        for value, quality in zip(columns.thousandths().tolist(), qualities, strict=True)
    ]
    pods = columns.pods()
    counts = [] if pods is None else [("pods", pods.tolist())]
    told = [
        (columns.name, [names[place] for place in places.tolist()]), *counts, ("timestamp", stamps),
        (f"value_{columns.quantity.unit.lower()}", numbers), ("quality", [Quality(code).word for code in qualities]),
        ("version", [columns.version] * len(numbers)),
    ]  # fmt: skip
    with file.open("w", encoding="utf-8", newline="") as opened:
        lines = csv.writer(opened, lineterminator="\n")
        lines.writerow([name for name, _ in told])
        lines.writerows(zip(*(column for _, column in told), strict=True))


def _write_parquet(message: Message, file: Path) -> None:
    table = message.to_arrow()
    from pyarrow import parquet  # noqa: PLC0415  an extra

    with file.open("wb") as opened:  # given a path, it would delete what it cannot write
        parquet.write_table(table, opened)

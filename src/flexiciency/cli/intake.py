"""Meter values and PoDs from the DSO's own systems: `flexiciency values` and `flexiciency pods`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from flexiciency.cli import opening
from flexiciency.cli.entered import POD
from flexiciency.cli.output import Json, Limit, done, err, show
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.intake.cells import Options, Unit
from flexiciency.intake.formats import FileSource, Format
from flexiciency.intake.opened import OpenedFile
from flexiciency.intake.pod_files import PodFile
from flexiciency.intake.pods import import_pods
from flexiciency.intake.rejected import Report
from flexiciency.intake.values import Imported, import_values
from flexiciency.store import value_imports
from flexiciency.store.database import Database
from flexiciency.store.transaction import Row, transaction

values = typer.Typer(no_args_is_help=True, help="Meter values.")
pods = typer.Typer(no_args_is_help=True, help="Points of delivery and who holds them.")
PARTS = {"values": values, "pods": pods}

Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Files; .gz is unpacked.")]


def _one_character(delimiter: str) -> str:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise typer.BadParameter("one character, no quote and no line end")
    return delimiter


Delimiter = Annotated[str, typer.Option(help="Between cells of CSV.", callback=_one_character)]
Rejections = Annotated[
    Path | None, typer.Option("--rejected", help="Where rejected rows are reported; none: FILE.rejected.csv.")
]


@values.command("import")
def import_files(  # noqa: PLR0913, PLR0917  options of one command
    files: Files,
    kind: Annotated[Format | None, typer.Option("--format", help="None: by its content.")] = None,
    quantity: Annotated[Quantity, typer.Option(help="Where the file does not say.")] = Quantity.ENERGY_CONSUMPTION,
    time_step: Annotated[TimeStep, typer.Option(help="Where the file does not say.")] = TimeStep.PT15M,
    unit: Annotated[Unit | None, typer.Option(help="What numbers count; none: kWh or kW.")] = None,
    delimiter: Delimiter = ",",
    decimal: Annotated[Literal[".", ","], typer.Option(help="Decimal sign of CSV.")] = ".",
    pod: Annotated[
        str | None, typer.Option(help="PoD of a Green Button file of one usage point.", callback=POD.option)
    ] = None,
    rejected: Rejections = None,
    again: Annotated[bool, typer.Option("--again", help="Though the same file was imported before.")] = False,
) -> None:
    """Import load curves from CSV or Parquet, long or wide, or from Green Button (ESPI).

    Rows that are wrong are reported, all others stored; nothing is stored twice. An import that was stopped goes on
    where it was when it is started again.
    """
    if rejected is not None and len(files) > 1:
        raise typer.BadParameter("for one file at a time", param_hint="--rejected")
    options = Options(quantity, time_step, unit, delimiter, decimal, pod)
    found = 0
    with opening.database() as base:
        for file in files:
            report = Report(rejected or file.with_name(f"{file.name}.rejected.csv"))
            with OpenedFile(file) as opened:
                ended = _import(base, opened, FileSource(opened, options, kind), report, again=again)
            _say(file, ended, report)
            found += ended.row.rejected
    raise typer.Exit(1 if found else 0)


@values.command("imports")
def list_imports(limit: Limit = 100, as_json: Json = False) -> None:
    """What was imported, the newest first; an import without an end runs, or was stopped."""
    with opening.database() as base, transaction(base) as tx:
        (rows,) = tx.look_up(value_imports.listed(limit))
    columns = ("id", "name", "size", "position", "new", "corrected", "known", "rejected", "started_at", "ended_at")
    show("Imports of values", ([getattr(row, name) for name in columns] for row in rows), columns, as_json=as_json)


@pods.command("import")
def import_pod_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file; .gz is unpacked.")],
    delimiter: Delimiter = ",",
    rejected: Rejections = None,
) -> None:
    """Import PoDs and holders from CSV with a header line, or Parquet. Times are ISO 8601 with offset.

    A PoD of which a line is wrong is reported and left out; all others are stored, in one transaction. Agreements under
    which nothing may leave any more are Suspended, and their requesters told.
    """
    from flexiciency.services.agreement_standing import settle  # noqa: PLC0415  slow to import

    report = Report(rejected or file.with_name(f"{file.name}.rejected.csv"))
    with opening.database() as base, OpenedFile(file) as opened:
        source = PodFile(opened, delimiter)
        with _progress_bar(file.name, opened.size) as bar:
            ended = import_pods(
                base,
                source,
                report,
                lambda tx, concerned: settle(tx, concerned, datetime.now(UTC)),
                lambda: bar.update(bar.task_ids[0], completed=opened.done),
            )
    done(f"{file}: {ended.records} records of {ended.pods} PoDs imported; {_wrong(ended.rejected, report)}.")
    raise typer.Exit(1 if ended.rejected else 0)


def _import(
    database: Database, opened: OpenedFile, source: FileSource, report: Report, *, again: bool
) -> Imported:  # fmt: skip
    with _progress_bar(source.named.name, opened.size) as bar:

        def watch(row: Row) -> None:
            days = row.new + row.corrected + row.known
            bar.update(bar.task_ids[0], completed=opened.done, count=f"{days:,} days, {row.rejected:,} rejected")

        return import_values(database, source, report, watch, again=again)


def _say(file: Path, ended: Imported, report: Report) -> None:
    row = ended.row
    if ended.before:
        done(f"{file} was imported already, until {row.ended_at:%Y-%m-%d %H:%M:%S} UTC: nothing to do (or --again).")
        return
    wrong = _wrong(row.rejected, report)
    done(f"{file}: {row.new} days new, {row.corrected} corrected, {row.known} known already; {wrong}.")


def _wrong(number: int, report: Report) -> str:
    rows = "row" if number == 1 else "rows"
    return f"{number} {rows} rejected: see {report.file}" if number else "no row rejected"


@contextmanager
def _progress_bar(name: str, size: int) -> Iterator[Progress]:
    """A bar over the bytes of a file, on a terminal; its one task has a `count` to show."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[count]}"),
    )  # fmt: skip
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        progress.add_task(name, total=size, count="")
        yield progress

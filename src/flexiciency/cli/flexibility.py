"""The DSO's load areas, their headroom and grid models: `flexiciency load-area`."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

import typer

from flexiciency.cli import opening
from flexiciency.cli.entered import IDENTIFIER, PLACE_NAME
from flexiciency.cli.output import Json, done, show
from flexiciency.config import Settings
from flexiciency.domain.flexibility import Band, LoadArea, gap_of
from flexiciency.errors import FileInvalid
from flexiciency.store import flexibility as store
from flexiciency.store.flexibility import NamedArea

load_area = typer.Typer(no_args_is_help=True, help="Load areas and what DSO and TSO allow there.")
PARTS = {"load-area": load_area}

COLUMNS = (
    "load_area", "name", "time_zone", "party", "from", "until", "import_kw", "export_kw", "limiting_element",
)  # fmt: skip
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=f"CSV with the header {','.join(COLUMNS)}.")]
_POWER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,3})?")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the file: a band of one party."""

    number: int
    code: str
    name: str
    time_zone: str
    party: str
    band: Band


@load_area.command("import")
def import_file(file: File) -> None:
    """Import load areas from CSV, a line for each part of the local day; all lines or none.

    A load area that is known is replaced. The DSO's lines cover 00:00 to 24:00; where the TSO has none, it sets no
    limit. A limit below 0 says that the grid is beyond its limits there without any exchange.
    """
    owner = Settings().provider_id
    try:
        areas = _areas(_lines(file))
    except ValueError as error:
        raise FileInvalid(f"{file}: {error}. Nothing was imported.") from None
    with opening.database() as base, base.begin() as connection:
        store.import_areas(connection, owner, areas)
    done(f"{len(areas)} load areas imported.")


@load_area.command()
def network(
    code: Annotated[str, typer.Argument(callback=IDENTIFIER.option)],
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="A pandapower network, JSON.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Answer from the headroom alone.")] = False,
) -> None:
    """Have requests for a load area computed on a model of its grid too, and answered later.

    The file stays where it is: every delivery worker reads it there when a request comes.
    """
    if (file is None) != none:
        raise typer.BadParameter("give a file, or --none")
    if file is not None:
        _check_network(file)
    owner = Settings().provider_id
    with opening.database() as base, base.begin() as connection:
        store.set_network(connection, owner, code, file and file.resolve())
    done(f"{code} has {'no grid model' if file is None else f'the grid model {file.resolve()}'} now.")


@load_area.command("list")
def list_areas(as_json: Json = False) -> None:
    """Load areas."""
    with opening.database() as base, base.begin() as connection:
        rows = store.areas(connection)
    show("Load areas", rows, ("load_area", "owner", "name", "time_zone", "network"), as_json=as_json)


@load_area.command("show")
def show_area(code: str, as_json: Json = False) -> None:
    """What DSO and TSO allow in a load area, by time of day."""
    with opening.database() as base, base.begin() as connection:
        rows = store.headroom_of(connection, code)
    listed = [
        (
            row.party, _clock(row.first_minute), _clock(row.until_minute), row.import_kw, row.export_kw,
            row.limiting_element,
        )
        for row in rows
    ]  # fmt: skip
    show(f"Headroom of {code}", listed, COLUMNS[3:], as_json=as_json)


def _check_network(file: Path) -> None:
    """What shows a wrong file without pandapower, which an operator's machine may lack. Raises FileInvalid."""
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise FileInvalid(f"{file} is no JSON: {error}.") from None
    if not isinstance(found, dict) or found.get("_class") != "pandapowerNet":
        raise FileInvalid(f"{file} is no pandapower network. Write it with pandapower.to_json.")


def _lines(file: Path) -> Iterator[_Line]:
    with file.open(encoding="utf-8", newline="") as opened:
        lines = csv.DictReader(opened)
        missing = set(COLUMNS) - set(lines.fieldnames or ())
        if missing:
            raise ValueError(f"columns {sorted(missing)} are missing; expected {', '.join(COLUMNS)}")
        for line in lines:
            try:
                yield replace(_line(line), number=lines.line_num)
            except ValueError as error:
                raise ValueError(f"line {lines.line_num}: {error}") from None


def _line(line: dict[str, str]) -> _Line:
    if None in line or None in line.values():
        raise ValueError("more or fewer cells than the header has")
    for name, kind in (("load_area", IDENTIFIER), ("name", PLACE_NAME), ("limiting_element", PLACE_NAME)):
        try:
            kind.check(line[name])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if line["time_zone"] not in available_timezones():
        raise ValueError(f"{line['time_zone']!r} is no IANA time zone; write Europe/Vienna or the like")
    if line["party"] not in ("DSO", "TSO"):
        raise ValueError(f"party: {line['party']!r} is neither DSO nor TSO")
    band = Band(
        _minute("from", line["from"]), _minute("until", line["until"]), _watts("import_kw", line["import_kw"]),
        _watts("export_kw", line["export_kw"]), line["limiting_element"],
    )  # fmt: skip
    if band.until <= band.first:
        raise ValueError("until is not later than from; a night is two lines, to 24:00 and from 00:00")
    return _Line(0, line["load_area"], line["name"], line["time_zone"], line["party"], band)


def _minute(name: str, text: str) -> int:
    """The minute of the day."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"{name}: {text!r} is no time of day; write 06:15, or 24:00 for the end of the day")
    return int(text[:2]) * 60 + int(text[3:])


def _watts(name: str, text: str) -> int:
    if not _POWER.fullmatch(text):
        raise ValueError(f"{name}: {text!r} is no power in kW with at most 15 digits and 3 decimal places")
    return int(Decimal(text) * 1000)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _areas(lines: Iterator[_Line]) -> list[NamedArea]:
    """The lines put together by load area. Raises ValueError for what contradicts, overlaps or is missing."""
    of_area: dict[str, list[_Line]] = {}
    for line in lines:
        known = of_area.setdefault(line.code, [])
        if known and (known[0].name, known[0].time_zone) != (line.name, line.time_zone):
            raise ValueError(f"line {line.number}: name or time_zone differs from line {known[0].number}")
        known.append(line)
    return [_area(code, of_code) for code, of_code in of_area.items()]


def _area(code: str, lines: list[_Line]) -> NamedArea:
    dso, tso = _bands(lines, "DSO"), _bands(lines, "TSO")
    gap = gap_of(dso)
    if gap is not None:
        raise ValueError(f"line {lines[-1].number}: load area {code} has no line of the DSO for {_clock(gap)}")
    return NamedArea(code, lines[0].name, LoadArea(lines[0].time_zone, dso, tso))


def _bands(lines: list[_Line], party: str) -> tuple[Band, ...]:
    ordered = sorted((line for line in lines if line.party == party), key=lambda line: line.band.first)
    for before, after in pairwise(ordered):
        if after.band.first < before.band.until:
            later, earlier = max(before.number, after.number), min(before.number, after.number)
            raise ValueError(f"line {later}: overlaps line {earlier} of the same load area and party")
    return tuple(line.band for line in ordered)

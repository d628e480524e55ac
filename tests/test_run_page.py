"""docs/run.md says what can be set and done."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from flexiciency.cli.main import cli
from flexiciency.config import Settings

TEXT = (Path(__file__).parents[1] / "docs" / "run.md").read_text("utf-8")


def commands(command: Any, name: str = "") -> Iterator[str]:
    """Every command in full, such as "registration add"."""
    if not isinstance(command, TyperGroup):
        yield name
        return
    context = typer.Context(command)
    for part in command.list_commands(context):
        yield from commands(command.get_command(context, part), f"{name} {part}".strip())


def test_every_setting_is_listed_with_its_default_and_meaning() -> None:
    table = TEXT.partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| (.+) \| (.+) \|$", table, re.MULTILINE)[1:]
    expected = []
    for name, field in Settings.model_fields.items():
        default = "none" if field.default in (None, frozenset()) else f"`{field.default}`"
        expected.append((name, "required" if field.is_required() else default, field.description))
    assert rows == expected


def test_every_command_is_listed_and_no_other() -> None:
    table = TEXT.partition("## Commands")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \| .+ \|$", table, re.MULTILINE)
    listed = [re.sub(r" [-\[].*", "", name) for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(listed) == sorted(commands(typer.main.get_command(cli)))


def test_every_command_that_is_shown_exists() -> None:
    known = set(commands(typer.main.get_command(cli)))
    shown = re.findall(r"^flexiciency ((?:[a-z][a-z-]* ?)+)", TEXT, re.MULTILINE)
    assert shown
    wrong = [line for line in shown if not known & {" ".join(line.split()[:n]) for n in (1, 2, 3)}]
    assert wrong == []

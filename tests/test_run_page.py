"""docs/run.md says what can be set and done."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from flexiciency.cli.main import cli
from flexiciency.config import Settings

TEXT = (Path(__file__).parents[1] / "docs" / "run.md").read_text("utf-8")


def commands(command: Any, name: str = "") -> Iterator[str]:
    """Every command in full, such as "registration add"."""
    parts = getattr(command, "commands", None)
    if parts is None:
        yield name
        return
    for part in parts.values():
        yield from commands(part, f"{name} {part.name}".strip())


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
    shown = re.findall(r"^flexiciency ((?:[a-z]+ ?)+)", TEXT, re.MULTILINE)
    assert shown
    wrong = [line for line in shown if not known & {" ".join(line.split()[:n]) for n in (1, 2)}]
    assert wrong == []

"""The documents say what is the case."""

import re
import tomllib
from pathlib import Path

from flexiciency.contract.catalogue import OPERATIONS

ROOT = Path(__file__).parents[1]


def test_every_dependency_has_its_reason() -> None:
    """docs/dependencies.md has a row for each requirement of pyproject.toml and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    named = {re.split(r"[\[<>=; ]", requirement)[0] for requirements in lists for requirement in requirements}
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| ([a-z0-9-]+) \|", text, re.MULTILINE)) == named - {"flexiciency"}


def test_the_readme_lists_what_is_offered_and_what_is_not() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.*) \| (.*) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    listed = {
        (interface, name, offered)
        for interface, *cells in rows
        for cell, offered in zip(cells, (True, False), strict=True)
        for name in re.findall(r"`(\w+)`", cell)
    }
    assert listed == {(operation.interface, operation.name, operation.offered) for operation in OPERATIONS}


def test_the_readme_opens_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert text.split("```")[1].split() == ["console", "make", "demo", "make", "test"]

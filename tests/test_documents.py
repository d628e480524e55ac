"""The documents say what is the case."""

import re
import tomllib
from pathlib import Path

import pytest

from flexiciency.contract.catalogue import OPERATIONS
from flexiciency.domain.reasons import SENTENCES, ReasonCode
from tests.errors_page import page

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


def test_the_page_of_errors_is_made_from_the_code() -> None:
    assert (ROOT / "docs" / "errors.md").read_text("utf-8") == page()


def test_every_reason_has_its_sentence() -> None:
    assert set(SENTENCES) == set(ReasonCode)


@pytest.mark.parametrize("document", ["decisions.md", "flow.md", "integrate.md", "extend.md"])
def test_every_path_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / "docs" / document).read_text("utf-8")
    named = set(re.findall(r"`((?:src|tests|xsd|wsdl|docs|samples)/[\w./-]*)`", text))
    inside = set(re.findall(r"`((?:soap|wire|contract|services|domain|store|delivery|client)/\w+\.py)`", text))
    paths = {ROOT / path for path in named} | {ROOT / "src" / "flexiciency" / path for path in inside}
    assert paths
    assert sorted(str(path) for path in paths if not path.exists()) == []


def test_each_decision_of_the_contract_has_its_row() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| .+ \| .*`.+`.* \| .+ \|$", text, re.MULTILINE)
    assert [int(number) for number in rows] == list(range(1, 16))

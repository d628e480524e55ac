"""Samples of the 26 business objects: valid ones validate, invalid ones fail for the one reason beside them."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from flexiciency import errors
from flexiciency.contract import schemas
from flexiciency.contract.catalogue import BUSINESS_OBJECTS, BusinessObject
from flexiciency.wire.parse import parse

SAMPLES = Path(__file__).parents[2] / "samples"
ENOUGH_VALID, ENOUGH_INVALID = 2, 3
_SAMPLE_NAME = re.compile(r"(valid|invalid)-[a-z0-9]+(-[a-z0-9]+)*\.xml|invalid-[a-z0-9-]+\.expected\.json")

Sample = tuple[BusinessObject, Path]


def _samples(kind: str) -> list[Sample]:
    return [(row, path) for row in BUSINESS_OBJECTS for path in sorted((SAMPLES / row.bo_id).glob(f"{kind}-*.xml"))]


def _name(value: object) -> str:
    return value.stem if isinstance(value, Path) else getattr(value, "bo_id", "")


def _schema_name(row: BusinessObject) -> str:
    return row.namespace.split(":")[2]


@cache
def _second_opinion(name: str) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(schemas.FOLDER / "xsd" / f"{name}.xsd"))


def _document(path: Path) -> etree._Element:
    return parse(path.read_bytes())


every_object = pytest.mark.parametrize("row", BUSINESS_OBJECTS, ids=lambda row: row.bo_id)
every_valid = pytest.mark.parametrize(("row", "path"), _samples("valid"), ids=_name)
every_invalid = pytest.mark.parametrize(("row", "path"), _samples("invalid"), ids=_name)


@every_object
def test_each_object_has_enough_samples(row: BusinessObject) -> None:
    folder = SAMPLES / row.bo_id
    assert len(list(folder.glob("valid-*.xml"))) >= ENOUGH_VALID
    assert len(list(folder.glob("invalid-*.xml"))) >= ENOUGH_INVALID


@pytest.mark.parametrize(("row", "path"), [*_samples("valid"), *_samples("invalid")], ids=_name)
def test_a_sample_is_the_object_of_its_folder(row: BusinessObject, path: Path) -> None:
    assert _document(path).tag == f"{{{row.namespace}}}{row.name}"


@every_valid
def test_a_valid_sample_validates(row: BusinessObject, path: Path) -> None:
    assert schemas.schema(_schema_name(row)).validate(_document(path))
    _second_opinion(_schema_name(row)).validate(str(path))


@every_invalid
def test_an_invalid_sample_is_refused_by_both_validators(row: BusinessObject, path: Path) -> None:
    assert not schemas.schema(_schema_name(row)).validate(_document(path))
    assert not _second_opinion(_schema_name(row)).is_valid(str(path))


@every_invalid
def test_an_invalid_sample_fails_with_its_expected_error(row: BusinessObject, path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    with pytest.raises(errors.GatewayError) as raised:
        schemas.validate(_document(path), row.namespace)
    assert raised.value.code == expected["code"]
    assert raised.value.path == expected["path"]
    assert expected["contains"] in raised.value.message
    assert raised.value.line is not None


@every_object
def test_the_invalid_samples_of_an_object_break_different_rules(row: BusinessObject) -> None:
    paths = sorted((SAMPLES / row.bo_id).glob("invalid-*.expected.json"))
    found = [path.read_text("utf-8") for path in paths]
    assert len(set(found)) == len(found)


def test_there_are_no_stray_files() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {row.bo_id for row in BUSINESS_OBJECTS}
    for path in SAMPLES.glob("*/*"):
        assert _SAMPLE_NAME.fullmatch(path.name), path
        if path.name.startswith("invalid-") and path.suffix == ".xml":
            assert path.with_suffix(".expected.json").is_file(), path
        if path.suffix == ".json":
            assert Path(str(path).removesuffix(".expected.json") + ".xml").is_file(), path

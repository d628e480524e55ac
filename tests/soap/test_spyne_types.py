import flexiciency.soap.spyne_compat

from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree
from spyne.model.complex import ComplexModelBase

from flexiciency.contract.schemas import files
from flexiciency.soap.spyne_types import XS, classes
from flexiciency.wire.parse import parse

INTERFACES = ("market-place", "b2b", "b2c", "market-player")


def reachable(kind: Any, seen: set[Any]) -> Iterator[Any]:
    """The class, and those of its fields, at any depth."""
    if kind in seen or not issubclass(kind, ComplexModelBase):
        return
    seen.add(kind)
    yield kind
    for field in kind._type_info.values():
        yield from reachable(field, seen)


def content_of(complex_type: etree._Element) -> dict[str, str | None]:
    """Child elements by name, with the namespace each is in."""
    own = complex_type.getparent().get("targetNamespace")  # type: ignore[union-attr]
    found: dict[str, str | None] = {}
    for element in complex_type.iterfind(f"*/{XS}element"):
        prefix, _, name = element.get("ref", "").rpartition(":")
        found[element.get("name") or name] = element.nsmap[prefix] if element.get("ref") else own
    return found


def types_of(name: str) -> dict[tuple[str | None, str | None], etree._Element]:
    schema = parse(files()[name])
    return {(schema.get("targetNamespace"), one.get("name")): one for one in schema.iterfind(f"{XS}complexType")}


PUBLISHED = {key: one for name in files() if name.startswith("xsd/") for key, one in types_of(name).items()}


@pytest.mark.parametrize("interface", INTERFACES)
def test_every_class_at_any_depth_has_the_elements_of_its_type(interface: str) -> None:
    seen: set[Any] = set()
    compared = set()
    for top in vars(classes(f"urn:flexiciency:{interface}-operations:1")).values():
        for kind in reachable(top, seen):
            key = kind.get_namespace(), kind.get_type_name()
            if key not in PUBLISHED:  # an xs:list
                continue
            compared.add(key)
            expected = content_of(PUBLISHED[key])
            fields = kind._type_info.items()
            found = {name: field.Attributes.sub_ns or key[0] for name, field in fields if name in expected}
            assert found == expected, key
    assert compared >= set(types_of(f"xsd/{interface}-operations.xsd"))


def cardinality(element: etree._Element) -> tuple[float, float]:
    most = element.get("maxOccurs", "1")
    return float(element.get("minOccurs", "1")), float("inf") if most == "unbounded" else float(most)


@pytest.mark.parametrize("interface", INTERFACES)
def test_every_class_has_its_elements_in_order_and_as_often_as_its_type(interface: str) -> None:
    types = vars(classes(f"urn:flexiciency:{interface}-operations:1"))
    compared = {kind for kind in types.values() if (kind.get_namespace(), kind.get_type_name()) in PUBLISHED}
    assert len(compared) >= len(types_of(f"xsd/{interface}-operations.xsd"))
    for kind in compared:
        complex_type = PUBLISHED[kind.get_namespace(), kind.get_type_name()]
        elements = dict(zip(content_of(complex_type), complex_type.iterfind(f"*/{XS}element"), strict=True))
        fields = {name: field.Attributes for name, field in kind._type_info.items() if name in elements}
        if complex_type.find(f"{XS}sequence") is not None:
            assert list(fields) == list(elements), kind
        for name, element in elements.items():
            assert (fields[name].min_occurs, fields[name].max_occurs) == cardinality(element), (kind, name)


def test_every_complex_type_of_every_xsd_has_a_class() -> None:
    found = {
        (kind.get_namespace(), kind.get_type_name())
        for interface in INTERFACES
        for kind in vars(classes(f"urn:flexiciency:{interface}-operations:1")).values()
    }
    assert PUBLISHED.keys() <= found


def test_classes_are_made_once_for_a_namespace() -> None:
    assert classes("urn:flexiciency:b2c-operations:1") is classes("urn:flexiciency:b2c-operations:1")

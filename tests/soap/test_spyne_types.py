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

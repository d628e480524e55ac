"""Each XSD by itself: two engines compile it, everything in it is documented, and it keeps to what Spyne can read."""

from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from flexiciency.contract import schemas
from tests.contract.published import XS, XSDS, documentation, xsd

every_xsd = pytest.mark.parametrize("name", XSDS)

FORBIDDEN = ("union", "group", "attributeGroup", "complexContent", "any", "anyAttribute", "all", "redefine", "include")
DOCUMENTED = ("simpleType", "complexType", "element", "attribute", "enumeration")


def test_there_are_eleven_xsds() -> None:
    assert set(XSDS) == {
        "common", "envelope", "market-place", "service", "consent", "activation", "provision",
        "market-place-operations", "b2b-operations", "b2c-operations", "market-player-operations",
    }  # fmt: skip


@every_xsd
def test_lxml_compiles_it(name: str) -> None:
    assert isinstance(schemas.schema(name), etree.XMLSchema)


@every_xsd
def test_xmlschema_compiles_it_from_local_files_alone(name: str) -> None:
    compiled = xmlschema.XMLSchema(str(schemas.FOLDER / "xsd" / f"{name}.xsd"), allow="local")
    assert compiled.validity == "valid"


@every_xsd
def test_its_namespace_is_named_after_the_file_and_local_names_are_qualified(name: str) -> None:
    assert xsd(name).get("targetNamespace") == f"urn:flexiciency:{name}:1"
    assert xsd(name).get("elementFormDefault") == "qualified"


@every_xsd
def test_it_imports_published_neighbours_and_uses_each(name: str) -> None:
    for found in xsd(name).findall(f"{XS}import"):
        namespace, location = found.get("namespace", ""), found.get("schemaLocation", "")
        assert f"xsd/{location}" in schemas.files()
        assert namespace == f"urn:flexiciency:{Path(location).stem}:1"
        prefix = next(prefix for prefix, uri in xsd(name).nsmap.items() if uri == namespace)
        assert f'"{prefix}:'.encode() in schemas.files()[f"xsd/{name}.xsd"]


@every_xsd
def test_everything_in_it_is_documented(name: str) -> None:
    silent = [
        (node.tag, node.get("name") or node.get("ref") or node.get("value"))
        for kind in DOCUMENTED
        for node in xsd(name).iter(f"{XS}{kind}")
        if len(documentation(node)) < 3
    ]
    assert silent == []
    assert documentation(xsd(name)) != ""


@every_xsd
def test_it_has_nothing_that_spyne_drops_or_reorders(name: str) -> None:
    assert [node.tag for kind in FORBIDDEN for node in xsd(name).iter(f"{XS}{kind}")] == []


@every_xsd
def test_every_type_is_named_and_global(name: str) -> None:
    for kind in ("simpleType", "complexType"):
        assert [node for node in xsd(name).iter(f"{XS}{kind}") if node.getparent() is not xsd(name)] == []
    for kind in ("element", "attribute"):
        assert [n.get("name") for n in xsd(name).iter(f"{XS}{kind}") if not (n.get("type") or n.get("ref"))] == []


@every_xsd
def test_a_choice_is_the_whole_of_a_named_type(name: str) -> None:
    for choice in xsd(name).iter(f"{XS}choice"):
        parent = choice.getparent()
        assert parent is not None
        assert parent.tag == f"{XS}complexType"
        assert [child.tag for child in parent] == [f"{XS}annotation", f"{XS}choice"]
        assert (choice.get("minOccurs"), choice.get("maxOccurs")) == (None, None)


@every_xsd
def test_a_sequence_is_plain_and_flat(name: str) -> None:
    for sequence in xsd(name).iter(f"{XS}sequence"):
        assert {child.tag for child in sequence} <= {f"{XS}element"}
        assert dict(sequence.attrib) == {}


@every_xsd
def test_no_type_names_a_child_twice(name: str) -> None:
    for complex_type in xsd(name).iter(f"{XS}complexType"):
        names = [child.get("name") or child.get("ref") for child in complex_type.iter(f"{XS}element")]
        assert len(names) == len(set(names)), complex_type.get("name")


@every_xsd
def test_no_value_is_defaulted_fixed_or_nillable(name: str) -> None:
    hidden = {"default", "fixed", "nillable", "abstract", "substitutionGroup", "block", "final"}
    assert [node.get("name") for node in xsd(name).iter() if hidden & set(node.attrib)] == []

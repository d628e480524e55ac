"""Each WSDL: valid WSDL 1.1, read by Zeep, in the shape of WS-I Basic Profile 1.1, and in step with the catalogue."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from flexiciency.contract import schemas
from flexiciency.contract.catalogue import BUSINESS_OBJECTS, FAULT_ACTION, Operation, operations
from flexiciency.wire.parse import parse_trusted_file
from tests.contract.published import INTERFACES, SOAP, WSAM, WSDL, XS, global_element, qualified, wsdl

every_wsdl = pytest.mark.parametrize("interface", INTERFACES)

WRAPPERS = ("", "Response")
NAMES = {"market-place": "MarketPlace", "b2b": "B2B", "b2c": "B2C", "market-player": "MarketPlayer"}


@cache
def _wsdl_schema() -> etree.XMLSchema:
    return etree.XMLSchema(parse_trusted_file(Path(__file__).parent / "schemas" / "wsdl-with-soap.xsd"))


def _port_type_operations(interface: str) -> list[etree._Element]:
    return wsdl(interface).findall(f"{WSDL}portType/{WSDL}operation")


def _operation(interface: str, row: Operation, parent: str) -> etree._Element:
    found = wsdl(interface).find(f"{WSDL}{parent}/{WSDL}operation[@name='{row.name}']")
    assert found is not None
    return found


def _child(node: etree._Element, tag: str) -> etree._Element:
    (found,) = node.findall(tag)
    return found


def _documentation(node: etree._Element) -> str:
    return (node.findtext(f"{WSDL}documentation") or "").strip()


@every_wsdl
def test_it_is_valid_by_the_schemas_of_wsdl_and_its_soap_binding(interface: str) -> None:
    assert _wsdl_schema().validate(wsdl(interface)), _wsdl_schema().error_log


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tree: _child(tree, f".//{SOAP}binding").attrib.pop("transport"),
        lambda tree: _child(tree, f".//{SOAP}binding").set("style", "wrapped"),
        lambda tree: _child(tree, f".//{SOAP}address").attrib.pop("location"),
        lambda tree: tree.find(f".//{SOAP}body").set("use", "typed"),
        lambda tree: tree.find(f".//{SOAP}fault").attrib.pop("name"),
        lambda tree: tree.find(f"{WSDL}message").attrib.pop("name"),
        lambda tree: tree.find(f"{WSDL}message").set("name", "Fault"),
        lambda tree: tree.find(f".//{WSDL}input").attrib.pop("message"),
        lambda tree: etree.SubElement(tree.find(f"{WSDL}portType"), f"{WSDL}method"),
    ],
)
def test_those_schemas_find_what_is_wrong(spoil: Callable[[etree._Element], object]) -> None:
    tree = deepcopy(wsdl("b2c"))
    spoil(tree)
    assert not _wsdl_schema().validate(tree)


@every_wsdl
def test_zeep_reads_every_operation(interface: str) -> None:
    new_client: Any = zeep.Client  # has no annotations
    client = new_client(str(schemas.FOLDER / "wsdl" / f"{interface}.wsdl"))
    binding = client.wsdl.bindings[f"{{urn:flexiciency:{interface}:1:wsdl}}{NAMES[interface]}Binding"]
    assert {row.name for row in operations(interface)} == set(binding._operations)
    for row in operations(interface):
        read = binding.get(row.name)
        assert (read.soapaction, read.style) == (row.action, "document")
        assert str(read.input.body.qname) == f"{{{row.namespace}}}{row.name}"
        assert str(read.output.body.qname) == f"{{{row.namespace}}}{row.name}Response"


@every_wsdl
def test_it_has_the_operations_of_the_catalogue_and_no_others(interface: str) -> None:
    names = [row.name for row in operations(interface)]
    assert [found.get("name") for found in _port_type_operations(interface)] == names
    assert [found.get("name") for found in wsdl(interface).findall(f"{WSDL}binding/{WSDL}operation")] == names


@every_wsdl
def test_its_names_are_those_of_the_interface(interface: str) -> None:
    root, name = wsdl(interface), NAMES[interface]
    assert (root.get("name"), root.get("targetNamespace")) == (name, f"urn:flexiciency:{interface}:1:wsdl")
    port_type, binding = _child(root, f"{WSDL}portType"), _child(root, f"{WSDL}binding")
    service = _child(root, f"{WSDL}service")
    port = _child(service, f"{WSDL}port")
    assert (port_type.get("name"), binding.get("name")) == (f"{name}PortType", f"{name}Binding")
    assert (service.get("name"), port.get("name")) == (name, f"{name}Port")
    assert (binding.get("type"), port.get("binding")) == (f"tns:{name}PortType", f"tns:{name}Binding")
    location = _child(port, f"{SOAP}address").get("location")
    assert location == f"http://localhost:8080/v1/services/{interface}"


@every_wsdl
def test_its_types_are_imports_of_published_xsds(interface: str) -> None:
    (schema,) = _child(wsdl(interface), f"{WSDL}types")
    assert schema.tag == f"{XS}schema"
    assert {(found.tag, found.get("namespace"), found.get("schemaLocation")) for found in schema} == {
        (f"{XS}import", "urn:flexiciency:envelope:1", "../xsd/envelope.xsd"),
        (f"{XS}import", f"urn:flexiciency:{interface}-operations:1", f"../xsd/{interface}-operations.xsd"),
    }


@every_wsdl
def test_each_message_has_one_part_that_is_a_declared_element(interface: str) -> None:
    expected = {
        row.name + end: f"{{{row.namespace}}}{row.name}{end}" for row in operations(interface) for end in WRAPPERS
    }
    found = {}
    for message in wsdl(interface).findall(f"{WSDL}message"):
        part = _child(message, f"{WSDL}part")
        assert part.get("type") is None
        found[message.get("name", "")] = qualified(part, part.get("element", ""))
    assert found == expected | {"Fault": "{urn:flexiciency:envelope:1}Error"}
    assert all(global_element(name).get("name") for name in found.values())


@every_wsdl
def test_each_operation_has_its_messages_and_actions(interface: str) -> None:
    for row in operations(interface):
        found = _operation(interface, row, "portType")
        sides = [
            ("input", f"tns:{row.name}", row.action, None),
            ("output", f"tns:{row.name}Response", row.reply_action, None),
            ("fault", "tns:Fault", FAULT_ACTION, "Fault"),
        ]
        for tag, message, action, name in sides:
            side = _child(found, f"{WSDL}{tag}")
            assert (side.get("message"), side.get(f"{WSAM}Action"), side.get("name")) == (message, action, name)


@every_wsdl
def test_it_is_bound_once_to_soap_over_http_as_document_literal(interface: str) -> None:
    binding = _child(_child(wsdl(interface), f"{WSDL}binding"), f"{SOAP}binding")
    assert (binding.get("style"), binding.get("transport")) == ("document", "http://schemas.xmlsoap.org/soap/http")
    for row in operations(interface):
        found = _operation(interface, row, "binding")
        assert dict(_child(found, f"{SOAP}operation").attrib) == {"soapAction": row.action}
        for tag in ("input", "output"):
            assert dict(_child(_child(found, f"{WSDL}{tag}"), f"{SOAP}body").attrib) == {"use": "literal"}
        fault = _child(_child(found, f"{WSDL}fault"), f"{SOAP}fault")
        assert dict(fault.attrib) == {"name": "Fault", "use": "literal"}


@every_wsdl
def test_service_port_type_and_every_operation_are_documented(interface: str) -> None:
    root = wsdl(interface)
    for node in (root, _child(root, f"{WSDL}service"), _child(root, f"{WSDL}portType")):
        assert len(_documentation(node)) > 20
    for node in _port_type_operations(interface):
        assert len(_documentation(node)) > 20


@every_wsdl
def test_an_operations_documentation_names_every_object_that_travels(interface: str) -> None:
    known = {row.bo_id for row in BUSINESS_OBJECTS}
    for row in operations(interface):
        words = _documentation(_operation(interface, row, "portType"))
        assert {bo_id for bo_id in row.request + row.reply if bo_id not in words} == set()
        assert set(row.request + row.reply) <= known

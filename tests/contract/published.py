"""The published files as trees, for the tests that hold the contract to its rules."""

from functools import cache
from pathlib import Path

from lxml import etree

from flexiciency.contract import schemas
from flexiciency.contract.catalogue import HOSTS
from flexiciency.wire.parse import parse_trusted_file

XS = "{http://www.w3.org/2001/XMLSchema}"
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP = "{http://schemas.xmlsoap.org/wsdl/soap/}"
WSAM = "{http://www.w3.org/2007/05/addressing/metadata}"

INTERFACES = tuple(HOSTS)
XSDS = tuple(Path(path).stem for path in schemas.files() if path.endswith(".xsd"))


@cache
def xsd(name: str) -> etree._Element:
    return parse_trusted_file(schemas.FOLDER / "xsd" / f"{name}.xsd").getroot()


@cache
def wsdl(interface: str) -> etree._Element:
    return parse_trusted_file(schemas.FOLDER / "wsdl" / f"{interface}.wsdl").getroot()


def qualified(node: etree._Element, name: str) -> str:
    """`{namespace}local` of a QName written at `node`."""
    prefix, _, local = name.rpartition(":")
    return f"{{{node.nsmap[prefix or None]}}}{local}"


def documentation(node: etree._Element) -> str:
    return (node.findtext(f"{XS}annotation/{XS}documentation") or "").strip()


def global_element(name: str) -> etree._Element:
    """The global element of a `{namespace}local` name."""
    quoted = etree.QName(name)
    found = xsd(str(quoted.namespace).split(":")[2]).find(f"{XS}element[@name='{quoted.localname}']")
    assert found is not None, name
    return found


def type_of(element: etree._Element) -> etree._Element:
    """The complexType of a declared element, wherever it is defined."""
    name = etree.QName(qualified(element, element.get("type", "")))
    found = xsd(str(name.namespace).split(":")[2]).find(f"{XS}complexType[@name='{name.localname}']")
    assert found is not None, name
    return found


def children(complex_type: etree._Element) -> list[etree._Element]:
    return complex_type.findall(f"{XS}sequence/{XS}element") + complex_type.findall(f"{XS}choice/{XS}element")


def cardinality(element: etree._Element) -> str:
    least, most = element.get("minOccurs", "1"), element.get("maxOccurs", "1").replace("unbounded", "*")
    return "1" if (least, most) == ("1", "1") else f"{least}..{most}"

"""The published XSDs and WSDLs, and a Body's child held against them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from types import MappingProxyType

from lxml import etree

from flexiciency.contract.complaints import explain, first_complaint
from flexiciency.errors import SchemaInvalid
from flexiciency.wire.parse import parse_trusted_file

_SHIPPED = Path(__file__).parent / "files"
FOLDER: Path = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[3]
"""Where xsd/ and wsdl/ are: inside the installed package, or the repository in a checkout."""

# lxml notes the path of every error by counting siblings: a list of a million wrong values would take half an hour.
_has_long_list = etree.XPath("boolean(descendant-or-self::*[*[1001]])")
_compiling = Lock()


@cache
def files() -> Mapping[str, bytes]:
    """The published files by path relative to `FOLDER`, such as "xsd/common.xsd"."""
    found = sorted([*FOLDER.glob("xsd/*.xsd"), *FOLDER.glob("wsdl/*.wsdl")])
    return MappingProxyType({path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in found})


def schema(name: str) -> etree.XMLSchema:
    """The compiled xsd/<name>.xsd with its imports, one for all threads. KeyError if there is no such file.

    Ask it for yes or no only: its `error_log` mixes threads.
    """
    with _compiling:
        return _compiled(name)


def validate(body_child: etree._Element, operation_namespace: str) -> None:
    """Holds the Body's child against the XSD of its interface's wrappers (`Operation.namespace`).

    Raises SchemaInvalid with the first error's path, line and what was expected.
    """
    compiled = schema(operation_namespace.removeprefix("urn:flexiciency:").removesuffix(":1"))
    name = etree.QName(body_child)
    if name.namespace != operation_namespace:
        namespace = f"the namespace {name.namespace[:100]!r}" if name.namespace else "no namespace"
        raise SchemaInvalid(
            f"The Body holds {name.localname[:60]} of {namespace}; expected an operation of {operation_namespace!r}.",
            path=name.localname[:60],
            line=body_child.sourceline,
        )
    if not _has_long_list(body_child) and compiled.validate(body_child):
        return
    complaint = first_complaint(compiled, body_child)
    if complaint is not None:
        raise explain(complaint, body_child, _trees())


@cache
def _compiled(name: str) -> etree.XMLSchema:
    path = f"xsd/{name}.xsd"
    if path not in files():
        raise KeyError(name)
    return etree.XMLSchema(parse_trusted_file(FOLDER / path))


@cache
def _trees() -> tuple[etree._Element, ...]:
    return tuple(parse_trusted_file(FOLDER / path).getroot() for path in files() if path.startswith("xsd/"))

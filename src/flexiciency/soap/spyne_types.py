"""Spyne's classes of the contract, derived from the committed XSDs and from nothing else."""

import flexiciency.soap.spyne_compat

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from spyne.model.complex import ComplexModelBase
from spyne.util.xml import parse_schema_file

from flexiciency.contract.schemas import FOLDER
from flexiciency.wire.parse import parse_trusted_file

XS = "{http://www.w3.org/2001/XMLSchema}"
_OBJECT_FILES = ("common", "envelope", "market-place", "service", "consent", "activation", "provision")


@cache
def classes(namespace: str) -> SimpleNamespace:
    """The classes of an operations namespace and of all it imports, as attributes by type name."""
    wrappers = namespace.removeprefix("urn:flexiciency:").removesuffix(":1")
    files = {f"urn:flexiciency:{name}:1": str(FOLDER / "xsd" / f"{name}.xsd") for name in (*_OBJECT_FILES, wrappers)}
    parsed = parse_schema_file(files[namespace], files=files)
    found = {name: kind for schema in parsed.values() for name, kind in schema.types.items()}
    for imported in parsed:
        _qualify_references(files[imported], found)
    done: set[Any] = set()
    for kind in found.values():
        _complete(kind, found, done)
    return SimpleNamespace(**found)


def _qualify_references(file: str, found: dict[str, Any]) -> None:
    """Give each `xs:element ref` the namespace of what it refers to: Spyne would write it in the type's own."""
    schema = parse_trusted_file(Path(file)).getroot()
    for complex_type in schema.iterfind(f"{XS}complexType"):
        fields = found[complex_type.get("name", "")]._type_info  # noqa: SLF001  Spyne's fields of a class
        for reference in complex_type.iterfind(f"*/{XS}element[@ref]"):
            prefix, _, name = reference.get("ref", "").rpartition(":")
            fields[name] = fields[name].customize(sub_ns=reference.nsmap[prefix or None], sub_name=name)


def _complete(kind: Any, found: dict[str, Any], done: set[Any]) -> None:
    """Give the classes of fields the fields of their type.

    For an element Spyne makes a copy of its type's class as it is just then: without references, and some not yet read.
    """
    if kind in done or not issubclass(kind, ComplexModelBase):
        return
    done.add(kind)
    kind._type_info = found[kind.get_type_name()]._type_info  # noqa: SLF001  Spyne's fields of a class
    for field in kind._type_info.values():  # noqa: SLF001
        _complete(field, found, done)

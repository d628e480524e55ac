"""Spyne's XML protocol for a verified, XSD-valid Body child: an element in, an element out, no text between.

Spyne's own looks up, for each element of each message, what a class says once and for all; the XSD has checked the
message already. Text is taken and written as it stands.
"""

import flexiciency.soap.spyne_compat

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from lxml import etree
from spyne import Date, DateTime, Unicode
from spyne.model.complex import ComplexModelBase, XmlModifier
from spyne.protocol.xml import XmlDocument

from flexiciency.contract.series import timestamp

_VALUES = frozenset({"IND-DAT-VAL", "AGG-DAT-VAL"})


@dataclass(frozen=True, slots=True)
class _Member:
    """A field of a class: its Spyne type, the tag of its element, and whether it is a list."""

    name: str
    kind: Any
    tag: str
    many: bool


class BodyXml(XmlDocument):
    """The protocol, in and out."""

    def __init__(self) -> None:
        super().__init__()
        # com:Timestamp ends in Z; Spyne writes the offset.
        self._to_unicode_handlers[DateTime] = lambda _cls, instant: timestamp(instant)
        # XML Schema allows space around both; Spyne does not.
        self._from_unicode_handlers[DateTime] = lambda _cls, text: _instant(text.strip())
        self._from_unicode_handlers[Date] = lambda _cls, text: date.fromisoformat(text.strip())

    def create_in_document(self, ctx: Any, in_string_charset: str | None = None) -> None:
        """`ctx.in_document` was set from the verified message."""

    def deserialize(self, ctx: Any, message: Any) -> None:
        """Sets `ctx.in_object`; with an object for each value, a bulk message would take seconds."""
        if _VALUES.isdisjoint(ctx.udc.operation.request):
            super().deserialize(ctx, message)
        else:
            ctx.in_object = [None]

    def from_element(self, ctx: Any, cls: Any, element: etree._Element) -> Any:
        """What an element holds: text as it stands, an object by its class's members, the rest by Spyne."""
        if issubclass(cls, Unicode):
            return element.text or ""
        if not issubclass(cls, ComplexModelBase):
            return super().from_element(ctx, cls, element)
        members = _by_tag(cls)
        found: dict[str, Any] = _blank(cls).copy()
        for child in element:
            member = members[str(child.tag)]
            value = self.from_element(ctx, member.kind, child)
            if not member.many:
                found[member.name] = value
            elif found[member.name] is None:
                found[member.name] = [value]
            else:
                found[member.name].append(value)
        instance = cls.__new__(cls)
        vars(instance).update(found)
        return instance

    def to_parent(self, ctx: Any, cls: Any, inst: Any, parent: etree._Element, ns: str, *args: Any, **kw: Any) -> Any:
        """Appends an object's element; called by name for what is not an object."""
        if not isinstance(inst, ComplexModelBase):
            return super().to_parent(ctx, cls, inst, parent, ns, *args, **kw)
        self._append(inst, parent, f"{{{ns}}}{args[0] if args else cls.get_type_name()}")
        return None

    def serialize(self, ctx: Any, message: Any) -> None:  # noqa: ARG002  Spyne's signature
        """Sets `ctx.out_document`. Spyne's own takes the list around a bare reply for the reply."""
        (reply,) = ctx.out_object
        ctx.out_document = self.element(reply)

    def element(self, instance: Any) -> etree._Element:
        """An object as a document of its own."""
        parent = etree.Element("parent")
        kind = type(instance)
        self._append(instance, parent, f"{{{kind.get_namespace()}}}{kind.get_type_name()}")
        return parent[0]

    def _append(self, instance: Any, parent: etree._Element, tag: str) -> None:
        element = etree.SubElement(parent, tag)
        kind: Any = type(instance)
        for member in _members(kind):
            value = getattr(instance, member.name)
            if value is None:
                continue
            for each in value if member.many else (value,):
                if isinstance(each, str):
                    etree.SubElement(element, member.tag).text = each
                elif isinstance(each, ComplexModelBase):
                    self._append(each, element, member.tag)
                else:
                    namespace, _, name = member.tag[1:].partition("}")
                    super().to_parent(None, member.kind, each, element, namespace, name)


@cache
def _members(cls: Any) -> tuple[_Member, ...]:
    members = []
    for name, kind in cls._type_info.items():
        if issubclass(kind, XmlModifier):
            raise TypeError(f"{cls.get_type_name()} has attributes: its messages carry values, which are never objects")
        attributes = kind.Attributes
        tag = f"{{{attributes.sub_ns or cls.get_namespace()}}}{attributes.sub_name or name}"
        members.append(_Member(name, kind, tag, attributes.max_occurs > 1))
    return tuple(members)


@cache
def _by_tag(cls: Any) -> dict[str, _Member]:
    return {member.tag: member for member in _members(cls)}


@cache
def _blank(cls: Any) -> dict[str, Any]:
    return dict.fromkeys(member.name for member in _members(cls))


def _instant(text: str) -> datetime:
    """UTC instant of a com:Timestamp; in XML Schema a day may end at 24:00:00."""
    day, _, clock = text.partition("T")
    if clock.startswith("24"):
        return datetime.fromisoformat(f"{day}T00{clock[2:]}") + timedelta(days=1)
    return datetime.fromisoformat(text)

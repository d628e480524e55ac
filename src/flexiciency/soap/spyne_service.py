"""Spyne between a verified Body and a reply's content: classes from the XSDs, operations from the catalogue.

Spyne sees Body children only; envelope, signature and XSD are done before it and after it.
"""

import flexiciency.soap.spyne_compat

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from lxml import etree
from spyne import Application, Date, DateTime, ServiceBase, Unicode, rpc
from spyne.context import MethodContext
from spyne.protocol.xml import XmlDocument
from spyne.server import ServerBase

from flexiciency.contract.catalogue import Operation, operations
from flexiciency.contract.series import timestamp
from flexiciency.errors import SchemaInvalid
from flexiciency.soap.endpoint import Call
from flexiciency.soap.outgoing import Content
from flexiciency.soap.spyne_types import classes
from flexiciency.wire.sign import canonical

Handler = Callable[[Call, Any], Any]
"""An operation: the call and the request's object (of the wrapper's class); gives the reply's, or bytes of it.

A request that carries values has None for its object: `contract.codec_read` reads it from the call's message.
"""

_VALUES = frozenset({"IND-DAT-VAL", "AGG-DAT-VAL"})


class _BodyXml(XmlDocument):
    """A verified Body child in, an element out; nothing is parsed and nothing becomes text."""

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
        """Text is taken as it stands: the XSD has checked it, and to check it again is half of Spyne's time."""
        if issubclass(cls, Unicode):
            return element.text or ""
        return super().from_element(ctx, cls, element)

    def to_parent(self, ctx: Any, cls: Any, inst: Any, parent: etree._Element, ns: str, *args: Any, **kw: Any) -> Any:
        """Text is written as it stands; the rest by Spyne."""
        if isinstance(inst, str) and args:
            etree.SubElement(parent, f"{{{ns}}}{args[0]}").text = inst
            return None
        return super().to_parent(ctx, cls, inst, parent, ns, *args, **kw)

    def serialize(self, ctx: Any, message: Any) -> None:  # noqa: ARG002  Spyne's signature
        """Sets `ctx.out_document`. Spyne's own takes the list around a bare reply for the reply."""
        parent = etree.Element("parent")
        (reply,) = ctx.out_object
        self.to_parent(ctx, ctx.descriptor.out_message, reply, parent, ctx.app.tns)
        ctx.out_document = parent[0]


class _Application(Application):
    def call_wrapper(self, ctx: Any) -> Any:
        """Run the operation; what it raises is kept for `SpyneService`, since Spyne would log and flatten it."""
        call: Call = ctx.udc
        try:
            return super().call_wrapper(ctx)
        except Exception as error:  # noqa: BLE001  kept, and raised again
            call.failure = error
            return None


class SpyneService(ServerBase):
    """The operations of one interface. Calling it with a `Call` gives the reply's canonical content."""

    transport = "urn:flexiciency:verified-body"

    def __init__(self, interface: str, handlers: dict[str, Handler]) -> None:
        offered = [operation for operation in operations(interface) if operation.offered]
        if {operation.name for operation in offered} != set(handlers):
            raise ValueError(f"{interface}: handlers {sorted(handlers)} are not the operations offered")
        methods = {operation.name: _method(operation, handlers[operation.name]) for operation in offered}
        service = type("Operations", (ServiceBase,), methods)
        super().__init__(
            _Application(
                [service], f"urn:flexiciency:{interface}-operations:1", in_protocol=_BodyXml(), out_protocol=_BodyXml()
            )
        )

    def __call__(self, call: Call) -> Content:
        """Content of the reply to a verified, XSD-valid call. Raises what the operation raises."""
        ctx = MethodContext(self, MethodContext.SERVER)
        ctx.udc = call
        ctx.in_document = call.message.body
        (ctx,) = self.generate_contexts(ctx)
        try:
            self.get_in_object(ctx)
        except (ValueError, OverflowError) as error:
            raise SchemaInvalid(f"{call.operation.name} holds a value out of range: {error}.") from error
        self.get_out_object(ctx)
        if call.failure is not None:
            raise call.failure
        if ctx.out_error is not None:
            raise ctx.out_error
        (reply,) = ctx.out_object
        if isinstance(reply, bytes | Iterator):
            return reply
        self.app.out_protocol.serialize(ctx, XmlDocument.RESPONSE)
        return canonical(ctx.out_document)


def _instant(text: str) -> datetime:
    """UTC instant of a com:Timestamp; in XML Schema a day may end at 24:00:00."""
    day, _, clock = text.partition("T")
    if clock.startswith("24"):
        return datetime.fromisoformat(f"{day}T00{clock[2:]}") + timedelta(days=1)
    return datetime.fromisoformat(text)


def written(value: Any) -> bytes:
    """Canonical XML of one object (an instance of a class from `spyne_types`), as a document of its own."""
    parent = etree.Element("parent")
    kind = type(value)
    _OBJECTS.to_parent(None, kind, value, parent, kind.get_namespace())
    return canonical(parent[0])


_OBJECTS = _BodyXml()


def _method(operation: Operation, handler: Handler) -> Any:
    """The Spyne method of an operation: the wrappers' classes are its bare request and reply."""
    of_interface = classes(operation.namespace)
    request, reply = getattr(of_interface, operation.name), getattr(of_interface, operation.name + "Response")

    # Spyne wants no class for an empty request in bare style; its handlers get None.
    parameters = (request,) if request._type_info else ()  # noqa: SLF001  Spyne's fields of a class

    def run(ctx: Any, *messages: Any) -> Any:
        return handler(ctx.udc, *(messages or (None,)))

    run.__name__ = operation.name
    return rpc(
        *parameters,
        _args=("message",) if parameters else (),
        _returns=reply,
        _body_style="bare",
        _in_message_name=f"{{{operation.namespace}}}{operation.name}",
        _out_message_name=f"{{{operation.namespace}}}{operation.name}Response",
    )(run)

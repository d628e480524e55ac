"""Spyne between a verified Body and a reply's content: classes from the XSDs, operations from the catalogue.

Spyne sees Body children only; envelope, signature and XSD are done before it and after it.
"""

import flexiciency.soap.spyne_compat

from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree
from spyne import Application, ServiceBase, rpc
from spyne.context import MethodContext
from spyne.protocol.xml import XmlDocument
from spyne.server import ServerBase

from flexiciency.contract.catalogue import Operation, operations
from flexiciency.errors import SchemaInvalid
from flexiciency.soap.endpoint import Call
from flexiciency.soap.outgoing import Content
from flexiciency.soap.spyne_types import classes
from flexiciency.soap.spyne_xml import BodyXml
from flexiciency.wire.sign import canonical

Handler = Callable[[Call, Any], Any]
"""An operation: the call and the request's object (of the wrapper's class); gives the reply's, or bytes of it.

A request that carries values has None for its object: `contract.codec_read` reads it from the call's message.
"""


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
                [service], f"urn:flexiciency:{interface}-operations:1", in_protocol=BodyXml(), out_protocol=BodyXml()
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


def written(value: Any) -> bytes:
    """Canonical XML of one object (an instance of a class from `spyne_types`), as a document of its own."""
    return canonical(_OBJECTS.element(value))


def read(kind: Any, element: etree._Element) -> Any:
    """An object of a class from `spyne_types` out of its element, which was validated."""
    return _OBJECTS.from_element(None, kind, element)


_OBJECTS = BodyXml()


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

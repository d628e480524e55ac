"""One end of a call, for Market Players and customer channels: Zeep for objects, our transport for messages."""

from collections.abc import Mapping
from functools import cache
from types import TracebackType
from typing import Any, Self

import zeep
import zeep.exceptions
from lxml import etree
from zeep.wsdl import Document
from zeep.xsd.context import XmlParserContext

from flexiciency.client.statistics import Counts, Statistics
from flexiciency.client.transport import ClientSettings, Line, SigningTransport
from flexiciency.contract.catalogue import Operation, operations
from flexiciency.contract.schemas import FOLDER
from flexiciency.errors import GatewayError, SchemaInvalid
from flexiciency.soap.posting import Partner, Poster, check_url
from flexiciency.wire.addressing import new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.verify import Verified


class Caller:
    """Calls one interface of one partner; for any number of threads. Close it, or use it as a context manager.

    Every call raises PartnerFault (a signed refusal, with the partner's code), PartnerUnreachable, UntrustedFault or
    UntrustedReply, and SchemaInvalid for what we ourselves were about to send.
    """

    def __init__(
        self, interface: str, identity: Identity, urn: str, partner: Partner, settings: ClientSettings
    ) -> None:
        check_url(partner.url)
        self._operations = {operation.name: operation for operation in operations(interface)}
        self._document = _document(interface)
        self._poster = Poster(settings.terms, settings.clock)
        self._line = Line(identity, urn, partner, self._poster, settings, Statistics())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._poster.close()

    @property
    def statistics(self) -> Counts:
        """Messages signed, replies verified, replies refused and signed faults so far."""
        return self._line.statistics.counts

    def call(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        message_id: str | None = None,
        relates_to: str | None = None,
    ) -> Verified:
        """Call an operation of the WSDL by name; `arguments` as Zeep takes them. The verified reply as it came.

        To send a message again, give its MessageID and the same arguments: the partner answers what it answered.
        """
        called = self._operations[operation]
        transport = SigningTransport(self._line, called, message_id or new_message_id(), relates_to)
        self._run(transport, called, arguments, raw=True)
        return transport.reply

    def _object(
        self, operation: str, arguments: Mapping[str, Any], message_id: str, *, relates_to: str | None = None
    ) -> Any:
        """Zeep's object for the reply."""
        called = self._operations[operation]
        transport = SigningTransport(self._line, called, message_id, relates_to)
        return self._run(transport, called, arguments, raw=False)

    def _run(self, transport: SigningTransport, called: Operation, arguments: Mapping[str, Any], *, raw: bool) -> Any:
        settings = zeep.Settings(raw_response=raw, forbid_dtd=True, forbid_external=True)
        client = zeep.Client(self._document, transport=transport, settings=settings)  # type: ignore[no-untyped-call]
        try:
            return client.service[called.name](**arguments)
        except zeep.exceptions.Error as error:
            raise SchemaInvalid(f"{called.name} cannot be written: {error.message}") from None
        except GatewayError as error:
            # Where in Zeep it passed through helps nobody.
            raise error.with_traceback(None) from error.__cause__

    def _read(self, element: etree._Element) -> Any:
        """Zeep's object for an element of the WSDL's types that stands in a verified reply."""
        types: Any = self._document.types
        context = XmlParserContext(settings=zeep.Settings())  # type: ignore[no-untyped-call]
        return types.get_element(element.tag).parse(element, types, context=context)


@cache
def _document(interface: str) -> Document:
    """The packaged WSDL as Zeep reads it: from files, never from the network."""
    settings = zeep.Settings(forbid_dtd=True, forbid_external=True)
    transport: Any = zeep.Transport()  # type: ignore[no-untyped-call]
    return Document(str(FOLDER / "wsdl" / f"{interface}.wsdl"), transport, settings=settings)

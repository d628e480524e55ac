"""Faults, mapped once: a GatewayError to the Body of a SOAP Fault and back.

A fault's detail is env:Error (code, message, path, line, retriable); see xsd/envelope.xsd.
"""

from xml.sax.saxutils import escape

from lxml import etree

from flexiciency.errors import GatewayError, InternalError, PartnerFault

FAULT_ACTION = "urn:flexiciency:envelope:1:Fault"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ENVELOPE = "urn:flexiciency:envelope:1"


def fault_content(error: GatewayError) -> bytes:
    """The canonical Body child of a fault; soap is declared on the Body already."""
    path = f"<env:Path>{_text(error.path)}</env:Path>" if error.path else ""
    line = f"<env:Line>{error.line}</env:Line>" if error.line is not None else ""
    return (
        f"<soap:Fault><faultcode>soap:{error.fault_code}</faultcode><faultstring>{_text(error.message)}</faultstring>"
        f'<detail><env:Error xmlns:env="{ENVELOPE}"><env:Code>{error.code}</env:Code>'
        f"<env:Message>{_text(error.message)}</env:Message>{path}{line}"
        f"<env:Retriable>{'true' if error.retriable else 'false'}</env:Retriable></env:Error></detail></soap:Fault>"
    ).encode()


def unsigned_fault(error: GatewayError) -> bytes:
    """The whole message for a sender who is not known: nothing to address, nothing signed."""
    return b'<soap:Envelope xmlns:soap="%s"><soap:Body>%s</soap:Body></soap:Envelope>' % (
        SOAP.encode(),
        fault_content(error),
    )


def partner_fault(fault: etree._Element) -> PartnerFault:
    """The typed exception for a verified soap:Fault element, with the partner's own code and text."""
    error = fault.find(f"detail/{{{ENVELOPE}}}Error")
    if error is None:
        return PartnerFault(
            fault.findtext("faultcode") or "Unknown", fault.findtext("faultstring") or "No text.", retriable=False
        )
    line = error.findtext(f"{{{ENVELOPE}}}Line")
    return PartnerFault(
        error.findtext(f"{{{ENVELOPE}}}Code") or "Unknown",
        error.findtext(f"{{{ENVELOPE}}}Message") or "No text.",
        path=error.findtext(f"{{{ENVELOPE}}}Path"),
        line=int(line) if line and line.isdigit() else None,
        retriable=error.findtext(f"{{{ENVELOPE}}}Retriable") == "true",
    )


def is_fault(body_child: etree._Element) -> bool:
    """Whether the Body's child is a SOAP 1.1 Fault."""
    return body_child.tag == f"{{{SOAP}}}Fault"


def internal_error() -> InternalError:
    """What a partner reads of anything unforeseen; the log has the rest."""
    return InternalError("The gateway could not process the message. Its operator has been told; try again later.")


def _text(value: str) -> str:
    """Escaped as canonical XML has it, without characters that XML forbids, at most 4,000 long (com:Text)."""
    allowed = "".join(c if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" else "?" for c in value)
    return escape(allowed[:4000])

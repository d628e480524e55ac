"""Messages as other stacks lay them out, not signed yet."""

from dataclasses import dataclass

from lxml import etree

from flexiciency.wire import names
from flexiciency.wire.addressing import Addressing
from flexiciency.wire.identity import Identity

NS = {"soap": names.SOAP, "wsse": names.WSSE, "wsu": names.WSU, "ds": names.DS, "wsa": names.WSA}
ANONYMOUS = f"{names.WSA}/anonymous"

# Prefixes declared once on top, indented: most stacks that keep a tree.
INDENTED = """<?xml version="1.0" encoding="utf-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="{soap}" xmlns:wsu="{wsu}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                   xmlns:act="urn:flexiciency:activation:1">
  <SOAP-ENV:Header xmlns:wsa="{wsa}">
    <wsa:To SOAP-ENV:mustUnderstand="1" wsu:Id="id-1">{to}</wsa:To>
    <wsa:ReplyTo wsu:Id="id-2">
      <wsa:Address>{anonymous}</wsa:Address>
    </wsa:ReplyTo>
    <wsse:Security xmlns:wsse="{wsse}" SOAP-ENV:mustUnderstand="1">
      <wsu:Timestamp wsu:Id="id-3">
        <wsu:Created>2026-11-23T12:00:00Z</wsu:Created>
        <wsu:Expires>2026-11-23T12:05:00Z</wsu:Expires>
      </wsu:Timestamp>
      <wsse:BinarySecurityToken wsu:Id="id-4" ValueType="{x509}" EncodingType="{base64}">
        {token}
      </wsse:BinarySecurityToken>{confirmation}
    </wsse:Security>
    <wsa:MessageID wsu:Id="id-5">{message_id}</wsa:MessageID>
    <wsa:From wsu:Id="id-6">
      <wsa:Address>{from_}</wsa:Address>
      <wsa:ReferenceParameters><x:Session xmlns:x="urn:x">1</x:Session></wsa:ReferenceParameters>
      <wsa:Metadata/>
    </wsa:From>
    <wsa:Action wsu:Id="id-7">
      {action}
    </wsa:Action>{relates_to}
  </SOAP-ENV:Header>
  <SOAP-ENV:Body wsu:Id="id-8">
    <act:RequestDsoServiceActivation xsi:schemaLocation="urn:x x.xsd">
      <act:PoD>ES0031000000000001 &amp; &#xE1;</act:PoD>
      <act:Empty/>
    </act:RequestDsoServiceActivation>
  </SOAP-ENV:Body>
</SOAP-ENV:Envelope>
"""
# One line, namespaces where they are used, default namespaces: Java stacks.
COMPACT = (
    '<soap:Envelope xmlns:soap="{soap}"><soap:Header><Action xmlns="{wsa}" xmlns:wsu="{wsu}" wsu:Id="id-7">{action}'
    '</Action><MessageID xmlns="{wsa}" xmlns:wsu="{wsu}" wsu:Id="id-5">{message_id}</MessageID><To xmlns="{wsa}" '
    'xmlns:wsu="{wsu}" wsu:Id="id-1">{to}</To><From xmlns="{wsa}" xmlns:wsu="{wsu}" wsu:Id="id-6"><Address>{from_}'
    '</Address></From><FaultTo xmlns="{wsa}" xmlns:wsu="{wsu}" wsu:Id="id-2"><Address>{anonymous}</Address></FaultTo>'
    '{relates_to}<wsse:Security xmlns:wsse="{wsse}" xmlns:wsu="{wsu}" soap:mustUnderstand="1">'
    '<wsse:BinarySecurityToken EncodingType="{base64}" ValueType="{x509}" wsu:Id="id-4">{token}'
    '</wsse:BinarySecurityToken><wsu:Timestamp wsu:Id="id-3"><wsu:Created>2026-11-23T12:00:00.123Z</wsu:Created>'
    "<wsu:Expires>2026-11-23T12:05:00.123Z</wsu:Expires></wsu:Timestamp>{confirmation}</wsse:Security></soap:Header>"
    '<soap:Body xmlns:wsu="{wsu}" wsu:Id="id-8"><RequestDsoServiceActivation xmlns="urn:flexiciency:activation:1">'
    "<PoD>ES0031000000000001 &amp; &#xE1;</PoD><Empty/></RequestDsoServiceActivation></soap:Body></soap:Envelope>"
)


@dataclass(frozen=True)
class Unsigned:
    """A message ready to be signed, and the ids that the signature has to cover."""

    root: etree._Element
    identifiers: tuple[str, ...]

    @property
    def security(self) -> etree._Element:
        """Where the signature goes."""
        return next(self.root.iter(names.SECURITY))


def unsigned(layout: str, addressing: Addressing, signer: Identity, confirms: str | None = None) -> Unsigned:
    """A message in the layout; with `confirms`, base64, it is a reply."""
    confirmation = relates_to = ""
    identifiers = ["id-1", "id-2", "id-3", "id-5", "id-6", "id-7", "id-8"]
    if confirms is not None:
        confirmation = f'<c:SignatureConfirmation xmlns:c="{names.WSSE11}" wsu:Id="id-9" Value="{confirms}"/>'
        relates_to = (
            f'<w:RelatesTo xmlns:w="{names.WSA}" xmlns:wsu="{names.WSU}" wsu:Id="id-10">{addressing.relates_to}'
            "</w:RelatesTo>"
        )
        identifiers += ["id-9", "id-10"]
    text = layout.format(
        **NS,
        x509=names.X509_V3,
        base64=names.BASE64,
        anonymous=ANONYMOUS,
        token=signer.token,
        to=addressing.to,
        from_=addressing.from_,
        action=addressing.action,
        message_id=addressing.message_id,
        confirmation=confirmation,
        relates_to=relates_to,
    )
    return Unsigned(etree.fromstring(text.encode()), tuple(identifiers))


def token_reference() -> etree._Element:
    """The SecurityTokenReference for KeyInfo."""
    holder = etree.Element(f"{{{names.WSSE}}}SecurityTokenReference", nsmap={"wsse": names.WSSE})
    reference = etree.SubElement(holder, f"{{{names.WSSE}}}Reference")
    reference.set("URI", "#id-4")
    reference.set("ValueType", names.X509_V3)
    return holder

"""The coded errors, one tree. The class name is the code that a partner reads in a fault.

GatewayError
├── TransportError        before there is a message
│   ├── NotSoap           wrong method or content type
│   ├── MessageTooLarge   larger than the cap on one message
│   ├── CompressionInvalid  gzip that is broken, too large once unpacked, or of an unknown kind
│   ├── NotXml            not well-formed, or not UTF-8
│   ├── ForbiddenXml      DTD, entity or processing instruction
│   └── TooDeep           nested deeper than allowed
├── EnvelopeError         not our profile of SOAP 1.1, WS-Addressing and WS-Security
│   ├── EnvelopeInvalid
│   ├── AddressingInvalid
│   ├── ReplyToUnsupported
│   ├── ActionUnknown
│   └── NotForMe
├── SecurityError         who speaks, and is it what was signed
│   ├── Unsigned · SignatureInvalid · SignatureIncomplete · AlgorithmRefused
│   ├── MessageExpired · MessageFromFuture
│   ├── CertificateUntrusted · CertificateExpired · CertificateNotBound
│   ├── SenderUnknown · SenderInactive · RequesterMismatch · OperationNotAllowed
│   └── ConfirmationMissing   a reply that does not confirm our signature
├── ExchangeError
│   └── MessageIdReused   same MessageID, other Body
├── ContentError          well signed, but not what the contract says
│   ├── SchemaInvalid
│   ├── ValuesInvalid     a series that contradicts its own header
│   ├── AcknowledgementInvalid  one that contradicts itself or the message it is of
│   ├── ReferenceUnknown · StateConflict · IdentifierTaken
│   ├── AnswerTooLarge    more values than one message holds
│   └── NotOfferedYet
├── IntakeError           what came from the DSO's own systems cannot be used; never travels in a fault
│   ├── FileInvalid       not what the command takes
│   ├── FileChanged       while it was read
│   ├── FileBroken        ends too early, or unpacks to more than it should
│   └── NotInstalled      a package that the file's format needs
├── ServerError
│   ├── Unavailable       try the same message again later
│   └── InternalError
└── PartnerError          raised in the client only
    ├── PartnerUnreachable  no answer
    ├── UntrustedFault    a fault that nobody signed
    ├── UntrustedReply    a reply that failed verification
    └── PartnerFault      a signed fault, with the partner's code and text
"""

from typing import ClassVar


class GatewayError(Exception):
    """Any error a partner, operator or player may see.

    `path` names the element concerned, from the first child of the Body; `line` its line in the canonical Body.
    """

    retriable: ClassVar[bool] = False
    fault_code: ClassVar[str] = "Client"
    """SOAP 1.1 faultcode, local name."""

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line

    @property
    def code(self) -> str:
        """The code in the fault: the class name."""
        return type(self).__name__


class TransportError(GatewayError):
    """The bytes are no message."""


class NotSoap(TransportError):
    """Wrong HTTP method or content type; expected POST of text/xml."""


class MessageTooLarge(TransportError):
    """The message is larger than the cap on one message."""


class CompressionInvalid(TransportError):
    """The content encoding is unknown, broken, or unpacks beyond the cap."""


class NotXml(TransportError):
    """The bytes are not well-formed UTF-8 XML."""


class ForbiddenXml(TransportError):
    """The document has a DTD, an entity or a processing instruction."""


class TooDeep(TransportError):
    """Elements are nested deeper than allowed."""


class EnvelopeError(GatewayError):
    """The envelope is not of our profile."""


class EnvelopeInvalid(EnvelopeError):
    """Not a SOAP 1.1 envelope of one Header and one Body as the profile wants them."""


class AddressingInvalid(EnvelopeError):
    """A WS-Addressing header is missing, repeated or malformed."""


class ReplyToUnsupported(EnvelopeError):
    """ReplyTo or FaultTo asks for an answer elsewhere than on the same connection."""


class ActionUnknown(EnvelopeError):
    """No operation of this interface has this Action."""


class NotForMe(EnvelopeError):
    """To names another recipient."""


class SecurityError(GatewayError):
    """The sender or the signature is refused."""


class Unsigned(SecurityError):
    """There is no WS-Security header or no signature in it."""


class SignatureInvalid(SecurityError):
    """A digest or the signature value does not match."""


class SignatureIncomplete(SecurityError):
    """Body, Timestamp or an addressing header is not covered by the signature, or something else is."""


class AlgorithmRefused(SecurityError):
    """An algorithm or key outside the profile."""


class MessageExpired(SecurityError):
    """The Timestamp has expired or its lifetime is too long."""


class MessageFromFuture(SecurityError):
    """The Timestamp was created later than the clock skew allows."""


class CertificateUntrusted(SecurityError):
    """The certificate does not chain to a trusted CA."""


class CertificateExpired(SecurityError):
    """The certificate, or one above it, is not valid now."""


class CertificateNotBound(SecurityError):
    """The certificate is not bound to the company of the registration in From."""


class SenderUnknown(SecurityError):
    """From names no registration or channel known here."""


class SenderInactive(SecurityError):
    """The registration in From is pending, suspended or withdrawn."""


class RequesterMismatch(SecurityError):
    """The party named in the object is not the one in From."""


class OperationNotAllowed(SecurityError):
    """This party may not call this operation."""


class ConfirmationMissing(SecurityError):
    """The reply does not confirm the signature of our request."""


class ExchangeError(GatewayError):
    """The exchange contradicts one that is already stored."""


class MessageIdReused(ExchangeError):
    """The MessageID was used before by this sender with another Body."""


class ContentError(GatewayError):
    """The message is authentic but cannot be acted on."""


class SchemaInvalid(ContentError):
    """The Body does not follow its XSD."""


class ValuesInvalid(ContentError):
    """A series of values contradicts its own header."""


class AcknowledgementInvalid(ContentError):
    """An acknowledgement contradicts itself or the message that it is of."""


class ReferenceUnknown(ContentError):
    """An identifier refers to nothing known here."""


class StateConflict(ContentError):
    """The object is in a state that does not allow this."""


class IdentifierTaken(ContentError):
    """Another object has this identifier already."""


class AnswerTooLarge(ContentError):
    """The answer would hold more values than one message may; ask for less, or have them pushed."""


class NotOfferedYet(ContentError):
    """The operation is in the contract, but this release does not offer it."""


class IntakeError(GatewayError):
    """What an operator gave to a command cannot be used; never travels in a fault."""


class FileInvalid(IntakeError):
    """The file is not what the command takes; the message says which, where and why."""


class FileChanged(IntakeError):
    """The file changed while it was read."""


class FileBroken(IntakeError):
    """The packed file ends too early, is damaged, or unpacks to more than it should."""


class NotInstalled(IntakeError):
    """The file needs a package that is not installed."""


class ServerError(GatewayError):
    """The fault is on this side."""

    fault_code: ClassVar[str] = "Server"


class Unavailable(ServerError):
    """A part that is needed is out of reach; the same message may be sent again."""

    retriable: ClassVar[bool] = True


class InternalError(ServerError):
    """Something unforeseen; the log has the details, the partner has not."""


class PartnerError(GatewayError):
    """What went wrong when we called a partner; never travels in a fault."""


class PartnerUnreachable(PartnerError):
    """No answer came: no connection, a timeout, or something that is no SOAP."""

    retriable: ClassVar[bool] = True


class UntrustedFault(PartnerError):
    """A fault that nobody signed: a hint for a person, never a reason to act or retry by itself."""


class UntrustedReply(PartnerError):
    """The reply failed verification; `__cause__` says how."""


class PartnerFault(PartnerError):
    """A signed fault. `partner_code` and `message` are the partner's; `retriable` is what the partner said."""

    def __init__(
        self, partner_code: str, message: str, *, path: str | None = None, line: int | None = None, retriable: bool
    ) -> None:
        super().__init__(message, path=path, line=line)
        self.partner_code = partner_code
        self.partner_says_retriable = retriable

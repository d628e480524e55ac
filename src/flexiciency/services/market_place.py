"""The Market Place interface as this gateway hosts it: which handler answers which operation (D2.3, 4.1, Table 4)."""

from typing import Any

from flexiciency import __version__
from flexiciency.contract.catalogue import MARKET_PLACE as INTERFACE
from flexiciency.contract.catalogue import operations
from flexiciency.delivery.directory import announce
from flexiciency.delivery.outbox import Outbox
from flexiciency.services.directory import DirectoryService
from flexiciency.services.enrolment import EnrolmentService
from flexiciency.services.exchange import transaction_of
from flexiciency.services.mailbox import Mailbox
from flexiciency.services.matching import Matching
from flexiciency.services.publication import PublicationService
from flexiciency.services.registration import RegistrationService
from flexiciency.services.replies import MARKET_PLACE, seconds
from flexiciency.services.subscription import SubscriptionService
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler
from flexiciency.wire.trust import TrustAnchors

# Directory changes that cannot be pushed are read from a cursor on, so that they need not wait here.
_MAILBOX = Mailbox(
    MARKET_PLACE, "mkpo", f"urn:flexiciency:{INTERFACE}-operations:1", frozenset({"ReceiveB2BServiceSubscription"})
)


def handlers(anchors: TrustAnchors) -> dict[str, Handler]:
    """The operations of market-place.wsdl; certificates that are enrolled must chain to the anchors."""
    matching = Matching(Outbox())
    services = (
        EnrolmentService(anchors),
        RegistrationService(anchors, matching),
        PublicationService(matching),
        SubscriptionService(matching),
        DirectoryService(),
    )
    answered = {name: handler for service in services for name, handler in service.handlers.items()}
    reading = {row.name for row in operations(INTERFACE) if row.reads_only}
    changing = {name: _announced(handler) for name, handler in answered.items() if name not in reading}
    return {"Ping": _ping, **answered, **changing, **_MAILBOX.handlers}


def _announced(handler: Handler) -> Handler:
    """The handler, after which what it changed in the directory is pushed to those who keep a copy."""

    def run(call: Call, message: Any) -> Any:
        reply = handler(call, message)
        announce(transaction_of(call))
        return reply

    return run


def _ping(call: Call, _message: Any) -> Any:
    return MARKET_PLACE.PingResponse(Time=seconds(call.now), Version=__version__)

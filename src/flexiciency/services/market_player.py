"""The Market Player interface as a DSO's gateway hosts it: what the Market Place pushes to a provider (D2.3, 4.1)."""

from typing import Any, NoReturn

from flexiciency import __version__
from flexiciency.contract.catalogue import MARKET_PLAYER, operations
from flexiciency.delivery.directory import announce
from flexiciency.errors import OperationNotAllowed
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import PLAYER, receipt, seconds
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler


def handlers() -> dict[str, Handler]:
    """The offered operations of market-player.wsdl."""
    refused: dict[str, Handler] = {row.name: _refuse for row in operations(MARKET_PLAYER) if row.offered}
    return {
        **refused,
        "Ping": _ping,
        "ReceiveB2BServiceSubscription": _read_directory,
        "ReceiveDirectoryChanges": _read_directory,
    }


def _ping(call: Call, _message: Any = None) -> Any:
    """Time and version of this host."""
    return PLAYER.PingResponse(Time=seconds(call.now), Version=__version__)


def _read_directory(call: Call, _message: Any) -> Any:
    """MPL-*, MKP-SRV-DES and B2B-SRV-SUB: there is news, and the directory is read at once from our cursor on.

    What was pushed is kept as evidence and not applied: a push that was late or came again would undo newer changes.
    """
    announce(transaction_of(call))
    reply = getattr(PLAYER, f"{call.operation.name}Response")
    return reply(Receipt=receipt(PLAYER, call))


def _refuse(_call: Call, _message: Any) -> NoReturn:
    raise OperationNotAllowed("This gateway is a provider; it takes only what the Market Place sends.")

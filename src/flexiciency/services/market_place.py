"""The Market Place interface: this release answers Ping; its other operations are refused as not offered yet."""

from typing import Any

from flexiciency import __version__
from flexiciency.services.replies import MARKET_PLACE, seconds
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler


def handlers() -> dict[str, Handler]:
    """The offered operations of market-place.wsdl."""
    return {"Ping": _ping}


def _ping(call: Call, _message: Any) -> Any:
    return MARKET_PLACE.PingResponse(Time=seconds(call.now), Version=__version__)

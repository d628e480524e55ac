"""What every part of a Market Player's calls to a provider rests on."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from flexiciency.client.caller import Caller
from flexiciency.client.transport import DEFAULT_SETTINGS, ClientSettings
from flexiciency.contract.catalogue import B2B
from flexiciency.soap.posting import Partner
from flexiciency.wire.addressing import MARKET_PLAYER_URN
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors

_REMEMBERED = 1000


class PlayerCaller(Caller):
    """A registration of a Market Player, calling one provider's B2B service."""

    def __init__(
        self,
        identity: Identity,
        registration_id: str,
        provider_id: str,
        url: str,
        anchors: TrustAnchors,
        *,
        provider_fingerprints: Iterable[str] | None = None,
        settings: ClientSettings = DEFAULT_SETTINGS,
    ) -> None:
        """Ids are MPL-REG ids; `url` is the endpoint, with or without `?wsdl`. ValueError for plain http off loopback.

        `provider_fingerprints` (SHA-256, hex) pin its certificates; the anchors alone take any that their CAs issued.
        """
        pinned = None if provider_fingerprints is None else frozenset(provider_fingerprints)
        partner = Partner(url.removesuffix("?wsdl"), MARKET_PLAYER_URN + provider_id, anchors, pinned)
        super().__init__(B2B, identity, MARKET_PLAYER_URN + registration_id, partner, settings)
        self.registration_id = registration_id
        self._services: dict[str, str] = {}
        self._fetched: OrderedDict[str, str] = OrderedDict()
        self._fetching = threading.Lock()

    def _remember(self, values_id: str, message_id: str) -> None:
        """Which message brought values, of the latest thousand."""
        with self._fetching:
            self._fetched[values_id] = message_id
            while len(self._fetched) > _REMEMBERED:
                self._fetched.popitem(last=False)

    def _brought(self, values_id: str) -> str | None:
        """The MessageID that brought values, of those remembered."""
        with self._fetching:
            return self._fetched.get(values_id)

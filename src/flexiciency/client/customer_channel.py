"""What a customer's front end asks of a DSO on the customer's behalf: the B2C interface (D2.3, 4.3)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from flexiciency.client import reading, writing
from flexiciency.client.caller import Caller
from flexiciency.client.objects import Authentication, Consent, ConsentAcknowledgement, GivenConsent, Receipt
from flexiciency.client.transport import DEFAULT_SETTINGS, ClientSettings
from flexiciency.contract.catalogue import B2C
from flexiciency.contract.ids import derived_id
from flexiciency.soap.posting import Partner
from flexiciency.wire.addressing import CUSTOMER_CHANNEL_URN, MARKET_PLAYER_URN, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors


class CustomerChannel(Caller):
    """A front end whose certificate the DSO's operator has bound to `channel_id`.

    Each call says how and when the customer was authenticated. A `message_id` works as in `MarketPlayer`.
    """

    def __init__(
        self,
        identity: Identity,
        channel_id: str,
        dso_id: str,
        url: str,
        anchors: TrustAnchors,
        *,
        dso_fingerprints: Iterable[str] | None = None,
        settings: ClientSettings = DEFAULT_SETTINGS,
    ) -> None:
        """`dso_id` is the DSO's MPL-REG id; the rest as in `MarketPlayer`."""
        pinned = None if dso_fingerprints is None else frozenset(dso_fingerprints)
        partner = Partner(url.removesuffix("?wsdl"), MARKET_PLAYER_URN + dso_id, anchors, pinned)
        super().__init__(B2C, identity, CUSTOMER_CHANNEL_URN + channel_id, partner, settings)
        self.dso_id = dso_id

    def give_consent(
        self, consent: Consent, authentication: Authentication, *, message_id: str | None = None
    ) -> ConsentAcknowledgement:
        """CUS-CON-DES → CUS-CON-ACK: which PoDs the DSO accepted, and why not the others (D2.3, 2.4)."""
        message_id = message_id or new_message_id()
        arguments = {
            "CustomerConsentDescription": writing.consent(consent, derived_id(message_id, "consent"), self.dso_id),
            "CustomerAuthentication": writing.authentication(authentication),
        }
        return reading.consent_acknowledgement(self._object("GiveCustomerConsent", arguments, message_id))

    def revoke(
        self,
        consent_id: str,
        customer_id: str,
        pods: Sequence[str],
        revoked_at: datetime,
        authentication: Authentication,
        *,
        message_id: str | None = None,
    ) -> Receipt:
        """CUS-CON-REV: revoke a consent for these PoDs, all of its or some (D2.3, 2.4)."""
        message_id = message_id or new_message_id()
        revocation = {
            "Id": derived_id(message_id, "revocation"),
            "CustomerId": customer_id,
            "PoD": list(pods),
            "RevocationDate": writing.instant(revoked_at),
            "CustomerConsentDescriptionRef": consent_id,
        }
        arguments = {
            "CustomerConsentRevocation": revocation,
            "CustomerAuthentication": writing.authentication(authentication),
        }
        return reading.receipt(self._object("RevokeCustomerConsent", arguments, message_id))

    def consents(self, customer_id: str, authentication: Authentication) -> tuple[GivenConsent, ...]:
        """A customer's consents and their state, as the DSO has them."""
        arguments = {"CustomerId": customer_id, "CustomerAuthentication": writing.authentication(authentication)}
        return reading.given_consents(self._object("ReadCustomerConsents", arguments, new_message_id()))

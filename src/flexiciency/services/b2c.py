"""The B2C interface as this gateway hosts it: which handler answers which operation."""

from flexiciency.delivery.outbox import Outbox
from flexiciency.services.consent import ConsentService
from flexiciency.soap.spyne_service import Handler


def handlers(dso_id: str) -> dict[str, Handler]:
    """The offered operations of b2c.wsdl for the DSO with this MPL-REG id."""
    consents = ConsentService(dso_id, Outbox())
    return {
        "GiveCustomerConsent": consents.give,
        "RevokeCustomerConsent": consents.revoke,
        "ReadCustomerConsents": consents.read,
    }

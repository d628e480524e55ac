from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from flexiciency.client import (
    Authentication,
    ClientSettings,
    Consent,
    CustomerChannel,
    PodConsent,
    Quantity,
    Reason,
    Scope,
    TimeStep,
)
from flexiciency.errors import PartnerFault, SenderUnknown
from tests.client.peers import CHANNEL_ID, CONSENT_ID, DSO_ID, MIDNIGHT, PLAYER_ID, Dso, clock, served
from tests.wire.parties import NOW, anchors, identity

LOGIN = Authentication("eID", NOW)
CONSENT = Consent(
    customer_id="C-1",
    pods=("POD0001", "POD0002"),
    data_details="load curve",
    scopes=(Scope(Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M),),
    processing_details="advice",
    validated_at=MIDNIGHT,
    start=date(2026, 1, 1),
    end=date(2027, 1, 1),
    third_party=PLAYER_ID,
)


@pytest.fixture
def dso(tmp_path: Path) -> Iterator[Dso]:
    with closing(Dso(tmp_path)) as one:
        yield one


@pytest.fixture
def url(dso: Dso) -> Iterator[str]:
    with served(dso.application, "/v1/services/b2c") as address:
        yield address


def channel(url: str, channel_id: str = CHANNEL_ID) -> CustomerChannel:
    settings = ClientSettings(clock=clock)
    return CustomerChannel(identity(name="Portal"), channel_id, DSO_ID, url, anchors(), settings=settings)


def test_a_consent_is_acknowledged_pod_by_pod(dso: Dso, url: str) -> None:
    with channel(url) as portal:
        acknowledgement = portal.give_consent(CONSENT, LOGIN)
    ((call, sent),) = dso.calls
    assert call.speaker.role == "CustomerChannel"
    assert (sent.CustomerConsentDescription.Dso, sent.CustomerConsentDescription.Eso) == (DSO_ID, PLAYER_ID)
    assert (sent.CustomerAuthentication.Method, sent.CustomerAuthentication.AuthenticatedAt) == ("eID", NOW)
    assert acknowledgement.consent_id == sent.CustomerConsentDescription.Id
    assert acknowledgement.pods == ("POD0001",)
    assert acknowledgement.refused == {"POD0002": Reason("NotHolder")}
    assert acknowledgement.scopes == CONSENT.scopes


def test_a_consent_is_revoked(dso: Dso, url: str) -> None:
    with channel(url) as portal:
        receipt = portal.revoke(CONSENT_ID, "C-1", ["POD0001"], NOW, LOGIN)
    ((call, sent),) = dso.calls
    assert receipt.message_id == call.message.addressing.message_id
    assert sent.CustomerConsentRevocation.CustomerConsentDescriptionRef == CONSENT_ID
    assert sent.CustomerConsentRevocation.PoD == ["POD0001"]


def test_a_customers_consents_come_with_the_state_of_each_pod(url: str) -> None:
    with channel(url) as portal:
        (given,) = portal.consents("C-1", LOGIN)
    assert (given.consent.id, given.consent.third_party) == (CONSENT_ID, PLAYER_ID)
    assert given.pods == (PodConsent("POD0001", "Acknowledged", NOW),)


def test_a_channel_that_is_not_bound_is_refused(url: str) -> None:
    with channel(url, "another") as portal, pytest.raises(PartnerFault) as caught:
        portal.consents("C-1", LOGIN)
    assert caught.value.partner_code == SenderUnknown.__name__

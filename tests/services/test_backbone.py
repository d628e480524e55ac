"""Consent → activation → agreement → values → acknowledgement, over HTTP, with the mailbox as the way out."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from flexiciency.contract.codec_read import read_values
from flexiciency.services.replies import B2B, B2C
from flexiciency.store.database import Database
from tests.gateway import Sender, channel_of, consent, gateway, player_of
from tests.world import PLAYER, SERVICE, SUBSCRIPTION, World, customer_id, make_world, pod_name

ACT = "{urn:flexiciency:activation:1}"
CON = "{urn:flexiciency:consent:1}"
COM = "{urn:flexiciency:common:1}"


def new_id() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def url(world: World, database: Database) -> Iterator[str]:
    with gateway(world, database) as address:
        yield address


@pytest.fixture(scope="module")
def player(world: World, url: str) -> Sender:
    return player_of(world, url)


@pytest.fixture(scope="module")
def channel(world: World, url: str) -> Sender:
    return channel_of(world, url)


def test_consent_to_acknowledged_values(player: Sender, channel: Sender) -> None:
    ids = [new_id() for _ in range(3)]
    for number in range(3):
        reply = channel.send(consent(number, ids[number])).body
        assert [pod.text for pod in reply.iter(f"{CON}PoD")] == [pod_name(number)]

    request = new_id()
    confirmation = player.send(
        B2B.RequestDsoServiceActivation(
            DsoServiceActivationRequest=B2B.DsoServiceActivationRequest(
                Id=request, MarketPlaceServiceDescriptionRef=SERVICE, Requester=PLAYER,
                PoD=[pod_name(number) for number in range(5)] + ["AT-unknown"],
            )
        )
    ).body  # fmt: skip
    assert confirmation.findtext(f".//{ACT}Status") == "Partial"
    assert [pod.text for pod in confirmation.iter(f"{ACT}PoD")] == [pod_name(number) for number in range(3)]
    assert [code.text for code in confirmation.iter(f"{COM}Code")] == ["NoConsent", "NoConsent", "PodUnknown"]

    agreement = new_id()
    agreed = player.send(_proposal(agreement, request, [0, 1, 2])).body
    assert agreed.findtext(f".//{ACT}Status") == "Validated"
    assert {ref.text for ref in agreed.iter(f"{ACT}CustomerConsentDescriptionRef")} == set(ids)

    answer = player.send(
        _values(agreement, datetime(2025, 1, 9, 23, tzinfo=UTC), datetime(2025, 1, 10, 23, tzinfo=UTC))
    )
    values = read_values(answer.body, answer.canonical_body)
    assert [(series.pod, len(series.values)) for series in values.series] == [(pod_name(n), 96) for n in range(3)]
    assert values.series[2].values[0] == 2000 + 1000 + 1

    channel.send(
        B2C.RevokeCustomerConsent(
            CustomerConsentRevocation=B2C.CustomerConsentRevocation(
                Id=new_id(), CustomerId=customer_id(1), PoD=[pod_name(1)],
                RevocationDate=datetime(2025, 6, 1, tzinfo=UTC), CustomerConsentDescriptionRef=ids[1],
            ),
            CustomerAuthentication=B2C.CustomerAuthentication(
                Method="eID", AuthenticatedAt=datetime(2025, 6, 1, tzinfo=UTC)
            ),
        )
    )  # fmt: skip
    answer = player.send(
        _values(agreement, datetime(2025, 1, 9, 23, tzinfo=UTC), datetime(2025, 1, 10, 23, tzinfo=UTC))
    )
    values = read_values(answer.body, answer.canonical_body)
    assert [series.pod for series in values.series] == [pod_name(0), pod_name(2)]


def _proposal(agreement: str, request: str, numbers: list[int]) -> object:
    return B2B.ProposeServiceActivationAgreement(
        ServiceActivationAgreement=B2B.ServiceActivationAgreement(
            Id=agreement, PoD=[pod_name(number) for number in numbers], DataDetails="Load curves",
            ProcessingDetails="Energy advice", StartDate=date(2025, 1, 1), EndDate=date(2025, 2, 1),
            MarketPlaceServiceDescriptionRef=SERVICE, B2BServiceSubscriptionRef=SUBSCRIPTION,
            DsoServiceActivationRequestRef=request, Status="Proposed", Version=1,
        )
    )  # fmt: skip


def _values(agreement: str, start: datetime, end: datetime) -> object:
    return B2B.RequestIndividualDataValues(
        AgreementId=agreement,
        IndividualDataSelection=B2B.IndividualDataSelection(
            Id=new_id(), Quantity="EnergyConsumption", Period=B2B.Period(Start=start, End=end),
            Localization=B2B.SelectionLocalization(), TimeStep="PT15M", MarketPlaceServiceDescriptionRef=SERVICE,
        ),
    )  # fmt: skip

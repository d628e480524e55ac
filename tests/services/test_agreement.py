"""DSO-REQ → DSO-CNF and SRV-ACT-AGR over HTTP: activation, proposal, counter, validation."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import text

from flexiciency.services.replies import B2B
from flexiciency.store.database import Database
from tests.gateway import Sender, added, rows
from tests.messages import ACT, COM, activation, agree, consent, new_id, proposal, revocation, selection, values
from tests.world import STRANGER, SUBSCRIPTION, pod_name


def status(reply: etree._Element) -> str | None:
    return reply.findtext(f".//{ACT}Status")


def codes(reply: etree._Element) -> list[str | None]:
    return [code.text for code in reply.iter(f"{COM}Code")]


def test_an_activation_is_kept_pod_by_pod(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, new_id()))
    before = rows(database)
    reply = player.send(activation(identifier, [pod_name(number), "AT-unknown"])).body
    assert status(reply) == "Partial"
    assert added(before, database) == {"activation": 1, "activation_pod": 2, "message": 2, "exchange": 1}


def test_a_selection_of_the_service_is_confirmed_and_another_is_refused(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number = next(customers)
    channel.send(consent(number, new_id()))
    for changes, expected in (({}, "OK"), ({"Quantity": "Power"}, "KO"), ({"TimeStep": "PT1H"}, "OK")):
        chosen = B2B.ActivationSelection(IndividualDataSelection=selection(**changes))
        reply = player.send(activation(new_id(), [pod_name(number)], Selection=chosen)).body
        assert status(reply) == expected
        assert codes(reply) == ([] if expected == "OK" else ["SelectionNotServed"])


def test_a_request_without_pods_is_ok(player: Sender) -> None:
    reply = player.send(activation(new_id(), [])).body
    assert status(reply) == "OK"
    assert list(reply.iter(f"{ACT}PoD")) == []


def test_a_service_that_is_not_offered_here_is_ko_and_the_id_stays_free(player: Sender) -> None:
    identifier = new_id()
    reply = player.send(activation(identifier, [], MarketPlaceServiceDescriptionRef=new_id())).body
    assert (status(reply), codes(reply)) == ("KO", ["ServiceUnknown"])
    assert status(player.send(activation(identifier, [])).body) == "OK"


def test_a_player_without_a_subscription_is_refused(stranger: Sender) -> None:
    reply = stranger.send(activation(new_id(), [pod_name(0)], Requester=STRANGER)).body
    assert (status(reply), codes(reply)) == ("KO", ["ServiceNotSubscribed"])


def test_an_id_is_of_one_request_only(player: Sender) -> None:
    identifier = new_id()
    player.send(activation(identifier, []))
    fault = player.refused(activation(identifier, [pod_name(0)]))
    assert fault.partner_code == "IdentifierTaken"
    assert fault.path == "RequestDsoServiceActivation/DsoServiceActivationRequest/Id"


def test_a_wider_proposal_is_countered_and_the_counter_can_be_validated(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number, agreement, wide = next(customers), new_id(), {"StartDate": date(2024, 1, 1), "EndDate": date(2026, 1, 1)}
    agreed = agree(player, channel, [number])
    pods = [pod_name(number), "AT-unknown"]
    countered = player.send(proposal(agreement, agreed.activation, pods, **wide)).body
    assert (status(countered), countered.findtext(f".//{ACT}Version")) == ("Countered", "2")
    assert [pod.text for pod in countered.iter(f"{ACT}PoD")] == [pod_name(number)]
    assert (countered.findtext(f".//{ACT}StartDate"), countered.findtext(f".//{ACT}EndDate")) == (
        "2025-01-01",
        "2025-02-01",
    )
    assert codes(countered) == ["PodNotConfirmed"]
    assert countered.find(f".//{ACT}ValidationDate") is None

    old = player.refused(B2B.ValidateServiceActivationAgreement(AgreementId=agreement, Version=1))
    assert (old.partner_code, old.path) == ("StateConflict", "ValidateServiceActivationAgreement/Version")
    validated = player.send(B2B.ValidateServiceActivationAgreement(AgreementId=agreement, Version=2)).body
    assert status(validated) == "Validated"
    assert validated.find(f".//{ACT}ValidationDate") is not None
    read = player.send(B2B.ReadServiceActivationAgreement(AgreementId=agreement)).body
    assert etree.tostring(read[0]) == etree.tostring(validated[0])
    assert player.send(values(agreement))


def test_an_agreement_rests_on_the_consents_it_covers(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number, second = next(customers), new_id()
    channel.send(consent(number, second))
    agreed = agree(player, channel, [number])
    read = player.send(B2B.ReadServiceActivationAgreement(AgreementId=agreed.id)).body
    listed = {one.text for one in read.iter(f"{ACT}CustomerConsentDescriptionRef")}
    assert listed == {second, agreed.consents[number]}


def test_what_nothing_can_be_agreed_to_of_is_ended_and_not_stored(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, agreement = next(customers), new_id()
    agreed = agree(player, channel, [number])
    channel.send(revocation(number, agreed.consents[number]))
    before = rows(database)
    reply = player.send(proposal(agreement, agreed.activation, [pod_name(number)])).body
    assert (status(reply), codes(reply)) == ("Ended", ["NoConsent", "NoConsent"])
    assert added(before, database) == {"message": 2, "exchange": 1}
    missing = player.refused(B2B.ReadServiceActivationAgreement(AgreementId=agreement))
    assert missing.partner_code == "ReferenceUnknown"


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"DsoServiceActivationRequestRef": new_id()}, "DsoServiceActivationRequestRef"),
        ({"DsoServiceActivationRequestRef": None}, "DsoServiceActivationRequestRef"),
        ({"MarketPlaceServiceDescriptionRef": new_id()}, "MarketPlaceServiceDescriptionRef"),
        ({"B2BServiceSubscriptionRef": new_id()}, "B2BServiceSubscriptionRef"),
    ],
)
def test_a_proposal_that_refers_to_nothing_of_the_callers_is_refused(
    player: Sender, channel: Sender, customers: Iterator[int], changes: dict[str, Any], element: str
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    fault = player.refused(proposal(new_id(), agreed.activation, [pod_name(number)], **changes))
    assert fault.partner_code == "ReferenceUnknown"
    assert fault.path == f"ProposeServiceActivationAgreement/ServiceActivationAgreement/{element}"


def test_an_activation_that_was_refused_has_no_agreement(player: Sender, customers: Iterator[int]) -> None:
    identifier, pods = new_id(), [pod_name(next(customers))]
    assert status(player.send(activation(identifier, pods)).body) == "KO"
    assert player.refused(proposal(new_id(), identifier, pods)).partner_code == "StateConflict"


def test_a_subscription_that_is_not_validated_has_no_agreement(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    for state in ("Ended", "Validated"):
        with database.begin() as connection:
            connection.execute(
                text("UPDATE b2b_service_subscription SET status = :state WHERE id = :id"),
                {"state": state, "id": SUBSCRIPTION},
            )
        if state == "Ended":
            fault = player.refused(proposal(new_id(), agreed.activation, [pod_name(number)]))
            assert fault.partner_code == "ReferenceUnknown"


def test_an_id_is_of_one_agreement_only(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    fault = player.refused(proposal(agreed.id, agreed.activation, [pod_name(number)], EndDate=date(2025, 1, 2)))
    assert fault.partner_code == "IdentifierTaken"


@pytest.mark.parametrize("version", [2, 2**31 - 1])
def test_a_new_agreement_begins_with_version_1(
    player: Sender, channel: Sender, customers: Iterator[int], version: int
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    fault = player.refused(proposal(new_id(), agreed.activation, [pod_name(number), "AT-unknown"], Version=version))
    assert fault.partner_code == "StateConflict"
    assert fault.path == "ProposeServiceActivationAgreement/ServiceActivationAgreement/Version"


def test_an_agreement_is_its_requesters_only(
    player: Sender, channel: Sender, stranger: Sender, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    requests = [
        B2B.ReadServiceActivationAgreement(AgreementId=agreed.id),
        B2B.ValidateServiceActivationAgreement(AgreementId=agreed.id, Version=1),
        proposal(new_id(), agreed.activation, [pod_name(number)]),
        values(agreed.id),
    ]
    for request in requests:
        assert stranger.refused(request).partner_code == "ReferenceUnknown"

"""USP-REQ and the end of activations over HTTP, and DSO-REQ's of other kinds of service."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from lxml import etree

from flexiciency.services.replies import B2B
from flexiciency.store import activations
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.gateway import Sender, added, rows
from tests.messages import ACT, activation, agree, new_id, proposal, values
from tests.services.activating import add_registration, add_service, codes, stop, told, unregulated
from tests.services.waiting import blocked
from tests.world import END_DAY, FIRST_DAY, STRANGER, pod_name

ENERGY: dict[str, Any] = {
    "service_type": "EnergyServiceProvision", "aggregation_level": None, "quantity": None, "time_step": None,
    "customer_consent_mandatory": False,
}  # fmt: skip
AGGREGATES: dict[str, Any] = {
    "service_type": "AggregatedDataProvision", "aggregation_level": "Portfolio", "aggregation_method": "Sum",
    "customer_consent_mandatory": False,
}  # fmt: skip
REASON = B2B.Reason(Code="NoLongerNeeded", Text="The contract ended.")


def status(reply: etree._Element) -> str | None:
    return reply.findtext(f".//{ACT}Status")


@pytest.fixture(scope="module")
def energy(world: object, database: Database) -> str:  # noqa: ARG001  the parties must be there
    """A service of the DSO's unregulated registration."""
    return add_service(database, add_registration(database, "UnregulatedServiceProvider"), **ENERGY)


def test_an_unregulated_service_is_activated(player: Sender, database: Database, energy: str) -> None:
    before, identifier = rows(database), new_id()
    reply = player.send(unregulated(identifier, energy)).body
    assert (status(reply), codes(reply)) == ("OK", [])
    assert reply.findtext(f".//{ACT}UnregulatedServiceActivationRequestRef") == identifier
    assert added(before, database) == {"activation": 1, "message": 2, "exchange": 1}


def test_a_regulated_service_is_activated_by_dso_req_only(player: Sender, database: Database, energy: str) -> None:
    reply = player.send(unregulated(new_id(), add_service(database))).body
    assert (status(reply), codes(reply)) == ("KO", ["UseDsoRequest"])
    reply = player.send(activation(new_id(), [], MarketPlaceServiceDescriptionRef=energy)).body
    assert (status(reply), codes(reply)) == ("KO", ["UseUnregulatedRequest"])


@pytest.mark.parametrize("company", [None, STRANGER])
def test_a_service_that_is_not_this_companys_is_unknown(
    player: Sender, database: Database, company: str | None
) -> None:
    service = new_id()
    if company is not None:
        service = add_service(database, add_registration(database, "UnregulatedServiceProvider", company), **ENERGY)
    reply = player.send(unregulated(new_id(), service)).body
    assert (status(reply), codes(reply)) == ("KO", ["ServiceUnknown"])


def test_another_regulated_registration_of_the_company_is_not_this_provider(player: Sender, database: Database) -> None:
    service = add_service(database, add_registration(database, "RegulatedDataProvider"))
    for request in (
        unregulated(new_id(), service),
        activation(new_id(), [], MarketPlaceServiceDescriptionRef=service),
    ):
        assert codes(player.send(request).body) == ["ServiceUnknown"]


def test_an_unregulated_service_needs_a_validated_subscription(player: Sender, database: Database) -> None:
    owner = add_registration(database, "UnregulatedServiceProvider")
    reply = player.send(unregulated(new_id(), add_service(database, owner, subscribed=False, **ENERGY))).body
    assert (status(reply), codes(reply)) == ("KO", ["ServiceNotSubscribed"])


def test_a_request_is_of_its_sender_and_its_id_is_new(player: Sender, stranger: Sender, energy: str) -> None:
    identifier = new_id()
    player.send(unregulated(identifier, energy))
    path = "RequestUnregulatedServiceActivation/UnregulatedServiceActivationRequest"
    taken = player.refused(unregulated(identifier, energy))
    assert (taken.partner_code, taken.path) == ("IdentifierTaken", f"{path}/Id")
    foreign = stranger.refused(unregulated(new_id(), energy))
    assert (foreign.partner_code, foreign.path) == ("RequesterMismatch", f"{path}/Requester")


def test_an_aggregated_service_is_confirmed_whole_or_not_at_all(player: Sender, database: Database) -> None:
    service = {"MarketPlaceServiceDescriptionRef": add_service(database, **AGGREGATES)}
    reply = player.send(activation(new_id(), [pod_name(0), pod_name(1)], **service)).body
    assert status(reply) == "OK"
    reply = player.send(activation(new_id(), [pod_name(0), "AT-unknown"], **service)).body
    assert (status(reply), list(reply.iter(f"{ACT}PoD"))) == ("KO", [])
    assert set(codes(reply)) == {"PodUnknown"}


def test_a_stop_ends_what_was_agreed_and_no_more_is_agreed(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number], FIRST_DAY, END_DAY.replace(year=2030))
    told(player)
    player.send(stop(agreed.activation, Reason=REASON))
    read = player.send(B2B.ReadServiceActivationAgreement(AgreementId=agreed.id)).body
    today = datetime.now(UTC).date()
    assert (status(read), read.findtext(f".//{ACT}EndDate")) == ("Ended", today.isoformat())
    assert [(one.tag, status_of) for one in told(player) if (status_of := one.findtext(f"{ACT}Status"))] == [
        (f"{ACT}ServiceActivationAgreement", "Ended")
    ]
    fault = player.refused(proposal(new_id(), agreed.activation, [pod_name(number)]))
    assert fault.partner_code == "StateConflict"
    with transaction(database) as tx:
        ((row,),) = tx.look_up(activations.stored(agreed.activation))
    assert (row.status, row.reason_code, row.reason_text) == ("Stopped", REASON.Code, REASON.Text)
    assert row.stopped_at is not None


def test_values_of_days_before_the_stop_can_still_be_fetched(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, [next(customers)])
    player.send(stop(agreed.activation))
    assert player.send(values(agreed.id)).body.find(".//{*}IndividualDataValue") is not None


@pytest.mark.parametrize("again", ["KO", "Stopped"])
def test_what_is_over_is_not_stopped(player: Sender, energy: str, again: str) -> None:
    identifier = new_id()
    if again == "KO":
        player.send(activation(identifier, ["AT-unknown"]))
    else:
        player.send(unregulated(identifier, energy))
        player.send(stop(identifier))
    fault = player.refused(stop(identifier))
    assert (fault.partner_code, fault.path) == ("StateConflict", "StopServiceActivation/RequestId")
    assert f"It is {again}" in str(fault)


def test_only_the_requester_stops(player: Sender, stranger: Sender, energy: str) -> None:
    identifier = new_id()
    player.send(unregulated(identifier, energy))
    for sender, request in ((stranger, identifier), (player, new_id())):
        fault = sender.refused(stop(request))
        assert (fault.partner_code, fault.path) == ("ReferenceUnknown", "StopServiceActivation/RequestId")
    player.send(stop(identifier))


def test_a_proposal_while_it_is_stopped_waits_and_is_refused(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    request = agree(player, channel, [number]).activation
    with ThreadPoolExecutor() as pool:
        with transaction(database) as tx:
            tx.read(*activations.lock(request))
            late = proposal(new_id(), request, [pod_name(number)])
            (waiting,) = blocked(database, pool, lambda: player.refused(late))
            activations.stop(tx, request, None, None, datetime.now(UTC))
        assert waiting.result().partner_code == "StateConflict"

"""IND-DAT-SEL and AGG-DAT-SEL over HTTP: served, narrowed, refused, and narrowed again by the provider."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree
from psycopg.types.range import TimestamptzRange

from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.services.replies import B2B
from flexiciency.services.selection import narrow_stored
from flexiciency.store.database import Database
from flexiciency.store.selections import selection_of
from flexiciency.store.transaction import Row, transaction
from tests.gateway import Sender, added, rows
from tests.messages import ACT, COM, END, START, activation, agree, consent, new_id, proposal, selection
from tests.services.activating import add_registration, add_service, codes, select, select_aggregates, told
from tests.world import DSO, STRANGER, pod_name

NOW = datetime(2025, 6, 1, tzinfo=UTC)


def served(reply: etree._Element, name: str = "IndividualDataSelection") -> etree._Element:
    (found,) = reply.iter(f"{ACT}{name}")
    return found


def stored(database: Database, identifier: str) -> Row:
    with transaction(database) as tx:
        ((row,),) = tx.look_up(selection_of(identifier))
    return row


def place(**changes: Any) -> Any:
    return B2B.SelectionLocalization(**changes)


def test_a_selection_is_kept_and_comes_back_as_it_is(player: Sender, database: Database) -> None:
    identifier = new_id()
    before = rows(database)
    reply = player.send(
        select(Id=identifier, Localization=place(PoD=[pod_name(0)], CustomerId=["C-1"]), Encoding="Compact")
    ).body
    assert added(before, database) == {"selection": 1, "message": 2, "exchange": 1}
    found = served(reply)
    assert [found.findtext(f"{ACT}{name}") for name in ("Id", "Quantity", "TimeStep", "Encoding")] == [
        identifier, "EnergyConsumption", "PT15M", "Compact",
    ]  # fmt: skip
    assert [found.findtext(f".//{ACT}{name}") for name in ("PoD", "CustomerId")] == [pod_name(0), "C-1"]
    assert [found.findtext(f".//{COM}{name}") for name in ("Start", "End")] == [
        "2024-12-31T23:00:00Z", "2025-01-31T23:00:00Z",
    ]  # fmt: skip
    assert codes(reply) == []
    assert stored(database, identifier).asked is None


def test_more_than_the_service_has_is_narrowed_and_what_was_asked_is_kept(player: Sender, database: Database) -> None:
    service, identifier = add_service(database, period=TimestamptzRange(START + timedelta(days=1), None)), new_id()
    wanted = {"TimeStep": "PT10M", "Localization": place(PoD=[pod_name(0), "AT-unknown"])}
    reply = player.send(select(Id=identifier, MarketPlaceServiceDescriptionRef=service, **wanted)).body
    found = served(reply)
    assert (found.findtext(f"{ACT}Id"), found.findtext(f"{ACT}TimeStep")) == (identifier, "PT15M")
    assert found.findtext(f".//{COM}Start") == "2025-01-01T23:00:00Z"
    assert [pod.text for pod in found.iter(f"{ACT}PoD")] == [pod_name(0)]
    assert codes(reply) == ["SelectionNarrowed"]
    row = stored(database, identifier)
    assert (row.time_step, row.localization) == ("PT15M", {"PoD": [pod_name(0)]})
    assert row.asked == {
        "TimeStep": "PT10M", "Start": "2024-12-31T23:00:00Z", "End": "2025-01-31T23:00:00Z",
        "Localization": {"PoD": [pod_name(0), "AT-unknown"]},
    }  # fmt: skip


@pytest.mark.parametrize("step", ["PT30M", "PT1H", "P1D"])
def test_a_coarser_step_is_served_as_asked(player: Sender, step: str) -> None:
    reply = player.send(select(Id=new_id(), TimeStep=step)).body
    assert served(reply).findtext(f"{ACT}TimeStep") == step
    assert codes(reply) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Period": B2B.Period(Start=START, End=START)}, "PeriodEmpty"),
        ({"Period": B2B.Period(Start=END, End=START)}, "PeriodEmpty"),
        ({"Quantity": "Power"}, "SelectionNotServed"),
        ({"Localization": place(PoD=[pod_name(0), pod_name(0)])}, "PodRepeated"),
        ({"Localization": place(PoD=["AT-unknown"])}, "PodUnknown"),
        ({"MarketPlaceServiceDescriptionRef": new_id()}, "ServiceUnknown"),
    ],
)
def test_what_cannot_be_served_is_refused_and_the_id_stays_free(
    player: Sender, changes: dict[str, Any], code: str
) -> None:
    identifier = new_id()
    reply = player.send(select(Id=identifier, **changes)).body
    assert list(reply.iter(f"{ACT}IndividualDataSelection")) == []
    assert codes(reply) == [code]
    assert codes(player.send(select(Id=identifier)).body) == []


def test_a_service_of_another_provider_or_not_subscribed_is_not_selected_from(
    player: Sender, database: Database
) -> None:
    elsewhere = add_service(database, add_registration(database, "RegulatedDataProvider", STRANGER))
    assert codes(player.send(select(MarketPlaceServiceDescriptionRef=elsewhere)).body) == ["ServiceUnknown"]
    declined = add_service(database, subscribed=False)
    assert codes(player.send(select(MarketPlaceServiceDescriptionRef=declined)).body) == ["ServiceNotSubscribed"]


def test_an_id_is_taken_once_by_whomever(player: Sender, stranger: Sender) -> None:
    identifier = new_id()
    player.send(select(Id=identifier))
    for sender in (player, stranger):
        fault = sender.refused(select(Id=identifier))
        assert (fault.partner_code, fault.path) == (
            "IdentifierTaken", "SelectIndividualData/IndividualDataSelection/Id",
        )  # fmt: skip


def test_aggregates_are_selected_by_the_places_of_the_service(player: Sender, database: Database) -> None:
    service = add_service(
        database, service_type="AggregatedDataProvision", aggregation_level="City", aggregation_method="Sum",
        localization={"Country": ["AT"], "City": ["Linz"]},
    )  # fmt: skip
    reply = player.send(select_aggregates(service, {"Country": ["AT"], "City": ["Linz", "Graz"]})).body
    found = served(reply, "AggregatedDataSelection")
    assert [city.text for city in found.iter(f"{ACT}City")] == ["Linz"]
    assert found.findtext(f"{ACT}AggregationMethod") == "Sum"
    assert codes(reply) == ["SelectionNarrowed"]
    for wrong in ({"AggregationLevel": "Street"}, {"AggregationMethod": "Mean"}):
        assert codes(player.send(select_aggregates(service, {}, **wrong)).body) == ["SelectionNotServed"]
    assert codes(player.send(select(MarketPlaceServiceDescriptionRef=service)).body) == ["ServiceTypeMismatch"]


def test_aggregates_of_an_individual_service_are_refused(player: Sender, database: Database) -> None:
    assert codes(player.send(select_aggregates(add_service(database), {})).body) == ["ServiceTypeMismatch"]


def test_the_selection_of_a_request_is_confirmed_as_it_is_served(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, new_id()))
    chosen = B2B.ActivationSelection(IndividualDataSelection=selection(Id=identifier, TimeStep="PT10M"))
    reply = player.send(activation(new_id(), [pod_name(number)], Selection=chosen)).body
    assert (served(reply).findtext(f"{ACT}Id"), served(reply).findtext(f"{ACT}TimeStep")) == (identifier, "PT15M")
    assert stored(database, identifier).asked["TimeStep"] == "PT10M"
    fault = player.refused(activation(new_id(), [], Selection=chosen))
    assert (fault.partner_code, fault.path) == (
        "IdentifierTaken",
        "RequestDsoServiceActivation/DsoServiceActivationRequest/Selection/IndividualDataSelection/Id",
    )


def test_a_request_of_which_nothing_is_confirmed_keeps_no_selection(player: Sender) -> None:
    identifier = new_id()
    chosen = B2B.ActivationSelection(IndividualDataSelection=selection(Id=identifier))
    reply = player.send(activation(new_id(), ["AT-unknown"], Selection=chosen)).body
    assert list(reply.iter(f"{ACT}Selection")) == []
    assert codes(player.send(select(Id=identifier)).body) == []


def test_a_request_and_its_selection_are_of_one_service(player: Sender, database: Database) -> None:
    other = selection(MarketPlaceServiceDescriptionRef=add_service(database))
    chosen = B2B.ActivationSelection(IndividualDataSelection=other)
    fault = player.refused(activation(new_id(), [], Selection=chosen))
    assert fault.partner_code == "ReferenceUnknown"
    assert fault.path is not None
    assert fault.path.endswith("Selection/IndividualDataSelection/MarketPlaceServiceDescriptionRef")


def test_an_agreement_names_selections_of_its_requester_and_service(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, own, other = next(customers), new_id(), new_id()
    request = agree(player, channel, [number]).activation
    player.send(select(Id=own))
    player.send(select(Id=other, MarketPlaceServiceDescriptionRef=add_service(database)))
    for wrong in (other, new_id()):
        fault = player.refused(proposal(new_id(), request, [pod_name(number)], SelectionRef=[own, wrong]))
        assert (fault.partner_code, fault.path) == (
            "ReferenceUnknown", "ProposeServiceActivationAgreement/ServiceActivationAgreement/SelectionRef",
        )  # fmt: skip
    reply = player.send(proposal(new_id(), request, [pod_name(number)], SelectionRef=[own])).body
    assert reply.findtext(f".//{ACT}SelectionRef") == own


def test_the_provider_narrows_what_it_serves_and_tells_the_requester(player: Sender, database: Database) -> None:
    identifier, later = new_id(), START + timedelta(days=7)
    player.send(select(Id=identifier))
    told(player)
    with transaction(database) as tx:
        narrow_stored(tx, identifier, NOW, start=later)
    (found,) = told(player)
    assert found.tag == f"{ACT}IndividualDataSelection"
    assert (found.findtext(f"{ACT}Id"), found.findtext(f".//{COM}Start")) == (identifier, "2025-01-07T23:00:00Z")
    assert stored(database, identifier).since == later
    with pytest.raises(StateConflict, match="only be narrowed"), transaction(database) as tx:
        narrow_stored(tx, identifier, NOW, start=START)
    with pytest.raises(ReferenceUnknown), transaction(database) as tx:
        narrow_stored(tx, new_id(), NOW, start=later)
    assert told(player) == []


def test_narrowed_aggregates_are_told_as_aggregates(player: Sender, database: Database) -> None:
    service, identifier = add_service(
        database, DSO, service_type="AggregatedDataProvision", aggregation_level="City", aggregation_method="Sum"
    ), new_id()  # fmt: skip
    player.send(select_aggregates(service, {"City": ["Linz"]}, Id=identifier))
    told(player)
    with transaction(database) as tx:
        narrow_stored(tx, identifier, NOW, end=START + timedelta(days=1))
    (found,) = told(player)
    assert (found.tag, found.findtext(f".//{ACT}City")) == (f"{ACT}AggregatedDataSelection", "Linz")

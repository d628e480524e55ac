"""A Market Player as a client of the Market Place: each operation of its WSDL, over HTTP, signed both ways."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flexiciency.client import (
    B2BSubscription,
    ClientSettings,
    Counts,
    Criteria,
    DirectoryChanges,
    Dso,
    Enrolment,
    FoundDso,
    Mailbox,
    MailboxItem,
    MarketPlace,
    Page,
    PingReply,
    Quantity,
    Receipt,
    SchemaInvalid,
    ServiceLocalization,
    Terms,
    TimeStep,
    new_message_id,
    pages,
)
from flexiciency.contract.catalogue import MARKET_PLACE, Operation, operations
from flexiciency.errors import MessageIdReused, PartnerFault, StateConflict, UntrustedReply
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN
from flexiciency.wire.parse import parse
from tests.client.market import (
    CURSOR,
    REQUESTER_ID,
    WAITING_ID,
    Place,
    change,
    known,
    market_place_identity,
    sample,
    wrapped,
)
from tests.client.peers import DAY, MIDNIGHT, PLAYER_ID, clock, player, served
from tests.wire.parties import NOW, anchors, identity

SETTINGS = ClientSettings(clock=clock, terms=Terms(silence=5))
ID = "urn:uuid:00000000-0000-4000-8000-000000000001"
MESSAGE_ID = "urn:uuid:00000000-0000-4000-8000-000000000002"
REGISTRATION, COMPANY, ACCOUNT, LOCATION = known("MPL-REG"), known("MPL-DES"), known("MPL-AUT"), known("MPL-ADD")
DESCRIPTION, OFFER, SUBSCRIPTION = known("MKP-SRV-DES"), known("MKP-SRV-OFF"), known("MKP-SRV-SUB")
B2B: B2BSubscription = known("B2B-SRV-SUB")
ENROLMENT = Enrolment(registration=REGISTRATION, company=COMPANY, accounts=(ACCOUNT,), locations=(LOCATION,))
RECEIPT = Receipt(MESSAGE_ID, NOW)
CRITERIA = Criteria(
    aggregation_level="City",
    aggregation_method="Sum",
    quantity=Quantity.POWER,
    period=(MIDNIGHT, MIDNIGHT + DAY),
    localization=ServiceLocalization(countries=("IT",), cities=("Forlì",), streets=("Corso",), pods=("IT001E*",)),
    time_step=TimeStep.PT15M,
    customer_consent_mandatory=False,
)

Ask = Callable[[MarketPlace], Any]
CALLS: dict[str, tuple[Ask, Any]] = {
    "Ping": (lambda place: place.ping(), PingReply(NOW, "1.0")),
    "ReadMarketPlace": (lambda place: place.read_market_place().id, parse(sample("MKP-DES")).findtext("{*}Id")),
    "EnrolMarketPlayer": (lambda place: place.enrol(ENROLMENT, message_id=MESSAGE_ID), REGISTRATION),
    "ReadRegistration": (lambda place: place.read_registration(ID), ENROLMENT),
    "FindRegistrations": (lambda place: place.find_registrations(), Page((REGISTRATION,), CURSOR)),
    "SuspendRegistration": (lambda place: place.suspend(ID, message_id=MESSAGE_ID), REGISTRATION),
    "ReactivateRegistration": (lambda place: place.reactivate(ID, message_id=MESSAGE_ID), REGISTRATION),
    "WithdrawRegistration": (lambda place: place.withdraw(ID, message_id=MESSAGE_ID), REGISTRATION),
    "UpdateMarketPlayerLocation": (lambda place: place.update_location(LOCATION, message_id=MESSAGE_ID), RECEIPT),
    "UpdateMarketPlayerDescription": (lambda place: place.update_description(COMPANY, message_id=MESSAGE_ID), RECEIPT),
    "AddMarketPlayerAuthentication": (lambda place: place.add_authentication(ACCOUNT, message_id=MESSAGE_ID), RECEIPT),
    "WithdrawMarketPlayerAuthentication": (
        lambda place: place.withdraw_authentication(ID, message_id=MESSAGE_ID),
        RECEIPT,
    ),
    "PublishServiceOffer": (lambda place: place.publish_offer(OFFER, message_id=MESSAGE_ID), OFFER),
    "FindServiceOffers": (lambda place: place.find_offers(), Page((OFFER,), CURSOR)),
    "WithdrawServiceOffer": (lambda place: place.withdraw_offer(ID, message_id=MESSAGE_ID), OFFER),
    "PublishServiceSubscription": (
        lambda place: place.publish_subscription(SUBSCRIPTION, message_id=MESSAGE_ID),
        SUBSCRIPTION,
    ),
    "FindServiceSubscriptions": (lambda place: place.find_subscriptions(), Page((SUBSCRIPTION,), CURSOR)),
    "WithdrawServiceSubscription": (lambda place: place.withdraw_subscription(ID, message_id=MESSAGE_ID), SUBSCRIPTION),
    "PublishServiceDescription": (
        lambda place: place.publish_description(DESCRIPTION, message_id=MESSAGE_ID),
        DESCRIPTION,
    ),
    "WithdrawServiceDescription": (lambda place: place.withdraw_description(ID, message_id=MESSAGE_ID), DESCRIPTION),
    "ReadServiceDescription": (lambda place: place.read_description(ID), DESCRIPTION),
    "FindServiceDescriptions": (lambda place: place.find_descriptions(), Page((DESCRIPTION,), CURSOR)),
    "FindB2BServiceSubscriptions": (lambda place: place.find_b2b_subscriptions(), Page((B2B,), CURSOR)),
    "ReadB2BServiceSubscription": (lambda place: place.read_b2b_subscription(ID), B2B),
    "ValidateB2BServiceSubscription": (lambda place: place.validate_b2b_subscription(ID, message_id=MESSAGE_ID), B2B),
    "DeclineB2BServiceSubscription": (lambda place: place.decline_b2b_subscription(ID, message_id=MESSAGE_ID), B2B),
    "FindDso": (lambda place: place.find_dso(pod="IT001E1"), FoundDso("Unique", (Dso(REGISTRATION, COMPANY),))),
    "ReadDirectoryChanges": (
        lambda place: place.directory_changes(),
        DirectoryChanges((REGISTRATION, COMPANY, LOCATION, ACCOUNT, DESCRIPTION, B2B), CURSOR),
    ),
    "PeekMailbox": (
        lambda place: place.peek_mailbox(),
        Mailbox(MailboxItem(WAITING_ID, "urn:flexiciency:market-player:1:ReceiveB2BServiceSubscription", B2B), 3),
    ),
    "ConfirmMailbox": (lambda place: place.confirm_mailbox(WAITING_ID).stored_at, NOW),
}
NOTHING_FOUND: dict[str, Ask] = {name: ask for name, (ask, _) in CALLS.items() if name.startswith("Find")}
del NOTHING_FOUND["FindDso"]
CHANGES = [one for one in operations(MARKET_PLACE) if not one.reads_only and "Mailbox" not in one.name]
every_change = pytest.mark.parametrize("operation", CHANGES, ids=lambda one: one.name)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with closing(Place(tmp_path)) as one:
        yield one


@pytest.fixture
def url(place: Place) -> Iterator[str]:
    with served(place.application, "/v1/services/market-place") as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[MarketPlace]:
    with calling(url) as one:
        yield one


def calling(url: str, registration_id: str = PLAYER_ID, **options: Any) -> MarketPlace:
    return MarketPlace(player(), registration_id, url, anchors(), settings=SETTINGS, **options)


def caller_of(operation: Operation) -> str:
    """Who may call it: the provider, or only the requester."""
    return PLAYER_ID if "RegulatedDataProvider" in operation.callers else REQUESTER_ID


def answer(place: Place, operation: str, content: bytes, cursor: str | None = None) -> None:
    place.replies[operation] = lambda *_: wrapped(operation, content, cursor)


def test_every_operation_of_the_catalogue_has_a_method() -> None:
    assert list(CALLS) == [operation.name for operation in operations(MARKET_PLACE)]


@pytest.mark.parametrize("operation", operations(MARKET_PLACE), ids=lambda one: one.name)
def test_each_method_calls_its_operation_and_reads_the_reply(url: str, place: Place, operation: Operation) -> None:
    (ask, expected), caller = CALLS[operation.name], caller_of(operation)
    with calling(url, caller) as client:
        assert ask(client) == expected
        assert client.statistics == Counts(signed=1, verified=1, refused=0, faults=0)
    ((call, _),) = place.calls
    addressing = call.message.addressing
    assert addressing.action == operation.action
    assert (addressing.to, addressing.from_) == (MARKET_PLACE_URN, MARKET_PLAYER_URN + caller)


@every_change
def test_what_changes_something_keeps_the_message_id_it_is_given(url: str, place: Place, operation: Operation) -> None:
    ask, expected = CALLS[operation.name]
    with calling(url, caller_of(operation)) as client:
        assert [ask(client), ask(client)] == [expected] * 2
    ((call, _),) = place.calls
    assert call.message.addressing.message_id == MESSAGE_ID


def test_a_message_id_cannot_be_used_for_something_else(client: MarketPlace) -> None:
    message_id = new_message_id()
    client.publish_offer(OFFER, message_id=message_id)
    with pytest.raises(PartnerFault) as caught:
        client.publish_offer(replace(OFFER, version=OFFER.version + 1), message_id=message_id)
    assert caught.value.partner_code == MessageIdReused.__name__


def test_an_enrolment_carries_its_four_objects(client: MarketPlace, place: Place) -> None:
    client.enrol(ENROLMENT)
    ((_, sent),) = place.calls
    assert sent.MarketPlayerRegistration.Id == REGISTRATION.id
    assert sent.MarketPlayerDescription.Id == COMPANY.id
    assert [one.Id for one in sent.MarketPlayerAuthentication] == [ACCOUNT.id]
    assert [one.Id for one in sent.MarketPlayerLocation] == [LOCATION.id]


def test_the_market_place_says_what_it_is(client: MarketPlace, place: Place) -> None:
    description, used, unused = (
        sample("MKP-DES", "valid-two-platforms"),
        sample("MKP-ADD", "valid-second-platform-with-users"),
        sample("MKP-ADD", "valid-minimal"),
    )
    answer(place, "ReadMarketPlace", description + used + unused)
    info, xml, location = client.read_market_place(), parse(description), parse(used)
    told = (
        info.id, info.purpose, info.legal_information, info.contact_details, info.stakeholder_and_community, info.help,
        info.usage_condition,
    )  # fmt: skip
    assert told == tuple(one.text for one in xml if not str(one.tag).endswith("LocationRef"))
    first, second = info.locations
    assert (first.id, first.uri) == (location.findtext("{*}Id"), location.findtext("{*}Uri"))
    assert first.users == tuple(one.text for one in location.iterfind("{*}MarketPlayerAuthenticationRef"))
    assert second.users == ()


def test_criteria_are_sent_as_they_are(client: MarketPlace, place: Place) -> None:
    client.find_offers(CRITERIA, service_type="AggregatedDataProvision", supplier=ID, page_size=1000, cursor="next")
    client.find_subscriptions(CRITERIA, service_type="EnergyServiceProvision", requester=ID)
    client.find_descriptions(CRITERIA)
    (_, offers), (_, subscriptions), (_, descriptions) = place.calls
    assert (offers.ServiceType, offers.Supplier) == ("AggregatedDataProvision", ID)
    assert (offers.PageSize, offers.Cursor) == (1000, "next")
    assert (subscriptions.ServiceType, subscriptions.Requester) == ("EnergyServiceProvision", ID)
    for sent in (offers.Criteria, subscriptions.Criteria, descriptions.Criteria):
        assert (sent.AggregationLevel, sent.AggregationMethod, sent.Quantity) == ("City", "Sum", "Power")
        assert (sent.Period.Start, sent.Period.End) == (MIDNIGHT, MIDNIGHT + DAY)
        where = sent.Localization
        assert (where.Country, where.City, where.Street, where.PoD) == (["IT"], ["Forlì"], ["Corso"], ["IT001E*"])
        assert (sent.TimeStep, sent.CustomerConsentMandatory) == ("PT15M", False)


def test_registrations_and_b2b_subscriptions_are_found_by_their_own_attributes(
    client: MarketPlace, place: Place
) -> None:
    client.find_registrations(role="UnregulatedDataProvider", company_type="PublicBody", name="Ένα", country="GR")
    client.find_b2b_subscriptions(provider=ID, requester=PLAYER_ID, status="Declined")
    (_, registrations), (_, b2b) = place.calls
    assert (registrations.Role, registrations.CompanyType) == ("UnregulatedDataProvider", "PublicBody")
    assert (registrations.Name, registrations.Country) == ("Ένα", "GR")
    assert (b2b.Provider, b2b.Requester, b2b.Status) == (ID, PLAYER_ID, "Declined")


@pytest.mark.parametrize("operation", NOTHING_FOUND)
def test_nothing_found_is_an_empty_page(client: MarketPlace, place: Place, operation: str) -> None:
    answer(place, operation, b"")
    assert NOTHING_FOUND[operation](client) == Page((), None)


def test_pages_follow_their_cursors_to_the_last(client: MarketPlace, place: Place) -> None:
    def find(_: object, message: Any) -> bytes:
        turned = {None: "2", "2": "3", "3": None}[message.Cursor]
        return wrapped("FindServiceOffers", sample("MKP-SRV-OFF"), turned)

    place.replies["FindServiceOffers"] = find
    found = list(pages(lambda cursor: client.find_offers(page_size=1, cursor=cursor)))
    assert [page.next_cursor for page in found] == ["2", "3", None]
    assert [page.items for page in found] == [(OFFER,)] * 3


def test_a_page_of_a_thousand_is_read(client: MarketPlace, place: Place) -> None:
    answer(place, "FindServiceOffers", sample("MKP-SRV-OFF") * 1000)
    assert client.find_offers(page_size=1000).items == (OFFER,) * 1000


@pytest.mark.parametrize("size", [0, 1001, 10_000])
def test_a_page_that_no_reply_may_hold_is_not_asked_for(client: MarketPlace, place: Place, size: int) -> None:
    with pytest.raises(SchemaInvalid, match="PageSize"):
        client.find_registrations(page_size=size)
    assert place.calls == []


@pytest.mark.parametrize("outcome", ["Ambiguous", "Unknown"])
def test_a_dso_may_be_ambiguous_or_unknown(client: MarketPlace, place: Place, outcome: str) -> None:
    dso = b"<mkpo:Dso>%s</mkpo:Dso>" % (sample("MPL-REG") + sample("MPL-DES"))
    dsos = 2 if outcome == "Ambiguous" else 0
    answer(place, "FindDso", f"<mkpo:Outcome>{outcome}</mkpo:Outcome>".encode() + dso * dsos)
    found = client.find_dso(country="IT", city="Bologna")
    assert found.outcome == outcome
    assert found.dsos == (Dso(REGISTRATION, COMPANY),) * dsos
    ((_, sent),) = place.calls
    assert (sent.Location.Place.Country, sent.Location.Place.City, sent.Location.PoD) == ("IT", "Bologna", None)


@pytest.mark.parametrize(
    "where", [{}, {"pod": "IT1", "country": "IT"}, {"pod": "IT1", "city": "Roma"}, {"city": "Roma"}]
)
def test_a_dso_is_found_by_a_pod_or_a_place(client: MarketPlace, where: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="by a PoD, or by a country"):
        client.find_dso(**where)


def test_the_directory_is_read_on_from_a_cursor(client: MarketPlace, place: Place) -> None:
    answer(place, "ReadDirectoryChanges", b"", cursor="18")
    assert client.directory_changes("17", page_size=5) == DirectoryChanges((), "18")
    ((_, sent),) = place.calls
    assert (sent.Cursor, sent.PageSize) == ("17", 5)


def test_changes_of_the_directory_wait_in_the_mailbox_too(client: MarketPlace, place: Place) -> None:
    changes = change(sample("MPL-ADD")) + b"<mkpo:NextCursor>9</mkpo:NextCursor>"
    content = b"<mkpo:DirectoryChanges>%s</mkpo:DirectoryChanges>" % changes
    item = b"<mkpo:MessageId>%s</mkpo:MessageId><mkpo:Action>a</mkpo:Action>" % WAITING_ID.encode()
    item = b"<mkpo:MailboxItem>%s<mkpo:Content>%s</mkpo:Content></mkpo:MailboxItem>" % (item, content)
    answer(place, "PeekMailbox", item + b"<mkpo:Waiting>1</mkpo:Waiting>")
    assert client.peek_mailbox() == Mailbox(MailboxItem(WAITING_ID, "a", DirectoryChanges((LOCATION,), "9")), 1)
    answer(place, "PeekMailbox", b"<mkpo:Waiting>0</mkpo:Waiting>")
    assert client.peek_mailbox() == Mailbox(None, 0)


def test_a_refusal_carries_the_market_places_code_text_and_path(client: MarketPlace, place: Place) -> None:
    def refuse(*_: object) -> None:
        raise StateConflict("The offer is withdrawn.", path="PublishServiceOffer/MarketPlaceServiceOffer")

    place.replies["PublishServiceOffer"] = refuse
    with pytest.raises(PartnerFault, match="The offer is withdrawn") as caught:
        client.publish_offer(OFFER)
    assert caught.value.partner_code == StateConflict.__name__
    assert caught.value.path == "PublishServiceOffer/MarketPlaceServiceOffer"


def test_the_market_place_can_be_pinned_to_its_certificates(url: str) -> None:
    with calling(url, fingerprints=[market_place_identity().fingerprint]) as client:
        assert client.ping().version == "1.0"
    other = calling(url, fingerprints=[identity(name="Another").fingerprint])
    with other, pytest.raises(UntrustedReply, match="none of"):
        other.ping()

"""D2.3's Table 4, row by row: one story over real HTTP, in which every object travels in its direction(s)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from lxml import etree

from flexiciency import app
from flexiciency.client.market_objects import (
    Role,
    ServiceDescription,
    ServiceLocalization,
    ServiceOffer,
    ServiceSubscription,
)
from flexiciency.client.market_place import MarketPlace
from flexiciency.contract.catalogue import BUSINESS_OBJECTS, MARKET_PLACE, Operation, operations
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.registration import Move
from flexiciency.store.database import Database
from flexiciency.store.market_place import Description, set_description, set_location
from flexiciency.store.transaction import transaction
from tests.gateway import served
from tests.services.enrolling import (
    ACCESS_POINT,
    PROVIDER,
    REQUESTER,
    account_of,
    calling,
    enrolment_of,
    issued,
    operate,
)
from tests.world import World, make_world

IN, OUT = "Market Player -> Market Place", "Market Place -> Market Player"
TABLE_4 = [
    ("MKP-DES", (OUT,)),
    ("MPL-REG", (IN, OUT)),
    ("MPL-ADD", (IN,)),
    ("MPL-DES", (IN,)),
    ("MPL-AUT", (IN,)),
    ("MKP-SRV-OFF", (IN, OUT)),
    ("MKP-SRV-SUB", (IN, OUT)),
    ("B2B-SRV-SUB", (OUT,)),
    ("MKP-SRV-DES", (IN, OUT)),
]
OBJECTS = {f"{{{row.namespace}}}{row.name}": row.bo_id for row in BUSINESS_OBJECTS}
TEXTS = ("purpose", "legal_information", "contact_details", "stakeholder_and_community", "help", "usage_condition")
JANUARY = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC))


@dataclass
class Travelled:
    """A WSGI application in between, which notes each object of each message and the way it went."""

    application: Callable[..., Iterable[bytes]]
    objects: set[tuple[str, str, str]] = field(default_factory=set)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        plain = {**environ, "wsgi.input": BytesIO(request), "HTTP_ACCEPT_ENCODING": "identity"}
        reply = b"".join(self.application(plain, start_response))
        if request:
            operation = self._note(IN, request)
            self._note(OUT, reply, operation)
        return [reply]

    def _note(self, way: str, message: bytes, operation: str = "") -> str:
        (wrapper,) = etree.fromstring(message).iterfind("{http://schemas.xmlsoap.org/soap/envelope/}Body/*")
        operation = operation or etree.QName(wrapper).localname
        self.objects |= {(OBJECTS[e.tag], way, operation) for e in wrapper.iter() if e.tag in OBJECTS}
        return operation


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def travelled(world: World, database: Database) -> set[tuple[str, str, str]]:
    between = Travelled(app.site(world.settings, database))
    with served(between) as url:
        _play(world, database, url)
    return between.objects


def _play(world: World, database: Database, url: str) -> None:
    with transaction(database) as tx:
        set_description(tx, Description(**dict.fromkeys(TEXTS, "Said by the operator")))
        set_location(tx, ACCESS_POINT, f"{url}/v1/services/market-place")
    with (
        _enrolled(world, database, url, PROVIDER, "https://player.example/push") as provider,
        _enrolled(world, database, url, REQUESTER) as requester,
    ):
        _look_around(provider)
        _manage(world, provider)
        _trade(provider, requester)


def _enrolled(world: World, database: Database, url: str, role: Role, uri: str = "") -> MarketPlace:
    identity = issued(world.authority, role)
    asked = enrolment_of(identity, role=role, uri=uri)
    enrolment = replace(asked, company=replace(asked.company, company_subtype="DSO"))
    player = calling(world, url, identity, enrolment.registration.id)
    player.enrol(enrolment)
    operate(database, enrolment.registration.id, Move.APPROVE)
    return player


def _look_around(provider: MarketPlace) -> None:
    provider.read_market_place()
    provider.find_registrations(role=PROVIDER)
    provider.find_dso(country="AT", city="Linz")
    provider.directory_changes()


def _manage(world: World, provider: MarketPlace) -> None:
    """Everything that a Market Player keeps at the Market Place is changed once."""
    own = provider.read_registration(provider.registration_id)
    provider.update_location(replace(own.locations[0], uri="https://elsewhere.example/push"))
    provider.update_description(replace(own.company, information="Changed"))
    added = account_of(issued(world.authority, "next"), provider.registration_id)
    provider.add_authentication(added)
    provider.withdraw_authentication(added.id)
    provider.suspend(provider.registration_id)
    provider.reactivate(provider.registration_id)


def _trade(provider: MarketPlace, requester: MarketPlace) -> None:
    """Offer and subscription meet; what was matched is found, read, validated, declined and fetched."""
    described = ServiceDescription(
        short_description="Load curves", usage_details="Consent", customer_consent_mandatory=True,
        aggregation_level="None", quantity=Quantity.ENERGY_CONSUMPTION, period=JANUARY,
        localization=ServiceLocalization(countries=("AT",), cities=("Linz",)), time_step=TimeStep.PT15M,
    )  # fmt: skip
    provider.publish_description(described)
    provider.read_description(described.id)
    passing = replace(described, id=new_id())
    provider.publish_description(passing)
    provider.withdraw_description(passing.id)
    offer = provider.publish_offer(
        ServiceOffer(service_type="IndividualDataProvision", supplier=provider.registration_id, details=(described.id,))
    )
    wanted = ServiceSubscription(
        service_type="IndividualDataProvision", requester=requester.registration_id, details=(described.id,)
    )
    subscription = requester.publish_subscription(wanted)
    assert requester.find_offers(supplier=provider.registration_id).items
    assert provider.find_subscriptions(requester=requester.registration_id).items
    assert requester.find_descriptions().items
    (matched,) = requester.find_b2b_subscriptions().items
    requester.read_b2b_subscription(matched.id)
    requester.validate_b2b_subscription(matched.id)
    provider.decline_b2b_subscription(matched.id)
    waiting = requester.peek_mailbox().item
    assert waiting is not None
    requester.confirm_mailbox(waiting.message_id)
    provider.directory_changes()
    requester.withdraw_subscription(subscription.id)
    provider.withdraw_offer(offer.id)
    requester.withdraw(requester.registration_id)


# What cannot be pushed of the directory is read from a cursor on, and does not wait in a mailbox.
NOT_IN_MAILBOX = {"MPL-REG", "MPL-DES", "MPL-ADD", "MPL-AUT", "MKP-SRV-DES"}


@pytest.mark.parametrize(("bo_id", "ways"), TABLE_4, ids=[bo_id for bo_id, _ in TABLE_4])
def test_an_object_of_table_4_travels_in_its_directions(
    travelled: set[tuple[str, str, str]], bo_id: str, ways: tuple[str, ...]
) -> None:
    assert {way for found, way, _ in travelled if found == bo_id} >= set(ways)


@pytest.mark.parametrize(
    ("row", "bo_id", "way"),
    [
        pytest.param(row, bo_id, way, id=f"{row.name} {way.partition(' ->')[0]}: {bo_id}")
        for row in operations(MARKET_PLACE)
        for way, objects in ((IN, row.request), (OUT, row.reply))
        for bo_id in objects
        if row.name != "PeekMailbox" or bo_id not in NOT_IN_MAILBOX
    ],
)
def test_an_operation_carries_each_object_of_its_row(
    travelled: set[tuple[str, str, str]], row: Operation, bo_id: str, way: str
) -> None:
    assert (bo_id, way, row.name) in travelled

"""D2.3's Tables 5 and 6, row by row: one story over real HTTP, in which every object travels in its direction(s).

Between DSO and Market Player both ways of calling: the DSO's B2B interface, and the Market Player interface that it
pushes to. Decision 4 adds the way from the customer to the DSO, decision 3 both ways of technical validation.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from flexiciency import app
from flexiciency.client import Handlers, Listener, ValidationAnswer
from flexiciency.contract.catalogue import B2B, B2C, BUSINESS_OBJECTS, MARKET_PLAYER, Operation, operations
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.schedule import queue_days
from flexiciency.delivery.worker import run
from flexiciency.domain.flexibility import WHOLE, Band, Curve, LoadArea, Validation
from flexiciency.services import activation_by_hand, flexibility
from flexiciency.services.replies import B2B as TYPES
from flexiciency.services.selection import narrow_stored
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, import_areas, set_network
from flexiciency.store.transaction import transaction
from tests.gateway import Sender, channel_of, player_of, served
from tests.messages import (
    END,
    START,
    acknowledgement,
    activation,
    agree,
    consent,
    consents_of,
    new_id,
    proposal,
    revocation,
    selection,
    values,
    values_of,
)
from tests.services import activating, aggregating
from tests.world import DSO, FIRST_DAY, PLAYER, World, make_world, pod_name, set_address

TO_DSO, TO_PLAYER = "Market Player -> DSO", "DSO -> Market Player"
FROM_CUSTOMER, TO_CUSTOMER = "Customer -> DSO", "DSO -> Customer"
BOTH = (TO_DSO, TO_PLAYER)
TABLES_5_AND_6 = [
    ("CUS-CON-ACK", (TO_PLAYER,)),
    ("CUS-CON-REV", (FROM_CUSTOMER, TO_PLAYER)),
    ("CUS-CON-DES", (FROM_CUSTOMER, TO_PLAYER)),
    ("DSO-REQ", (TO_DSO,)),
    ("DSO-CNF", (TO_PLAYER,)),
    ("USP-REQ", (TO_DSO,)),
    ("USP-CNF", (TO_PLAYER,)),
    ("IND-DAT-SEL", BOTH),
    ("AGG-DAT-SEL", BOTH),
    ("SRV-ACT-AGR", BOTH),
    ("IND-DAT-VAL", (TO_PLAYER,)),
    ("IND-DAT-ACK", (TO_DSO,)),
    ("AGG-DAT-VAL", (TO_PLAYER,)),
    ("AGG-DAT-ACK", (TO_DSO,)),
    ("TECH-FLEX-REQ", BOTH),
    ("TECH-FLEX-RESP", BOTH),
]
OBJECTS = {f"{{{row.namespace}}}{row.name}": row.bo_id for row in BUSINESS_OBJECTS}
NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
CURVE = Curve(NOON, ((NOON, 1_000),), NOON + timedelta(hours=1))
Travel = set[tuple[str, str, str, str]]
"""Object, way, interface and operation."""


@dataclass
class Travelled:
    """A WSGI application in between, which notes each object of each message and the way it went."""

    application: Callable[..., Iterable[bytes]]
    objects: Travel

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        plain = {**environ, "wsgi.input": BytesIO(request), "HTTP_ACCEPT_ENCODING": "identity"}
        reply = b"".join(self.application(plain, start_response))
        interface = environ["PATH_INFO"].rpartition("/")[2]
        there, back = {B2C: (FROM_CUSTOMER, TO_CUSTOMER), MARKET_PLAYER: (TO_PLAYER, TO_DSO)}.get(interface, BOTH)
        operation = self._note(there, interface, request)
        self._note(back, interface, reply, operation)
        return [reply]

    def _note(self, way: str, interface: str, message: bytes, operation: str = "") -> str:
        (wrapper,) = etree.fromstring(message).iterfind("{http://schemas.xmlsoap.org/soap/envelope/}Body/*")
        operation = operation or etree.QName(wrapper).localname
        self.objects |= {(OBJECTS[e.tag], way, interface, operation) for e in wrapper.iter() if e.tag in OBJECTS}
        return operation


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"), pods=8)


@pytest.fixture(scope="module")
def travelled(world: World, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Travel]:
    found: Travel = set()
    inbox = tmp_path_factory.mktemp("player") / "inbox.sqlite"
    with ExitStack() as stack:
        url = stack.enter_context(served(Travelled(app.site(world.settings, database), found)))
        listener = _listener(world, inbox)
        stack.callback(listener.stop)
        pushed = stack.enter_context(served(Travelled(listener.application, found)))
        set_address(database, f"{pushed}/v1/services/{MARKET_PLAYER}")
        _play(world, database, player_of(world, url), channel_of(world, url))
        yield found


def _listener(world: World, inbox: Path) -> Listener:
    """Takes everything, and answers a TECH-FLEX-REQ about LA-1 at once."""
    taken = {name: (lambda _: None) for name in Handlers.__dataclass_fields__}
    answer = ValidationAnswer(dso_factor=Decimal("0.5"), tso_factor=Decimal(1))
    requested = {"validation_requested": lambda one: answer if one.content.load_area == "LA-1" else None}
    handlers = Handlers(**taken | requested)  # type: ignore[arg-type]
    return Listener(world.player, PLAYER, world.anchors, inbox, handlers, {DSO: "RegulatedDataProvider"})


def _play(world: World, database: Database, player: Sender, channel: Sender) -> None:
    pusher = app.pusher(world.settings, database)
    work = partial(run, database, pusher, concurrency=2, grid=_grid, wait=False)
    agreed = agree(player, channel, [0])
    _select(database, player)
    _decide_late(database, player, channel)
    _agree_and_counter(player, agreed.activation)
    _unregulated(database, player)
    found = values_of(player, values(agreed.id))
    player.send(acknowledgement(found.header.id, {pod_name(0): "OK"}))
    service = aggregating.add_service(database)
    together = aggregating.agree_on_aggregates(player, service, list(range(5)))
    sums = aggregating.aggregates_of(player, aggregating.aggregates(together))
    player.send(aggregating.acknowledged(sums.header.id, {one.id: "OK" for one in sums.aggregates}))
    queue_days(database, Outbox(), FIRST_DAY, FIRST_DAY + timedelta(days=1), datetime.now(UTC))
    later = _validate(database, player)
    work()
    player.send(_answered(later))
    player.send(TYPES.EndServiceActivationAgreement(AgreementId=together))
    channel.send(revocation(0, agreed.consents[0]))
    channel.send(consents_of(0))
    work()


def _select(database: Database, player: Sender) -> None:
    """Both kinds of selection, which the DSO narrows later."""
    individual = activating.select(Localization=TYPES.SelectionLocalization(PoD=[pod_name(0)]))
    aggregated = activating.select_aggregates(
        activating.add_service(database, service_type="AggregatedDataProvision", aggregation_level="City",
                               aggregation_method="Sum"),
        {"City": ["Linz"]},
    )  # fmt: skip
    player.send(individual)
    player.send(aggregated)
    with transaction(database) as tx:
        for chosen in (individual.IndividualDataSelection, aggregated.AggregatedDataSelection):
            narrow_stored(tx, chosen.Id, datetime.now(UTC), end=END - timedelta(days=1))
    chosen = TYPES.ActivationSelection(IndividualDataSelection=selection(START, END))
    player.send(activation(new_id(), [pod_name(0)], Selection=chosen))


def _decide_late(database: Database, player: Sender, channel: Sender) -> None:
    """A DSO-REQ that the operator confirms."""
    request = new_id()
    channel.send(consent(1, new_id()))
    activating.decide_by_hand(database)
    player.send(activation(request, [pod_name(1)]))
    with transaction(database) as tx:
        activation_by_hand.confirm(tx, request, datetime.now(UTC))
    activating.decide_by_hand(database, by_hand=False)


def _agree_and_counter(player: Sender, request: str) -> None:
    """A proposal that is too wide, a counter to what the DSO counters, and its validation."""
    identifier, wide = new_id(), {"EndDate": END.date() + timedelta(days=99)}
    player.send(proposal(identifier, request, [pod_name(0)], **wide))
    proposed = proposal(identifier, request, [pod_name(0), "AT-unknown"], Version=3)
    player.send(TYPES.CounterServiceActivationAgreement(ServiceActivationAgreement=proposed.ServiceActivationAgreement))
    player.send(TYPES.ReadServiceActivationAgreement(AgreementId=identifier))
    player.send(TYPES.ValidateServiceActivationAgreement(AgreementId=identifier, Version=4))


def _unregulated(database: Database, player: Sender) -> None:
    """USP-REQ, answered at once and later."""
    owner = activating.add_registration(database, "UnregulatedServiceProvider")
    service = activating.add_service(
        database, owner, service_type="EnergyServiceProvision", aggregation_level=None, quantity=None, time_step=None
    )
    player.send(activating.unregulated(new_id(), service))
    activating.decide_by_hand(database, service)
    later = new_id()
    player.send(activating.unregulated(later, service))
    with transaction(database) as tx:
        activation_by_hand.confirm(tx, later, datetime.now(UTC), limits="On weekdays.")


def _validate(database: Database, player: Sender) -> str:
    """TECH-FLEX-REQ both ways, answered at once and later; the Id of the one that the player has yet to answer."""
    bands = (Band(0, 1440, 500, 500, "T1"),)
    with database.begin() as connection:
        import_areas(
            connection, DSO, [NamedArea(code, "Linz", LoadArea("UTC", bands, ())) for code in ("LA-1", "LA-2")]
        )
        set_network(connection, DSO, "LA-2", Path("grid.json"))
    for code in ("LA-1", "LA-2"):
        player.send(_validation(code))
    with transaction(database) as tx:
        flexibility.ask(tx, DSO, PLAYER, "LA-1", CURVE, datetime.now(UTC))
        return flexibility.ask(tx, DSO, PLAYER, "LA-2", CURVE, datetime.now(UTC))


def _answered(request_id: str) -> Any:
    response = TYPES.TechnicalValidationResponse(
        Id=new_id(), TechnicalValidationRequestRef=request_id, CurtailmentFactor=Decimal(1), DsoFactor=Decimal(1),
        TsoFactor=Decimal(1),
    )  # fmt: skip
    return TYPES.AnswerTechnicalValidation(TechnicalValidationResponse=response)


def _validation(load_area: str) -> Any:
    points = [TYPES.PowerPoint(Time=NOON, Power=Decimal(1))]
    return TYPES.RequestTechnicalValidation(
        TechnicalValidationRequest=TYPES.TechnicalValidationRequest(
            Id=new_id(), StartTime=NOON, PowerCurve=TYPES.PowerCurve(Point=points), EndTime=CURVE.end,
            LoadArea=load_area,
        )
    )  # fmt: skip


def _grid(_network: Path, _area: LoadArea, _curve: Curve) -> Validation:
    """A grid model that allows all."""
    return Validation(WHOLE, WHOLE, None, None)


@pytest.mark.parametrize(("bo_id", "ways"), TABLES_5_AND_6, ids=[bo_id for bo_id, _ in TABLES_5_AND_6])
def test_an_object_of_tables_5_and_6_travels_in_its_directions(
    travelled: Travel, bo_id: str, ways: tuple[str, ...]
) -> None:
    assert {way for found, way, *_ in travelled if found == bo_id} >= set(ways)


def _rows() -> Iterator[Any]:
    """Each object of each operation between these parties, with the way that it goes there."""
    ways = {B2B: BOTH, B2C: (FROM_CUSTOMER, TO_CUSTOMER), MARKET_PLAYER: (TO_PLAYER, TO_DSO)}
    for interface, (there, back) in ways.items():
        for row in operations(interface):
            # A mailbox holds what is pushed otherwise; what the Market Place pushes is Table 4's.
            if row.name == "PeekMailbox" or row.of_market_place:
                continue
            for way, objects in ((there, row.request), (back, row.reply)):
                for bo_id in objects:
                    yield pytest.param(row, bo_id, way, id=f"{interface} {row.name}: {bo_id} {way}")


@pytest.mark.parametrize(("row", "bo_id", "way"), list(_rows()))
def test_an_operation_carries_each_object_of_its_row(travelled: Travel, row: Operation, bo_id: str, way: str) -> None:
    assert (bo_id, way, row.interface, row.name) in travelled


def test_every_operation_that_carries_an_object_is_offered() -> None:
    carrying = [row for name in (B2B, B2C, MARKET_PLAYER) for row in operations(name) if row.request or row.reply]
    assert [row.name for row in carrying if not row.offered] == []

"""Consent, activation, agreement, revocation and change of occupant in any order, against `release_model`.

What leaves is what the model says, to the day: nothing outside a consent, and nothing inside one withheld. The services
run as they do for a message, in a transaction each, without the envelope around it.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import insert, text

from flexiciency.contract.catalogue import B2B, B2C, operations
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.values import local_day
from flexiciency.errors import StateConflict
from flexiciency.services import activation, agreement
from flexiciency.services.agreement_standing import settle
from flexiciency.services.consent import ConsentService
from flexiciency.services.exchange import GatewayExchange
from flexiciency.services.replies import B2B as TYPES
from flexiciency.soap.endpoint import Call, Speaker
from flexiciency.store import agreement_standing, agreements, tables
from flexiciency.store.database import Database
from flexiciency.store.pods import PodRecord, stage, store_staged
from flexiciency.store.release import Asked, release
from flexiciency.store.transaction import transaction
from tests import messages
from tests.messages import consent, new_id, proposal, revocation, scope
from tests.services.release_model import LAST, Model, ModelConsent
from tests.world import CHANNEL, DSO, FIRST_DAY, PLAYER, SERVICE, STRANGER, SUBSCRIPTION, ZONE, make_world, pod_name

SEEDS, EXAMPLES, STEPS = 4, 62, 50
AT_LEAST = 2_500
"""Steps with each seed, 10,000 in all; hypothesis ends some examples early."""

THEIRS = "urn:uuid:00000000-0000-4000-8000-00000000b2b1"
SUBSCRIPTIONS = {PLAYER: SUBSCRIPTION, STRANGER: THEIRS}
PODS = [pod_name(number) for number in range(3)]
CUSTOMERS = ["C-a", "C-b"]
CLEAR = """
TRUNCATE consent, consent_scope, consent_pod, consent_revocation, activation, activation_pod, agreement, agreement_pod,
    agreement_consent, agreement_selection, delivery, delivery_pod, procrastinate_jobs CASCADE
"""
ROWS = {(row.interface, row.name): row for interface in (B2B, B2C) for row in operations(interface)}
days = st.integers(-3, LAST + 3)
some_pods = st.sets(st.sampled_from(PODS), min_size=1)
steps: list[int] = []


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


class Machine(RuleBasedStateMachine):
    """Every rule does one thing to the system and to the model, and compares their answers."""

    database: Database
    consents = Bundle("consents")
    activations = Bundle("activations")
    agreed = Bundle("agreed")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model({pod: [CUSTOMERS[0]] * LAST for pod in PODS})
        self.service = ConsentService(DSO, Outbox())
        self.turn = 0
        with self.database.begin() as connection:
            connection.execute(text(CLEAR))
        self._import(PODS)

    @initialize(target=consents, requester=st.sampled_from([PLAYER, STRANGER]))
    def a_first_consent(self, requester: str) -> Any:
        """So that there is something to agree on from the start."""
        return self.give(requester=requester, customer=CUSTOMERS[0], pods=set(PODS), start=0, end=LAST, fine=True)

    @rule(target=consents, requester=st.sampled_from([PLAYER, STRANGER]), customer=st.sampled_from(CUSTOMERS),
          pods=some_pods, start=days, end=days, fine=st.sampled_from([True, True, False]))  # fmt: skip
    def give(self, *, requester: str, customer: str, pods: set[str], start: int, end: int, fine: bool) -> Any:
        start, end = min(start, end), max(start, end) + (start == end)
        identifier = new_id()
        message = consent(
            0, identifier, CustomerId=customer, PoD=sorted(pods), Eso=requester, StartDate=day(start), EndDate=day(end),
            Scope=[scope(finest="PT15M" if fine else "PT1H")],
        )  # fmt: skip
        reply = self._call(CHANNEL, "GiveCustomerConsent", self.service.give, message)
        accepted = self.model.give(identifier, ModelConsent(customer, requester, start, end, fine, set(pods)))
        assert set(reply.CustomerConsentAcknowledgement.PoD) == accepted
        return multiple(*([identifier] if accepted else []))

    @rule(identifier=consents, pods=some_pods, whole=st.booleans())
    def revoke(self, *, identifier: str, pods: set[str], whole: bool) -> None:
        known = self.model.consents[identifier]
        named = (known.pods or set(PODS)) if whole else set(pods)
        message = revocation(0, identifier, CustomerId=known.customer, PoD=sorted(named))
        done = self._tried(CHANNEL, "RevokeCustomerConsent", self.service.revoke, message) is not None
        assert done == self.model.revoke(identifier, named)

    @rule(pod=st.sampled_from(PODS), first=st.integers(0, LAST - 1), customer=st.sampled_from(CUSTOMERS))
    def move_in(self, *, pod: str, first: int, customer: str) -> None:
        self.model.move_in(pod, first, customer)
        self._import([pod])

    @rule(target=activations, requester=st.sampled_from([PLAYER, STRANGER]), pods=some_pods)
    def activate(self, *, requester: str, pods: set[str]) -> Any:
        identifier = new_id()
        message = messages.activation(identifier, sorted(pods), Requester=requester)
        answer = lambda call, asked: activation.request_dso_service_activation(DSO, call, asked)  # noqa: E731
        reply = self._call(requester, "RequestDsoServiceActivation", answer, message).DsoServiceActivationConfirmation
        confirmed = self.model.activate(identifier, requester, pods)
        assert set(reply.PoD) == confirmed
        assert reply.Status == ("OK" if confirmed == pods else "Partial" if confirmed else "KO")
        return multiple(*([identifier] if confirmed else []))

    @rule(target=agreed, request=activations, pods=some_pods, start=days, end=days, exact=st.booleans())
    def propose(self, *, request: str, pods: set[str], start: int, end: int, exact: bool) -> Any:
        pods, start, end = self._terms(request, pods, start, end, exact=exact)
        identifier = new_id()
        status = self._agree(
            "ProposeServiceActivationAgreement", agreement.propose, identifier, request, pods, start, end, 1
        )
        return multiple(*([] if status == "Ended" else [identifier]))

    @rule(identifier=agreed, pods=some_pods, start=days, end=days, exact=st.booleans())
    def counter(self, *, identifier: str, pods: set[str], start: int, end: int, exact: bool) -> None:
        known = self.model.agreements[identifier]
        if known.status != "Countered":
            return
        pods, start, end = self._terms(known.activation, pods, start, end, exact=exact)
        self._agree(
            "CounterServiceActivationAgreement", agreement.counter, identifier, known.activation, pods, start, end,
            known.version + 1,
        )  # fmt: skip

    @rule(identifier=agreed)
    def validate(self, *, identifier: str) -> None:
        known = self.model.agreements[identifier]
        message = TYPES.ValidateServiceActivationAgreement(AgreementId=identifier, Version=known.version)
        reply = self._tried(known.requester, "ValidateServiceActivationAgreement", agreement.validate, message)
        assert (reply is not None) == self.model.validate(identifier)
        assert reply is None or reply.ServiceActivationAgreement.Status == known.status

    @rule(identifier=agreed, last=days)
    def end(self, *, identifier: str, last: int) -> None:
        known = self.model.agreements[identifier]
        message = TYPES.EndServiceActivationAgreement(AgreementId=identifier, EndDate=day(last))
        reply = self._tried(known.requester, "EndServiceActivationAgreement", agreement.end, message)
        assert (reply is not None) == self.model.end(identifier, last)

    @invariant()
    def one_agreement_after_the_other_releases_what_it_may(self) -> None:
        steps.append(1)
        if self.model.agreements:
            self.turn += 1
            self._compare(list(self.model.agreements)[self.turn % len(self.model.agreements)])

    def teardown(self) -> None:
        for identifier in self.model.agreements:
            self._compare(identifier)

    def _compare(self, identifier: str) -> None:
        known = self.model.agreements[identifier]
        start, _ = local_day(day(-5), ZONE)
        with transaction(self.database) as tx:
            for step, a_day in ((TimeStep.PT15M, 96), (TimeStep.P1D, 1)):
                asked = Asked(identifier, Quantity.ENERGY_CONSUMPTION, step, start, start + timedelta(days=30))
                left = {
                    (series.pod, offset + (series.start - local_day(FIRST_DAY, ZONE)[0]).days)
                    for series in release(tx, asked)
                    for offset in range(len(series.values) // a_day)
                }
                assert left == self.model.may_leave(identifier)
            ((row,),) = tx.look_up(agreements.stored(identifier))
        assert (row.status, row.version) == (known.status, known.version)

    def _terms(self, request: str, pods: set[str], start: int, end: int, *, exact: bool) -> tuple[set[str], int, int]:
        """Any days and PoDs, or exactly those that can be agreed to."""
        start, end = min(start, end), max(start, end) + (start == end)
        return (self.model.offer(request, pods, start, end) if exact else None) or (pods, start, end)

    def _agree(
        self, operation: str, handler: Callable[[Call, Any], Any], identifier: str, request: str, pods: set[str],
        start: int, end: int, version: int,
    ) -> str:  # fmt: skip
        """Propose or counter; the state that comes of it."""
        requester, _ = self.model.activations[request]
        message = proposal(
            identifier, request, sorted(pods), StartDate=day(start), EndDate=day(end), Version=version,
            B2BServiceSubscriptionRef=SUBSCRIPTIONS[requester],
        )  # fmt: skip
        reply = self._call(requester, operation, handler, message).ServiceActivationAgreement
        before = self.model.agreements.get(identifier)
        status = self.model.agree(identifier, request, pods, start, end, version)
        expected = before.status if status == "Ended" and before else status
        assert (reply.Status, reply.Reason is None) == (expected, status != "Ended")
        return status

    def _import(self, pods: list[str]) -> None:
        """Master data of some PoDs, as `pods import` does it."""
        records = [record for pod in pods for record in self._records(pod)]
        with transaction(self.database) as tx:
            stage(tx, enumerate(records))
            store_staged(tx)
            (concerned,) = tx.read(agreement_standing.lock_imported())
            settle(tx, concerned, datetime.now(UTC))

    def _records(self, pod: str) -> list[PodRecord]:
        """A record for each run of days with one holder."""
        holders = self.model.holders[pod]
        firsts = [0] + [number for number in range(1, LAST) if holders[number] != holders[number - 1]]
        starts = [datetime(2020, 1, 1, tzinfo=UTC)] + [local_day(day(number), ZONE)[0] for number in firsts[1:]]
        ends = [*starts[1:], None]
        return [
            PodRecord(pod, "AT", "Linz", "Weg", None, ZONE, holders[number], since, until)
            for number, since, until in zip(firsts, starts, ends, strict=True)
        ]

    def _tried(self, party: str, operation: str, handler: Callable[[Call, Any], Any], message: Any) -> Any:
        """The reply, or None for a StateConflict, which leaves everything as it was."""
        try:
            return self._call(party, operation, handler, message)
        except StateConflict:
            return None

    def _call(self, party: str, operation: str, handler: Callable[[Call, Any], Any], message: Any) -> Any:
        """What a service answers to a verified message, in a transaction of its own."""
        row = next(found for (_, name), found in ROWS.items() if name == operation)
        verified: Any = SimpleNamespace(addressing=SimpleNamespace(message_id=new_id(), from_=party))
        now = datetime.now(UTC)
        with transaction(self.database) as tx:
            exchange = GatewayExchange(tx, row, verified, now, frozenset())
            return handler(Call(row, verified, Speaker(party, ""), now, exchange), message)


@pytest.fixture(scope="module")
def town(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Three PoDs with values, two market players that are subscribed to them."""
    make_world(database, tmp_path_factory.mktemp("world"), pods=len(PODS))
    with database.begin() as connection:
        connection.execute(text("DELETE FROM meter_value_block WHERE day >= :end"), {"end": day(LAST)})
        connection.execute(
            insert(tables.b2b_service_subscription).values(
                id=THEIRS, provider_id=DSO, requester_id=STRANGER, status="Validated", version=1,
                validation_date=datetime.now(UTC), data_details="Load curves", processing_details="Advice",
            )
        )  # fmt: skip
        connection.execute(
            insert(tables.b2b_service_subscription_description).values(
                subscription_id=THEIRS, service_description_id=SERVICE
            )
        )
    return database


@pytest.mark.parametrize("number", range(SEEDS))
def test_what_leaves_is_what_consents_holders_and_agreements_allow_to_the_day(town: Database, number: int) -> None:
    class OnThisDatabase(Machine):
        database = town

    steps.clear()
    run_machine(
        seed(number)(OnThisDatabase),
        settings=settings(
            # Not shrunk: against a database that takes many minutes. A failure is replayed by its seed.
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    assert len(steps) >= AT_LEAST

"""Imports, corrections, consents, revocations, passes and sendings in any order: nothing is lost, nothing sent twice.

In the end every PoD-day that may leave was delivered in its latest version, each version once, in messages that fit.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy import text

from flexiciency.contract.catalogue import B2C, operations
from flexiciency.contract.series import Quality, Quantity, TimeStep
from flexiciency.delivery.build import values_object
from flexiciency.delivery.message import mark_leaving
from flexiciency.delivery.outbox import Outbox
from flexiciency.delivery.schedule import Terms, queue_due
from flexiciency.domain.portions import Caps
from flexiciency.domain.values import Block, local_day
from flexiciency.services.consent import ConsentService
from flexiciency.services.exchange import GatewayExchange
from flexiciency.soap.endpoint import Call, Speaker
from flexiciency.store import deliveries
from flexiciency.store.database import Database
from flexiciency.store.deliveries import Cause, Values
from flexiciency.store.release import Asked
from flexiciency.store.transaction import transaction
from flexiciency.store.values import store_blocks
from tests.gateway import Sender
from tests.messages import agree, consent, new_id, revocation
from tests.world import CHANNEL, DSO, PLAYER, ZONE, pod_name

SEEDS, EXAMPLES, STEPS = 3, 25, 30
NUMBERS = (30, 31, 32)
FIRST, DAYS = date(2025, 1, 5), 3
TERMS = Terms(timedelta(days=3), Caps(values=2 * 96, size=150_000))
CLEAR = """
TRUNCATE consent, consent_scope, consent_pod, consent_revocation, delivery, delivery_pod, procrastinate_jobs,
    meter_value_block, value_day, value_correction, agreement_day, agreement_more CASCADE
"""
ROWS = {row.name: row for row in operations(B2C)}
numbers, offsets = st.sampled_from(NUMBERS), st.integers(0, DAYS - 1)


class Machine(RuleBasedStateMachine):
    """The system, and what was stored, may leave and was received, as plain sets."""

    database: Database
    agreement: str

    def __init__(self) -> None:
        super().__init__()
        self.service = ConsentService(DSO, Outbox())
        self.now = local_day(FIRST, ZONE)[0]
        self.versions: dict[tuple[int, int], int] = {}
        self.filled: set[tuple[int, int]] = set()
        self.consents: dict[int, str] = {}
        self.pushed: Counter[tuple[int, int, int]] = Counter()
        with self.database.begin() as connection:
            connection.execute(text(CLEAR))

    @initialize()
    def everybody_has_consented(self) -> None:
        for number in NUMBERS:
            self.give(number)

    @rule(number=numbers)
    def give(self, number: int) -> None:
        if number not in self.consents:
            self.consents[number] = new_id()
            self._call("GiveCustomerConsent", self.service.give, consent(number, self.consents[number]))

    @rule(number=numbers)
    def revoke(self, number: int) -> None:
        if number in self.consents:
            message = revocation(number, self.consents.pop(number))
            self._call("RevokeCustomerConsent", self.service.revoke, message)

    @rule(some=st.sets(st.tuples(numbers, offsets), min_size=1), value=st.integers(0, 2),
          missing=st.sampled_from([0, 0, 0, 1, 96]))  # fmt: skip
    def store(self, some: set[tuple[int, int]], value: int, missing: int) -> None:
        """Blocks of one value, the first `missing` of which are Missing."""
        qualities = np.zeros(96, dtype=np.uint8)
        qualities[:missing] = Quality.MISSING
        with transaction(self.database) as tx:
            store_blocks(tx, [
                Block(pod_name(number), Quantity.ENERGY_CONSUMPTION, FIRST + timedelta(offset), 1,
                      local_day(FIRST + timedelta(offset), ZONE)[0], TimeStep.PT15M,
                      np.full(96, value, dtype=np.int32), qualities)
                for number, offset in sorted(some)
            ])  # fmt: skip
        with self.database.begin() as connection:
            found = connection.execute(text(
                "SELECT p.pod, b.day, max(b.version) AS version FROM meter_value_block b JOIN pod p ON p.id = b.pod_id "
                "GROUP BY 1, 2"
            )).all()  # fmt: skip
        self.versions = {(_number(row.pod), (row.day - FIRST).days): row.version for row in found}
        self.filled = self.filled - some if missing == len(qualities) else self.filled | some

    @rule(value=st.integers(3, 5), most=st.integers(0, 5))
    def all_is_there(self, value: int, most: int) -> None:
        """Every block, long after; looked at, and some of it sent."""
        self.store({(number, offset) for number in NUMBERS for offset in range(DAYS)}, value, 0)
        self.now += timedelta(hours=80)
        self._look()
        self._send_some(most)

    @rule(hours=st.sampled_from([1, 20, 30, 80]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def look(self) -> None:
        self._look()

    def _look(self) -> int:
        return queue_due(self.database, Outbox(), self.now, TERMS)

    @rule(most=st.integers(1, 5))
    def send(self, most: int) -> None:
        self._send_some(most)

    def _send_some(self, most: int) -> int:
        """Some of what is queued, the oldest first; gives how many were."""
        with self.database.begin() as connection:
            waiting = connection.execute(text(
                "SELECT id FROM delivery WHERE received_at IS NULL AND value_period IS NOT NULL "
                "ORDER BY number LIMIT :most"
            ), {"most": most}).scalars().all()  # fmt: skip
        for delivery_id in waiting:
            self._send(delivery_id)
        return len(waiting)

    @rule(offset=offsets)
    def answer(self, offset: int) -> None:
        """A request for the values of a day that is over is answered."""
        start, end = local_day(FIRST + timedelta(offset), ZONE)
        if end > self.now:
            return
        asked = Asked(self.agreement, Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M, start, end)
        with transaction(self.database) as tx:
            built = values_object(tx, asked, new_id(), selection=None)
            if built is not None:
                assert b"".join(built.chunks)
                deliveries.store_answered(
                    tx, recipient_id=PLAYER, operation="RequestIndividualDataValues", object_id=built.object_id,
                    what=Values(self.agreement, start, end, cause=Cause.ANSWERED), sent=built.sent, now=self.now,
                    relates_to=new_id(),
                )  # fmt: skip

    def teardown(self) -> None:
        """Long after, all that is due was sent: the latest version of all that may leave, each version once."""
        self.now += timedelta(days=30)
        self._look()
        while self._send_some(5):
            self._look()
        assert self._look() == 0
        latest = {(number, offset, version) for (number, offset), version in self.versions.items()}
        for number, offset, version in latest:
            if number in self.consents and (number, offset) in self.filled:
                assert self._had(number, offset) >= version
        assert [place for place, times in self.pushed.items() if times > 1] == []
        with self.database.begin() as connection:
            assert connection.execute(text("SELECT count(*) FROM value_correction")).scalar_one() == 0
            assert connection.execute(text("SELECT count(*) FROM agreement_more")).scalar_one() == 0

    def _send(self, delivery_id: Any) -> None:
        """As the pusher does."""
        with transaction(self.database) as tx:
            ((delivery,),) = tx.read(deliveries.locked(delivery_id))
            leaving = mark_leaving(tx, delivery, lambda chunks: chunks, self.now, 5)
            if leaving is None:
                return
            size = leaving.body.size
            leaving.body.close()
            deliveries.mark_received(tx, delivery_id, self.now)
        with self.database.begin() as connection:
            parts = connection.execute(text(
                "SELECT p.pod, dp.value_count, dp.version, d.value_period FROM delivery d JOIN delivery_pod dp "
                "ON dp.delivery_id = d.id JOIN pod p ON p.id = dp.pod_id WHERE d.id = :id"
            ), {"id": delivery_id}).all()  # fmt: skip
        assert sum(part.value_count for part in parts) <= TERMS.caps.values
        assert size <= TERMS.caps.size
        for part in parts:
            assert part.value_period.upper <= self.now
            offset = (part.value_period.lower - local_day(FIRST, ZONE)[0]).days
            place = _number(part.pod), offset
            self.pushed[*place, self.versions[place]] += 1

    def _had(self, number: int, offset: int) -> int:
        """Up to which version its values were delivered, pushed or in an answer."""
        with self.database.begin() as connection:
            found = connection.execute(text(
                "SELECT coalesce(max(dp.version), 0) FROM delivery d JOIN delivery_pod dp ON dp.delivery_id = d.id "
                "JOIN pod p ON p.id = dp.pod_id WHERE p.pod = :pod AND d.value_period @> cast(:at AS timestamptz)"
            ), {"pod": pod_name(number), "at": local_day(FIRST + timedelta(offset), ZONE)[0]})  # fmt: skip
            return int(found.scalar_one())

    def _call(self, operation: str, handler: Any, message: Any) -> None:
        row = ROWS[operation]
        verified: Any = SimpleNamespace(addressing=SimpleNamespace(message_id=new_id(), from_=CHANNEL))
        now = datetime.now(UTC)
        with transaction(self.database) as tx:
            handler(
                Call(row, verified, Speaker(CHANNEL, ""), now, GatewayExchange(tx, row, verified, now, frozenset())),
                message,
            )


def _number(pod: str) -> int:
    return int(pod[2:])


@pytest.fixture(scope="module")
def agreement(player: Sender, channel: Sender) -> str:
    return agree(player, channel, list(NUMBERS), FIRST, FIRST + timedelta(DAYS)).id


@pytest.mark.parametrize("number", range(SEEDS))
def test_all_that_may_leave_is_delivered_in_its_latest_version_and_each_version_once(
    database: Database, agreement: str, number: int
) -> None:
    class OnThisDatabase(Machine):
        pass

    OnThisDatabase.database, OnThisDatabase.agreement = database, agreement
    run_machine(
        seed(number)(OnThisDatabase),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip

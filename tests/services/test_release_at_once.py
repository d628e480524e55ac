"""Release and revocation at the same moment, on two connections: one is before the other, never in between."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.store import consents
from flexiciency.store.consents import Statement
from flexiciency.store.database import Database, driver
from flexiciency.store.release import Asked, release
from flexiciency.store.transaction import Query, Row, Transaction, transaction
from tests.gateway import Sender
from tests.messages import END, START, agree, consent, new_id, revocation, values, values_of
from tests.services.waiting import blocked
from tests.world import CHANNEL, customer_id, pod_name


def released(tx: Transaction, agreement: str) -> set[str]:
    """PoDs of which values leave in this transaction."""
    asked = Asked(agreement, Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M, START, END)
    return {series.pod for series in release(tx, asked)}


def released_now(database: Database, agreement: str) -> set[str]:
    with transaction(database) as tx:
        return released(tx, agreement)


def test_a_revocation_waits_for_a_release_in_progress_and_then_excludes(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    stays, leaves = next(customers), next(customers)
    agreed = agree(player, channel, [stays, leaves])
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            assert released(tx, agreed.id) == {pod_name(stays), pod_name(leaves)}
            (revoking,) = blocked(database, pool, lambda: channel.send(revocation(leaves, agreed.consents[leaves])))
            assert released(tx, agreed.id) == {pod_name(stays), pod_name(leaves)}
            assert not revoking.done()
        assert revoking.result()
    assert released_now(database, agreed.id) == {pod_name(stays)}


def test_a_release_waits_for_a_revocation_in_progress_and_leaves_out_what_it_took(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    stays, leaves = next(customers), next(customers)
    agreed = agree(player, channel, [stays, leaves])
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            _revoke(tx, leaves, agreed.consents[leaves])
            (asking,) = blocked(database, pool, lambda: values_of(player, values(agreed.id)))
        assert {series.pod for series in asking.result().series} == {pod_name(stays)}


def test_a_revocation_that_is_rolled_back_takes_nothing(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    with ThreadPoolExecutor(1) as pool:
        with database.autocommit() as core:
            tx = Transaction(driver(core))
            _revoke(tx, number, agreed.consents[number])
            (asking,) = blocked(database, pool, lambda: values_of(player, values(agreed.id)))
            tx.driver.rollback()
        assert {series.pod for series in asking.result().series} == {pod_name(number)}


def test_a_consent_given_after_the_locks_were_taken_releases_nothing_yet(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    """It is not locked, so its revocation would not wait."""
    stays, returns = next(customers), next(customers)
    agreed = agree(player, channel, [stays, returns])
    channel.send(revocation(returns, agreed.consents[returns]))
    with database.autocommit() as core:
        tx = GivesAConsentAfterItsFirstRead(driver(core))
        tx.then = lambda: channel.send(consent(returns, new_id()))
        assert released(tx, agreed.id) == {pod_name(stays)}
        tx.driver.rollback()
    assert released_now(database, agreed.id) == {pod_name(stays), pod_name(returns)}


class GivesAConsentAfterItsFirstRead(Transaction):
    """A transaction in whose midst another one commits."""

    then: Callable[[], Any]

    def read(self, *queries: Query) -> list[list[Row]]:
        """As ever, and then the other's commit."""
        found = super().read(*queries)
        self.then()
        return found


def test_two_releases_do_not_wait_for_each_other(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    with transaction(database) as tx:
        assert released(tx, agreed.id) == {pod_name(number)}
        assert [series.pod for series in values_of(player, values(agreed.id)).series] == [pod_name(number)]


def test_releases_and_revocations_side_by_side_never_deadlock_and_never_release_what_was_revoked_before(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    numbers = [next(customers) for _ in range(6)]
    agreed = agree(player, channel, numbers)
    revoked: set[str] = set()

    def revoke() -> None:
        for number in numbers[1:]:
            channel.send(revocation(number, agreed.consents[number]))
            revoked.add(pod_name(number))

    def ask() -> None:
        while len(revoked) < len(numbers) - 1:
            gone = set(revoked)
            found = {series.pod for series in values_of(player, values(agreed.id)).series}
            assert found.isdisjoint(gone)
            assert pod_name(numbers[0]) in found

    both: list[Callable[[], Any]] = [revoke, ask, ask]
    with ThreadPoolExecutor(len(both)) as pool:
        for done in [pool.submit(one) for one in both]:
            done.result()
    assert released_now(database, agreed.id) == {pod_name(numbers[0])}


def _revoke(tx: Transaction, number: int, consent_id: str) -> None:
    """What RevokeCustomerConsent does, up to its commit."""
    pods = [pod_name(number)]
    (locked,) = tx.read(consents.lock_pods(consent_id, pods))
    assert [row.status for row in locked] == ["Acknowledged"]
    now = datetime.now(UTC)
    statement = Statement(CHANNEL, "eID", now, new_id())
    consents.revoke(tx, new_id(), consent_id, customer_id(number), pods, statement, now)
    tx.flush()

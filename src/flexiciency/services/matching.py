"""Matching at the Market Place: what is offered and what is wanted become B2B service subscriptions (B2B-SRV-SUB).

publications that changed ──► their keys ──► candidates ──► pairings (domain/matching.py)
    ──► gathered or reduced, pair by pair (domain/subscription.py) ──► stored, announced and pushed to both parties
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flexiciency.contract.ids import new_id
from flexiciency.contract.series import TimeStep
from flexiciency.delivery import service_objects
from flexiciency.delivery.outbox import Outbox
from flexiciency.domain.matching import (
    Description,
    Finding,
    Localization,
    Offer,
    Pairing,
    Subscription,
    Wanted,
    compare,
    lookup_keys,
    pairings,
    search_keys,
)
from flexiciency.domain.subscription import State, SubscriptionStatus, gathered, reduced
from flexiciency.errors import ReferenceUnknown
from flexiciency.services.replies import PLAYER
from flexiciency.soap.spyne_service import written
from flexiciency.store import publications, subscriptions
from flexiciency.store.publications import Key, Kind, Reference
from flexiciency.store.subscriptions import Pair
from flexiciency.store.transaction import Row, Transaction

_OTHER: dict[Kind, Kind] = {"Offer": "Subscription", "Subscription": "Offer"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an offered description does or does not match a wanted one, attribute by attribute."""

    offered_id: str
    wanted_id: str
    findings: tuple[Finding, ...]

    @property
    def fits(self) -> bool:
        """Whether every attribute does."""
        return all(finding.fits for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Match:
    """A pairing with its parties; those not Active keep what they have, and get nothing new."""

    pairing: Pairing
    pair: Pair
    active: bool


class Matching:
    """Keeps the Proposed B2B service subscriptions what offers and subscriptions make of them.

    The Market Place's lock must be held.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def match_party(self, tx: Transaction, registration_id: str, now: datetime) -> None:
        """After a registration became Active: all that it has published."""
        (rows,) = tx.look_up(publications.published_by(registration_id))
        self.match(tx, [row.id for row in rows], now)

    def withdraw_party(self, tx: Transaction, registration_id: str, now: datetime) -> None:
        """After a registration was withdrawn: so is what it published; what was Proposed with it is Declined."""
        (rows,) = tx.look_up(publications.published_by(registration_id))
        ids = [row.id for row in rows]
        publications.withdraw(tx, ids)
        self.match(tx, ids, now)

    def match(self, tx: Transaction, publication_ids: Sequence[str], now: datetime) -> None:
        """After these offers and subscriptions appeared, changed or were withdrawn."""
        if not publication_ids:
            return
        tx.flush()
        (rows,) = tx.look_up(publications.publications(publication_ids))
        own = [row for row in rows if row.status == "Published"]
        publications.put_keys(tx, publication_ids, _search_keys(own))
        tx.flush()
        (found,) = tx.look_up(publications.candidates(_lookup_keys(own), _references(own)))
        matches = _matches(own, found)
        pairs = {match.pair for match in matches}
        (stored,) = tx.look_up(subscriptions.states(pairs, publication_ids))
        changed = _changed(matches, subscriptions.states_of(stored), frozenset(publication_ids))
        if changed:
            subscriptions.put(tx, [(pair, after) for pair, _, after in changed])
            told = [after.id for _, before, after in changed if before is None or before.version != after.version]
            self.tell(tx, told, now)

    def tell(self, tx: Transaction, b2b_ids: Sequence[str], now: datetime) -> None:
        """Push B2B service subscriptions as they are now to both parties, and give them their place in the directory.

        A party without an address finds them in its mailbox.
        """
        if not b2b_ids:
            return
        subscriptions.announce(tx, b2b_ids)
        tx.flush()
        (rows,) = tx.look_up(subscriptions.b2b_subscriptions(b2b_ids))
        for row in rows:
            content = written(service_objects.b2b(PLAYER, row))
            for party in (row.provider_id, row.requester_id):
                self._outbox.push_object(tx, party, "ReceiveB2BServiceSubscription", content, row.id, now)


def why(tx: Transaction, offer_id: str, subscription_id: str) -> list[Explanation]:
    """Why an offer does or does not match a subscription: each offered description with each wanted one.

    Raises ReferenceUnknown when there is no such offer or subscription.
    """
    (rows,) = tx.look_up(publications.publications([offer_id, subscription_id]))
    offered = [row for row in rows if row.publication_id == offer_id and row.kind == "Offer"]
    wanted = [row for row in rows if row.publication_id == subscription_id and row.kind == "Subscription"]
    if not offered:
        raise ReferenceUnknown(f"There is no offer {offer_id} here. Name the offer (MKP-SRV-OFF) by its Id.")
    if not wanted:
        raise ReferenceUnknown(
            f"There is no subscription {subscription_id} here. Name the subscription (MKP-SRV-SUB) by its Id."
        )
    return [
        Explanation(here.id, there.id, compare(description_of(here), Wanted(description_of(there), there.by_reference)))
        for here in offered
        for there in wanted
    ]


def description_of(row: Row) -> Description:
    """What is matched of a description that a publication holds."""
    return Description(
        id=row.id,
        service_type=row.publication_type,
        aggregation_level=row.aggregation_level,
        aggregation_method=row.aggregation_method,
        quantity=row.quantity,
        time_step=row.time_step and TimeStep(row.time_step).seconds,
        period=None if row.period_start is None else (row.period_start, row.period_end),
        localization=localization_of(row.localization),
    )


def localization_of(stored: Mapping[str, Sequence[str]] | None) -> Localization | None:
    """com:Localization, as it is stored by element name."""
    if stored is None:
        return None
    countries, cities, streets, pods = (tuple(stored.get(name, ())) for name in ("Country", "City", "Street", "PoD"))
    return Localization(countries, cities, streets, pods)


def _search_keys(own: Iterable[Row]) -> list[Key]:
    return [
        Key(row.publication_id, row.id, row.kind, key)
        for row in own
        for key in sorted(search_keys(description_of(row)))
    ]


def _lookup_keys(own: Iterable[Row]) -> list[Key]:
    """What is wanted by reference is found by that alone."""
    return [
        Key(row.publication_id, row.id, _OTHER[row.kind], key)
        for row in own
        if row.kind == "Offer" or not row.by_reference
        for key in sorted(lookup_keys(description_of(row)))
    ]


def _references(own: Iterable[Row]) -> list[Reference]:
    return [
        Reference(row.publication_id, row.id, _OTHER[row.kind])
        for row in own
        if row.kind == "Offer" or row.by_reference
    ]


def _matches(own: Iterable[Row], found: Iterable[Row]) -> set[_Match]:
    """Of candidates those that match by the rule."""
    by_id = {(row.publication_id, row.id): row for row in own}
    matches = set()
    for other in found:
        mine = by_id[other.own_id, other.own_description_id]
        offered, wanted = (mine, other) if mine.kind == "Offer" else (other, mine)
        pair, active = Pair(offered.party_id, wanted.party_id), offered.active and wanted.active
        matches |= {_Match(pairing, pair, active) for pairing in pairings(_offer(offered), _subscription(wanted))}
    return matches


def _offer(row: Row) -> Offer:
    return Offer(row.publication_id, row.version, row.party_id, (description_of(row),))


def _subscription(row: Row) -> Subscription:
    wanted = Wanted(description_of(row), row.by_reference)
    return Subscription(row.publication_id, row.version, row.party_id, (wanted,))


def _changed(
    matches: Iterable[_Match], stored: dict[Pair, list[State]], publication_ids: frozenset[str]
) -> list[tuple[Pair, State | None, State]]:
    """What becomes of each pair's Proposed one: pair, before, after. Pairs without a change are left out."""
    by_pair: defaultdict[Pair, list[_Match]] = defaultdict(list)
    for match in matches:
        by_pair[match.pair].append(match)
    changes = []
    for pair in sorted(by_pair.keys() | stored.keys()):
        existing = stored.get(pair, [])
        before = next((state for state in existing if state.status is SubscriptionStatus.PROPOSED), None)
        after = _after(before, existing, by_pair[pair], publication_ids)
        if after is not None:
            changes.append((pair, before, after))
    return changes


def _after(
    before: State | None, existing: Sequence[State], matches: Iterable[_Match], publication_ids: frozenset[str]
) -> State | None:
    """The Proposed one of a pair, first grown and then without what matches no more; None when nothing changes."""
    standing = {match.pairing.identity for match in matches}

    def gone(pairing: Pairing) -> bool:
        concerned = pairing.offer_id in publication_ids or pairing.subscription_id in publication_ids
        return concerned and pairing.identity not in standing

    active = [match.pairing for match in matches if match.active]
    grown = gathered(existing, active, new_id())
    proposed = grown or before
    return grown if proposed is None else reduced(proposed, gone) or grown

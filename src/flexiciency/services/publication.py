"""MKP-SRV-OFF, MKP-SRV-SUB and MKP-SRV-DES: published, changed by a new version, withdrawn (D2.3, 2.3).

message ─► agrees with itself ─► agrees with what is stored ─► descriptions stored ─► publication stored ─► matched
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flexiciency.delivery import service_objects
from flexiciency.domain.registration import may_offer, may_subscribe
from flexiciency.errors import IdentifierTaken, OperationNotAllowed, ReferenceUnknown, SchemaInvalid, StateConflict
from flexiciency.services import publication_find, service_description
from flexiciency.services.activation import must_be_speaker
from flexiciency.services.exchange import transaction_of
from flexiciency.services.matching import Matching
from flexiciency.services.replies import MARKET_PLACE
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler
from flexiciency.store import market, publications
from flexiciency.store.publications import Description, Kind, Publication
from flexiciency.store.transaction import Row, Transaction

MOST_DETAILS = 20
"""Service descriptions in one offer or subscription: each is compared with each of what may match."""


@dataclass(frozen=True, slots=True)
class _Detail:
    """One ServiceDetails as sent: the id of its description, which stands there itself unless by reference."""

    id: str
    described: Any | None
    path: str


@dataclass(frozen=True, slots=True)
class _Sent:
    """An offer or subscription as sent."""

    kind: Kind
    id: str
    service_type: str
    party_id: str
    version: int
    details: tuple[_Detail, ...]
    path: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored already: the publication, its descriptions by id, and what is Published with each of them."""

    publication: Publication | None
    descriptions: dict[str, Row]
    holders: dict[str, list[Row]]


class PublicationService:
    """What providers offer and requesters want."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching

    @property
    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "PublishServiceOffer": self._publish_offer,
            "FindServiceOffers": publication_find.offers,
            "WithdrawServiceOffer": self._withdraw_offer,
            "PublishServiceSubscription": self._publish_subscription,
            "FindServiceSubscriptions": publication_find.subscriptions,
            "WithdrawServiceSubscription": self._withdraw_subscription,
            "PublishServiceDescription": self._publish_description,
            "WithdrawServiceDescription": _withdraw_description,
            "ReadServiceDescription": publication_find.description,
            "FindServiceDescriptions": publication_find.descriptions,
        }

    def _publish_offer(self, call: Call, message: Any) -> Any:
        """MKP-SRV-OFF as stored. Raises OperationNotAllowed, and what `_publish` raises."""
        offer = message.MarketPlaceServiceOffer
        must_be_speaker(offer.Supplier, call, "MarketPlaceServiceOffer/Supplier")
        if not may_offer(call.speaker.role, offer.ServiceType):
            raise OperationNotAllowed(
                f"{call.speaker.id} is {call.speaker.role}, a role that does not offer {offer.ServiceType}. "
                "Publish it with a registration in a role that does.",
                path=f"{call.operation.name}/MarketPlaceServiceOffer/ServiceType",
            )
        stored = self._publish(call, _sent("Offer", offer, offer.Supplier, call))
        return MARKET_PLACE.PublishServiceOfferResponse(
            MarketPlaceServiceOffer=service_objects.offer(MARKET_PLACE, stored)
        )

    def _publish_subscription(self, call: Call, message: Any) -> Any:
        """MKP-SRV-SUB as stored. Raises OperationNotAllowed, and what `_publish` raises."""
        subscription = message.MarketPlaceServiceSubscription
        must_be_speaker(subscription.Requester, call, "MarketPlaceServiceSubscription/Requester")
        if not may_subscribe(call.speaker.role):
            raise OperationNotAllowed(f"{call.speaker.id} is {call.speaker.role}, a role that does not subscribe.")
        stored = self._publish(call, _sent("Subscription", subscription, subscription.Requester, call))
        return MARKET_PLACE.PublishServiceSubscriptionResponse(
            MarketPlaceServiceSubscription=service_objects.subscription(MARKET_PLACE, stored)
        )

    def _withdraw_offer(self, call: Call, message: Any) -> Any:
        """MKP-SRV-OFF, Withdrawn for good. Raises ReferenceUnknown, StateConflict."""
        stored = self._withdraw(call, "Offer", message.ServiceOfferId, "ServiceOfferId")
        return MARKET_PLACE.WithdrawServiceOfferResponse(
            MarketPlaceServiceOffer=service_objects.offer(MARKET_PLACE, stored)
        )

    def _withdraw_subscription(self, call: Call, message: Any) -> Any:
        """MKP-SRV-SUB, Withdrawn for good. Raises ReferenceUnknown, StateConflict."""
        stored = self._withdraw(call, "Subscription", message.ServiceSubscriptionId, "ServiceSubscriptionId")
        return MARKET_PLACE.WithdrawServiceSubscriptionResponse(
            MarketPlaceServiceSubscription=service_objects.subscription(MARKET_PLACE, stored)
        )

    def _publish_description(self, call: Call, message: Any) -> Any:
        """MKP-SRV-DES as stored; what holds it is matched anew.

        Raises IdentifierTaken for another's, StateConflict for one in use, SchemaInvalid, ReferenceUnknown.
        """
        sent, tx = message.MarketPlaceServiceDescription, transaction_of(call)
        path = f"{call.operation.name}/MarketPlaceServiceDescription"
        market.lock(tx)
        rows, holders = tx.look_up(publications.descriptions([sent.Id]), publications.holders([sent.Id]))
        stored = rows[0] if rows else None
        service_description.must_be_own(call.speaker.id, sent.Id, stored, path)
        service_description.must_know_references(tx, [(sent, path)])
        described = service_description.read(sent, stored and stored.service_type, path)
        if service_description.put(tx, call.speaker.id, [(described, path)], {row.id: row for row in rows}):
            held = sorted({holder.publication_id for holder in holders})
            _must_stay_few(tx, call.speaker.id, held, f"{path}/Localization")
            self._matching.match(tx, held, call.now)
        tx.flush()
        (rows,) = tx.look_up(publications.descriptions([sent.Id]))
        return MARKET_PLACE.PublishServiceDescriptionResponse(
            MarketPlaceServiceDescription=service_objects.description(MARKET_PLACE, rows[0])
        )

    def _publish(self, call: Call, sent: _Sent) -> Publication:
        """The publication as stored and matched.

        Raises IdentifierTaken, StateConflict for a status or version other than the next, ReferenceUnknown, and
        SchemaInvalid for a description that does not say what the service type needs.
        """
        tx = transaction_of(call)
        market.lock(tx)
        known = _known(tx, sent)
        _must_be_next(sent, known.publication)
        inline = [(one.described, one.path) for one in sent.details if one.described is not None]
        service_description.must_know_references(tx, inline, sent.id)
        described = [one for detail in sent.details if (one := _described(sent, detail, known)) is not None]
        _must_be_few(sent, known, described)
        changed = service_description.put(tx, sent.party_id, described, known.descriptions)
        publications.put(
            tx, publication_id=sent.id, kind=sent.kind, party_id=sent.party_id, service_type=sent.service_type,
            version=sent.version, details=[(one.id, one.described is None) for one in sent.details], now=call.now,
        )  # fmt: skip
        held = {holder.publication_id for identifier in changed for holder in known.holders.get(identifier, ())}
        self._matching.match(tx, sorted(held | {sent.id}), call.now)
        return _stored(tx, sent.id)

    def _withdraw(self, call: Call, kind: Kind, publication_id: str, element: str) -> Publication:
        tx, path = transaction_of(call), f"{call.operation.name}/{element}"
        market.lock(tx)
        (rows,) = tx.look_up(publications.publications([publication_id]))
        if not rows or (rows[0].kind, rows[0].party_id) != (kind, call.speaker.id):
            raise ReferenceUnknown(
                f"There is no {kind.lower()} {publication_id} of {call.speaker.id} here. Withdraw your own only.",
                path=path,
            )
        if rows[0].status == "Withdrawn":
            raise StateConflict(f"{publication_id} is Withdrawn already, and stays so.", path=path)
        publications.withdraw(tx, [publication_id])
        self._matching.match(tx, [publication_id], call.now)
        return _stored(tx, publication_id)


def _withdraw_description(call: Call, message: Any) -> Any:
    """MKP-SRV-DES, withdrawn for good: it is not found, and nothing new refers to it.

    Raises ReferenceUnknown, or StateConflict for one that is withdrawn, or held by what is Published.
    """
    tx, path = transaction_of(call), f"{call.operation.name}/ServiceDescriptionId"
    market.lock(tx)
    identifier = message.ServiceDescriptionId
    rows, holders = tx.look_up(publications.descriptions([identifier]), publications.holders([identifier]))
    if not rows or rows[0].owner_id != call.speaker.id:
        raise ReferenceUnknown(
            f"There is no service description {identifier} of {call.speaker.id} here. Withdraw your own only.",
            path=path,
        )
    if rows[0].withdrawn_at is not None:
        raise StateConflict(f"{identifier} is withdrawn already, and stays so.", path=path)
    if holders:
        raise StateConflict(
            f"{holders[0].kind} {holders[0].publication_id} holds {identifier}. Withdraw that first, or publish it "
            "without this description.",
            path=path,
        )
    publications.withdraw_description(tx, identifier, call.now)
    return MARKET_PLACE.WithdrawServiceDescriptionResponse(
        MarketPlaceServiceDescription=service_objects.description(MARKET_PLACE, rows[0])
    )


def _sent(kind: Kind, sent: Any, party_id: str, call: Call) -> _Sent:
    """Raises StateConflict for a Status other than Published, IdentifierTaken where a description stands twice."""
    path = f"{call.operation.name}/{type(sent).get_type_name()}"
    if sent.Status != "Published":
        raise StateConflict(
            f"Status is {sent.Status}; what is published is Published, and withdrawn by an operation of its own.",
            path=f"{path}/Status",
        )
    return _Sent(kind, sent.Id, sent.ServiceType, party_id, sent.Version, _details(sent.ServiceDetails, path), path)


def _details(sent: Sequence[Any], path: str) -> tuple[_Detail, ...]:
    if len(sent) > MOST_DETAILS:
        raise SchemaInvalid(
            f"There are {len(sent):,} ServiceDetails; at most {MOST_DETAILS} are taken. Publish several, each with its "
            "own Id.",
            path=f"{path}/ServiceDetails",
        )
    details: dict[str, _Detail] = {}
    for number, detail in enumerate(sent, 1):
        described = detail.MarketPlaceServiceDescription
        identifier = detail.MarketPlaceServiceDescriptionRef if described is None else described.Id
        place = f"[{number}]" if len(sent) > 1 else ""
        element = "MarketPlaceServiceDescriptionRef" if described is None else "MarketPlaceServiceDescription"
        if identifier in details:
            raise IdentifierTaken(
                f"Service description {identifier} stands twice in ServiceDetails. Name each once.",
                path=f"{path}/ServiceDetails{place}/{element}",
            )
        details[identifier] = _Detail(identifier, described, f"{path}/ServiceDetails{place}/{element}")
    return tuple(details.values())


def _known(tx: Transaction, sent: _Sent) -> _Known:
    ids = [detail.id for detail in sent.details]
    published, described, holding = tx.look_up(
        publications.publications([sent.id]), publications.descriptions(ids), publications.holders(ids)
    )
    holders: defaultdict[str, list[Row]] = defaultdict(list)
    for row in holding:
        holders[row.description_id].append(row)
    found = publications.publications_of(published)
    return _Known(found[0] if found else None, {row.id: row for row in described}, holders)


def _must_be_next(sent: _Sent, stored: Publication | None) -> None:
    """A new one begins with Version 1, a change is one more. Raises IdentifierTaken, StateConflict."""
    if stored is not None and (stored.kind, stored.party_id) != (sent.kind, sent.party_id):
        raise IdentifierTaken(
            f"{sent.id} is the {stored.kind.lower()} of {stored.party_id} already. Give a new {sent.kind.lower()} a "
            "new Id; a retry keeps its MessageID.",
            path=f"{sent.path}/Id",
        )
    if stored is not None and stored.status == "Withdrawn":
        raise StateConflict(f"{sent.id} is Withdrawn, and stays so. Publish under a new Id.", path=f"{sent.path}/Id")
    expected = 1 if stored is None else stored.version + 1
    if sent.version != expected:
        raise StateConflict(
            f"Version is {sent.version}; the next one of {sent.id} is {expected}. A retry keeps its MessageID.",
            path=f"{sent.path}/Version",
        )


def _described(sent: _Sent, detail: _Detail, known: _Known) -> tuple[Description, str] | None:
    """A description as the publisher now wants it stored; None for one that a subscription takes from an offer."""
    stored, holders = known.descriptions.get(detail.id), known.holders.get(detail.id, [])
    if detail.described is not None:
        service_description.must_be_own(sent.party_id, detail.id, stored, detail.path)
        description = service_description.read(detail.described, sent.service_type, detail.path)
    elif sent.kind == "Subscription":
        _must_be_offered(sent, detail, holders)
        return None
    elif stored is None or stored.owner_id != sent.party_id or stored.withdrawn_at is not None:
        raise ReferenceUnknown(
            f"{sent.party_id} has no service description {detail.id} here. Publish it first, or give it inline.",
            path=detail.path,
        )
    else:
        description = publications.description_of(stored, sent.service_type)
        service_description.must_be_complete(description, detail.path)
    _must_be_of_one_type(sent, detail, holders)
    return description, detail.path


def _must_be_few(sent: _Sent, known: _Known, described: Sequence[tuple[Description, str]]) -> None:
    """All that a publication names is bounded, what it refers to included. Raises SchemaInvalid."""
    places = {row.id: row.localization for row in known.descriptions.values()}
    places |= {one.id: one.localization for one, _ in described}
    service_description.must_be_few([place for place in places.values() if place], f"{sent.path}/ServiceDetails")


def _must_stay_few(tx: Transaction, owner_id: str, publication_ids: Sequence[str], path: str) -> None:
    """What the owner's publications name is bounded after a change of one description too. Raises SchemaInvalid."""
    tx.flush()
    (rows,) = tx.look_up(publications.publications(publication_ids))
    named = defaultdict(list)
    for row in rows:
        if row.party_id == owner_id and row.localization:
            named[row.publication_id].append(row.localization)
    for places in named.values():
        service_description.must_be_few(places, path)


def _must_be_offered(sent: _Sent, detail: _Detail, holders: Sequence[Row]) -> None:
    """A subscription refers to what an offer of the same service type holds. Raises ReferenceUnknown, StateConflict."""
    offers = [holder for holder in holders if holder.kind == "Offer"]
    if not offers:
        raise ReferenceUnknown(
            f"No Published offer holds a service description {detail.id}. Describe what is wanted inline.",
            path=detail.path,
        )
    if offers[0].service_type != sent.service_type:
        raise StateConflict(
            f"Offer {offers[0].publication_id} holds {detail.id} for {offers[0].service_type}, which is not the "
            f"{sent.service_type} of the subscription. Make them agree.",
            path=detail.path,
        )


def _must_be_of_one_type(sent: _Sent, detail: _Detail, holders: Sequence[Row]) -> None:
    """A description has the service type of all that its owner publishes with it. Raises StateConflict."""
    for holder in holders:
        theirs = holder.kind == "Subscription" and holder.by_reference
        if not theirs and holder.publication_id != sent.id and holder.service_type != sent.service_type:
            raise StateConflict(
                f"{holder.publication_id} holds service description {detail.id} for {holder.service_type}. "
                f"Give the one for {sent.service_type} an Id of its own.",
                path=detail.path,
            )


def _stored(tx: Transaction, publication_id: str) -> Publication:
    """As it is now; what was written must have been flushed."""
    (rows,) = tx.look_up(publications.publications([publication_id]))
    (publication,) = publications.publications_of(rows)
    return publication

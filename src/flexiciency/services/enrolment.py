"""Enrolment of a Market Player for one role (D2.3, 2.2): MPL-REG, MPL-DES, MPL-AUT and MPL-ADD in one request.

message ─► agrees with itself ─► certificates trusted, one of them signed ─► agrees with what is stored ─► Pending
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flexiciency.delivery import player_objects
from flexiciency.errors import (
    CertificateNotBound,
    IdentifierTaken,
    ReferenceUnknown,
    RequesterMismatch,
    StateConflict,
)
from flexiciency.services.exchange import transaction_of
from flexiciency.services.replies import MARKET_PLACE
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler
from flexiciency.store import market, registrations
from flexiciency.store.directory import ENTERED
from flexiciency.store.registrations import Account, Company, Location
from flexiciency.store.transaction import Row, Transaction
from flexiciency.wire.trust import TrustAnchors

_ACCOUNT, _LOCATION = "MarketPlayerAuthentication", "MarketPlayerLocation"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one request asks to store; `named` are the registrations that its MPL-DES names."""

    registration_id: str
    role: str
    company: Company
    named: frozenset[str]
    accounts: tuple[Account, ...]
    locations: tuple[Location, ...]


class EnrolmentService:
    """Enrols Market Players; their certificates must chain to the anchors."""

    def __init__(self, anchors: TrustAnchors) -> None:
        self._anchors = anchors

    @property
    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {"EnrolMarketPlayer": self._enrol}

    def _enrol(self, call: Call, message: Any) -> Any:
        """MPL-REG as stored, Pending until the operator approves it. Signed with one of the certificates enrolled.

        Raises RequesterMismatch, ReferenceUnknown, StateConflict, IdentifierTaken, CertificateNotBound, and what
        `read_account` and `read_location` raise.
        """
        _check_registration(call, message.MarketPlayerRegistration)
        _check_references(call, message)
        asked, tx = self._read(call, message), transaction_of(call)
        _check_possession(call, asked.accounts)
        market.lock(tx)
        _check_stored(call, tx, asked)
        _insert(call, tx, asked)
        tx.flush()
        (rows,) = tx.look_up(registrations.registrations([asked.registration_id]))
        return MARKET_PLACE.EnrolMarketPlayerResponse(
            MarketPlayerRegistration=player_objects.registration(MARKET_PLACE, rows[0])
        )

    def _read(self, call: Call, message: Any) -> _Asked:
        described, asked = message.MarketPlayerDescription, message.MarketPlayerRegistration
        return _Asked(
            registration_id=asked.Id,
            role=asked.Role,
            company=player_objects.read_company(described),
            named=frozenset(described.MarketPlayerRegistrationRef),
            accounts=tuple(
                player_objects.read_account(self._anchors, account, call.now, path)
                for path, account in _placed(call, _ACCOUNT, message.MarketPlayerAuthentication)
            ),
            locations=tuple(
                player_objects.read_location(location, path)
                for path, location in _placed(call, _LOCATION, message.MarketPlayerLocation)
            ),
        )


def _check_registration(call: Call, asked: Any) -> None:
    """What the MPL-REG of a newcomer may say."""
    path = f"{call.operation.name}/MarketPlayerRegistration"
    if asked.Id != call.speaker.id:
        raise RequesterMismatch(
            f"The registration that enrols is {asked.Id}, wsa:From names {call.speaker.id}. Enrol in its own name.",
            path=f"{path}/Id",
        )
    if asked.Status != "Pending":
        raise StateConflict(
            f"The registration that enrols is {asked.Status}; expected Pending, until the operator approves it.",
            path=f"{path}/Status",
        )
    for element in ("MarketPlaceServiceOfferRef", "MarketPlaceServiceSubscriptionRef"):
        named = getattr(asked, element)
        if named:
            raise ReferenceUnknown(
                f"{named[0]} is not published. Enrol first, without offers and subscriptions; then publish.",
                path=f"{path}/{element}",
            )


def _check_references(call: Call, message: Any) -> None:
    """The objects of one request refer to each other, and no two have the same Id."""
    asked, described = message.MarketPlayerRegistration, message.MarketPlayerDescription
    accounts, locations = message.MarketPlayerAuthentication, message.MarketPlayerLocation or []
    registration = f"{call.operation.name}/MarketPlayerRegistration"
    _must_agree(f"{registration}/MarketPlayerDescriptionRef", [asked.MarketPlayerDescriptionRef], [described.Id])
    for element, objects in ((_ACCOUNT, accounts), (_LOCATION, locations)):
        named = getattr(asked, f"{element}Ref") or []
        _must_agree(f"{registration}/{element}Ref", named, [one.Id for one in objects])
    for path, account in _placed(call, _ACCOUNT, accounts):
        _must_agree(f"{path}/MarketPlayerRegistrationRef", [account.MarketPlayerRegistrationRef], [asked.Id])
    for path, one in (
        (f"{call.operation.name}/MarketPlayerDescription", described),
        *_placed(call, _LOCATION, locations),
    ):
        if asked.Id not in one.MarketPlayerRegistrationRef:
            raise ReferenceUnknown(
                f"{one.Id} does not name the registration that enrols, {asked.Id}. Name it.",
                path=f"{path}/MarketPlayerRegistrationRef",
            )
    ids = [asked.Id, described.Id, *(one.Id for one in (*accounts, *locations))]
    for identifier in ids:
        must_not_be_reserved(identifier, call.operation.name)
    twice = [one for one, count in Counter(ids).items() if count > 1]
    if twice:
        raise IdentifierTaken(
            f"{twice[0]} is the Id of two objects of the request. Give each its own.", path=call.operation.name
        )


def must_not_be_reserved(identifier: str, path: str) -> None:
    """What an operator enters has ids that nobody else can take. Raises IdentifierTaken."""
    if identifier.startswith(ENTERED):
        raise IdentifierTaken(f"{identifier} begins with {ENTERED}, which is reserved. Mint urn:uuid:….", path=path)


def _must_agree(path: str, found: list[str], expected: list[str]) -> None:
    if sorted(found) != sorted(expected):
        wrong = min(set(found) ^ set(expected) or set(found))
        raise ReferenceUnknown(
            f"{wrong} is not both referred to and in the request, once each. Make the objects agree.", path=path
        )


def _check_possession(call: Call, accounts: Iterable[Account]) -> None:
    """Whoever enrols has the key of at least one certificate, and may sign with it from now on."""
    signed_with = call.message.fingerprint
    valid = (one for one in accounts if one.valid_from <= call.now < one.valid_until)
    if all(one.fingerprint != signed_with for one in valid):
        raise CertificateNotBound(
            f"The message is signed with the certificate {signed_with} (SHA-256), which none of the accounts binds "
            "now. Sign with a certificate that is being enrolled and valid.",
            path=f"{call.operation.name}/{_ACCOUNT}",
        )


def _check_stored(call: Call, tx: Transaction, asked: _Asked) -> None:
    """What is asked against what is there already."""
    own = [asked.registration_id, *(one.id for one in asked.accounts), *(one.id for one in asked.locations)]
    stored, taken = tx.look_up(
        registrations.companies([asked.company.id]), registrations.taken([*own, asked.company.id])
    )
    taken_ids = {row.id for row in taken} - ({asked.company.id} if stored else set())
    if taken_ids:
        raise IdentifierTaken(
            f"{min(taken_ids)} is stored already. Give new objects new Ids; a retry keeps its MessageID.",
            path=call.operation.name,
        )
    if stored:
        _check_joining(call, tx, asked.company, stored[0])
    _check_company_members(call, asked, stored)
    check_accounts(call, tx, asked.accounts, asked.company.id)


def _check_joining(call: Call, tx: Transaction, company: Company, stored: Row) -> None:
    """A known company gets another registration from its own people only, and stays as it is."""
    path, signed_with = f"{call.operation.name}/MarketPlayerDescription", call.message.fingerprint
    (bound,) = tx.look_up(registrations.bound([signed_with], call.now))
    if not any(row.valid and row.description_id == company.id for row in bound):
        raise IdentifierTaken(
            f"The company {company.id} is stored already, and the certificate {signed_with} (SHA-256) is not bound to "
            "it. Sign with one that is, or give a new company a new Id.",
            path=f"{path}/Id",
        )
    if company != player_objects.stored_company(stored):
        raise StateConflict(
            f"The company {company.id} is stored with another description. Repeat it as ReadRegistration gives it, and "
            "change it by UpdateMarketPlayerDescription.",
            path=path,
        )


def _check_company_members(call: Call, asked: _Asked, stored: list[Row]) -> None:
    """MPL-DES names the company's registrations, MPL-ADD the newcomer alone: it may never be approved."""
    newcomer = {asked.registration_id}
    shown, every = (set(stored[0].registrations), set(stored[0].with_pending)) if stored else (set(), set())
    if not shown <= asked.named - newcomer <= every:
        raise ReferenceUnknown(
            f"The registrations of the company {asked.company.id} are {', '.join(sorted(shown)) or 'none'}; name these "
            "and the one that enrols.",
            path=f"{call.operation.name}/MarketPlayerDescription/MarketPlayerRegistrationRef",
        )
    for path, location in _placed(call, _LOCATION, asked.locations):
        others = set(location.registrations) - newcomer
        if others:
            raise ReferenceUnknown(
                f"{min(others)} is not the registration that enrols. An address that is enrolled serves that one "
                "alone; once it is Active, UpdateMarketPlayerLocation has it serve others of the company too.",
                path=f"{path}/MarketPlayerRegistrationRef",
            )


def check_accounts(call: Call, tx: Transaction, accounts: Iterable[Account], company_id: str) -> None:
    """Accounts that are to be stored name access points that there are, and no other company has their certificates.

    Raises ReferenceUnknown, IdentifierTaken.
    """
    placed = _placed(call, _ACCOUNT, list(accounts))
    known, bound = tx.look_up(
        registrations.market_place_locations({one.market_place_location_id for _, one in placed}),
        registrations.bound({one.fingerprint for _, one in placed}, call.now),
    )
    access_points = {row.id for row in known}
    elsewhere = {row.fingerprint for row in bound if row.description_id != company_id}
    for path, account in placed:
        if account.market_place_location_id not in access_points:
            raise ReferenceUnknown(
                f"The Market Place has no access point {account.market_place_location_id}. ReadMarketPlace names them.",
                path=f"{path}/MarketPlaceLocationRef",
            )
        if account.fingerprint in elsewhere:
            raise IdentifierTaken(
                f"The certificate {account.fingerprint} (SHA-256) is bound to another company. Have one of your own.",
                path=f"{path}/Certificate",
            )


def _insert(call: Call, tx: Transaction, asked: _Asked) -> None:
    registrations.put_company(tx, asked.company)
    registrations.insert_registration(tx, asked.registration_id, asked.company.id, asked.role, call.now)
    for account in asked.accounts:
        registrations.insert_account(tx, account)
    for location in asked.locations:
        registrations.put_location(tx, location)


def _placed(call: Call, element: str, objects: Iterable[Any] | None) -> list[tuple[str, Any]]:
    """Each object with its path, counted from 1 where there are several."""
    found = list(objects or ())
    counted = len(found) > 1
    return [(f"{call.operation.name}/{element}{f'[{n}]' if counted else ''}", one) for n, one in enumerate(found, 1)]

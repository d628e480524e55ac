"""Registrations (MPL-REG; D2.3, 2.2): read, found and moved, and what belongs to them changed.

A Market Player acts on the registrations of its own company; the operator of the Market Place on all.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flexiciency.delivery import player_objects
from flexiciency.domain.registration import IN_DIRECTORY, Actor, Move, MoveRefused, RegistrationStatus, moved
from flexiciency.errors import IdentifierTaken, OperationNotAllowed, ReferenceUnknown, StateConflict
from flexiciency.services.enrolment import check_accounts, must_not_be_reserved
from flexiciency.services.exchange import transaction_of
from flexiciency.services.matching import Matching
from flexiciency.services.pages import PAGE_SIZE, cut
from flexiciency.services.replies import MARKET_PLACE, receipt
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler
from flexiciency.store import market, registrations
from flexiciency.store.transaction import Row, Transaction
from flexiciency.wire.trust import TrustAnchors


class RegistrationService:
    """What Market Players do with registrations; certificates that are added must chain to the anchors."""

    def __init__(self, anchors: TrustAnchors, matching: Matching) -> None:
        self._anchors = anchors
        self._matching = matching

    @property
    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "ReadRegistration": _read,
            "FindRegistrations": _find,
            "SuspendRegistration": self._suspend,
            "ReactivateRegistration": self._reactivate,
            "WithdrawRegistration": self._withdraw,
            "UpdateMarketPlayerLocation": _update_location,
            "UpdateMarketPlayerDescription": _update_description,
            "AddMarketPlayerAuthentication": self._add_authentication,
            "WithdrawMarketPlayerAuthentication": _withdraw_authentication,
        }

    def _suspend(self, call: Call, message: Any) -> Any:
        return self._moved(call, message.RegistrationId, Move.SUSPEND)

    def _reactivate(self, call: Call, message: Any) -> Any:
        return self._moved(call, message.RegistrationId, Move.REACTIVATE)

    def _withdraw(self, call: Call, message: Any) -> Any:
        return self._moved(call, message.RegistrationId, Move.WITHDRAW)

    def _moved(self, call: Call, registration_id: str, move: Move) -> Any:
        """MPL-REG as it is after a move. Raises ReferenceUnknown, OperationNotAllowed, StateConflict."""
        tx = transaction_of(call)
        market.lock(tx)
        (row,) = _own(call, tx, [registration_id], "RegistrationId")
        _move(tx, self._matching, row, move, Actor.PLAYER, call.now)
        tx.flush()
        (rows,) = tx.look_up(registrations.registrations([registration_id]))
        reply = getattr(MARKET_PLACE, f"{call.operation.name}Response")
        return reply(MarketPlayerRegistration=player_objects.registration(MARKET_PLACE, rows[0]))

    def _add_authentication(self, call: Call, message: Any) -> Any:
        """MPL-AUT → Receipt: one more certificate of the company, beside those it has.

        Raises ReferenceUnknown, OperationNotAllowed, StateConflict, IdentifierTaken, and what `read_account` raises.
        """
        element, tx = "MarketPlayerAuthentication", transaction_of(call)
        asked = message.MarketPlayerAuthentication
        account = player_objects.read_account(self._anchors, asked, call.now, _path(call, element))
        market.lock(tx)
        (row,) = _own(call, tx, [account.registration_id], f"{element}/MarketPlayerRegistrationRef")
        _must_be_in_directory(call, [row], f"{element}/MarketPlayerRegistrationRef")
        _must_be_free(call, tx, account.id, f"{element}/Id")
        check_accounts(call, tx, [account], row.description_id)
        registrations.insert_account(tx, account)
        market.changed(tx, "MPL-AUT", account.id)
        market.changed(tx, "MPL-REG", row.id)
        return MARKET_PLACE.AddMarketPlayerAuthenticationResponse(Receipt=receipt(MARKET_PLACE, call))


def operator_move(
    tx: Transaction, matching: Matching, registration_id: str, move: Move, now: datetime
) -> RegistrationStatus:
    """What the operator does with a registration (approve, suspend, reactivate, withdraw); its new status.

    Raises ReferenceUnknown, or StateConflict where its state does not allow that.
    """
    market.lock(tx)
    (rows,) = tx.look_up(registrations.registrations([registration_id]))
    if not rows:
        raise ReferenceUnknown(f"There is no registration {registration_id}. `registration list` shows all.")
    return _move(tx, matching, rows[0], move, Actor.OPERATOR, now)


def _move(tx: Transaction, matching: Matching, row: Row, move: Move, actor: Actor, now: datetime) -> RegistrationStatus:
    """Move a registration; its offers and subscriptions follow. The lock must be held."""
    suspended_by = None if row.suspended_by is None else Actor(row.suspended_by)
    try:
        status, suspended_by = moved(RegistrationStatus(row.status), move, actor, suspended_by)
    except MoveRefused as refused:
        raise StateConflict(f"Registration {row.id}: {refused}") from refused
    if move is Move.APPROVE:
        _must_be_its_own(tx, row, now)
    if move is Move.WITHDRAW and actor is Actor.PLAYER:
        _must_leave_a_certificate(tx, row, now)
    registrations.set_status(tx, row.id, status, suspended_by, now)
    tx.flush()
    if status is RegistrationStatus.ACTIVE:
        matching.match_party(tx, row.id, now)
    if status is RegistrationStatus.WITHDRAWN:
        matching.withdraw_party(tx, row.id, now)
    if row.status != RegistrationStatus.PENDING:
        market.changed(tx, "MPL-REG", row.id)
    elif status is RegistrationStatus.ACTIVE:
        _enter_directory(tx, row)
    else:
        registrations.clear_locations(tx, row.id)
    return status


def _must_be_its_own(tx: Transaction, row: Row, now: datetime) -> None:
    """Nobody else was approved with its certificates since it enrolled. Raises StateConflict."""
    (accounts,) = tx.look_up(registrations.accounts(row.accounts))
    (bound,) = tx.look_up(registrations.bound({account.fingerprint for account in accounts}, now))
    for one in bound:
        if one.description_id != row.description_id:
            raise StateConflict(
                f"Registration {row.id}: its certificate {one.fingerprint} (SHA-256) is bound to the company "
                f"{one.description_id}. Ask both whose it is, and withdraw the other one."
            )


def _must_leave_a_certificate(tx: Transaction, row: Row, now: datetime) -> None:
    """The company's other registrations can still sign when this one has withdrawn. Raises StateConflict."""
    companies, bindings = tx.look_up(
        registrations.companies([row.description_id]), registrations.bindings(row.description_id, now)
    )
    (others,) = tx.look_up(registrations.registrations(set(companies[0].registrations) - {row.id}))
    staying = [other.id for other in others if other.status in IN_DIRECTORY]
    if staying and not any(one.valid and one.registration_id in staying for one in bindings):
        raise StateConflict(
            f"Registration {row.id} holds the last certificate of its company that is valid now. Add one to "
            f"{staying[0]} first (AddMarketPlayerAuthentication), or withdraw that one before."
        )


def _enter_directory(tx: Transaction, row: Row) -> None:
    """All that was enrolled becomes part of the directory."""
    market.changed(tx, "MPL-DES", row.description_id)
    market.changed(tx, "MPL-REG", row.id)
    for location_id in row.locations:
        market.changed(tx, "MPL-ADD", location_id)
    for account_id in row.accounts:
        market.changed(tx, "MPL-AUT", account_id)


def _read(call: Call, message: Any) -> Any:
    """MPL-REG with MPL-DES, MPL-ADD and MPL-AUT; a Pending one to its own company only. Raises ReferenceUnknown."""
    tx = transaction_of(call)
    rows, _ = _known(call, tx, [message.RegistrationId], "RegistrationId")
    (row,) = rows
    companies, locations, accounts = tx.look_up(
        registrations.companies([row.description_id]),
        registrations.locations(row.locations),
        registrations.accounts(row.accounts),
    )
    return MARKET_PLACE.ReadRegistrationResponse(
        MarketPlayerRegistration=player_objects.registration(MARKET_PLACE, row),
        MarketPlayerDescription=player_objects.company(MARKET_PLACE, companies[0]),
        MarketPlayerLocation=[player_objects.location(MARKET_PLACE, one) for one in locations],
        MarketPlayerAuthentication=[player_objects.account(MARKET_PLACE, one) for one in accounts],
    )


def _find(call: Call, message: Any) -> Any:
    """A page of the Active and Suspended MPL-REG that meet every criterion, in the order of their ids."""
    tx, size = transaction_of(call), message.PageSize or PAGE_SIZE
    found = registrations.find(
        tx, role=message.Role, company_type=message.CompanyType, name=message.Name, country=message.Country,
        after=message.Cursor, limit=size + 1,
    )  # fmt: skip
    page, cursor = cut(found, size)
    (rows,) = tx.look_up(registrations.registrations(page))
    return MARKET_PLACE.FindRegistrationsResponse(
        MarketPlayerRegistration=[player_objects.registration(MARKET_PLACE, row) for row in rows],
        NextCursor=cursor,
    )


def _update_location(call: Call, message: Any) -> Any:
    """MPL-ADD → Receipt: an address of the company, new or changed, and the registrations that it serves.

    Raises ReferenceUnknown, OperationNotAllowed, StateConflict, IdentifierTaken, SchemaInvalid.
    """
    element, tx = "MarketPlayerLocation", transaction_of(call)
    location = player_objects.read_location(message.MarketPlayerLocation, _path(call, element))
    market.lock(tx)
    named = _own(call, tx, location.registrations, f"{element}/MarketPlayerRegistrationRef")
    _must_be_in_directory(call, named, f"{element}/MarketPlayerRegistrationRef")
    (stored,) = tx.look_up(registrations.locations([location.id]))
    if not stored or stored[0].description_id != named[0].description_id:
        _must_be_free(call, tx, location.id, f"{element}/Id")
    served = set(stored[0].registrations) if stored else set()
    (changing,) = tx.look_up(registrations.registrations(served ^ set(location.registrations)))
    registrations.put_location(tx, location)
    market.changed(tx, "MPL-ADD", location.id)
    for row in changing:
        if row.status != RegistrationStatus.PENDING:
            market.changed(tx, "MPL-REG", row.id)
    return MARKET_PLACE.UpdateMarketPlayerLocationResponse(Receipt=receipt(MARKET_PLACE, call))


def _update_description(call: Call, message: Any) -> Any:
    """MPL-DES → Receipt: the caller's company with other information, contact details or territories.

    Raises ReferenceUnknown, OperationNotAllowed, StateConflict.
    """
    element, tx = "MarketPlayerDescription", transaction_of(call)
    company = player_objects.read_company(message.MarketPlayerDescription)
    market.lock(tx)
    stored, own = tx.look_up(registrations.companies([company.id]), registrations.registrations([call.speaker.id]))
    if not stored:
        raise ReferenceUnknown(f"There is no company {company.id} here.", path=_path(call, f"{element}/Id"))
    if own[0].description_id != company.id:
        raise OperationNotAllowed(
            f"{company.id} is another company; that of {call.speaker.id} is {own[0].description_id}.",
            path=_path(call, f"{element}/Id"),
        )
    (row,) = stored
    if (company.company_type, company.company_subtype) != (row.company_type, row.company_subtype):
        raise StateConflict(
            f"The company {company.id} was enrolled as {row.company_type}, {row.company_subtype}. Leave that as it is.",
            path=_path(call, f"{element}/CompanyType"),
        )
    named = set(message.MarketPlayerDescription.MarketPlayerRegistrationRef)
    if not set(row.registrations) <= named <= set(row.with_pending):
        raise ReferenceUnknown(
            f"The registrations of the company {company.id} are {', '.join(row.registrations)}. Name these; another "
            "one enrols.",
            path=_path(call, f"{element}/MarketPlayerRegistrationRef"),
        )
    registrations.put_company(tx, company)
    market.changed(tx, "MPL-DES", company.id)
    return MARKET_PLACE.UpdateMarketPlayerDescriptionResponse(Receipt=receipt(MARKET_PLACE, call))


def _withdraw_authentication(call: Call, message: Any) -> Any:
    """Receipt: the certificate of an MPL-AUT is refused from now on, whichever MPL-AUT of the company bind it.

    Raises ReferenceUnknown, OperationNotAllowed, or StateConflict where the company would have none left.
    """
    tx, element = transaction_of(call), "AuthenticationId"
    market.lock(tx)
    (found,) = tx.look_up(registrations.accounts([message.AuthenticationId]))
    if not found:
        raise ReferenceUnknown(f"There is no account {message.AuthenticationId} here.", path=_path(call, element))
    (account,) = found
    _own(call, tx, [account.registration_id], element)
    if account.withdrawn_at is not None:
        raise StateConflict(
            f"{account.id} was withdrawn on {account.withdrawn_at:%Y-%m-%dT%H:%M:%SZ}.", path=_path(call, element)
        )
    (bindings,) = tx.look_up(registrations.bindings(account.description_id, call.now))
    if not any(one.valid and one.fingerprint != account.fingerprint for one in bindings):
        raise StateConflict(
            f"{account.id} binds the last certificate of its company that is valid now. Add another one first.",
            path=_path(call, element),
        )
    withdrawn = [one for one in bindings if one.fingerprint == account.fingerprint]
    registrations.withdraw_accounts(tx, [one.id for one in withdrawn], call.now)
    for one in withdrawn:
        if one.status != RegistrationStatus.PENDING:
            market.changed(tx, "MPL-AUT", one.id)
            market.changed(tx, "MPL-REG", one.registration_id)
    return MARKET_PLACE.WithdrawMarketPlayerAuthenticationResponse(Receipt=receipt(MARKET_PLACE, call))


def _known(call: Call, tx: Transaction, ids: Iterable[str], element: str) -> tuple[list[Row], str]:
    """Registrations that the caller may know of, and the id of its own company. Raises ReferenceUnknown."""
    asked = set(ids)
    (rows,) = tx.look_up(registrations.registrations(asked | {call.speaker.id}))
    (company_id,) = {row.description_id for row in rows if row.id == call.speaker.id}
    known = [row for row in rows if row.id in asked and (row.status != "Pending" or row.description_id == company_id)]
    unknown = asked - {row.id for row in known}
    if unknown:
        raise ReferenceUnknown(f"There is no registration {min(unknown)} here.", path=_path(call, element))
    return known, company_id


def _own(call: Call, tx: Transaction, ids: Iterable[str], element: str) -> list[Row]:
    """Registrations of the caller's company. Raises ReferenceUnknown, OperationNotAllowed."""
    rows, company_id = _known(call, tx, ids, element)
    for row in rows:
        if row.description_id != company_id:
            raise OperationNotAllowed(
                f"{row.id} is a registration of another company; {call.speaker.id} acts for its own company only.",
                path=_path(call, element),
            )
    return rows


def _must_be_in_directory(call: Call, rows: Iterable[Row], element: str) -> None:
    """What is added to a registration is known to others at once."""
    for row in rows:
        if row.status not in IN_DIRECTORY:
            raise StateConflict(
                f"Registration {row.id} is {row.status}; expected one that is {' or '.join(IN_DIRECTORY)}.",
                path=_path(call, element),
            )


def _must_be_free(call: Call, tx: Transaction, identifier: str, element: str) -> None:
    must_not_be_reserved(identifier, _path(call, element))
    (taken,) = tx.look_up(registrations.taken([identifier]))
    if taken:
        raise IdentifierTaken(
            f"{identifier} is stored already. Give a new object a new Id; a retry keeps its MessageID.",
            path=_path(call, element),
        )


def _path(call: Call, element: str) -> str:
    return f"{call.operation.name}/{element}"

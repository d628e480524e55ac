"""What the Market Place says of itself, DSO mapping, and the directory since a cursor (D2.3, 2.2)."""

import re
from typing import Any

from flexiciency.delivery import player_objects
from flexiciency.delivery.directory import changes_after
from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.services.exchange import transaction_of
from flexiciency.services.pages import PAGE_SIZE
from flexiciency.services.replies import MARKET_PLACE
from flexiciency.soap.endpoint import Call
from flexiciency.soap.spyne_service import Handler
from flexiciency.store import market_place, registrations

_BEGINNING = "0"
_CURSOR = re.compile("[0-9]{1,18}")  # what fits into a bigint


class DirectoryService:
    """Operations that only read, open to every Active registration."""

    @property
    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "ReadMarketPlace": self._market_place,
            "FindDso": self._find_dso,
            "ReadDirectoryChanges": self._changes,
        }

    def _market_place(self, call: Call, _message: Any = None) -> Any:
        """MKP-DES and MKP-ADD. Raises StateConflict until the operator has entered both.

        Of the accounts (MPL-AUT) that connect to a location the caller is told its own company's: with whom others
        have accounts is not its business.
        """
        described, locations = transaction_of(call).look_up(
            market_place.description(), market_place.locations(call.speaker.id)
        )
        if not described or not locations:
            missing = "location (MKP-ADD)" if described else "description (MKP-DES)"
            raise StateConflict(f"This Market Place has no {missing} yet. Its operator must enter one first.")
        (description,) = described
        return MARKET_PLACE.ReadMarketPlaceResponse(
            MarketPlaceDescription=MARKET_PLACE.MarketPlaceDescription(
                Id=description.id,
                Purpose=description.purpose,
                LegalInformation=description.legal_information,
                ContactDetails=description.contact_details,
                StakeholderAndCommunity=description.stakeholder_and_community,
                Help=description.help,
                UsageCondition=description.usage_condition,
                MarketPlaceLocationRef=[location.id for location in locations],
            ),
            MarketPlaceLocation=[
                MARKET_PLACE.MarketPlaceLocation(
                    Id=location.id,
                    Uri=location.uri,
                    MarketPlaceDescriptionRef=description.id,
                    MarketPlayerAuthenticationRef=location.users,
                )
                for location in locations
            ],
        )

    def _find_dso(self, call: Call, message: Any) -> Any:
        """DSO mapping: the registrations (MPL-REG) and companies (MPL-DES) of the DSOs of a PoD or a place."""
        tx, asked = transaction_of(call), message.Location
        if asked.PoD is not None:
            (found,) = tx.look_up(market_place.dsos_of_pod(asked.PoD))
        else:
            (found,) = tx.look_up(market_place.dsos_of_place(asked.Place.Country, asked.Place.City))
        ids = [row.id for row in found]
        (rows,) = tx.look_up(registrations.registrations(ids))
        dsos = {row.id: player_objects.registration(MARKET_PLACE, row) for row in rows}
        (rows,) = tx.look_up(registrations.companies({one.MarketPlayerDescriptionRef for one in dsos.values()}))
        companies = {row.id: player_objects.company(MARKET_PLACE, row) for row in rows}
        return MARKET_PLACE.FindDsoResponse(
            Outcome="Unknown" if not ids else "Unique" if len(ids) == 1 else "Ambiguous",
            Dso=[
                MARKET_PLACE.Dso(
                    MarketPlayerRegistration=dsos[one],
                    MarketPlayerDescription=companies[dsos[one].MarketPlayerDescriptionRef],
                )
                for one in ids
            ],
        )

    def _changes(self, call: Call, message: Any) -> Any:
        """The directory since a cursor, for the caller. Raises ReferenceUnknown for a cursor that is none of ours."""
        cursor = message.Cursor or _BEGINNING
        if not _CURSOR.fullmatch(cursor):
            raise ReferenceUnknown(
                f"{cursor!r} is no cursor of this directory. Give the NextCursor of an earlier reply, or none.",
                path="ReadDirectoryChanges/Cursor",
            )
        size = message.PageSize or PAGE_SIZE
        changes, last = changes_after(
            transaction_of(call), MARKET_PLACE, call.speaker.id, after=int(cursor), limit=size
        )
        return MARKET_PLACE.ReadDirectoryChangesResponse(DirectoryChange=changes, NextCursor=str(last))

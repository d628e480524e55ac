"""What a Market Player asks of the Market Place (D2.3, 4.1)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flexiciency.client import market_reading, market_writing, reading
from flexiciency.client.caller import Caller
from flexiciency.client.market_objects import (
    Account,
    B2BStatus,
    B2BSubscription,
    Company,
    CompanyType,
    Criteria,
    DirectoryChanges,
    Enrolment,
    FoundDso,
    Location,
    MarketPlaceInfo,
    Page,
    Registration,
    Role,
    ServiceDescription,
    ServiceOffer,
    ServiceSubscription,
    ServiceType,
    T,
)
from flexiciency.client.objects import Mailbox, MailboxItem, PingReply, Receipt
from flexiciency.client.transport import DEFAULT_SETTINGS, ClientSettings
from flexiciency.contract.catalogue import MARKET_PLACE
from flexiciency.soap.posting import Partner
from flexiciency.wire.addressing import MARKET_PLACE_URN, MARKET_PLAYER_URN, new_message_id
from flexiciency.wire.identity import Identity
from flexiciency.wire.trust import TrustAnchors


class MarketPlace(Caller):
    """A registration of a Market Player as a client of the Market Place.

    Each method that changes something takes a `message_id`, which works as in `MarketPlayer`. What is found comes in
    pages of at most `page_size` objects (1 to 1,000; None: 100); `pages` follows their cursors.
    """

    def __init__(
        self,
        identity: Identity,
        registration_id: str,
        url: str,
        anchors: TrustAnchors,
        *,
        fingerprints: Iterable[str] | None = None,
        settings: ClientSettings = DEFAULT_SETTINGS,
    ) -> None:
        """`registration_id` is the MPL-REG id, enrolled or about to be; the rest as in `MarketPlayer`."""
        pinned = None if fingerprints is None else frozenset(fingerprints)
        partner = Partner(url.removesuffix("?wsdl"), MARKET_PLACE_URN, anchors, pinned)
        super().__init__(MARKET_PLACE, identity, MARKET_PLAYER_URN + registration_id, partner, settings)
        self.registration_id = registration_id

    def ping(self) -> PingReply:
        """Whether the Market Place answers."""
        return reading.ping_reply(self._ask("Ping"))

    def read_market_place(self) -> MarketPlaceInfo:
        """MKP-DES and MKP-ADD: what the Market Place says of itself (D2.3, 2.2)."""
        return market_reading.market_place(self._ask("ReadMarketPlace"))

    def enrol(self, enrolment: Enrolment, *, message_id: str | None = None) -> Registration:
        """MPL-REG with MPL-DES, MPL-AUT and MPL-ADD: enrol for one role (D2.3, 2.2).

        Signed with the certificate of one of its accounts; Pending until the operator approves it.
        """
        return market_reading.registration(
            self._change("EnrolMarketPlayer", message_id, **market_writing.enrolment(enrolment))
        )

    def read_registration(self, registration_id: str) -> Enrolment:
        """MPL-REG, ours or another's, with its MPL-DES, MPL-ADD and MPL-AUT."""
        return market_reading.enrolment(self._ask("ReadRegistration", RegistrationId=registration_id))

    def find_registrations(
        self,
        *,
        role: Role | None = None,
        company_type: CompanyType | None = None,
        name: str | None = None,
        country: str | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Page[Registration]:
        """MPL-REG; `name` is a part of the company's."""
        found = self._ask(
            "FindRegistrations",
            Role=role, CompanyType=company_type, Name=name, Country=country, PageSize=page_size, Cursor=cursor,
        )  # fmt: skip
        return market_reading.page(found.MarketPlayerRegistration, found.NextCursor, market_reading.registration)

    def suspend(self, registration_id: str, *, message_id: str | None = None) -> Registration:
        """MPL-REG: take a registration of our company out of use until it is reactivated."""
        return market_reading.registration(
            self._change("SuspendRegistration", message_id, RegistrationId=registration_id)
        )

    def reactivate(self, registration_id: str, *, message_id: str | None = None) -> Registration:
        """MPL-REG: take a suspended registration of our company into use again."""
        return market_reading.registration(
            self._change("ReactivateRegistration", message_id, RegistrationId=registration_id)
        )

    def withdraw(self, registration_id: str, *, message_id: str | None = None) -> Registration:
        """MPL-REG: take a registration of our company out of use for good."""
        return market_reading.registration(
            self._change("WithdrawRegistration", message_id, RegistrationId=registration_id)
        )

    def update_location(self, location: Location, *, message_id: str | None = None) -> Receipt:
        """MPL-ADD, new or changed."""
        written = market_writing.location(location)
        return reading.receipt(self._change("UpdateMarketPlayerLocation", message_id, MarketPlayerLocation=written))

    def update_description(self, company: Company, *, message_id: str | None = None) -> Receipt:
        """MPL-DES, changed."""
        written = market_writing.company(company)
        return reading.receipt(
            self._change("UpdateMarketPlayerDescription", message_id, MarketPlayerDescription=written)
        )

    def add_authentication(self, account: Account, *, message_id: str | None = None) -> Receipt:
        """MPL-AUT: one more certificate of our company, beside those it has."""
        written = market_writing.account(account)
        return reading.receipt(
            self._change("AddMarketPlayerAuthentication", message_id, MarketPlayerAuthentication=written)
        )

    def withdraw_authentication(self, account_id: str, *, message_id: str | None = None) -> Receipt:
        """MPL-AUT: a certificate of our company that is accepted no longer."""
        return reading.receipt(
            self._change("WithdrawMarketPlayerAuthentication", message_id, AuthenticationId=account_id)
        )

    def publish_offer(self, offer: ServiceOffer, *, message_id: str | None = None) -> ServiceOffer:
        """MKP-SRV-OFF, new or as the next version; as stored (D2.3, 2.3)."""
        written = market_writing.offer(offer)
        return market_reading.offer(self._change("PublishServiceOffer", message_id, MarketPlaceServiceOffer=written))

    def find_offers(
        self,
        criteria: Criteria | None = None,
        *,
        service_type: ServiceType | None = None,
        supplier: str | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Page[ServiceOffer]:
        """MKP-SRV-OFF; at least one of its descriptions meets the criteria."""
        found = self._ask(
            "FindServiceOffers",
            ServiceType=service_type, Supplier=supplier, Criteria=market_writing.criteria(criteria),
            PageSize=page_size, Cursor=cursor,
        )  # fmt: skip
        return market_reading.page(found.MarketPlaceServiceOffer, found.NextCursor, market_reading.offer)

    def withdraw_offer(self, offer_id: str, *, message_id: str | None = None) -> ServiceOffer:
        """MKP-SRV-OFF of ours, for good."""
        return market_reading.offer(self._change("WithdrawServiceOffer", message_id, ServiceOfferId=offer_id))

    def publish_subscription(
        self, subscription: ServiceSubscription, *, message_id: str | None = None
    ) -> ServiceSubscription:
        """MKP-SRV-SUB, new or as the next version; as stored (D2.3, 2.3)."""
        written = market_writing.subscription(subscription)
        return market_reading.subscription(
            self._change("PublishServiceSubscription", message_id, MarketPlaceServiceSubscription=written)
        )

    def find_subscriptions(
        self,
        criteria: Criteria | None = None,
        *,
        service_type: ServiceType | None = None,
        requester: str | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Page[ServiceSubscription]:
        """MKP-SRV-SUB; at least one of its descriptions meets the criteria."""
        found = self._ask(
            "FindServiceSubscriptions",
            ServiceType=service_type, Requester=requester, Criteria=market_writing.criteria(criteria),
            PageSize=page_size, Cursor=cursor,
        )  # fmt: skip
        return market_reading.page(found.MarketPlaceServiceSubscription, found.NextCursor, market_reading.subscription)

    def withdraw_subscription(self, subscription_id: str, *, message_id: str | None = None) -> ServiceSubscription:
        """MKP-SRV-SUB of ours, for good."""
        return market_reading.subscription(
            self._change("WithdrawServiceSubscription", message_id, ServiceSubscriptionId=subscription_id)
        )

    def publish_description(
        self, description: ServiceDescription, *, message_id: str | None = None
    ) -> ServiceDescription:
        """MKP-SRV-DES, to be referred to; as stored (D2.3, 2.3)."""
        written = market_writing.service_description(description)
        return market_reading.service_description(
            self._change("PublishServiceDescription", message_id, MarketPlaceServiceDescription=written)
        )

    def withdraw_description(self, description_id: str, *, message_id: str | None = None) -> ServiceDescription:
        """MKP-SRV-DES of ours that nothing Published holds, for good."""
        return market_reading.service_description(
            self._change("WithdrawServiceDescription", message_id, ServiceDescriptionId=description_id)
        )

    def read_description(self, description_id: str) -> ServiceDescription:
        """MKP-SRV-DES."""
        return market_reading.service_description(
            self._ask("ReadServiceDescription", ServiceDescriptionId=description_id)
        )

    def find_descriptions(
        self, criteria: Criteria | None = None, *, page_size: int | None = None, cursor: str | None = None
    ) -> Page[ServiceDescription]:
        """MKP-SRV-DES."""
        found = self._ask(
            "FindServiceDescriptions",
            Criteria=market_writing.criteria(criteria), PageSize=page_size, Cursor=cursor,
        )  # fmt: skip
        return market_reading.page(
            found.MarketPlaceServiceDescription, found.NextCursor, market_reading.service_description
        )

    def find_b2b_subscriptions(
        self,
        *,
        provider: str | None = None,
        requester: str | None = None,
        status: B2BStatus | None = None,
        page_size: int | None = None,
        cursor: str | None = None,
    ) -> Page[B2BSubscription]:
        """B2B-SRV-SUB of which we are a party."""
        found = self._ask(
            "FindB2BServiceSubscriptions",
            Provider=provider, Requester=requester, Status=status, PageSize=page_size, Cursor=cursor,
        )  # fmt: skip
        return market_reading.page(found.B2BServiceSubscription, found.NextCursor, market_reading.b2b_subscription)

    def read_b2b_subscription(self, subscription_id: str) -> B2BSubscription:
        """B2B-SRV-SUB of which we are a party."""
        return market_reading.b2b_subscription(
            self._ask("ReadB2BServiceSubscription", B2BServiceSubscriptionId=subscription_id)
        )

    def validate_b2b_subscription(
        self, subscription_id: str, version: int | None = None, *, message_id: str | None = None
    ) -> B2BSubscription:
        """B2B-SRV-SUB: agree to this version, or the latest; Validated once the other party has agreed too."""
        return market_reading.b2b_subscription(
            self._change(
                "ValidateB2BServiceSubscription",
                message_id,
                B2BServiceSubscriptionId=subscription_id,
                Version=version,
            )
        )

    def decline_b2b_subscription(self, subscription_id: str, *, message_id: str | None = None) -> B2BSubscription:
        """B2B-SRV-SUB: refuse it."""
        return market_reading.b2b_subscription(
            self._change("DeclineB2BServiceSubscription", message_id, B2BServiceSubscriptionId=subscription_id)
        )

    def find_dso(self, *, pod: str | None = None, country: str | None = None, city: str | None = None) -> FoundDso:
        """DSO mapping: by a PoD or its beginning, or by a country and perhaps a city; else ValueError (D2.3, 2.2)."""
        location = market_writing.customer_location(pod, country, city)
        return market_reading.found_dso(self._ask("FindDso", Location=location))

    def directory_changes(self, cursor: str | None = None, *, page_size: int | None = None) -> DirectoryChanges:
        """The directory since a cursor, or from its beginning; nothing new is no changes."""
        return market_reading.directory_changes(self._ask("ReadDirectoryChanges", PageSize=page_size, Cursor=cursor))

    def peek_mailbox(self) -> Mailbox:
        """The oldest message that waits for us, which stays until it is confirmed."""
        found = self._ask("PeekMailbox")
        item = found.MailboxItem
        if item is None:
            return Mailbox(None, found.Waiting)
        return Mailbox(MailboxItem(item.MessageId, item.Action, market_reading.pushed(item.Content)), found.Waiting)

    def confirm_mailbox(self, message_id: str) -> Receipt:
        """The message with this id has been dealt with; the next one comes up."""
        return reading.receipt(self._change("ConfirmMailbox", None, MessageId=message_id))

    def _ask(self, operation: str, **arguments: Any) -> Any:
        return self._object(operation, arguments, new_message_id())

    def _change(self, operation: str, message_id: str | None, /, **arguments: Any) -> Any:
        return self._object(operation, arguments, message_id or new_message_id())


def pages(find: Callable[[str | None], Page[T]]) -> Iterator[Page[T]]:
    """Every page, one call each: `pages(lambda cursor: market_place.find_offers(cursor=cursor))`."""
    page = find(None)
    yield page
    while page.next_cursor is not None:
        page = find(page.next_cursor)
        yield page

"""A market player of the demo, a process of its own: `python -m flexiciency.demo.player PLAN.json NAME`.

It has the base install's client and an SQLite file, nothing of the gateway. At the Market Place it enrols, finds its
DSO and subscribes; of the DSO it asks activation and an agreement once all consents have been acknowledged, stores the
values it is pushed and acknowledges them. Ends on SIGTERM.
"""

import signal
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urljoin

from flexiciency.client import (
    MARKET_PLACE_URN,
    Agreement,
    Consent,
    ConsentAcknowledgement,
    ConsentRevocation,
    Enrolment,
    Handlers,
    Listener,
    ListenerSettings,
    MarketPlace,
    MarketPlayer,
    PodStatus,
    Proposal,
    Quantity,
    Reason,
    Received,
    Selection,
    Sender,
    TimeStep,
)
from flexiciency.contract.catalogue import B2B, MARKET_PLACE
from flexiciency.contract.series import epoch
from flexiciency.demo import books, parties
from flexiciency.demo.books import Books, Stopped
from flexiciency.demo.parties import AGREED_UNTIL, CLOCK_CHANGES, Region
from flexiciency.demo.plan import Plan
from flexiciency.demo.seat import Agreed, Seat
from flexiciency.domain.values import local_day
from flexiciency.wire.identity import fingerprint_of


class Player:
    """What the player of a region does with each message, and what it sends."""

    def __init__(self, plan: Plan, region: Region) -> None:
        self._plan = plan
        self._region = region
        self._id = region.player.id
        self._identity = plan.identity(region.player.name)
        self._books = Books(plan.books(region.player))
        self._agreement = ""
        self._refused = False

    def run(self) -> None:
        """Until SIGTERM."""
        signal.signal(signal.SIGTERM, lambda *_: self._books.stop())
        url = self._plan.url(parties.MARKET_PLACE, MARKET_PLACE)
        pinned = [self._plan.identity(parties.MARKET_PLACE).fingerprint]
        place = MarketPlace(self._identity, self._id, url, self._plan.anchors, fingerprints=pinned)
        with suppress(Stopped), place:
            seat = Seat(self._plan, self._region, place, self._books)
            seat.enrol()
            dso = seat.find_dso()
            listener = self._listener(dso)
            try:
                seat.subscribe()
                self._use(seat, dso)
            finally:
                listener.stop()

    def _listener(self, dso: Enrolment) -> Listener:
        """Takes what the Market Place and this DSO push, each by its own certificates, and nothing else."""
        plan, name = self._plan, self._region.player.name
        place = Sender("MarketPlace", frozenset({plan.identity(parties.MARKET_PLACE).fingerprint}))
        listener = Listener(
            self._identity, self._id, plan.anchors, plan.inbox(self._region.player),
            Handlers(
                subscription_matched=lambda received: self._books.store_b2b(received.content),
                consent_given=self._given,
                consent_acknowledged=self._consented,
                consent_revoked=self._revoked,
                agreement_changed=self._agreement_changed,
                values_arrived=self._books.store_values,
                aggregates_arrived=self._books.store_sums,
            ),
            {MARKET_PLACE_URN: place, dso.registration.id: Sender(dso.registration.role, _fingerprints(dso))},
            settings=ListenerSettings(public_url=plan.base_url(name)),
        )  # fmt: skip
        listener.start("127.0.0.1", plan.ports[name])
        return listener

    def _use(self, seat: Seat, dso: Enrolment) -> None:
        """The subscription, once both parties have validated it: activation, agreement, values."""
        agreed = seat.validated(dso.registration.id)
        # One gateway answers on all of its interfaces side by side; MPL-ADD has the address of one.
        url = urljoin(dso.locations[0].uri, B2B)
        with MarketPlayer(
            self._identity, self._id, dso.registration.id, url, self._plan.anchors,
            provider_fingerprints=_fingerprints(dso),
        ) as provider:  # fmt: skip
            try:
                self._activate(provider, agreed)
                while True:
                    self._acknowledge(provider)
                    seat.subscribe_late()
                    self._books.wait()
            finally:
                counts = provider.statistics
                self._books.write("INSERT INTO counts VALUES ('verified', ?)", counts.verified)
                self._books.write("INSERT INTO counts VALUES ('refused', ?)", counts.refused)

    def _given(self, received: Received[Consent]) -> None:
        """What the customer said; what counts is the DSO's acknowledgement."""

    def _consented(self, received: Received[ConsentAcknowledgement]) -> None:
        consent = received.content
        for pod in consent.pods:
            self._books.write("INSERT OR IGNORE INTO consent VALUES (?, ?, NULL)", consent.consent_id, pod)

    def _revoked(self, received: Received[ConsentRevocation]) -> None:
        at, revocation = received.received_at.timestamp(), received.content
        for pod in revocation.pods:
            self._books.write(
                "UPDATE consent SET revoked_at = ? WHERE id = ? AND pod = ?", at, revocation.consent_id, pod
            )

    def _agreement_changed(self, received: Received[Agreement]) -> None:
        self._books.write("INSERT INTO agreement_state VALUES (?)", received.content.status)

    def _activate(self, dso: MarketPlayer, agreed: Agreed) -> None:
        region, count = self._region, "SELECT count(*) FROM consent"
        while books.number(self._plan.books(region.player), count) < region.consenting:
            self._books.wait()
        wanted = _wanted(region)
        confirmation = dso.request_activation(agreed.curves, [pod.pod for pod in region.town.pods], wanted)
        if served := confirmation.selection:
            self._books.write("INSERT INTO narrowed VALUES (?, ?)", wanted.time_step.value, served.time_step.value)
        for pod in confirmation.confirmed:
            self._books.write("INSERT INTO activation VALUES (?, 1, NULL)", pod)
        for pod, reason in confirmation.refused.items():
            self._books.write("INSERT INTO activation VALUES (?, 0, ?)", pod, reason.code)
        agreement = dso.propose_agreement(
            Proposal(
                pods=confirmation.confirmed,
                data_details="Quarter-hour consumption",
                processing_details="Energy advice",
                start=region.start,
                end=AGREED_UNTIL,
                service_description_id=agreed.curves,
                subscription_id=agreed.subscription,
                request_id=confirmation.request_id,
            )
        )
        self._books.write("INSERT INTO agreement VALUES (?, ?)", agreement.id, agreement.status)
        self._agreement = agreement.id
        self._activate_sums(dso, agreed)
        self._ask_grid(dso)

    def _activate_sums(self, dso: MarketPlayer, agreed: Agreed) -> None:
        """The sum of the whole town, whoever consents (DSO-REQ → DSO-CNF, SRV-ACT-AGR)."""
        pods = tuple(pod.pod for pod in self._region.town.pods)
        confirmation = dso.request_activation(agreed.sums, pods)
        agreement = dso.propose_agreement(
            Proposal(
                pods=pods,
                data_details="Quarter-hour consumption of the town",
                processing_details="Planning",
                start=CLOCK_CHANGES[0][0],
                end=AGREED_UNTIL,
                service_description_id=agreed.sums,
                subscription_id=agreed.subscription,
                request_id=confirmation.request_id,
            )
        )
        self._books.write("INSERT INTO agreement VALUES (?, ?)", agreement.id, agreement.status)

    def _ask_grid(self, dso: MarketPlayer) -> None:
        """TECH-FLEX-REQ: an hour of charging and an hour of feeding in (TECH-FLEX-RESP says how much of it)."""
        noon = datetime(2025, 6, 2, 12, tzinfo=UTC)
        hour = timedelta(hours=1)
        curve = ((noon, Decimal(400)), (noon + hour, Decimal(-250)))
        answer = dso.request_validation(self._region.load_area, curve, noon + 2 * hour)
        if answer is not None:
            self._books.write("INSERT INTO validation VALUES (?, ?)", str(answer.factor), answer.limiting_element)

    def _acknowledge(self, dso: MarketPlayer) -> None:
        """IND-DAT-ACK or AGG-DAT-ACK for each stored message."""
        unanswered = "SELECT id, message_id, summed FROM message WHERE NOT acknowledged"
        for identifier, message_id, summed in self._books.rows(unanswered):
            sources = self._books.rows("SELECT source, min(start) FROM series WHERE message = ? GROUP BY 1", identifier)
            statuses = {source: self._status(source, int(start)) for source, start in sources}
            acknowledge = dso.acknowledge_aggregates if summed else dso.acknowledge_values
            acknowledge(identifier, statuses, relates_to=message_id, at=datetime.now(UTC))
            self._books.write("UPDATE message SET acknowledged = 1 WHERE id = ?", identifier)
            if self._region.refused_day and any(status.status == "KO" for status in statuses.values()):
                self._ask_again(dso, self._region.refused_day)

    def _status(self, source: str, start: int) -> PodStatus:
        """OK, but of one PoD on one day the first time."""
        region = self._region
        if self._refused or region.refused_day is None or source != region.town.pods[0].pod:
            return PodStatus("OK")
        first, _ = local_day(region.refused_day, region.place.zone)
        if start != epoch(first):
            return PodStatus("OK")
        self._refused = True
        return PodStatus("KO", reason=Reason("NotStored", "Our own database lost them."))

    def _ask_again(self, dso: MarketPlayer, day: date) -> None:
        """What the gap report says that we refused is asked for once more (ReadGapReport, RequestMissingValues)."""
        start, end = local_day(day, self._region.place.zone)
        report = dso.read_gap_report(self._agreement, start, end)
        pods = [gap.source for gap in report.gaps if gap.cause == "RefusedByReceiver"]
        for pod in pods:
            self._books.write("INSERT INTO gap VALUES (?, ?)", pod, str(day))
        dso.request_missing_values(self._agreement, start, end, pods)


def _wanted(region: Region) -> Selection:
    """Values finer than the service has them: the DSO narrows that, and says so."""
    start, _ = local_day(region.start, region.place.zone)
    end, _ = local_day(AGREED_UNTIL, region.place.zone)
    return Selection(quantity=Quantity.ENERGY_CONSUMPTION, start=start, end=end, time_step=TimeStep.PT10M)


def _fingerprints(party: Enrolment) -> frozenset[str]:
    return frozenset(fingerprint_of(account.certificate) for account in party.accounts)


if __name__ == "__main__":
    plan = Plan.read(Path(sys.argv[1]))
    Player(plan, next(region for region in plan.regions if region.player.name == sys.argv[2])).run()

"""An act between a DSO, its customers and a market player, from consent to acknowledged values, on their own."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy import text

from flexiciency.client import Authentication, Consent, CustomerChannel, Quantity, Scope, TimeStep
from flexiciency.contract.catalogue import B2C
from flexiciency.contract.series import kilo_text
from flexiciency.demo import books
from flexiciency.demo.parties import AGREED_UNTIL, CLOCK_CHANGES, Region
from flexiciency.demo.plan import Plan
from flexiciency.demo.stage import Stage
from flexiciency.demo.town import TownPod
from flexiciency.store.database import Database

CORRECTION_WH = 7
"""What each corrected value gains."""
_MOST_QUARTERS = 100
"""Of a local day: that of 25 hours."""

_HEADROOM = """load_area,name,time_zone,party,from,until,import_kw,export_kw,limiting_element
{0},{1},{2},DSO,00:00,24:00,300,200,Transformer T1
{0},{1},{2},TSO,00:00,24:00,1000,1000,Line 110 kV
"""

_ACKNOWLEDGED = text("SELECT count(*) FROM delivery WHERE value_period IS NOT NULL AND state = 'AcknowledgedOK'")


@dataclass(frozen=True, slots=True)
class Revocation:
    """Which PoD's consent was revoked, and when its DSO said so (UTC)."""

    pod: TownPod
    at: datetime


class Act:
    """What the customers and the operator of a region's DSO do, each a step with its progress bar."""

    def __init__(self, plan: Plan, region: Region, stage: Stage, database: Database) -> None:
        self._plan = plan
        self._region = region
        self._stage = stage
        self._database = database
        self._town = region.town
        self._consents: dict[str, str] = {}
        self._acknowledged = 0

    def preparations(self) -> tuple[tuple[str, ...], ...]:
        """The operator's commands that enter PoDs, the grid's headroom and the customers' channel."""
        region, dso = self._region, self._region.dso.name
        folder = Path(self._plan.folder)
        pods_file, headroom_file = folder / f"pods-{dso}.csv", folder / f"headroom-{dso}.csv"
        self._write_pods(pods_file)
        headroom_file.write_text(_HEADROOM.format(region.load_area, region.place.city, region.place.zone))
        certificate = str(self._plan.keys / f"{region.channel}.pem")
        return (
            (dso, "pods", "import", str(pods_file)),
            (dso, "load-area", "import", str(headroom_file)),
            (dso, "channel", "bind", region.channel, "--certificate", certificate, "--name", "Town portal"),
        )

    @contextmanager
    def channel(self) -> Iterator[CustomerChannel]:
        """The customers' channel, which is this process."""
        plan, region = self._plan, self._region
        with CustomerChannel(
            plan.identity(region.channel), region.channel, region.dso.id, plan.url(region.dso.name, B2C), plan.anchors
        ) as channel:
            yield channel

    def give_consents(self, channel: CustomerChannel) -> None:
        """Customers consent, each for all of its PoDs (CUS-CON-DES → CUS-CON-ACK), and the player is told of each."""
        pods = self._town.pods[: self._region.consenting]
        customers = [list(group) for _, group in groupby(pods, key=lambda pod: pod.customer_id)]
        for held in self._stage.each(f"{self._region.place.city}: consents acknowledged", customers, len(customers)):
            self._consent(channel, held)

    def _consent(self, channel: CustomerChannel, pods: Sequence[TownPod]) -> None:
        region, now = self._region, datetime.now(UTC)
        acknowledgement = channel.give_consent(
            Consent(
                customer_id=pods[0].customer_id,
                pods=tuple(pod.pod for pod in pods),
                data_details="Quarter-hour consumption",
                scopes=(Scope(Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M),),
                processing_details="Energy advice",
                validated_at=now,
                start=region.start,
                end=AGREED_UNTIL,
                third_party=region.player.id,
            ),
            Authentication("eID", now),
        )
        for pod in pods:
            self._consents[pod.pod] = acknowledgement.consent_id

    def agree(self) -> None:
        """The player asks for all PoDs (DSO-REQ → DSO-CNF) and agrees on those confirmed, and on their sum."""
        query = "SELECT (SELECT count(*) FROM activation) + (SELECT count(*) FROM agreement)"
        self._wait_for_player("activation and agreements, PoDs", query, self._region.pods + 2)

    def deliver(self, first: str, end: str) -> None:
        """Local days imported, each pushed as soon as it is complete, and acknowledged (IND-DAT-VAL → IND-DAT-ACK)."""
        since, until = date.fromisoformat(first), date.fromisoformat(end)
        days = [since + timedelta(days=number) for number in range((until - since).days)]
        self._import_values(days)
        self._wait_for_acknowledgements(f"days from {first}", len(days))

    def change_clocks(self) -> None:
        """The days around both clock changes, of each PoD and summed (IND-DAT-VAL, AGG-DAT-VAL and their ACKs).

        What the player refuses once it asks for again, as a gap, and acknowledges then.
        """
        days = [day for change in CLOCK_CHANGES for day in change]
        self._import_values(days)
        self._wait_for_acknowledgements("days around both clock changes, and their sums", 2 * len(days))

    def correct(self) -> None:
        """One PoD's values of the day of 25 hours are corrected: a new version of them, and of the sum."""
        if (day := self._region.corrected_day) is not None:
            self._import_values([day], corrected=True)
            self._wait_for_acknowledgements(f"correction of {day}, and of its sum", 2)

    def _import_values(self, days: Sequence[date], *, corrected: bool = False) -> None:
        """By the operator's command, from a file with a line for each PoD and day, or for the one that is corrected."""
        dso = self._region.dso.name
        file = Path(self._plan.folder) / f"values-{dso}.csv"
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(("pod", "day", *range(1, _MOST_QUARTERS + 1)))
            for pod in self._town.pods[:1] if corrected else self._town.pods:
                for block in self._town.blocks(pod):
                    if block.day in days:
                        values = block.values + CORRECTION_WH if corrected else block.values
                        texts = [kilo_text(value) for value in values.tolist()]
                        writer.writerow((pod.pod, block.day, *texts, *[""] * (_MOST_QUARTERS - len(texts))))
        imported = "values", "import", str(file), "--quantity", "EnergyConsumption", "--time-step", "PT15M"
        self._stage.command(dso, *imported)
        self._stage.command(dso, "deliver")

    def _wait_for_acknowledgements(self, what: str, deliveries: int) -> None:
        before = self._acknowledged
        title = f"{self._region.place.city}: {what} acknowledged"
        self._stage.wait(title, lambda: self._number_acknowledged() - before, deliveries)
        self._acknowledged += deliveries

    def revoke(self, channel: CustomerChannel) -> Revocation:
        """One customer revokes (CUS-CON-REV), for one PoD of two where it has two, and the player is told."""
        pod, now = self._region.revoked_pod, datetime.now(UTC)
        consent = self._consents.pop(pod.pod)
        channel.revoke(consent, pod.customer_id, (pod.pod,), now, Authentication("eID", now))
        revoked = "SELECT count(*) FROM consent WHERE revoked_at IS NOT NULL"
        self._wait_for_player("one customer revokes for one PoD", revoked, 1)
        with self._database.begin() as connection:
            at = connection.execute(text("SELECT max(revoked_at) FROM consent_pod")).scalar_one()
        return Revocation(pod, at)

    def lose_and_regain_consents(self, channel: CustomerChannel) -> None:
        """Everybody else revokes: the agreement is Suspended. One consents again: it stands (SRV-ACT-AGR, pushed)."""
        states = "SELECT count(*) FROM agreement_state WHERE status = '{}'"
        now = datetime.now(UTC)
        for pod in self._town.pods[: self._region.consenting]:
            if consent := self._consents.get(pod.pod):
                channel.revoke(consent, pod.customer_id, (pod.pod,), now, Authentication("eID", now))
        self._wait_for_player("agreement suspended", states.format("Suspended"), 1)
        self._consent(channel, self._town.pods[:1])
        self._wait_for_player("agreement stands again", states.format("Validated"), 1)

    def _wait_for_player(self, title: str, query: str, wanted: int) -> None:
        file = self._plan.books(self._region.player)
        self._stage.wait(f"{self._region.place.city}: {title}", lambda: books.number(file, query), wanted)

    def _number_acknowledged(self) -> int:
        with self._database.begin() as connection:
            return int(connection.execute(_ACKNOWLEDGED).scalar_one())

    def _write_pods(self, file: Path) -> None:
        place = self._region.place
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(
                ("pod", "country", "city", "street", "load_area", "time_zone", "customer_id", "held_from", "held_until")
            )
            for pod in self._town.pods:
                since = "2019-06-01T00:00:00+02:00"
                row = (pod.pod, place.country, place.city, pod.street, "", place.zone, pod.customer_id, since, "")
                writer.writerow(row)

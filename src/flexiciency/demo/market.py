"""The acts at the Market Place: described, enrolled at, offered and subscribed, matched, validated; then stopped."""

import json
from collections.abc import Iterator

from sqlalchemy import TextClause, text

from flexiciency.contract.catalogue import MARKET_PLACE as INTERFACE
from flexiciency.contract.catalogue import MARKET_PLAYER
from flexiciency.demo import books
from flexiciency.demo.parties import ACCESS_POINT, MARKET_PLACE, Party, Region
from flexiciency.demo.plan import Plan
from flexiciency.demo.stage import Stage
from flexiciency.store.database import Database

_PENDING = text("SELECT count(*) FROM market_player_registration WHERE status = 'Pending'")
_PUBLISHED = text("SELECT count(*) FROM publication WHERE kind = 'Subscription'")
_VALIDATED = text("SELECT count(*) FROM b2b_service_subscription WHERE status = 'Validated'")


class Market:
    """What operators do there by CLI, and what is waited for. `databases` by the party's name."""

    def __init__(self, plan: Plan, stage: Stage, databases: dict[str, Database]) -> None:
        self._plan = plan
        self._stage = stage
        self._databases = databases

    def describe(self) -> None:
        """MKP-DES and MKP-ADD, by its operator."""
        url = self._plan.url(MARKET_PLACE, INTERFACE)
        self._stage.commands(
            "The Market Place described",
            (
                (
                    MARKET_PLACE, "market-place", "describe",
                    "--purpose", "Where consumers' data and those who serve consumers with them find each other",
                    "--legal-information", "A demo on one machine; nothing here binds anybody",
                    "--contact-details", "operator@market-place.example",
                    "--stakeholder-and-community", "DSOs, energy advisers and the customers of both",
                    "--help-text", "docs/integrate.md",
                    "--usage-condition", "Customers' data leave with their consent only",
                ),
                (MARKET_PLACE, "market-place", "location", "set", ACCESS_POINT, url),
            ),
        )  # fmt: skip

    def enrol_dsos(self) -> None:
        """Each DSO by its operator's CLI, with the territory it serves; approved by the Market Place's."""
        regions = self._plan.regions
        self._stage.commands("DSOs enrolled", [self._enrolment(region) for region in regions])
        self._stage.commands("DSOs approved", [self._approval(region.dso) for region in regions])

    def approve_players(self) -> None:
        """Each has enrolled by its own program; the operator compares the fingerprints and approves."""
        players = [region.player for region in self._plan.regions]
        self._stage.wait("Market players enrolled", lambda: self._number(MARKET_PLACE, _PENDING), len(players))
        self._stage.commands("Market players approved", [self._approval(player) for player in players])

    def offer(self) -> None:
        """MKP-SRV-OFF: the load curves of each town, and their sum, by its DSO's CLI."""
        offers = [offer for region in self._plan.regions for offer in _offers(region)]
        self._stage.commands("Services offered", offers)

    def match(self) -> None:
        """The players' subscriptions, and the B2B-SRV-SUB that both parties of each match are told of and validate."""
        plan, stage = self._plan, self._stage
        wishes = sum(not wish.late for region in plan.regions for wish in region.wishes)
        stage.wait("Services subscribed to", lambda: self._number(MARKET_PLACE, _PUBLISHED), wishes)
        matched, regions = "SELECT count(*) FROM b2b", plan.regions
        stage.wait("Matches pushed to the players", lambda: self._of_players(matched), len(regions))
        listed = [(region.dso.name, "player", "matches", "--status", "Proposed", "--json") for region in regions]
        found = [json.loads(said) for said in stage.commands("Matches listed by the DSOs", listed)]
        stage.commands(
            "Matches validated by the DSOs",
            [
                (region.dso.name, "player", "validate", match["id"])
                for region, (match,) in zip(regions, found, strict=True)
            ],
        )
        agreed = "SELECT count(*) FROM b2b WHERE status = 'Validated'"
        stage.wait("Both parties know that both have validated", lambda: self._of_both(agreed), 2 * len(regions))

    def wait_for_late_matches(self) -> None:
        """What was subscribed to while the Market Place was stopped is matched, and its player told, now it is back."""
        late = sum(wish.late for region in self._plan.regions for wish in region.wishes)
        before = len(self._plan.regions)
        self._stage.wait(
            "Subscribed to meanwhile, matched now", lambda: self._of_players("SELECT count(*) FROM b2b") - before, late
        )

    def _enrolment(self, region: Region) -> tuple[str, ...]:
        dso, place = region.dso, region.place
        return (
            dso.name, "player", "enrol", "--role", "RegulatedDataProvider", "--company", dso.company,
            "--company-type", "EnergyRegulatedPlayer", "--subtype", "DSO", "--email", dso.email,
            "--city", dso.city, "--country", dso.country,
            "--territory", f"{place.country}:{place.city}:{place.pod_prefix}",
            "--uri", self._plan.url(dso.name, MARKET_PLAYER), "--market-place-location", ACCESS_POINT,
        )  # fmt: skip

    def _approval(self, party: Party) -> tuple[str, ...]:
        fingerprint = self._plan.identity(party.name).fingerprint
        return MARKET_PLACE, "market-place", "approve", party.id, "--fingerprint", fingerprint

    def _of_both(self, of_player: str) -> int:
        dsos = sum(self._number(region.dso.name, _VALIDATED) for region in self._plan.regions)
        return dsos + self._of_players(of_player)

    def _of_players(self, query: str) -> int:
        return sum(books.number(self._plan.books(region.player), query) for region in self._plan.regions)

    def _number(self, name: str, query: TextClause) -> int:
        with self._databases[name].begin() as connection:
            return int(connection.execute(query).scalar_one())


def _offers(region: Region) -> Iterator[tuple[str, ...]]:
    """The DSO's commands: load curves of those who consent, and the sum of the whole town, for which nobody need."""
    place = region.place
    details = (
        "--quantity", "EnergyConsumption", "--step", "PT15M", "--from", "2025-01-01", "--until", "2026-01-01",
        "--country", place.country, "--city", place.city,
    )  # fmt: skip
    offer = region.dso.name, "player", "offer"
    yield (
        *offer, "--type", "IndividualDataProvision", "--description", f"Load curves of {place.city}",
        "--usage", "As the customer has consented to", "--level", "None", *details, "--consent",
    )  # fmt: skip
    yield (
        *offer, "--type", "AggregatedDataProvision", "--description", f"Load of {place.city}",
        "--usage", "Planning", "--level", "City", "--method", "Sum", *details, "--no-consent",
    )  # fmt: skip

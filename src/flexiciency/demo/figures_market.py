"""The figures of the acts at the Market Place, and of the second country."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text

from flexiciency.contract.series import epoch
from flexiciency.demo import books
from flexiciency.demo.exchanged import TABLE_4, Exchanged, objects_exchanged
from flexiciency.demo.figures_january import ACKNOWLEDGED, ACKNOWLEDGED_AT_DSO, Stop
from flexiciency.demo.parties import MARKET_PLACE
from flexiciency.demo.plan import Plan
from flexiciency.store.database import Database

_OF_MARKET_PLACE = {
    # Everybody who has sent it or was sent a message, and itself.
    "parties": "SELECT count(DISTINCT peer) + 1 FROM message WHERE verified",
    "registrations": "SELECT count(*) FROM market_player_registration WHERE status = 'Active'",
    "offers": "SELECT count(*) FROM publication WHERE kind = 'Offer' AND status = 'Published'",
    "subscriptions": "SELECT count(*) FROM publication WHERE kind = 'Subscription' AND status = 'Published'",
    "subscriptions_unmatched": "SELECT count(*) FROM publication p WHERE kind = 'Subscription' "
    "AND NOT EXISTS (SELECT FROM b2b_service_subscription_match m WHERE m.subscription_id = p.id)",
    "matches": "SELECT count(*) FROM b2b_service_subscription_match",
    "matches_validated": "SELECT count(*) FROM b2b_service_subscription_match m "
    "JOIN b2b_service_subscription b ON b.id = m.b2b_id WHERE b.status = 'Validated'",
    "b2b_validated": "SELECT count(*) FROM b2b_service_subscription WHERE status = 'Validated'",
    "messages": "SELECT count(*) FROM message WHERE at BETWEEN :stopped_at AND :started_at",
    "matched_after_restart": "SELECT count(*) FROM b2b_service_subscription_match m "
    "JOIN publication p ON p.id = m.subscription_id WHERE p.published_at > :started_at",
}
_ATTEMPTS = "SELECT count(*) FROM attempt WHERE NOT published"


@dataclass(frozen=True, slots=True)
class MarketFigures:
    """`publications_attempted_meanwhile`: attempts of the players to subscribe while the Market Place was stopped."""

    parties: int
    registrations: int
    offers: int
    subscriptions: int
    subscriptions_unmatched: int
    matches: int
    matches_validated: int
    b2b_validated: int
    objects_exchanged: dict[str, Exchanged]
    market_place_stopped_seconds: float
    market_place_messages_while_stopped: int
    publications_attempted_meanwhile: int
    matched_after_restart: int
    second_country_values_acknowledged: int
    second_country_values_acknowledged_by_player: int
    second_country_values_due: int

    def must_be(self) -> dict[str, bool]:
        """Whether each thing is right, by what would be wrong otherwise."""
        return {
            "not all parties took part": self.parties == self.registrations + 1 == 5,  # noqa: PLR2004  as the title says
            "a match was not validated by both": self.matches_validated
            == self.matches - self.matched_after_restart
            > 0,
            "a subscription matched that nobody serves": self.subscriptions_unmatched == 1,
            "an object of Table 4 did not travel": all(
                self.objects_exchanged[bo_id].travelled(direction)
                for bo_id, directions in TABLE_4.items()
                for direction in directions
            ),
            "the Market Place was not stopped": self.market_place_stopped_seconds > 0
            and self.market_place_messages_while_stopped == 0,
            "nobody missed the Market Place": self.publications_attempted_meanwhile > 0,
            "what was subscribed to meanwhile was not matched": self.matched_after_restart == 1,
            "the second country's values did not all arrive": self.second_country_values_acknowledged
            == self.second_country_values_acknowledged_by_player
            == self.second_country_values_due,
        }


def market_figures(plan: Plan, databases: Mapping[str, Database], stop: Stop) -> MarketFigures:
    """Read the books of the Market Place, of the players and of the second DSO after the last message."""
    region, place = plan.spring, databases[MARKET_PLACE]
    counts = _of_market_place(place, stop)
    town = region.town
    partly = town.pods[region.place.pods_of_first - 1]
    return MarketFigures(
        parties=counts["parties"],
        registrations=counts["registrations"],
        offers=counts["offers"],
        subscriptions=counts["subscriptions"],
        subscriptions_unmatched=counts["subscriptions_unmatched"],
        matches=counts["matches"],
        matches_validated=counts["matches_validated"],
        b2b_validated=counts["b2b_validated"],
        objects_exchanged=objects_exchanged(plan, place),
        market_place_stopped_seconds=round((stop.started_at - stop.stopped_at).total_seconds(), 1),
        market_place_messages_while_stopped=counts["messages"],
        publications_attempted_meanwhile=sum(books.number(plan.books(each.player), _ATTEMPTS) for each in plan.regions),
        matched_after_restart=counts["matched_after_restart"],
        second_country_values_acknowledged=_number(
            databases[region.dso.name], ACKNOWLEDGED_AT_DSO, start=region.period[0], end=region.period[1]
        ),
        second_country_values_acknowledged_by_player=books.number(
            plan.books(region.player), ACKNOWLEDGED, *map(epoch, region.period)
        ),
        second_country_values_due=sum(
            len(block.values)
            for pod in town.pods
            for block in town.blocks(pod)
            if region.start <= block.day < (region.revoked if pod == partly else region.end)
        ),
    )


def _of_market_place(database: Database, stop: Stop) -> dict[str, int]:
    named = {"stopped_at": stop.stopped_at, "started_at": stop.started_at}
    return {
        name: _number(database, query, **{key: value for key, value in named.items() if f":{key}" in query})
        for name, query in _OF_MARKET_PLACE.items()
    }


def _number(database: Database, query: str, **named: object) -> int:
    with database.begin() as connection:
        return int(connection.execute(text(query), named).scalar_one())

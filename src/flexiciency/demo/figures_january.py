"""The figures of the January act: one DSO, its customers and its market player, without the Market Place."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sqlalchemy import text

from flexiciency.client import Counts
from flexiciency.contract.series import epoch
from flexiciency.demo import books
from flexiciency.demo.act import Revocation
from flexiciency.demo.parties import Region
from flexiciency.demo.plan import Plan
from flexiciency.store.database import Database
from flexiciency.wire.addressing import CUSTOMER_CHANNEL_URN, MARKET_PLAYER_URN

ACKNOWLEDGED = (
    "SELECT coalesce(sum(s.count), 0) FROM series s JOIN message m ON m.id = s.message "
    "WHERE m.acknowledged AND NOT m.summed AND s.start >= ? AND s.start < ?"
)
"""By a player: values of [start, end), seconds since 1970."""
ACKNOWLEDGED_AT_DSO = (
    "SELECT coalesce(sum(dp.value_count), 0) FROM delivery_pod dp JOIN delivery d ON d.id = dp.delivery_id "
    "WHERE dp.status = 'OK' AND d.operation = 'ReceiveIndividualDataValue' "
    "AND d.value_period <@ tstzrange(:start, :end)"
)
_LATE = (
    "SELECT coalesce(sum(s.count), 0) FROM series s JOIN message m ON m.id = s.message "
    "JOIN consent c ON c.pod = s.source WHERE c.revoked_at IS NOT NULL AND m.received_at > c.revoked_at"
)
_PUSHED = "SELECT count(*) FROM message WHERE sender = ? AND reply IS NOT NULL"
_OF_DSO = {
    "acknowledged": ACKNOWLEDGED_AT_DSO,
    "after_revocation": "SELECT coalesce(sum(dp.value_count), 0) FROM delivery d JOIN delivery_pod dp "
    "ON dp.delivery_id = d.id JOIN pod p ON p.id = dp.pod_id WHERE p.pod = :pod AND d.sent_at > :revoked_at "
    "AND d.operation = 'ReceiveIndividualDataValue'",
    "messages": "SELECT count(*) FROM message WHERE peer = ANY(:peers)",
    "verified": "SELECT count(*) FROM message WHERE peer = ANY(:peers) AND direction = 'in' AND verified",
    "refused": "SELECT count(*) FROM message WHERE direction = 'in' "
    "AND (NOT verified OR code IS NOT NULL AND peer = ANY(:peers))",
    "outside": "SELECT count(*) FROM message WHERE peer = ANY(:peers) AND NOT at BETWEEN :stopped_at AND :started_at",
}


@dataclass(frozen=True, slots=True)
class JanuaryFigures:
    """Messages with the Market Place are not among these.

    `kwh_difference` is the largest of any PoD, the revoked one apart; `messages_outside_the_stop` were sent when the
    Market Place ran.
    """

    pods_confirmed: int
    pods_refused: int
    refusal_reasons: dict[str, int]
    values_acknowledged_by_player: int
    values_acknowledged_at_dso: int
    values_stopped: int
    values_after_revocation: int
    kwh_difference: float
    messages: int
    messages_outside_the_stop: int
    signatures_verified: int
    signatures_refused: int

    def must_be(self) -> dict[str, bool]:
        """Whether each thing is right, by what would be wrong otherwise."""
        return {
            "player and DSO differ in values acknowledged": self.values_acknowledged_by_player
            == self.values_acknowledged_at_dso,
            "the revocation stopped nothing": self.values_stopped > 0,
            "values left after the revocation": self.values_after_revocation == 0,
            "values received are not those imported": self.kwh_difference == 0,
            "not every message was verified": self.signatures_verified == self.messages,
            "signatures were refused": self.signatures_refused == 0,
            "the act did not do without the Market Place": self.messages_outside_the_stop == 0,
        }


@dataclass(frozen=True, slots=True)
class Stop:
    """From when to when the Market Place did not run (UTC)."""

    stopped_at: datetime
    started_at: datetime


def january_figures(
    plan: Plan, database: Database, channel: Counts, revocation: Revocation, stop: Stop
) -> JanuaryFigures:
    """Read both sides' books after the last message; `database` is the DSO's."""
    region = plan.january
    file = plan.books(region.player)
    refused = Counter(code for (code,) in books.read(file, "SELECT code FROM activation WHERE NOT confirmed"))
    dso = _of_dso(database, region, revocation, stop)
    pushed = books.number(plan.inbox(region.player), _PUSHED, MARKET_PLAYER_URN + region.dso.id)
    return JanuaryFigures(
        pods_confirmed=books.number(file, "SELECT count(*) FROM activation WHERE confirmed"),
        pods_refused=sum(refused.values()),
        refusal_reasons=dict(refused),
        values_acknowledged_by_player=books.number(file, ACKNOWLEDGED, *map(epoch, region.period)),
        values_acknowledged_at_dso=dso["acknowledged"],
        values_stopped=sum(
            len(block.values)
            for block in region.town.blocks(revocation.pod)
            if region.revoked <= block.day < region.end
        ),
        values_after_revocation=dso["after_revocation"] + books.number(file, _LATE),
        kwh_difference=_difference(region, books.received_series(file), revocation.pod.pod),
        messages=dso["messages"],
        messages_outside_the_stop=dso["outside"],
        signatures_verified=dso["verified"] + pushed + _count(file, "verified") + channel.verified,
        signatures_refused=dso["refused"] + _refused(plan, region) + channel.refused,
    )  # fmt: skip


def _of_dso(database: Database, region: Region, revocation: Revocation, stop: Stop) -> dict[str, int]:
    """What the DSO's database says; its evidence has every message both ways."""
    named = {
        "start": region.period[0],
        "end": region.period[1],
        "pod": revocation.pod.pod,
        "revoked_at": revocation.at,
        "peers": [MARKET_PLAYER_URN + region.player.id, CUSTOMER_CHANNEL_URN + region.channel],
        "stopped_at": stop.stopped_at,
        "started_at": stop.started_at,
    }
    with database.begin() as connection:
        return {
            name: int(
                connection.execute(text(query), {key: named[key] for key in named if f":{key}" in query}).scalar_one()
            )
            for name, query in _OF_DSO.items()
        }


def _count(file: Path, name: str) -> int:
    return books.number(file, "SELECT value FROM counts WHERE name = ?", name)


def _refused(plan: Plan, region: Region) -> int:
    """By the player: replies that could not be trusted, and requests."""
    requests = books.number(plan.inbox(region.player), "SELECT count(*) FROM refusal")
    return _count(plan.books(region.player), "refused") + requests


def _difference(region: Region, received: dict[str, dict[int, NDArray[np.int64]]], revoked: str) -> float:
    """Largest difference in kWh between a value imported and the same value received, summed over each PoD."""
    town, largest = region.town, 0
    for pod in town.pods[: region.consenting]:
        if pod.pod == revoked:
            continue
        days = [block for block in town.blocks(pod) if region.start <= block.day < region.end]
        arrays = received.get(pod.pod, {})
        difference = 0
        for block in days:
            values = arrays.get(epoch(block.start))
            difference += int(abs(block.values - (0 if values is None else values)).sum())
        largest = max(largest, difference)
    return largest / 1000


def draw(plan: Plan, file: Path) -> None:
    """A picture of one delivered load curve, from what the player received."""
    region = plan.january
    pod = region.town.pods[0].pod
    series = books.received_series(plan.books(region.player))[pod]
    first = min(series)
    instants = np.concatenate([start + 900 * np.arange(len(wh)) for start, wh in sorted(series.items())])
    kilowatts = np.concatenate([wh for _, wh in sorted(series.items())]) * 4 / 1000
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot((instants - first) / 86400 + 1, kilowatts, color="#1f5fa8", linewidth=0.8)
    axes.set_xlabel(f"day from {region.first_day}")
    axes.set_ylabel("kW")
    axes.set_title(f"Load curve of PoD {pod}, as delivered and acknowledged")
    axes.grid(visible=True, alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)

"""What the demo counts, each figure by the party that knows it, and none of them from another figure."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sqlalchemy import text

from flexiciency.client import Counts
from flexiciency.contract.series import epoch
from flexiciency.demo.plan import Plan
from flexiciency.demo.player import received_series
from flexiciency.demo.town import Town, TownPod
from flexiciency.store.database import Database


@dataclass(frozen=True, slots=True)
class Figures:
    """What `flexiciency demo --json` writes. `kwh_difference`: the largest of any PoD, the revoked one apart."""

    pods_confirmed: int
    pods_refused: int
    refusal_reasons: dict[str, int]
    values_acknowledged_by_player: int
    values_acknowledged_at_dso: int
    values_stopped: int
    values_after_revocation: int
    kwh_difference: float
    messages: int
    signatures_verified: int
    signatures_refused: int
    seconds: float

    def as_json(self) -> dict[str, object]:
        """By name."""
        return asdict(self)

    def contradictions(self) -> list[str]:
        """What is not as it must be, whatever the size of the demo."""
        must_be = {
            "player and DSO differ in values acknowledged": self.values_acknowledged_by_player
            == self.values_acknowledged_at_dso,
            "the revocation stopped nothing": self.values_stopped > 0,
            "values left after the revocation": self.values_after_revocation == 0,
            "values received are not those imported": self.kwh_difference == 0,
            "not every message was verified": self.signatures_verified == self.messages,
            "signatures were refused": self.signatures_refused == 0,
        }
        return [what for what, holds in must_be.items() if not holds]


@dataclass(frozen=True, slots=True)
class Revocation:
    """Which PoD's consent was revoked, and when its DSO said so (UTC)."""

    pod: TownPod
    at: datetime


def figures(
    plan: Plan, town: Town, database: Database, channel: Counts, revocation: Revocation, seconds: float
) -> Figures:
    """Read both sides' books after the last message."""
    with closing(sqlite3.connect(plan.player_file)) as player:
        confirmed = player.execute("SELECT count(*) FROM activation WHERE confirmed").fetchone()[0]
        refused = Counter(code for (code,) in player.execute("SELECT code FROM activation WHERE NOT confirmed"))
        acknowledged = player.execute(
            "SELECT coalesce(sum(s.count), 0) FROM series s JOIN message m ON m.id = s.message WHERE m.acknowledged"
        ).fetchone()[0]
        late = player.execute(
            "SELECT coalesce(sum(s.count), 0) FROM series s JOIN message m ON m.id = s.message "
            "JOIN consent c ON c.pod = s.pod WHERE c.revoked_at IS NOT NULL AND m.received_at > c.revoked_at"
        ).fetchone()[0]
        counts = dict(player.execute("SELECT name, value FROM counts"))
    dso = _dso(database, revocation)
    stopped = sum(len(block.values) for block in town.blocks(revocation.pod) if plan.revoked <= block.day < plan.end)
    return Figures(
        pods_confirmed=confirmed,
        pods_refused=sum(refused.values()),
        refusal_reasons=dict(refused),
        values_acknowledged_by_player=acknowledged,
        values_acknowledged_at_dso=dso["acknowledged"],
        values_stopped=stopped,
        values_after_revocation=dso["after_revocation"] + late,
        kwh_difference=_difference(plan, town, received_series(plan.player_file), revocation.pod.pod),
        messages=dso["messages"],
        signatures_verified=dso["verified"] + counts["verified"] + channel.verified,
        signatures_refused=dso["refused"] + counts["refused"] + channel.refused,
        seconds=round(seconds, 1),
    )


def _dso(database: Database, revocation: Revocation) -> dict[str, int]:
    """What the DSO's database says; its evidence has every message both ways."""
    queries = {
        "acknowledged": "SELECT coalesce(sum(value_count), 0) FROM delivery_pod WHERE status = 'OK'",
        "after_revocation": "SELECT coalesce(sum(dp.value_count), 0) FROM delivery d JOIN delivery_pod dp "
        "ON dp.delivery_id = d.id JOIN pod p ON p.id = dp.pod_id WHERE p.pod = :pod AND d.sent_at > :at",
        "messages": "SELECT count(*) FROM message",
        "verified": "SELECT count(*) FROM message WHERE direction = 'in' AND verified",
        "refused": "SELECT count(*) FROM message WHERE direction = 'in' AND (code IS NOT NULL OR NOT verified)",
    }
    with database.begin() as connection:
        return {
            name: int(connection.execute(text(query), {"pod": revocation.pod.pod, "at": revocation.at}).scalar_one())
            if ":pod" in query
            else int(connection.execute(text(query)).scalar_one())
            for name, query in queries.items()
        }


def _difference(plan: Plan, town: Town, received: dict[str, dict[int, NDArray[np.int64]]], revoked: str) -> float:
    """Largest difference in kWh between a value imported and the same value received, summed over each PoD."""
    largest = 0
    for pod in town.pods[: plan.consenting]:
        if pod.pod == revoked:
            continue
        days = [block for block in town.blocks(pod) if plan.start <= block.day < plan.end]
        arrays = received.get(pod.pod, {})
        difference = 0
        for block in days:
            values = arrays.get(epoch(block.start))
            difference += int(abs(block.values - (0 if values is None else values)).sum())
        largest = max(largest, difference)
    return largest / 1000


def draw(plan: Plan, pod: str, file: Path) -> None:
    """A picture of one delivered load curve, from what the player received."""
    series = received_series(plan.player_file)[pod]
    first = min(series)
    instants = np.concatenate([start + 900 * np.arange(len(wh)) for start, wh in sorted(series.items())])
    kilowatts = np.concatenate([wh for _, wh in sorted(series.items())]) * 4 / 1000
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot((instants - first) / 86400 + 1, kilowatts, color="#1f5fa8", linewidth=0.8)
    axes.set_xlabel(f"day from {plan.first_day}")
    axes.set_ylabel("kW")
    axes.set_title(f"Load curve of PoD {pod}, as delivered and acknowledged")
    axes.grid(visible=True, alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)

"""What a message of values holds, in short: by PoD or aggregate."""

from collections.abc import Iterator

import numpy as np

from flexiciency.client import AggregatesMessage, Quality, Series, ValuesMessage
from flexiciency.contract.series import Quantity, kilo_text

COLUMNS = ("of", "pods", "values", "kwh", "gaps", "qualities")

Message = ValuesMessage | AggregatesMessage


def runs_of(message: Message) -> dict[str, list[Series]]:
    """The runs of values without a gap of each PoD or aggregate, in order of time."""
    found: dict[str, list[Series]] = {}
    for run in message.columns().runs:
        found.setdefault(run.pod, []).append(run)
    return {name: sorted(runs, key=lambda run: run.start) for name, runs in found.items()}


def qualities_of(runs: list[Series]) -> dict[Quality, int]:
    """How many values have each quality."""
    codes = np.concatenate([
        np.zeros(len(run.values), dtype=np.uint8) if run.qualities is None else run.qualities for run in runs
    ])  # fmt: skip
    counts = np.bincount(codes, minlength=len(Quality)).tolist()
    return {quality: counts[quality] for quality in Quality if counts[quality]}


def summary(message: Message, expected: int) -> Iterator[tuple[object, ...]]:
    """A row for each PoD or aggregate, as `COLUMNS`; `expected` is how many values one without a gap has."""
    pods = {one.id: one.pods for one in message.aggregates} if isinstance(message, AggregatesMessage) else {}
    for name, runs in runs_of(message).items():
        count, qualities = sum(len(run.values) for run in runs), qualities_of(runs)
        there = count - qualities.get(Quality.MISSING, 0)
        words = ", ".join(f"{quality.word} {number}" for quality, number in qualities.items())
        yield name, pods.get(name), count, _kwh(message, runs), max(expected - there, 0), words


def _kwh(message: Message, runs: list[Series]) -> str:
    """The energy of all values; of power, what it makes in its time."""
    total = sum(int(run.values.sum(dtype=np.int64)) for run in runs)
    if message.header.quantity is Quantity.POWER:
        total = round(total * message.header.time_step.seconds / 3600)
    return kilo_text(total)

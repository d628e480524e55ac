"""An object on its way out, and what must be remembered of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flexiciency.contract.series import Series, TimeStep, instant_of
from flexiciency.domain.periods import Part
from flexiciency.store.deliveries import Sent, SentAggregate, SentPod
from flexiciency.store.release import Released


@dataclass(slots=True)
class Built:
    """The object of a delivery, and by PoD the number of its values and what let them out once its chunks were read."""

    object_id: str
    chunks: Iterator[bytes]
    period: Part | None = None
    counts: dict[str, int] = field(default_factory=dict)
    parts: dict[str, list[Part]] = field(default_factory=dict)
    """By PoD, of which parts of the period it has values."""
    released: Released = field(default_factory=Released)
    aggregates: list[SentAggregate] = field(default_factory=list)

    def note(self, series: Series) -> None:
        """Count a PoD's values as they pass."""
        self.counts[series.pod] = self.counts.get(series.pod, 0) + len(series.values)
        until = None if self.period is None else self.period[1]
        self.parts.setdefault(series.pod, []).append((series.start, _end(series, until)))

    @property
    def sent(self) -> Sent:
        """What is in it of each PoD and aggregate."""
        whole = [self.period]
        pods = [
            SentPod(
                pod, count, tuple(sorted(self.released.consents.get(pod, ()))), self.released.versions[pod],
                None if parts in (None, whole) else tuple(parts),
            )
            for pod, count in self.counts.items()
            for parts in (self.parts.get(pod),)
        ]  # fmt: skip
        return Sent(pods, self.aggregates)


def _end(series: Series, until: datetime | None) -> datetime:
    """The end of its last value; of a local day, which has 23 hours at least, a part may do: its start is what counts.

    `until` is the end of the message's period.
    """
    if series.step is not TimeStep.P1D:
        return series.start + timedelta(seconds=len(series.values) * series.step.seconds)
    last = instant_of(int(series.instants()[-1]))
    if until is not None and until - last <= timedelta(hours=25):
        return until
    return last + timedelta(hours=23)

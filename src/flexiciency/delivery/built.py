"""An object on its way out, and what must be remembered of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from flexiciency.store.deliveries import Sent, SentAggregate, SentPod
from flexiciency.store.release import Released


@dataclass(slots=True)
class Built:
    """The object of a delivery, and by PoD the number of its values and what let them out once its chunks were read."""

    object_id: str
    chunks: Iterator[bytes]
    counts: dict[str, int] = field(default_factory=dict)
    released: Released = field(default_factory=Released)
    aggregates: list[SentAggregate] = field(default_factory=list)

    @property
    def sent(self) -> Sent:
        """What is in it of each PoD and aggregate."""
        pods = [
            SentPod(pod, count, tuple(sorted(self.released.consents.get(pod, ()))), self.released.versions[pod])
            for pod, count in self.counts.items()
        ]
        return Sent(pods, self.aggregates)

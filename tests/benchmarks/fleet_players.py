"""The market players of the fleet, one process: `python -m tests.benchmarks.fleet_players KEYS DSO PORTS` (JSON).

Each has a listener with its own key and inbox, which reads every message into arrays. Ends when standard input does,
and prints the number of values that arrived.
"""

import json
import sys
import threading
from pathlib import Path

from flexiciency.client import Handlers, Identity, Listener, Received, TrustAnchors, ValuesMessage


class _Counter:
    """Values received, by all listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.values = 0

    def take(self, received: Received[ValuesMessage]) -> None:
        """Count a message's."""
        with self._lock:
            self.values += sum(len(series.values) for series in received.content.series)


def main() -> None:
    keys, dso, ports = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    anchors = TrustAnchors.from_pem((keys / "ca.pem").read_bytes())
    counter = _Counter()
    listeners = []
    for player, port in ports.items():
        name = player.rpartition(":")[2]
        identity = Identity.from_pem((keys / f"{name}.key").read_bytes(), (keys / f"{name}.pem").read_bytes())
        listener = Listener(
            identity, player, anchors, keys / f"{name}.sqlite", Handlers(values_arrived=counter.take),
            {dso: "RegulatedDataProvider"},
        )  # fmt: skip
        listener.start("127.0.0.1", port)
        listeners.append(listener)
    print("listening", flush=True)
    sys.stdin.read()
    for listener in listeners:
        listener.stop()
    print(counter.values, flush=True)


if __name__ == "__main__":
    main()

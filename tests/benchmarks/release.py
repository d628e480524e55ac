"""Releasing one day of one PoD, with a million consents in the database against ten thousand."""

import contextlib
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.domain.values import local_day
from flexiciency.store.database import Database, driver
from flexiciency.store.release import Asked, release
from flexiciency.store.transaction import transaction
from tests.benchmarks import figures
from tests.benchmarks.town import AGREEMENT, Town, town
from tests.world import CHANNEL, DSO, FIRST_DAY, PLAYER, ZONE, pod_name

FEW, MANY = 10_000, 1_000_000
PODS = 100
"""With values; the rest of the consents are of PoDs that have none, in the same agreement."""
CALLS, WARM_UP = 60, 10

# A PoD, a holder and a consent each, all in the one agreement of the town.
_MORE = f"""
INSERT INTO pod (pod, country, city, street, time_zone)
SELECT 'AT-more-' || n, 'AT', 'Wien', 'Ring', '{ZONE}' FROM generate_series(1, :more) n;
INSERT INTO pod_holder SELECT id, 'C-' || pod, tstzrange('2020-01-01T00:00Z', NULL) FROM pod WHERE pod LIKE 'AT-more-%';
INSERT INTO consent SELECT 'urn:uuid:' || pod, 'C-' || pod, '{DSO}', '{PLAYER}', '2025-01-01', '2025-02-01', now(),
    'Load curves', 'Advice', '{CHANNEL}', 'eID', now(), now(), 'urn:uuid:ack-' || pod, now(), NULL
FROM pod WHERE pod LIKE 'AT-more-%';
INSERT INTO consent_scope SELECT 'urn:uuid:' || pod, 'EnergyConsumption', 900 FROM pod WHERE pod LIKE 'AT-more-%';
INSERT INTO consent_pod (consent_id, pod, pod_id, customer_id, eso_id, status, covered)
SELECT 'urn:uuid:' || pod, pod, id, 'C-' || pod, '{PLAYER}', 'Acknowledged',
    tstzrange('2024-12-31T23:00Z', '2025-01-31T23:00Z') FROM pod WHERE pod LIKE 'AT-more-%';
INSERT INTO agreement_pod SELECT '{AGREEMENT}', id, tstzrange('2024-12-31T23:00Z', '2025-01-31T23:00Z')
FROM pod WHERE pod LIKE 'AT-more-%';
ANALYZE;
"""  # noqa: S608  constants


@contextlib.contextmanager
def _crowded(consents: int) -> Iterator[Town]:
    """A town in whose database there are so many consents."""
    with town(PODS) as setting:
        database = Database(setting.url)
        with database.begin() as connection:
            driver(connection).execute(_MORE.replace(":more", str(consents - PODS)))
        database.close()
        yield setting


class _Releasing:
    """One day of one PoD after the other, each in a transaction of its own."""

    def __init__(self, setting: Town) -> None:
        self._database = Database(setting.url)
        self._numbers = count()

    def milliseconds(self) -> float:
        """The median of some calls."""
        times = [self._one() for _ in range(WARM_UP + CALLS)][WARM_UP:]
        return statistics.median(times) * 1000

    def _one(self) -> float:
        number = next(self._numbers)
        start, end = local_day(FIRST_DAY + timedelta(days=number % 31), ZONE)
        asked = Asked(
            AGREEMENT, Quantity.ENERGY_CONSUMPTION, TimeStep.PT15M, start, end, pods=(pod_name(number % PODS),)
        )
        began = time.perf_counter()
        with transaction(self._database) as tx:
            found = sum(len(series.values) for series in release(tx, asked))
        seconds = time.perf_counter() - began
        if found != 96:
            raise RuntimeError(f"{found} values left; a day has 96")
        return seconds


def release_growth(report: figures.Report, pairs: int) -> None:
    """The cost of releasing one PoD-day, as consents grow a hundredfold."""
    with _crowded(MANY) as many, _crowded(FEW) as few:
        large, small = _Releasing(many), _Releasing(few)
        measured = figures.paired(large.milliseconds, small.milliseconds, pairs)
    report.add("release_pod_day", measured.second, "ms", f"one PoD-day from an agreement of all, {FEW:,} consents")
    report.add("release_growth", measured.ratio, "ratio", f"{MANY:,} consents over {FEW:,}, paired")

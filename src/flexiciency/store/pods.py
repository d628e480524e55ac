"""PoD master data: where each point of delivery is, and which customer held it when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.range import TimestamptzRange

from flexiciency.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A PoD and one holder; a PoD with several holders comes several times. `held_until` None: to this day."""

    pod: str
    country: str
    city: str
    street: str
    load_area: str | None
    time_zone: str
    customer_id: str
    held_from: datetime
    held_until: datetime | None


_STAGE = """
CREATE TEMPORARY TABLE staged_pod (pod text, country text, city text, street text, load_area text, time_zone text,
    customer_id text, held tstzrange) ON COMMIT DROP
"""
_COPY = "COPY staged_pod FROM STDIN"
# The rows of PoDs are locked in the order in which consents and agreements lock them.
_LOCK = "SELECT FROM pod p WHERE p.pod IN (SELECT pod FROM staged_pod) ORDER BY p.id FOR NO KEY UPDATE"
_PODS = """
INSERT INTO pod (pod, country, city, street, load_area, time_zone)
SELECT DISTINCT ON (pod) pod, country, city, street, load_area, time_zone FROM staged_pod ORDER BY pod
ON CONFLICT (pod) DO UPDATE SET country = EXCLUDED.country, city = EXCLUDED.city, street = EXCLUDED.street,
    load_area = EXCLUDED.load_area, time_zone = EXCLUDED.time_zone
"""
_TWO_HOLDERS = """
SELECT a.pod FROM staged_pod a JOIN staged_pod b ON b.pod = a.pod AND b.held && a.held AND b.ctid > a.ctid
ORDER BY a.pod LIMIT 1
"""
# More may leave of a PoD that somebody holds who did not: days that were delivered already are looked at again.
_MORE = """
INSERT INTO agreement_more (agreement_id, pod_id)
SELECT DISTINCT g.id, p.id FROM staged_pod s JOIN pod p ON p.pod = s.pod JOIN agreement_pod gp ON gp.pod_id = p.id
JOIN agreement g ON g.id = gp.agreement_id AND g.validation_date IS NOT NULL
WHERE NOT EXISTS (
    SELECT FROM pod_holder h WHERE h.pod_id = p.id AND h.customer_id = s.customer_id AND h.held @> s.held)
"""
# The latest import says who held a PoD: what it says of a PoD replaces what was known of it.
_FORGET_HOLDERS = "DELETE FROM pod_holder h USING pod p, staged_pod s WHERE h.pod_id = p.id AND p.pod = s.pod"
_HOLDERS = """
INSERT INTO pod_holder (pod_id, customer_id, held)
SELECT p.id, s.customer_id, s.held FROM staged_pod s JOIN pod p ON p.pod = s.pod
"""


def import_pods(tx: Transaction, records: Iterable[PodRecord]) -> int:
    """Store PoDs and holders, all or none; gives the number of records. A second import changes what the first said.

    Raises ValueError for a PoD that two customers hold at once.
    """
    tx.begin()
    below, count = tx.driver, 0
    below.execute(_STAGE)
    with below.cursor() as cursor, cursor.copy(_COPY) as copy:
        for record in records:
            copy.write_row(
                (
                    record.pod, record.country, record.city, record.street, record.load_area, record.time_zone,
                    record.customer_id, TimestamptzRange(record.held_from, record.held_until),
                )
            )  # fmt: skip
            count += 1
    if twice := below.execute(_TWO_HOLDERS).fetchone():
        raise ValueError(f"PoD {twice[0]} has two holders at once; end one period where the next begins")
    for statement in (_LOCK, _PODS, _MORE, _FORGET_HOLDERS, _HOLDERS):
        below.execute(statement)
    return count

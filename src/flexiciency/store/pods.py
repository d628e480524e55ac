"""PoD master data: where each point of delivery is, and which customer held it when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.range import TimestamptzRange

from flexiciency.store.database import Database, driver
from flexiciency.store.transaction import Query, Row, Transaction


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
CREATE TEMPORARY TABLE staged_pod (line int8, pod text, country text, city text, street text, load_area text,
    time_zone text, customer_id text, held tstzrange) ON COMMIT DROP
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
# Of periods in order, any two overlap only if two neighbours do. The same line twice is no second holder.
_TWO_HOLDERS = """
SELECT pod, line, before FROM (
    SELECT pod, line, lag(line) OVER w AS before,
        held && lag(held) OVER w AND (held, customer_id) <> (lag(held) OVER w, lag(customer_id) OVER w) AS twice
    FROM staged_pod WINDOW w AS (PARTITION BY pod ORDER BY lower(held), upper(held), customer_id, line)
) f WHERE twice ORDER BY line
"""
_TWO_PLACES = """
SELECT pod, line, first_line AS before FROM (
    SELECT pod, line, first_value(line) OVER w AS first_line,
        (country, city, street, load_area, time_zone) IS DISTINCT FROM
        first_value((country, city, street, load_area, time_zone)) OVER w AS differs
    FROM staged_pod WINDOW w AS (PARTITION BY pod ORDER BY line)
) f WHERE differs ORDER BY line
"""
_LEAVE_OUT = "DELETE FROM staged_pod WHERE pod = ANY(%(pods)s) RETURNING pod, line"
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
SELECT DISTINCT p.id, s.customer_id, s.held FROM staged_pod s JOIN pod p ON p.pod = s.pod
"""
_COUNT = "SELECT count(*) AS lines, count(DISTINCT pod) AS pods FROM staged_pod"


def zones(database: Database, pods: Iterable[str]) -> dict[str, str]:
    """The time zone of each PoD that is known."""
    with database.autocommit() as connection:
        asked = driver(connection).execute("SELECT pod, time_zone FROM pod WHERE pod = ANY(%b)", (list(pods),))
        return dict(asked.fetchall())


def stage(tx: Transaction, lines: Iterable[tuple[int, PodRecord]]) -> None:
    """Bring records, each with its line, to the database, where they wait for `store_staged` in this transaction."""
    tx.begin()
    tx.driver.execute(_STAGE)
    with tx.driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for line, record in lines:
            copy.write_row(
                (
                    line, record.pod, record.country, record.city, record.street, record.load_area, record.time_zone,
                    record.customer_id, TimestamptzRange(record.held_from, record.held_until),
                )
            )  # fmt: skip


def two_holders() -> Query:
    """Staged lines that give a PoD a second holder at once: rows of pod, line, and the line before it."""
    return Query(_TWO_HOLDERS, {})


def two_places() -> Query:
    """Staged lines that put a PoD elsewhere than its first line: rows of pod, line, and that line before it."""
    return Query(_TWO_PLACES, {})


def leave_out(pods: Iterable[str]) -> Query:
    """Take staged PoDs out again; rows of pod and line."""
    return Query(_LEAVE_OUT, {"pods": list(pods)})


def store_staged(tx: Transaction) -> Row:
    """Store what is staged; a row of the numbers of its lines and pods. A second import changes what the first said.

    A PoD that is staged must have one place, and one holder at a time.
    """
    for statement in (_LOCK, _PODS, _MORE, _FORGET_HOLDERS, _HOLDERS):
        tx.driver.execute(statement)
    ((counted,),) = tx.read(Query(_COUNT, {}))
    return counted

"""Revision 0016 on a database with a past: what was said is kept as said of all, and nothing is pushed again by it."""

from datetime import UTC, datetime, timedelta

from alembic import command
from sqlalchemy import text

from flexiciency.store import migrate, resends
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction

# Keys into other tables are not looked at: only what the migration reads is there.
_PAST = """
SET LOCAL session_replication_role = replica;
INSERT INTO market_player_registration (id, description_id, role, status, since)
VALUES ('player', 'd', 'UnregulatedDataRequester', 'Active', '2025-01-01');
INSERT INTO delivery (id, recipient_id, operation, state, agreement_id, value_period, cause, object_id, message_id,
    created_at, sent_at, received_at, acknowledged_at, attempts)
SELECT d.id::uuid, 'player', 'ReceiveIndividualDataValue', d.state, 'agreement', '[2025-01-01,2025-01-02)', 'Scheduled',
    d.id, d.id, '2025-01-02', '2025-01-02', '2025-01-02', d.acknowledged_at::timestamptz, 1
FROM (VALUES ('00000000-0000-4000-8000-000000000001', 'AcknowledgedPartly', '2025-01-03'),
             ('00000000-0000-4000-8000-000000000002', 'Sent', NULL)) AS d(id, state, acknowledged_at);
INSERT INTO delivery_pod (delivery_id, pod_id, value_count, status, reason_code)
VALUES ('00000000-0000-4000-8000-000000000001', 1, 96, 'OK', NULL),
       ('00000000-0000-4000-8000-000000000001', 2, 96, 'KO', 'OutOfRange'),
       ('00000000-0000-4000-8000-000000000002', 1, 96, NULL, NULL);
"""


def test_what_was_said_is_kept_and_what_was_not_acknowledged_is_escalated_and_not_pushed(empty_url: str) -> None:
    database = Database(empty_url)
    with database.begin() as connection:
        command.upgrade(migrate._config(connection), "0012")
        connection.execute(text(_PAST))
    migrate.upgrade(database)
    with database.begin() as connection:
        said = connection.execute(
            text("SELECT pod_id, value_period, status, reason_code, status_at FROM delivery_acknowledgement ORDER BY 1")
        ).all()
        pods = connection.execute(text("SELECT status, open FROM delivery_pod ORDER BY delivery_id, pod_id")).all()
        marks = connection.execute(text("SELECT escalated_at IS NOT NULL FROM delivery ORDER BY id")).scalars().all()
    at = datetime(2025, 1, 3, tzinfo=UTC)
    assert said == [(1, None, "OK", None, at), (2, None, "KO", "OutOfRange", at)]
    assert pods == [("OK", False), ("KO", False), (None, True)]
    assert marks == [False, True]
    with transaction(database) as tx:
        (due,) = tx.read(resends.due(timedelta(hours=1), 3, datetime.now(UTC)))
    assert due == []
    database.close()

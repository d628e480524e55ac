"""Who may speak: registrations and customer channels with the certificates bound to them (MPL-REG, MPL-AUT)."""

from dataclasses import asdict, dataclass
from datetime import datetime

from flexiciency.store.transaction import Query

# A certificate is bound to the company: any registration under the same MPL-DES may use it (docs/decisions.md). What a
# registration that is not approved, or withdrawn, has brought along is its own: nobody has vouched for it.
# With what this sender's MessageID was answered before, if it was: one statement, since every message asks for both.
_REGISTRATION = """
SELECT r.role, r.status, e.body_digest, e.at, e.reply_row, EXISTS (
    SELECT FROM market_player_authentication a JOIN market_player_registration o ON o.id = a.registration_id
    WHERE o.description_id = r.description_id AND (o.id = r.id OR o.status IN ('Active', 'Suspended'))
      AND a.fingerprint = %(fingerprint)s AND a.withdrawn_at IS NULL
      AND a.valid_from <= %(now)s AND %(now)s < a.valid_until) AS bound
FROM market_player_registration r LEFT JOIN exchange e ON e.sender = %(sender)s AND e.message_id = %(message_id)s
WHERE r.id = %(id)s
"""

_CHANNEL = """
SELECT c.fingerprint = %(fingerprint)s AS bound, c.withdrawn_at, e.body_digest, e.at, e.reply_row
FROM customer_channel c LEFT JOIN exchange e ON e.sender = %(sender)s AND e.message_id = %(message_id)s
WHERE c.id = %(id)s
"""

# Of somebody who is no registration here: the one who enrols, or the Market Place.
_EARLIER = """
SELECT e.body_digest, e.at, e.reply_row FROM (VALUES (1)) AS one
LEFT JOIN exchange e ON e.sender = %(sender)s AND e.message_id = %(message_id)s
"""

_LOCATION = "SELECT uri FROM market_player_location WHERE registration_id = %(id)s ORDER BY id LIMIT 1"

# A suspension waits until what is leaving has been marked Sent.
_STATUS = "SELECT status, role FROM market_player_registration WHERE id = %(id)s FOR SHARE"

_FINGERPRINTS = """
SELECT a.fingerprint FROM market_player_registration r
JOIN market_player_registration o ON o.description_id = r.description_id
    AND (o.id = r.id OR o.status IN ('Active', 'Suspended'))
JOIN market_player_authentication a ON a.registration_id = o.id
WHERE r.id = %(id)s AND a.withdrawn_at IS NULL AND a.valid_from <= %(now)s AND %(now)s < a.valid_until
"""


@dataclass(frozen=True, slots=True)
class Message:
    """What of a message says who speaks: From, the certificate, and the MessageID, None where no reply is kept."""

    sender: str
    fingerprint: str
    message_id: str | None


def registration(registration_id: str, message: Message, now: datetime) -> Query:
    """Role and status of a registration, whether the certificate is bound to its company now, and the earlier reply."""
    return Query(_REGISTRATION, {"id": registration_id, "now": now, **asdict(message)})


def channel(channel_id: str, message: Message) -> Query:
    """Whether the certificate is bound to a customer channel, when that was withdrawn, and the earlier reply."""
    return Query(_CHANNEL, {"id": channel_id, **asdict(message)})


def earlier(message: Message) -> Query:
    """The earlier reply alone."""
    return Query(_EARLIER, {"sender": message.sender, "message_id": message.message_id})


def location(registration_id: str) -> Query:
    """The address to push to (MPL-ADD); no row where the party has none."""
    return Query(_LOCATION, {"id": registration_id})


def status(registration_id: str) -> Query:
    """Status and role of a registration, locked against a change of it until the transaction ends."""
    return Query(_STATUS, {"id": registration_id})


def fingerprints(registration_id: str, now: datetime) -> Query:
    """The certificates bound to a registration's company now."""
    return Query(_FINGERPRINTS, {"id": registration_id, "now": now})

"""wsu:Timestamp: how long a message is good for."""

import re
from datetime import UTC, datetime, timedelta

from lxml import etree

from flexiciency.errors import EnvelopeInvalid, MessageExpired, MessageFromFuture
from flexiciency.wire import names
from flexiciency.wire.xml import check_attributes, expect_children, label, text_of

_CREATED = f"{{{names.WSU}}}Created"
_EXPIRES = f"{{{names.WSU}}}Expires"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|\+00:00)", re.ASCII)


def read_timestamp(element: etree._Element) -> tuple[datetime, datetime]:
    """Created and Expires, UTC; EnvelopeInvalid unless both are there, in UTC and in order."""
    check_attributes(element, (names.ID,))
    created, expires = (_instant(child) for child in expect_children(element, _CREATED, _EXPIRES))
    if expires <= created:
        raise EnvelopeInvalid(f"wsu:Expires ({expires.isoformat()}) is not after wsu:Created ({created.isoformat()}).")
    return created, expires


def check_timestamp(
    created: datetime, expires: datetime, now: datetime, *, max_lifetime: timedelta, clock_skew: timedelta
) -> None:
    """Raises MessageExpired (also for a lifetime that is too long) or MessageFromFuture."""
    if expires - created > max_lifetime:
        raise MessageExpired(
            f"wsu:Timestamp is valid for {(expires - created).total_seconds():g} s; at most "
            f"{max_lifetime.total_seconds():g} s are allowed. Shorten the lifetime."
        )
    if created > now + clock_skew:
        raise MessageFromFuture(
            f"wsu:Created is {created.isoformat()}, more than {clock_skew.total_seconds():g} s ahead of our clock "
            f"({now.isoformat()}). Synchronize the sender's clock."
        )
    if now > expires + clock_skew:
        raise MessageExpired(
            f"The message expired at {expires.isoformat()}; our clock says {now.isoformat()}. Sign it anew and send it "
            "again, with the same MessageID if it is the same message."
        )


def _instant(element: etree._Element) -> datetime:
    check_attributes(element, ())
    text = text_of(element)
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        pass
    raise EnvelopeInvalid(f"{label(element.tag)} is {text[:40]!r}; expected UTC as 2026-01-31T12:00:00.000Z.")

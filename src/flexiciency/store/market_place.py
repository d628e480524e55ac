"""What the Market Place says of itself (MKP-DES, MKP-ADD), and DSO mapping by territories (D2.3, 2.2)."""

from dataclasses import asdict, dataclass

from flexiciency.contract.ids import new_id
from flexiciency.errors import ReferenceUnknown, StateConflict
from flexiciency.store import market
from flexiciency.store.transaction import Query, Transaction

MOST = 100
"""How many DSOs one location is answered with."""

_DESCRIBE = """
WITH changed AS (
    UPDATE market_place_description SET purpose = %(purpose)s, legal_information = %(legal_information)s,
        contact_details = %(contact_details)s, stakeholder_and_community = %(stakeholder_and_community)s,
        help = %(help)s, usage_condition = %(usage_condition)s RETURNING id
)
INSERT INTO market_place_description (id, purpose, legal_information, contact_details, stakeholder_and_community, help,
    usage_condition)
SELECT %(id)s, %(purpose)s, %(legal_information)s, %(contact_details)s, %(stakeholder_and_community)s, %(help)s,
    %(usage_condition)s WHERE NOT EXISTS (SELECT FROM changed)
"""
_LOCATE = """
INSERT INTO market_place_location (id, uri) VALUES (%(id)s, %(uri)s) ON CONFLICT (id) DO UPDATE SET uri = EXCLUDED.uri
"""
_REMOVE = "DELETE FROM market_place_location WHERE id = %(id)s RETURNING id"
_NAMED = "SELECT id FROM market_player_authentication WHERE market_place_location_id = %(id)s ORDER BY id LIMIT 1"

_DESCRIPTION = "SELECT * FROM market_place_description"

_LOCATIONS = """
SELECT l.id, l.uri, array(
    SELECT a.id FROM market_player_registration me
    JOIN market_player_registration r ON r.description_id = me.description_id AND r.status = 'Active'
    JOIN market_player_authentication a ON a.registration_id = r.id
    WHERE me.id = %(reader)s AND a.market_place_location_id = l.id AND a.withdrawn_at IS NULL ORDER BY a.id) AS users
FROM market_place_location l ORDER BY l.id
"""

_DSOS = """
FROM market_player_territory t
JOIN market_player_description d ON d.id = t.description_id AND d.company_subtype = 'DSO'
JOIN market_player_registration r
    ON r.description_id = d.id AND r.role = 'RegulatedDataProvider' AND r.status = 'Active'
"""

# The comparisons with ~ are those of the index on prefixes; unlike LIKE they use it whatever the PoD is.
_BY_POD = f"""
WITH found AS (
    SELECT r.id, length(t.pod_prefix) AS exactness {_DSOS}
    WHERE t.pod_prefix = ANY(%(beginnings)s) OR (t.pod_prefix ~>~ %(pod)s AND t.pod_prefix ~<~ %(beyond)s)
)
SELECT id FROM found WHERE exactness > length(%(pod)s)
    OR exactness = (SELECT max(exactness) FROM found WHERE exactness <= length(%(pod)s))
GROUP BY id ORDER BY max(exactness) DESC, id LIMIT {MOST}
"""  # noqa: S608  constants

_BY_PLACE = f"""
SELECT r.id {_DSOS}
WHERE t.country = %(country)s AND (%(city)s::text IS NULL OR t.city IS NULL OR lower(t.city) = lower(%(city)s))
GROUP BY r.id ORDER BY bool_or(lower(t.city) = lower(%(city)s)) DESC NULLS LAST, r.id LIMIT {MOST}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """MKP-DES as the operator enters it."""

    purpose: str
    legal_information: str
    contact_details: str
    stakeholder_and_community: str
    help: str
    usage_condition: str


def set_description(tx: Transaction, entered: Description) -> None:
    """Describe this Market Place (MKP-DES), or change what is said; its Id stays."""
    market.lock(tx)
    tx.write(_DESCRIBE, id=new_id(), **asdict(entered))


def set_location(tx: Transaction, location_id: str, uri: str) -> None:
    """Enter an access point (MKP-ADD), or change its address."""
    market.lock(tx)
    tx.write(_LOCATE, id=location_id, uri=uri)


def remove_location(tx: Transaction, location_id: str) -> None:
    """Take an access point away. Raises ReferenceUnknown, or StateConflict while an MPL-AUT names it."""
    market.lock(tx)
    (naming,) = tx.read(Query(_NAMED, {"id": location_id}))
    if naming:
        raise StateConflict(
            f"MKP-ADD {location_id} is named by MPL-AUT {naming[0].id}, which keeps it. Change its address instead."
        )
    (removed,) = tx.read(Query(_REMOVE, {"id": location_id}))
    if not removed:
        raise ReferenceUnknown(f"There is no MKP-ADD {location_id}.")


def description() -> Query:
    """The one row of MKP-DES, if the operator has entered it."""
    return Query(_DESCRIPTION, {})


def locations(reader_id: str) -> Query:
    """Each MKP-ADD: id, uri, and users, the MPL-AUT of the reader's own company that connect to it."""
    return Query(_LOCATIONS, {"reader": reader_id})


def dsos_of_pod(pod: str) -> Query:
    """Ids of the DSOs with the longest prefix that the PoD begins with, and of those whose prefix is longer still."""
    beginnings = [pod[:length] for length in range(1, len(pod) + 1)]
    # A PoD is of printable ASCII: what begins with it sorts before it with a DEL behind.
    return Query(_BY_POD, {"pod": pod, "beginnings": beginnings, "beyond": pod + "\x7f"})


def dsos_of_place(country: str, city: str | None) -> Query:
    """Ids of the DSOs that serve a country, or a city of it: those that name the city before those of the country."""
    return Query(_BY_PLACE, {"country": country, "city": city})

"""Which objects of D2.3's Table 4 travelled between the Market Place and Market Players, counted from what was kept."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import text

from flexiciency.contract.catalogue import MARKET_PLACE as INTERFACE
from flexiciency.contract.catalogue import MARKET_PLAYER, object_of
from flexiciency.demo import books
from flexiciency.demo.plan import Plan
from flexiciency.store import evidence
from flexiciency.store.database import Database, driver
from flexiciency.wire.parse import parse

IN, OUT = "to Market Place", "from Market Place"
TABLE_4 = {
    "MKP-DES": (OUT,),
    "MPL-REG": (IN, OUT),
    "MPL-ADD": (IN,),
    "MPL-DES": (IN,),
    "MPL-AUT": (IN,),
    "MKP-SRV-OFF": (IN, OUT),
    "MKP-SRV-SUB": (IN, OUT),
    "B2B-SRV-SUB": (OUT,),
    "MKP-SRV-DES": (IN, OUT),
}
"""By object, the directions that D2.3 names."""

_MESSAGES = text(
    "SELECT id, direction FROM message WHERE verified AND code IS NULL AND (action LIKE :place OR action LIKE :pushed)"
)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """How often an object travelled in each direction."""

    to_market_place: int
    from_market_place: int

    def travelled(self, direction: str) -> bool:
        """Whether it did, in one of the directions of Table 4."""
        return (self.to_market_place if direction == IN else self.from_market_place) > 0


def objects_exchanged(plan: Plan, database: Database) -> dict[str, Exchanged]:
    """By BO id, from the Market Place's evidence.

    Of operations that only read no evidence is kept: what came by them counts where the player has noted it.
    """
    tags = {f"{{{object_of(bo_id).namespace}}}{object_of(bo_id).name}": bo_id for bo_id in TABLE_4}
    counts: Counter[tuple[str, str]] = Counter()
    actions = {"place": f"urn:flexiciency:{INTERFACE}:1:%", "pushed": f"urn:flexiciency:{MARKET_PLAYER}:1:%"}
    with database.begin() as connection:
        for message in connection.execute(_MESSAGES, actions).all():
            content = b"".join(evidence.read(driver(connection), message.id))
            counts.update((message.direction, tags[str(one.tag)]) for one in parse(content).iter(*tags))
    for region in plan.regions:
        read = books.read(plan.books(region.player), "SELECT object FROM read_object")
        counts.update(("out", bo_id) for (bo_id,) in read)
    return {bo_id: Exchanged(counts["in", bo_id], counts["out", bo_id]) for bo_id in TABLE_4}

"""Work on a whole country, for `child.measure`: each function prepares its input and returns the work."""

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flexiciency import app
from flexiciency.cli import start
from flexiciency.config import Settings
from flexiciency.contract.ids import new_id
from flexiciency.contract.series import Quantity, TimeStep
from flexiciency.delivery import worker
from flexiciency.delivery.aggregates import Wanted, aggregates_object
from flexiciency.domain.values import local_day
from flexiciency.soap.outgoing import seal
from flexiciency.store import aggregates
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from flexiciency.wire.addressing import Addressing, new_message_id
from flexiciency.wire.identity import Identity
from tests.benchmarks.fleet_country import DAY, NATIONAL
from tests.world import DSO, PLAYER, ZONE

CONCURRENCY = 4
"""Pushes at once, of one delivery process."""


def command(environment: str, *arguments: str) -> Callable[[], object]:
    """A command of the DSO's operator, with these settings (JSON)."""
    os.environ.update(json.loads(environment))

    def run() -> None:
        sys.argv = ["flexiciency", *arguments]
        try:
            start.main()
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(f"{arguments} ended with {ended.code}") from ended

    return run


def pushed(environment: str, url: str) -> Callable[[], object]:
    """Everything queued pushed, until no job is left; `environment` has the settings, as JSON."""
    os.environ.update(json.loads(environment))
    database = Database(url)
    pusher = app.pusher(Settings(), database)
    return lambda: worker.run(database, pusher, concurrency=CONCURRENCY, wait=False)


def national(url: str, keys: str, pods: int) -> Callable[[], object]:
    """The country's aggregate of the day, from the database to the signed bytes of its AGG-DAT-VAL."""
    database = Database(url)
    folder = Path(keys)
    identity = Identity.from_pem((folder / "dso.key").read_bytes(), (folder / "dso.pem").read_bytes())
    start, end = local_day(DAY, ZONE)

    def build() -> None:
        with transaction(database) as tx:
            (members,) = tx.look_up(aggregates.members(NATIONAL, start, end))
            wanted = Wanted(
                agreement_id=NATIONAL, requester_id=PLAYER, level="Country", method="Sum",
                quantity=Quantity.ENERGY_CONSUMPTION, step=TimeStep.PT15M, start=start, end=end, members=members,
                minimum=5, all_or_nothing=True,
            )  # fmt: skip
            built = aggregates_object(tx, wanted, new_id(), selection=None)
            if built is None:
                raise RuntimeError("there is no aggregate")
            addressing = Addressing(new_message_id(), "urn:flexiciency:bench", PLAYER, DSO)
            message = seal(built.chunks, addressing, identity, datetime.now(UTC))
            size = sum(len(chunk) for chunk in message.chunks())
        if built.aggregates[0].pods != pods or size != message.size:
            raise RuntimeError(f"{built.aggregates[0].pods} PoDs in {size} bytes; {pods} were expected")

    return build

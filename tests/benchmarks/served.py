"""What the benchmark's HTTP servers load."""

import flexiciency.soap.spyne_compat

import os

from flexiciency import app
from flexiciency.config import Settings
from flexiciency.soap.wsgi import Site
from flexiciency.store.database import Database
from tests.benchmarks.yardsticks import plain_soap

yardstick = plain_soap.application


def gateway() -> Site:
    """The gateway as settings in the environment say."""
    return app.site(Settings(), Database(os.environ["FLEXICIENCY_DATABASE_URL"]))

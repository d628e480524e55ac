"""A DSO-REQ of 10,000 PoDs answered in process, each consent checked and stored, against parsing and validating it."""

import io
import time
from typing import Any

from lxml import etree
from sqlalchemy import text

from flexiciency import app
from flexiciency.contract.catalogue import B2B
from flexiciency.contract.schemas import schema
from flexiciency.store.database import Database
from tests.benchmarks import figures
from tests.benchmarks.town import CONSENTED, Town, town
from tests.gateway import player_of
from tests.messages import activation, new_id
from tests.world import pod_name

PODS = 10_000
WARM_UP = 2
"""Calls before those measured."""

_PODS = """
WITH added AS (
    INSERT INTO pod (pod, country, city, street, time_zone)
    SELECT 'AT' || lpad(n::text, 31, '0'), 'AT', 'Linz', 'Landstraße', 'Europe/Vienna'
    FROM generate_series(0, :last) AS n RETURNING id
)
INSERT INTO pod_holder (pod_id, customer_id, held)
SELECT id, 'C-' || id, tstzrange('2020-01-01T00:00Z', NULL) FROM added
"""


def activations(report: figures.Report, pairs: int) -> None:
    """The DSO-REQ, from the bytes that arrive to those of the signed reply, paired with reading it by lxml alone."""
    with town(0) as setting:
        database = Database(setting.url)
        try:
            with database.begin() as connection:
                connection.execute(text(_PODS), {"last": PODS - 1})
                connection.execute(text(CONSENTED))
            site = app.site(setting.world.settings, database)
            for _ in range(WARM_UP):
                _answer(site, *_request(setting))
            measured = figures.paired(
                lambda: _answer(site, *_request(setting)), lambda: _read(_request(setting)[0]), max(pairs, 5)
            )
        finally:
            database.close()
    against = f"lxml parses and validates the same request of {PODS:,} PoDs, paired"
    report.add("activation_10k_vs_parse", measured.ratio, "ratio", against)
    report.add("activation_10k", measured.first * 1000, "ms", "gateway, in process")
    report.add("activation_10k_parse", measured.second * 1000, "ms", against)


def _request(setting: Town) -> tuple[bytes, str]:
    """A signed DSO-REQ of all PoDs and its action, new each time."""
    sealed = player_of(setting.world, "").seal(activation(new_id(), [pod_name(number) for number in range(PODS)]))
    return b"".join(sealed.chunks()), sealed.addressing.action


def _answer(site: Any, message: bytes, action: str) -> float:
    """Seconds from the request's bytes to the reply's, which must be OK."""
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": f"/v1/services/{B2B}", "CONTENT_TYPE": "text/xml; charset=utf-8",
        "CONTENT_LENGTH": str(len(message)), "HTTP_SOAPACTION": f'"{action}"', "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(message), "QUERY_STRING": "",
    }  # fmt: skip
    began = time.perf_counter()
    reply = b"".join(site(environ, lambda *_: None))
    taken = time.perf_counter() - began
    if b">OK</" not in reply:
        raise ValueError(f"the request was not confirmed: {reply[:2000]!r}")
    return taken


def _read(message: bytes) -> float:
    """Seconds of parsing a message and holding its Body's child against the XSD."""
    compiled = schema(f"{B2B}-operations")
    began = time.perf_counter()
    (child,) = etree.fromstring(message)[-1]
    valid = compiled.validate(child)
    taken = time.perf_counter() - began
    if not valid:
        raise ValueError("the request is not valid")
    return taken

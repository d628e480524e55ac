"""Jobs in Procrastinate: deferred inside the business transaction, so that a job and its cause are one."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import procrastinate
import psycopg
from procrastinate.types import JSONDict

PUSH = "flexiciency.push"
DIRECTORY = "flexiciency.directory"
VALIDATION = "flexiciency.validation"
QUEUE = "push"

_deferring = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


def defer_push(driver: psycopg.Connection[Any], delivery_id: UUID) -> None:
    """Defer the push of a delivery on this connection: it exists when its transaction commits."""
    defer_pushes(driver, [delivery_id])


def defer_pushes(driver: psycopg.Connection[Any], delivery_ids: Iterable[UUID]) -> None:
    """As `defer_push`, of any number at once."""
    jobs: list[JSONDict] = [{"delivery_id": str(delivery_id)} for delivery_id in delivery_ids]
    if jobs:
        _deferring.configure_task(PUSH, queue=QUEUE, connection=driver).batch_defer(*jobs)


def defer_directory(driver: psycopg.Connection[Any]) -> None:
    """Defer a look at the directory on this connection, by the Market Place or by a DSO that keeps a copy."""
    _deferring.configure_task(DIRECTORY, queue=QUEUE, connection=driver).defer()


def defer_validation(driver: psycopg.Connection[Any], request_id: str) -> None:
    """Defer the answer to a TECH-FLEX-REQ on this connection."""
    _deferring.configure_task(VALIDATION, queue=QUEUE, connection=driver).defer(request_id=request_id)

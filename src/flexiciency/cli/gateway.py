"""`flexiciency serve`, `work` and `deliver`: the gateway's processes, and a day of values on its way."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from flexiciency.cli import opening
from flexiciency.cli.output import done
from flexiciency.config import DeliverySettings, Settings

Day = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First local day; without it, what is due.")
]
LastDay = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Day after the last; by default one day.")
]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    cli.command()(serve)
    cli.command()(work)
    cli.command()(deliver)


def serve(
    behind_proxy: Annotated[
        bool, typer.Option(help="A proxy in front ends TLS; plain HTTP off loopback is wanted.")
    ] = False,
) -> None:
    """Serve the gateway: B2B and B2C, its delivery workers, and the embedded PostgreSQL when no database is set.

    Off loopback, a proxy in front that ends TLS and takes each request in whole before it passes it on is recommended:
    a few hundred clients that send slowly can take all places in which this server receives.
    """
    from flexiciency import serving  # noqa: PLC0415  slow to import: other commands do without

    serving.serve(Settings(), behind_proxy=behind_proxy)


def work() -> None:
    """Deliver what is due, until stopped; `serve` runs this too. Any number of hosts may."""
    from flexiciency import serving  # noqa: PLC0415  slow to import: other commands do without

    serving.work(Settings())


def deliver(day: Day = None, until: LastDay = None) -> None:
    """Queue the values that are due now, or with --from what is there of local days, complete or not.

    Of every validated agreement; what was queued before is left alone.
    """
    from flexiciency.delivery.outbox import Outbox  # noqa: PLC0415  slow to import: other commands do without
    from flexiciency.delivery.schedule import Terms, queue_days, queue_due  # noqa: PLC0415  likewise

    settings, now = DeliverySettings(), datetime.now(UTC)
    terms = Terms(timedelta(seconds=settings.delivery_grace), settings.caps)
    if day is None and until is not None:
        raise typer.BadParameter("--until needs --from")
    with opening.database() as database:
        if day is None:
            queued = queue_due(database, Outbox(), now, terms)
        else:
            end = until or day + timedelta(days=1)
            queued = queue_days(database, Outbox(), day.date(), end.date(), now, terms)
    done(f"{queued} deliveries queued.")

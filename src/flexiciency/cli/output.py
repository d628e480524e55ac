"""What the commands print: tables for people, JSON for programs, one line for an error."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Table

from flexiciency.errors import GatewayError

# Into a file or a pipe, identifiers stay whole.
out = Console(width=None if sys.stdout.isatty() else 300)
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")]


class FileInvalid(GatewayError):  # noqa: N818  named like the coded errors
    """A file that was given to a command cannot be used; the message says which, where and why."""


class NotInstalled(GatewayError):  # noqa: N818  named like the coded errors
    """A command needs an extra; the message says which, and how to install it."""


def show(title: str, rows: Iterable[Sequence[Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Rows as a table, or as a JSON list of objects on standard output."""
    if as_json:
        listed = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
        out.print_json(json.dumps(listed))
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(_plain(value)) for value in row))
    out.print(table)


def done(text: str) -> None:
    """One line that says what was done."""
    out.print(text, highlight=False, soft_wrap=True)


def failed(code: str, text: str) -> None:
    """One line that says what went wrong and what to do, on standard error."""
    err.print(f"{code}: {text}", style="red", markup=False, highlight=False, soft_wrap=True)


def log_to_stderr() -> None:
    """Log lines for people on a terminal, else a JSON object a line; standard output is for what was asked for."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)

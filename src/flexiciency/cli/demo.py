"""`flexiciency demo`: the whole story on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from flexiciency.cli.output import failed


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(demo)


def demo(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    picture: Annotated[Path, typer.Option(help="Where the picture of a load curve goes.")] = Path(
        "build/demo-load-curve.png"
    ),
) -> None:
    """Enrolment to acknowledged load curve, over signed SOAP, between five parties as processes on this machine."""
    try:
        from flexiciency.demo import story  # noqa: PLC0415  an extra, and slow to import: other commands do without
    except ModuleNotFoundError as missing:
        failed("NotInstalled", f"{missing.name} is missing: pip install 'flexiciency[demo]'.")
        raise typer.Exit(1) from None
    story.play(json_file, picture)

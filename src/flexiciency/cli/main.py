"""The command `flexiciency`: every error is one line with its code and what to do, never a stack trace."""

import os
import sys
from collections.abc import Callable

import typer
from pydantic import ValidationError

from flexiciency.cli import certificates
from flexiciency.cli.output import failed
from flexiciency.errors import GatewayError

cli = typer.Typer(
    name="flexiciency",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="SOAP/XML gateway for consents and meter data after FLEXICIENCY D2.3.",
)
cli.add_typer(certificates.cli, name="certificate")

try:
    from flexiciency.cli import demo, gateway, operator, records
except ModuleNotFoundError as missing:
    if (missing.name or "").startswith("flexiciency"):
        raise
    NEEDS = (
        f"`{missing.name}` is not installed: this command needs the extra gateway (pip install flexiciency[gateway])."
    )

    def _refuse() -> None:
        raise typer.BadParameter(NEEDS)

    for name in ("serve", "work", "deliver", "demo", "database", "registration", "channel", "service", "pods"):
        cli.command(name, help="Needs the extra gateway.", context_settings={"ignore_unknown_options": True})(_refuse)
else:
    gateway.register(cli)
    demo.register(cli)
    for name, part in {**operator.PARTS, **records.PARTS}.items():
        cli.add_typer(part, name=name)


def main() -> None:
    """Run the command line."""
    sys.exit(_run(lambda: cli(standalone_mode=True)))


def _run(command: Callable[[], object]) -> int:
    try:
        command()
    except GatewayError as error:
        failed(error.code, error.message)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        failed(
            "SettingsInvalid",
            f"{problems}. Set them in flexiciency.toml or as FLEXICIENCY_… variables; see docs/run.md.",
        )
    except KeyboardInterrupt:
        failed("Interrupted", "Stopped.")
    except BrokenPipeError:
        os.close(sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("FLEXICIENCY_DEBUG"):
            raise
        failed(type(error).__name__, f"{error} (FLEXICIENCY_DEBUG=1 shows where)")
    else:
        return 0
    return 1


if __name__ == "__main__":
    main()

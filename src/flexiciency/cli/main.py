"""The command `flexiciency`: every error is one line with its code and what to do, never a stack trace."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup
from typer.main import get_group

from flexiciency.cli import certificates, demo
from flexiciency.cli.output import failed, log_to_stderr
from flexiciency.errors import GatewayError, PartnerFault, Unavailable


class ClientCommands(TyperGroup):
    """Commands that are imported when they are asked for: the client is slow to import."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return self._imported().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them."""
        return self._imported().get_command(ctx, cmd_name)

    def _imported(self) -> TyperGroup:
        raise NotImplementedError


class PlayerCommands(ClientCommands):
    """The commands of `flexiciency player`."""

    def _imported(self) -> TyperGroup:
        from flexiciency.cli import player  # noqa: PLC0415  the other commands do without

        return get_group(player.cli)


class CustomerCommands(ClientCommands):
    """The commands of `flexiciency customer`."""

    def _imported(self) -> TyperGroup:
        from flexiciency.cli import customer  # noqa: PLC0415  the other commands do without

        return get_group(customer.cli)


cli = typer.Typer(
    name="flexiciency",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="SOAP/XML gateway for consents and meter data after FLEXICIENCY D2.3.",
)
cli.add_typer(certificates.cli, name="certificate")
cli.add_typer(
    typer.Typer(cls=PlayerCommands, no_args_is_help=True, help="A Market Player at the Market Place."), name="player"
)
cli.add_typer(
    typer.Typer(cls=CustomerCommands, no_args_is_help=True, help="A customers' channel at a DSO."), name="customer"
)
demo.register(cli)

GATEWAY_COMMANDS = (
    "serve", "work", "deliver", "database", "registration", "channel", "service", "subscription", "pods",
    "evidence", "deliveries", "market-place", "directory", "consent", "agreement", "load-area", "flexibility",
    "activation", "selection", "values",
)  # fmt: skip
"""What a base install, which is the client, does not have."""

try:
    from flexiciency.cli import (
        activations,
        agreements,
        consents,
        directory,
        flexibility,
        gateway,
        intake,
        market_place,
        operator,
        records,
        validations,
    )
except ModuleNotFoundError as missing:
    if (missing.name or "").startswith("flexiciency"):
        raise
    _missing = missing.name

    def _refuse(_arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:
        failed("NotInstalled", f"{_missing} is missing: pip install 'flexiciency[gateway]'.")
        raise typer.Exit(1)

    for name in GATEWAY_COMMANDS:
        cli.command(name, help="Needs the extra gateway.", context_settings={"ignore_unknown_options": True})(_refuse)
else:
    gateway.register(cli)
    parts = (
        operator.PARTS, records.PARTS, market_place.PARTS, directory.PARTS, consents.PARTS, agreements.PARTS,
        flexibility.PARTS, validations.PARTS, activations.PARTS, intake.PARTS,
    )  # fmt: skip
    for name, part in {name: part for group in parts for name, part in group.items()}.items():
        cli.add_typer(part, name=name)


def main() -> None:
    """Run the command line."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    log_to_stderr()
    sys.exit(run(sys.argv[1:]))


def _stop(number: int, _frame: FrameType | None) -> None:
    """End the command; a second signal does not disturb it while it tidies up."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sys.unraisablehook = lambda _: None  # what the signal left half made fails once more when it is collected
    failed("Interrupted", f"Stopping after {signal.Signals(number).name}.")
    sys.exit(128 + number)


def run(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    try:
        cli(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Unavailable as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        failed(error.code, f"The database is out of reach ({cause}). Check FLEXICIENCY_DATABASE_URL and its server.")
    except PartnerFault as error:
        failed(error.partner_code, " ".join(error.message.split()))
    except GatewayError as error:
        failed(error.code, error.message)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        remedy = "Set them in flexiciency.toml or as FLEXICIENCY_… variables; docs/run.md lists them."
        failed("SettingsInvalid", f"{problems}. {remedy}")
    except BrokenPipeError:
        os.close(sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("FLEXICIENCY_DEBUG"):
            raise
        failed(type(error).__name__, f"{' '.join(str(error).split())[:500]} (FLEXICIENCY_DEBUG=1 shows where)")
    else:
        return 0
    return 1

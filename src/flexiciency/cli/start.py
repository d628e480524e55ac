"""The command `flexiciency` from its first moment: a signal ends it in one line while its parts are still imported."""

import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line, which deals with signals itself once it is there."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stop)
    # On a loaded machine this takes seconds.
    from flexiciency.cli.main import main  # noqa: PLC0415

    main()


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.stderr.write(f"Interrupted: Stopping after {signal.Signals(number).name}.\n")
    sys.exit(128 + number)


if __name__ == "__main__":
    main()

"""One measurement in a fresh process on the server's core, so that time and peak memory are its own."""

import importlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.benchmarks import machine


@dataclass(frozen=True)
class Measured:
    """What a fresh process took for one piece of work."""

    seconds: float
    peak_bytes: int


def measure(work: str, *arguments: int | str) -> Measured:
    """Run `module:function` in a fresh process.

    The function prepares its input from the arguments and returns the work as a callable; only that is timed, while
    the peak includes the input too, since a gateway has it as well.
    """
    done = subprocess.run(
        machine.on_server_core([sys.executable, "-m", "tests.benchmarks.child", work, json.dumps(arguments)]),
        cwd=machine.ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    module, function = sys.argv[1].split(":")
    work = getattr(importlib.import_module(module), function)(*json.loads(sys.argv[2]))
    began = time.perf_counter()
    work()
    print(json.dumps({"seconds": time.perf_counter() - began, "peak_bytes": machine.peak_memory()}))


if __name__ == "__main__":
    main()

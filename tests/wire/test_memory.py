"""A large message leaves no trace in the process's memory."""

import re
from pathlib import Path

from flexiciency.wire.memory import give_back
from flexiciency.wire.parse import parse

LARGE = b"<r>" + b'<a b="timestamp-timestamp">0.123</a>' * 400_000 + b"</r>"


def resident() -> int:
    """Bytes of this process in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


def test_the_memory_of_a_large_tree_is_given_back() -> None:
    before = resident()
    root = parse(LARGE)
    with_tree = resident()
    assert with_tree - before > 100_000_000
    del root
    give_back(50_000_000)
    assert resident() - before < (with_tree - before) / 4

"""Commands run as an operator runs them, on a database of the test's own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flexiciency.cli import main

DSO = "urn:uuid:00000000-0000-4000-8000-00000000d500"
PLAYER = "urn:uuid:00000000-0000-4000-8000-000000000e50"


@dataclass(frozen=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The code of the one line that a failed command says, and nothing else."""
        assert (self.code, self.out) == (1, "")
        assert self.err.count("\n") == 1
        assert "Traceback" not in self.err
        return self.err.partition(":")[0]


Run = Callable[..., Ran]


def listed(ran: Ran) -> list[dict[str, Any]]:
    """What a command listed with --json."""
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
def run(database_url: str, keys: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with the settings of a DSO."""
    (keys / "flexiciency.toml").touch()
    for name, value in {
        "CONFIG": keys / "flexiciency.toml", "DATABASE_URL": database_url, "REGISTRATION_ID": DSO,
        "KEY_FILE": keys / "dso.key", "CERTIFICATE_FILE": keys / "dso.pem", "TRUST_FILE": keys / "ca.pem",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"FLEXICIENCY_{name}", str(value))
    monkeypatch.setenv("COLUMNS", "300")

    def command(*arguments: object) -> Ran:
        code = main.run([str(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return command

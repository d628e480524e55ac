"""What every command keeps: one line for an error, no stack trace, nothing on standard output but what was asked."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

GATEWAY_COMMANDS = [
    "serve", "work", "deliver", "database", "registration", "channel", "service", "subscription", "pods", "evidence",
    "deliveries", "market-place", "directory", "consent", "agreement", "activation", "selection", "load-area",
    "flexibility",
]  # fmt: skip
BASE_INSTALL = """
import sys
for extra in ("alembic", "granian", "procrastinate", "psycopg", "sqlalchemy", "demandlib", "pandas"):
    sys.modules[extra] = None
from flexiciency.cli.main import main
main()
"""


def base_install(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BASE_INSTALL, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_missing_settings_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLEXICIENCY_REGISTRATION_ID")
    ran = run("serve")
    assert ran.refusal == "SettingsInvalid"
    assert "registration_id" in ran.err


def test_a_misspelt_setting_in_the_file_is_named(run: Run, keys: Path) -> None:
    file = keys / "flexiciency.toml"
    file.write_text("prot = 80\n")
    try:
        ran = run("serve")
    finally:
        file.write_text("")
    assert ran.refusal == "SettingsInvalid"
    assert "prot" in ran.err


def test_a_database_out_of_reach_is_one_line_without_its_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXICIENCY_DATABASE_URL", "postgresql://dso:secret@127.0.0.1:1/x")
    ran = run("registration", "list")
    assert ran.refusal == "Unavailable"
    assert "127.0.0.1" in ran.err
    assert "secret" not in ran.err


@pytest.mark.parametrize("url", ["no url", "mysql://dso:secret@127.0.0.1/x", ""])
def test_a_database_url_that_is_not_postgresql_s_is_one_line(
    url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXICIENCY_DATABASE_URL", url)
    ran = run("registration", "list")
    assert ran.refusal == "SettingsInvalid"
    assert "database_url" in ran.err
    assert "secret" not in ran.err


def test_a_settings_file_that_is_named_must_be_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXICIENCY_CONFIG", "/nowhere/flexiciency.toml")
    ran = run("registration", "list")
    assert ran.refusal == "ConfigMissing"
    assert "/nowhere/flexiciency.toml" in ran.err


@pytest.fixture
def pairs(run: Run, tmp_path: Path) -> Path:
    """A folder with ca.pem and two certificates with their keys."""
    assert run("certificate", "authority", "--folder", tmp_path, "--key", "ec").code == 0
    for name in ("dso", "other"):
        assert run("certificate", "issue", name, "--folder", tmp_path, "--key", "ec").code == 0
    (tmp_path / "text.pem").write_text("no PEM")
    return tmp_path


@pytest.mark.parametrize("command", ["serve", "work"])
@pytest.mark.parametrize(
    ("setting", "file"),
    [
        ("key_file", "absent.key"), ("key_file", "text.pem"), ("key_file", "other.key"),
        ("certificate_file", "absent.pem"), ("certificate_file", "text.pem"),
        ("trust_file", "absent.pem"), ("trust_file", "text.pem"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_named_before_anything_starts(
    setting: str, file: str, command: str, run: Run, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"key_file": "dso.key", "certificate_file": "dso.pem", "trust_file": "ca.pem", setting: file}
    for name, value in files.items():
        monkeypatch.setenv(f"FLEXICIENCY_{name.upper()}", str(pairs / value))
    monkeypatch.setenv("FLEXICIENCY_PORT", free_port())
    ran = run(command)
    assert ran.refusal == "NotServed"
    assert f"{setting} {pairs / file}" in ran.err


def test_a_key_that_is_missing_is_one_line(run: Run) -> None:
    assert run("certificate", "issue", "x", "--folder", "/nowhere").refusal == "FileNotFoundError"


def free_port() -> str:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def test_off_loopback_needs_tls_or_a_proxy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXICIENCY_HOST", "0.0.0.0")  # noqa: S104  what must be refused
    monkeypatch.setenv("FLEXICIENCY_PORT", free_port())
    ran = run("serve")
    assert ran.refusal == "NotServed"
    assert "--behind-proxy" in ran.err


def test_one_tls_file_is_not_enough(run: Run, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXICIENCY_TLS_CERTIFICATE_FILE", str(keys / "tls.pem"))
    monkeypatch.setenv("FLEXICIENCY_PORT", free_port())
    ran = run("serve")
    assert ran.refusal == "NotServed"
    assert "tls_key_file" in ran.err


def test_the_base_install_has_certificates_and_says_what_the_rest_needs(tmp_path: Path) -> None:
    helped = base_install("--help")
    assert helped.returncode == 0
    assert all(command in helped.stdout for command in [*GATEWAY_COMMANDS, "certificate", "player", "demo"])
    assert base_install("certificate", "authority", "--folder", str(tmp_path), "--key", "ec").returncode == 0
    shown = base_install("certificate", "show", str(tmp_path / "ca.pem"), "--json")
    assert '"subject": "CN=Flexiciency trial CA"' in shown.stdout


def test_the_base_install_has_the_commands_of_a_market_player() -> None:
    refused = base_install("player", "show")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert refused.stderr.startswith("SettingMissing: registration_id ")


@pytest.mark.parametrize(("command", "extra"), [("serve", "gateway"), ("registration", "gateway"), ("demo", "demo")])
def test_a_command_of_an_extra_names_the_extra(command: str, extra: str) -> None:
    refused = base_install(command, *(["list", "--json"] if command == "registration" else []))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("NotInstalled: ")
    assert f"flexiciency[{extra}]" in refused.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_its_parts_are_imported_ends_the_command_in_one_line(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "flexiciency.cli.start", "serve"], stderr=subprocess.PIPE, text=True,
        env=os.environ | {"FLEXICIENCY_CONFIG": os.devnull},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        while "click" not in process.stderr.readline():  # each import is told; this one is among the first of many
            pass
        process.send_signal(number)
        said = process.stderr.read()
    assert (process.returncode, "Traceback" in said) == (128 + number, False)
    assert f"Interrupted: Stopping after {number.name}.\n" in said


HALF_MADE = """
import os, signal
from flexiciency.cli import main

class HalfMade:
    def __del__(self):
        raise AttributeError("fp")

signal.signal(signal.SIGTERM, main._stop)
half_made = HalfMade()
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_what_a_signal_left_half_made_says_nothing_when_it_is_collected() -> None:
    ended = subprocess.run([sys.executable, "-c", HALF_MADE], check=False, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGTERM, "Interrupted: Stopping after SIGTERM.\n")

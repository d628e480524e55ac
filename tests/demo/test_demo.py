"""The demo, small: 12 of 14 customers and three days, through the same processes as the whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flexiciency.demo import story
from flexiciency.demo.figures import Figures

PODS, CONSENTING = 14, 12
VALUES_A_DAY = 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def told(folder: Path) -> Figures:
    size: dict[str, int | str] = {"pods": PODS, "consenting": CONSENTING}
    size |= {"revocation_day": "2025-01-03", "end_day": "2025-01-04"}
    return story.play(folder / "demo.json", folder / "curve.png", **size)


def test_who_consented_is_confirmed_and_the_others_are_refused_with_a_reason(told: Figures) -> None:
    assert (told.pods_confirmed, told.pods_refused) == (CONSENTING, PODS - CONSENTING)
    assert told.refusal_reasons == {"NoConsent": PODS - CONSENTING}


def test_all_values_are_acknowledged_but_those_that_the_revocation_stopped(told: Figures) -> None:
    assert told.values_acknowledged_by_player == told.values_acknowledged_at_dso
    assert told.values_stopped == VALUES_A_DAY
    assert told.values_acknowledged_at_dso + told.values_stopped == 3 * CONSENTING * VALUES_A_DAY
    assert told.values_after_revocation == 0


def test_what_was_received_is_what_was_imported(told: Figures) -> None:
    assert told.kwh_difference == 0


def test_every_message_was_verified_by_who_got_it(told: Figures) -> None:
    # Per consent a call and a push; DSO-REQ and SRV-ACT-AGR; per day a push and its IND-DAT-ACK; a revocation and its
    # push: each a request and its reply.
    exchanges = 2 * CONSENTING + 2 + 2 * 3 + 2
    assert told.messages == told.signatures_verified == 2 * exchanges
    assert told.signatures_refused == 0


def test_the_figures_are_written_and_the_curve_is_drawn(told: Figures, folder: Path) -> None:
    assert json.loads((folder / "demo.json").read_text()) == told.as_json()
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_figures_that_contradict_each_other_fail_the_demo(told: Figures) -> None:
    assert told.contradictions() == []
    changed = replace(told, values_acknowledged_at_dso=told.values_acknowledged_at_dso - 1, messages=told.messages + 1)
    assert changed.contradictions() == [
        "player and DSO differ in values acknowledged",
        "not every message was verified",
    ]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files that PostgreSQL's user gets to, which pytest's own is not for root."""
    made = Path(tempfile.mkdtemp(prefix="flexiciency-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_running_and_nothing_lying_about(
    number: signal.Signals, temporary: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "flexiciency.cli.main", "demo"], env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    until = time.monotonic() + 90
    while not list(temporary.glob("flexiciency-demo-*/gateway.log")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said.startswith("Interrupted: ")
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []
    assert mentioning(str(temporary)) == []


def mentioning(text: str) -> list[str]:
    """Commands of living processes that name this folder, or have it in their settings."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            command, settings = (one / "cmdline").read_bytes(), (one / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if command and text.encode() in command + settings:
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found

"""The demo, small: 12 of 14 customers and three days, through the same processes as the whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flexiciency.demo import books, story
from flexiciency.demo.exchanged import TABLE_4, Exchanged
from flexiciency.demo.figures import Figures

PODS, CONSENTING = 14, 12
VALUES_A_DAY = 96
CLOCK_DAYS = 6
VALUES_AROUND = 4 * 96 + 92 + 100
"""Of a PoD, on the days around both clock changes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def told(folder: Path) -> Figures:
    size: dict[str, int | str] = {"pods": PODS, "consenting": CONSENTING}
    size |= {"revocation_day": "2025-01-03", "end_day": "2025-01-04"}
    return story.play(folder / "demo.json", folder / "curve.png", **size)


def test_five_parties_find_each_other_at_the_market_place(told: Figures) -> None:
    market = told.market
    assert (market.parties, market.registrations, market.offers) == (5, 4, 4)
    # Each player wants what its DSO offers, load curves and their sum; one wants what nobody offers, the other Austrian
    # data later.
    assert (market.subscriptions, market.subscriptions_unmatched) == (6, 1)
    assert (market.matches, market.matches_validated, market.matched_after_restart) == (5, 4, 1)
    assert market.b2b_validated == 2


def test_each_object_of_table_4_travels_in_its_directions(told: Figures) -> None:
    counted = told.market.objects_exchanged
    assert counted.keys() == TABLE_4.keys()
    assert [
        f"{bo_id} {way}" for bo_id, ways in TABLE_4.items() for way in ways if not counted[bo_id].travelled(way)
    ] == []
    # An enrolment for each of four, with one certificate and one address; an inline description in each publication.
    assert {bo_id: counted[bo_id].to_market_place for bo_id in counted} == {
        "MKP-DES": 0, "MPL-REG": 4, "MPL-ADD": 4, "MPL-DES": 4, "MPL-AUT": 4, "MKP-SRV-OFF": 4, "MKP-SRV-SUB": 6,
        "B2B-SRV-SUB": 0, "MKP-SRV-DES": 10,
    }  # fmt: skip


def test_the_act_does_without_the_market_place(told: Figures) -> None:
    assert told.market.market_place_stopped_seconds > 0
    assert told.market.market_place_messages_while_stopped == 0
    assert told.market.publications_attempted_meanwhile > 0
    assert told.january.messages_outside_the_stop == 0


def test_who_consented_is_confirmed_and_the_others_are_refused_with_a_reason(told: Figures) -> None:
    january = told.january
    assert (january.pods_confirmed, january.pods_refused) == (CONSENTING, PODS - CONSENTING)
    assert january.refusal_reasons == {"NoConsent": PODS - CONSENTING}


def test_all_values_are_acknowledged_but_those_that_the_revocation_stopped(told: Figures) -> None:
    january = told.january
    assert january.values_acknowledged_by_player == january.values_acknowledged_at_dso
    assert january.values_stopped == VALUES_A_DAY
    assert january.values_acknowledged_at_dso + january.values_stopped == 3 * CONSENTING * VALUES_A_DAY
    assert january.values_after_revocation == 0


def test_what_was_received_is_what_was_imported(told: Figures) -> None:
    assert told.january.kwh_difference == 0


def test_every_message_was_verified_by_who_got_it(told: Figures) -> None:
    # Per consent a call and two pushes; DSO-REQ and SRV-ACT-AGR, of sums too, and TECH-FLEX-REQ; a revocation and its
    # push; per day a push and its IND-DAT-ACK, and of sums, around the clock changes and corrected, AGG-DAT-VAL and
    # AGG-DAT-ACK: each a request and its reply.
    exchanges = 3 * CONSENTING + 5 + 2 + 2 * (3 + 2 * CLOCK_DAYS + 2)
    assert told.january.messages == told.january.signatures_verified == 2 * exchanges
    assert told.january.signatures_refused == 0


def test_the_second_country_gets_its_local_days(told: Figures) -> None:
    due = 6 * 96 + 5 * 96  # one PoD was revoked before the last day
    assert told.market.second_country_values_due == due
    assert told.market.second_country_values_acknowledged == due
    assert told.market.second_country_values_acknowledged_by_player == due


def test_a_consent_goes_in_part_and_an_agreement_with_its_last_consent(told: Figures) -> None:
    rights = told.rights
    # A day, those around the clock changes, and the day of 25 hours that was refused once more.
    kept = VALUES_A_DAY + VALUES_AROUND + 100
    assert (rights.partly_revoked_values_after, rights.partly_revoked_values_kept) == (0, kept)
    assert rights.agreement_states == ["Suspended", "Validated"]


def test_both_clock_changes_are_delivered_in_both_countries_of_each_pod_and_summed(told: Figures) -> None:
    clock = told.clock
    due = {"AT": (CONSENTING - 1) * VALUES_AROUND, "PT": 5 * VALUES_AROUND}
    assert clock.clock_change_values_acknowledged == clock.clock_change_values_due == due
    sums = {"AT": VALUES_AROUND, "PT": VALUES_AROUND}
    assert clock.clock_change_sums_acknowledged == clock.clock_change_sums_due == sums
    assert clock.clock_change_kwh_difference == 0


def test_a_correction_and_its_sum_arrive_and_a_gap_is_asked_for_and_sent_again(told: Figures) -> None:
    clock = told.clock
    assert (clock.corrected_values_acknowledged, clock.corrected_sums_acknowledged) == (100, 100)
    assert (clock.gaps_reported, clock.gap_values_refused, clock.gap_values_sent_again) == (1, 100, 100)


def test_a_selection_is_narrowed_and_a_flexibility_request_curtailed(told: Figures) -> None:
    assert told.rights.narrowed_time_step == "PT10M to PT15M"
    assert told.rights.curtailment_factor == 0.75
    assert told.rights.limiting_element.startswith("Transformer T1 at ")


def test_the_figures_are_written_and_the_curve_is_drawn(told: Figures, folder: Path) -> None:
    written = json.loads((folder / "demo.json").read_text())
    assert written == told.as_json()
    assert written["values_acknowledged_at_dso"] == told.january.values_acknowledged_at_dso
    assert written["objects_exchanged"]["MKP-SRV-OFF"]["to_market_place"] == 4
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_figures_that_contradict_each_other_fail_the_demo(told: Figures) -> None:
    assert told.contradictions() == []
    january, market, clock = told.january, told.market, told.clock
    exchanged = market.objects_exchanged | {"MKP-SRV-OFF": Exchanged(to_market_place=2, from_market_place=0)}
    changed = replace(
        told,
        january=replace(
            january,
            values_acknowledged_at_dso=january.values_acknowledged_at_dso - 1,
            messages=january.messages + 1,
            messages_outside_the_stop=1,
        ),
        market=replace(market, matches_validated=1, matched_after_restart=0, objects_exchanged=exchanged),
        clock=replace(clock, corrected_sums_acknowledged=0, gap_values_sent_again=0, clock_change_kwh_difference=0.1),
    )
    assert changed.contradictions() == [
        "player and DSO differ in values acknowledged",
        "not every message was verified",
        "the act did not do without the Market Place",
        "a match was not validated by both",
        "an object of Table 4 did not travel",
        "what was subscribed to meanwhile was not matched",
        "values around the clock changes are not those imported",
        "the correction did not arrive",
        "the gap was not closed",
    ]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files that PostgreSQL's user gets to, which pytest's own is not for root."""
    made = Path(tempfile.mkdtemp(prefix="flexiciency-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def gateways_start(folder: Path) -> bool:
    """Whether the first has been started."""
    return (folder / "market-place.log").exists()


def market_place_stopped(folder: Path) -> bool:
    """Whether customers have begun to consent, which they do after that."""
    return books.number(folder / "player-at" / "player.sqlite", "SELECT count(*) FROM consent") > 0


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (gateways_start, signal.SIGINT),
        (market_place_stopped, signal.SIGTERM),
    ],
)
def test_interrupted_it_leaves_nothing_running_and_nothing_lying_about(
    moment: Callable[[Path], bool], number: signal.Signals, temporary: Path, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "flexiciency.cli.start", "demo"], env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as process:  # fmt: skip
        while not any(map(moment, temporary.glob("flexiciency-demo-*"))):
            assert process.poll() is None  # it gives up by itself when it gets no further
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(number)
        _, said = process.communicate()
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

"""A technical validation asked of a gateway from the command line; a bad curve is told with its line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flexiciency.domain.flexibility import Band, LoadArea
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, import_areas, set_network
from tests.cli.conftest import DSO, PLAYER, Ran, Run, listed
from tests.gateway import gateway
from tests.world import make_world

START, LATER = "2025-01-15T00:00:00Z", "2025-01-15T02:00:00+01:00"
END = "2025-01-15T02:00:00Z,"


@pytest.fixture(scope="module")
def url(database: Database, keys: Path) -> Iterator[str]:
    world = make_world(database, keys, pods=0)
    area = LoadArea("UTC", (Band(0, 1440, 100_000, 50_000, "T1"),), ())
    with database.begin() as connection:
        import_areas(connection, DSO, [NamedArea("LA-1", "Linz", area)])
    with gateway(world, database) as address:
        yield address


@pytest.fixture
def ask(run: Run, url: str, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Asks about a curve of these lines, as the player."""
    for name, value in {
        "REGISTRATION_ID": PLAYER, "KEY_FILE": keys / "player.key", "CERTIFICATE_FILE": keys / "player.pem",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"FLEXICIENCY_{name}", str(value))
    file = tmp_path / "curve.csv"
    command = ("player", "flexibility", "ask", "--provider", DSO, "--url", f"{url}/v1/services/b2b", "--load-area")

    def asked(*lines: str, header: str = "time,power_kw", load_area: str = "LA-1", certificate: str = "dso") -> Ran:
        file.write_text("\n".join((header, *lines)) + "\n")
        pinned = ("--provider-certificate", keys / f"{certificate}.pem")
        return run(*command, load_area, "--curve", file, *pinned, "--json")

    return asked


def test_the_factor_comes_back(ask: Run) -> None:
    (found,) = listed(ask(f"{START},50", f"{LATER},-200.5", END))
    assert (found["factor"], found["reason"]) == ("0.249376", "GridLimit")
    assert found["limiting_element"] == "T1 at 2025-01-15T01:00:00Z"


def test_a_refusal_is_an_answer_with_its_reason(ask: Run) -> None:
    (found,) = listed(ask(f"{START},1", END, load_area="LA-9"))
    assert (found["factor"], found["reason"]) == ("0", "LoadAreaUnknown")


def test_a_reply_of_another_certificate_is_not_believed(ask: Run) -> None:
    assert ask(f"{START},1", END, certificate="stranger").refusal == "UntrustedReply"


@pytest.mark.parametrize("power", ["NaN", "sNaN", "inf", "-Infinity", "1e30", "0.0001", "a lot"])
def test_a_power_that_is_none_is_named_with_its_line(ask: Run, power: str) -> None:
    ran = ask(f"{START},1", f"{LATER},{power}", END)
    assert ran.refusal == "FileInvalid"
    assert "line 3: power_kw" in ran.err


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "no end or no point"),
        ((END,), "no end or no point"),
        ((f"{START},1",), "no end or no point"),
        ((f"{START},1", END, f"{LATER},1"), "line 4: comes after the end"),
        (("2025-01-15T00:00:00,1", END), "line 2: '2025-01-15T00:00:00' has no offset"),
        (("yesterday,1", END), "line 2: "),
    ],
)
def test_a_curve_that_is_none_is_not_sent(ask: Run, lines: tuple[str, ...], said: str) -> None:
    ran = ask(*lines)
    assert ran.refusal == "FileInvalid"
    assert said in ran.err


def test_an_answer_that_comes_later_is_told(ask: Run, database: Database) -> None:
    with database.begin() as connection:
        set_network(connection, DSO, "LA-1", Path("/networks/linz.json"))
    ran = ask(f"{START},1", END)
    with database.begin() as connection:
        set_network(connection, DSO, "LA-1", None)
    assert (ran.code, ran.out) == (0, "The DSO answers later: by a push, or in the mailbox.\n")


def test_another_header_is_refused(ask: Run) -> None:
    assert ask(f"{START},1", header="t,p").refusal == "FileInvalid"

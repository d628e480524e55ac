"""Values under an agreement from the command line, against a gateway over HTTP: seen, kept, drawn, acknowledged."""

import csv
import resource
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pyarrow import parquet
from sqlalchemy import text
from structlog.testing import capture_logs

from flexiciency.store.database import Database
from tests.cli.conftest import DSO, PLAYER, Ran, Run, listed
from tests.gateway import channel_of, gateway, player_of
from tests.messages import agree
from tests.services.aggregating import add_service, agree_on_aggregates
from tests.world import World, make_world, pod_name

STATUSES = "SELECT p.pod, dp.status FROM delivery_pod dp JOIN pod p ON p.id = dp.pod_id WHERE dp.status IS NOT NULL"
OF_AGGREGATES = "SELECT status FROM delivery_aggregate WHERE status IS NOT NULL"
DAY = ("--from", "2025-01-09T23:00:00Z", "--until", "2025-01-10T23:00:00Z")
CURVES = ("--quantity", "EnergyConsumption", "--step", "PT15M")


@pytest.fixture(scope="module")
def world(database: Database, keys: Path) -> World:
    return make_world(database, keys, pods=6)


@pytest.fixture(scope="module")
def url(world: World, database: Database) -> Iterator[str]:
    with capture_logs(), gateway(world, database) as address:  # the gateway's log is not what commands say
        yield address


@pytest.fixture(scope="module")
def agreement(world: World, url: str) -> str:
    """On two PoDs."""
    return agree(player_of(world, url), channel_of(world, url), [0, 1]).id


@pytest.fixture
def player(run: Run, url: str, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`player values` with the player's key."""
    for name, value in {
        "REGISTRATION_ID": PLAYER, "KEY_FILE": keys / "player.key", "CERTIFICATE_FILE": keys / "player.pem",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"FLEXICIENCY_{name}", str(value))

    def command(*arguments: object) -> Ran:
        provider = ("--provider", DSO, "--url", f"{url}/v1/services/b2b", "--provider-certificate", keys / "dso.pem")
        return run("player", "values", *arguments, *provider)

    return command


@pytest.mark.parametrize("encoding", ["Explicit", "Compact"])
def test_each_pod_has_a_line_with_its_values_energy_gaps_and_qualities(
    player: Run, agreement: str, encoding: str
) -> None:
    first, second = listed(player(agreement, *DAY, *CURVES, "--encoding", encoding, "--json"))
    # 1,001 Wh and one more each quarter hour; of the second PoD 1,000 more.
    assert (first["of"], first["values"], first["kwh"]) == (pod_name(0), 96, "100.656")
    assert (second["of"], second["values"], second["kwh"]) == (pod_name(1), 96, "196.656")
    assert (first["gaps"], first["qualities"], first["pods"]) == (0, "Measured 96", None)


def test_what_the_agreement_does_not_cover_is_a_gap(player: Run, agreement: str) -> None:
    (found,) = listed(
        player(agreement, "--from", "2025-01-31", "--until", "2025-02-02", *CURVES, "--pod", pod_name(1), "--json")
    )
    assert (found["values"], found["gaps"]) == (92, 100)


def test_a_csv_has_a_line_for_each_value_exact_and_in_utc(player: Run, agreement: str, tmp_path: Path) -> None:
    ran = player(agreement, *DAY, *CURVES, "--csv", tmp_path / "values.csv")
    assert ran.code == 0, ran.err
    assert f"Written to {tmp_path / 'values.csv'}." in ran.out
    lines = list(csv.DictReader((tmp_path / "values.csv").read_text("utf-8").splitlines()))
    assert len(lines) == 2 * 96
    assert lines[0] == {
        "pod": pod_name(0), "timestamp": "2025-01-09T23:00:00Z", "value_kwh": "1.001", "quality": "Measured",
        "version": "1",
    }  # fmt: skip


def test_a_parquet_file_has_the_same_values_as_decimals(player: Run, agreement: str, tmp_path: Path) -> None:
    assert player(agreement, *DAY, *CURVES, "--parquet", tmp_path / "values.parquet").code == 0
    table = parquet.read_table(tmp_path / "values.parquet")
    assert table.num_rows == 2 * 96
    assert table["value"][95].as_py() == Decimal("1.096")
    assert table.schema.metadata[b"unit"] == b"kWh"


def test_load_curves_are_drawn(player: Run, agreement: str, tmp_path: Path) -> None:
    ran = player(agreement, *DAY, *CURVES, "--plot", tmp_path / "curves.png", "--time-zone", "Europe/Vienna")
    assert ran.code == 0, ran.err
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_acknowledged_unless_it_is_said(player: Run, agreement: str, database: Database) -> None:
    player(agreement, *DAY, *CURVES)
    with database.begin() as connection:
        assert connection.execute(text(STATUSES)).all() == []
    assert player(agreement, *DAY, *CURVES, "--acknowledge").code == 0
    with database.begin() as connection:
        assert sorted(connection.execute(text(STATUSES)).all()) == [(pod_name(0), "OK"), (pod_name(1), "OK")]


def test_aggregates_have_a_line_each_with_the_pods_behind_them_and_are_acknowledged(
    player: Run, world: World, url: str, database: Database, tmp_path: Path
) -> None:
    agreement = agree_on_aggregates(player_of(world, url), add_service(database), list(range(6)))
    of = ("--level", "Portfolio", "--method", "Sum")
    kept = ("--csv", tmp_path / "sum.csv", "--plot", tmp_path / "sum.png", "--acknowledge")
    (found,) = listed(player(agreement, *DAY, *CURVES, *of, *kept, "--json"))
    assert (found["pods"], found["values"], found["kwh"]) == (6, 96, "2043.936")
    lines = (tmp_path / "sum.csv").read_text("utf-8").splitlines()
    assert lines[0] == "aggregation_id,pods,timestamp,value_kwh,quality,version"
    with database.begin() as connection:
        assert connection.execute(text(OF_AGGREGATES)).all() == [("OK",)]


def test_a_refusal_is_one_line_with_its_code(player: Run, agreement: str) -> None:
    assert player("urn:uuid:unknown", *DAY, *CURVES).refusal == "ReferenceUnknown"
    none = ("--from", "2026-01-01", "--until", "2026-01-02")
    assert player(agreement, *none, *CURVES).refusal == "StateConflict"


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_acknowledged(
    player: Run, agreement: str, tmp_path: Path
) -> None:
    ran = player(agreement, *DAY, *CURVES, "--csv", tmp_path / "nowhere" / "values.csv")
    assert ran.refusal == "FileInvalid"
    assert "nowhere/values.csv cannot be written" in ran.err


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can have more than 100 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("option", ["--csv", "--parquet", "--plot"])
def test_a_file_that_cannot_be_written_whole_is_named_and_not_deleted(
    option: str, player: Run, agreement: str, tmp_path: Path
) -> None:
    file = tmp_path / "values"
    file.touch()
    ran = player(agreement, *DAY, *CURVES, option, file)
    assert ran.refusal == "FileInvalid"
    assert f"{file} cannot be written" in ran.err
    assert file.exists()


@pytest.mark.parametrize(
    ("option", "library", "extra"), [("--plot", "matplotlib", "plot"), ("--parquet", "pyarrow", "arrow")]
)
def test_an_extra_that_is_missing_is_named(
    option: str, library: str, extra: str, player: Run, agreement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*sys.modules]:
        if name.partition(".")[0] == library or name == "flexiciency.cli.load_curves":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("flexiciency.cli.load_curves", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    ran = player(agreement, *DAY, *CURVES, option, tmp_path / "file")
    assert ran.refusal == "NotInstalled"
    assert f"pip install 'flexiciency[{extra}]'" in ran.err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((*DAY, "--quantity", "EnergyConsumption", "--step", "PT15M", "--level", "City"), "--level and --method"),
        ((DAY[0], DAY[1], "--until", DAY[1], *CURVES), "--until is not after --from"),
        ((*DAY, "--quantity", "Power", "--step", "P1D", "--encoding", "Compact", "--csv", "x"), "leave --encoding out"),
        ((*DAY, *CURVES, "--plot", "x", "--time-zone", "Mars/Base"), "no IANA time zone"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_by_option(wrong: tuple[str, ...], said: str, player: Run, agreement: str) -> None:
    ran = player(agreement, *wrong)
    assert ran.code == 2
    assert said in ran.err

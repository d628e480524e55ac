"""Load areas imported, listed and shown; what is wrong in a file is told with its line."""

from pathlib import Path

import pytest

from tests.cli.conftest import DSO, Run, listed

HEADER = "load_area,name,time_zone,party,from,until,import_kw,export_kw,limiting_element"
GOOD = (
    "LA-1,Linz,Europe/Vienna,DSO,06:00,24:00,100,50.5,T1",
    "LA-1,Linz,Europe/Vienna,DSO,00:00,06:00,200,-1,T1",
    "LA-1,Linz,Europe/Vienna,TSO,12:00,13:00,10,10,380 kV",
    "LA-2,Wels,UTC,DSO,00:00,24:00,0,999999999999999.999,T2",
)


@pytest.fixture
def file(tmp_path: Path, run: Run, keys: Path) -> Path:
    """Where a CSV file goes; the DSO's key is there too."""
    if not (keys / "ca.pem").exists():
        assert run("certificate", "authority", "--folder", keys, "--key", "ec").code == 0
        assert run("certificate", "issue", "dso", "--folder", keys, "--key", "ec").code == 0
    return tmp_path / "areas.csv"


def write(file: Path, *lines: str, header: str = HEADER) -> Path:
    file.write_text("\n".join((header, *lines)) + "\n")
    return file


def test_what_was_imported_is_listed_and_shown(run: Run, file: Path) -> None:
    assert run("load-area", "import", write(file, *GOOD)).out == "2 load areas imported.\n"
    areas = listed(run("load-area", "list", "--json"))
    assert areas[0] == {
        "load_area": "LA-1", "owner": DSO, "name": "Linz", "time_zone": "Europe/Vienna", "network": None,
    }  # fmt: skip
    shown = listed(run("load-area", "show", "LA-1", "--json"))
    assert [(row["party"], row["from"], row["until"], row["import_kw"], row["export_kw"]) for row in shown] == [
        ("DSO", "00:00", "06:00", "200.000", "-1.000"),
        ("DSO", "06:00", "24:00", "100.000", "50.500"),
        ("TSO", "12:00", "13:00", "10.000", "10.000"),
    ]


def test_a_second_import_replaces_the_rows_of_its_areas(run: Run, file: Path) -> None:
    assert run("load-area", "import", write(file, *GOOD)).code == 0
    assert run("load-area", "import", write(file, "LA-1,Linz Ost,UTC,DSO,00:00,24:00,7,7,T9")).code == 0
    assert [row["name"] for row in listed(run("load-area", "list", "--json"))] == ["Linz Ost", "Wels"]
    assert len(listed(run("load-area", "show", "LA-1", "--json"))) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("LA-9,X,UTC,DSO,00:00,24:00,NaN,1,T", "line 3: import_kw: 'NaN'"),
        ("LA-9,X,UTC,DSO,00:00,24:00,1,Infinity,T", "line 3: export_kw: 'Infinity'"),
        ("LA-9,X,UTC,DSO,00:00,24:00,-inf,1,T", "line 3: import_kw"),
        ("LA-9,X,UTC,DSO,00:00,24:00,1e30,1,T", "line 3: import_kw"),
        (f"LA-9,X,UTC,DSO,00:00,24:00,1{30 * '0'},1,T", "line 3: import_kw"),
        ("LA-9,X,UTC,DSO,00:00,24:00,1.0001,1,T", "line 3: import_kw"),
        ("LA-9,X,UTC,DSO,00:00,24:00,,1,T", "line 3: import_kw"),
        ("LA-9,X,Mars/Base,DSO,00:00,24:00,1,1,T", "line 3: 'Mars/Base' is no IANA time zone"),
        ("LA-9,X,UTC,BRP,00:00,24:00,1,1,T", "line 3: party"),
        ("LA-9,X,UTC,DSO,-01:00,24:00,1,1,T", "line 3: from: '-01:00'"),
        ("LA-9,X,UTC,DSO,00:00,24:01,1,1,T", "line 3: until: '24:01'"),
        ("LA-9,X,UTC,DSO,22:00,06:00,1,1,T", "line 3: until is not later than from"),
        ("LA 9,X,UTC,DSO,00:00,24:00,1,1,T", "line 3: load_area"),
        ("LA-9, ,UTC,DSO,00:00,24:00,1,1,T", "line 3: name"),
        ("LA-9,X,UTC,DSO,00:00,24:00,1,1,", "line 3: limiting_element"),
        ("LA-9,X,UTC,DSO,00:00,24:00,1,1", "line 3: more or fewer cells"),
        ("LA-0,X,UTC,DSO,00:00,24:00,1,1,T", "line 3: overlaps line 2"),
        ("LA-0,X,UTC,DSO,23:59,24:00,1,1,T", "line 3: overlaps line 2"),
        ("LA-0,Y,UTC,TSO,00:00,24:00,1,1,T", "line 3: name or time_zone differs from line 2"),
        ("LA-9,X,UTC,DSO,00:00,23:00,1,1,T", "line 3: load area LA-9 has no line of the DSO for 23:00"),
        ("LA-9,X,UTC,TSO,00:00,24:00,1,1,T", "line 3: load area LA-9 has no line of the DSO for 00:00"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_imported(run: Run, file: Path, line: str, said: str) -> None:
    before = run("load-area", "list", "--json").out
    ran = run("load-area", "import", write(file, "LA-0,X,UTC,DSO,00:00,24:00,1,1,T", line))
    assert ran.refusal == "FileInvalid"
    assert said in ran.err
    assert run("load-area", "list", "--json").out == before


def test_a_missing_column_is_named(run: Run, file: Path) -> None:
    ran = run("load-area", "import", write(file, header="load_area,name"))
    assert ran.refusal == "FileInvalid"
    assert "export_kw" in ran.err


def test_a_load_area_of_another_dso_is_not_replaced_and_nothing_is_imported(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as other:
        other.setenv("FLEXICIENCY_REGISTRATION_ID", "urn:uuid:another")
        assert run("load-area", "import", write(file, "LA-7,Graz,UTC,DSO,00:00,24:00,1,1,T1")).code == 0
    before = run("load-area", "list", "--json").out
    lines = ("LA-6,Linz,UTC,DSO,00:00,24:00,1,1,T1", "LA-7,Mine,UTC,DSO,00:00,24:00,9,9,T9")
    ran = run("load-area", "import", write(file, *lines))
    assert ran.refusal == "IdentifierTaken"
    assert "LA-7 is another DSO's" in ran.err
    assert run("load-area", "list", "--json").out == before
    assert run("load-area", "network", "LA-7", "--none").refusal == "ReferenceUnknown"


def networks(run: Run) -> dict[str, str | None]:
    return {row["load_area"]: row["network"] for row in listed(run("load-area", "list", "--json"))}


def test_a_load_area_gets_a_grid_model_which_an_import_keeps_and_loses_it(run: Run, file: Path, tmp_path: Path) -> None:
    network = tmp_path / "linz.json"
    network.write_text('{"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": {}}')
    assert run("load-area", "import", write(file, *GOOD)).code == 0
    assert run("load-area", "network", "LA-1", network).code == 0
    assert run("load-area", "import", write(file, *GOOD)).code == 0
    assert (networks(run)["LA-1"], networks(run)["LA-2"]) == (str(network), None)
    assert run("load-area", "network", "LA-1", "--none").code == 0
    assert networks(run)["LA-1"] is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"_class": "DataFrame"}', "[" * 100_000, "\xff"])
def test_what_is_no_network_is_refused_and_the_area_stays_as_it_was(
    run: Run, file: Path, tmp_path: Path, content: str
) -> None:
    network = tmp_path / "linz.json"
    network.write_bytes(content.encode("latin-1"))
    assert run("load-area", "import", write(file, *GOOD)).code == 0
    ran = run("load-area", "network", "LA-1", network)
    assert ran.refusal == "FileInvalid"
    assert str(network) in ran.err
    assert networks(run)["LA-1"] is None


def test_a_network_is_a_file_or_none_and_for_a_known_area(run: Run, tmp_path: Path) -> None:
    network = tmp_path / "linz.json"
    network.write_text('{"_class": "pandapowerNet"}')
    assert run("load-area", "network", "LA-1").code == 2
    assert run("load-area", "network", "LA-1", network, "--none").code == 2
    assert run("load-area", "network", "LA-404", network).refusal == "ReferenceUnknown"

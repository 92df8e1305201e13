"""CodeCarbon's files, out and in.

`codecarbon-3.3.2.csv` was written by CodeCarbon 3.3.2 itself: two runs of about three seconds in France and California,
one in a cloud with a PUE of 1.2, and one that was flushed, stopped and started again. `codecarbon-2.0.0.csv` has the
columns of that version and made-up figures.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from unit.ledger.stored import FIRST, KWH, SECOND, cell, session, write

from carbon_magic.cli import main
from carbon_magic.ledger.codecarbon import COLUMNS, write_codecarbon
from carbon_magic.ledger.emissions_csv import NotCodeCarbonError
from carbon_magic.ledger.imported import read_codecarbon
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow
from carbon_magic.ledger.store import Store

DATA = Path(__file__).parents[2] / "data"
REAL = DATA / "codecarbon-3.3.2.csv"
OLD = DATA / "codecarbon-2.0.0.csv"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The files' times have no zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("this platform's zone cannot be set")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(folder))
    return folder


def ledger() -> tuple[list[SessionRow], list[CellRecord]]:
    """What is in the home, the oldest first; all of it must make sense to the reader."""
    with Reader() as reader:
        found = reader.sessions()[::-1], list(reader.records())
        assert reader.problems == []
    return found


def lines(sessions: list[SessionRow], records: list[CellRecord]) -> list[dict[str, str]]:
    stream = io.StringIO()
    assert write_codecarbon(sessions, records, stream) == len(sessions)
    return list(csv.DictReader(io.StringIO(stream.getvalue())))


def changed(tmp_path: Path, **values: str) -> Path:
    """The first real run with other values."""
    with REAL.open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    path = tmp_path / "changed.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow({**row, **values})
    return path


# Out


def test_the_columns_are_those_that_codecarbon_writes() -> None:
    with REAL.open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == list(COLUMNS)


def test_one_line_is_one_session_in_kwh_and_kg() -> None:
    (line,) = lines([session()], [cell("a"), cell("b"), cell("of another", SECOND)])
    assert line["timestamp"] == "2026-11-20T11:00:00"
    assert line["run_id"] == "01234567-89ab-cdef-0123-456789abcdef"
    assert (line["project_name"], line["codecarbon_version"]) == ("demo", "carbon-magic 0.1.0")
    assert float(line["duration"]) == 3600.0
    assert float(line["energy_consumed"]) == pytest.approx(0.5, rel=1e-12)
    assert float(line["emissions"]) == pytest.approx(0.028, rel=1e-12)
    assert float(line["emissions_rate"]) == pytest.approx(0.028 / 3600, rel=1e-12)
    # Two cells of 1000 s with 0.15 and 0.05 kWh each.
    assert float(line["cpu_energy"]) == pytest.approx(0.3, rel=1e-12)
    assert float(line["ram_energy"]) == pytest.approx(0.1, rel=1e-12)
    assert float(line["cpu_power"]) == pytest.approx(0.3 * KWH / 2000, rel=1e-12)
    assert (line["country_iso_code"], line["country_name"], line["on_cloud"]) == ("FRA", "France", "N")
    assert line["tracking_mode"] == "process"
    for unknown in ("gpu_energy", "gpu_power", "water_consumed", "cpu_model", "longitude", "experiment_id"):
        assert line[unknown] == ""


def test_energies_hold_the_pue() -> None:
    (line,) = lines([session()], [cell(pue=1.2)])
    assert float(line["energy_consumed"]) == pytest.approx(0.6, rel=1e-12)
    assert float(line["cpu_energy"]) == pytest.approx(0.18, rel=1e-12)
    assert float(line["emissions"]) == pytest.approx(0.028, rel=1e-12)
    assert line["pue"] == "1.2"


def test_of_cells_that_overlap_the_split_is_not_summed() -> None:
    (line,) = lines([session()], [cell("a"), cell("b", concurrent=True)])
    assert float(line["cpu_energy"]) == pytest.approx(0.15, rel=1e-12)


@pytest.mark.parametrize(
    ("row", "of_cell"), [({"region": "WORLD", "region_source": "unknown"}, {}), ({}, {"region_source": "unknown"})]
)
def test_without_a_region_there_is_no_figure_of_emissions(row: dict[str, Any], of_cell: dict[str, Any]) -> None:
    (line,) = lines([session(**row)], [cell(**of_cell)])
    assert (line["emissions"], line["emissions_rate"], line["country_iso_code"]) == ("", "", "")
    assert float(line["energy_consumed"]) == pytest.approx(0.5, rel=1e-12)


def test_what_is_unknown_is_empty_and_never_zero() -> None:
    (line,) = lines([session(energy_j=None, emissions_g=None, project=None)], [])
    assert [line[name] for name in ("energy_consumed", "emissions", "cpu_energy", "cpu_power")] == [""] * 4
    assert line["project_name"] == "(no project)"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("US-CA", {"country_iso_code": "USA", "region": "california", "cloud_provider": "", "on_cloud": "N"}),
        ("gcp:europe-west9", {"country_iso_code": "FRA", "cloud_provider": "gcp", "cloud_region": "europe-west9"}),
        ("of another edition", {"country_iso_code": "", "country_name": ""}),
    ],
)
def test_places_are_named_as_codecarbon_names_them(region: str, expected: dict[str, str]) -> None:
    (line,) = lines([session(region=region)], [])
    assert {name: line[name] for name in expected} == expected


def test_a_name_that_a_spreadsheet_would_run_gets_an_apostrophe() -> None:
    (line,) = lines([session(project="=cmd()")], [])
    assert line["project_name"] == "'=cmd()"


def test_pandas_reads_it() -> None:
    pandas = pytest.importorskip("pandas")
    stream = io.StringIO()
    write_codecarbon([session(), session(SECOND, energy_j=None)], [cell()], stream)
    frame = pandas.read_csv(io.StringIO(stream.getvalue()))
    assert list(frame.columns) == list(COLUMNS)
    assert frame["energy_consumed"].sum() == pytest.approx(0.5)


# In


def test_a_file_of_codecarbon_itself_is_imported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(REAL)]) == 0
    said = capsys.readouterr().out
    assert said == f"{REAL}: 4 runs imported, 2 lines held by a later line of the same run\n"
    sessions, records = ledger()
    assert [row.kind for row in sessions] == ["imported"] * 4
    assert [record.session_id for record in records] == [row.session_id for row in sessions]
    france, california, cloud, flushed = records
    assert france.energy_j == pytest.approx(1.791737066930407e-05 * KWH, rel=1e-12)
    assert france.cpu_energy_j == pytest.approx(1.4568206637505022e-06 * KWH, rel=1e-12)
    assert france.dram_energy_j == pytest.approx(1.6460550005553564e-05 * KWH, rel=1e-12)
    assert france.gpu_energy_j is None
    assert france.emissions_g == pytest.approx(1.004071534937131e-03, rel=1e-12)
    assert france.duration_s == 3.0067990719999216
    assert france.started_at == "2026-11-23T10:33:43.993+00:00"
    assert (france.project, france.region, california.region) == ("demo", "FR", "US-CA")
    assert california.energy_j == pytest.approx(1.795947012194018e-05 * KWH, rel=1e-12)
    assert cloud.region == "gcp:europe-west9"
    # The figures of CodeCarbon hold the PUE, ours do not; the emissions are the same.
    assert cloud.pue == 1.2
    assert cloud.energy_j == pytest.approx(1.441297272362055e-05 * KWH / 1.2, rel=1e-12)
    assert cloud.emissions_g == pytest.approx(4.900410726030987e-04, rel=1e-12)
    # Three lines of one run: energy is the sum so far, durations are those of two stretches.
    assert flushed.energy_j == pytest.approx(2.7200199763226896e-05 * KWH, rel=1e-12)
    assert flushed.duration_s == pytest.approx(3.010292997999386 + 1.5011238610004511, rel=1e-12)


def test_what_codecarbon_does_not_say_stays_unknown(home: Path) -> None:
    main(["import", str(REAL)])
    sessions, records = ledger()
    record, row = records[0], sessions[0]
    for name in ("energy_j_low", "energy_j_high", "emissions_g_low", "emissions_g_high", "marginal_energy_j", "share"):
        assert getattr(record, name) is None
    assert (row.energy_j_low, row.energy_j_high, row.emissions_g_low, row.between_cells_j) == (None, None, None, None)
    assert (record.cpu_provenance, record.dram_provenance) == (None, None)
    assert record.sensors == ("codecarbon 3.3.2",)
    assert (row.host, row.ending, row.platform) == ("unknown", "ended", "Linux-6.1.0-x86_64-with-glibc2.36")
    # What it multiplied by, within the range that this package has for the place.
    assert record.intensity_g_per_kwh == pytest.approx(1.004071534937131e-06 / 1.791737066930407e-05 * 1000, rel=1e-9)
    assert record.intensity_low <= 56.0 <= record.intensity_high
    assert record.intensity_source == "CodeCarbon"


def test_importing_again_changes_nothing(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["import", str(REAL)])
    before = ledger()
    copy = tmp_path / "copy.csv"
    copy.write_bytes(REAL.read_bytes())
    capsys.readouterr()
    assert main(["import", str(copy), str(REAL)]) == 0
    assert capsys.readouterr().out.count("0 runs imported, 4 already there") == 2
    assert ledger() == before


def test_a_run_that_has_gone_on_is_brought_up_to_date(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = REAL.read_text(encoding="utf-8").splitlines(keepends=True)
    early = tmp_path / "early.csv"
    early.write_text("".join(whole[:5]), encoding="utf-8")
    main(["import", str(early)])
    assert ledger()[1][3].energy_j == pytest.approx(9.064609881212107e-06 * KWH, rel=1e-12)
    capsys.readouterr()
    main(["import", str(REAL)])
    assert "0 runs imported, 1 brought up to date, 3 already there" in capsys.readouterr().out
    sessions, records = ledger()
    assert (len(sessions), len(records)) == (4, 4)
    assert records[3].energy_j == pytest.approx(2.7200199763226896e-05 * KWH, rel=1e-12)
    main(["import", str(early)])
    assert ledger() == (sessions, records)


def test_a_file_of_version_2(home: Path) -> None:
    assert main(["import", str(OLD)]) == 0
    (row,), (record,) = ledger()
    assert record.energy_j == pytest.approx(0.2 * KWH)
    assert (record.cpu_energy_j, record.gpu_energy_j, record.dram_energy_j) == pytest.approx(
        (0.1 * KWH, 0.06 * KWH, 0.04 * KWH)
    )
    assert record.emissions_g == pytest.approx(50.0)
    assert (record.region, record.pue, record.version, row.scope) == ("CA-QC", 1.0, "codecarbon", "process")
    assert record.machine_energy_j is None
    assert row.started_at == "2022-03-01T11:00:00.000+00:00"


def test_the_history_counts_what_was_imported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["import", str(REAL), str(OLD)])
    capsys.readouterr()
    assert main(["history", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == []
    assert (found["imported"], found["total"]["cells"]) == (5, 5)
    energies = {group["name"]: group["energy_j"] for group in found["groups"]}
    assert energies["old"] == pytest.approx(0.2 * KWH)
    assert energies["demo"] == pytest.approx((1.791737066930407e-05 + 1.795947012194018e-05) * KWH)
    assert found["total"]["energy_j"] == pytest.approx(sum(energies.values()))


def test_a_run_that_has_gone_on_within_the_same_second_is_brought_up_to_date(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with REAL.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        line, columns = next(reader), list(reader.fieldnames or [])

    def flushed(times: float) -> Path:
        path = tmp_path / f"{times}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            names = ("energy_consumed", "cpu_energy", "gpu_energy", "ram_energy", "emissions")
            writer.writerow({**line, **{name: float(line[name]) * times for name in names}})
        return path

    main(["import", str(flushed(1.0))])
    capsys.readouterr()
    main(["import", str(flushed(1.5))])
    main(["import", str(flushed(1.0))])
    said = capsys.readouterr().out.splitlines()
    assert "0 runs imported, 1 brought up to date" in said[0]
    assert "0 runs imported, 1 already there" in said[1]
    (row,), (record,) = ledger()
    assert row.energy_j == record.energy_j == pytest.approx(1.5 * float(line["energy_consumed"]) * KWH)


def test_out_and_in_again_the_figures_are_the_same(home: Path, tmp_path: Path) -> None:
    main(["import", str(REAL)])
    before = ledger()
    out = tmp_path / "emissions.csv"
    assert main(["export", "--format", "codecarbon", "-o", str(out)]) == 0
    with out.open(newline="") as file:
        ours = {row["timestamp"]: row for row in csv.DictReader(file)}
    with REAL.open(newline="") as file:
        theirs = {row["timestamp"]: row for row in csv.DictReader(file)}
    assert len(ours) == 4
    for moment, row in ours.items():
        for name in ("energy_consumed", "cpu_energy", "ram_energy", "emissions", "pue"):
            assert float(row[name]) == pytest.approx(float(theirs[moment][name]), rel=1e-12)
        for name in ("project_name", "country_iso_code", "region", "cloud_region", "tracking_mode", "on_cloud"):
            assert row[name] == theirs[moment][name]
    # The ids are those of the sessions that are there already.
    assert main(["import", str(out)]) == 0
    assert ledger() == before


def test_our_own_export_is_not_counted_twice(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home / "ledger-x.db", [session()], [cell()])
    out = tmp_path / "emissions.csv"
    main(["export", "--format", "codecarbon", "-o", str(out)])
    capsys.readouterr()
    main(["import", str(out)])
    assert capsys.readouterr().out == f"{out}: 0 runs imported, 1 already there\n"
    assert [row.session_id for row in ledger()[0]] == [FIRST]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"energy_consumed": "nan"}, "energy_consumed is 'nan'"),
        ({"energy_consumed": "1_0"}, "energy_consumed is '1_0'"),
        ({"emissions": "inf"}, "emissions is 'inf'"),
        ({"cpu_energy": "-1e-6"}, "cpu_energy is '-1e-6'"),
        ({"energy_consumed": "1e300"}, "energy_consumed is '1e300'"),
        ({"duration": "ten"}, "duration is 'ten'"),
        ({"duration": ""}, "no duration"),
        ({"timestamp": "now"}, "timestamp is 'now'"),
        ({"timestamp": "0001-01-01T00:00:00"}, "0001-01-01"),
        ({"timestamp": "2999-01-01T00:00:00"}, "a run from 2998-12-31 to 2999-01-01"),
        ({"timestamp": "2001-01-01T00:00:00", "duration": "9e7"}, "a run from 1998"),
        ({"duration": "1e17"}, "duration is '1e17'"),
        ({"pue": "0"}, "a pue of 0"),
    ],
)
def test_a_line_with_a_wrong_figure_is_refused_and_said(tmp_path: Path, values: dict[str, str], reason: str) -> None:
    found = read_codecarbon(changed(tmp_path, **values), datetime(2026, 11, 24, tzinfo=timezone.utc))
    assert found.runs == []
    assert found.refused_count == 1
    assert found.refused[0].startswith("line 2: ")
    assert reason in found.refused[0]


def test_bad_lines_are_counted_and_good_ones_kept(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = REAL.read_text(encoding="utf-8")
    header, first, *_ = text.splitlines(keepends=True)
    bad = first.replace("1.791737066930407e-05", "NaN")
    path = tmp_path / "mixed.csv"
    path.write_text(header + "short,line\n" + bad * 4 + header + "\n" + first, encoding="utf-8")
    assert main(["import", str(path)]) == 0
    said = capsys.readouterr().out
    assert "1 run imported, 5 lines refused (line 2: not as many cells as columns; line 3: energy_consumed" in said
    assert said.endswith("; ...)\n")
    assert len(ledger()[1]) == 1


def test_what_is_empty_is_unknown(tmp_path: Path) -> None:
    path = changed(tmp_path, energy_consumed="", emissions="", country_iso_code="", country_name="", project_name="")
    (run,) = read_codecarbon(path, datetime(2026, 11, 24, tzinfo=timezone.utc)).runs
    assert (run.record.energy_j, run.record.emissions_g, run.record.cpu_energy_j) == (None, None, None)
    assert (run.record.project, run.record.region, run.record.region_source) == (None, "WORLD", "unknown")


def test_parts_that_are_not_of_the_whole_are_left_out(tmp_path: Path) -> None:
    path = changed(tmp_path, ram_energy="1e-9")
    (run,) = read_codecarbon(path, datetime(2026, 11, 24, tzinfo=timezone.utc)).runs
    assert run.record.energy_j == pytest.approx(1.791737066930407e-05 * KWH)
    assert (run.record.cpu_energy_j, run.record.dram_energy_j) == (None, None)


def test_times_are_those_of_this_machines_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-2")  # POSIX: two hours east
    time.tzset()
    (run,) = read_codecarbon(changed(tmp_path), datetime(2026, 11, 24, tzinfo=timezone.utc)).runs
    assert run.session.ended_at == "2026-11-23T08:33:47.000+00:00"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no column 'timestamp'"),
        (b"a,b\n1,2\n", "no column 'timestamp'"),
        (b"\x00\xff\xfe" * 1000, "no column 'timestamp'"),
        (b"x" * 1_000_000, "no column 'timestamp'"),
        (b"timestamp,duration,emissions\n", "no column 'energy_consumed'"),
        (b"task_name,timestamp,duration,emissions,energy_consumed\n", "it lists the tasks of one run"),
    ],
)
def test_another_kind_of_file_is_one_line_and_changes_nothing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    assert main(["import", str(REAL), str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"carbon-magic import: {path}: ")
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert not home.exists()
    with pytest.raises(NotCodeCarbonError):
        read_codecarbon(path)


def test_a_missing_file_and_a_folder(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "none.csv")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main(["import", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_names_are_made_harmless(tmp_path: Path) -> None:
    path = changed(tmp_path, project_name="\x1b[31mred\x07\n" + "z" * 100_000, os="\u202eabc")
    (run,) = read_codecarbon(path, datetime(2026, 11, 24, tzinfo=timezone.utc)).runs
    assert run.session.project is not None
    assert run.session.project.startswith("red z")
    assert len(run.session.project) <= 200
    assert run.session.platform == "abc"


def test_an_import_into_a_newer_ledger_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    path = home / "ledger-imported.db"
    Store.open(path, False).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2000")
    connection.close()
    before = path.read_bytes()
    assert main(["import", str(REAL)]) == 2
    assert "version 2.0" in capsys.readouterr().err
    assert path.read_bytes() == before

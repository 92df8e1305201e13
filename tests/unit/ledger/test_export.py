"""Records as CSV and JSON: every field as it is, nothing that a spreadsheet would run, files whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import stat
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from unit.ledger.stored import FIRST, SECOND, cell, session, write

from carbon_magic.cli import main
from carbon_magic.ledger.export import write_csv, write_json
from carbon_magic.ledger.record import CellRecord


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(folder))
    return folder


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_the_fields_of_a_record_in_its_order() -> None:
    stream = io.StringIO()
    assert write_csv([cell("a"), cell("b")], stream) == 2
    assert stream.getvalue().split("\n")[0].split(",") == [field.name for field in fields(CellRecord)]
    assert [row["record_id"] for row in rows(stream.getvalue())] == ["a", "b"]
    assert "\r" not in stream.getvalue()


def test_csv_gives_every_value_back() -> None:
    stream = io.StringIO()
    one = cell(label='say "hi", twice\nand more', duration_s=0.1 + 0.2, sensors=("powercap:package-0", "dram-model"))
    write_csv([one], stream)
    (row,) = rows(stream.getvalue())
    assert row["label"] == 'say "hi", twice\nand more'
    assert float(row["duration_s"]) == 0.1 + 0.2
    assert row["sensors"] == "powercap:package-0 dram-model"
    assert (row["final"], row["concurrent"]) == ("true", "false")
    assert row["gpu_energy_j"] == ""
    assert row["execution_count"] == "7"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(sign: str) -> None:
    stream = io.StringIO()
    write_csv([cell(label=f"{sign}1+1", project="a=b", notebook=f"{sign}x")], stream)
    reader = csv.DictReader(io.StringIO(stream.getvalue(), newline=""))
    row = next(reader)
    read = "\n" if sign == "\r" else sign  # other line ends would end the line
    assert (row["label"], row["notebook"], row["project"]) == (f"'{read}1+1", f"'{read}x", "a=b")


def test_json_has_the_records_as_they_are() -> None:
    records = [cell("a", label="=1+1"), cell("b", energy_j=None)]
    stream = io.StringIO()
    assert write_json(records, stream) == 2
    assert json.loads(stream.getvalue()) == [record.as_dict() for record in records]
    assert len(stream.getvalue().split("\n")) == 5  # [, a line each, ], and the last line's end
    empty = io.StringIO()
    assert write_json([], empty) == 0
    assert json.loads(empty.getvalue()) == []


@pytest.mark.parametrize("writer", [write_csv, write_json])
def test_records_are_written_as_they_are_read(writer: object) -> None:
    stream = io.StringIO()
    at: list[int] = []

    def reading() -> Iterator[CellRecord]:
        for number in range(3):
            at.append(stream.tell())
            yield cell(str(number))

    assert callable(writer)
    writer(reading(), stream)
    assert 0 < at[0] < at[1] < at[2]


def test_the_command_writes_a_file(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    early = cell("a", started_at="2026-11-01T10:00:00.000+00:00")
    write(home / "ledger-x.db", [session()], [early, cell("b")])
    out = tmp_path / "out.json"
    out.write_text("old")
    out.chmod(0o640)
    assert main(["export", "--format", "json", "-o", str(out), "--since", "2026-11-10"]) == 0
    assert [record["record_id"] for record in json.loads(out.read_text())] == ["b"]
    if sys.platform != "win32":
        assert stat.S_IMODE(out.stat().st_mode) == 0o640
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"1 record written to {out}\n"


def test_the_command_writes_to_standard_output(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home / "ledger-x.db", [session(), session(SECOND)], [cell("a"), cell("b", SECOND)])
    assert main(["export", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert {row["session_id"] for row in rows(captured.out)} == {FIRST, SECOND}
    assert captured.err == ""


def test_what_cannot_be_written_or_read_is_said(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home / "ledger-x.db", [session()], [cell("a")])
    (home / "ledger-y.db").write_bytes(b"this is no database, whatever its name says")
    out = tmp_path / "missing" / "out.csv"
    assert main(["export", "--format", "csv", "-o", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"carbon-magic export: -o {out}: cannot be written:")
    assert said.count("\n") == 1
    assert main(["export", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert len(rows(captured.out)) == 1
    assert "not read: ledger-y.db" in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export"], "--format"),
        (["export", "--format", "cvs"], "Nearest: csv"),
        (["export", "--format", "csv", "--since", "yesterday"], "7d"),
    ],
)
def test_what_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err

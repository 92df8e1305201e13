"""Ledgers merged: everything once, however often, and nothing of a file that is not understood."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path

import pytest
from unit.ledger.stored import FIRST, SECOND, cell, session, write

from carbon_magic.cli import main
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.store import MAJOR, Store

LATER = "2026-11-20T12:00:00.000+00:00"
THIRD = "3" * 32


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(folder))
    return folder


def content(*paths: Path) -> tuple[list[tuple[str, float | None]], list[str]]:
    """Sessions with their energy, and records, of files, or of the home."""
    with Reader(paths=list(paths) if paths else None) as reader:
        sessions = sorted((row.session_id, row.energy_j) for row in reader.sessions())
        records = [record.record_id for record in reader.records()]
        assert reader.problems == []
    return sessions, records


def rows(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return [row for table in ("sessions", "records") for row in connection.execute(f"SELECT * FROM {table}")]
    finally:
        connection.close()


def test_two_ledgers_become_one_file(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path / "a.db", [session()], [cell("a1"), cell("a2")])
    b = write(tmp_path / "b.db", [session(SECOND, energy_j=5e5, energy_j_low=4e5)], [cell("b1", SECOND)])
    out = tmp_path / "out.db"
    assert main(["merge", str(a), str(b), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"2 new sessions with 3 records in {out}\n"
    assert content(out) == ([(FIRST, 1.8e6), (SECOND, 5e5)], ["a1", "a2", "b1"])
    assert not home.exists()
    if sys.platform != "win32":
        assert out.stat().st_mode & 0o777 == 0o600


def test_merging_again_changes_nothing(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path / "a.db", [session()], [cell("a1")])
    main(["merge", str(a)])
    before = rows(home / "ledger-merged.db")
    copy = tmp_path / "copy.db"
    copy.write_bytes(a.read_bytes())
    capsys.readouterr()
    assert main(["merge", str(a), str(copy), str(a)]) == 0
    assert capsys.readouterr().out.startswith("0 new sessions with 0 records")
    assert rows(home / "ledger-merged.db") == before
    assert content() == ([(FIRST, 1.8e6)], ["a1"])


def test_what_this_ledger_has_is_not_taken_in(home: Path, tmp_path: Path) -> None:
    write(home / "ledger-here.db", [session(), session(SECOND)], [cell("a1"), cell("b1", SECOND)])
    backup = write(tmp_path / "backup.db", [session(), session(THIRD)], [cell("a1"), cell("c1", THIRD)])
    assert main(["merge", str(backup)]) == 0
    assert content(home / "ledger-merged.db") == ([(THIRD, 1.8e6)], ["c1"])
    assert content() == ([(FIRST, 1.8e6), (THIRD, 1.8e6), (SECOND, 1.8e6)], ["a1", "b1", "c1"])
    # Its own files may be named as well.
    assert main(["merge", str(home / "ledger-here.db"), str(home / "ledger-merged.db")]) == 0
    assert content()[1] == ["a1", "b1", "c1"]


def test_a_session_that_has_gone_on_takes_the_place_of_what_was_known(home: Path, tmp_path: Path) -> None:
    early = session(heartbeat_at="2026-11-20T10:30:00.000+00:00", ended_at=None, ending="running", energy_j=1e6)
    early_cells = [cell("a1"), cell("a2", status="running", final=False, duration_s=10.0, energy_j=6e5)]
    early_file = write(tmp_path / "early.db", [early], early_cells)
    late_file = write(tmp_path / "late.db", [session(energy_j=1.9e6)], [cell("a1"), cell("a2"), cell("a3")])
    for order in ([early_file, late_file], [late_file, early_file]):
        out = tmp_path / f"{order[0].stem}-first.db"
        assert main(["merge", *map(str, order), "-o", str(out)]) == 0
        assert content(out) == ([(FIRST, 1.9e6)], ["a1", "a2", "a3"])
        with Reader(paths=[out]) as reader:
            assert [record.status for record in reader.records()] == ["ok", "ok", "ok"]
            assert [row.ending for row in reader.sessions()] == ["ended"]
    # The home has it from a file of its own, and then a copy that knows more is merged.
    write(home / "ledger-here.db", [early], early_cells)
    assert main(["merge", str(late_file)]) == 0
    assert content() == ([(FIRST, 1.9e6)], ["a1", "a2", "a3"])


def test_every_field_and_the_hash_of_the_source_come_along(home: Path, tmp_path: Path) -> None:
    a = write(tmp_path / "a.db", [session(user="me")], [])
    store = Store.open(a, False)
    store.put_record(cell("a1"), "5f" * 32, "print('hello')")
    store.commit()
    store.close()
    main(["merge", str(a)])
    assert rows(home / "ledger-merged.db") == rows(a)


def test_records_without_their_session_come_along_once(home: Path, tmp_path: Path) -> None:
    a = write(tmp_path / "a.db", [], [cell("a1")])
    main(["merge", str(a)])
    main(["merge", str(a)])
    assert content() == ([], ["a1"])
    b = write(tmp_path / "b.db", [], [cell("a1"), cell("a2")])
    (home / "ledger-merged.db").rename(home / "ledger-here.db")
    main(["merge", str(b)])
    assert content() == ([], ["a1", "a2"])


def test_sources_are_only_read(home: Path, tmp_path: Path) -> None:
    a = write(tmp_path / "a.db", [session()], [cell("a1")])
    before = a.read_bytes()
    a.chmod(0o400)
    main(["merge", str(a)])
    assert a.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path != home) == ["a.db"]


def test_a_ledger_that_is_being_written_is_read_with_its_log(home: Path, tmp_path: Path) -> None:
    a = write(tmp_path / "a.db", [session()], [cell("a1")])
    store = Store.open(a, False)
    store.put_record(cell("a2"))
    store.commit()
    store.put_record(cell("a3"))
    assert main(["merge", str(a)]) == 0
    assert content()[1] == ["a1", "a2"]
    store.commit()
    store.close()
    assert main(["merge", str(a)]) == 0


def newer(path: Path) -> Path:
    write(path, [session()], [cell("n1")])
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {(MAJOR + 1) * 1000}")
    connection.close()
    return path


def other(path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE people (name)")
    connection.close()
    return path


def text(path: Path) -> Path:
    path.write_text("this is no database, whatever its name says\n" * 100)
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [(newer, "version 2.0"), (other, "holds no ledger"), (text, "not a database"), (lambda path: path, "no such file")],
)
def test_what_is_no_ledger_of_this_version_is_refused_and_nothing_merged(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: object, said: str
) -> None:
    a = write(tmp_path / "a.db", [session()], [cell("a1")])
    assert callable(make)
    bad = make(tmp_path / "bad.db")
    for arguments in ([str(a), str(bad)], [str(bad), str(a), "-o", str(tmp_path / "out.db")]):
        assert main(["merge", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"carbon-magic merge: {bad}: ")
        assert said in captured.err
        assert captured.err.count("\n") == 1
    assert not home.exists()
    assert not (tmp_path / "out.db").exists()


def test_a_place_to_write_to_that_is_none_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write(tmp_path / "a.db", [session()], [cell("a1")])
    for out, said in [
        (a, "is one of the files to merge"),
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "out.db", "there is no folder"),
        (text(tmp_path / "text.db"), "not a database"),
        (newer(tmp_path / "newer.db"), "version 2.0"),
    ]:
        before = out.read_bytes() if out.is_file() else None
        assert main(["merge", str(a), "-o", str(out)]) == 2
        err = capsys.readouterr().err
        assert f"-o {out}" in err
        assert said in err
        assert err.count("\n") == 1
        assert before is None or out.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_refused_at_once_wherever_a_file_is_asked_for(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe, good = tmp_path / "pipe", tmp_path / "good.db"
    os.mkfifo(pipe)
    write(good, [session()], [cell()])
    for asked in (["merge", str(pipe)], ["merge", str(good), "-o", str(pipe)], ["import", str(pipe)]):
        assert main(asked) == 2
        assert "is no ordinary file" in capsys.readouterr().err
    assert content() == ([], [])


def test_rows_that_make_no_sense_are_said(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path / "a.db", [session()], [cell("a1"), cell("a2")])
    connection = sqlite3.connect(a)
    connection.execute("UPDATE records SET energy_j = 'much' WHERE record_id = 'a2'")
    connection.commit()
    connection.close()
    assert main(["merge", str(a)]) == 0
    assert "not read: a.db: 1 row of its records makes no sense" in capsys.readouterr().err
    assert content()[1] == ["a1"]


def test_what_was_merged_is_in_the_history(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home / "ledger-here.db", [session()], [cell("a1")])
    b = write(tmp_path / "b.db", [session(SECOND, project="other")], [cell("b1", SECOND, project="other")])
    main(["merge", str(b)])
    capsys.readouterr()
    main(["history", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {group["name"]: group["energy_j"] for group in found["groups"]} == {"demo": 720_000.0, "other": 720_000.0}
    assert found["total"]["energy_j"] == 3.6e6

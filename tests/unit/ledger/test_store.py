"""One database file: what is put comes out again, once, and files of other versions are met with care."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import asdict, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from unit.ledger.stored import FIRST, SECOND, cell, session

from carbon_magic.ledger.opened import Opened
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow
from carbon_magic.ledger.schema import columns
from carbon_magic.ledger.store import CorruptError, NewerError, Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger-here.db"


def put(path: Path, *rows: CellRecord | SessionRow, network: bool = False) -> None:
    store = Store.open(path, network)
    for row in rows:
        if isinstance(row, CellRecord):
            store.put_record(row)
        else:
            store.put_session(row)
    store.commit()
    store.close()


def read(path: Path) -> tuple[list[SessionRow], list[CellRecord]]:
    with Reader(paths=[path]) as reader:
        found = reader.sessions(), list(reader.records())
        assert reader.problems == []
    return found


def ask(path: Path, statement: str) -> Any:
    connection = sqlite3.connect(path)
    try:
        found = connection.execute(statement).fetchone()
        connection.commit()
    finally:
        connection.close()
    return found[0] if found else None


def test_the_columns_are_the_fields_of_the_two_pages() -> None:
    assert list(columns()["sessions"]) == [field.name for field in fields(SessionRow)]
    assert list(columns()["records"]) == [*(field.name for field in fields(CellRecord)), "source_sha256", "source"]


@pytest.mark.parametrize("network", [False, True])
def test_every_field_comes_back_as_it_was(path: Path, network: bool) -> None:
    full = cell(label="naïve \U0001f331", sensors=("a:0", 'b"\\'), gpu_utilization=0.25, below_resolution=True)
    nothing = {f.name: None for f in fields(CellRecord) if str(f.type).endswith("| None")}
    empty = replace(cell("b"), **nothing, sensors=())  # type: ignore[arg-type]
    put(path, session(), full, empty, network=network)
    sessions, records = read(path)
    assert [asdict(row) for row in sessions] == [asdict(session())]
    assert [asdict(record) for record in records] == [asdict(full), asdict(empty)]


def test_a_file_on_a_network_has_no_shared_memory(path: Path) -> None:
    store = Store.open(path, True)
    store.put_record(cell())
    store.commit()
    assert sorted(found.name for found in path.parent.iterdir()) == ["ledger-here.db", "ledger-here.db-journal"]
    assert ask(path, "PRAGMA journal_mode") != "wal"
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_nobody_else_may_read_it_or_what_sqlite_puts_beside_it(path: Path) -> None:
    store = Store.open(path, False)
    store.put_record(cell())
    store.commit()
    assert {found.name: found.stat().st_mode & 0o777 for found in path.parent.iterdir()} == {
        "ledger-here.db": 0o600,
        "ledger-here.db-wal": 0o600,
        "ledger-here.db-shm": 0o600,
    }
    assert path.parent.stat().st_mode & 0o777 == 0o700
    store.close()


def test_a_record_that_is_put_again_is_there_once_and_a_final_one_stays(path: Path) -> None:
    running = cell(status="running", final=False, duration_s=2.0)
    put(path, session(), running, replace(running, duration_s=5.0), replace(running, duration_s=3.0))
    assert [record.duration_s for record in read(path)[1]] == [5.0]
    put(path, cell(duration_s=9.0))
    put(path, running, cell(duration_s=1.0), cell(duration_s=9.0))
    (record,) = read(path)[1]
    assert (record.status, record.final, record.duration_s) == ("ok", True, 9.0)


def test_a_cell_that_was_taken_for_killed_and_ended_says_so(path: Path) -> None:
    running = cell(status="running", final=False)
    put(path, session(ending="running", ended_at=None), running)
    store = Store.open(path, False)
    store.put_gone([FIRST])
    store.commit()
    store.close()
    assert read(path)[1][0].status == "killed"
    put(path, running)
    assert read(path)[1][0].status == "killed"
    put(path, cell())
    assert read(path)[1][0].status == "ok"


def test_the_later_heartbeat_counts(path: Path) -> None:
    late = session(heartbeat_at="2026-11-20T12:00:00.000+00:00", cells=9)
    put(path, late, session())
    assert read(path)[0][0].cells == 9
    put(path, replace(late, ending="running", ended_at=None))
    assert read(path)[0][0].ending == "ended"


def test_killed_ends_the_session_where_it_was_last_heard_of_and_its_cells(path: Path) -> None:
    begun = session(ending="running", ended_at=None)
    put(path, begun, session(SECOND), cell(status="running", final=False), cell("b"), cell("c", SECOND))
    store = Store.open(path, False)
    assert [row["session_id"] for row in store.running()] == [FIRST]
    store.put_gone([FIRST])
    store.commit()
    store.close()
    sessions, records = read(path)
    assert {row.session_id: (row.ending, row.ended_at) for row in sessions}[FIRST] == ("killed", begun.heartbeat_at)
    assert {record.record_id: record.status for record in records} == {"a": "killed", "b": "ok", "c": "ok"}


def test_only_the_hash_of_a_cells_text_is_kept_unless_the_text_is_given(path: Path) -> None:
    store = Store.open(path, False)
    store.put_record(cell("a"), "hash-a")
    store.put_record(cell("b"), "hash-b", "print('b')")
    store.put_record(cell("c"), "hash-c", "x" * ((1 << 20) + 1))
    store.commit()
    store.close()
    with Reader(paths=[path]) as reader:
        assert [kept[1:] for kept in reader.kept()] == [
            ("hash-a", None),
            ("hash-b", "print('b')"),
            ("hash-c", None),
        ]


def test_text_that_no_encoding_holds_is_written_out(path: Path) -> None:
    put(path, cell(notebook="/home/\udcff.ipynb"))
    assert read(path)[1][0].notebook == "/home/\\udcff.ipynb"


def test_forgetting_deletes_what_is_named_and_gives_the_number_of_records(path: Path) -> None:
    old = "2026-01-01T00:00:00.000+00:00"
    put(path, session(), session(SECOND, notebook="/b.ipynb", started_at=old, heartbeat_at=old))
    put(path, cell("a"), cell("b"), cell("c", SECOND, notebook="/b.ipynb", started_at=old))
    for choice in ({}, {"session_id": FIRST, "notebook": "/b.ipynb"}):
        store = Store.open(path, False)
        with pytest.raises(ValueError, match="say one"):
            store.forget(**choice)  # type: ignore[arg-type]
        store.close()
    store = Store.open(path, False)
    assert store.forget(notebook="/nowhere.ipynb") == 0
    assert store.forget(before=datetime(2026, 2, 1, tzinfo=timezone.utc)) == 1
    assert store.forget(session_id=FIRST) == 2
    store.close()
    assert read(path) == ([], [])


def test_what_is_forgotten_is_in_no_byte_of_the_file(path: Path) -> None:
    store = Store.open(path, False)
    secret = "quite-a-secret-label"
    for number in range(50):
        store.put_record(cell(str(number), label=secret))
    store.put_record(cell("kept", SECOND))
    store.commit()
    assert store.forget(session_id=FIRST) == 50
    for found in path.parent.iterdir():
        assert secret.encode() not in found.read_bytes()
    store.close()


def test_a_file_that_somebody_has_taken_away_is_noticed(path: Path) -> None:
    store = Store.open(path, False)
    assert not store.moved
    path.rename(path.with_name("elsewhere"))
    assert store.moved
    path.touch()
    assert store.moved
    store.close()


@pytest.mark.parametrize("content", [b"no database at all, but text" * 50, None])
def test_a_broken_file_is_said_to_be_broken_and_left(path: Path, content: bytes | None) -> None:
    put(path, *(cell(str(number)) for number in range(200)))
    if content is None:
        whole = bytearray(path.read_bytes())
        whole[20:4096] = os.urandom(4076)
        content = bytes(whole)
    path.write_bytes(content)
    with pytest.raises(CorruptError):
        Store.open(path, False)
    assert path.read_bytes() == content
    with pytest.raises(CorruptError):
        Opened(path)


def test_a_file_of_a_newer_major_version_is_left_alone(path: Path) -> None:
    put(path, cell())
    ask(path, "PRAGMA user_version = 2000")
    before = path.read_bytes()
    with pytest.raises(NewerError, match=r"2\.0"):
        Store.open(path, False)
    with pytest.raises(NewerError):
        Opened(path)
    assert path.read_bytes() == before


def test_a_newer_minor_version_may_have_more_columns(path: Path) -> None:
    put(path, session())
    ask(path, "ALTER TABLE records ADD COLUMN of_the_future TEXT DEFAULT 'x'")
    ask(path, "PRAGMA user_version = 1007")
    put(path, cell())
    assert read(path) == ([session()], [cell()])
    assert ask(path, "PRAGMA user_version") == 1007
    assert ask(path, "SELECT of_the_future FROM records") == "x"


def test_missing_columns_are_unknown_to_a_reader_and_added_by_a_writer(path: Path) -> None:
    put(path, session(), cell(gpu_utilization=0.5))
    if sqlite3.sqlite_version_info < (3, 35):
        pytest.skip("this SQLite cannot drop a column")
    ask(path, "ALTER TABLE records DROP COLUMN gpu_utilization")
    ask(path, "ALTER TABLE records DROP COLUMN source_sha256")
    ask(path, "PRAGMA user_version = 1")
    assert read(path)[1] == [cell(gpu_utilization=None)]
    put(path, cell("b", gpu_utilization=0.5))
    assert [record.gpu_utilization for record in read(path)[1]] == [None, 0.5]
    assert ask(path, "PRAGMA user_version") == 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_that_ends_leaves_the_file_to_its_parent(path: Path) -> None:
    store = Store.open(path, False)
    store.put_record(cell("a"))
    store.commit()
    pid = os.fork()
    if pid == 0:
        store.close()
        del store
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    store.put_record(cell("b"))
    store.commit()
    assert {record.record_id for record in read(path)[1]} == {"a", "b"}
    store.close()

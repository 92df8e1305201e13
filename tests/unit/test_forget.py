"""`carbon-magic forget`: it says what it deletes, asks, and leaves nothing of it in any file."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from unit.ledger.stored import FIRST, SECOND, cell, session, write

from carbon_magic.cli import main
from carbon_magic.ledger import alive
from carbon_magic.ledger.home import host
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.store import Store

SECRET = "a-label-that-must-be-gone"
OLD = {"started_at": "2026-10-01T10:00:00.000+00:00"}
OLD_SESSION = {**OLD, "heartbeat_at": "2026-10-01T11:00:00.000+00:00", "ended_at": "2026-10-01T11:00:00.000+00:00"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sessions in two files, of two notebooks; the first is of October and has two records."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(folder))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    secret = {"label": SECRET, "project": SECRET, **OLD}
    write(
        folder / "ledger-a.db", [session(project=SECRET, **OLD_SESSION)], [cell("a1", **secret), cell("a2", **secret)]
    )
    store = Store.open(folder / "ledger-a.db", False)
    store.put_record(cell("a3", label=SECRET, status="running", final=False, **OLD))
    store.commit()
    store.put_record(cell("a3", label=SECRET, **OLD), "5f" * 32, SECRET * 100)
    store.commit()
    store.close()
    other = {"notebook": "/home/somebody/b.ipynb"}
    write(folder / "ledger-b.db", [session(SECOND, **other)], [cell("b1", SECOND, **other)])
    return folder


def left() -> tuple[list[str], list[str]]:
    with Reader() as reader:
        return [row.session_id for row in reader.sessions()], [record.record_id for record in reader.records()]


ALL = ([SECOND, FIRST], ["a1", "a2", "a3", "b1"])
ONE = ([SECOND], ["b1"])
SAID = "1 session and 3 records, begun 2026-10-01"


@pytest.mark.parametrize(
    "which",
    [
        ["--session", FIRST],
        ["--session", FIRST[:8]],
        ["--notebook", "/home/somebody/a.ipynb"],
        ["--notebook", "a.ipynb"],
        ["--before", "2026-11-01"],
    ],
)
def test_what_was_chosen_is_gone_from_the_files(
    home: Path, capsys: pytest.CaptureFixture[str], which: list[str]
) -> None:
    assert SECRET.encode() in (home / "ledger-a.db").read_bytes()
    assert main(["forget", *which, "--yes"]) == 0
    assert capsys.readouterr().out.startswith(f"Deleted: {SAID}")
    assert left() == ONE
    for path in home.iterdir():
        assert SECRET.encode() not in path.read_bytes(), path


def test_without_a_terminal_it_asks_for_yes_and_deletes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "--session", FIRST]) == 2
    err = capsys.readouterr().err
    assert f"this would delete {SAID}" in err
    assert "--yes" in err
    assert err.count("\n") == 1
    assert left() == ALL


@pytest.mark.parametrize(
    ("answer", "code", "after"),
    [("y\n", 0, ONE), ("YES\n", 0, ONE), ("n\n", 1, ALL), ("\n", 1, ALL), ("", 1, ALL), ("yess\n", 1, ALL)],
)
def test_on_a_terminal_it_says_what_it_would_delete_and_asks(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    after: tuple[list[str], list[str]],
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["forget", "--notebook", "a.ipynb"]) == code
    captured = capsys.readouterr()
    assert f"This deletes {SAID}" in captured.err
    assert "/home/somebody/a.ipynb" in captured.err
    assert ("Nothing was deleted." in captured.out) == (code == 1)
    assert left() == after


def test_copies_in_other_files_go_too(home: Path) -> None:
    write(home / "ledger-merged.db", [session(**OLD_SESSION)], [cell("a1", **OLD)])
    assert main(["forget", "--session", FIRST, "--yes"]) == 0
    assert left() == ONE


def test_of_a_session_that_went_on_the_later_cells_stay(home: Path) -> None:
    write(home / "ledger-b.db", [], [cell("b0", SECOND, notebook="/home/somebody/b.ipynb", **OLD)])
    assert main(["forget", "--before", "2026-11-01", "--yes"]) == 0
    assert left() == ONE


@pytest.mark.parametrize("which", [["--session", SECOND], ["--notebook", "b.ipynb"], ["--before", "2026-11-22"]])
def test_a_session_that_runs_is_refused(home: Path, capsys: pytest.CaptureFixture[str], which: list[str]) -> None:
    me = alive.this_process()
    running = session(
        SECOND,
        notebook="/home/somebody/b.ipynb",
        host=host(),
        boot_id=me.boot_id,
        pid=os.getpid(),
        process_started=me.started,
        heartbeat_at="2026-11-20T11:00:01.000+00:00",
        ended_at=None,
        ending="running",
    )
    write(home / "ledger-b.db", [running], [])
    assert main(["forget", *which, "--yes"]) == 2
    err = capsys.readouterr().err
    assert f"still runs ({SECOND[:12]} on" in err
    assert f"process {os.getpid()}" in err
    assert left() == ALL


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (["--session", "012"], "there is no session '012'. The last ones: " + SECOND),
        (["--session", "ffff"], "there is no session 'ffff'"),
        (["--notebook", "c.ipynb"], "there are no records of 'c.ipynb'"),
        (["--notebook", "/home/somebody/aa.ipynb"], "Nearest: /home/somebody/a.ipynb"),
    ],
)
def test_what_does_not_exist_is_refused_and_the_nearest_named(
    home: Path, capsys: pytest.CaptureFixture[str], which: list[str], said: str
) -> None:
    assert main(["forget", *which, "--yes"]) == 2
    assert said in capsys.readouterr().err
    assert left() == ALL


def test_a_name_that_fits_two_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = {"notebook": "/elsewhere/a.ipynb"}
    write(home / "ledger-b.db", [session(FIRST[:4] + "f" * 28, **again)], [])
    assert main(["forget", "--notebook", "a.ipynb", "--yes"]) == 2
    assert "2 notebooks are called 'a.ipynb': /elsewhere/a.ipynb, /home/somebody/a.ipynb" in capsys.readouterr().err
    assert main(["forget", "--session", FIRST[:4], "--yes"]) == 2
    assert "2 sessions begin with '0123'" in capsys.readouterr().err


def test_nothing_to_forget(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forget", "--before", "2020-01-01"]) == 0
    assert capsys.readouterr().out == "There is nothing to forget.\n"


def test_a_file_that_cannot_be_read_is_said_and_the_others_are_cleared(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "ledger-c.db").write_bytes(b"no database" * 1000)
    assert main(["forget", "--session", FIRST, "--yes"]) == 2
    err = capsys.readouterr().err
    assert "not everything is deleted: ledger-c.db" in err
    assert left() == ONE
    assert (home / "ledger-c.db").read_bytes() == b"no database" * 1000


@pytest.mark.parametrize(
    "arguments", [[], ["--yes"], ["--session", FIRST, "--before", "2026-11-01"], ["--before", "soon"]]
)
def test_exactly_one_thing_is_chosen(home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["forget", *arguments])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert left() == ALL

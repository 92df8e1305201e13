"""Errors of files and databases say what to do, in every command."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from unit.ledger.stored import cell, session, write

from carbon_magic.ledger.home import own_file
from carbon_magic.ledger.store import Store
from carbon_magic.troubles import in_words


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "free some and try again"), (errno.EACCES, "permission"), (errno.EROFS, "choose another place")],
)
def test_an_error_of_the_system_says_what_to_do(number: int, said: str) -> None:
    assert said in in_words(OSError(number, os.strerror(number), "a file"))
    assert os.strerror(number) not in in_words(OSError(number, os.strerror(number)))


def test_an_error_that_is_not_known_keeps_its_own_words() -> None:
    assert in_words(OSError(errno.EXDEV, "Invalid cross-device link")) == "Invalid cross-device link"
    assert in_words(sqlite3.OperationalError("no such table: x")) == "no such table: x"
    assert in_words(OSError("no number")) == "no number"


def test_an_error_of_the_database_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first, second = sqlite3.connect(path, isolation_level=None), sqlite3.connect(path, timeout=0, isolation_level=None)
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as locked:
        second.execute("BEGIN IMMEDIATE")
    first.execute("ROLLBACK")
    assert "another program is writing" in in_words(locked.value)
    first.execute("PRAGMA max_page_count = 2")
    first.execute("CREATE TABLE t (a)")
    with pytest.raises(sqlite3.OperationalError) as full:
        first.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert "no room left" in in_words(full.value)
    first.close()
    second.close()
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(sqlite3.DatabaseError) as broken:
        sqlite3.connect(path).execute("SELECT * FROM t")
    assert in_words(broken.value) == "it is no database"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", [["export", "--format", "csv"], ["history"]])
def test_a_full_standard_output_is_said(tmp_path: Path, command: list[str]) -> None:
    write(own_file(tmp_path, "x", network=False), [session()], [cell(str(number)) for number in range(200)])
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "carbon_magic", *command],
            env={**os.environ, "CARBON_MAGIC_HOME": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"carbon-magic {command[0]}: standard output cannot be written: "
        "there is no room left on its disk: free some and try again\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_files_that_others_may_read_are_closed_to_them_when_they_are_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CARBON_MAGIC_HOME")
    from carbon_magic.ledger.home import home

    chosen = tmp_path / "chosen"
    for folder in (home(), chosen):
        path = write(folder / "ledger-a.db", [session()], [cell()])
        folder.chmod(0o755)
        path.chmod(0o644)
        keeper = Store.open(path, network=False)
        store = Store.open(path, network=False)
        store.put_record(cell("b"))
        store.commit()
        modes = {stat.S_IMODE(found.stat().st_mode) for found in folder.iterdir()}
        assert modes == {0o600}
        store.close()
        keeper.close()
    assert stat.S_IMODE(home().stat().st_mode) == 0o700
    # A folder that somebody named may be for more than the ledger.
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o755

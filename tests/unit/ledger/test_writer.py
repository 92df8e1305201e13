"""The writer's thread: nobody waits for it, nothing is lost while it cannot write, nothing is deleted."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from unit.ledger.stored import FIRST, cell, session

from carbon_magic.ledger import backlog as backlog_module
from carbon_magic.ledger.backlog import Backlog, Item
from carbon_magic.ledger.home import host
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.writer import Writer

ROOT = Path(__file__).resolve().parents[3]
Writers = Callable[..., Writer]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def writers(home: Path) -> Iterator[Writers]:
    """Makes writers of one folder, and closes them."""
    made: list[Writer] = []

    def make(session_id: str = FIRST, **environ: str) -> Writer:
        made.append(Writer(session_id, {"CARBON_MAGIC_HOME": str(home), **environ}))
        return made[-1]

    yield make
    for writer in made:
        writer.close()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "carbon-magic ledger"]


def kept(home: Path) -> list[str]:
    """The ids of the records that are kept."""
    with Reader(home) as reader:
        found = [record.record_id for record in reader.records()]
    return sorted(found)


def own(home: Path) -> Path:
    return home / f"ledger-{host()}.db"


def script(text: str, home: Path, *, timeout_s: float = 60.0, **environ: str) -> str:
    """Run a script beside the tests' own modules, with a writer of the folder in it, and give what it printed."""
    begin = f"""
    import os, sys, time
    sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
    from unit.ledger.stored import FIRST, cell, session
    from carbon_magic.ledger.writer import Writer
    writer = Writer(FIRST)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(text)],
        env={**os.environ, "CARBON_MAGIC_HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


def test_there_is_no_thread_and_no_file_before_there_is_something_to_write(writers: Writers, home: Path) -> None:
    writer = writers()
    writer.send()
    assert writer.flush(5.0)
    assert writer.close()
    assert (threads(), home.exists()) == ([], False)


def test_what_is_put_is_kept_with_the_hash_of_its_text(writers: Writers, home: Path) -> None:
    writer = writers()
    writer.put_session(session())
    writer.put_record(cell("a"), "print(1)")
    writer.put_record(cell("b"), "print(2)", keep_source=True)
    writer.put_record(cell("c"))
    assert writer.flush(10.0)
    assert (writer.problems(), writer.path) == ([], own(home))
    with Reader(home) as reader:
        found = {kept.record.record_id: kept[1:] for kept in reader.kept()}
        assert reader.sessions() == [session()]
    hashes = [hashlib.sha256(text).hexdigest() for text in (b"print(1)", b"print(2)")]
    assert found == {"a": (hashes[0], None), "b": (hashes[1], "print(2)"), "c": (None, None)}


def test_the_thread_is_no_ones_business_and_ends_with_its_descriptors(writers: Writers, home: Path) -> None:
    writer = writers()
    writer.put_record(cell())
    assert writer.flush(10.0)
    (thread,) = threads()
    assert thread.daemon
    assert thread.pydev_do_not_trace  # type: ignore[attr-defined]
    assert thread.is_pydev_daemon_thread  # type: ignore[attr-defined]
    assert writer.close()
    assert threads() == []
    if Path("/proc/self/fd").is_dir():
        links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        assert not [link for link in links if link.startswith(str(home))]
    # The log is worked in and gone: nothing but the file is left.
    assert [path.name for path in home.iterdir()] == [own(home).name]


def test_after_its_end_it_begins_anew_with_what_is_put(writers: Writers, home: Path) -> None:
    writer = writers()
    for name in "abc":
        writer.put_record(cell(name))
        assert writer.close(10.0)
        assert threads() == []
    assert kept(home) == ["a", "b", "c"]


def test_putting_never_waits_for_another_process_that_holds_the_file(writers: Writers, home: Path) -> None:
    writer = writers()
    writer.put_record(cell("a"))
    assert writer.flush(10.0)
    other = sqlite3.connect(own(home), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer.put_record(cell("b"))
    writer.send()
    assert not writer.flush(0.05)
    writer.put_record(cell("c"))
    other.execute("COMMIT")
    other.close()
    assert writer.flush(20.0)
    assert kept(home) == ["a", "b", "c"]


def test_where_the_folder_cannot_be_made_records_wait_and_are_written_later(writers: Writers, home: Path) -> None:
    home.write_text("in the way")
    writer = writers()
    for name in "abc":
        writer.put_record(cell(name))
        assert not writer.flush(10.0)
    (problem,) = writer.problems()
    assert "records are not written" in problem
    assert "3 records wait in memory" in problem
    assert str(own(home)) in problem
    home.unlink()
    assert writer.flush(10.0)
    assert (writer.problems(), kept(home)) == ([], ["a", "b", "c"])


def test_it_tries_again_by_itself(writers: Writers, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carbon_magic.ledger.writer.FIRST_PAUSE_S", 0.05)
    home.write_text("in the way")
    writer = writers()
    writer.put_record(cell())
    writer.send()
    while not writer.problems():
        time.sleep(0.01)
    home.unlink()
    deadline_s = time.monotonic() + 30.0
    while writer.problems() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert kept(home) == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="the user is told by HOME and a list of users on Linux")
def test_without_a_home_records_wait_in_memory_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME", "CARBON_MAGIC_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    writer = Writer(FIRST, {})
    writer.put_record(cell())
    assert not writer.flush(10.0)
    (problem,) = writer.problems()
    assert "no home directory is known; set CARBON_MAGIC_HOME; 1 record waits in memory" in problem
    assert not writer.close()


@pytest.mark.parametrize("text", [b"this is no database " * 500, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_a_broken_file_is_set_aside_with_its_log_and_a_new_one_begun(writers: Writers, home: Path, text: bytes) -> None:
    home.mkdir()
    own(home).write_bytes(text)
    own(home).with_name(own(home).name + "-wal").write_bytes(b"its log")
    writer = writers()
    writer.put_record(cell())
    assert writer.flush(10.0)
    assert kept(home) == ["a"]
    aside = {path.name.rpartition(".corrupt-")[2][-4:]: path for path in home.glob("*.corrupt-*")}
    assert len(aside) == 2
    assert aside["-wal"].read_bytes() == b"its log"
    assert next(path for end, path in aside.items() if end != "-wal").read_bytes() == text
    (problem,) = writer.problems()
    assert "was broken; it is set aside as" in problem


def test_what_was_set_aside_is_said_by_every_later_session_and_reader(writers: Writers, home: Path) -> None:
    home.mkdir()
    own(home).write_bytes(b"this is no database " * 500)
    first = writers()
    first.put_record(cell())
    assert first.close()
    later = writers("2" * 32)
    later.put_record(cell("b", "2" * 32))
    assert later.flush(10.0)
    (aside,) = home.glob("*.corrupt-*")
    said = f"{aside.name} was broken and is set aside; delete it once you need it no more"
    assert later.problems() == [said]
    with Reader(home) as reader:
        assert reader.problems == [said]
    aside.unlink()
    with Reader(home) as reader:
        assert reader.problems == []


def test_a_file_that_breaks_while_it_is_open_is_set_aside_too(writers: Writers, home: Path) -> None:
    home.mkdir()
    writer = writers(CARBON_MAGIC_MOUNTINFO=str(home / "none"))
    path = home / f"session-{FIRST}.db"
    for number in range(300):
        writer.put_record(cell(f"{number:03}"))
    assert writer.flush(10.0)
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (len(whole) - 4096))
        file.seek(24)
        file.write(os.urandom(4))  # the file's change counter: what SQLite remembers of it is no longer true
    writer.put_record(cell("after"))
    assert writer.flush(10.0)
    assert kept(home) == ["after"]
    assert len([path for path in home.glob("*.corrupt-*") if not path.name.endswith("-journal")]) == 1


def test_a_file_of_a_later_version_is_left_alone_and_another_one_kept_beside_it(writers: Writers, home: Path) -> None:
    home.mkdir()
    connection = sqlite3.connect(own(home))
    connection.execute("PRAGMA user_version = 2003")
    connection.execute("CREATE TABLE records (what)")
    connection.commit()
    connection.close()
    before = own(home).read_bytes()
    for name in "ab":
        writer = writers()
        writer.put_record(cell(name))
        assert writer.flush(10.0)
        assert writer.path == home / f"ledger-{host()}.v1.db"
        (problem,) = writer.problems()
        assert "is left alone: it is of version 2.3" in problem
        writer.close()
    assert own(home).read_bytes() == before
    with Reader(home) as reader:
        assert [record.record_id for record in reader.records()] == ["a", "b"]
        assert len(reader.problems) == 1


def test_a_file_that_is_taken_away_is_begun_again(writers: Writers, home: Path) -> None:
    writer = writers()
    writer.put_record(cell("a"))
    assert writer.flush(10.0)
    for path in home.iterdir():
        path.unlink()
    home.rmdir()
    writer.put_record(cell("b"))
    assert writer.flush(10.0)
    assert kept(home) == ["b"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_closed_keeps_records_waiting(writers: Writers, home: Path) -> None:
    home.mkdir(mode=0o500)
    writer = writers()
    writer.put_record(cell())
    assert not writer.flush(10.0)
    home.chmod(0o700)
    assert writer.flush(10.0)
    assert kept(home) == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system in memory")
def test_a_full_disk_and_a_read_only_one_lose_nothing(writers: Writers, home: Path) -> None:
    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(home)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount")
    try:
        writer = writers()
        writer.put_record(cell("first"))
        assert writer.flush(10.0)
        ballast = home / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(b"x" * (1 << 20))
        for number in range(300):
            writer.put_record(cell(f"{number:03}"))
        assert not writer.flush(10.0)
        (problem,) = writer.problems()
        assert "300 records wait in memory" in problem
        assert kept(home) == ["first"]
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=8m", str(home)], check=True)
        assert writer.flush(10.0)
        assert len(kept(home)) == 301
        writer.close()
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        assert len(kept(home)) == 301  # a reader needs to write nothing
        late = writers()
        late.put_record(cell("late"))
        assert not late.flush(10.0)
        assert "1 record waits in memory" in late.problems()[0]
        subprocess.run(["mount", "-o", "remount,rw", str(home)], check=True)
        assert late.flush(10.0)
        late.close()
        assert len(kept(home)) == 302
        connection = sqlite3.connect(own(home))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


@pytest.mark.skipif(os.name == "nt", reason="limits the size of files")
def test_where_files_may_grow_no_more_records_wait(home: Path) -> None:
    said = script(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
        for number in range(400):
            writer.put_record(cell(f"{number:03}"))
        print(writer.flush(10.0), "400 records wait in memory" in writer.problems()[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(writer.flush(10.0), writer.problems(), writer.close(5.0))
        """,
        home,
    )
    assert said == "False True\nTrue [] True\n"
    assert len(kept(home)) == 400


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_writes_nothing_and_ends_in_every_way(home: Path) -> None:
    said = script(
        """
        def put(name):
            writer.put_record(cell(name))
            return writer.flush(10.0)
        put("before")
        for how in (lambda: os._exit(0), lambda: sys.exit(0)):
            pid = os.fork()
            if pid == 0:
                put("child")
                writer.close()
                how()
            print(os.waitpid(pid, 0)[1])
        print(put("after"), writer.problems(), writer.close(5.0))
        """,
        home,
    )
    # The child that ends by `sys.exit` flushes what it inherited of standard output too.
    assert said.splitlines()[-1] == "True [] True"
    assert set(said.splitlines()[:-1]) == {"0"}
    assert kept(home) == ["after", "before"]


def test_spawned_children_and_threads_of_work_go_on_beside_it(home: Path) -> None:
    program = """
import multiprocessing, os, sys
sys.path[:0] = {path!r}
def work(number):
    return number * number
if __name__ == "__main__":
    from unit.ledger.stored import FIRST, cell
    from carbon_magic.ledger.writer import Writer
    writer = Writer(FIRST)
    writer.put_record(cell("before"))
    writer.send()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(work, range(4)))
    writer.put_record(cell("after"))
    print(writer.close(10.0))
"""
    path = home.with_name("program.py")
    path.write_text(program.format(path=[str(ROOT), str(ROOT / "tests")]))
    run = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, "CARBON_MAGIC_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == "[0, 1, 4, 9]\nTrue\n"
    assert kept(home) == ["after", "before"]


def test_the_interpreter_ends_in_the_middle_of_a_write(home: Path) -> None:
    """Another process holds the file all the time; what was not written is lost, and nothing hangs or is torn."""
    assert script('writer.put_record(cell("a")); print(writer.flush(10.0), writer.close())', home) == "True True\n"
    other = sqlite3.connect(own(home), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun_s = time.monotonic()
    said = script(
        """
        import atexit
        atexit.register(lambda: print(writer.close()))
        for number in range(2000):
            writer.put_record(cell(f"{number:04}"))
        writer.send()
        """,
        home,
        timeout_s=30.0,
    )
    assert time.monotonic() - begun_s < 15.0
    assert said == "False\n"
    other.execute("COMMIT")
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()
    assert kept(home) == ["a"]


def test_at_the_end_of_the_interpreter_the_last_batch_is_written(home: Path) -> None:
    said = script(
        """
        import atexit
        def end():
            writer.put_session(session())
            writer.put_record(cell("last"))
            print(writer.close())
        atexit.register(end)
        """,
        home,
    )
    assert said == "True\n"
    assert kept(home) == ["last"]


def test_a_value_that_no_database_takes_holds_up_nobody(writers: Writers, home: Path) -> None:
    writer = writers()
    writer.put_record(cell("bad", execution_count=1 << 70))
    writer.put_record(cell("good"))
    assert writer.flush(10.0)
    assert kept(home) == ["good"]
    assert writer.problems() == ["1 record could not be kept: a value is none that the database takes"]


def test_on_a_network_each_session_has_its_own_file(writers: Writers, home: Path) -> None:
    mounts = home.with_name("mounts")
    mounts.write_text("1 0 0:1 / / rw - nfs4 server:/ rw\n")
    for name in ("one", "two"):
        writer = writers(name, CARBON_MAGIC_MOUNTINFO=str(mounts))
        writer.put_record(cell(name, name))
        assert writer.flush(10.0)
    assert {path.name for path in home.glob("*.db")} == {"session-one.db", "session-two.db"}
    assert not list(home.glob("*-wal")) + list(home.glob("*-shm"))
    assert kept(home) == ["one", "two"]


def test_sessions_of_dead_processes_are_written_down_as_killed(writers: Writers, home: Path) -> None:
    code = """
    from dataclasses import replace
    from carbon_magic.ledger.alive import this_process
    here = this_process()
    writer.put_session(session("dead", host=here.host, boot_id=here.boot_id, pid=here.pid,
                               process_started=here.started, ending="running", ended_at=None))
    writer.put_record(cell("cut off", "dead", status="running", final=False))
    print(writer.flush(10.0))
    """
    assert script(code, home) == "True\n"
    writer = writers()
    writer.put_record(cell())
    assert writer.flush(10.0)
    connection = sqlite3.connect(own(home))
    assert connection.execute("SELECT ending FROM sessions").fetchall() == [("killed",)]
    assert connection.execute("SELECT status, final FROM records ORDER BY 1").fetchall() == [("killed", 1), ("ok", 1)]
    connection.close()


class TestBacklog:
    def test_of_one_record_only_the_latest_waits(self) -> None:
        backlog = Backlog()
        running = cell(status="running", final=False)
        for record in (running, replace(running, duration_s=9.0), cell()):
            backlog.put_record(Item(record))
        assert [item.record for item in backlog.take().items.values()] == [cell()]
        assert len(backlog) == 0

    def test_what_is_given_back_waits_before_and_not_in_place_of_what_came_meanwhile(self) -> None:
        backlog = Backlog()
        backlog.put_record(Item(cell("a", status="running", final=False)))
        backlog.put_record(Item(cell("b")))
        backlog.put_session(session(cells=1))
        batch = backlog.take()
        backlog.put_record(Item(cell("a")))
        backlog.put_record(Item(cell("c")))
        backlog.put_session(session(cells=2))
        backlog.give_back(batch)
        again = backlog.take()
        assert [(key, item.record.status) for key, item in again.items.items()] == [
            ("a", "ok"),
            ("b", "ok"),
            ("c", "ok"),
        ]
        assert [row.cells for row in again.sessions.values()] == [2]

    def test_where_too_many_wait_running_ones_go_first_and_finished_ones_are_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(backlog_module, "MOST", 3)
        backlog = Backlog()
        for name, final in (("a", True), ("b", False), ("c", True), ("d", True)):
            backlog.put_record(Item(cell(name, final=final)))
        assert (backlog.lost, backlog.records) == (0, 3)
        for name in "ef":
            backlog.put_record(Item(cell(name)))
        assert backlog.lost == 2
        assert list(backlog.take().items) == ["d", "e", "f"]

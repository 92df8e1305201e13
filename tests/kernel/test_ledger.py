"""The ledger under kernels that live, end and are killed: every finished cell is there, once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kernel.kernels import LOAD, Kernel, trouble

from carbon_magic.ledger.home import files
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.record import CellRecord

WORK = Path(__file__).with_name("ledger_work.py")
SECONDS = float(os.environ.get("CARBON_MAGIC_TEST_LEDGER_SECONDS", "6"))
"""How long kernels write at once and are killed; the whole of the issue's test takes 60."""
NFS = "1 0 0:1 / / rw - nfs4 server:/ rw\n"
KEPT = "__import__('carbon_magic.session').session.current().flush(30)"
SETTLED = "__import__('carbon_magic.session').session.settle(30)"
SESSION_ID = "__import__('carbon_magic.session').session.current().snapshot().session_id"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def start(tmp_path: Path, kernel_name: str, home: Path) -> Iterator[Callable[..., Kernel]]:
    """Starts kernels that keep their records in one folder."""
    started: list[Kernel] = []

    def begin(**environ: str) -> Kernel:
        variables = {"CARBON_MAGIC_HOME": str(home), **environ}
        started.append(Kernel(kernel_name, tmp_path / f"kernel-{len(started)}", variables))
        return started[-1]

    yield begin
    for kernel in started:
        kernel.close()


def until(found: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not found():
        assert time.monotonic() < deadline_s, "it does not come"
        time.sleep(0.05)


def records(home: Path) -> list[CellRecord]:
    with Reader(home) as reader:
        found = list(reader.records())
        assert reader.problems == []
    return found


def sound(home: Path) -> None:
    """SQLite finds nothing wrong with any file."""
    for path in files(home):
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_a_kernels_cells_and_its_end_are_kept(start: Callable[..., Kernel], home: Path) -> None:
    kernel = start()
    kernel.run(LOAD)
    for code in ("x = 1", "1 / 0", "%%carbon -n fit -r PL\nx += 1"):
        kernel.run(code)
    assert (kernel.ask(SETTLED), kernel.ask(KEPT)) == ("True", "True")
    assert trouble(kernel) == "(None, None)"
    found = [(r.execution_count, r.status, r.label, r.region, r.final) for r in records(home)]
    assert found[:2] == [(2, "ok", None, "WORLD", True), (3, "error", None, "WORLD", True)]
    assert found[2] == (4, "ok", "fit", "PL", True)
    with Reader(home) as reader:
        (row,) = reader.sessions()
        assert (row.kind, row.ending, row.cells) == ("kernel", "running", 3)
    kernel.run("%unload_ext carbon_magic")
    names = kernel.ask("[t.name for t in __import__('threading').enumerate() if 'carbon' in t.name]")
    assert names == "[]"
    descriptors = f"[p for p in __import__('psutil').Process().open_files() if p.path.startswith({str(home)!r})]"
    assert kernel.ask(descriptors) == "[]"
    with Reader(home) as reader:
        (row,) = reader.sessions()
        assert (row.ending, row.cells, row.ended_at) == ("ended", 3, row.heartbeat_at)
    # The cell that unloads it is still running when its session ends: it has no record, as the one that loads it.
    assert len(records(home)) == 3


def test_a_kernel_that_is_shut_down_keeps_its_last_cell(start: Callable[..., Kernel], home: Path) -> None:
    kernel = start()
    kernel.run(LOAD)
    kernel.run("x = 1")
    kernel.manager.shutdown_kernel()
    (record,) = records(home)
    assert (record.execution_count, record.status, record.final) == (2, "ok", True)
    with Reader(home) as reader:
        assert [row.ending for row in reader.sessions()] == ["ended"]


@pytest.mark.parametrize("network", [False, True])
def test_a_killed_kernels_finished_cells_are_there_and_the_one_it_ran_is_killed(
    start: Callable[..., Kernel], home: Path, tmp_path: Path, network: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(NFS)
    kernel = start(**({"CARBON_MAGIC_MOUNTINFO": str(mounts)} if network else {}))
    kernel.run(LOAD)
    for _ in range(5):
        kernel.run("sum(range(100_000))")
    kernel.client.execute("while True: sum(range(100_000))")
    until(lambda: any(record.status == "running" and record.duration_s >= 3.0 for record in _readable(home)))
    assert len(records(home)) == 6
    pid = int(kernel.manager.provisioner.pid)  # type: ignore[union-attr]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not kernel.alive())
    *finished, last = records(home)
    assert [(r.execution_count, r.status) for r in finished] == [(number, "ok") for number in range(2, 7)]
    assert (last.execution_count, last.status, last.final) == (7, "killed", True)
    assert last.duration_s >= 3.0
    assert last.energy_j is not None
    assert last.energy_j > 0.0
    with Reader(home) as reader:
        (row,) = reader.sessions()
        assert (row.ending, row.pid) == ("killed", pid)
        assert row.energy_j is not None
        assert row.energy_j >= last.energy_j
        assert reader.totals().cells == 5
    assert [path.name.partition("-")[0] for path in files(home)] == ["session" if network else "ledger"]
    sound(home)


def _readable(home: Path) -> list[CellRecord]:
    """The records as far as they can be read while a kernel is about to begin a file."""
    with Reader(home) as reader:
        return list(reader.records())


@pytest.mark.parametrize("broken", ["a file in its place", "no home", "a broken file", "a newer file"])
def test_a_kernel_runs_on_whatever_its_ledger_is_like_and_the_doctor_says_it(
    start: Callable[..., Kernel], home: Path, broken: str
) -> None:
    from carbon_magic.ledger.home import host

    said = {
        "a file in its place": "records are not written",
        "no home": "no home directory is known",
        "a broken file": "it is set aside as",
        "a newer file": "is left alone",
    }
    own = home / f"ledger-{host()}.db"
    if broken == "a file in its place":
        home.write_text("mine")
    elif broken != "no home":
        home.mkdir()
        connection = sqlite3.connect(own)
        connection.execute("PRAGMA user_version = 9000")
        connection.commit()
        connection.close()
    if broken == "a broken file":
        own.write_bytes(b"nonsense" * 1000)
    before = None if broken == "no home" else (home if home.is_file() else own).read_bytes()
    kernel = start(**({"CARBON_MAGIC_HOME": "~nobody-of-this-name/x"} if broken == "no home" else {}))
    kernel.run(LOAD)
    outcome = kernel.run("x = 41\nprint(x + 1)")
    assert (outcome.text(), outcome.text("stderr"), outcome.status) == ("42\n", "", "ok")
    kernel.ask(SETTLED)
    kernel.ask(KEPT)
    assert said[broken] in " ".join(kernel.run("%carbon doctor").panels()[0]["text/plain"].split())
    assert trouble(kernel) == "(None, None)"
    assert kernel.run("print(x)").text() == "41\n"
    kernel.run("%unload_ext carbon_magic")
    if broken == "a broken file":
        (aside,) = home.glob("*.corrupt-*")
        assert aside.read_bytes() == before
        assert len(_readable(home)) >= 2
    elif before is not None:
        assert (home if home.is_file() else own).read_bytes() == before


@dataclass
class Life:
    """One process of `ledger_work.py`."""

    process: subprocess.Popen[bytes]
    told: Path
    killed: bool = False

    @property
    def lines(self) -> list[str]:
        return self.told.read_text(encoding="utf-8").split() if self.told.exists() else []


@dataclass
class Lives:
    """Processes that write at once."""

    folder: Path
    environ: dict[str, str]
    all: list[Life] = field(default_factory=list)

    def begin(self, *arguments: str) -> Life:
        folder = self.folder / f"work-{len(self.all)}"
        folder.mkdir(parents=True)
        environ = {**os.environ, "IPYTHONDIR": str(folder / "ipython"), **self.environ}
        process = subprocess.Popen([sys.executable, str(WORK), str(folder), *arguments], env=environ)
        self.all.append(Life(process, folder / "told"))
        return self.all[-1]

    def end(self) -> None:
        for life in self.all:
            life.process.kill()
            life.process.wait()


@pytest.mark.skipif(os.name == "nt", reason="kills by SIGKILL")
@pytest.mark.parametrize("network", [False, True])
def test_eight_kernels_write_at_once_and_are_killed_and_every_finished_cell_is_there_once(
    tmp_path: Path, home: Path, network: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(NFS)
    nfs = {"CARBON_MAGIC_MOUNTINFO": str(mounts)} if network else {}
    lives = Lives(tmp_path, {"CARBON_MAGIC_HOME": str(home), **nfs})
    try:
        for _ in range(6):
            lives.begin("0")
        victims = [lives.begin("20", "600"), lives.begin("20", "600")]
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < SECONDS or victims:
            for life in lives.all:
                assert life.killed or life.process.poll() is None
            for victim in list(victims):
                # Killed in the middle of its long cell.
                running = len(victim.lines) > 1 and _runs(home, victim.lines[0])
                if running:
                    _kill(victim)
                    victims.remove(victim)
            if not victims and time.monotonic() - begun_s < SECONDS:
                # One more, in the middle of whatever it does.
                _kill(next(life for life in lives.all if not life.killed and len(life.lines) > 1))
                lives.begin("0")
                victims.append(lives.begin("20", "600"))
            time.sleep(0.2)
        until(lambda: all(len(life.lines) > 1 for life in lives.all), 120.0)
        for life in lives.all:
            if not life.killed:
                _kill(life)
    finally:
        lives.end()
    _check(home, lives, network)


@pytest.mark.skipif(os.name == "nt", reason="kills by SIGKILL")
@pytest.mark.parametrize("network", [False, True])
def test_a_kernel_killed_in_its_first_second_has_a_session_and_every_cell_that_ended(
    start: Callable[..., Kernel], home: Path, tmp_path: Path, network: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(NFS)
    kernel = start(**({"CARBON_MAGIC_MOUNTINFO": str(mounts)} if network else {}))
    kernel.run(LOAD)
    for code in ("%%carbon -q -n fit -r PL\nx = 1", "x = 2", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"):
        kernel.send(code)
    until(lambda: not kernel.alive())
    for _ in range(2):
        found = [(r.execution_count, r.label, r.region, r.status, r.final) for r in _in_order(home)]
        assert found == [
            (2, "fit", "PL", "ok", True),
            (3, None, "WORLD", "ok", True),
            (4, None, "WORLD", "killed", True),
        ]
        with Reader(home) as reader:
            (row,) = reader.sessions()
            assert (row.kind, row.ending, row.cells, row.ended_at) == ("kernel", "killed", 2, row.heartbeat_at)
            assert row.started_at <= row.heartbeat_at
            assert reader.totals().cells == 2
    sound(home)


def _in_order(home: Path) -> list[CellRecord]:
    return sorted(records(home), key=lambda record: record.execution_count or 0)


def _runs(home: Path, session_id: str) -> bool:
    """Whether a session's long cell stands in the ledger."""
    with Reader(home) as reader:
        return any(record.status == "running" for record in reader.records(session_id=session_id))


def _kill(life: Life) -> None:
    life.killed = True
    os.kill(life.process.pid, signal.SIGKILL)
    life.process.wait()


def _check(home: Path, lives: Lives, network: bool) -> None:
    sound(home)
    with Reader(home) as reader:
        rows = {row.session_id: row for row in reader.sessions()}
        found = list(reader.records())
        assert reader.problems == []
    kinds = {path.name.partition("-")[0] for path in files(home)}
    assert kinds == {"session" if network else "ledger"}
    assert len({record.record_id for record in found}) == len(found)
    for life in lives.all:
        session_id, *counts = life.lines
        own = [record for record in found if record.session_id == session_id]
        numbers = Counter(record.execution_count for record in own)
        assert set(numbers.values()) == {1}
        ended = Counter(record.execution_count for record in own if record.status == "ok")
        assert set(range(2, int(counts[-1]) + 1)) <= set(ended)
        assert rows[session_id].ending == "killed"
        assert rows[session_id].cells == len(ended)
        killed = [record for record in own if record.status == "killed"]
        assert len(killed) + len(ended) == len(own)
        assert len(killed) <= 1
        if "600" in life.process.args[-1]:  # type: ignore[index, operator]
            (last,) = killed
            assert last.duration_s >= 2.0
            assert last.energy_j is not None
            assert last.energy_j > 0.0
        assert all(record.final for record in own)

"""`track` in real processes: threads and files, exits, forks and workers."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from machines.build import build
from unit.track.work import forget, linux_only, rows, script

from carbon_magic import track, whose
from carbon_magic.ledger.read import Reader
from carbon_magic.ledger.record import CellRecord
from carbon_magic.ledger.row import SessionRow


@linux_only
def test_after_the_last_one_no_thread_and_no_descriptor_is_left(tmp_path: Path) -> None:
    lines = script(
        """
        import os, threading, time
        def files():
            return sorted(os.listdir("/proc/self/fd"))
        before = files()
        from carbon_magic import track
        for name in ("one", "two"):
            with track(name):
                with track("inner"):
                    time.sleep(0.02)
            assert not any(t.name == "carbon-magic sampler" for t in threading.enumerate())
            while threading.active_count() > 1:
                time.sleep(0.01)
            assert files() == before, (files(), before)
            time.sleep(1.1)
        print("done")
        """,
        tmp_path,
    )
    assert lines == ["done"]
    assert [row["label"] for row in rows(tmp_path / "home")] == ["one", "two"]


@linux_only
def test_calls_in_a_row_keep_the_sampler_and_let_it_go_a_second_later(tmp_path: Path) -> None:
    lines = script(
        """
        import threading, time
        from carbon_magic import track
        @track(keep=False)
        def call(): pass
        def samplers():
            return [t.ident for t in threading.enumerate() if t.name == "carbon-magic sampler"]
        call()
        while samplers():  # a call by itself does not keep it, but does not wait for its end either
            time.sleep(0.001)
        calls = 1
        while not (first := samplers()):
            call(); calls += 1
        call(); call()
        assert len(first) == 1 and samplers() == first
        while threading.active_count() > 1:
            time.sleep(0.05)
        assert len(call.track.runs) == calls + 2 and all(run.record.final for run in call.track.runs)
        print("done")
        """,
        tmp_path,
    )
    assert lines == ["done"]
    assert not (tmp_path / "home").exists()


def test_a_script_imports_no_ipython_and_importing_the_package_imports_nothing(tmp_path: Path) -> None:
    lines = script(
        """
        import sys
        import carbon_magic
        assert not [m for m in sys.modules if m.startswith("carbon_magic.")]
        assert "track" in dir(carbon_magic)
        from carbon_magic import track
        with track("x") as t: pass
        print(*[m for m in ("IPython", "traitlets", "ipywidgets", "numpy", "pandas", "rich", "psutil", "asyncio")
                if m in sys.modules])
        try: carbon_magic.trick
        except AttributeError as error: print(error)
        """,
        tmp_path,
    )
    assert lines == ["", "module 'carbon_magic' has no attribute 'trick'"]


def test_what_still_runs_when_the_script_ends_is_kept_as_interrupted(tmp_path: Path) -> None:
    script(
        """
        import time
        from carbon_magic import track
        @track
        def half():
            yield 1
            yield 2
        g = half()
        next(g)
        t = track("whole script").start()
        time.sleep(0.05)
        """,
        tmp_path,
    )
    kept = {row["label"]: row for row in rows(tmp_path / "home")}
    assert {label: (row["status"], row["final"]) for label, row in kept.items()} == {
        "half": ("interrupted", 1),
        "whole script": ("interrupted", 1),
    }
    assert kept["whole script"]["duration_s"] >= 0.05
    (session,) = rows(tmp_path / "home", "sessions")
    assert session["ending"] == "ended"


def test_a_script_that_dies_of_an_error_keeps_what_it_had(tmp_path: Path) -> None:
    script(
        """
        from carbon_magic import track
        with track("fails"):
            raise SystemExit(7)
        """,
        tmp_path,
        code_is=7,
    )
    assert [row["status"] for row in rows(tmp_path / "home")] == ["error"]


def test_where_the_ledger_cannot_be_written_the_script_runs_on(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", encoding="ascii")
    lines = script(
        """
        from carbon_magic import track
        with track("x") as t: pass
        print(t.energy_j is not None)
        """,
        tmp_path,
    )
    assert lines == ["True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_child_measures_anew_and_leaves_its_parents_alone(tmp_path: Path) -> None:
    lines = script(
        """
        import os, sys, threading, time
        from carbon_magic import track
        with track("parent") as t:
            time.sleep(0.02)
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                assert t.energy_j is None and t.running
                with track("child") as c:
                    time.sleep(0.02)
                assert c.energy_j is not None and c.record.final
                assert not any(x.name == "carbon-magic sampler" for x in threading.enumerate())
                print("child", flush=True)
                sys.exit(0)  # through the parent's block, and its own exit
            assert os.waitpid(pid, 0)[1] == 0
        assert t.record.final and t.record.status == "ok" and t.energy_j > 0
        print("parent")
        """,
        tmp_path,
    )
    assert lines == ["child", "parent"]
    kept = rows(tmp_path / "home")
    assert sorted(row["label"] for row in kept) == ["child", "parent"]
    assert len({row["session_id"] for row in kept}) == 2


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing_measure_and_are_kept(tmp_path: Path, method: str) -> None:
    if method == "fork" and not hasattr(os, "fork"):
        pytest.skip("forks")
    lines = script(
        f"""
        import multiprocessing, time
        from concurrent.futures import ProcessPoolExecutor
        from carbon_magic import track
        @track
        def square(x):
            with track("inner") as t:
                sum(range(20_000))
            while t.energy_j is None:  # unknown until its first readings have come
                time.sleep(0.01)
            return x * x
        def main():
            context = multiprocessing.get_context({method!r})
            with track("main") as t:
                process = context.Process(target=square, args=(9,))
                process.start(); process.join()
                with ProcessPoolExecutor(2, mp_context=context) as pool:
                    print(list(pool.map(square, range(6))))
            assert process.exitcode == 0 and t.energy_j > 0
        if __name__ == "__main__":
            main()
        """,
        tmp_path,
        PYTHONWARNINGS="ignore::DeprecationWarning",
    )
    assert lines == ["[0, 1, 4, 9, 16, 25]"]
    read(tmp_path)  # takes in what a worker could not write within half a second of its end
    kept = rows(tmp_path / "home")
    assert sorted(row["label"] for row in kept) == ["main"] + ["square"] * 7
    assert all(row["final"] and row["status"] == "ok" for row in kept)
    assert {row["ending"] for row in rows(tmp_path / "home", "sessions")} == {"ended"}


@linux_only
def test_a_slow_sensor_makes_it_final_later_and_holds_nobody_up(
    tmp_path: Path, nvml_library: Path, gpus: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus([{"limit": 300, "steps": "0:100", "util": 50, "compute": f"{os.getpid()}:50"}], time.monotonic() - 10.0)
    made_up = build("gpus", tmp_path / "machine")
    (made_up / "proc" / str(os.getpid())).mkdir(parents=True)
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(made_up))
    monkeypatch.setenv("CARBON_MAGIC_NVML", str(nvml_library))
    forget()
    with track("warm"):
        own = whose.books()
        while own.sampler is None or not any(c.candidate.domain == "gpu" for c in own.sampler.channels):
            time.sleep(0.01)
        time.sleep(1.1)
        with track("gpu") as t:
            time.sleep(1.2)
            assert t.gpu_energy_j is not None
    first = t.record
    assert first is not None
    while t.record is not None and not t.record.final:
        time.sleep(0.05)
    # 30 W are its idle power. The server is shared: of that it is charged for the busy half.
    assert t.gpu_energy_j == pytest.approx(85.0 * t.duration_s, rel=0.03)  # type: ignore[operator]
    forget()
    assert not [thread for thread in threading.enumerate() if thread.name == "carbon-magic sampler"]


def read(tmp_path: Path) -> tuple[list[SessionRow], list[CellRecord]]:
    """What a reader of the ledger sees."""
    with Reader(tmp_path / "home") as reader:
        found = reader.sessions(), list(reader.records())
        assert reader.problems == []
    return found


@pytest.mark.parametrize("used_before", [False, True])
def test_what_is_called_at_the_exit_before_the_first_use_is_measured_and_kept(
    tmp_path: Path, used_before: bool
) -> None:
    lines = script(
        f"""
        import atexit, time
        def goodbye():
            with track("goodbye") as t:
                with track("inner"):
                    time.sleep(0.02)
            print(t.energy_j is not None, t.record.final)
            with track("last"):
                pass
        atexit.register(goodbye)
        from carbon_magic import track
        if {used_before}:
            with track("early"):
                pass
        """,
        tmp_path,
    )
    assert lines == ["True True"]
    sessions, records = read(tmp_path)
    assert [record.label for record in records] == ["early"] * used_before + ["goodbye", "last"]
    assert all(record.final and record.energy_j is not None for record in records)
    assert {(session.kind, session.ending) for session in sessions} == {("script", "ended")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="terminates forked workers")
def test_workers_that_are_terminated_keep_every_call_and_have_ended_not_died(tmp_path: Path) -> None:
    lines = script(
        """
        import multiprocessing, time
        from carbon_magic import track
        @track
        def work(x):
            time.sleep(0.005)
            return x
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(3) as pool:
                print(len(pool.map(work, range(30), chunksize=1)))
        """,
        tmp_path,
        PYTHONWARNINGS="ignore::DeprecationWarning",
    )
    assert lines == ["30"]
    sessions, records = read(tmp_path)
    assert [(record.label, record.status, record.final) for record in records] == [("work", "ok", True)] * 30
    assert {session.ending for session in sessions} == {"ended"}
    assert sum(session.cells for session in sessions) == 30


@pytest.mark.skipif(os.name == "nt", reason="kills by SIGKILL")
def test_a_worker_that_is_killed_within_a_call_says_so(tmp_path: Path) -> None:
    script(
        """
        import os, signal, time
        from carbon_magic import track
        with track("done"):
            time.sleep(0.02)
        with track("cut off"):
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
        code_is=-9,
    )
    (session,), records = read(tmp_path)
    assert (session.kind, session.ending, session.cells) == ("script", "killed", 1)
    assert [(record.label, record.status, record.final) for record in records] == [
        ("done", "ok", True),
        ("cut off", "killed", True),
    ]


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
def test_at_the_exit_a_locked_ledger_is_not_waited_for_and_nothing_is_lost(tmp_path: Path, pause_s: float) -> None:
    code = f"""
        import time
        from carbon_magic import track
        with track("one") as t:
            time.sleep(0.01)
        time.sleep({pause_s})
        print(repr(t.energy_j))
        """
    script(code, tmp_path)
    (file,) = (tmp_path / "home").glob("*.db")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (joules,) = script(code, tmp_path)
        other.execute("ROLLBACK")
    assert len(rows(tmp_path / "home")) == 1
    sessions, records = read(tmp_path)
    assert [record.label for record in records] == ["one", "one"]
    assert float(joules) in [record.energy_j for record in records]
    assert [(session.ending, session.cells) for session in sessions] == [("ended", 1)] * 2

"""`track` in scripts and tests: exact joules on made-up machines, and real processes, threads, tasks and forks."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines.build import build, set_counter
from unit.views.made_records import record as made

from carbon_magic import track, tracking, whose
from carbon_magic.grid.regions import UnknownRegion
from carbon_magic.ledger.record import CellRecord
from carbon_magic.pieces import added, stretched

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
START_UJ = 1_000_000
DRAM_W = 32 * 0.3
"""The modelled memory of the made-up desktop: 32 GiB."""
FIGURES = [
    name for name in vars(tracking.Figures) if name.endswith(("_j", "_j_low", "_j_high", "_g", "_g_low", "_g_high"))
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A made-up desktop whose package counter moves only when a test says so, and a ledger of its own."""
    made_up = build("intel-desktop", tmp_path / "machine")
    monkeypatch.setenv("CARBON_MAGIC_ROOT", str(made_up))
    monkeypatch.setenv("CARBON_MAGIC_HOME", str(tmp_path / "home"))
    forget()
    yield made_up
    forget()


def forget() -> None:
    """As if the process ended, and another one began."""
    whose._end()
    whose._own = None


def spend(root: Path, joules: float, seconds: float = 0.06) -> None:
    """Let the package use so much, and let some time pass."""
    counter = root / "sys/class/powercap/intel-rapl:0/energy_uj"
    now_uj = int(counter.read_text(encoding="ascii"))
    time.sleep(seconds)
    # In one call and in place: another thread may read it at any moment.
    with counter.open("r+b", buffering=0) as file:
        file.write(f"{now_uj + round(joules * 1e6)}\n".encode())


def machine_j(run: Any) -> float:
    """What the package used: the machine's energy without the memory, whose model goes by time."""
    record = run.record
    assert record is not None
    assert record.machine_energy_j is not None
    return float(record.machine_energy_j) - DRAM_W * float(record.duration_s)


def rows(home: Path, table: str = "records") -> list[dict[str, Any]]:
    """What the ledger holds, oldest first."""
    found = []
    for file in home.glob("*.db"):
        with sqlite3.connect(file) as database:
            database.row_factory = sqlite3.Row
            found += [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY started_at, rowid")]
        database.close()
    return found


def script(code: str, tmp_path: Path, *, code_is: int = 0, **environ: str) -> list[str]:
    """The lines that a script prints, run from a file on the real machine with a ledger in `tmp_path`."""
    file = tmp_path / "script.py"
    file.write_text(textwrap.dedent(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "CARBON_MAGIC_HOME": str(tmp_path / "home"), **environ},
        cwd=tmp_path,
    )
    assert done.returncode == code_is, done.stderr
    if code_is == 0:
        assert done.stderr == ""
    return done.stdout.splitlines()


# Figures


def test_a_block_has_the_joules_that_the_counter_moved(root: Path) -> None:
    with track("work", region="FR") as t:
        spend(root, 15.0)
    assert machine_j(t) == pytest.approx(15.0)
    record = t.record
    assert record is not None
    assert record.final
    assert (record.label, record.status, record.region, record.region_source) == ("work", "ok", "FR", "user")
    assert record.sensors == ("powercap:package-0", "dram-model")
    for name in FIGURES:
        if name != "gpu_energy_j":
            assert getattr(t, name) == getattr(record, name) is not None
    assert t.gpu_energy_j is None
    assert t.energy_j_low < t.energy_j < t.energy_j_high  # type: ignore[operator]
    assert t.power_w == record.energy_j / record.duration_s  # type: ignore[operator]
    assert t.duration_s == pytest.approx(record.duration_s)


def test_before_it_begins_nothing_is_known_and_nothing_is_zero(root: Path) -> None:
    t = track("later")
    assert [getattr(t, name) for name in FIGURES] == [None] * len(FIGURES)
    assert (t.record, t.duration_s, t.power_w, t.running, t.runs) == (None, None, None, False, ())
    assert repr(t) == "<track 'later', not measured>"
    assert t._repr_html_() is None


def test_figures_can_be_read_while_it_runs(root: Path) -> None:
    t = track("long").start()
    spend(root, 10.0)
    assert machine_j(t) == pytest.approx(10.0)
    assert t.running
    record = t.record
    assert record is not None
    assert (record.status, record.final) == ("running", False)
    spend(root, 5.0, seconds=0.15)
    assert machine_j(t) == pytest.approx(15.0)
    spend(root, 1.0)
    t.stop()
    assert not t.running
    assert machine_j(t) == pytest.approx(16.0)
    record = t.record
    assert record is not None
    assert (record.status, record.final) == ("ok", True)


def test_reading_many_figures_asks_the_sensors_once(root: Path) -> None:
    with track("read") as t:
        time.sleep(0.02)
        spend(root, 1.0)
        first = t.energy_j
        set_counter(root, "intel-rapl:0", START_UJ + 90_000_000)
        assert t.energy_j == first
        assert t.power_w == t.record.energy_j / t.record.duration_s  # type: ignore[union-attr, operator]


def test_each_use_of_one_object_is_a_measurement_of_its_own(root: Path) -> None:
    t = track("again")
    for joules in (1.0, 2.0):
        with t:
            spend(root, joules)
    t.start()
    spend(root, 3.0)
    assert t.stop() is t
    assert [machine_j(run) for run in t.runs] == pytest.approx([1.0, 2.0, 3.0])
    assert machine_j(t) == pytest.approx(3.0)
    assert t.stop() is t
    assert len(t.runs) == 3


def test_what_is_started_twice_or_never_raises(root: Path) -> None:
    t = track("once")
    with pytest.raises(RuntimeError, match="start"):
        t.stop()
    t.start()
    with pytest.raises(RuntimeError, match="stop"):
        t.start()
    t.stop()


def test_inside_another_one_it_is_part_of_it_and_the_outer_one_is_kept(root: Path, tmp_path: Path) -> None:
    with track("outer") as outer:
        spend(root, 1.0)
        with track("first") as first:
            spend(root, 2.0)
        with track("second") as second:
            spend(root, 4.0)
    assert [machine_j(t) for t in (first, second, outer)] == pytest.approx([2.0, 4.0, 7.0])
    forget()
    (kept,) = rows(tmp_path / "home")
    assert kept["label"] == "outer"
    assert kept["energy_j"] == outer.energy_j
    (session,) = rows(tmp_path / "home", "sessions")
    assert (session["kind"], session["cells"], session["ending"]) == ("script", 1, "ended")
    assert session["machine_energy_j"] >= kept["machine_energy_j"]


def test_what_is_not_to_be_kept_is_not_but_what_is_inside_it_is(root: Path, tmp_path: Path) -> None:
    with track("private", keep=False) as t:
        spend(root, 1.0)
    assert machine_j(t) == pytest.approx(1.0)
    forget()
    assert not (tmp_path / "home").exists()
    with track("private", keep=False), track("public"):
        spend(root, 1.0)
    forget()
    assert [row["label"] for row in rows(tmp_path / "home")] == ["public"]


def test_the_default_grid_is_the_environments_as_it_is_when_it_begins(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(**options: Any) -> tuple[str, str, float]:
        with track("place", **options) as t:
            spend(root, 1.0)
        assert t.record is not None
        return t.record.region, t.record.region_source, t.record.pue

    assert found() == ("WORLD", "unknown", 1.0)
    monkeypatch.setenv("CARBON_MAGIC_REGION", "DE")
    assert found() == ("DE", "environment", 1.0)
    assert found(pue=1.5) == ("DE", "environment", 1.5)
    assert found(region="US-CA", pue=1.25) == ("US-CA", "user", 1.25)
    monkeypatch.setenv("CARBON_MAGIC_REGION", "Atlantis")
    with pytest.raises(UnknownRegion, match="Nearest"):
        found()


def test_grams_are_energy_times_pue_times_intensity(root: Path) -> None:
    with track(region="FR", pue=1.5) as t:
        spend(root, 10.0)
    assert t.energy_j is not None
    assert t.emissions_g == pytest.approx(t.energy_j / 3.6e6 * 1.5 * 41.45)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"regoin": "FR"}, TypeError, "did you mean 'region'"),
        ({"zzz": 1}, TypeError, "name, region, pue, keep"),
        ({"region": "FRR"}, UnknownRegion, "FR"),
        ({"region": 5}, TypeError, "region"),
        ({"pue": 0.5}, ValueError, "PUE"),
        ({"pue": "1.2"}, TypeError, "PUE"),
        ({"keep": "no"}, TypeError, "keep"),
        ({"name": 5}, TypeError, "name"),
    ],
)
def test_an_option_that_does_not_exist_or_fit_raises_at_once(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        track(**options)


def test_a_wrong_region_of_the_environment_raises_before_the_work(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBON_MAGIC_REGION", "Atlantis")
    worked = []
    with pytest.raises(UnknownRegion), track("never"):
        worked.append(1)
    assert not worked


# How it ends


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("mine"), "error"),
        (KeyboardInterrupt(), "interrupted"),
        (asyncio.CancelledError(), "interrupted"),
        (SystemExit(3), "error"),
        (SystemExit(0), "ok"),
        (SystemExit(), "ok"),
        (GeneratorExit(), "ok"),
    ],
)
def test_an_exception_passes_through_untouched_and_is_the_status(root: Path, error: BaseException, status: str) -> None:
    t = track("fails")

    def work() -> None:
        with t:
            spend(root, 1.0)
            raise error

    with pytest.raises(type(error)) as raised:
        work()
    assert raised.value is error
    assert error.__context__ is None
    assert error.__cause__ is None
    assert t.record is not None
    assert t.record.status == status
    assert machine_j(t) == pytest.approx(1.0)


def test_where_no_thread_can_be_started_the_work_is_done_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    files = set(Path("/proc/self/fd").iterdir()) if sys.platform == "linux" else set()
    monkeypatch.setattr(threading.Thread, "start", cannot)
    with track("work") as t:
        spend(root, 1.0)
    assert t.energy_j is None
    assert t.duration_s is not None
    assert t.duration_s >= 0.06
    monkeypatch.undo()
    if sys.platform == "linux":
        assert len(set(Path("/proc/self/fd").iterdir())) <= len(files)


def test_a_result_is_shown_when_it_is_asked_for_and_nothing_before(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with track("<b>shown</b>", region="FR") as t:
        spend(root, 3.0)
    assert capfd.readouterr() == ("", "")
    assert repr(t).startswith("<b>shown</b>: ")
    assert "this process's share" in repr(t)
    assert "kernel" not in repr(t)
    html = t._repr_html_()
    assert html is not None
    assert "<b>shown" not in html
    assert repr(t.runs[0]) == repr(t)
    with track() as t:
        spend(root, 3.0)
    assert "This block: " in repr(t)
    assert "CARBON_MAGIC_REGION=FR" in repr(t)
    assert "%carbon" not in repr(t)


# Decorated


def test_a_decorated_function_is_what_it_was(root: Path) -> None:
    @track
    def add(a: int, b: int = 2, *, c: int = 3) -> int:
        """Adds."""
        spend(root, 1.0)
        return a + b + c

    assert add(1, c=5) == 8
    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert str(inspect.signature(add)) == "(a: 'int', b: 'int' = 2, *, c: 'int' = 3) -> 'int'"
    t = add.track  # type: ignore[attr-defined]
    assert machine_j(t) == pytest.approx(1.0)
    assert t.record.label == "add"
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        add()  # type: ignore[call-arg]


def test_a_decorator_with_options_measures_each_call(root: Path) -> None:
    t = track("step", region="FR")

    @t
    def step(joules: float) -> None:
        spend(root, joules)

    for joules in (1.0, 2.0):
        step(joules)
    assert [machine_j(run) for run in t.runs] == pytest.approx([1.0, 2.0])
    assert {run.record.label for run in t.runs if run.record} == {"step"}


def test_methods_of_every_kind_can_be_decorated(root: Path) -> None:
    class Model:
        @track
        def fit(self) -> str:
            return "fit"

        @track
        @classmethod
        def make(cls) -> Model:
            return cls()

        @track("named")
        @staticmethod
        def help() -> str:
            return "help"

    assert (Model.make().fit(), Model.help()) == ("fit", "help")
    assert Model.fit.track.record.label == "test_methods_of_every_kind_can_be_decorated.<locals>.Model.fit"[-9:]  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="functions"):
        track(Model)


def test_a_call_within_a_call_and_one_that_fails_are_measured(root: Path) -> None:
    @track
    def deep(n: int) -> None:
        spend(root, 1.0)
        if n == 0:
            raise LookupError("bottom")
        deep(n - 1)

    with pytest.raises(LookupError):
        deep(2)
    runs = deep.track.runs  # type: ignore[attr-defined]
    assert [machine_j(run) for run in runs] == pytest.approx([1.0, 2.0, 3.0])
    assert [run.record.status for run in runs] == ["error"] * 3


def test_a_generator_pays_for_its_advances_and_not_for_what_is_done_with_its_items(root: Path, tmp_path: Path) -> None:
    @track
    def items() -> Generator[int, None, str]:
        spend(root, 1.0)
        yield 1
        spend(root, 2.0)
        yield 2
        spend(root, 4.0)
        return "done"

    assert inspect.isgeneratorfunction(items)
    seen = []
    for item in items():
        spend(root, 100.0)
        seen.append(item)
    assert seen == [1, 2]
    t = items.track  # type: ignore[attr-defined]
    assert machine_j(t) == pytest.approx(7.0)
    assert 0.18 <= t.duration_s < 0.27
    assert (t.record.status, t.record.final, t.record.duration_s) == ("ok", True, pytest.approx(t.duration_s))
    forget()
    (kept,) = rows(tmp_path / "home")
    assert (kept["label"], kept["machine_energy_j"]) == ("items", pytest.approx(t.machine_energy_j))


def test_what_is_sent_thrown_and_closed_reaches_the_generator(root: Path) -> None:
    def plain() -> Generator[Any, Any, str]:
        seen: list[Any] = []
        while True:
            try:
                got = yield list(seen)
                seen.append(got)
            except LookupError as error:
                seen.append(type(error))
            except GeneratorExit:
                seen.append("closed")
                raise
            if got == "end":
                return "returned"

    for function in (plain, track(plain)):
        g = function()
        assert next(g) == []
        assert g.send(1) == [1]
        assert g.throw(LookupError()) == [1, LookupError]
        with pytest.raises(ZeroDivisionError):
            g.throw(ZeroDivisionError())
        assert list(g) == []
        g = function()
        next(g)
        with pytest.raises(StopIteration) as stop:
            g.send("end")
        assert stop.value.value == "returned"
        g = function()
        next(g)
        g.close()
        assert list(g) == []
        g = function()
        next(g)
        with pytest.raises(GeneratorExit):
            g.throw(GeneratorExit())

        def delegating(function: Any = function) -> Generator[Any, Any, None]:
            yield (yield from function())

        outer = delegating()
        next(outer)
        assert outer.send("end") == "returned"


def test_a_generator_that_is_dropped_or_never_begun_ends_quietly(root: Path) -> None:
    @track
    def forever() -> Iterator[int]:
        while True:
            yield 1

    g = forever()
    next(g)
    del g
    forever()
    gc.collect()
    t = forever.track  # type: ignore[attr-defined]
    assert [run.record.status for run in t.runs] == ["ok"]
    assert not t.running


def test_a_million_items_cost_a_few_readings_and_the_range_says_so(root: Path) -> None:
    @track
    def numbers() -> Iterator[int]:
        yield from range(100_000)

    assert sum(numbers()) == sum(range(100_000))
    t = numbers.track  # type: ignore[attr-defined]
    record = t.record
    assert record.below_resolution
    assert record.duration_s == pytest.approx(t.duration_s)
    assert record.energy_j_low <= 0.6 * record.energy_j
    assert record.energy_j_high >= 1.9 * record.energy_j


def test_an_awaitable_generator_stays_one() -> None:
    import types

    @track(keep=False)
    @types.coroutine
    def nap() -> Generator[Any, Any, int]:
        yield
        return 5

    async def use() -> int:
        return await nap()

    assert asyncio.run(use()) == 5


# Tasks and threads


def test_async_blocks_coroutines_and_async_generators_are_measured(root: Path) -> None:
    @track
    async def fetch() -> str:
        """Fetches."""
        await asyncio.sleep(0.01)
        spend(root, 2.0)
        return "fetched"

    @track
    async def stream() -> AsyncGenerator[int, int]:
        try:
            got = 0
            while got < 2:
                await asyncio.sleep(0.001)
                spend(root, 1.0)
                got = yield got
        finally:
            spend(root, 0.5)

    async def main() -> None:
        async with track("block") as t:
            assert await fetch() == "fetched"
        assert machine_j(t) == pytest.approx(2.0)
        g = stream()
        assert await g.__anext__() == 0
        spend(root, 50.0)
        assert await g.asend(1) == 1
        with pytest.raises(StopAsyncIteration):
            await g.asend(2)
        g = stream()
        await g.__anext__()
        await g.aclose()
        g = stream()
        await g.__anext__()
        with pytest.raises(ZeroDivisionError):
            await g.athrow(ZeroDivisionError())

    assert inspect.iscoroutinefunction(fetch)
    assert inspect.isasyncgenfunction(stream)
    assert fetch.__doc__ == "Fetches."
    asyncio.run(main())
    runs = stream.track.runs  # type: ignore[attr-defined]
    assert [machine_j(run) for run in runs] == pytest.approx([2.5, 1.5, 1.5], rel=0.01)
    assert [run.record.status for run in runs] == ["ok", "ok", "error"]


def test_tasks_that_overlap_each_have_their_own_and_are_never_part_of_each_other(root: Path, tmp_path: Path) -> None:
    t = track("task")

    async def work(number: int) -> tuple[int, float | None]:
        async with t:
            await asyncio.sleep(0.05 + 0.001 * number)
        return number, t.duration_s

    async def main() -> None:
        done = await asyncio.gather(*(work(number) for number in range(20)))
        assert [number for number, _ in done] == list(range(20))
        cancelled = asyncio.create_task(work(1000))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    asyncio.run(main())
    assert len(t.runs) == 21
    assert not t.running
    forget()
    kept = rows(tmp_path / "home")
    assert len(kept) == 21
    assert [row["concurrent"] for row in kept] == [1] * 20 + [0]
    assert [row["status"] for row in kept] == ["ok"] * 20 + ["interrupted"]
    assert all(row["duration_s"] >= 0.05 for row in kept[:20])


def test_threads_in_numbers_each_have_their_own(root: Path, tmp_path: Path) -> None:
    results: list[CellRecord] = []

    def work(number: int) -> None:
        for _ in range(5):
            with track(f"thread {number}") as t:
                with track("inner"):
                    time.sleep(0.002)
                time.sleep(0.002)
            record = t.record
            assert record is not None
            results.append(record)

    with track("all") as everything:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        spend(root, 1.0)
        for thread in threads:
            thread.join()
    assert len(results) == 200
    assert machine_j(everything) == pytest.approx(1.0)
    forget()
    kept = rows(tmp_path / "home")
    assert len(kept) == 201
    assert {row["label"] for row in kept} == {f"thread {number}" for number in range(40)} | {"all"}
    assert all(row["concurrent"] for row in kept)
    (session,) = rows(tmp_path / "home", "sessions")
    # Cells that overlap are never summed: 40 threads at a time used what one session did.
    assert session["machine_energy_j"] < 0.2 * sum(row["machine_energy_j"] for row in kept)


# The process


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
        assert not samplers()
        call(); first = samplers()
        call(); call()
        assert len(first) == 1 and samplers() == first
        while threading.active_count() > 1:
            time.sleep(0.05)
        assert len(call.track.runs) == 4 and all(run.record.final for run in call.track.runs)
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
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from carbon_magic import track
        @track
        def square(x):
            with track("inner") as t:
                sum(range(20_000))
            assert t.energy_j is not None
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


# Sums of a generator's windows

positive = st.floats(0.001, 1e6)


@st.composite
def parts(draw: st.DrawFn) -> CellRecord:
    """A record in which the domains add up, with or without energy, with or without a GPU."""
    cpu, gpu, over = draw(positive), draw(st.none() | positive), draw(st.floats(1.0, 3.0))
    own = None if draw(st.integers(0, 5)) == 0 else cpu + (gpu or 0.0)
    known = own is not None
    return made(
        duration_s=draw(st.floats(1e-4, 100.0)),
        energy_j=own,
        energy_j_low=own / over if own is not None else None,
        energy_j_high=own * over if own is not None else None,
        marginal_energy_j=own / 2 if own is not None else None,
        idle_energy_j=own / 2 if own is not None else None,
        machine_energy_j=own * 2 if own is not None else None,
        machine_energy_j_low=own if own is not None else None,
        machine_energy_j_high=own * 4 if own is not None else None,
        cpu_energy_j=cpu if known else None,
        gpu_energy_j=gpu if known else None,
        dram_energy_j=None,
    )


@given(st.lists(parts(), min_size=1, max_size=8), st.floats(0.0, 500.0))
def test_a_sum_of_windows_is_a_record_like_any_other(pieces: list[CellRecord], active_s: float) -> None:
    known = [piece for piece in pieces if piece.energy_j is not None]
    total = added(pieces)
    assert total.duration_s == pytest.approx(sum(piece.duration_s for piece in pieces))
    if not known:
        assert total.energy_j is None
    for record in (total, stretched(total, active_s)):
        if record.energy_j is None:
            continue
        assert record.energy_j_low is not None
        assert record.energy_j_high is not None
        assert record.marginal_energy_j is not None
        assert record.machine_energy_j is not None
        assert 0.0 <= record.energy_j_low <= record.energy_j * (1 + 1e-9)
        assert record.energy_j <= record.energy_j_high * (1 + 1e-9)
        assert record.marginal_energy_j <= record.energy_j <= record.machine_energy_j
        assert (record.cpu_energy_j or 0.0) + (record.gpu_energy_j or 0.0) == pytest.approx(record.energy_j)
        mean_w = sum(p.energy_j for p in known if p.energy_j is not None) / sum(p.duration_s for p in known)
        assert record.energy_j / record.duration_s == pytest.approx(mean_w)
    if len(known) == len(pieces) and len(pieces) > 1:
        assert total.energy_j == pytest.approx(sum(piece.energy_j or 0.0 for piece in pieces))
    assert json.dumps(total.as_dict(), allow_nan=False)

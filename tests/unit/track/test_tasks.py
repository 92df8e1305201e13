"""`track` in tasks and threads that overlap."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from unit.track.work import DRAM_W, forget, machine_j, rows, spend

from carbon_magic import track
from carbon_magic.ledger.record import CellRecord


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


def test_one_that_is_stopped_after_the_one_around_it_is_recorded_too(root: Path, tmp_path: Path) -> None:
    first, second, third = track("first"), track("second"), track("third")
    with track("around"):
        first.start()
        spend(root, 1.0)
        second.start()
        third.start()
        spend(root, 2.0)
    spend(root, 4.0)
    first.stop()
    spend(root, 8.0)
    third.stop()
    second.stop()
    forget()
    kept = {row["label"]: row for row in rows(tmp_path / "home")}
    # `third` is part of `second`, and `second` of `first` until that ends.
    assert set(kept) == {"around", "first", "second"}
    assert all(row["concurrent"] == 1 and row["status"] == "ok" and row["final"] == 1 for row in kept.values())
    joules = {label: row["machine_energy_j"] - DRAM_W * row["duration_s"] for label, row in kept.items()}
    assert joules == {
        "around": pytest.approx(3.0),
        "first": pytest.approx(7.0),
        "second": pytest.approx(14.0),
    }
    (session,) = rows(tmp_path / "home", "sessions")
    assert session["cells"] == 3
    assert session["machine_energy_j"] - DRAM_W * session["duration_s"] == pytest.approx(15.0)


def test_one_that_is_not_to_be_kept_is_not_for_having_outlived_another(root: Path, tmp_path: Path) -> None:
    hidden = track("hidden", keep=False)
    with track("around"):
        hidden.start()
        spend(root, 1.0)
    spend(root, 1.0)
    hidden.stop()
    forget()
    assert [row["label"] for row in rows(tmp_path / "home")] == ["around"]

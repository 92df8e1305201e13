"""What `accuracy.py` runs in processes of their own: cells whose true borders and CPU seconds are noted.

Times are of the monotonic clock, energies in joules. Both tools measure the same bodies of cells; carbon-magic in
cells of an IPython, CodeCarbon as tasks.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import peer
import zeus_peer
from common import OURS, ZEUS, serve
from made_up import set_gpu
from work_overhead import EXTENSION, SETTLE_S, new_shell

Found = dict[str, Any]


def spin(duration_s: float) -> None:
    """Pure Python for so long."""
    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        pass


class Bodies:
    """The bodies of cells, by turns asleep and at work where `busy`, and their borders."""

    def __init__(self, busy: bool) -> None:
        self._busy = busy
        self.borders: list[tuple[float, float]] = []
        self.around: list[tuple[float, float]] = []
        """Borders of the cells as IPython runs them, its own work on them included."""

    def watch(self, shell: Any) -> None:
        """Note when IPython begins and ends cells from now on."""
        begun: list[float] = []
        shell.events.register("pre_run_cell", lambda info: begun.append(time.monotonic()))
        shell.events.register("post_run_cell", lambda result: self.around.append((begun[-1], time.monotonic())))

    def __call__(self, duration_s: float) -> None:
        work = spin if self._busy and len(self.borders) % 2 else time.sleep
        begun_s = time.monotonic()
        work(duration_s)
        self.borders.append((begun_s, time.monotonic()))


def pauses(count: int, longest_s: float, seed: int) -> list[float]:
    """Random pauses before cells, so that they begin anywhere between two looks of a tool."""
    chance = random.Random(seed)
    return [chance.uniform(0.0, longest_s) for _ in range(count)]


def load(body: Callable[..., None]) -> tuple[Any, float]:
    """A shell that knows `body` and has the extension, and when it had it; GPUs have been looked for since."""
    shell = new_shell()
    shell.user_ns["body"] = body
    shell.run_cell("pass", store_history=True)
    if isinstance(body, Bodies):
        body.watch(shell)
    shell.run_line_magic("load_ext", EXTENSION)
    loaded_s = time.monotonic()
    time.sleep(0.5)
    return shell, loaded_s


def records(count: int) -> list[Any]:
    """The latest `count` records, all of them final."""
    from carbon_magic.session import current

    session = current()
    assert session is not None
    if not session.settle(SETTLE_S):
        raise RuntimeError("cells were not settled")
    found = session.snapshot()
    if found.problems or len(found.records) < count:
        raise RuntimeError(f"{len(found.records)} of {count} cells were recorded: {found.problems}")
    return list(found.records[-count:])


def _measured(side: str, durations: Sequence[float], before_s: Sequence[float], body: Bodies) -> list[Found]:
    """Run the cells with a tool and give each one's duration, true borders and figures."""
    if side == OURS:
        shell, _ = load(body)
        return _in_cells(shell, durations, before_s, body)
    if side == ZEUS:
        return _by_zeus(durations, before_s, body)
    tracker = peer.new_tracker()
    figures = []
    for number, (duration_s, pause_s) in enumerate(zip(durations, before_s, strict=True)):
        time.sleep(pause_s)
        tracker.start_task(f"cell {number}")
        body(duration_s)
        told = tracker.stop_task()
        figures.append({"energy_j": told.cpu_energy * peer.J_PER_KWH, "gpu_j": told.gpu_energy * peer.J_PER_KWH})
    if "RAPL" not in peer.what_it_reads(tracker):
        raise RuntimeError("CodeCarbon does not see RAPL")
    return _found(durations, body.borders, figures)


def _by_zeus(durations: Sequence[float], before_s: Sequence[float], body: Bodies) -> list[Found]:
    """Each cell in a window of its own."""
    monitor = zeus_peer.new_monitor()
    figures = []
    for duration_s, pause_s in zip(durations, before_s, strict=True):
        time.sleep(pause_s)
        monitor.begin_window("cell", sync_execution=False)
        body(duration_s)
        figures.append({"energy_j": zeus_peer.joules_of(monitor, "cell")})
    zeus_peer.end()
    return _found(durations, body.borders, figures)


def _in_cells(shell: Any, durations: Sequence[float], before_s: Sequence[float], body: Bodies) -> list[Found]:
    for duration_s, pause_s in zip(durations, before_s, strict=True):
        time.sleep(pause_s)
        shell.run_cell(f"body({duration_s})", store_history=True).raise_error()
    figures = [
        {
            "energy_j": record.machine_energy_j,
            "low_j": record.machine_energy_j_low,
            "high_j": record.machine_energy_j_high,
            "gpu_j": record.gpu_energy_j,
        }
        for record in records(len(durations))
    ]
    inner_s = [ends_s - begins_s for begins_s, ends_s in body.borders]
    found = _found(durations, body.around, figures)
    return [
        {**one, "around_s": one["to_s"] - one["from_s"] - part_s} for one, part_s in zip(found, inner_s, strict=True)
    ]


def _found(durations: Sequence[float], borders: Sequence[tuple[float, float]], figures: Sequence[Found]) -> list[Found]:
    return [
        {"duration_s": duration_s, "from_s": from_s, "to_s": to_s, **figure}
        for duration_s, (from_s, to_s), figure in zip(durations, borders, figures, strict=True)
    ]


def cells(side: str, durations: list[float], seed: int, busy: bool) -> list[Found]:
    """The machine's energy in each cell."""
    random.Random(seed).shuffle(durations)
    return _measured(side, durations, pauses(len(durations), 0.06, seed), Bodies(busy))


def gpu(side: str, state: str, steps: list[tuple[float, float]], start_s: float, durations: list[float]) -> list[Found]:
    """The GPU's energy in each cell; this process is the one that uses the GPU."""
    set_gpu(Path(state), steps, start_s, os.getpid())
    return _measured(side, durations, pauses(len(durations), 1.0, round(start_s * 1e3)), Bodies(False))


def session(side: str, durations: list[float], seed: int) -> Found:
    """The machine's energy over a session of mixed cells, from its first reading, within its start, to its last."""
    random.Random(seed).shuffle(durations)
    before_s = pauses(len(durations), 0.5, seed)
    body = Bodies(True)
    if side == OURS:
        shell, begun_s = load(body)
        found = _in_cells(shell, durations, before_s, body)
        from carbon_magic.session import current

        now = current()
        assert now is not None
        assert now.sampler is not None
        asked_s = time.monotonic()
        total, ticks = now.snapshot().machine_energy_j, now.sampler.timeline.ticks.times
        for _ in range(20):  # a snapshot waits for a reading only so long
            if ticks[-1] < asked_s:
                total, ticks = now.snapshot().machine_energy_j, now.sampler.timeline.ticks.times
        if ticks[0] > begun_s or ticks[-1] < asked_s or total is None:
            raise RuntimeError("the session was not read from its beginning to its end")
        return {"energy_j": total.best, "from_s": ticks[0], "to_s": ticks[-1], "cells": found}
    if side == ZEUS:
        monitor = zeus_peer.new_monitor()
        begun_s = time.monotonic()
        monitor.begin_window("session", sync_execution=False)
        for duration_s, pause_s in zip(durations, before_s, strict=True):
            time.sleep(pause_s)
            body(duration_s)
        ended_s = time.monotonic()
        energy_j = zeus_peer.joules_of(monitor, "session")
        zeus_peer.end()
        return {"energy_j": energy_j, "from_s": begun_s, "to_s": ended_s, "cells": []}
    tracker = peer.new_tracker()
    tracker.start()
    begun_s = time.monotonic()
    if "RAPL" not in peer.what_it_reads(tracker):
        raise RuntimeError("CodeCarbon does not see RAPL")
    for duration_s, pause_s in zip(durations, before_s, strict=True):
        time.sleep(pause_s)
        body(duration_s)
    ended_s = time.monotonic()
    tracker.stop()
    energy_j = tracker.final_emissions_data.cpu_energy * peer.J_PER_KWH
    return {"energy_j": energy_j, "from_s": begun_s, "to_s": ended_s, "cells": []}


def _tree_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def _busy_s() -> float:
    """CPU seconds of the whole machine: user, nice, system, irq and softirq."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:8]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _whole(duration_s: float) -> None:
    spin(duration_s)


def _half(duration_s: float) -> None:
    """Work and rest by turns of 20 ms."""
    until_s = time.monotonic() + duration_s
    while time.monotonic() < until_s:
        spin(0.02)
        time.sleep(0.02)


def _children(duration_s: float) -> None:
    """One child after the other, each alive for some tens of milliseconds."""
    until_s = time.monotonic() + duration_s
    loop = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"
    while time.monotonic() < until_s:
        subprocess.run(["/bin/sh", "-c", loop], check=True)


WORKS: dict[str, Callable[[float], None]] = {"whole": _whole, "half": _half, "children": _children}


def share(side: str, work: str, start_s: float, duration_s: float, earlier: bool) -> Found:
    """One cell that begins at a time; what it was told to have used, and what it truly used.

    With `earlier` the kernel has run a cell before, so that it may have counted its neighbours already.
    """
    noted: Found = {}

    def body() -> None:
        begun_s, tree_s, busy_s = time.monotonic(), _tree_s(), _busy_s()
        WORKS[work](duration_s)
        noted.update(from_s=begun_s, cpu_s=_tree_s() - tree_s, busy_s=_busy_s() - busy_s, to_s=time.monotonic())

    if side == OURS:
        shell, _ = load(body)
        if earlier:
            shell.run_cell("pass", store_history=True)
            records(1)
        time.sleep(max(0.0, start_s - time.monotonic()))
        shell.run_cell("body()", store_history=True).raise_error()
        (record,) = records(1)
        told = {"share": record.share, "told_cpu_s": record.cpu_seconds, "energy_j": record.energy_j}
        return {**noted, **told, "marginal_j": record.marginal_energy_j, "machine_j": record.machine_energy_j}
    tracker = peer.new_tracker(tracking_mode="process")
    tracker.start_task("warm")
    tracker.stop_task()
    time.sleep(max(0.0, start_s - time.monotonic()))
    tracker.start_task("cell")
    body()
    data = tracker.stop_task()
    return {**noted, "energy_j": data.cpu_energy * peer.J_PER_KWH}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    serve([cells, gpu, session, share])

"""What `overhead.py` runs in processes of their own."""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import peer
from common import OURS, serve

EXTENSION = "carbon_magic"
SETTLE_S = 30.0
PIECE = 20_000
"""Rounds of the loop in one piece of work: about 1 to 2 ms."""
AROUND = 20
"""A piece is compared with so many before and after it."""


def new_shell() -> Any:
    """An IPython with all that a kernel has imported, whose history stays in memory."""
    import ipykernel.ipkernel
    import ipykernel.zmqshell  # noqa: F401 - a kernel has it
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    return InteractiveShell.instance(config=config)


def _run(shell: Any, code: str) -> None:
    result = shell.run_cell(code, store_history=True)
    result.raise_error()


def cell(side: str, blocks: int, cells: int) -> dict[str, list[float]]:
    """Seconds that tracking adds to an empty cell, by block: delay, and CPU of all threads until it is settled."""
    shell = new_shell()
    tracker = None if side == OURS else _warm_tracker()

    def plain() -> None:
        for _ in range(cells):
            shell.run_cell("pass", store_history=True)

    def tracked() -> None:
        for number in range(cells):
            tracker.start_task(f"{time.monotonic_ns()}-{number}")
            shell.run_cell("pass", store_history=True)
            tracker.stop_task()

    def timed(work: Callable[[], None]) -> float:
        begun_s = time.perf_counter()
        work()
        return time.perf_counter() - begun_s

    plain()
    delays, used = [], []
    for _ in range(blocks):
        cpu_s = time.process_time()
        without_s = timed(plain)
        without_cpu_s = time.process_time() - cpu_s
        if side == OURS:
            shell.run_line_magic("load_ext", EXTENSION)
            _wait_for_sensors()
            cpu_s = time.process_time()
            with_s = timed(plain)
            _settle()
            with_cpu_s = time.process_time() - cpu_s
            shell.run_line_magic("unload_ext", EXTENSION)
        else:
            cpu_s = time.process_time()
            with_s = timed(tracked)
            with_cpu_s = time.process_time() - cpu_s
        delays.append((with_s - without_s) / cells)
        used.append((with_cpu_s - without_cpu_s) / cells)
    return {"delay_s": delays, "cpu_s": used}


def _warm_tracker() -> Any:
    """CodeCarbon loads much with its first task: that is told by the first use, not by each cell."""
    tracker = peer.new_tracker()
    tracker.start_task("warm")
    tracker.stop_task()
    wanted = {"RAPL", "GPU"} if os.environ.get("NVML_STUB_STATE") else {"RAPL"}
    if missing := wanted - set(peer.what_it_reads(tracker)):
        raise RuntimeError(f"CodeCarbon does not see {', '.join(missing)}")
    return tracker


def _wait_for_sensors() -> None:
    """Until the sampler has looked for GPUs, and its first ticks are over."""
    from carbon_magic.session import current

    session = current()
    assert session is not None
    session.snapshot()
    session.snapshot()
    sampler = session.sampler
    assert sampler is not None
    if os.environ.get("CARBON_MAGIC_NVML") and not any(c.sensor.domain == "gpu" for c in sampler.working()):
        raise RuntimeError("carbon-magic does not see the GPU")


def _settle() -> None:
    from carbon_magic.session import current

    session = current()
    assert session is not None
    if not session.settle(SETTLE_S) or session.snapshot().problems:
        raise RuntimeError(f"cells were not settled: {session.snapshot().problems}")


def day(root: str, hours: float, cells: int) -> float:
    """MiB that a session has added after so many hours with a tick every second, on a clock that runs at once."""
    import psutil
    from made_up import joules, write_machine

    shell = new_shell()
    energy = os.open(write_machine(Path(root)), os.O_WRONLY)
    os.environ["CARBON_MAGIC_ROOT"] = root
    clock = SimpleNamespace(now_s=time.monotonic())
    for _ in range(200):
        _run(shell, "pass")
    gc.collect()
    memory = psutil.Process().memory_full_info
    before = memory().uss
    time.monotonic = lambda: clock.now_s  # the package is imported below and so knows no other clock

    from carbon_magic.power.sampler import Sampler

    start = Sampler.start
    # No thread: every tick is made below.
    Sampler.start = lambda sampler, **_: start(sampler, threaded=False)  # type: ignore[method-assign]
    shell.run_line_magic("load_ext", EXTENSION)
    from carbon_magic.session import current

    session = current()
    assert session is not None
    start_s, seconds = clock.now_s, int(hours * 3600)
    each_s = max(4, seconds // cells)
    info = SimpleNamespace(silent=False, store_history=True, raw_cell="pass", cell_id=None)
    made = 0
    for second in range(1, seconds + 1):
        clock.now_s = start_s + second
        os.pwrite(energy, b"%018d\n" % int(1e6 * joules(0.0, second)), 0)
        phase = second % each_s
        if phase == 1:
            info = SimpleNamespace(silent=False, store_history=True, raw_cell="pass", cell_id=f"cell-{made}")
            session.cells.pre_run_cell(info, made + 1)
        elif phase == each_s // 2:
            made += 1
            done = SimpleNamespace(info=info, execution_count=made, error_before_exec=None, error_in_exec=None)
            session.cells.post_run_cell(done)
        sampler = session.sampler
        assert sampler is not None
        sampler.tick()
    found = session.snapshot()
    if found.problems or len(found.records) < min(made, 5000) - 1:
        raise RuntimeError(f"{len(found.records)} of {made} cells were recorded: {found.problems}")
    gc.collect()
    return float(memory().uss - before) / 2**20


def lost(side: str, rounds: int, seconds: int) -> dict[str, list[float]]:
    """The part of each second, in percent, that a busy cell of pure Python loses, untracked and tracked.

    The cell does the same small piece of work over and over. What a piece takes longer than most of those around it
    was lost, to a look of the sampler or to something else on the machine; the speed of the processor, which changes
    by more than is looked for here, is the same for neighbours.
    """
    shell = new_shell()
    stamps: list[float] = []

    def work(duration_s: float) -> None:
        stamps.clear()
        until_s = time.perf_counter() + duration_s
        now_s = 0.0
        while now_s < until_s:
            total = 0
            for number in range(PIECE):
                total += number * number % 7
            now_s = time.perf_counter()
            stamps.append(now_s)

    shell.user_ns["work"] = work

    def losses() -> list[float]:
        _run(shell, f"work({seconds + 0.1})")
        return _losses(stamps)

    def tracked() -> list[float]:
        if side == OURS:
            shell.run_line_magic("load_ext", EXTENSION)
            _wait_for_sensors()
            found = losses()
            shell.run_line_magic("unload_ext", EXTENSION)
            return found
        tracker = peer.new_tracker(measure_power_secs=1)
        tracker.start()
        found = losses()
        tracker.stop()
        return found

    found: dict[str, list[float]] = {"untracked": [], "tracked": []}
    for number in range(rounds):
        turns = [("untracked", losses), ("tracked", tracked)]
        for what, measure in turns if number % 2 else turns[::-1]:
            found[what] += measure()
    return found


def _losses(stamps: list[float]) -> list[float]:
    """Percent lost in each whole second, from the ends of equal pieces of work."""
    took_s = [after - before for before, after in itertools.pairwise(stamps)]
    seconds: dict[int, list[float]] = {}
    for index, piece_s in enumerate(took_s):
        around = took_s[max(0, index - AROUND) : index + AROUND + 1]
        which = int(stamps[index + 1] - stamps[0])
        seconds.setdefault(which, []).append(piece_s - statistics.median(around))
    last = max(seconds)
    return [100.0 * sum(extra) for second, extra in seconds.items() if second < last]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    serve([cell, day, lost])

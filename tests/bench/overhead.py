"""What tracking costs: time, memory and background CPU, beside CodeCarbon 3.3.2."""

from __future__ import annotations

import sys
import tempfile
import time

from common import OURS, THEIRS, Figure, Report, Row, Work, difference, main, peer_or_reason
from kernels import Kernel
from made_up import MadeUpMachine, memory_folder

SCRIPT = "work_overhead.py"
LOAD = "get_ipython().run_line_magic('load_ext', 'carbon_magic')"
TRACK = (
    "from codecarbon import OfflineEmissionsTracker\n"
    "tracker = OfflineEmissionsTracker(country_iso_code='FRA', output_methods=[], log_level='critical'{options})\n"
    "tracker.start()"
)
SECOND_LATER_S = 1.5
"""Memory is looked at when the first tick is over."""
QUIET_S = 4.0
"""After the last cell both tools go on for a moment; only then the kernel counts as idle."""


def sides() -> list[str]:
    return [OURS] if peer_or_reason() else [OURS, THEIRS]


def theirs(values: list[float]) -> Figure | str:
    return Figure(tuple(values)) if values else str(peer_or_reason())


def _load(side: str, options: str = "") -> str:
    return LOAD if side == OURS else TRACK.format(options=options)


def first(report: Report, quick: bool) -> None:
    """First use in a fresh kernel, and the memory that it adds."""
    took: dict[str, list[float]] = {OURS: [], THEIRS: []}
    added: dict[str, list[float]] = {OURS: [], THEIRS: []}
    # The first of each is not counted: it compiles modules and fills the file cache.
    for number in range((1 if quick else 7) + 1):
        for side in sides():
            if quick and side == THEIRS and not number:
                continue
            kernel = Kernel()
            try:
                time.sleep(0.3)
                before_mib = kernel.memory_mib()
                code = f"_begun = time.perf_counter()\n{_load(side)}\n_ms = (time.perf_counter() - _begun) * 1e3"
                first_ms = float(kernel.run(code, "_ms"))
                time.sleep(SECOND_LATER_S)
                kernel.run("1 + 1")
                if number:
                    took[side].append(first_ms)
                    added[side].append(kernel.memory_mib() - before_mib)
            finally:
                kernel.close()
    what = "first use in a fresh kernel, ready to track"
    report.rows.append(Row(what, "≤ 30 ms", 30.0, "ms", Figure(tuple(took[OURS])), theirs(took[THEIRS])))
    report.rows.append(
        Row("memory added by it", "≤ 6 MiB", 6.0, "MiB", Figure(tuple(added[OURS])), theirs(added[THEIRS]))
    )


def day(report: Report, quick: bool) -> None:
    """Memory after a day of ticks and cells."""
    hours = 2.4 if quick else 24.0
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        added = Work(SCRIPT, "day", root=f"{folder}/root", hours=hours, cells=round(2000 * hours / 24)).result()
    what = f"memory added after {hours:g} h, a tick every second, {round(2000 * hours / 24)} cells"
    report.rows.append(Row(what, "≤ 10 MiB", 10.0, "MiB", Figure((added,)), "not tried"))


def cell(report: Report, quick: bool) -> None:
    """What is added to an empty cell, on the made-up desktop with RAPL, without and with a GPU."""
    with MadeUpMachine() as machine:
        for with_gpu, limit in ((False, 0.1), (True, 0.2)):
            delay: dict[str, list[float]] = {OURS: [], THEIRS: []}
            cpu: dict[str, list[float]] = {OURS: [], THEIRS: []}
            for _ in range(1 if quick else 5):
                for side in sides():
                    where = machine.with_gpu(machine.new_gpu()) if with_gpu else machine.environment()
                    cells = 200 if side == OURS else 100
                    found = Work(SCRIPT, "cell", where, side=side, blocks=4 if quick else 8, cells=cells).result()
                    delay[side] += [1e3 * value for value in found["delay_s"]]
                    cpu[side] += [1e3 * value for value in found["cpu_s"]]
            name = f"added per cell, RAPL{' and GPU' if with_gpu else ''}"
            ours, budget = Figure(tuple(delay[OURS])), f"≤ {limit:g} ms"
            report.rows.append(Row(f"{name}: delay", budget, limit, "ms", ours, theirs(delay[THEIRS])))
            ours = Figure(tuple(cpu[OURS]))
            report.rows.append(Row(f"{name}: CPU of all threads", "", None, "ms", ours, theirs(cpu[THEIRS])))


def background(report: Report, quick: bool) -> None:
    """CPU seconds a minute of real kernels that idle and that run a cell which sleeps, less those of untracked ones."""
    window_s = 5.0 if quick else 60.0
    rounds = 1 if quick else 3
    kernels: list[tuple[str, bool, Kernel]] = []
    try:
        for _ in range(rounds):
            for side in ("none", *sides()):
                for busy in (False, True):
                    kernel = Kernel()
                    kernels.append((side, busy, kernel))
                    if side != "none":
                        # While a cell runs, both look once a second; at rest each does as it does by itself.
                        kernel.run(_load(side, ", measure_power_secs=1" if busy else ""))
        for _, busy, kernel in kernels:
            if busy:
                kernel.begin(f"time.sleep({window_s + QUIET_S + 10})")
        time.sleep(QUIET_S)
        begun = [(time.monotonic(), kernel.cpu_s()) for _, _, kernel in kernels]
        time.sleep(window_s)
        used: dict[tuple[str, bool], list[float]] = {}
        for (side, busy, kernel), (begun_s, cpu_s) in zip(kernels, begun, strict=True):
            per_minute = 60.0 * (kernel.cpu_s() - cpu_s) / (time.monotonic() - begun_s)
            used.setdefault((side, busy), []).append(per_minute)
    finally:
        for _, _, kernel in kernels:
            kernel.close()
    for busy, what, limit in (
        (False, "background CPU a minute, kernel idle", 0.03),
        (True, "background CPU a minute, a cell runs (a look a second)", 0.3),
    ):
        alone = Figure(tuple(used["none", busy])).median
        ours = Figure(tuple(value - alone for value in used[OURS, busy]))
        other = theirs([value - alone for value in used.get((THEIRS, busy), [])])
        report.rows.append(Row(what, f"≤ {limit:g} s", limit, "s", ours, other))


def lost(report: Report, quick: bool) -> None:
    """How much of its time pure Python loses in a tracked cell."""
    found: dict[str, Figure] = {}
    for side in sides():
        seconds = Work(SCRIPT, "lost", side=side, rounds=1 if quick else 6, seconds=2 if quick else 5).result()
        found[side] = difference(seconds["tracked"], seconds["untracked"])
    what = "pure Python in a cell takes longer by (a look a second)"
    other = found.get(THEIRS, str(peer_or_reason()))
    report.rows.append(Row(what, "≤ 0.5 %", 0.5, "%", found[OURS], other))


GROUPS = {"first": first, "day": day, "cell": cell, "background": background, "lost": lost}

if __name__ == "__main__":
    sys.exit(main("What tracking costs", __doc__ or "", GROUPS))

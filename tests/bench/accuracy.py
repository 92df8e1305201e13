"""How right the figures are: on a machine whose true energy is known, beside CodeCarbon 3.3.2 and Zeus 0.16.0."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import zeus_peer
from common import OURS, THEIRS, ZEUS, Figure, NotMeasuredError, Report, Row, Work, main, peer_or_reason
from made_up import MadeUpMachine, gpu_joules, gpu_steps

SCRIPT = "work_accuracy.py"
START_S = 5.0
"""Cells that have to begin together begin so long after the first of their kernels is started."""
LATER_S = 2.2
"""The second kernel is started so long after the first, which has run a cell by then."""
SHORT = {0.005: 20, 0.02: 30, 0.1: 20, 1.0: 5}
"""Cells by their duration in seconds: how many in one process."""
SHORT_QUICK = {0.005: 10, 0.02: 15, 0.1: 10, 1.0: 1}
LIMITS = {0.02: ("≤ 10 %", 10.0), 0.1: ("≤ 2 %", 2.0), 1.0: ("≤ 2 %", 2.0), 5.0: ("≤ 2 %", 2.0), 60.0: ("≤ 2 %", 2.0)}
Found = dict[str, Any]
Truth = Callable[[Found], float]


def sides() -> list[str]:
    return [OURS] if peer_or_reason() else [OURS, THEIRS]


def with_zeus() -> list[str]:
    """The sides, Zeus among them where it is installed. Its figures stand in notes under the table."""
    return sides() if zeus_peer.missing() else [*sides(), ZEUS]


def off(found: float, true: float) -> float:
    """How far a figure is from the truth, in percent of it."""
    return 100.0 * abs(found - true) / true


def _errors(found: Iterable[Found], figure: str, truth: Truth) -> Figure | None:
    """Errors of a figure, or None where nothing was measured."""
    errors = tuple(off(one[figure], truth(one)) for one in found)
    return Figure(errors, judged="worst") if errors else None


def _row(what: str, budget: str, limit: float | None, ours: Figure | None, theirs: Figure | None) -> Row:
    if ours is None:
        raise NotMeasuredError(f"{what}: nothing was measured")
    return Row(what, budget, limit, "%", ours, theirs or str(peer_or_reason() or "not told"))


def _cell_rows(report: Report, truth: Truth, found: dict[str, list[Found]]) -> None:
    """A row for each duration of cells."""
    for duration_s in sorted({one["duration_s"] for one in found[OURS]}):
        budget, limit = LIMITS.get(duration_s, ("", None))
        name = f"{duration_s * 1e3:g} ms" if duration_s < 1.0 else f"{duration_s:g} s"
        count = sum(one["duration_s"] == duration_s for one in found[OURS])
        ours, theirs = (
            _errors([one for one in found[side] if one["duration_s"] == duration_s], "energy_j", truth)
            for side in (OURS, THEIRS)
        )
        what = f"machine energy of a cell of {name} ({count} cell{'s' if count > 1 else ''}), off by"
        report.rows.append(_row(what, budget, limit, ours, theirs))


def _zeus_note(report: Report, what: str, found: Sequence[Found], truth: Truth) -> None:
    missing = zeus_peer.missing()
    errors = _errors(found, "energy_j", truth)
    said = f"{missing}, so not compared" if missing else errors.text("%") if errors else "nothing was measured"
    report.notes.append(f"{zeus_peer.NAME} {zeus_peer.VERSION}, {what}: {said}")


def _range_note(report: Report, truth: Truth, found: Sequence[Found]) -> None:
    inside = [one["low_j"] <= truth(one) <= one["high_j"] for one in found]
    extra_ms = statistics.median(1e3 * one["around_s"] for one in found)
    report.notes.append(
        f"IPython's own work on a cell, which carbon-magic counts with the cell and CodeCarbon's tasks leave out, took "
        f"{extra_ms:.2f} ms in the median"
    )
    report.notes.append(f"the true energy lay between low and high in {sum(inside)} of {len(inside)} cells")


def cells(report: Report, quick: bool) -> None:
    """Short cells, at work and asleep by turns."""
    found: dict[str, list[Found]] = {OURS: [], THEIRS: [], ZEUS: []}
    with MadeUpMachine() as machine:
        counts = SHORT_QUICK if quick else SHORT
        durations = [duration_s for duration_s, count in counts.items() for _ in range(count)]
        for number in range(1 if quick else 3):
            for side in with_zeus():
                options = {"durations": durations, "seed": number, "busy": True}
                found[side] += Work(SCRIPT, "cells", machine.environment(), side=side, **options).result()
        true = _truth(machine)
    _cell_rows(report, true, found)
    _range_note(report, true, found[OURS])
    for duration_s in counts:
        cells_of_zeus = [one for one in found[ZEUS] if one["duration_s"] == duration_s]
        _zeus_note(report, f"machine energy of a cell of {duration_s:g} s, off by", cells_of_zeus, true)
    _late_note(report, machine)


def long(report: Report, quick: bool) -> None:
    """A session of mixed cells with long ones in it, and cells on a GPU, all at the same time, as all mostly sleep."""
    lengths = [5.0, *([1.0] * 2), *([0.1] * 15)] if quick else [60.0, *([5.0] * 5), *([1.0] * 10), *([0.1] * 60)]
    long_ones = [duration_s for duration_s in lengths if duration_s >= 5.0]
    on_gpu = [5.3, 6.1] if quick else [5.3, 7.1, 5.0, 9.7, 6.4]
    steps = gpu_steps(seed=1)
    with MadeUpMachine() as machine:
        start_s = time.monotonic() + 1.0
        working: list[tuple[str, str, Work]] = []
        if not zeus_peer.missing():
            work = Work(SCRIPT, "session", machine.environment(), side=ZEUS, durations=lengths, seed=1)
            working.append(("session", ZEUS, work))
        for side in sides():
            state = machine.new_gpu(steps)
            options = {"state": str(state), "steps": steps, "start_s": start_s, "durations": on_gpu}
            working.append(("gpu", side, Work(SCRIPT, "gpu", machine.with_gpu(state), side=side, **options)))
            work = Work(SCRIPT, "session", machine.environment(), side=side, durations=lengths, seed=1)
            working.append(("session", side, work))
            if side == THEIRS:  # its tasks would interfere with the session around them
                work = Work(SCRIPT, "cells", machine.environment(), side=side, durations=long_ones, seed=1, busy=False)
                working.append(("long", side, work))
        found = {(what, side): work.result() for what, side, work in working}
        true = _truth(machine)
    mine = found["session", OURS]
    cells_of_mine = [one for one in mine["cells"] if one["duration_s"] >= 5.0]
    _cell_rows(report, true, {OURS: cells_of_mine, THEIRS: found.get(("long", THEIRS), [])})

    def on_the_gpu(one: Found) -> float:
        return gpu_joules(steps, one["from_s"] - start_s, one["to_s"] - start_s)

    ours, theirs = (_errors(found.get(("gpu", side), []), "gpu_j", on_the_gpu) for side in (OURS, THEIRS))
    what = f"GPU energy of a cell of 5 to 10 s ({len(on_gpu)} cells), off by"
    report.rows.append(_row(what, "≤ 5 %", 5.0, ours, theirs))
    lasted_s = mine["to_s"] - mine["from_s"]
    ours, theirs = (
        _errors([found["session", side]] if ("session", side) in found else [], "energy_j", true)
        for side in (OURS, THEIRS)
    )
    what = f"energy of a session of {lasted_s:.0f} s, off by"
    _zeus_note(report, what, [found["session", ZEUS]] if ("session", ZEUS) in found else [], true)
    report.rows.append(_row(what, "≤ 0.1 %", 0.1, ours, theirs))
    _late_note(report, machine)


def share(report: Report, quick: bool) -> None:
    """Two kernels that compete for the processors, and one whose cell starts children that soon end."""
    duration_s = 2.5 if quick else 6.0
    shares: dict[str, list[float]] = {OURS: [], THEIRS: []}
    sums: dict[str, list[float]] = {OURS: [], THEIRS: []}
    childrens: list[float] = []
    with MadeUpMachine() as machine:
        for _ in range(1 if quick else 3):
            for side in sides():
                both = machine.environment()
                options = {"start_s": time.monotonic() + START_S, "duration_s": duration_s}
                works = [Work(SCRIPT, "share", both, side=side, work="whole", earlier=True, **options)]
                time.sleep(LATER_S)
                works += [Work(SCRIPT, "share", both, side=side, work="half", earlier=False, **options)]
                found = [work.result() for work in works]
                true_shares = [one["cpu_s"] / one["busy_s"] for one in found]
                machines = [machine.truth_j(one["from_s"], one["to_s"]) for one in found]
                parts = [one["energy_j"] / machine_j for one, machine_j in zip(found, machines, strict=True)]
                told = [one["share"] for one in found] if side == OURS else parts
                shares[side] += [off(said, true) for said, true in zip(told, true_shares, strict=True)]
                sums[side].append(100.0 * sum(parts))
            start_s = time.monotonic() + 2.0
            options = {"start_s": start_s, "duration_s": duration_s / 2}
            alone = Work(
                SCRIPT, "share", machine.environment(), side=OURS, work="children", earlier=False, **options
            ).result()
            childrens.append(off(alone["told_cpu_s"], alone["cpu_s"]))
    ours, theirs = (Figure(tuple(shares[side]), judged="worst") if shares[side] else None for side in (OURS, THEIRS))
    report.rows.append(_row("share of each of two kernels that compete, off by", "≤ 5 %", 5.0, ours, theirs))
    ours, theirs = (Figure(tuple(sums[side]), judged="worst") if sums[side] else None for side in (OURS, THEIRS))
    report.rows.append(_row("energy of both together, of the machine's", "≤ 100 %", 100.0, ours, theirs))
    what = "CPU seconds of a cell that starts short-lived children, off by"
    report.rows.append(_row(what, "≤ 5 %", 5.0, Figure(tuple(childrens), judged="worst"), None))


def _truth(machine: MadeUpMachine) -> Truth:
    return lambda one: machine.truth_j(one["from_s"], one["to_s"])


def _late_note(report: Report, machine: MadeUpMachine) -> None:
    if machine.late_ms is not None:
        most, latest = machine.late_ms
        report.notes.append(
            f"the made-up counter was at most {most:g} ms late in 99 % of its writes, {latest:g} ms in all"
        )


GROUPS = {"cells": cells, "long": long, "share": share}

if __name__ == "__main__":
    sys.exit(main("How right the figures are", __doc__ or "", GROUPS))

"""What both benchmarks share: fresh processes to measure in, figures with their spread, and the table.

Every figure is taken several times, in processes that begin anew, carbon-magic and CodeCarbon by turns, so that what
the machine does besides hits both alike. The table holds medians; the spread beside them is from the least to the most.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import peer

HERE = Path(__file__).resolve().parent
OURS, THEIRS, ZEUS = "ours", "theirs", "zeus"


class NotMeasuredError(Exception):
    """Something could not be measured; the message says what and why."""


@dataclass(frozen=True)
class Figure:
    """One quantity, measured several times. `judged` is what the budget is held against, the median or the worst."""

    values: tuple[float, ...]
    judged: str = "median"
    interval: tuple[float, float] | None = None
    """In place of the spread: where the figure lies with 95 % confidence."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def held(self) -> float:
        return self.median if self.judged == "median" else max(self.values)

    def text(self, unit: str) -> str:
        """The median with its spread, as it stands in the table."""
        median = f"{_number(self.median)} {unit}"
        if self.interval is not None:
            return f"{median} (95 %: {_number(self.interval[0])} to {_number(self.interval[1])})"
        if len(self.values) == 1:
            return median
        if self.judged == "worst":
            return f"{median} (worst {_number(max(self.values))})"
        return f"{median} ({_number(min(self.values))} to {_number(max(self.values))})"


@dataclass(frozen=True)
class Row:
    """One line of the table. Where `theirs` is text, it says why there is no figure."""

    what: str
    budget: str
    limit: float | None
    """What `ours` may be at most; None for a figure that is told only."""
    unit: str
    ours: Figure
    theirs: Figure | str

    @property
    def over(self) -> bool:
        return self.limit is not None and self.ours.held > self.limit

    def cells(self) -> list[str]:
        ours = self.ours.text(self.unit) + (" **over**" if self.over else "")
        if isinstance(self.theirs, str):
            return [self.what, self.budget, ours, self.theirs, ""]
        ratio = self.theirs.median / self.ours.median if self.ours.median > 0.0 else math.inf
        shown = f"{_number(ratio)} ×" if 0.0 < ratio < math.inf else ""
        return [self.what, self.budget, ours, self.theirs.text(self.unit), shown]

    def as_dict(self) -> dict[str, Any]:
        kept = {name: value for name, value in asdict(self).items() if name not in ("ours", "theirs")}
        theirs = self.theirs if isinstance(self.theirs, str) else _as_dict(self.theirs)
        return {**kept, "over": self.over, "ours": _as_dict(self.ours), "theirs": theirs}


def _as_dict(figure: Figure) -> dict[str, Any]:
    return {"median": figure.median, "held": figure.held, **asdict(figure)}


def _number(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    rounded = f"{value:,.{min(digits, 4)}f}"
    return rounded.rstrip("0").rstrip(".") if "." in rounded else rounded


def peer_or_reason() -> str | None:
    """None where CodeCarbon can be measured, else the reason why not, for the table."""
    found = peer.installed_version()
    if found is None:
        return "not installed"
    return None if found == peer.VERSION else f"{found} is installed"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a fresh process: compiled modules are kept as a user's are, settings of ours are not."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONPATH")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith(("CARBON_MAGIC_", "CODECARBON_"))
    }
    return {**kept, "IPYTHONDIR": _ipython_folder().name, **(extra or {})}


@cache
def _ipython_folder() -> TemporaryDirectory[str]:
    """IPython's folder of all fresh processes: nobody's settings are read, and nobody's history is written."""
    return TemporaryDirectory(prefix="carbon-magic-bench-")


class Work:
    """A function of a worker script, running in a process of its own; `result` waits for what it gives."""

    def __init__(self, script: str, task: str, extra: Mapping[str, str] | None = None, **options: Any) -> None:
        self._what = f"{task} {options.get('side', '')}".strip()
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / script), task, json.dumps(options)],
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self, timeout_s: float = 300.0) -> Any:
        """What the function gave.

        Raises:
            NotMeasuredError: it failed, or took too long.
        """
        try:
            out, err = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise NotMeasuredError(f"{self._what}: no answer in {timeout_s:g} s") from None
        lines = out.splitlines()
        if self._process.returncode or not lines:
            said = err.strip().splitlines() or ["no word of it"]
            raise NotMeasuredError(f"{self._what}: {said[-1]}")
        return json.loads(lines[-1])


def serve(tasks: Sequence[Callable[..., Any]]) -> None:
    """The main function of a worker script: run the named task with its options and print what it gives."""
    name, options = sys.argv[1], json.loads(sys.argv[2])
    given = {task.__name__: task for task in tasks}[name](**options)
    # What libraries print comes before; the last line is the answer.
    print("\n" + json.dumps(given), flush=True)
    # Threads and handlers of the tools under test are no part of what is measured.
    sys.stdout.flush()
    os._exit(0)


def about_machine() -> list[str]:
    """Processor, cores, Python and system, as lines of Markdown."""
    from importlib.metadata import version

    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model n")]
        model = named[0] if named else model
    load = f", load {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    ipython, ipykernel = version("ipython"), version("ipykernel")
    return [
        f"- {os.cpu_count()} cores of {model}{load}",
        f"- Python {platform.python_version()}, IPython {ipython}, ipykernel {ipykernel}, {platform.platform()}",
    ]


@dataclass
class Report:
    """What a benchmark has found so far."""

    rows: list[Row]
    notes: list[str]
    failures: list[str]

    def text(self, title: str) -> str:
        heads = ["what", "budget", "carbon-magic", f"{peer.NAME} {peer.VERSION}", "ratio"]
        lines = [f"## {title}", "", *about_machine(), "", _line(heads), _line(["---"] * len(heads))]
        lines += [_line(row.cells()) for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        lines += ["", *(f"- not measured: {failure}" for failure in self.failures)] if self.failures else []
        return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


Group = Callable[[Report, bool], None]
"""Adds rows and notes to a report; its second argument says whether it has to be quick."""


def main(title: str, description: str, groups: Mapping[str, Group]) -> int:
    """Run the groups that were asked for and print the table. The exit status: 1 where one could not be measured."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, for a smoke test")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures into a file, too")
    parser.add_argument("--only", metavar="GROUP,...", help=f"only these of: {', '.join(groups)}")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(groups)
    if unknown := [name for name in names if name not in groups]:
        parser.error(f"there is no {unknown[0]!r}, only {', '.join(groups)}")
    report = Report([], [], [])
    for name in names:
        begun_s = time.monotonic()
        try:
            groups[name](report, options.quick)
        except (NotMeasuredError, OSError, subprocess.SubprocessError) as error:
            report.failures.append(f"{name}: {error}")
        print(f"{name}: {time.monotonic() - begun_s:.0f} s", file=sys.stderr, flush=True)
    print(report.text(title))
    if options.json:
        found = {
            "title": title,
            "machine": about_machine(),
            "quick": options.quick,
            "rows": [row.as_dict() for row in report.rows],
            "notes": report.notes,
            "failures": report.failures,
        }
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if report.failures else 0


def difference(some: Sequence[float], others: Sequence[float]) -> Figure:
    """The difference of two medians, and where it lies with 95 % confidence, by drawing the samples anew."""
    chance = random.Random(0)

    def again(values: Sequence[float]) -> float:
        return statistics.median(chance.choices(values, k=len(values)))

    drawn = sorted(again(some) - again(others) for _ in range(2000))
    return Figure((statistics.median(some) - statistics.median(others),), interval=(drawn[49], drawn[1949]))

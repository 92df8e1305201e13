"""What the ledger costs: a hundred thousand cells read, and each cell written. `--help` lists what can be asked."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import Figure, NotMeasuredError, Report, Row, Work, main

SCRIPT = "work_ledger.py"
NONE = "keeps no such ledger"
CELLS = 100_000


def read(report: Report, quick: bool) -> None:
    """The totals and the ten dearest cells of a large ledger, in fresh processes."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        size_mb = Work(SCRIPT, "fill", folder=folder, cells=CELLS).result()
        for number in range((2 if quick else 7) + 1):
            for name, value_ms in Work(SCRIPT, "ask", folder=folder).result().items():
                if number:  # the first fills the file cache
                    found.setdefault(name, []).append(value_ms)
    limits = {"totals and top ten": 100.0}
    for name, values in found.items():
        limit = limits.get(name)
        budget = f"≤ {limit:g} ms" if limit else ""
        what = f"ledger of {CELLS:,} cells: {name}"
        report.rows.append(Row(what, budget, limit, "ms", Figure(tuple(values), judged="worst"), NONE))
    report.notes.append(f"A ledger of {CELLS:,} cells in 1,000 sessions takes {size_mb:.0f} MB.")


def write(report: Report, quick: bool) -> None:
    """What a record costs until it is written: time in the thread that hands it over, and CPU of all threads."""
    delays, cpu, first, added = [], [], [], []
    for _ in range(2 if quick else 5):
        with tempfile.TemporaryDirectory() as folder:
            found = Work(SCRIPT, "write", folder=str(Path(folder) / "home"), batches=50, each=20).result()
        delays.append(found["delay_us"])
        cpu.append(found["cpu_us"])
        first.append(found["first_ms"])
        added.append(found["added_mib"])
    for what, unit, values in (
        ("handing a record to the writer", "µs", delays),
        ("CPU of all threads for each record, in batches of 20", "µs", cpu),
        ("CPU of the first record: SQLite, the folder, the file", "ms", first),
        ("memory that keeping records adds", "MiB", added),
    ):
        report.rows.append(Row(what, "", None, unit, Figure(tuple(values)), NONE))


GROUPS = {"read": read, "write": write}

if __name__ == "__main__":
    try:
        status = main("What the ledger costs", __doc__ or "", GROUPS)
    except NotMeasuredError as error:
        status = f"nothing could be measured: {error}"  # type: ignore[assignment]
    sys.exit(status)

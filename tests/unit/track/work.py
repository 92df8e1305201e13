"""What the tests of `track` share: a made-up desktop that uses what it is told, scripts, and what the ledger holds."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from carbon_magic import tracking, whose

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
START_UJ = 1_000_000
DRAM_W = 32 * 0.3
"""The modelled memory of the made-up desktop: 32 GiB."""
FIGURES = [
    name for name in vars(tracking.Figures) if name.endswith(("_j", "_j_low", "_j_high", "_g", "_g_low", "_g_high"))
]


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

"""The writing end of a run's sink: what the session in the kernel tells whoever runs the notebook.

Lines of JSON, a record once for each finished cell, and at each tick how things stand. Written by the sampler's thread
alone, appended in one call each, so that a reader sees whole lines whatever happens to the kernel. The runner says
where the sink is in the kernel itself, not by its environment, which the notebook's own child processes inherit.

The ledger cannot take its place: a run reports its cells also where nothing can be written there, each of them before
the cell's reply, and shows the present second by second, of which the ledger keeps nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from carbon_magic.accounts import Accounts
from carbon_magic.describe import estimate_of
from carbon_magic.ledger.record import CellRecord


class Order(NamedTuple):
    """What the runner of this kernel's notebook asks for."""

    sink: Path
    notebook: str
    region: str | None


_order: Order | None = None


def serve(shell: Any, sink: str, notebook: str, region: str | None) -> None:
    """Load the extension into `shell` and tell its sessions, this one and any later one, to feed `sink`."""
    global _order  # noqa: PLW0603 - one kernel has one runner
    _order = Order(Path(sink), notebook, region)

    from carbon_magic import load_ipython_extension

    load_ipython_extension(shell)


def order() -> Order | None:
    """What the runner asked for, or None where nobody runs this kernel's notebook headlessly."""
    return _order


class Feed:
    """Appends to a sink. A sink that cannot be written is given up; the runner finds what is missing."""

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError:
            self._fd = -1

    def record(self, record: CellRecord) -> None:
        self._write({"record": record.as_dict()})

    def now(self, accounts: Accounts) -> None:
        """How things stand after a tick."""
        own = accounts.snapshot.energy_j
        running = None
        for cell in accounts.running()[:1]:
            measured = cell.measured or estimate_of(accounts.snapshot, cell.duration_s)
            so_far = accounts.so_far(cell.window) or accounts.record_of(cell.window, measured, final=False)
            running = {
                "execution_count": so_far.execution_count,
                "duration_s": so_far.duration_s,
                "energy_j": so_far.energy_j,
                "record": so_far.as_dict(),
            }
        now = {"energy_j": own.best if own else None, "cells": len(accounts.records), "running": running}
        self._write({"now": now})

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _write(self, line: dict[str, Any]) -> None:
        if self._fd >= 0:
            try:
                os.write(self._fd, json.dumps(line, separators=(",", ":")).encode() + b"\n")
            except OSError:
                self.close()

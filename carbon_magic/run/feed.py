"""The writing end of a run's sink: what the session in the kernel tells whoever runs the notebook.

Lines of JSON, a record once for each finished cell, and at each tick how things stand. Written by the sampler's thread
alone, appended in one call each, so that a reader sees whole lines whatever happens to the kernel.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from carbon_magic.accounts import Accounts
from carbon_magic.ledger.record import CellRecord


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
            so_far = accounts.record_of(cell.window, cell.measured, final=False) if cell.measured else None
            running = {
                "execution_count": cell.window.execution_count,
                "duration_s": cell.duration_s,
                "energy_j": so_far.energy_j if so_far else None,
                "record": so_far.as_dict() if so_far else None,
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

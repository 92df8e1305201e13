"""The file through which the session in a kernel tells the runner what its cells cost.

Each line is a JSON object: `{"record": {...}}` once for each cell that has ended, its figures final, and about once a
second `{"now": {...}}` with the session's joules so far and the cell that runs. Code in the notebook can write to the
file as well and a killed kernel leaves a torn last line, so nothing in it is trusted: lines and their number are
bounded, and what is no record whose numbers are in order is left out and counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from carbon_magic.ledger.check import checked_record, is_count, is_number
from carbon_magic.ledger.record import CellRecord

MAX_LINE_BYTES = 256 * 1024
"""A record has about 2 kB; a longer line than this was not written by a session."""
MAX_RECORDS = 100_000
"""As many cells of one notebook are kept."""
MAX_BYTES = 1 << 30
"""As much of one sink is read: a `now` line each second for five days."""


@dataclass(frozen=True, slots=True)
class Now:
    """The last word of a session about the present."""

    energy_j: float | None
    """The session's energy so far, in joules."""
    cells: int
    running_s: float | None
    """Seconds since the running cell began, or None while none runs."""
    running: CellRecord | None
    """What the running cell has cost so far, or None."""


class Sink:
    """Reads one sink, a part at a time, and keeps its records in the order in which the cells ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[CellRecord] = []
        self.now: Now | None = None
        self.left_out = 0
        """Lines that were no record and no `now`, or came after the bounds were reached."""
        self._ids: set[str] = set()
        self._file: BinaryIO | None = None
        self._offset = 0
        self._torn = b""
        self._skipping = False

    def read(self) -> None:
        """Take in the whole lines that were added since the last call. A file that does not exist holds none."""
        # Held open from the beginning: what the notebook puts in its place, a pipe that nobody feeds, is never met.
        if self._file is None:
            try:
                self._file = self.path.open("rb", buffering=0)
            except OSError:
                return
        while self._offset < MAX_BYTES and (part := self._file.read(MAX_LINE_BYTES)):
            self._offset += len(part)
            self._take(part)

    def close(self) -> None:
        """Give the descriptor back; nothing more is read."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def killed_record(self) -> CellRecord | None:
        """The record of the cell that ran when the kernel died, from the last word about it, or None."""
        running = self.now.running if self.now is not None else None
        if running is None or running.record_id in self._ids:
            return None
        return replace(running, status="killed", final=True)

    def _take(self, part: bytes) -> None:
        *lines, rest = (self._torn + part).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif len(line) > MAX_LINE_BYTES:
                self.left_out += 1
            elif line.strip():
                self._line(line)
        if len(rest) > MAX_LINE_BYTES and not self._skipping:
            self.left_out += 1
            self._skipping = True
        self._torn = b"" if self._skipping else rest

    def _line(self, line: bytes) -> None:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            self.left_out += 1
            return
        content = data if isinstance(data, dict) else {}
        record, now = checked_record(content.get("record")), _checked_now(content.get("now"))
        if record is not None and record.record_id not in self._ids and len(self.records) < MAX_RECORDS:
            self._ids.add(record.record_id)
            self.records.append(record)
        elif now is not None:
            self.now = now
        else:
            self.left_out += 1


def _checked_now(data: object) -> Now | None:
    if not isinstance(data, dict):
        return None
    energy_j, cells, running = data.get("energy_j"), data.get("cells"), data.get("running")
    if not (energy_j is None or is_number(energy_j)) or not is_count(cells):
        return None
    running_s, record = None, None
    if isinstance(running, dict):
        running_s = running.get("duration_s")
        record = checked_record(running.get("record"))
    return Now(energy_j=energy_j, cells=cells, running_s=running_s if is_number(running_s) else None, running=record)

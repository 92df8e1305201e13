"""The file through which the session in a kernel tells the runner what its cells cost.

Each line is a JSON object: `{"record": {...}}` once for each cell that has ended, its figures final, and about once a
second `{"now": {...}}` with the session's joules so far and the cell that runs. Code in the notebook can write to the
file as well and a killed kernel leaves a torn last line, so nothing in it is trusted: lines and their number are
bounded, and what is no record whose numbers are in order is left out and counted.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeGuard, get_args

from carbon_magic.ledger.record import BOUNDARY, CellRecord, Status
from carbon_magic.power.sensor import Provenance

MAX_LINE_BYTES = 256 * 1024
"""A record has about 2 kB; a longer line than this was not written by a session."""
MAX_RECORDS = 100_000
"""As many cells of one notebook are kept."""
MAX_BYTES = 1 << 30
"""As much of one sink is read: a `now` line each second for five days."""

_MAX_TEXT = 10_000
_LARGEST = 1e18
"""No figure of a cell is larger in any unit used here: in joules it is as much as a country uses in a year."""
_TEXT = {"record_id", "session_id", "started_at", "scope", "boundary", "region", "region_source"} | {
    "intensity_source",
    "data_version",
    "version",
}
_TEXT_OR_NONE = {"project", "notebook", "cell_id", "label"}
_FLAGS = {"final", "concurrent", "below_resolution"}
_COUNTS_OR_NONE = {"execution_count", "intensity_year"}
_NUMBERS = {"duration_s", "intensity_g_per_kwh", "intensity_low", "intensity_high", "pue"}
_PROVENANCES = {"cpu_provenance", "gpu_provenance", "dram_provenance"}
_OTHERS = {"status", "sensors"}
_NUMBERS_OR_NONE = {field.name for field in fields(CellRecord)} - (
    _TEXT | _TEXT_OR_NONE | _FLAGS | _COUNTS_OR_NONE | _NUMBERS | _PROVENANCES | _OTHERS
)
_IN_ORDER = (
    ("energy_j_low", "energy_j", "energy_j_high"),
    ("machine_energy_j_low", "machine_energy_j", "machine_energy_j_high"),
    ("emissions_g_low", "emissions_g", "emissions_g_high"),
    ("intensity_low", "intensity_g_per_kwh", "intensity_high"),
)


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
        self._offset = 0
        self._torn = b""
        self._skipping = False

    def read(self) -> None:
        """Take in the whole lines that were added since the last call. A file that does not exist holds none."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                while self._offset < MAX_BYTES and (part := file.read(MAX_LINE_BYTES)):
                    self._offset += len(part)
                    self._take(part)
        except OSError:
            # The notebook may have removed the file: what was read before then still holds.
            return

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


def checked_record(data: object) -> CellRecord | None:
    """The record in a decoded JSON object, or None unless every field has its type and the figures are in order."""
    if not isinstance(data, dict):
        return None
    try:
        record = CellRecord.from_dict(data)
    except TypeError:
        return None
    values = {field.name: getattr(record, field.name) for field in fields(CellRecord)}
    valid = (
        all(_is_text(values[name]) for name in _TEXT)
        and all(values[name] is None or _is_text(values[name]) for name in _TEXT_OR_NONE)
        and all(isinstance(values[name], bool) for name in _FLAGS)
        and all(values[name] is None or _is_count(values[name]) for name in _COUNTS_OR_NONE)
        and all(_is_number(values[name]) for name in _NUMBERS)
        and all(values[name] is None or _is_number(values[name]) for name in _NUMBERS_OR_NONE)
        and all(values[name] in (None, *get_args(Provenance)) for name in _PROVENANCES)
        and values["status"] in get_args(Status)
        and values["boundary"] == BOUNDARY
        and len(values["sensors"]) <= 1000
        and all(_is_text(sensor) for sensor in values["sensors"])
        and all(_in_order([values[name] for name in names]) for names in _IN_ORDER)
    )
    return record if valid else None


def _checked_now(data: object) -> Now | None:
    if not isinstance(data, dict):
        return None
    energy_j, cells, running = data.get("energy_j"), data.get("cells"), data.get("running")
    if not (energy_j is None or _is_number(energy_j)) or not _is_count(cells):
        return None
    running_s, record = None, None
    if isinstance(running, dict):
        running_s = running.get("duration_s")
        record = checked_record(running.get("record"))
    return Now(energy_j=energy_j, cells=cells, running_s=running_s if _is_number(running_s) else None, running=record)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= _LARGEST


def _in_order(values: list[Any]) -> bool:
    known = [value for value in values if value is not None]
    return all(low <= high for low, high in itertools.pairwise(known))
